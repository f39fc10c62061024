/**
 * The database that the operator configured: in the server's own variables, in `DB_*`, or in
 * the config.json on disk.
 *
 * @module
 */

import type { DataSource } from "../database/data_source.ts";
import { formatDsn, parseDsn } from "../database/dsn.ts";
import { ExitCode } from "../errors.ts";
import { HIDDEN } from "../hidden.ts";
import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { Settings } from "../settings/catalogue.ts";
import type { SettingProblem } from "../settings/resolve.ts";

/** A database, and how it gets into config.json. */
export interface ConfiguredDatabase {
  /** The database and the login. */
  readonly source: DataSource;
  /** The data source to write to config.json; `undefined` keeps the one that is there. */
  readonly dsn: string | undefined;
}

/** The server's own variable for the data source, which overrides config.json. */
export const DATA_SOURCE_VARIABLE = "MM_SQLSETTINGS_DATASOURCE";
const DRIVER_VARIABLE = "MM_SQLSETTINGS_DRIVERNAME";

/**
 * Reads the data source from the server's own variables.
 *
 * @param settings `DB_ADAPTER`, for a data source that does not show its product.
 * @param variables The server's own variables.
 * @returns The database if the variable is set, or the problem if it cannot be parsed.
 */
export function databaseFromVariables(
  { DB_ADAPTER }: Pick<Settings, "DB_ADAPTER">,
  variables: Readonly<Record<string, string>>,
): {
  readonly database?: ConfiguredDatabase;
  readonly problem?: SettingProblem;
} {
  const dsn = variables[DATA_SOURCE_VARIABLE];
  if (dsn === undefined || dsn === "") return {};
  const driver = variables[DRIVER_VARIABLE];
  const adapter = driver === "mysql" || driver === "postgres"
    ? driver
    : /^postgres(ql)?:\/\//.test(dsn)
    ? "postgres"
    : DB_ADAPTER ?? "mysql";
  try {
    return { database: { source: parseDsn(adapter, dsn), dsn } };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const problem = {
      subject: DATA_SOURCE_VARIABLE,
      message:
        `${DATA_SOURCE_VARIABLE} must be a data source that the server's ${adapter} driver can parse: it is ${HIDDEN}`,
      remedy: adapter === "postgres"
        ? "Set it to postgres://user:password@host:5432/mattermost with the password percent-encoded, or remove it and set DB_HOST, DB_USER and DB_PASS"
        : "Set it to user:password@tcp(host:3306)/mattermost, or remove it and set DB_HOST, DB_USER and DB_PASS",
      code: ExitCode.settings,
    };
    return { problem };
  }
}

/**
 * Builds the data source from `DB_*`.
 *
 * @param settings Settings without problems.
 * @returns The database; `undefined` if the product or the host is not known.
 */
export function databaseFromSettings(
  settings: Settings,
): ConfiguredDatabase | undefined {
  const { DB_ADAPTER: adapter, DB_HOST: host } = settings;
  if (adapter === undefined || host === undefined) return undefined;
  const source: DataSource = {
    adapter,
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
  return { source, dsn: formatDsn(source) };
}

/** The login in the config.json of Mattermost's packages, an example without a database. */
const EXAMPLE_REGEXP = /^(postgres:\/\/)?mmuser:mostest@/;

/**
 * Reads the data source from a config.json that the entrypoint did not write.
 *
 * @param text Valid JSON; `undefined` if there is no file.
 * @returns The database; `undefined` if the file names none, or only the packages' example.
 */
export function databaseFromConfig(
  text: string | undefined,
): ConfiguredDatabase | undefined {
  if (text === undefined) return undefined;
  const document: Json = JSON.parse(text);
  const adapter = valueAt(document, "SqlSettings.DriverName");
  const dsn = valueAt(document, "SqlSettings.DataSource");
  if (adapter !== "mysql" && adapter !== "postgres") return undefined;
  if (typeof dsn !== "string" || dsn === "" || EXAMPLE_REGEXP.test(dsn)) {
    return undefined;
  }
  return parseIfValid(adapter, dsn);
}

function parseIfValid(
  adapter: Adapter,
  dsn: string,
): ConfiguredDatabase | undefined {
  try {
    const source = parseDsn(adapter, dsn);
    formatDsn(source);
    return { source, dsn: undefined };
  } catch {
    return undefined;
  }
}
