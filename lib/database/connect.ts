/**
 * Chooses the driver, and imports no other than the one that is needed.
 *
 * @module
 */

import type { ConnectOptions, Session } from "./session.ts";
import type { DataSource } from "./data_source.ts";
import { ProbeError } from "./session.ts";
import { addressOf, type LoginOptions, tlsOptions } from "./connection.ts";
import { openSocket } from "../os/socket.ts";

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
  const { signal, ca } = options;
  const tls = tlsOptions(source, ca);
  // The connection is made while its driver is loaded.
  const opening = openSocket(addressOf(source), signal);
  try {
    return await login(source, { ...options, opening, tls });
  } catch (error) {
    const hasNone = error instanceof ProbeError && error.reason === "tls";
    if (source.sslMode !== "prefer" || !hasNone) throw error;
    // As go-sql-driver: no encryption where the server has none.
    return await connect({ ...source, sslMode: "disable" }, options);
  }
}

async function login(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  // Who awaits it hears how it failed; until then nobody does.
  options.opening.catch(() => {});
  if (source.adapter === "mysql") {
    const { connectMysql } = await import("./mysql/session.ts");
    return await connectMysql(source, options);
  }
  const { connectPostgres } = await import("./postgres/session.ts");
  return await connectPostgres(source, options);
}
