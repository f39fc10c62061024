/**
 * Chooses the driver, and imports no other than the one that is needed.
 *
 * @module
 */

import type { ConnectOptions, Session } from "./probe.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { DataSource } from "./source.ts";

/**
 * Starts to import a driver, so that it is there when {@linkcode connect} needs it.
 *
 * @param adapter Which one.
 * @returns Resolves when it is there.
 */
export async function preloadDriver(adapter: Adapter): Promise<void> {
  await (adapter === "mysql" ? import("./mysql.ts") : import("./postgres.ts"));
}

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
