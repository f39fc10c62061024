/**
 * The DSN of a data source in the form that the server's own driver parses:
 * lib/pq for PostgreSQL, go-sql-driver for MySQL.
 *
 * Pure: it knows the grammars, not the network.
 *
 * @module
 */

import type { DsnOptions } from "./dsn_postgres.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { DataSource } from "./source.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { formatMysql, mysqlProblems, parseMysql } from "./dsn_mysql.ts";
import {
  formatPostgres,
  parsePostgres,
  postgresProblems,
} from "./dsn_postgres.ts";

const SCHEME_REGEXP = /^(?:postgres(?:ql)?|mysql):\/\//;

/**
 * Writes the DSN that the server's driver reads as exactly this source.
 *
 * @param source The database and the login.
 * @param options What depends on the server's release.
 * @returns The value of `SqlSettings.DataSource`.
 * @throws {EntrypointError} Where that driver's grammar has no way to say it.
 */
export function formatDsn(
  source: DataSource,
  options: DsnOptions = {},
): string {
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
    : formatPostgres(source, options);
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

/**
 * Hides the password in a DSN of any form, also in one that no driver could read.
 * It rather hides too much than too little.
 *
 * @param dsn The text.
 * @returns The text with `(hidden)` in the place of passwords.
 */
export function redactDsn(dsn: string): string {
  const end = dsn.lastIndexOf("@");
  const scheme = SCHEME_REGEXP.exec(dsn)?.[0].length ?? 0;
  const start = dsn.indexOf(":", scheme);
  const masked = start >= 0 && start < end
    ? `${dsn.slice(0, start)}:(hidden)${dsn.slice(end)}`
    : dsn;
  const plain = masked.replace(
    /(password\s*=\s*)(?:'(?:\\.|[^\\'])*(?:'|$)|\\.|[^\s'])*/gis,
    "$1(hidden)",
  );
  const readable = scheme > 0 || /[=@]|^\/|^(?:tcp|unix)\(/i.test(plain);
  return readable || plain === "" ? plain : "(hidden)";
}
