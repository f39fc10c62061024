/**
 * The parameters of a PostgreSQL data source: which lib/pq reads itself, by version, and which
 * values it accepts.
 *
 * @see https://pkg.go.dev/github.com/lib/pq#hdr-Connection_String_Parameters
 * @module
 */

import type { Part } from "../data_source.ts";
import { DataSourceError } from "../data_source.ts";
import { inRange } from "../../release_range.ts";

/** The values of a data source by name. Those of variables have no place in its text. */
export type Values = ReadonlyMap<string, Part>;

/** The versions of lib/pq that know several servers. */
export const SEVERAL_SERVERS = ">=1.11.0";

/** The parameters that lib/pq itself reads, with the version from which on. It passes all others on to the database. */
const DRIVER_PARAMETERS: Readonly<Record<string, string>> = {
  host: "0.0.0",
  port: "0.0.0",
  user: "0.0.0",
  password: "0.0.0",
  dbname: "0.0.0",
  sslmode: "0.0.0",
  sslcert: "0.0.0",
  sslkey: "0.0.0",
  sslrootcert: "0.0.0",
  fallback_application_name: "0.0.0",
  connect_timeout: "0.0.0",
  disable_prepared_binary_result: "0.0.0",
  binary_parameters: "0.0.0",
  client_encoding: "0.0.0",
  datestyle: "0.0.0",
  krbsrvname: "1.7.1",
  krbspn: "1.7.1",
  sslinline: "1.10.1",
  sslsni: "1.10.7",
  hostaddr: "1.11.0",
  passfile: "1.11.0",
  sslnegotiation: "1.11.0",
  tz: "1.11.0",
  geqo: "1.11.0",
  target_session_attrs: "1.11.0",
  load_balance_hosts: "1.11.0",
  database: "1.11.0",
  ssl_min_protocol_version: "1.12.0",
  ssl_max_protocol_version: "1.12.0",
  min_protocol_version: "1.12.0",
  max_protocol_version: "1.12.0",
  service: "1.12.0",
};

/** Parameters of PostgreSQL that data sources often set, to suggest one for a misspelt name. */
const SESSION_PARAMETERS = [
  "application_name",
  "options",
  "search_path",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "tcp_user_timeout",
  "timezone",
  "work_mem",
  "default_transaction_read_only",
];

/** The variables that lib/pq reads for what a data source does not set, with the parameter and the versions. */
const VARIABLES: readonly (readonly [
  variable: string,
  parameter: string,
  range: string,
])[] = [
  ["PGHOST", "host", ">=0.0.0"],
  ["PGHOSTADDR", "hostaddr", ">=1.11.0"],
  ["PGPORT", "port", ">=0.0.0"],
  ["PGDATABASE", "dbname", ">=0.0.0"],
  ["PGUSER", "user", ">=0.0.0"],
  ["PGPASSWORD", "password", ">=0.0.0"],
  ["PGOPTIONS", "options", ">=0.0.0"],
  ["PGAPPNAME", "application_name", ">=0.0.0"],
  ["PGSSLMODE", "sslmode", ">=0.0.0"],
  ["PGSSLNEGOTIATION", "sslnegotiation", ">=1.11.0"],
  ["PGSSLCERT", "sslcert", ">=0.0.0"],
  ["PGSSLKEY", "sslkey", ">=0.0.0"],
  ["PGSSLROOTCERT", "sslrootcert", ">=0.0.0"],
  ["PGSSLSNI", "sslsni", ">=1.10.7"],
  ["PGCONNECT_TIMEOUT", "connect_timeout", ">=0.0.0"],
  ["PGCLIENTENCODING", "client_encoding", ">=0.0.0"],
  ["PGDATESTYLE", "datestyle", ">=0.0.0"],
  ["PGTZ", "timezone", "<1.11.0"],
  ["PGGEQO", "geqo", "<1.11.0"],
  ["PGTARGETSESSIONATTRS", "target_session_attrs", ">=1.11.0"],
  ["PGLOADBALANCEHOSTS", "load_balance_hosts", ">=1.11.0"],
];

/** The names that a data source can set, to suggest one for a misspelt name. */
export const POSTGRES_PARAMETERS: readonly string[] = [
  ...Object.keys(DRIVER_PARAMETERS),
  ...SESSION_PARAMETERS,
];

const BOOLEANS = "1 t T true TRUE True yes on 0 f F false FALSE False no off";
const SESSION_ATTRIBUTES =
  "any read-write read-only primary standby prefer-standby";

/** The values that lib/pq accepts, in ranges of its versions. A parameter that it passes on is not here. */
const VALUES: readonly (readonly [
  name: string,
  range: string,
  values: string | ((text: string) => boolean),
])[] = [
  ["sslmode", "<1.12.0", "disable require verify-ca verify-full"],
  [
    "sslmode",
    ">=1.12.0",
    "disable allow prefer require verify-ca verify-full",
  ],
  // "0" waits as long as it takes. Before 1.11, other times that are not positive are over at once.
  ["connect_timeout", "<1.11.0", (text) => /^(?:0|\+?0*[1-9]\d*)$/.test(text)],
  ["connect_timeout", ">=1.11.0", (text) => /^[+-]?\d+$/.test(text)],
  [
    "client_encoding",
    ">=0.0.0",
    (text) => /^(?:utf8|unicode)$/i.test(text.replace(/[^A-Za-z0-9]/g, "")),
  ],
  ["datestyle", ">=0.0.0", (text) => text === "ISO, MDY"],
  ["binary_parameters", "<1.11.0", "yes no"],
  ["disable_prepared_binary_result", "<1.11.0", "yes no"],
  ["binary_parameters", ">=1.11.0", BOOLEANS],
  ["disable_prepared_binary_result", ">=1.11.0", BOOLEANS],
  ["sslinline", ">=1.11.0", BOOLEANS],
  ["sslsni", ">=1.11.0", BOOLEANS],
  ["sslnegotiation", ">=1.11.0", "postgres direct"],
  ["target_session_attrs", ">=1.11.0", SESSION_ATTRIBUTES],
  ["load_balance_hosts", ">=1.11.0", "disable random"],
  ["min_protocol_version", ">=1.12.0", "3.0 3.2 latest"],
  ["max_protocol_version", ">=1.12.0", "3.0 3.2 latest"],
  ["ssl_min_protocol_version", ">=1.12.0", "TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3"],
  ["ssl_max_protocol_version", ">=1.12.0", "TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3"],
];

/**
 * Checks whether lib/pq reads a parameter itself. It passes all others on to the database.
 *
 * @param name The parameter.
 * @param version The version of lib/pq.
 * @returns `true` if it does.
 */
export function isDriverParameter(name: string, version: string): boolean {
  const since = DRIVER_PARAMETERS[name];
  return since !== undefined && inRange(version, `>=${since}`);
}

/**
 * Reads the variables that count for what a data source does not set.
 *
 * @param env The environment of the server.
 * @param version The version of lib/pq.
 * @returns The values by parameter.
 */
export function variableValues(
  env: Readonly<Record<string, string>>,
  version: string,
): Values {
  return new Map(
    VARIABLES.flatMap(([variable, parameter, range]) => {
      const text = env[variable];
      return text === undefined || !inRange(version, range)
        ? []
        : [[parameter, { text, at: -1, place: `the variable ${variable}` }]];
    }),
  );
}

/**
 * Says what a value is, for messages. A name that is not known may be a part of a password.
 *
 * @param name The parameter.
 * @returns Such as `the password`; `undefined` for a name that is not known.
 */
export function placeOf(name: string): string | undefined {
  const place: Readonly<Record<string, string>> = {
    user: "the user name",
    password: "the password",
    host: "the host",
    port: "the port",
    dbname: "the name of the database",
  };
  return place[name] ??
    (POSTGRES_PARAMETERS.includes(name) ? `the parameter ${name}` : undefined);
}

/**
 * Refuses a data source because of a value.
 *
 * @param dsn The data source.
 * @param values Its values.
 * @param name The parameter whose value is to blame.
 * @param reason A clause with the subject "it".
 * @throws {DataSourceError} Always.
 */
export function refuse(
  dsn: string,
  values: Values,
  name: string,
  reason: string,
): never {
  const part = values.get(name);
  throw new DataSourceError(
    reason,
    part && { text: dsn, at: part.at, place: part.place ?? placeOf(name) },
  );
}

/**
 * Checks all values but those that name servers.
 *
 * @param dsn The data source.
 * @param values Its values.
 * @param options The version of lib/pq, and the names, or names with values, that it does not look at.
 * @throws {DataSourceError} If lib/pq refuses a value.
 */
export function checkValues(
  dsn: string,
  values: Values,
  { version, ignored }: {
    readonly version: string;
    readonly ignored: readonly string[];
  },
): void {
  if (values.has("")) {
    refuse(dsn, values, "", "it contains a parameter without a name");
  }
  for (const [name, { text }] of values) {
    if (text.includes("\0")) {
      refuse(dsn, values, name, "it contains the character NUL");
    }
  }
  if (values.has("service") && isDriverParameter("service", version)) {
    refuse(dsn, values, "service", "it names a service file");
  }
  for (const [name, range, allowed] of VALUES) {
    const text = values.get(name)?.text;
    if (text === undefined || ignored.includes(`${name}=${text}`)) continue;
    if (ignored.includes(name) || !inRange(version, range)) continue;
    const isAllowed = typeof allowed === "string"
      ? allowed.split(" ").includes(text)
      : allowed(text);
    if (isAllowed) continue;
    refuse(
      dsn,
      values,
      name,
      typeof allowed === "string"
        ? `it has a value for ${name} that is not ${
          allowed.split(" ").join(", ").replace(/, ([^,]*)$/, " or $1")
        }`
        : `it has a value for ${name} that the driver does not support`,
    );
  }
}

/**
 * Checks the values that depend on each other.
 *
 * @param dsn The data source.
 * @param values Its values.
 * @param version The version of lib/pq.
 * @throws {DataSourceError} If lib/pq refuses the combination.
 */
export function checkCombinations(
  dsn: string,
  values: Values,
  version: string,
): void {
  if (!inRange(version, ">=1.12.0")) return;
  const text = (name: string): string | undefined => values.get(name)?.text;
  const mode = text("sslmode");
  const isWeak = ["disable", "allow", "prefer"].includes(mode ?? "");
  if (text("sslnegotiation") === "direct" && isWeak) {
    refuse(
      dsn,
      values,
      "sslmode",
      "it has an sslmode that is too weak for sslnegotiation=direct",
    );
  }
  if (
    text("sslrootcert") === "system" && mode !== undefined &&
    mode !== "verify-full"
  ) {
    refuse(
      dsn,
      values,
      "sslmode",
      "it has an sslmode that is too weak for sslrootcert=system",
    );
  }
  const least = text("min_protocol_version") ?? "3.0";
  // A comparison of texts, as in the driver.
  if (least > (text("max_protocol_version") ?? "3.0")) {
    refuse(
      dsn,
      values,
      "min_protocol_version",
      "it has a min_protocol_version that is greater than its max_protocol_version",
    );
  }
}
