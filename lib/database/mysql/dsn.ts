/**
 * The DSN grammar of go-sql-driver: `user:password@protocol(address)/database?parameters`.
 * Only the values of parameters are percent-encoded.
 *
 * @see https://github.com/go-sql-driver/mysql#dsn-data-source-name
 * @module
 */

import { isIP } from "node:net";
import type { Problem } from "../../errors.ts";
import type { DatabaseServer, DataSource, SslMode } from "../data_source.ts";
import { inRange } from "../../release_range.ts";
import { bracket, DataSourceError, DEFAULT_PORTS } from "../data_source.ts";
import { decode, findBadEscape } from "../go_url.ts";

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

/** The spellings of a boolean. */
const TRUE = ["1", "true", "TRUE", "True"];
const FALSE = ["0", "false", "FALSE", "False"];

/** Checks the value of a parameter, as it is written; returns what it must be. */
type Check = (value: string) => string | undefined;

const DURATION_REGEXP =
  /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/;

function boolean(value: string): string | undefined {
  return [...TRUE, ...FALSE].includes(value) ? undefined : "true or false";
}

function duration(value: string): string | undefined {
  return DURATION_REGEXP.test(value)
    ? undefined
    : "a time with its unit, such as 30s";
}

function integer(value: string): string | undefined {
  return /^[+-]?\d+$/.test(value) ? undefined : "a whole number";
}

function anything(): undefined {}

/** The parameters that the driver itself reads, with the versions; it sets all others as variables of the session. */
const DRIVER_PARAMETERS: Readonly<
  Record<string, readonly [range: string, check: Check]>
> = {
  allowAllFiles: [">=0.0.0", boolean],
  allowCleartextPasswords: [">=0.0.0", boolean],
  allowFallbackToPlaintext: [">=1.7.0", boolean],
  allowNativePasswords: [">=0.0.0", boolean],
  allowOldPasswords: [">=0.0.0", boolean],
  charset: [">=0.0.0", anything],
  checkConnLiveness: [">=1.5.0", boolean],
  clientFoundRows: [">=0.0.0", boolean],
  collation: [">=0.0.0", anything],
  columnsWithAlias: [">=0.0.0", boolean],
  compress: [">=1.9.0", boolean],
  connectionAttributes: [">=1.8.0", anything],
  interpolateParams: [">=0.0.0", boolean],
  loc: [
    ">=0.0.0",
    (value) => isTimeZone(decode(value)) ? undefined : "a time zone",
  ],
  maxAllowedPacket: [">=0.0.0", integer],
  multiStatements: [">=0.0.0", boolean],
  parseTime: [">=0.0.0", boolean],
  readTimeout: [">=0.0.0", duration],
  rejectReadOnly: [">=0.0.0", boolean],
  serverPubKey: [
    ">=0.0.0",
    (value) =>
      value === "" ? undefined : "absent, since Mattermost has no such key",
  ],
  timeTruncate: [">=1.8.0", duration],
  timeout: [">=0.0.0", duration],
  tls: [">=0.0.0", anything],
  writeTimeout: [">=0.0.0", duration],
};

/** The parameters that some version knows, but has no implementation of. */
const REFUSED_PARAMETERS: Readonly<Record<string, string>> = {
  compress: "<1.9.0",
  strict: ">=1.4.0",
};

/** The names that a data source can set, to suggest one for a misspelt name. */
export const MYSQL_PARAMETERS: readonly string[] = [
  ...Object.keys(DRIVER_PARAMETERS),
  ...["sql_mode", "time_zone", "transaction_isolation", "wait_timeout"],
];

/** Character sets in which a backslash can be a part of a character. */
const UNSAFE_COLLATION_REGEXP = /^(?:big5|cp932|gb2312|gbk|sjis)_/;

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
 * @param version The version of the driver.
 * @returns The source.
 * @throws {DataSourceError} If the driver refuses it, or could never connect with it.
 */
export function parseMysql(dsn: string, version: string): DataSource {
  const slash = dsn.lastIndexOf("/");
  if (slash < 0 && dsn !== "") {
    throw new DataSourceError(
      "it has no slash before the name of the database",
    );
  }
  const at = slash < 1 ? -1 : dsn.lastIndexOf("@", slash);
  const login = at < 0 ? "" : dsn.slice(0, at);
  const colon = login.indexOf(":");
  const mark = endOf(dsn, "?", slash + 1);
  const parameters = parametersOf(dsn, mark + 1, version);
  const { charset, tls, ...rest } = parameters;
  const name = dsn.slice(slash + 1, mark);
  const decodesName = inRange(version, ">=1.8.0");
  if (decodesName && findBadEscape(name) >= 0) {
    throw new DataSourceError(
      "it contains a percent sign that does not begin an encoded character",
      {
        text: dsn,
        at: slash + 1 + findBadEscape(name),
        place: "the name of the database",
      },
    );
  }
  const variables = Object.fromEntries(
    Object.entries(rest)
      .filter(([key]) => !isDriverParameter(key, version))
      .map(([key, value]) => [key, decode(value.replaceAll("+", " "))]),
  );
  return {
    adapter: "mysql",
    ...serverOf(dsn, [at + 1, Math.max(slash, 0)]),
    user: colon < 0 ? login : login.slice(0, colon),
    password: colon < 0 ? "" : login.slice(colon + 1),
    database: decodesName ? decode(name) : name,
    sslMode: sslModeOf(dsn, tls, version),
    ...(charset ? { encoding: charset } : {}),
    ...(Object.keys(rest).length === 0 ? {} : { parameters: rest }),
    ...(Object.keys(variables).length === 0
      ? {}
      : { sessionParameters: variables }),
  };
}

function isDriverParameter(name: string, version: string): boolean {
  const [range] = DRIVER_PARAMETERS[name] ?? [];
  return range !== undefined && inRange(version, range);
}

/** Reads the parameters as they are written; the last one of a name counts. */
function parametersOf(
  dsn: string,
  from: number,
  version: string,
): Record<string, string> {
  const found: Record<string, string> = {};
  let at = from;
  for (const pair of dsn.slice(from).split("&")) {
    const end = endOf(pair, "=");
    const [name, value] = [pair.slice(0, end), pair.slice(end + 1)];
    if (end < pair.length) {
      found[name] = value;
      checkParameter(dsn, { name, value, at: at + end + 1 }, version);
    }
    at += pair.length + 1;
  }
  if (
    TRUE.includes(found["interpolateParams"] ?? "") &&
    UNSAFE_COLLATION_REGEXP.test(found["collation"] ?? "")
  ) {
    throw new DataSourceError(
      "it has interpolateParams with a collation that is not safe for it",
    );
  }
  // From 1.9 on the driver does not decode it.
  if (found["charset"] !== undefined && inRange(version, "<1.9.0")) {
    found["charset"] = decode(found["charset"].replaceAll("+", " "));
  }
  return found;
}

function checkParameter(
  dsn: string,
  { name, value, at }: {
    readonly name: string;
    readonly value: string;
    readonly at: number;
  },
  version: string,
): void {
  const [range = "<0.0.0", check = anything] = DRIVER_PARAMETERS[name] ?? [];
  const place = name in DRIVER_PARAMETERS ? `the parameter ${name}` : undefined;
  const refused = REFUSED_PARAMETERS[name];
  if (refused !== undefined && inRange(version, refused)) {
    throw new DataSourceError(
      `it has the parameter ${name}, which the driver does not implement`,
      {
        text: dsn,
        at,
      },
    );
  }
  const isKnown = inRange(version, range);
  const decodes = !isKnown || DECODED.includes(name) ||
    name === "charset" && inRange(version, "<1.9.0");
  if (decodes && findBadEscape(value) >= 0) {
    throw new DataSourceError(
      "it contains a percent sign that does not begin an encoded character",
      { text: dsn, at: at + findBadEscape(value), place },
    );
  }
  const wanted = isKnown ? check(value) : undefined;
  if (wanted !== undefined) {
    throw new DataSourceError(
      `it has a value for ${name} that is not ${wanted}`,
      {
        text: dsn,
        at,
      },
    );
  }
}

/** Parameters of the driver whose values are percent-encoded. */
const DECODED = ["loc", "tls", "serverPubKey", "connectionAttributes"];

function sslModeOf(
  dsn: string,
  tls: string | undefined,
  version: string,
): SslMode {
  // Version 1.4 knows neither an empty nor an encoded value.
  const isOld = inRange(version, "<1.5.0");
  const value = isOld || tls === undefined
    ? tls
    : decode(tls.replaceAll("+", " "));
  if (value === undefined || FALSE.includes(value) || value === "" && !isOld) {
    return "disable";
  }
  if (TRUE.includes(value)) return "verify-full";
  // Only what is not encoded may be in other letter case.
  const known = tls?.toLowerCase() ?? "";
  if (known === "skip-verify" || value === "skip-verify") return "require";
  if (!isOld && (known === "preferred" || value === "preferred")) {
    return "prefer";
  }
  throw new DataSourceError(
    "it has a value for tls that is not true, false, skip-verify or preferred",
    { text: dsn, at: dsn.lastIndexOf("tls=") + 4 },
  );
}

/** Reads `protocol(address)`. */
function serverOf(
  dsn: string,
  [from, to]: readonly [number, number],
): DatabaseServer {
  const text = dsn.slice(from, to);
  const refuse = (reason: string, index: number, place?: string): never => {
    throw new DataSourceError(reason, { text: dsn, at: from + index, place });
  };
  const open = text.indexOf("(");
  if (open >= 0 && !text.endsWith(")")) {
    refuse(
      text.includes(")")
        ? "it has a slash after the name of the database, which must be written as %2F in a parameter"
        : "it has an address without a closing parenthesis",
      open,
    );
  }
  const network = open < 0 ? text : text.slice(0, open);
  const address = open < 0 ? "" : text.slice(open + 1, -1);
  const port = DEFAULT_PORTS.mysql;
  if (network === "unix") {
    return { host: "localhost", port, socket: address || "/tmp/mysql.sock" };
  }
  const isPlain = network === "" || network === "tcp";
  if (!isPlain && !["tcp4", "tcp6"].includes(network)) {
    refuse(
      "it has an address that is neither tcp(host:port) nor unix(path)",
      0,
      "the host",
    );
  }
  if (address === "") {
    if (isPlain) return { host: "127.0.0.1", port };
    refuse("it has no address", 0);
  }
  const split = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(address);
  const host = split === null ? address : split[1] ?? split[2] ?? "";
  if (split === null && (!isPlain || /[[\]]/.test(address))) {
    refuse("it has a host without a port", open + 1, "the host");
  }
  if (host.includes(":") && isIP(host.replace(/%.*$/, "")) === 0) {
    refuse("it has a host with a colon", open + 1, "the host");
  }
  if (host.includes(",")) {
    refuse(
      "it names several hosts, which the driver does not support",
      open + 1,
      "the host",
    );
  }
  const number = split === null
    ? port
    : Number(/^\+?\d+$/.exec(split[3] ?? "")?.[0] ?? 0);
  if (!(number >= 1 && number <= 65535)) {
    refuse(
      "it has a port that is not a number from 1 to 65535",
      text.lastIndexOf(":") + 1,
      "the port",
    );
  }
  return { host: host || "localhost", port: number };
}

/** The names that Go knows are those of the IANA, except for the letter case. */
function isTimeZone(name: string): boolean {
  if (["", "UTC", "Local"].includes(name)) return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The index of a sign, or the length of the text. */
function endOf(text: string, sign: string, from = 0): number {
  const index = text.indexOf(sign, from);
  return index < 0 ? text.length : index;
}
