/**
 * The DSN of a data source, in the form that the server's own driver parses:
 * lib/pq for PostgreSQL, go-sql-driver for MySQL.
 *
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";
import type { DataSource } from "./data_source.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { driverVersions } from "../mattermost/drivers.ts";
import { inRange } from "../release_range.ts";
import { formatMysql, mysqlProblems, parseMysql } from "./mysql/dsn.ts";
import {
  formatPostgres,
  parsePostgres,
  postgresProblems,
} from "./postgres/dsn.ts";

/**
 * Writes the DSN that the server's driver parses as exactly this source.
 *
 * @param source The database and the login.
 * @param versions The versions that the driver may have; any version by default.
 * @returns The value of `SqlSettings.DataSource`.
 * @throws {EntrypointError} With code 78 where the driver's grammar cannot express the source.
 */
export function formatDsn(
  source: DataSource,
  versions: readonly string[] = driverVersions(source.adapter, undefined),
): string {
  const isMysql = source.adapter === "mysql";
  const problems = isMysql
    ? mysqlProblems(source)
    : postgresProblems(source, versions);
  if (problems.length > 0) {
    throw new EntrypointError(
      "The database settings cannot be written as a DSN",
      { code: ExitCode.settings, problems },
    );
  }
  return isMysql ? formatMysql(source) : formatPostgres(source);
}

/** What is known about the server that reads a data source. */
export interface DsnReader {
  /** The versions that its driver may have, from `driverVersions()`; any version by default. */
  readonly versions?: readonly [string, ...string[]];
  /** The server's release; `undefined` if it is not known. */
  readonly release?: string | undefined;
  /** The environment of the server, whose `PG…` variables count for what a PostgreSQL data source does not set. */
  readonly env?: Readonly<Record<string, string>>;
  /** Finds the name of the user that runs the server, for a PostgreSQL data source without a user. */
  readonly user?: () => string | undefined;
}

/** The releases that parse every PostgreSQL data source as a URL: https://github.com/mattermost/mattermost (`DSNHasBinaryParam`). */
const URL_RELEASES = ">=6.7.0";

/**
 * Parses a DSN as the server's driver does. If the version of the driver is not known, only a text
 * that each version refuses is refused.
 *
 * @param adapter The driver.
 * @param dsn The text, such as the value of `MM_SQLSETTINGS_DATASOURCE`.
 * @param reader What is known about the server.
 * @returns The source, with the driver's own defaults for port, encoding and TLS mode.
 * @throws {DataSourceError} The reason why the driver refuses it.
 */
export function parseDsn(
  adapter: Adapter,
  dsn: string,
  { release, env, user, versions = driverVersions(adapter, release) }:
    DsnReader = {},
): DataSource {
  const parsesKeywordsAsUrl = release !== undefined &&
    inRange(release, URL_RELEASES);
  let refusal: unknown;
  for (const version of versions) {
    try {
      const source = adapter === "mysql"
        ? parseMysql(dsn, version)
        : parsePostgres(dsn, { version, parsesKeywordsAsUrl, env, user });
      return versions.length === 1 ? { ...source, driver: version } : source;
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/**
 * Adds a parameter to a DSN, and changes nothing else of its text.
 *
 * @param adapter The driver.
 * @param dsn The text.
 * @param name The name of the parameter, letters and underscores; its value is 1.
 * @returns The text with the parameter.
 */
export function withParameter(
  adapter: Adapter,
  dsn: string,
  name: string,
): string {
  const isUrl = /^postgres(?:ql)?:\/\//.test(dsn);
  // Before the rest, whose last value may be empty: it would take what follows.
  if (adapter === "postgres" && !isUrl) return `${name}=1 ${dsn}`;
  const hash = isUrl ? dsn.indexOf("#") : -1;
  const whole = hash < 0 ? dsn : dsn.slice(0, hash);
  // In MySQL's DSN the parameters follow the last slash; before it, a password can contain any character.
  const end = isUrl ? whole : whole.slice(whole.lastIndexOf("/"));
  return `${whole}${end.includes("?") ? "&" : "?"}${name}=1${
    dsn.slice(whole.length)
  }`;
}
