/**
 * The certificates of authorities that the operator adds, checked and joined with those of the
 * system.
 *
 * The server's Go library reads a single bundle, so a bundle that held only the private
 * authority would end its trust in the public ones:
 * https://pkg.go.dev/crypto/x509#SystemCertPool
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { describeExpiry, formatDate } from "../certificate_expiry.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, errorCode } from "../errors.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";
import { readNamedText } from "../os/named_file.ts";
import { shellWord } from "../shell.ts";
import type { System } from "../os/system.ts";

/** The variable that names the bundle for Go: https://pkg.go.dev/crypto/x509#SystemCertPool. */
export const BUNDLE_VARIABLE = "SSL_CERT_FILE";

/** Where the certificates are. */
export interface AuthorityLocations {
  /** The directory of `*.crt` files (`MATTERMOST_CA_DIR`); it need not exist. */
  readonly directory: string;
  /** The file of `DB_SSL_CA`; empty if it is not set. */
  readonly databaseFile: string;
  /** Reads that file; by default as any other. */
  readonly readDatabaseFile?: (path: string) => string;
  /** The operator's own bundle (`SSL_CERT_FILE`), which replaces all others; `undefined` if it is not set. */
  readonly bundleOverride: string | undefined;
}

/** The certificate authorities that the server will trust. */
export interface Authorities {
  /** Whether the entrypoint has to write a bundle for the server, because certificates were added to the system's. */
  readonly needsBundle: boolean;
  /** Reads the PEM texts, the system's bundle first; `undefined` if the system has no bundle and nothing was added. */
  trusted(): readonly string[] | undefined;
  /** Files that cannot be used. */
  readonly problems: readonly Problem[];
  /** Certificates that can be used but will not work as the operator expects. */
  readonly warnings: readonly Problem[];
  /** The number of certificates that the operator added. */
  readonly added: number;
}

/** A certificate in a file. */
interface Entry {
  readonly path: string;
  readonly pem: string;
  readonly certificate: X509Certificate;
}

/**
 * The bundles of Linux distributions, in the order in which Go tries them:
 * https://github.com/golang/go/blob/master/src/crypto/x509/root_linux.go
 */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const CERTIFICATE_REGEXP =
  /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads and checks the certificates, without changing anything.
 *
 * @param system Its files, and the time that expiry dates are compared with.
 * @param places Where the certificates are.
 * @returns The authorities to trust, with the problems that were found.
 */
export function findAuthorities(
  { files, clock }: Pick<System, "files" | "clock">,
  { directory, databaseFile, readDatabaseFile, bundleOverride }:
    AuthorityLocations,
): Authorities {
  const problems: Problem[] = [];
  const read = (path: string): string => {
    try {
      return path === databaseFile && readDatabaseFile !== undefined
        ? readDatabaseFile(path)
        : readNamedText(files, path);
    } catch (error) {
      if (error instanceof EntrypointError) {
        const { message, remedy } = error;
        problems.push({
          subject: "DB_SSL_CA",
          message,
          ...(remedy === undefined ? {} : { remedy }),
        });
        return "";
      }
      const variable = path === databaseFile
        ? "DB_SSL_CA"
        : "MATTERMOST_CA_DIR";
      problems.push(unreadable(error, { path, variable }));
      return "";
    }
  };
  const inDirectory = listCertificates(directory, files, problems);
  const paths = databaseFile === ""
    ? inDirectory
    : [...inDirectory, databaseFile];
  const entries = paths.flatMap((path) => parse(path, read(path), problems));
  const added = distinct(entries);
  const readBase = (): string => baseBundle(bundleOverride, files);
  const isForDatabase = ({ path }: Entry): boolean => path === databaseFile;
  const warnings = [
    ...entries.flatMap((entry) =>
      defectsOf(entry, clock.now(), isForDatabase(entry))
    ),
    ...missingIssuers(added.filter((each) => !isForDatabase(each)), readBase),
  ];
  const texts = added.map(({ pem }) => pem);
  if (bundleOverride !== undefined && inDirectory.length > 0) {
    warnings.push({
      subject: "SSL_CERT_FILE",
      message:
        `SSL_CERT_FILE is set, so the server trusts only the certificates in ${bundleOverride} and ignores those in ${directory}`,
      remedy: "Remove SSL_CERT_FILE: the entrypoint sets it for the server",
    });
  }
  return {
    needsBundle: bundleOverride === undefined && texts.length > 0,
    trusted() {
      const all = [readBase(), ...bundleOverride === undefined ? texts : []]
        .filter((text) => text !== "");
      return all.length === 0 ? undefined : all;
    },
    problems,
    warnings,
    added: added.length,
  };
}

/**
 * Joins PEM texts into one bundle.
 *
 * @param texts The texts, with or without a final newline.
 * @returns The bundle, in which each text starts on a new line.
 */
export function joinBundle(texts: readonly string[]): string {
  return texts.map((text) => `${text.trimEnd()}\n`).join("");
}

/** The bundle of `SSL_CERT_FILE`, else that of the system; empty if there is none that can be read. */
function baseBundle(
  wholeBundle: string | undefined,
  files: System["files"],
): string {
  const path = wholeBundle ??
    SYSTEM_BUNDLES.find((path) => files.stat(path)?.isFile === true);
  try {
    return path === undefined ? "" : readNamedText(files, path);
  } catch {
    // The server reads this file by itself, and starts without it.
    return "";
  }
}

function listCertificates(
  directory: string,
  files: System["files"],
  problems: Problem[],
): string[] {
  try {
    return files.list(directory).filter((name) => name.endsWith(".crt"))
      .map((name) => `${directory}/${name}`);
  } catch (error) {
    if (errorCode(error) !== "ENOTDIR") {
      const variable = "MATTERMOST_CA_DIR";
      problems.push(unreadable(error, { path: directory, variable }));
      return [];
    }
    problems.push({
      subject: directory,
      message:
        `MATTERMOST_CA_DIR must name a directory: ${directory} is not one`,
      remedy:
        `Mount a directory at ${directory} that holds the certificates in files named *.crt`,
    });
    return [];
  }
}

function unreadable(
  error: unknown,
  { path, variable }: { readonly path: string; readonly variable: string },
): Problem {
  const { reason, remedy } = explainSystemError(error, path);
  return {
    subject: "",
    message: `The file ${path} of ${variable} cannot be read: ${reason}`,
    remedy: errorCode(error) === "ENOENT"
      ? `Mount the certificates at ${path}, or correct ${variable}`
      : isDenied(error)
      ? `On the host: chmod a+r FILE   # the one that is mounted at ${path}; certificates are not secret`
      : remedy,
  };
}

function parse(path: string, text: string, problems: Problem[]): Entry[] {
  if (text === "") return [];
  const blocks = text.match(CERTIFICATE_REGEXP) ?? [];
  const hasKey = text.includes("PRIVATE KEY-----");
  if (blocks.length === 0) {
    problems.push({
      subject: path,
      message: hasKey
        ? `${path} holds a private key but no certificate`
        : `${path} holds no certificate in PEM format`,
      remedy: hasKey
        ? "Replace the file with the authority's certificate; the server does not need the private key"
        : "openssl x509 -inform der -in ca.der -out ca.crt   # converts a certificate in DER format",
    });
  }
  return blocks.flatMap((pem) => {
    try {
      return [{ path, pem, certificate: new X509Certificate(pem) }];
    } catch {
      problems.push({
        subject: path,
        message: `${path} holds a damaged certificate`,
        remedy: `openssl x509 -in ${
          shellWord(path)
        } -noout -text   # shows the error`,
      });
      return [];
    }
  });
}

function distinct(entries: readonly Entry[]): readonly Entry[] {
  const byFingerprint = new Map(
    entries.map((entry) => [entry.certificate.fingerprint256, entry]),
  );
  return [...byFingerprint.values()];
}

function defectsOf(
  { path, certificate }: Entry,
  now: number,
  isForDatabase: boolean,
): Problem[] {
  const name = nameOf(certificate);
  const from = Date.parse(certificate.validFrom);
  const { state, date } = describeExpiry(Date.parse(certificate.validTo), now);
  const found: string[] = [];
  if (state === "expired") found.push(`expired on ${date}`);
  if (state === "soon") found.push(`expires on ${date}`);
  if (from > now) found.push(`is not valid before ${formatDate(from)}`);
  const isOwnIssuer = certificate.subject === certificate.issuer;
  // The driver accepts the database's own certificate, whoever has issued it.
  if (!certificate.ca && !isOwnIssuer && !isForDatabase) {
    found.push(
      "belongs to a server, not to an authority: no other certificate can be verified with it",
    );
  }
  return found.map((defect) => ({
    subject: path,
    message: `The certificate of ${name} in ${path} ${defect}`,
    remedy: `Replace ${path} with the authority's current certificate`,
  }));
}

/** Authorities whose own issuer is missing. OpenSSL, unlike Go, verifies a chain up to its root: https://docs.openssl.org/3.0/man1/openssl-verification-options/ */
function missingIssuers(
  entries: readonly Entry[],
  readBase: () => string,
): Problem[] {
  const known = new Set(entries.map(({ certificate }) => certificate.subject));
  const incomplete = entries.filter(({ certificate }) =>
    certificate.ca && !known.has(certificate.issuer)
  );
  if (incomplete.length === 0) return [];
  // Parsing a whole bundle takes milliseconds, so it happens only here.
  const subjects = new Set(
    (readBase().match(CERTIFICATE_REGEXP) ?? []).map(subject),
  );
  return incomplete.filter(({ certificate }) =>
    !subjects.has(certificate.issuer)
  )
    .map(({ path, certificate }) => ({
      subject: path,
      message: `The certificate of ${
        nameOf(certificate)
      } in ${path} was issued by ${
        certificate.issuer.replaceAll("\n", ", ")
      }, whose own certificate is missing`,
      remedy:
        `Append the certificate of the issuer to ${path}, and so on up to the root authority`,
    }));
}

function subject(pem: string): string {
  try {
    return new X509Certificate(pem).subject;
  } catch {
    return "";
  }
}

function nameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll("\n", ", ");
}
