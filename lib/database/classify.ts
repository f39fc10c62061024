/**
 * Turns an error of the system or of a driver into a {@linkcode ProbeError}: finds its
 * reason and cleans its text.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { DataSource } from "./data_source.ts";
import { errorCode } from "../errors.ts";
import { peerWords } from "../peer_words.ts";
import { ProbeError } from "./session.ts";

/**
 * The errors of each reason, in the order in which they are tried: codes of the operating
 * system, of the runtime and of the drivers, SQLSTATEs of PostgreSQL, and error numbers of
 * MySQL and MariaDB, all from 1000 on. Where a code has several reasons, the server's text
 * decides.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 * @see https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
 * @see https://mariadb.com/kb/en/mariadb-error-code-reference/
 */
export const RULES:
  readonly (readonly [reason: Reason, codes: string, text?: RegExp])[] = [
    ["dns", "ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA EAI_NONAME"],
    // ENOENT: the unix socket does not exist yet.
    ["refused", "ECONNREFUSED ENOENT"],
    // EINVAL: an IPv6 link-local address without its interface.
    [
      "unreachable",
      "EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN EADDRNOTAVAIL EAFNOSUPPORT EINVAL",
    ],
    ["timeout", "ETIMEDOUT"],
    [
      "protocol",
      "ECONNRESET ECONNABORTED EPIPE CONNECTION_CLOSED CONNECTION_DESTROYED CONNECTION_ENDED MESSAGE_NOT_SUPPORTED AUTH_SWITCH_PLUGIN_ERROR 1043 1156 1158 1159 1160 1161",
    ],
    ["denied", "EACCES EPERM"],
    // UNKNOWN: Deno 2.7, when it writes to a connection whose certificate it has refused.
    ["tls", "UNKNOWN HANDSHAKE_SSL_ERROR"],
    ["no TLS", "HANDSHAKE_NO_SSL_SUPPORT"],

    // 1047: a node of a Galera cluster that has not joined it.
    ["starting up", "57P01 57P02 57P03 1047 1053"],
    ["starting up", "", /\bdatabase system is|shutting down|paused/],
    ["user limit", "53300", /connections for role/],
    ["user limit", "1203 1226"],
    ["database limit", "53300", /connections for database/],
    [
      "pooler limit",
      "",
      /max_client_conn|\bmax client/i,
    ],
    ["too many connections", "53300 1040"],
    ["too many connections", "", /too many clients|slots are reserved/],
    ["standby", "25006 1290 1792 1836 1874"],
    ["full", "53100 53200 1021 1037 1038 1041 1114"],
    [
      "damaged",
      "58030 58P01 XX001 XX002 1030 1033 1034 1035 1194 1195 1547 1558 1932",
    ],
    [
      "pooler without a server",
      "",
      /server_login_retry|query_wait_timeout|client_login_timeout|cannot connect to server|connect(?:ion)? (?:failed|timeout)/,
    ],

    ["pooler parameter", "", /unsupported .*startup parameter/],
    [
      "parameter",
      "0A000 22023 42704 55P02 1064 1115 1193 1231 1232 1238 1253 1273 1298",
    ],

    ["tls demanded", "3159"],
    ["tls demanded", "", /(?:SSL|TLS)(?: connection)? (?:is )?required/],
    ["client certificate", "28000", /certificate/],
    ["no entry", "28000", /pg_hba\.conf|login rejected/],
    ["no entry", "1130"],
    [
      "method",
      "28000",
      /\b(?:Ident|peer|GSSAPI|SSPI)\b.* authentication|unix socket login/i,
    ],
    ["method", "1251 1275 1524 1698"],
    ["no login", "28000", /is not permitted to log in/],
    [
      "tenant",
      "",
      /\b(?:tenant|user|endpoint|project)\b.* not found|no tenant identifier|Endpoint ID is not specified/i,
    ],
    ["locked", "3118 3955 4150 4151"],
    ["expired", "1820 1862"],
    ["host blocked", "1129"],
    [
      "pooler credentials",
      "",
      /authentication failed|no such user|^role .* does not exist|(?<!transaction blocks )not allowed|empty password/,
    ],
    ["credentials", "SASL_SIGNATURE_MISMATCH 28P01 28000 1045"],
    [
      "foreign tables",
      "42501",
      /permission denied for (?:table|relation|sequence|view) /,
    ],
    ["forbidden", "42501 1044 1142 1143 1227 1370"],
    ["forbidden", "", /permission denied/],
    ["no schema", "3F000"],
    [
      "closed database",
      "55000",
      /not currently accepting connections|invalid database/,
    ],
    [
      "pooler database",
      "",
      /no such database|^database .* is disabled|No pool configured|\broute for\b.* not found/,
    ],
    ["no such database", "3D000 1049"],
    ["no such database", "", /^database .* does not exist/],
  ];

/** The SQLSTATEs with which connection poolers send their own errors and those of the server behind them. */
export const POOLER_CODES: readonly string[] = ["08P01", "XX000", "58000"];

/** All SQLSTATEs of `RULES`, none of which a code of the system resembles: `EPERM` has five letters too. */
const SQLSTATE_REGEXP = /^(?:\d[0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/;

/** TLS errors of Deno 2.7, such as `invalid peer certificate: …`, have no code. */
const TLS_REGEXP = /\b(?:certificate|handshake|TLS)\b/i;

/** What the runtime appends to the system's text; the code has the same meaning. */
const NUMBER_REGEXP = / \(os error \d+\)$/;

/** The address of this host in a text of PostgreSQL about pg_hba.conf. */
const ADDRESS_REGEXP = /\bhost "([^"]+)"/;

/**
 * Makes a {@linkcode ProbeError} of what a driver's promise rejected with.
 *
 * @param error The value that was thrown.
 * @param source The database; its password is hidden in the text.
 * @param kind `sqlStates` for an error that a PostgreSQL server has sent, which cannot be one of the system.
 * @returns The classified error. A {@linkcode ProbeError} is returned as it is.
 */
export function classify(
  error: unknown,
  source: Pick<DataSource, "user" | "password"> & Partial<DataSource>,
  kind?: "sqlStates",
): ProbeError {
  if (error instanceof ProbeError) return error;
  const cause = firstError(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = codeOf(cause, kind);
  const { database, host, port, socket } = source;
  return new ProbeError(
    reasonOf(code, text, kind),
    peerWords(
      text.replace(NUMBER_REGEXP, ""),
      source,
      [database, host, port, socket].map((each) => `${each ?? ""}`),
    ),
    code,
    ADDRESS_REGEXP.exec(text)?.[1],
  );
}

function reasonOf(
  code: string | undefined,
  text: string,
  kind: "sqlStates" | undefined,
): Reason {
  if (code === undefined) {
    return kind === undefined && TLS_REGEXP.test(text) ? "tls" : "protocol";
  }
  const isRelayed = POOLER_CODES.includes(code);
  const [reason] =
    RULES.find(([, codes, words]) =>
      words === undefined
        ? codes.split(" ").includes(code)
        : (isRelayed || codes.split(" ").includes(code)) && words.test(text)
    ) ?? [];
  // All codes that are not of a server are names.
  return reason ?? (/^\d|^XX|^F0/.test(code) ? "server error" : "protocol");
}

/** Errors of a MySQL server have a number besides the driver's name for it; all others have a name only. */
function codeOf(
  cause: unknown,
  kind: "sqlStates" | undefined,
): string | undefined {
  if (kind === "sqlStates") {
    const code = errorCode(cause) ?? "";
    return SQLSTATE_REGEXP.test(code) ? code : undefined;
  }
  const { errno } = Object(cause) as { errno?: unknown };
  return typeof errno === "number" && errno >= 1000
    ? String(errno)
    : errorCode(cause);
}

/** A host with several addresses fails with the errors of all of them, which are alike. */
function firstError(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0
    ? error.errors[0]
    : error;
}
