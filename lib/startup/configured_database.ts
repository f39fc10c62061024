/**
 * The database that the operator configured: in the server's own variables, in `DB_*`, or in
 * the config.json on disk.
 *
 * @module
 */

import type { DataSource } from "../database/data_source.ts";
import { DataSourceError } from "../database/data_source.ts";
import { type DsnReader, formatDsn, parseDsn } from "../database/dsn.ts";
import { ExitCode } from "../errors.ts";
import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import type { Release } from "../mattermost/releases.ts";
import { inRange } from "../release_range.ts";
import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import type { Settings } from "../settings/catalogue.ts";
import { productOfConfig } from "../settings/config_variable.ts";
import type { GivenSettings } from "../settings/resolve.ts";
import { withAdapter } from "../settings/resolve.ts";
import type { SettingProblem } from "../settings/setting_problem.ts";

/** A database, and how it gets into config.json. */
export interface ConfiguredDatabase {
  /** The database and the login. */
  readonly source: DataSource;
  /** The data source to write to config.json; `undefined` keeps the one that is there. */
  readonly dsn: string | undefined;
}

/** The server's own variable for the data source, which overrides config.json. */
export const DATA_SOURCE_VARIABLE = "MM_SQLSETTINGS_DATASOURCE";
/** The server's own variable for the database product, which overrides config.json. */
export const DRIVER_VARIABLE = "MM_SQLSETTINGS_DRIVERNAME";

/**
 * Reads the product from the server's own variable, which overrides config.json.
 *
 * @param variables The server's own variables.
 * @returns The product; `undefined` if the variable is not set, or names none: the server refuses that.
 */
function driverFromVariables(
  variables: Readonly<Record<string, string>>,
): Adapter | undefined {
  const driver = variables[DRIVER_VARIABLE];
  return driver === "mysql" || driver === "postgres" ? driver : undefined;
}

/**
 * Applies the product in the server's own variable to the settings: it counts like `DB_ADAPTER`.
 *
 * @param reading The settings that variables and files give.
 * @param variables The server's own variables.
 * @returns The product, the settings with it, and the problem if `DB_ADAPTER` is another one.
 */
export function applyDriver(
  reading: GivenSettings,
  variables: Readonly<Record<string, string>>,
): {
  readonly driver?: Adapter;
  readonly reading: GivenSettings;
  readonly problem?: SettingProblem;
} {
  const driver = driverFromVariables(variables);
  if (driver === undefined) return { reading };
  const adapter = reading.values.get("DB_ADAPTER");
  const found = {
    driver,
    reading: withAdapter(reading, { adapter: driver, name: DRIVER_VARIABLE }),
  };
  if (adapter === undefined || adapter === driver) return found;
  const problem = {
    subject: DRIVER_VARIABLE,
    message:
      `${DRIVER_VARIABLE} is ${driver}, but DB_ADAPTER is ${adapter}: both name the database product, so they must be the same`,
    remedy: `Remove ${DRIVER_VARIABLE} or DB_ADAPTER`,
    code: ExitCode.settings,
  };
  return { ...found, problem };
}

/**
 * The variables of libpq that make the server's PostgreSQL driver fail, whatever their value is, by
 * version: `parseEnviron` in https://github.com/lib/pq/blob/v1.10.9/conn.go, and `fromEnv` in
 * https://github.com/lib/pq/blob/v1.12.3/connector.go.
 */
const FATAL_VARIABLES: Readonly<Record<string, string>> = {
  PGHOSTADDR: "<1.11.0",
  PGSERVICE: "<1.12.0",
  PGSERVICEFILE: "<1.12.0",
  PGREALM: ">=0.0.0",
  PGREQUIRESSL: ">=0.0.0",
  PGSSLCRL: ">=0.0.0",
  PGREQUIREPEER: ">=0.0.0",
  PGKRBSRVNAME: ">=0.0.0",
  PGGSSLIB: ">=0.0.0",
  PGSYSCONFDIR: "<1.12.0",
  PGLOCALEDIR: "<1.12.0",
  PGREQUIREAUTH: ">=1.11.0",
  PGCHANNELBINDING: ">=1.11.0",
  PGSSLCERTMODE: ">=1.11.0",
  PGSSLCOMPRESSION: ">=1.11.0",
  PGSSLCRLDIR: ">=1.11.0",
  PGGSSENCMODE: ">=1.11.0",
  PGGSSDELEGATION: ">=1.11.0",
  PGSSLMINPROTOCOLVERSION: ">=1.11.0 <1.12.0",
  PGSSLMAXPROTOCOLVERSION: ">=1.11.0 <1.12.0",
  PGMINPROTOCOLVERSION: ">=1.11.0 <1.12.0",
  PGMAXPROTOCOLVERSION: ">=1.11.0 <1.12.0",
};

/**
 * Finds the variables that make the server's PostgreSQL driver fail.
 *
 * @param env The environment.
 * @param reader The versions that the driver may have: a variable counts if each of them fails.
 * @returns A problem for each one.
 */
export function findFatalVariables(
  env: Readonly<Record<string, string>>,
  { versions }: DsnReader,
): SettingProblem[] {
  return Object.entries(FATAL_VARIABLES).filter(([name, range]) =>
    name in env &&
    versions?.every((version) => inRange(version, range)) !== false
  ).map(([name]) => ({
    subject: name,
    message:
      `${name} must not be set, because the server's PostgreSQL driver does not support it and ends the server`,
    remedy: name === "PGHOSTADDR" || name === "PGSERVICE"
      ? `Remove ${name}, and set DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASS`
      : `Remove ${name}`,
    code: ExitCode.settings,
  }));
}

const EMPTY_DATA_SOURCE: SettingProblem = {
  subject: DATA_SOURCE_VARIABLE,
  message:
    `${DATA_SOURCE_VARIABLE} is empty, and the server would use that instead of the data source in config.json`,
  remedy: `Remove ${DATA_SOURCE_VARIABLE}, or set it to a data source`,
  code: ExitCode.settings,
};

/** A data source that somebody else wrote: the database, or why the server's driver refuses it. */
export interface GivenDatabase {
  /** The database; `undefined` if there is no data source, or a wrong one. */
  readonly database?: ConfiguredDatabase;
  /** What is wrong. */
  readonly problem?: SettingProblem;
}

/** What is known about the server, by the product of its database. */
export type ReaderOf = (adapter: Adapter) => DsnReader;

/** The forms of a PostgreSQL data source: a URL, or a list that begins with a keyword, as in `host=db user=chat`. */
const POSTGRES_REGEXP = /^(?:postgres(?:ql)?:\/\/|\s*[a-z_]+\s*=)/;

/**
 * Reads the data source from the server's own variables.
 *
 * @param variables The server's own variables.
 * @param options `DB_ADAPTER`, for a data source that does not show its product, whether the server accepts an empty data source, and the variable that gives it, which may end in `_FILE`.
 * @param readerOf What is known about the server.
 * @returns The database if the variable is set, or the problem if it is empty or refused.
 */
export function databaseFromVariables(
  variables: Readonly<Record<string, string>>,
  { DB_ADAPTER, acceptsEmpty, variable }: Pick<Settings, "DB_ADAPTER"> & {
    readonly acceptsEmpty: boolean;
    readonly variable: string;
  },
  readerOf: ReaderOf,
): GivenDatabase {
  const dsn = variables[DATA_SOURCE_VARIABLE];
  if (dsn === undefined || dsn === "" && !acceptsEmpty) return {};
  if (dsn === "") return { problem: EMPTY_DATA_SOURCE };
  const adapter = driverFromVariables(variables) ??
    (POSTGRES_REGEXP.test(dsn) ? "postgres" : DB_ADAPTER ?? "mysql");
  return parseGiven(dsn, { adapter, subject: variable }, readerOf, dsn);
}

/**
 * Reads the data source from `MM_CONFIG`.
 *
 * @param text The value of the variable; empty if it is not set.
 * @param options The variable that gives it, and the databases that the release knows.
 * @param readerOf What is known about the server.
 * @returns The database, or the problem; neither if it is not a data source.
 */
export function databaseFromConfigVariable(
  text: string,
  { subject, release }: { readonly subject: string; readonly release: Release },
  readerOf: ReaderOf,
): GivenDatabase {
  const adapter = productOfConfig(text);
  if (adapter === undefined) return {};
  if (release.databases[adapter] === undefined) {
    const problem = {
      subject,
      message:
        `${subject} is a data source of MySQL, which Mattermost ${release.version} would take for the name of a file and print with the password`,
      remedy:
        `Remove ${subject}, and run the image tag that ran last; from 11.0 on Mattermost needs PostgreSQL`,
      code: ExitCode.settings,
    };
    return { problem };
  }
  const dsn = adapter === "mysql" ? text.slice("mysql://".length) : text;
  return parseGiven(dsn, { adapter, subject }, readerOf, dsn);
}

/**
 * Checks whether two data sources lead to one database, by any login.
 *
 * @param one A data source.
 * @param other Another one.
 * @returns Whether product, host, port and name are the same.
 */
export function isSameDatabase(one: DataSource, other: DataSource): boolean {
  return (["adapter", "host", "port", "socket", "database"] as const)
    .every((key) => one[key] === other[key]);
}

/** The form of a data source for each product. */
const EXAMPLES: Readonly<Record<Adapter, string>> = {
  postgres:
    "postgres://user:password@host:5432/mattermost with the password percent-encoded",
  mysql: "user:password@tcp(host:3306)/mattermost",
};

function parseGiven(
  text: string,
  { adapter, subject }: {
    readonly adapter: Adapter;
    readonly subject: string;
  },
  readerOf: ReaderOf,
  dsn?: string,
): GivenDatabase {
  const reader = readerOf(adapter);
  try {
    return { database: { source: parseDsn(adapter, text, reader), dsn } };
  } catch (error) {
    if (!(error instanceof DataSourceError)) throw error;
    const problem = {
      subject,
      message: `${subject} must be a data source that the server's ${
        PRODUCTS[adapter]
      } driver accepts: ${error.message}`,
      remedy: `Set it to ${
        EXAMPLES[adapter]
      }, or remove it and set DB_HOST, DB_USER and DB_PASS`,
      code: ExitCode.settings,
    };
    return { problem };
  }
}

/**
 * Builds the data source from `DB_*`.
 *
 * @param settings Settings without problems.
 * @param readerOf What is known about the server.
 * @returns The database; `undefined` if the product or the host is not known.
 */
export function databaseFromSettings(
  settings: Settings,
  readerOf: ReaderOf,
): ConfiguredDatabase | undefined {
  const { DB_ADAPTER: adapter, DB_HOST: host } = settings;
  if (adapter === undefined || host === undefined) return undefined;
  const { versions = [] } = readerOf(adapter);
  const [driver, ...others] = versions;
  const source: DataSource = {
    adapter,
    ...(driver === undefined || others.length > 0 ? {} : { driver }),
    host: host.startsWith("/") ? "" : host.replace(/^\[|\]$/g, ""),
    port: settings.DB_PORT,
    ...(host.startsWith("/") ? { socket: host } : {}),
    user: settings.DB_USER,
    password: settings.DB_PASS,
    database: settings.DB_NAME,
    sslMode: settings.DB_SSL_MODE,
    ...(settings.DB_SSL_CA === "" ? {} : { sslCa: settings.DB_SSL_CA }),
    ...(adapter === "mysql" ? { encoding: settings.DB_ENCODING } : {}),
  };
  return { source, dsn: formatDsn(source, versions) };
}

/** The login in the config.json of Mattermost's packages, an example without a database. */
const EXAMPLE_REGEXP = /^(postgres:\/\/)?mmuser:mostest@/;

/** The key of the data source in config.json, for messages. */
export const DATA_SOURCE_KEY = "SqlSettings.DataSource in config.json";

/**
 * Reads the data source from a config.json that the entrypoint did not write.
 *
 * @param text Valid JSON; `undefined` if there is no file.
 * @param driver The product that overrides the one in the file.
 * @param readerOf What is known about the server.
 * @returns The database, or the problem; neither if the file names no database, or only the packages' example.
 */
export function databaseFromConfig(
  text: string | undefined,
  driver: Adapter | undefined,
  readerOf: ReaderOf,
): GivenDatabase {
  if (text === undefined) return {};
  const document: Json = JSON.parse(text);
  const adapter = driver ?? valueAt(document, "SqlSettings.DriverName");
  const dsn = valueAt(document, "SqlSettings.DataSource");
  if (adapter !== "mysql" && adapter !== "postgres") return {};
  if (typeof dsn !== "string" || dsn === "" || EXAMPLE_REGEXP.test(dsn)) {
    return {};
  }
  return parseGiven(dsn, { adapter, subject: DATA_SOURCE_KEY }, readerOf);
}

/**
 * Checks whether a stored configuration names another database for the data of the server than
 * the one that it was read from.
 *
 * @param text Valid JSON.
 * @param source The database that it was read from.
 * @returns Whether it does; an example, or a data source that cannot be read, names none.
 */
export function namesOtherDatabase(text: string, source: DataSource): boolean {
  const other = databaseFromConfig(text, source.adapter, () => ({})).database;
  return other !== undefined && !isSameDatabase(source, other.source);
}
