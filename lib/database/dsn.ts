/**
 * The DSN of a data source in the form that the server's own driver parses:
 * lib/pq for PostgreSQL, go-sql-driver for MySQL.
 *
 * Pure: it knows the grammars, not the network.
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
 * Writes the DSN that the server's driver reads as exactly this source.
 *
 * @param source The database and the login.
 * @returns The value of `SqlSettings.DataSource`.
 * @throws {EntrypointError} Where that driver's grammar has no way to say it.
 */
export function formatDsn(source: DataSource): string {
  const problems = source.adapter === "mysql"
    ? mysqlProblems(source)
    : postgresProblems(source);
  if (problems.length > 0) {
    throw new EntrypointError(
      "The database settings cannot be written as a DSN",
      {
        code: ExitCode.settings,
        problems,
      },
    );
  }
  return source.adapter === "mysql"
    ? formatMysql(source)
    : formatPostgres(source);
}

/**
 * Reads a DSN as the server's driver does.
 *
 * @param adapter Whose grammar it is.
 * @param dsn The text, such as the value of `MM_SQLSETTINGS_DATASOURCE`.
 * @returns The source; its port, encoding and TLS mode filled in as the driver does.
 * @throws {SyntaxError} Where the driver would not read it, or reads more than one host.
 */
export function parseDsn(adapter: Adapter, dsn: string): DataSource {
  return adapter === "mysql" ? parseMysql(dsn) : parsePostgres(dsn);
}
