/**
 * The DSN of a data source, in the form that the server's own driver parses:
 * lib/pq for PostgreSQL, go-sql-driver for MySQL.
 *
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";
import type { DataSource } from "./data_source.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
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
 * @returns The value of `SqlSettings.DataSource`.
 * @throws {EntrypointError} With code 78 where the driver's grammar cannot express the source.
 */
export function formatDsn(source: DataSource): string {
  const isMysql = source.adapter === "mysql";
  const problems = isMysql ? mysqlProblems(source) : postgresProblems(source);
  if (problems.length > 0) {
    throw new EntrypointError(
      "The database settings cannot be written as a DSN",
      { code: ExitCode.settings, problems },
    );
  }
  return isMysql ? formatMysql(source) : formatPostgres(source);
}

/**
 * Parses a DSN as the server's driver does.
 *
 * @param adapter The driver.
 * @param dsn The text, such as the value of `MM_SQLSETTINGS_DATASOURCE`.
 * @returns The source, with the driver's own defaults for port, encoding and TLS mode.
 * @throws {SyntaxError} Where the driver would not parse it, or where it names several hosts.
 */
export function parseDsn(adapter: Adapter, dsn: string): DataSource {
  return adapter === "mysql" ? parseMysql(dsn) : parsePostgres(dsn);
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
  if (adapter === "postgres" && !isUrl) return `${dsn} ${name}=1`;
  // In MySQL's DSN the parameters follow the last slash; before it, a password can contain any character.
  const end = isUrl ? dsn : dsn.slice(dsn.lastIndexOf("/"));
  return `${dsn}${end.includes("?") ? "&" : "?"}${name}=1`;
}
