import assert from "node:assert/strict";
import { addressOf, connectLimit } from "../../../lib/database/connection.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: "u",
  password: "",
  database: "mm",
  sslMode: "disable",
};

Deno.test("connectLimit() is the driver's time limit, and shorter if other servers wait", () => {
  const limit = (
    parameters: Record<string, string>,
    more: Partial<DataSource> = {},
  ): number | undefined => connectLimit({ ...SOURCE, parameters, ...more });
  assert.equal(limit({}), undefined);
  assert.equal(limit({ connect_timeout: "0" }), undefined);
  assert.equal(limit({ connect_timeout: "-3" }), undefined);
  assert.equal(limit({ connect_timeout: "+3" }), 3000);
  const mysql = { adapter: "mysql" } as const;
  assert.equal(limit({ timeout: "1m30s500ms" }, mysql), 90_500);
  assert.equal(limit({ timeout: "1.5h" }, mysql), 5_400_000);
  assert.equal(limit({ connect_timeout: "3" }, mysql), undefined);
  const alternatives = [{ host: "b", port: 1 }];
  assert.equal(limit({}, { alternatives }), 1500);
  assert.equal(limit({ connect_timeout: "1" }, { alternatives }), 1000);
  const three = [...alternatives, ...alternatives, ...alternatives];
  assert.equal(limit({}, { alternatives: three }), 1000);
});

Deno.test("addressOf() is the file of the socket, or the address that replaces the host", () => {
  assert.deepEqual(addressOf(SOURCE), { host: "db", port: 5432 });
  assert.deepEqual(addressOf({ ...SOURCE, address: "10.0.0.1" }), {
    host: "10.0.0.1",
    port: 5432,
  });
  assert.deepEqual(addressOf({ ...SOURCE, socket: "/run/pg" }), {
    path: "/run/pg/.s.PGSQL.5432",
  });
});
