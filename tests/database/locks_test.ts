/**
 * The lock of a session: one holder at a time, none after its end, and no harm to others. On
 * the newest and an old PostgreSQL, through PgBouncer, on MariaDB and on MySQL.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import type { LockHolder, Session } from "../../lib/database/session.ts";
import type {
  DatabaseServer,
  Row,
} from "../../tools/shared/database_server.ts";
import { preparePostgres } from "../../tools/shared/postgres.ts";
import { startPgbouncer } from "../servers/pgbouncer.ts";
import { PGBOUNCER } from "../support/database_needs.ts";
import { testWith } from "../support/needs.ts";
import {
  type Product,
  products,
  startWithUser,
  withSession,
} from "./support.ts";

const ALL = products();
const POSTGRES = ALL.filter(({ adapter }) => adapter === "postgres");

/** A product, and a pooler in front of it. */
interface Place {
  readonly name: string;
  readonly product: Product;
  readonly mode?: "session" | "transaction";
}

const places: Place[] = [
  ...ALL.map((product) => ({ name: product.name, product })),
  ...POSTGRES.flatMap((product) => [
    // The old release does not exist for 64-bit ARM.
    ...(Deno.build.arch === "x86_64"
      ? [{
        name: "PostgreSQL 12",
        product: {
          ...product,
          prepare: (options = {}) =>
            preparePostgres({ ...options, release: "old" }),
        } satisfies Product,
      }]
      : []),
    ...(PGBOUNCER.isMet
      ? (["session", "transaction"] as const).map((mode) => ({
        name: `PgBouncer in ${mode} mode`,
        product,
        mode,
      }))
      : []),
  ]),
];
testWith([PGBOUNCER], "PgBouncer in this file", () => {});

/** The session must not hold the lock. */
async function holderOf(session: Session, name = "start"): Promise<LockHolder> {
  const result = await session.lock(name, "");
  assert.ok(typeof result === "object", String(result));
  return result;
}

/** Tries until the database has noticed that the holder, or the one of the test before, is gone. */
async function lockSoon(session: Session, host = ""): Promise<void> {
  for (let tries = 0; await session.lock("start", host) !== "held"; tries++) {
    assert.ok(tries < 200, "The lock is never released");
    await pause(20);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

for (const { name, product, mode } of places) {
  const postgres = product.adapter === "postgres";
  let server: DatabaseServer;
  let pooler: DatabaseServer | undefined;
  let source: DataSource;

  Deno.test.beforeAll(async () => {
    ({ server, source } = await startWithUser(product));
    if (mode === undefined) return;
    const users = { [source.user]: source.password };
    pooler = await startPgbouncer(server, { mode, users });
    source = { ...source, port: pooler.port };
  });
  Deno.test.afterAll(async () => {
    await pooler?.stop();
    await server.stop();
  });

  /** The sessions of PostgreSQL's database with a name. */
  const sessions = (database: string): Promise<Row[]> =>
    server.sql(`
      SELECT application_name, state, backend_xmin, (
        SELECT string_agg(l.relation::regclass::text, ' ') FROM pg_locks l
        WHERE l.pid = a.pid AND l.relation IS NOT NULL) AS relations
      FROM pg_stat_activity a WHERE datname = '${database}'
      ORDER BY state DESC`);

  Deno.test(`${name}: one session at a time holds a lock, and releases it when it ends`, async () => {
    await withSession(source, async (first) => {
      await withSession(source, async (second) => {
        // Quotes and backslashes cannot end the constant.
        await lockSoon(first, "we'b\\-1");
        const { description, terminate } = await holderOf(second);
        assert.match(
          description,
          postgres
            ? /^mattermost-entrypoint on web-1, (?:address 127\.0\.0\.1, )?user mmuser, session \d+, since 20\d\d-\d\d-\d\dT[\d:]+Z$/
            : /^address 127\.0\.0\.1:\d+, user mmuser, session \d+, since 20\d\d-\d\d-\d\dT[\d:]+Z$/,
        );
        const [, since = ""] = /since (\S+)$/.exec(description) ?? [];
        assert.ok(Math.abs(Date.parse(since) - Date.now()) < 5000, since);
        assert.match(
          terminate ?? "",
          postgres ? /^SELECT pg_terminate_backend\(\d+\);$/ : /^KILL \d+;$/,
        );
        assert.equal(await second.lock("other", ""), "held");
        await holderOf(second);
        await first.close();
        await lockSoon(second);
      });
    });
  });

  Deno.test(`${name}: the lock of a killed session is released`, async () => {
    const killed = new AbortController();
    const holder = await connect(source, { signal: killed.signal });
    await lockSoon(holder);
    await withSession(source, async (next) => {
      await holderOf(next);
      killed.abort(new Error("killed"));
      await lockSoon(next);
    });
    await holder.close();
  });

  Deno.test(`${name}: the statement for it ends the holder's session`, async () => {
    await withSession(source, async (holder) => {
      await withSession(source, async (next) => {
        await lockSoon(holder);
        const { terminate } = await holderOf(next);
        await server.sql(
          postgres ? `SET ROLE mmuser; ${terminate}` : `${terminate}`,
        );
        await lockSoon(next);
      });
    });
  });

  Deno.test(`${name}: locks of two databases are independent`, async () => {
    for (const text of product.createDatabase("elsewhere", "mmuser")) {
      await server.sql(text);
    }
    const elsewhere = { ...source, database: "elsewhere" };
    await withSession(source, async (here) => {
      await withSession(elsewhere, async (there) => {
        await lockSoon(here);
        assert.equal(await there.lock("start", ""), "held");
      });
    });
  });

  Deno.test(`${name}: limits for idle sessions and transactions do not end the holder`, async () => {
    const [set, reset] = postgres
      ? [
        [
          "ALTER ROLE mmuser SET idle_in_transaction_session_timeout = '300ms'",
          "ALTER ROLE mmuser SET default_transaction_isolation = 'serializable'",
          ...(name === "PostgreSQL 12"
            ? []
            : ["ALTER ROLE mmuser SET transaction_timeout = '300ms'"]),
        ],
        "ALTER ROLE mmuser RESET ALL",
      ]
      : [["SET GLOBAL wait_timeout = 1"], "SET GLOBAL wait_timeout = 28800"];
    for (const text of set) await server.sql(text);
    // PgBouncer's pool has connections from before.
    await pooler?.restart();
    try {
      await withSession(source, async (holder) => {
        await lockSoon(holder);
        await pause(1800);
        await withSession(source, (next) => holderOf(next));
        if (postgres) {
          const [{ backend_xmin } = {}] = await sessions("mattermost");
          assert.equal(backend_xmin, null);
        }
        assert.equal((await holder.facts()).readOnly, false);
      });
    } finally {
      await server.sql(reset);
      await pooler?.restart();
    }
  });

  if (!postgres) continue;

  Deno.test(`${name}: a holder has no snapshot and locks no table, and whoever has tried has no transaction`, async () => {
    const tables =
      "CREATE TABLE users (teamid text); CREATE TABLE systems (name text, value text); CREATE TABLE db_migrations (version int, name text)";
    await server.sql(`SET ROLE mmuser; ${tables}`, "mattermost");
    const idle = { relations: null, backend_xmin: null, state: "idle" };
    await withSession(source, async (holder) => {
      await withSession(source, async (next) => {
        await lockSoon(holder, "web-1");
        assert.equal((await holder.facts()).schema.installed, true);
        await holderOf(next);
        const application_name = "mattermost-entrypoint";
        assert.deepEqual(await sessions("mattermost"), [{
          ...idle,
          application_name: `${application_name} on web-1`,
          state: "idle in transaction",
          relations: "pg_settings",
        }, { ...idle, application_name }]);
        // Another program's tables: queries fail, but not the transaction of the lock.
        for (const change of ["DROP COLUMN value", "ADD COLUMN content text"]) {
          await server.sql(`ALTER TABLE systems ${change}`, "mattermost");
          await holder.facts().catch(() => {});
        }
        await server.sql(
          "DROP TABLE users, systems, db_migrations",
          "mattermost",
        );
        assert.deepEqual((await holder.facts()).schema.migrations, []);
        await holderOf(next);
      });
    });
  });
}
