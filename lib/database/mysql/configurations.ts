/**
 * What Mattermost servers have left in MySQL besides their data: the stored configuration, and
 * connections.
 *
 * @module
 */

import type { StoredConfig } from "../session.ts";
import {
  longConfiguration,
  LONGEST_CONFIG,
  shortText,
  unlessError,
} from "../session.ts";

/** Sends statements in one message, and returns the rows of all of them. */
export type Query = (text: string) => Promise<readonly Row[]>;

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>;

/**
 * The table has this name; where names of tables have no letter case, any spelling finds it. A
 * longer value would end the session.
 */
const QUERY = `
SELECT Id AS id, OCTET_LENGTH(Value) > ${LONGEST_CONFIG} AS is_long, CreateAt AS created,
  IF(OCTET_LENGTH(Value) <= ${LONGEST_CONFIG}, Value, NULL) AS text
FROM Configurations WHERE Active`;

/** Error `ER_NO_SUCH_TABLE`. */
const NO_TABLE = "1146";

/** Without the privilege PROCESS, it shows only the connections of this user. */
const CLIENTS_QUERY = `
SELECT HOST AS host, ID = CONNECTION_ID() AS own FROM information_schema.PROCESSLIST
WHERE DB = DATABASE() AND USER = SUBSTRING_INDEX(USER(), '@', 1)`;

const PORT_REGEXP = /:\d+$/;

/**
 * Reads the active row of the table `Configurations`.
 *
 * @param query Sends statements.
 * @returns The configuration; `undefined` if there is no such table or row.
 * @throws {ProbeError} Where the database fails, or the value is longer than any that a server stores.
 */
export async function readConfiguration(
  query: Query,
): Promise<StoredConfig | undefined> {
  const rows = await unlessError(query(QUERY), (code) => code === NO_TABLE);
  const [row] = rows ?? [];
  if (Number(row?.["is_long"]) === 1) throw longConfiguration();
  return row && {
    id: shortText(row["id"]),
    text: String(row["text"] ?? ""),
    createdAt: Number(row["created"]),
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
  const rows = await query(CLIENTS_QUERY);
  const addressOf = ({ host = "" }: Row): string =>
    shortText(String(host).replace(PORT_REGEXP, ""));
  const own = rows.filter((row) => String(row["own"]) === "1").map(addressOf);
  return [...new Set(rows.map(addressOf))]
    .filter((address) => !own.includes(address));
}
