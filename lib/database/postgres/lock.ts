/**
 * The lock of PostgreSQL: an advisory lock of a transaction that stays open.
 *
 * @see https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 * @module
 */

import type { LockHolder } from "../session.ts";
import { hash } from "node:crypto";
import { shortText } from "../session.ts";

/** The name of this program in the database's views. */
export const APPLICATION = "mattermost-entrypoint";

/** Sends statements in one message, and returns the rows of all of them. */
export type Query = <Row>(text: string) => Promise<Row[]>;

/**
 * Parameters of the transaction that holds a lock: it may be idle for as long as a migration
 * takes, but the server notices within two minutes if the holder's machine is gone. The view
 * pg_settings leaves out what a release does not have.
 */
const LOCK_PARAMETERS: Readonly<Record<string, string>> = {
  idle_in_transaction_session_timeout: "0",
  transaction_timeout: "0",
  tcp_keepalives_idle: "60",
  tcp_keepalives_interval: "10",
  tcp_keepalives_count: "6",
};

/** PgBouncer's words where `pool_mode` is `statement`. */
const STATEMENT_MODE_REGEXP = /\bstatement pooling mode\b/;

/**
 * Takes the lock in a transaction, and leaves that open. A lock of the session would stay
 * behind on the connection of a pooler in transaction mode, which another client gets next;
 * an open transaction keeps this connection, and a pooler closes it when the holder is gone.
 * Between its statements a transaction holds a snapshot only from REPEATABLE READ on, which
 * may be the default. Snapshots matter since `CREATE INDEX CONCURRENTLY` waits for them: the
 * same reason why nobody waits for the lock in a statement or a transaction.
 *
 * @see https://www.pgbouncer.org/features.html#sql-feature-map-for-pooling-modes
 * @see https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
export async function lock(
  query: Query,
  name: string,
  host: string,
): Promise<"held" | "unsupported" | LockHolder> {
  const key = lockKey(name);
  const parameters = {
    ...LOCK_PARAMETERS,
    // The server cuts it at 63 bytes.
    application_name: `${APPLICATION}${host && " on "}${host}`,
  };
  const values = Object.entries(parameters)
    .map(([parameter, value]) => `('${parameter}', ${literal(value)})`);
  const rows = await query<{ held?: boolean }>(`
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config(name, value, true) FROM (VALUES ${values.join()}) wanted (name, value)
  WHERE name IN (SELECT name FROM pg_settings);
SELECT pg_try_advisory_xact_lock(${key}) AS held`).catch((error) => {
    if (STATEMENT_MODE_REGEXP.test(error.message)) return undefined;
    throw error;
  });
  if (rows === undefined) return "unsupported";
  if (rows.some(({ held }) => held)) return "held";
  const [holder] = await query<HolderRow>(`ROLLBACK; ${holderQuery(key)}`);
  return {
    description: shortText(holder?.description),
    ...(holder === undefined
      ? {}
      : { terminate: `SELECT pg_terminate_backend(${Number(holder.pid)});` }),
  };
}

/**
 * Queries within the transaction of the lock: what a query locks, here tables that a migration
 * changes, would stay locked until its end, and after an error it would refuse all further ones.
 */
export function withSavepoint(query: Query): Query {
  return async <Row>(text: string) => {
    await query("SAVEPOINT entrypoint");
    try {
      return await query<Row>(text);
    } finally {
      await query("ROLLBACK TO SAVEPOINT entrypoint");
    }
  };
}

interface HolderRow {
  readonly pid: number;
  readonly description: string;
}

/** A lock of a session, which version 1.0 of this program takes, has no transaction. */
function holderQuery(key: bigint): string {
  const since = "coalesce(a.xact_start, a.state_change) AT TIME ZONE 'UTC'";
  return `
SELECT l.pid, concat_ws(', ', nullif(a.application_name, ''),
  'address ' || host(a.client_addr), 'user ' || a.usename, 'session ' || l.pid,
  'since ' || to_char(${since}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS description
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = ${key >> 32n} AND l.objid = ${key & 0xffff_ffffn}`;
}

/** A text without quotes and backslashes as a constant. */
function literal(text: string): string {
  return `'${text.replace(/['\\]/g, "")}'`;
}

/** Advisory locks have numbers instead of names: the first 63 bits of the name's hash. */
function lockKey(name: string): bigint {
  return hash("sha256", name, "buffer").readBigUInt64BE() >> 1n;
}
