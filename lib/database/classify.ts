/**
 * Finds the reason in an error of the system or of a driver, by its code.
 *
 * Pure: tables, and the cleaning of foreign text.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { DataSource } from "./data_source.ts";
import { errorCode } from "../errors.ts";
import { withoutSecret } from "../hidden.ts";
import { ProbeError } from "./session.ts";

/** Characters of a server's message that are shown. */
const DETAIL_LENGTH = 240;

/** Codes of the system, of the runtime, and of the drivers. */
const LOCAL_REASONS: Readonly<Record<string, Reason>> = {
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_FAIL: "dns",
  EAI_NODATA: "dns",
  EAI_NONAME: "dns",
  ECONNREFUSED: "refused",
  // A unix socket that is not there yet.
  ENOENT: "refused",
  EHOSTUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EAFNOSUPPORT: "unreachable",
  // An IPv6 address of a link, without the link.
  EINVAL: "unreachable",
  ETIMEDOUT: "timeout",
  ECONNRESET: "protocol",
  ECONNABORTED: "protocol",
  EPIPE: "protocol",
  EACCES: "forbidden",
  EPERM: "forbidden",
  // Deno 2.7, when it writes to a connection whose certificate it has refused.
  UNKNOWN: "tls",
  // npm:postgres
  CONNECTION_CLOSED: "protocol",
  CONNECTION_DESTROYED: "protocol",
  CONNECTION_ENDED: "protocol",
  MESSAGE_NOT_SUPPORTED: "protocol",
  SASL_SIGNATURE_MISMATCH: "credentials",
  // npm:mysql2
  HANDSHAKE_NO_SSL_SUPPORT: "tls",
  HANDSHAKE_SSL_ERROR: "tls",
  AUTH_SWITCH_PLUGIN_ERROR: "credentials",
};

/** SQLSTATE of PostgreSQL; the names are in appendix A of its manual. */
const POSTGRES_REASONS: Readonly<Record<string, Reason>> = {
  "28P01": "credentials",
  "28000": "credentials",
  "3D000": "no such database",
  "42501": "forbidden",
  // A database that does not accept connections (`ALLOW_CONNECTIONS false`).
  "55000": "forbidden",
  "53300": "too many connections",
  "57P01": "starting up",
  "57P02": "starting up",
  "57P03": "starting up",
  "25006": "read-only",
};

/** Error numbers of MySQL and MariaDB. */
const MYSQL_REASONS: Readonly<Record<string, Reason>> = {
  1040: "too many connections",
  1203: "too many connections",
  1226: "too many connections",
  1044: "forbidden",
  1129: "forbidden",
  1130: "forbidden",
  1142: "forbidden",
  1143: "forbidden",
  1227: "forbidden",
  1370: "forbidden",
  1045: "credentials",
  1251: "credentials",
  1275: "credentials",
  1396: "credentials",
  1524: "credentials",
  1698: "credentials",
  1820: "credentials",
  1862: "credentials",
  3118: "credentials",
  3955: "credentials",
  4151: "credentials",
  1049: "no such database",
  1053: "starting up",
  1290: "read-only",
  1792: "read-only",
  1836: "read-only",
  3159: "tls",
};

/** `no pg_hba.conf entry for …` and `pg_hba.conf rejects …` share the SQLSTATE of a wrong role. */
const HBA_REGEXP = /\bpg_hba\.conf\b/;

/** Deno 2.7 ends a connection with errors such as `invalid peer certificate: …`, which have no code. */
const TLS_REGEXP = /\b(?:certificate|handshake|TLS)\b/i;

/** What the runtime puts behind the words of the system; the code says the same. */
const NUMBER_REGEXP = / \(os error \d+\)$/;

/**
 * Makes a {@linkcode ProbeError} of what a driver's promise rejected with. Such an
 * error without a code comes from an answer that the driver could not digest.
 *
 * @param error What was thrown.
 * @param source The database; its password is taken out of the text.
 * @returns The classified error; one that is classified already as it is.
 */
export function classify(error: unknown, source: DataSource): ProbeError {
  if (error instanceof ProbeError) return error;
  const cause = innermost(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ProbeError(
    reasonOf(cause, text, source.adapter),
    cleanDetail(text.replace(NUMBER_REGEXP, ""), source),
    codeOf(cause),
  );
}

/** Makes one printable line of foreign text: at most 240 characters, without the password and a final period. */
function cleanDetail(
  text: string,
  source: Pick<DataSource, "password">,
): string {
  const safe = withoutSecret(text, source.password);
  const line = safe.replace(/[\p{C}\s]+/gu, " ").replace(/^ |[ .]+$/g, "");
  return line.length > DETAIL_LENGTH
    ? `${line.slice(0, DETAIL_LENGTH - 1)}…`
    : line;
}

function reasonOf(cause: unknown, text: string, adapter: Adapter): Reason {
  const code = codeOf(cause) ?? "";
  const local = LOCAL_REASONS[errorCode(cause) ?? ""];
  if (local !== undefined) return local;
  if (code === "" && TLS_REGEXP.test(text)) return "tls";
  if (adapter === "mysql") return MYSQL_REASONS[code] ?? "protocol";
  return code === "28000" && HBA_REGEXP.test(text)
    ? "forbidden"
    : POSTGRES_REASONS[code] ?? "protocol";
}

/** MySQL's own errors have a number and a name, which is the driver's; all others have a name. */
function codeOf(cause: unknown): string | undefined {
  const { errno } = Object(cause) as { errno?: unknown };
  return typeof errno === "number" && errno >= 1000
    ? String(errno)
    : errorCode(cause);
}

/** A host with several addresses fails with all of their errors; they are alike. */
function innermost(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0
    ? error.errors[0]
    : error;
}
