/**
 * Gives a running server another certificate.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { giveToServer } from "../../tools/shared/process.ts";
import type { ServedCertificate } from "./certificate_kinds.ts";

/** Settings with which each product serves certificates that are too weak for OpenSSL's default. */
export const WEAK_CERTIFICATES = {
  postgres: {
    ssl_ciphers: "DEFAULT@SECLEVEL=0",
    ssl_min_protocol_version: "TLSv1",
  },
  mysql: { "ssl-cipher": "DEFAULT:@SECLEVEL=0" },
};

/**
 * Replaces the certificate of PostgreSQL, or of MariaDB, for all later connections.
 *
 * @throws {Error} when the server does not accept it
 */
export async function presentCertificate(
  server: DatabaseServer,
  { certificate, key }: Pick<ServedCertificate, "certificate" | "key">,
): Promise<void> {
  const home = dirname(server.log);
  await Deno.writeTextFile(join(home, "server.crt"), certificate);
  await Deno.writeTextFile(join(home, "server.key"), key);
  await giveToServer(home);
  if (server.user !== "postgres") {
    await server.sql("FLUSH SSL");
    return;
  }
  const loaded = "SELECT pg_conf_load_time()::text AS loaded";
  const [before] = await server.sql(loaded);
  const logged = (await Deno.readTextFile(server.log)).length;
  await server.sql("SELECT pg_reload_conf()");
  // A new connection has the time of the last reload, which includes the certificate.
  while ((await server.sql(loaded))[0]?.["loaded"] === before?.["loaded"]) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const log = (await Deno.readTextFile(server.log)).slice(logged);
  if (log.includes("was not reloaded")) throw new Error(log);
}
