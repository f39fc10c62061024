/**
 * Chooses the driver, and imports no other than the one that is needed.
 *
 * @module
 */

import type { ConnectOptions, Session } from "./probe.ts";
import type { DataSource } from "./source.ts";

/**
 * Logs in to the database that the source names.
 *
 * @param source The database and the login.
 * @param options What ends it, and whom to trust.
 * @returns The session.
 * @throws {ProbeError} Why it did not work.
 */
export async function connect(
  source: DataSource,
  options: ConnectOptions,
): Promise<Session> {
  if (source.adapter === "mysql") {
    const { connectMysql } = await import("./mysql.ts");
    return await connectMysql(source, options);
  }
  const { connectPostgres } = await import("./postgres.ts");
  return await connectPostgres(source, options);
}
