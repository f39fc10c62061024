/**
 * The two DSN grammars of lib/pq: a URL, and a list of keywords and values.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 * @module
 */

import type { Problem } from "../../errors.ts";
import type { DataSource, SslMode } from "../data_source.ts";
import {
  bracket,
  decode,
  DEFAULT_PORTS,
  HOST_PORT_REGEXP,
  portNumber,
} from "../data_source.ts";

/** Seconds that lib/pq may take to connect, as in the server's own default DSN. */
const CONNECT_TIMEOUT = "10";

const POSTGRES_SSL_MODES: readonly string[] = [
  "disable",
  "require",
  "verify-ca",
  "verify-full",
] satisfies SslMode[];

const POSTGRES_URL_REGEXP =
  /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?(?:#.*)?$/s;
/** One `keyword = value`; a value may be in quotes. */
const KEYWORD_REGEXP =
  /\s*([^\s=]+)\s*=\s*(?:'((?:\\.|[^\\'])*)'|((?:\\.|\S)*))/gsy;

/**
 * Finds what lib/pq's grammar cannot express.
 *
 * @param source The database and the login.
 * @returns One problem for each setting; none for a source that can be written.
 */
export function postgresProblems(source: DataSource): Problem[] {
  return source.sslMode !== "prefer" ? [] : [{
    subject: "DB_SSL_MODE",
    message:
      "DB_SSL_MODE must be disable, require, verify-ca or verify-full, since the server's PostgreSQL driver does not support prefer",
    remedy: "DB_SSL_MODE=require",
  }];
}

/**
 * Writes a URL that every release of lib/pq parses as this source.
 *
 * @param source The database and the login.
 * @returns The DSN.
 */
export function formatPostgres(source: DataSource): string {
  const { user, password, database, socket } = source;
  const login = password === ""
    ? encode(user)
    : `${encode(user)}:${encode(password)}`;
  const address = socket === undefined
    ? `${bracket(source.host)}:${source.port}`
    : "";
  const parameters = new URLSearchParams({
    ...(socket === undefined
      ? {}
      : { host: socket, port: String(source.port) }),
    sslmode: source.sslMode,
    ...(source.sslCa === undefined ? {} : { sslrootcert: source.sslCa }),
    connect_timeout: CONNECT_TIMEOUT,
    ...source.parameters,
  });
  return `postgres://${login}@${address}/${encode(database)}?${parameters}`;
}

/**
 * Parses either grammar as lib/pq does, with its defaults.
 *
 * @param dsn The text.
 * @returns The source.
 * @throws {SyntaxError} Where lib/pq would not parse it, or where it names several hosts.
 */
export function parsePostgres(dsn: string): DataSource {
  const values = /^postgres(?:ql)?:\/\//.test(dsn)
    ? postgresUrlValues(dsn)
    : keywordValues(dsn);
  const {
    host = "localhost",
    port = String(DEFAULT_PORTS.postgres),
    user,
    password = "",
    dbname = user,
    sslmode = "require",
    sslrootcert,
    ...rest
  } = values;
  if (user === undefined || dbname === undefined) {
    throw new SyntaxError("The PostgreSQL DSN names no user");
  }
  if (host.includes(",")) {
    throw new SyntaxError("The PostgreSQL DSN names more than one host");
  }
  if (!POSTGRES_SSL_MODES.includes(sslmode)) {
    throw new SyntaxError(
      `The PostgreSQL DSN has an unknown sslmode: "${sslmode}"`,
    );
  }
  if (rest["connect_timeout"] === CONNECT_TIMEOUT) {
    delete rest["connect_timeout"];
  }
  const local = host.startsWith("/");
  return {
    adapter: "postgres",
    host: local ? "localhost" : host,
    port: portNumber(port),
    ...(local ? { socket: host } : {}),
    user,
    password,
    database: dbname,
    // lib/pq does not use TLS through a unix socket.
    sslMode: local ? "disable" : sslmode as SslMode,
    ...(sslrootcert === undefined ? {} : { sslCa: sslrootcert }),
    ...(Object.keys(rest).length === 0 ? {} : { parameters: rest }),
  };
}

function postgresUrlValues(dsn: string): Record<string, string> {
  const match = POSTGRES_URL_REGEXP.exec(dsn);
  const address = HOST_PORT_REGEXP.exec(match?.[2] ?? "");
  if (match === null || address === null) {
    throw new SyntaxError("The PostgreSQL DSN is not a URL with one host");
  }
  const [, login = "", , path = "", query = ""] = match;
  const colon = login.indexOf(":");
  const entries = Object.entries({
    user: decode(colon < 0 ? login : login.slice(0, colon)),
    password: colon < 0 ? "" : decode(login.slice(colon + 1)),
    host: address[1] ?? decode(address[2] ?? ""),
    port: address[3] ?? "",
    dbname: decode(path),
    ...Object.fromEntries(new URLSearchParams(query)),
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

function keywordValues(dsn: string): Record<string, string> {
  const values: Record<string, string> = {};
  const text = dsn.trimEnd();
  KEYWORD_REGEXP.lastIndex = 0;
  let end = 0;
  while (end < text.length) {
    const match = KEYWORD_REGEXP.exec(text);
    if (match === null) {
      throw new SyntaxError(
        "The PostgreSQL DSN is neither a URL nor a list of keywords and values",
      );
    }
    end = KEYWORD_REGEXP.lastIndex;
    const [, name = "", quoted, bare = ""] = match;
    values[name] = (quoted ?? bare).replace(/\\(.)/gs, "$1");
  }
  return values;
}

/** Encodes more than `encodeURIComponent`: every character that a parser of URLs could read as syntax. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
