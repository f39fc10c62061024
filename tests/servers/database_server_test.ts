import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import postgres from "postgres";
import { exists } from "../../tools/shared/cache.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import {
  type PostgresOptions,
  preparePostgres,
  startPostgres,
} from "../../tools/shared/postgres.ts";
import { isRunning } from "../../tools/shared/process.ts";
import { MARIADB_SERVER, MYSQL_SERVER } from "../support/database_needs.ts";
import { testWith } from "../support/needs.ts";
import { createAuthority } from "./certificates.ts";
import { prepareMariadb } from "./mariadb.ts";
import { prepareMysql } from "./mysql.ts";

const PRODUCTS = [
  {
    name: "PostgreSQL",
    version: /^PostgreSQL 18\./,
    schema: "postgres",
    needs: [],
    prepare: preparePostgres,
  },
  {
    name: "Old PostgreSQL",
    version: /^PostgreSQL 12\./,
    schema: "postgres",
    needs: [],
    prepare: (options: PostgresOptions) =>
      preparePostgres({ ...options, release: "old" }),
  },
  {
    name: "MariaDB",
    version: /-MariaDB/,
    schema: "mysql",
    needs: [MARIADB_SERVER],
    prepare: prepareMariadb,
  },
  {
    name: "MySQL",
    version: /^9\./,
    schema: "mysql",
    needs: [MYSQL_SERVER],
    prepare: prepareMysql,
  },
];

for (const { name, version, schema, needs, prepare } of PRODUCTS) {
  testWith(
    needs,
    `${name} refuses connections before its start, keeps its data after a crash, and leaves no files`,
    async () => {
      await using server = await prepare({ password: `it's "ä" \\ %` });
      await rejects(connect(server), Deno.errors.ConnectionRefused);

      await server.start();
      const [{ version: found } = {}] = await server.sql(
        "SELECT version() AS version",
      );
      match(String(found), version);
      await server.sql("CREATE TABLE kept (a int)", schema);
      await server.sql("INSERT INTO kept VALUES (7)", schema);

      const { pid } = server;
      await server.kill();
      ok(!isRunning(pid));
      await server.start();
      await server.restart();
      deepEqual([...await server.sql("SELECT a FROM kept", schema)], [{
        a: 7,
      }]);

      const last = server.pid;
      await server.stop();
      ok(!isRunning(last));
      await rejects(Deno.stat(server.socketDir), Deno.errors.NotFound);
    },
  );
}

Deno.test("a suspended server accepts connections, and answers when it is resumed", async () => {
  await using server = await startPostgres();
  server.freeze();
  (await connect(server)).close();
  const answer = server.sql("SELECT 1 AS one");
  server.thaw();
  deepEqual([...await answer], [{ one: 1 }]);
});

Deno.test("only clients that trust its authority accept a server's certificate", async () => {
  const authority = createAuthority();
  await using server = await startPostgres({
    tls: authority.issue(),
    access: ["hostssl all all all scram-sha-256"],
  });
  equal(await loginWithTls(server, authority.certificate), "on");
  await rejects(
    loginWithTls(server, createAuthority().certificate),
    /certificate/,
  );
});

Deno.test("a certificate can be expired or for another name", async () => {
  const authority = createAuthority();
  for (const options of [{ expired: true }, { names: ["db.invalid"] }]) {
    await using server = await startPostgres({ tls: authority.issue(options) });
    await rejects(loginWithTls(server, authority.certificate), /certificate/);
  }
});

Deno.test("a server ends with the program that started it, however that ends", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    const program = new URL("./endless_server.ts", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", program.href],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const { pid, home } = JSON.parse(new TextDecoder().decode(value));
    ok(isRunning(pid));
    child.kill(signal);
    equal((await child.status).signal, signal);
    await reader.cancel();
    const deadline = Date.now() + 10_000;
    while (isRunning(pid) || await exists(home)) {
      ok(Date.now() < deadline, `${pid} or ${home} is left after ${signal}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
});

async function connect({ host, port }: DatabaseServer): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: host, port });
}

async function loginWithTls(
  server: DatabaseServer,
  ca: string,
): Promise<unknown> {
  const client = postgres({
    host: server.host,
    port: server.port,
    user: server.user,
    password: server.password,
    ssl: { ca },
    max: 1,
  });
  try {
    return (await client`SHOW ssl`)[0]?.["ssl"];
  } finally {
    await client.end();
  }
}
