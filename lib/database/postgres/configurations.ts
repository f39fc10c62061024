/**
 * What Mattermost servers have left in PostgreSQL besides their data: the stored configuration,
 * and connections.
 *
 * @module
 */

import type { StoredConfig } from "../session.ts";
import {
  longConfiguration,
  LONGEST_CONFIG,
  ProbeError,
  shortText,
} from "../session.ts";
import type { Query } from "./lock.ts";

/** The server's driver sets no application name: https://pkg.go.dev/github.com/lib/pq */
const CLIENTS_QUERY = `
SELECT DISTINCT coalesce(host(client_addr), 'a Unix socket') AS address
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
  AND application_name = '' AND client_addr IS DISTINCT FROM inet_client_addr()`;

interface Row {
  readonly id: string;
  readonly is_long: boolean | null;
  readonly createat: string;
  readonly value: string | null;
}

/** A longer value would end the session. */
const QUERY = `
SELECT id, octet_length(value) > ${LONGEST_CONFIG} AS is_long, createat,
  CASE WHEN octet_length(value) <= ${LONGEST_CONFIG} THEN value END AS value
FROM configurations WHERE active`;

/**
 * Reads the active row of the table `configurations`.
 *
 * @param query Sends statements.
 * @returns The configuration; `undefined` if there is no such table or row.
 * @throws {ProbeError} Where the database fails, or the value is longer than any that a server stores.
 */
export async function readConfiguration(
  query: Query,
): Promise<StoredConfig | undefined> {
  // A query of a missing table would leave an error in the database's log at each start. Without
  // a table of its own, this one would not see what others have created since the transaction began.
  const [table] = await query<{ found: boolean }>(
    "SELECT count(*) > 0 AS found FROM pg_class WHERE oid = to_regclass('configurations')",
  );
  if (!table?.found) return undefined;
  const [row] = await query<Row>(QUERY).catch((error) => {
    throw withoutValue(error);
  });
  if (row?.is_long === true) throw longConfiguration();
  return row && {
    id: shortText(row.id),
    text: row.value ?? "",
    createdAt: Number(row.createat),
  };
}

/** Errors of class 22 quote the value, which can be a secret: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function withoutValue(error: unknown): unknown {
  return error instanceof ProbeError && error.code?.startsWith("22") === true
    ? new ProbeError(
      error.reason,
      "The table configurations has a value that is not of the column's type",
      error.code,
    )
    : error;
}

/**
 * Lists the addresses of other clients that may be servers.
 *
 * @param query Sends statements.
 * @returns The addresses, without this client's own.
 */
export async function readOtherClients(
  query: Query,
): Promise<readonly string[]> {
  const rows = await query<{ address: string }>(CLIENTS_QUERY);
  return rows.map(({ address }) => shortText(address));
}
