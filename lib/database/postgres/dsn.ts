/**
 * The two DSN grammars of lib/pq: a URL, and a list of keywords and values. What they mean depends
 * on the version of lib/pq.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 * @see https://pkg.go.dev/github.com/lib/pq#hdr-Connection_String_Parameters
 * @module
 */

import type { Problem } from "../../errors.ts";
import type {
  DataSource,
  Part,
  SessionAttributes,
  SslMode,
} from "../data_source.ts";
import { inRange } from "../../release_range.ts";
import { bracket, DataSourceError } from "../data_source.ts";
import { findUrlError, parseGoUrl } from "../go_url.ts";
import {
  checkCombinations,
  checkValues,
  isDriverParameter,
  placeOf,
  SEVERAL_SERVERS,
  type Values,
  variableValues,
} from "./parameters.ts";
import { serversOf } from "./servers.ts";

/** Seconds that lib/pq may take to connect, as in the server's own default DSN. */
const CONNECT_TIMEOUT = "10";

const POSTGRES_URL_REGEXP = /^postgres(?:ql)?:\/\//;
/** One `keyword = value`; a value may be in quotes. Blanks are those of Go. */
const KEYWORD_REGEXP = (() => {
  const blank = String
    .raw`\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
  return new RegExp(
    String.raw`[${blank}]*([^=${blank}]*)[${blank}]*=[${blank}]*` +
      String
        .raw`(?:'((?:\\.|[^\\'])*)'|(?!')((?:\\.|[^\\${blank}])*))[${blank}]*`,
    "dgsy",
  );
})();

/**
 * Finds what lib/pq's grammar cannot express.
 *
 * @param source The database and the login.
 * @param versions The versions that lib/pq may have.
 * @returns One problem for each setting; none for a source that can be written.
 */
export function postgresProblems(
  source: DataSource,
  versions: readonly string[],
): Problem[] {
  const isKnown = versions.some((version) => inRange(version, ">=1.12.0"));
  return source.sslMode !== "prefer" || isKnown ? [] : [{
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

/** How the server reads a data source. */
export interface PostgresDriver {
  /** The version of lib/pq. */
  readonly version: string;
  /** Whether the server also parses keywords and values as a URL, to look for `binary_parameters`. */
  readonly parsesKeywordsAsUrl: boolean;
  /** The environment of the server, whose `PG…` variables are the defaults. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Finds the user name for a data source without one: the user of the server's process. */
  readonly user?: (() => string | undefined) | undefined;
}

/**
 * Parses either grammar as lib/pq does, with its defaults.
 *
 * @param dsn The text.
 * @param driver The driver.
 * @returns The source.
 * @throws {DataSourceError} If lib/pq refuses it, or could never connect with it.
 */
export function parsePostgres(dsn: string, driver: PostgresDriver): DataSource {
  const { version } = driver;
  const values: Values = new Map([
    ...variableValues(driver.env ?? {}, version),
    ...POSTGRES_URL_REGEXP.test(dsn)
      ? urlValues(dsn)
      : keywordValues(dsn, driver),
  ]);
  const text = (name: string): string | undefined => values.get(name)?.text;
  const servers = serversOf(dsn, values, version);
  const isLocal = servers[0].socket !== undefined;
  checkValues(dsn, values, {
    version,
    // Before 1.11 an empty mode is the default, and none counts for a unix socket.
    ignored: inRange(version, SEVERAL_SERVERS)
      ? []
      : isLocal
      ? ["sslmode"]
      : ["sslmode="],
  });
  checkCombinations(dsn, values, version);
  const user = text("user") ?? driver.user?.() ?? "";
  if (user === "") {
    throw new DataSourceError("it names no user");
  }
  const [server, ...alternatives] = servers;
  const isSystem = text("sslrootcert") === "system" &&
    inRange(version, ">=1.12.0");
  const sslRootCert = isSystem ? undefined : text("sslrootcert");
  const sslMode = text("sslmode") || (isSystem ? "verify-full" : "require");
  const names = [...values.keys()];
  const known = (name: string): boolean => isDriverParameter(name, version);
  const parameters = select(values, names.filter((name) => !MAIN.has(name)));
  if (parameters["connect_timeout"] === CONNECT_TIMEOUT) {
    delete parameters["connect_timeout"];
  }
  const sessionParameters = {
    ...(values.has("fallback_application_name")
      ? { application_name: text("fallback_application_name") ?? "" }
      : {}),
    ...select(values, names.filter((name) => !known(name))),
  };
  return {
    adapter: "postgres",
    ...server,
    ...(alternatives.length === 0 ? {} : { alternatives }),
    ...(known("target_session_attrs") && values.has("target_session_attrs")
      ? {
        targetSessionAttrs: text("target_session_attrs") as SessionAttributes,
      }
      : {}),
    user,
    password: text("password") ?? "",
    database: (known("database") ? text("database") : undefined) ||
      text("dbname") || user,
    sslMode: isLocal ? "disable" : sslMode as SslMode,
    ...(sslRootCert === undefined ? {} : { sslCa: sslRootCert }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(Object.keys(sessionParameters).length === 0
      ? {}
      : { sessionParameters }),
  };
}

/** The parameters with a property of their own in {@linkcode DataSource}. */
const MAIN: ReadonlySet<string> = new Set(
  ["host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"],
);

function select(
  values: Values,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, values.get(name)?.text ?? ""]),
  );
}

function urlValues(dsn: string): Values {
  const { user, password, host, port, path, parameters } = parseGoUrl(dsn);
  const blank = parameters.find(([name]) => /\s/.test(name))?.[1];
  if (blank !== undefined) {
    throw new DataSourceError(
      "it contains a parameter with a blank in its name",
      {
        text: dsn,
        at: blank.at,
        place: "the parameters",
      },
    );
  }
  const entries: (readonly [string, Part])[] = [
    ["user", user],
    ["password", password],
    ["host", host],
    ["port", port],
    ["dbname", { ...path, text: path.text.slice(1) }],
    // The first of several values counts.
    ...parameters.filter(([name], index) =>
      parameters.findIndex(([other]) => other === name) === index
    ),
  ];
  // The driver writes these as keywords and values, sorts them, and parses them: the last one counts.
  const written = ([name, { text }]: readonly [string, Part]): string =>
    `${name}='${text.replace(/['\\]/g, "\\$&")}'`;
  return new Map(
    entries.filter(([, { text }]) => text !== "")
      .map((entry) => [written(entry), entry] as const)
      .sort(([a], [b]) => a < b ? -1 : Number(a > b))
      .map(([, entry]) => entry),
  );
}

function keywordValues(dsn: string, driver: PostgresDriver): Values {
  const values = new Map<string, Part>();
  const wrong = (at: number, reason: string, place?: string): never => {
    throw new DataSourceError(reason, { text: dsn, at, place });
  };
  let end = 0;
  while (/\S/.test(dsn.slice(end))) {
    KEYWORD_REGEXP.lastIndex = end;
    const match = KEYWORD_REGEXP.exec(dsn);
    const [, name = "", quoted, bare = ""] = match ?? [];
    const [at = end] = match?.indices?.[2] ?? match?.indices?.[3] ?? [];
    if (match === null || dsn[KEYWORD_REGEXP.lastIndex] === "\\") {
      const rest = dsn.slice(end);
      const word = end + rest.search(/\S/);
      const [, open] = /^\s*([^\s=]*)\s*=\s*'/.exec(rest) ?? [];
      if (match !== null) {
        wrong(at, "it ends with a backslash", placeOf(name));
      } else if (open !== undefined) {
        wrong(word, "it contains a quote that is not closed", placeOf(open));
      }
      wrong(
        word,
        end === 0
          ? "it is neither a URL that begins with postgres:// nor a list of keywords and values"
          : "it contains a word without a value: a value with a blank must be in single quotes",
      );
    }
    end = KEYWORD_REGEXP.lastIndex;
    values.set(name, { text: (quoted ?? bare).replace(/\\(.)/gs, "$1"), at });
  }
  const refused = driver.parsesKeywordsAsUrl ? findUrlError(dsn) : undefined;
  if (refused !== undefined) {
    const [name = ""] = [...values].findLast(([, { at }]) =>
      at <= refused.at
    ) ?? [];
    wrong(
      refused.at,
      `it contains ${refused.reason}, which the server refuses in a list of keywords and values because it parses the list as a URL too`,
      placeOf(name),
    );
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
