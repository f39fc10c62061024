import assert from "node:assert/strict";
import { join } from "node:path";
import type { DataSource } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { preparePostgres } from "../../tools/shared/postgres.ts";
import { createAuthority } from "../servers/certificates.ts";
import { factsOf, refusalOf } from "./support.ts";

const authority = createAuthority();

/** Starts a PostgreSQL that accepts the role `mmuser` with a certificate only. */
async function startWithCertificates(): Promise<DatabaseServer> {
  const server = await preparePostgres({
    tls: authority.issue(),
    settings: { ssl_ca_file: "../authority.pem" },
    access: ["local all all scram-sha-256", "hostssl all mmuser all cert"],
  });
  const file = join(server.socketDir, "authority.pem");
  await Deno.writeTextFile(file, authority.certificate);
  await server.start();
  await server.sql("CREATE ROLE mmuser LOGIN");
  await server.sql("CREATE DATABASE mattermost OWNER mmuser");
  return server;
}

function clientOf({ certificate, key }: ReturnType<typeof authority.issue>) {
  return { cert: certificate, key };
}

Deno.test("a login with the client's certificate needs no password", async () => {
  await using server = await startWithCertificates();
  const source: DataSource = {
    adapter: "postgres",
    host: "localhost",
    port: server.port,
    user: "mmuser",
    password: "not used",
    database: "mattermost",
    sslMode: "verify-full",
  };
  const ca = [authority.certificate];
  const client = clientOf(
    authority.issue({ names: ["mmuser"], isClient: true }),
  );
  assert((await factsOf(source, { ca, client })).mayCreateTables);
  // Without verification too.
  await factsOf({ ...source, sslMode: "require" }, { client });

  const none = await refusalOf(source, ca);
  assert.match(none.message, /valid client certificate/);
  const another = clientOf(
    authority.issue({ names: ["somebody"], isClient: true }),
  );
  await assert.rejects(
    factsOf(source, { ca, client: another }),
    /certificate authentication failed for user "mmuser"/,
  );
});
