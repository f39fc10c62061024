/**
 * The DSN grammar of go-sql-driver: `user:password@protocol(address)/database?parameters`.
 * Only the values of parameters are percent-encoded.
 *
 * @see https://github.com/go-sql-driver/mysql#dsn-data-source-name
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

/** The character sets in the server's own default DSN. */
const DEFAULT_ENCODING = "utf8mb4,utf8";

/** The modes in go-sql-driver's terms. It cannot check the chain of certificates without the name. */
const MYSQL_TLS: Readonly<Record<SslMode, string | undefined>> = {
  disable: undefined,
  allow: "preferred",
  prefer: "preferred",
  require: "skip-verify",
  "verify-ca": "true",
  "verify-full": "true",
};

/** Values of `tls`, in lower case. The driver's `readBool` accepts these booleans. */
const MYSQL_SSL_MODES: Readonly<Record<string, SslMode>> = {
  "1": "verify-full",
  true: "verify-full",
  "0": "disable",
  false: "disable",
  "skip-verify": "require",
  preferred: "prefer",
};

/** Characters that no database name in a DSN can hold: the driver splits at `/` and `?`, and decodes `%` from 1.8 on. */
const MYSQL_DATABASE_REGEXP = /[/?%]/;

/**
 * Finds what go-sql-driver's grammar cannot express.
 *
 * @param source The database and the login.
 * @returns One problem for each setting; none for a source that can be written.
 */
export function mysqlProblems(source: DataSource): Problem[] {
  const problems: Problem[] = [];
  if (source.user.includes(":")) {
    problems.push({
      subject: "DB_USER",
      message:
        'DB_USER must not contain ":", since the server\'s MySQL driver reads the rest as the password',
      remedy: "Create a database user without a colon in its name",
    });
  }
  if (MYSQL_DATABASE_REGEXP.test(source.database)) {
    problems.push({
      subject: "DB_NAME",
      message:
        'DB_NAME must not contain "/", "?" or "%", which are syntax in a MySQL DSN',
      remedy: "Rename the database, and set DB_NAME to the new name",
    });
  }
  return problems;
}

/**
 * Writes a DSN that every release of go-sql-driver parses as this source.
 *
 * @param source The database and the login.
 * @returns The DSN.
 */
export function formatMysql(source: DataSource): string {
  const { user, password, socket } = source;
  const login = password === "" ? user : `${user}:${password}`;
  const address = socket === undefined
    ? `tcp(${bracket(source.host)}:${source.port})`
    : `unix(${socket})`;
  const tls = MYSQL_TLS[source.sslMode];
  const parameters = Object.entries({
    charset: source.encoding ?? DEFAULT_ENCODING,
    ...(tls === undefined ? {} : { tls }),
    ...source.parameters,
  }).map(([name, value]) => `${name}=${value.replaceAll("/", "%2F")}`);
  return `${login}@${address}/${source.database}?${parameters.join("&")}`;
}

/**
 * Parses a DSN as go-sql-driver does, with its defaults.
 *
 * @param dsn The text.
 * @returns The source.
 * @throws {SyntaxError} Where the driver would not parse it, or where `tls` names a configuration that only Go code can register.
 */
export function parseMysql(dsn: string): DataSource {
  const slash = dsn.lastIndexOf("/");
  if (slash < 0) {
    throw new SyntaxError(
      "The MySQL DSN has no slash before the name of the database",
    );
  }
  const at = dsn.lastIndexOf("@", slash - 1);
  const login = at < 0 || slash === 0 ? "" : dsn.slice(0, at);
  const colon = login.indexOf(":");
  const [database = "", query = ""] = splitOnce(dsn.slice(slash + 1), "?");
  const parameters: Record<string, string> = {};
  for (const pair of query.split("&").filter((part) => part.includes("="))) {
    const [name = "", value = ""] = splitOnce(pair, "=");
    parameters[name] = value;
  }
  const { charset, tls = "false", ...rest } = parameters;
  const sslMode = MYSQL_SSL_MODES[decode(tls).toLowerCase()];
  if (sslMode === undefined) {
    throw new SyntaxError("The MySQL DSN names a custom TLS configuration");
  }
  return {
    adapter: "mysql",
    ...mysqlAddress(dsn.slice(at + 1, slash)),
    user: colon < 0 ? login : login.slice(0, colon),
    password: colon < 0 ? "" : login.slice(colon + 1),
    database,
    sslMode,
    ...(charset === undefined ? {} : { encoding: decode(charset) }),
    ...(Object.keys(rest).length === 0 ? {} : { parameters: rest }),
  };
}

function mysqlAddress(
  text: string,
): Pick<DataSource, "host" | "port" | "socket"> {
  const match = /^([^(]*)(?:\((.*)\))?$/s.exec(text);
  const [, network = "", address = ""] = match ?? [];
  const port = DEFAULT_PORTS.mysql;
  if (match !== null && network === "unix") {
    return { host: "localhost", port, socket: address || "/tmp/mysql.sock" };
  }
  const parts = HOST_PORT_REGEXP.exec(address);
  if (match === null || parts === null || !["tcp", ""].includes(network)) {
    throw new SyntaxError(
      "The MySQL DSN has an address that is neither tcp(host:port) nor unix(path)",
    );
  }
  return {
    host: parts[1] || parts[2] || "127.0.0.1",
    port: parts[3] ? portNumber(parts[3]) : port,
  };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index < 0
    ? [text]
    : [text.slice(0, index), text.slice(index + separator.length)];
}
