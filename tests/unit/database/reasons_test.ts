import assert from "node:assert/strict";
import type { DataSource } from "../../../lib/database/data_source.ts";
import {
  type Reason,
  REASONS,
  remedyFor,
} from "../../../lib/database/reasons.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: 'mm"user',
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
};
const ALL = Object.keys(REASONS) as Reason[];

Deno.test("every reason has a remedy of its own for both products, without the password", () => {
  for (const adapter of ["mysql", "postgres"] as const) {
    const remedies = ALL.map((reason) =>
      remedyFor(reason, { ...SOURCE, adapter })
    );
    assert.equal(new Set(remedies).size, ALL.length);
    assert(!remedies.includes("Read the log of the database"));
    assert(!remedies.join().includes("hunter22"));
  }
});

Deno.test("remedies quote names as the product does", () => {
  assert.match(
    remedyFor("no such database", SOURCE),
    /CREATE DATABASE "mattermost" ENCODING 'UTF8' TEMPLATE template0 OWNER "mm""user";/,
  );
  assert.match(
    remedyFor("forbidden", {
      ...SOURCE,
      adapter: "mysql",
      user: "o'neil",
      database: "m`m",
    }),
    /GRANT ALL PRIVILEGES ON `m``m`\.\* TO 'o''neil'@'%';/,
  );
});

Deno.test("remedies for TLS follow the mode that was asked for", () => {
  const full = { ...SOURCE, sslMode: "verify-full" } as const;
  assert.match(remedyFor("tls", full), /DB_SSL_CA/);
  assert.match(remedyFor("tls", { ...full, adapter: "mysql" }), /DB_SSL_CA/);
  assert.match(
    remedyFor("tls", { ...SOURCE, sslMode: "require" }),
    /DB_SSL_MODE=disable/,
  );
  assert.match(
    remedyFor("tls", { ...SOURCE, adapter: "mysql" }),
    /DB_SSL_MODE=require/,
  );
});

Deno.test("remedies for a refused unix socket name it", () => {
  assert.match(
    remedyFor("refused", { ...SOURCE, socket: "/run/postgresql" }),
    /\/run\/postgresql/,
  );
});

Deno.test("only what the operator must change is hopeless", () => {
  assert.deepEqual(ALL.filter((reason) => !REASONS[reason].healable), [
    "tls",
    "credentials",
    "forbidden",
    "no such database",
  ]);
});
