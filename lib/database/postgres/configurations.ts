/**
 * What Mattermost servers have left in PostgreSQL besides their data: the stored configuration,
 * and connections.
 *
 * @module
 */

import type { StoredConfig } from "../session.ts";
import { shortText } from "../session.ts";
import type { Query } from "./lock.ts";

/** The server's driver sets no application name: https://pkg.go.dev/github.com/lib/pq */
const CLIENTS_QUERY = `
SELECT DISTINCT coalesce(host(client_addr), 'a Unix socket') AS address
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
  AND application_name = '' AND client_addr IS DISTINCT FROM inet_client_addr()`;

/**
 * Reads the active row of the table `configurations`.
 *
 * @param query Sends statements.
 * @returns The configuration; `undefined` if there is no such table or row.
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
  const [row] = await query<{ id: string; value: string; createat: string }>(
    "SELECT id, value, createat FROM configurations WHERE active",
  );
  return row && {
    id: shortText(row.id),
    text: row.value,
    createdAt: Number(row.createat),
  };
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
