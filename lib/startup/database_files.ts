/**
 * The files with which the server's driver encrypts a connection to the database: authorities,
 * and the client's own certificate with its key. They are found and read as the driver does it.
 *
 * @see https://pkg.go.dev/github.com/lib/pq#hdr-Connection_String_Parameters
 * @module
 */

import { createPublicKey, X509Certificate } from "node:crypto";
import type { DataSource } from "../database/data_source.ts";
import type { ConnectOptions } from "../database/session.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { readNamedText } from "../os/named_file.ts";
import type { System } from "../os/system.ts";
import { compareVersions } from "../release_range.ts";
import type { Settings } from "../settings/catalogue.ts";
import { shellWord } from "../shell.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";
import type { Authorities } from "./authorities.ts";
import { serverIdentity } from "./become_user.ts";
import { describeOwner } from "./directories/unsafe_links.ts";
import { serverHome } from "./handoff.ts";
import { readServedFile, type ServedSystem } from "./served_file.ts";

/** What a login needs of the files. */
export type DatabaseFiles = Pick<ConnectOptions, "ca" | "client">;

/** What the files depend on besides the data source. */
export interface FilesContext {
  /** The system; root reads for the server's user. */
  readonly system: ServedSystem & Pick<System, "env" | "startedAs">;
  /** The server's user. */
  readonly settings: Settings;
  /** The authorities to trust if the source names none. */
  readonly trusted: Authorities["trusted"];
}

/** The first version of lib/pq in which root may own a key with mode 0640. */
const ROOTS_KEYS = "1.10.6";
/** The first version that looks for root.crt in the home directory, and knows sslrootcert=system. */
const DEFAULT_ROOT = "1.12.0";
/** The first version that reads HOME before /etc/passwd, and all booleans. */
const HOME_FIRST = "1.11.0";

/** Permission bits that the key of an ordinary user, and a key of root, must not have. */
const OTHERS = 0o177;
const OTHERS_OF_ROOT = 0o137;

/**
 * Reads the files.
 *
 * @param source The database.
 * @param context The system, the server's user, and the authorities to trust by default.
 * @returns PEM texts; `ca` is absent if the certificate of the database is not verified.
 * @throws {EntrypointError} With code 66 if the server's driver cannot use one of the files.
 */
export function databaseFiles(
  source: DataSource,
  context: FilesContext,
): DatabaseFiles {
  const { adapter, sslMode, socket } = source;
  if (sslMode === "disable" || socket !== undefined) return {};
  const ca = adapter === "postgres"
    ? postgresAuthorities(source, context)
    : mysqlAuthorities(source, context);
  const client = adapter === "postgres"
    ? clientCertificate(source, context)
    : undefined;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { client }),
  };
}

function mysqlAuthorities(
  { sslCa, sslMode }: DataSource,
  { system, trusted }: FilesContext,
): readonly string[] | undefined {
  if (!sslMode.startsWith("verify-")) return undefined;
  // The driver does not open the file: it is a part of the bundle.
  return sslCa === undefined ? trusted() : [
    readFile(sslCa, "DB_SSL_CA", () => readNamedText(system.files, sslCa)),
    ...trusted() ?? [],
  ];
}

/** The driver trusts only the file, if one is named. */
function postgresAuthorities(
  source: DataSource,
  context: FilesContext,
): readonly string[] | undefined {
  const { sslMode, sslCa } = source;
  const isVerifying = sslMode.startsWith("verify-");
  const isNew = isSince(source, DEFAULT_ROOT);
  const path = sslCa ??
    (isNew ? defaultFile("root.crt", source, context) : undefined);
  if (path === undefined || path === "system" && isNew) {
    return isVerifying ? context.trusted() : undefined;
  }
  if (isInline(source)) {
    // Older versions look for a file of that name.
    return isVerifying || isSince(source, HOME_FIRST) ? [path] : undefined;
  }
  // The driver ignores a missing file with `require`.
  if (!isVerifying && !exists(path, context)) return undefined;
  const name = path === context.settings.DB_SSL_CA
    ? "DB_SSL_CA"
    : "sslrootcert";
  return [readFile(path, name, () => readServedFile(path, name, context))];
}

function clientCertificate(
  source: DataSource,
  context: FilesContext,
): ConnectOptions["client"] {
  const { sslcert = "", sslkey = "" } = source.parameters ?? {};
  if (isInline(source)) {
    return usable({ cert: sslcert, key: sslkey }, "sslkey");
  }
  const certPath = sslcert || defaultFile("postgresql.crt", source, context);
  // The driver ignores a missing certificate.
  if (certPath === undefined || !exists(certPath, context)) return undefined;
  const keyPath = sslkey || defaultFile("postgresql.key", source, context) ||
    "";
  const cert = readFile(
    certPath,
    "sslcert",
    () => readServedFile(certPath, "sslcert", context),
  );
  const key = readFile(
    keyPath,
    "sslkey",
    () => readServedFile(keyPath, "sslkey", { ...context, isSecret: true }),
  );
  requireKeyMode(keyPath, source, context);
  return usable({ cert, key }, keyPath);
}

/** Finds a file below `.postgresql` in the server's home directory; `undefined` if it is not there. */
function defaultFile(
  name: string,
  source: DataSource,
  context: FilesContext,
): string | undefined {
  const { system, settings } = context;
  const variable = serverHome(settings, system);
  const entry = (): string | undefined =>
    passwdHome(system, serverIdentity(settings, system).uid);
  const home = isSince(source, HOME_FIRST)
    ? variable || entry()
    : entry() ?? variable;
  const path = `${home}/.postgresql/${name}`;
  return home && exists(path, context) ? path : undefined;
}

/** The home directory of a user in /etc/passwd (passwd(5)). */
function passwdHome(
  { files }: Pick<System, "files">,
  uid: number,
): string | undefined {
  try {
    const line = readNamedText(files, "/etc/passwd").split("\n")
      .map((each) => each.split(":"))
      .find((fields) => fields[2] === String(uid));
    return line?.[5];
  } catch {
    return undefined;
  }
}

function exists(path: string, { system }: FilesContext): boolean {
  try {
    return system.files.exists(path);
  } catch {
    // Reading it explains why.
    return true;
  }
}

function requireKeyMode(
  path: string,
  source: DataSource,
  { system, settings }: FilesContext,
): void {
  const facts = system.files.stat(path);
  if (facts === undefined) return;
  const isRoots = facts.uid === 0 && isSince(source, ROOTS_KEYS);
  if ((facts.mode & (isRoots ? OTHERS_OF_ROOT : OTHERS)) === 0) return;
  const { uid, gid } = serverIdentity(settings, system);
  throw new EntrypointError(
    `The key ${path} of sslkey is refused by the server's driver, since others can read it: ${
      describeOwner(path, facts)
    }`,
    {
      code: ExitCode.unreadable,
      remedy: `chown ${uid}:${gid} ${shellWord(path)} && chmod 600 ${
        shellWord(path)
      }`,
    },
  );
}

/** Checks what Go's `tls.X509KeyPair` checks. */
function usable(
  pair: { readonly cert: string; readonly key: string },
  place: string,
): { readonly cert: string; readonly key: string } {
  if (/ENCRYPTED/.test(pair.key)) {
    throw new EntrypointError(
      `The key ${place} is encrypted with a password, which the server's driver does not support`,
      {
        code: ExitCode.unreadable,
        remedy: `openssl pkey -in ${shellWord(place)} -out client.key`,
      },
    );
  }
  let isPair = false;
  try {
    const { publicKey } = new X509Certificate(pair.cert);
    const own = createPublicKey(pair.key);
    const bytes = (key: typeof own): string =>
      key.export({ type: "spki", format: "pem" }).toString();
    isPair = bytes(publicKey) === bytes(own);
  } catch {
    // Not PEM, or another kind of key.
  }
  if (isPair) return pair;
  throw new EntrypointError(
    "The certificate of sslcert and the key of sslkey do not belong together, or are not in PEM format",
    {
      code: ExitCode.unreadable,
      remedy:
        "Name the certificate in sslcert and its own private key in sslkey, both in PEM format",
    },
  );
}

function readFile(
  path: string,
  name: string,
  read: () => string,
): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    const { reason, remedy } = explainSystemError(error, path);
    throw new EntrypointError(
      `The file ${path} of ${name} cannot be read: ${reason}`,
      {
        code: ExitCode.unreadable,
        remedy: isDenied(error) || errorCode(error) === "ENOENT"
          ? `Mount the certificates at ${path} so that the server's user can read them`
          : remedy,
        cause: error,
      },
    );
  }
}

function isInline(source: DataSource): boolean {
  const { sslinline = "" } = source.parameters ?? {};
  return sslinline === "true" ||
    isSince(source, HOME_FIRST) &&
      /^(?:1|t|T|TRUE|True|yes|on)$/.test(sslinline);
}

/** Whether the driver has this version or a later one; an unknown driver is an old one. */
function isSince({ driver }: DataSource, version: string): boolean {
  return driver !== undefined && compareVersions(driver, version) >= 0;
}
