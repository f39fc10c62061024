/**
 * Certificates of authorities that the operator adds: checked, and joined with
 * the system's into the one bundle that the server reads.
 *
 * The Go of the server reads one bundle only, so that naming a file with the
 * private authority alone would take away its trust in everybody else.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { dateOf, expiryOf } from "../certificate_expiry.ts";
import type { Problem } from "../errors.ts";
import { errorCode } from "../errors.ts";
import type { System } from "../os/system.ts";

/** The variable in which Go is told of its one bundle of authorities. */
export const BUNDLE_VARIABLE = "SSL_CERT_FILE";

/** Where certificates may be. */
export interface AuthorityPlaces {
  /** The directory of `*.crt` files; it need not exist. */
  readonly directory: string;
  /** The file of `DB_SSL_CA`; empty where there is none. */
  readonly databaseFile: string;
  /** The file of `SSL_CERT_FILE`, with which the operator says all; `undefined` where it is not set. */
  readonly wholeBundle: string | undefined;
}

/** Whom the server will trust. */
export interface Authorities {
  /** Whether the server needs a bundle of ours; otherwise the system's own will do. */
  readonly isOwnBundle: boolean;
  /** Reads the PEM texts, the system's bundle first; `undefined` where the machine has none and none was added. */
  trusted(): readonly string[] | undefined;
  /** What makes a file unusable: the subject is its path. */
  readonly problems: readonly Problem[];
  /** What is unwise about files that can be used. */
  readonly warnings: readonly Problem[];
  /** How many certificates were added. */
  readonly added: number;
}

/** A certificate in a file. */
interface Entry {
  readonly path: string;
  readonly pem: string;
  readonly certificate: X509Certificate;
}

/** The bundles of the distributions, in the order in which Go looks for them (crypto/x509/root_linux.go). */
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
 * Reads and checks the certificates; changes nothing.
 *
 * @param world Files, and the time.
 * @param places Where to look.
 * @returns Whom to trust, and what is wrong.
 */
export function findAuthorities(
  { files, clock }: Pick<System, "files" | "clock">,
  { directory, databaseFile, wholeBundle }: AuthorityPlaces,
): Authorities {
  const problems: Problem[] = [];
  const read = (path: string): string => {
    try {
      return files.readText(path);
    } catch (error) {
      const variable = path === databaseFile
        ? "DB_SSL_CA"
        : "MATTERMOST_CA_DIR";
      problems.push(unreadable(error, { path, variable }));
      return "";
    }
  };
  const own = listCertificates(directory, files, problems);
  const paths = databaseFile === "" ? own : [...own, databaseFile];
  const entries = paths.flatMap((path) => parse(path, read(path), problems));
  const added = distinct(entries);
  const system = (): string => systemBundle(wholeBundle, files);
  const warnings = [
    ...entries.flatMap((entry) => faults(entry, clock.now())),
    ...missingIssuers(added, system),
  ];
  const texts = added.map(({ pem }) => pem);
  if (wholeBundle !== undefined && own.length > 0) {
    warnings.push({
      subject: "SSL_CERT_FILE",
      message:
        `SSL_CERT_FILE is set, so the server reads ${wholeBundle} alone, and not the certificates in ${directory}`,
      remedy: "Remove SSL_CERT_FILE: the entrypoint sets it",
    });
  }
  return {
    isOwnBundle: wholeBundle === undefined && texts.length > 0,
    trusted() {
      const all = [system(), ...wholeBundle === undefined ? texts : []]
        .filter((text) => text !== "");
      return all.length === 0 ? undefined : all;
    },
    problems,
    warnings,
    added: added.length,
  };
}

/**
 * Joins PEM texts to one.
 *
 * @param texts The texts.
 * @returns One text with each on lines of its own.
 */
export function joinBundle(texts: readonly string[]): string {
  return texts.map((text) => `${text.trimEnd()}\n`).join("");
}

/** The bundle that is there before anything is added; empty where there is none that can be read. */
function systemBundle(
  wholeBundle: string | undefined,
  files: System["files"],
): string {
  const path = wholeBundle ??
    SYSTEM_BUNDLES.find((path) => files.stat(path)?.isFile === true);
  try {
    return path === undefined ? "" : files.readText(path);
  } catch {
    // What the operator says himself is not ours to judge, and a container may have no bundle.
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
      message: `${directory} is no directory, as MATTERMOST_CA_DIR has to be`,
      remedy: `Mount a directory with files that end in .crt at ${directory}`,
    });
    return [];
  }
}

function unreadable(
  error: unknown,
  { path, variable }: { readonly path: string; readonly variable: string },
): Problem {
  const code = errorCode(error) ?? "unknown error";
  return {
    subject: "",
    message: `The file ${path} of ${variable} cannot be read (${code})`,
    remedy: code === "ENOENT"
      ? `Mount the certificates at ${path}, or correct ${variable}`
      : `chmod a+r on the host's file that is mounted at ${path}: certificates are no secrets`,
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
        ? `${path} holds a private key and no certificate`
        : `${path} holds no certificate in PEM form`,
      remedy: hasKey
        ? "Put the authority's certificate there; its private key belongs nowhere near"
        : `openssl x509 -inform der -in ca.der -out ca.crt   # if it is in DER form`,
    });
  }
  return blocks.flatMap((pem) => {
    try {
      return [{ path, pem, certificate: new X509Certificate(pem) }];
    } catch {
      problems.push({
        subject: path,
        message: `${path} holds a certificate that is damaged`,
        remedy: `openssl x509 -in ${path} -noout -text   # shows where`,
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

function faults({ path, certificate }: Entry, now: number): Problem[] {
  const name = nameOf(certificate);
  const from = Date.parse(certificate.validFrom);
  const { state, date } = expiryOf(Date.parse(certificate.validTo), now);
  const found: string[] = [];
  if (state === "expired") found.push(`expired on ${date}`);
  if (state === "soon") found.push(`expires on ${date}`);
  if (from > now) found.push(`is not valid before ${dateOf(from)}`);
  const isOwnIssuer = certificate.subject === certificate.issuer;
  if (!certificate.ca && !isOwnIssuer) {
    found.push(
      "is a server's certificate and no authority's: it vouches for nobody else",
    );
  }
  return found.map((fault) => ({
    subject: path,
    message: `The certificate of ${name} in ${path} ${fault}`,
    remedy: `Replace ${path} with the authority's present certificate`,
  }));
}

/** Authorities whose own issuer is nowhere: programs that build whole chains do not accept them. */
function missingIssuers(
  entries: readonly Entry[],
  system: () => string,
): Problem[] {
  const known = new Set(entries.map(({ certificate }) => certificate.subject));
  const lost = entries.filter(({ certificate }) =>
    certificate.ca && !known.has(certificate.issuer)
  );
  if (lost.length === 0) return [];
  // Only now: reading a whole bundle takes milliseconds.
  const subjects = new Set(
    (system().match(CERTIFICATE_REGEXP) ?? []).map(subject),
  );
  return lost.filter(({ certificate }) => !subjects.has(certificate.issuer))
    .map(({ path, certificate }) => ({
      subject: path,
      message: `The authority ${
        nameOf(certificate)
      } in ${path} is vouched for by ${
        certificate.issuer.replaceAll("\n", ", ")
      }, whose certificate is missing`,
      remedy: "Add the certificate of the root authority beside it",
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
