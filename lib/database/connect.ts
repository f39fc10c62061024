/**
 * Logs in with the driver of the database's product, and loads no other driver.
 *
 * @module
 */

import type { ConnectOptions, Session } from "./session.ts";
import type { DataSource } from "./data_source.ts";
import { ProbeError } from "./session.ts";
import { addressOf, type LoginOptions, tlsOptions } from "./connection.ts";
import { openSocket } from "../os/socket.ts";

/**
 * Logs in to a database.
 *
 * @param source The database and the login.
 * @param options The signal that ends the session, and the certificate authorities.
 * @returns The session.
 * @throws {ProbeError} The reason why it failed; or the signal's reason.
 */
export async function connect(
  source: DataSource,
  options: ConnectOptions,
): Promise<Session> {
  const { signal, ca } = options;
  const tls = tlsOptions(source, ca);
  // The socket connects while the driver is loaded.
  const opening = openSocket(addressOf(source), signal);
  try {
    return await login(source, { ...options, opening, tls });
  } catch (error) {
    const isTlsError = error instanceof ProbeError && error.reason === "tls";
    if (source.sslMode !== "prefer" || !isTlsError) throw error;
    // go-sql-driver continues without encryption too, if the server does not offer TLS.
    return await connect({ ...source, sslMode: "disable" }, options);
  }
}

async function login(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  // The driver's module handles a failure. Until it is loaded, a rejection would count as unhandled.
  options.opening.catch(() => {});
  if (source.adapter === "mysql") {
    const { connectMysql } = await import("./mysql/session.ts");
    return await connectMysql(source, options);
  }
  const { connectPostgres } = await import("./postgres/session.ts");
  return await connectPostgres(source, options);
}
