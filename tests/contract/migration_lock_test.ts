/**
 * Two containers and one database: whoever migrates holds a lock, which ends with it, and whoever
 * waits does not slow it down. On PostgreSQL also through PgBouncer.
 *
 * @module
 */

import assert from "node:assert/strict";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { signalTree } from "../../tools/shared/process.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { startPgbouncer } from "../servers/pgbouncer.ts";
import { MARIADB_SERVER, PGBOUNCER } from "../support/database_needs.ts";
import { shown } from "../support/home.ts";
import {
  change,
  migrations,
  MIGRATOR,
  PASSWORD,
  prepare,
  type Product,
  type Stage,
} from "../support/migration_stage.ts";
import { testWith } from "../support/needs.ts";
import { COMPILED, type Running, start } from "../support/program.ts";
import { tablesOf } from "../support/release_migrations.ts";

const WAITING_REGEXP = /Waiting: another container is migrating this database/;

const postgres = await startPostgres({ settings: { log_statement: "all" } });
await postgres.sql(`CREATE ROLE mattermost LOGIN PASSWORD '${PASSWORD}'`);
const mariadb = MARIADB_SERVER.isMet ? await startMariadb() : undefined;
await mariadb?.sql(
  `CREATE USER mattermost IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON *.* TO mattermost`,
);
const users = { mattermost: PASSWORD };
const poolers = PGBOUNCER.isMet
  ? await Promise.all(
    (["session", "transaction", "statement"] as const).map((mode) =>
      startPgbouncer(postgres, { mode, users })
    ),
  )
  : [];
const [session, transaction, statement] = poolers;

interface Place extends Product {
  readonly name: string;
}

/** The ways to a database on which locks work. */
const places: Place[] = [
  { name: "PostgreSQL", adapter: "postgres", server: postgres },
  ...[[session, "session"], [transaction, "transaction"]] as const,
  { name: "MariaDB", adapter: "mysql", server: mariadb },
].flatMap((place) => {
  if ("name" in place) {
    const { server } = place;
    return server === undefined ? [] : [{ ...place, server } as Place];
  }
  const [pooler, mode] = place;
  return pooler === undefined ? [] : [{
    name: `PgBouncer in ${mode} mode`,
    adapter: "postgres",
    server: postgres,
    port: pooler.port,
  }];
});
testWith([MARIADB_SERVER], "MariaDB in this file", () => {});
testWith([PGBOUNCER], "PgBouncer in this file", () => {});

/** Two containers with 9.5.0 and one new database; the first one is migrating it. */
async function twoContainers(
  place: Place,
  { holderEnv = {}, schema }: {
    readonly holderEnv?: Readonly<Record<string, string>>;
    readonly schema?: string;
  } = {},
): Promise<{
  readonly first: Stage;
  readonly second: Stage;
  readonly holder: Running;
}> {
  const version = "9.5.0";
  const first = await prepare(place, {
    version,
    ...(schema === undefined ? {} : { schema }),
  });
  const second = await prepare(place, { version, existing: first.database });
  for (const { home } of [first, second]) {
    await home.installServer(version, MIGRATOR);
  }
  const env = { ...first.env, ...holderEnv };
  const holder = start(COMPILED, ["app:migrate"], { env });
  await holder.until(/migrating/);
  return { first, second, holder };
}

/** Lets the first container finish: the tables are there, and its server ends. */
async function finish(place: Place, { home, database }: Stage): Promise<void> {
  await change(place, database, tablesOf("9.5.0"));
  await home.write("marks/go", "");
}

for (const place of places) {
  const { name, adapter, server } = place;

  Deno.test(`${name}: of two app:migrate at the same time, one migrates and the other waits`, async () => {
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    const waiter = start(COMPILED, ["app:migrate"], { env: second.env });
    await waiter.until(WAITING_REGEXP);
    await finish(place, first);
    const [one, other] = await Promise.all([holder.outcome, waiter.outcome]);
    assert.deepEqual([one.code, other.code], [0, 0], other.stderr);
    assert.match(other.stderr, /The database has already been migrated\n$/);
    assert.equal(await migrations(first.home), 1);
    assert.equal(await migrations(second.home), 0);
  });

  Deno.test(`${name}: a migration that is killed releases the lock`, async () => {
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    const waiter = start(COMPILED, ["app:migrate"], { env: second.env });
    await waiter.until(WAITING_REGEXP);
    holder.kill("SIGKILL");
    // Its child process survives here; in a container it would not.
    await first.home.write("marks/go", "");
    await waiter.until(/^migrating$/m);
    await finish(place, second);
    const { code, stderr } = await waiter.outcome;
    assert.equal(code, 0, stderr);
    assert.equal(await migrations(second.home), 1);
    assert.equal((await holder.outcome).signal, "SIGKILL");
  });

  Deno.test(`${name}: a migration that has ended leaves no lock behind`, async () => {
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    // With the same number of migrations, the second container migrates as well.
    await first.home.write("marks/fail", "");
    await first.home.write("marks/go", "");
    assert.equal((await holder.outcome).code, 17);
    const next = start(COMPILED, ["app:migrate"], { env: second.env });
    await next.until(/^migrating$/m);
    await finish(place, second);
    const { code, stderr } = await next.outcome;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /Waiting/);
  });

  Deno.test(`${name}: a start waits for a running migration`, async () => {
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    const replica = start(COMPILED, ["app:start"], { env: second.env });
    await replica.until(WAITING_REGEXP);
    await finish(place, first);
    const { code, stdout, stderr } = await replica.outcome;
    assert.equal(code, 0, stderr);
    assert.equal(shown(stdout).pid, replica.pid);
    assert.match(stderr, /The other migration finished/);
    assert.equal((await holder.outcome).code, 0);
  });

  Deno.test(`${name}: a start that waited applies the upgrade rules again`, async () => {
    const { first, second, holder } = await twoContainers(place, {
      schema: tablesOf("9.1.0"),
    });
    await using _ = first.home;
    await using __ = second.home;
    await second.home.installServer("9.3.0", MIGRATOR);
    const env = { ...second.env, MATTERMOST_VERSION: "9.3.0" };
    const replica = start(COMPILED, ["app:start"], { env });
    await replica.until(WAITING_REGEXP);
    await change(
      place,
      first.database,
      "INSERT INTO db_migrations VALUES (114, 'migration_114'), (115, 'migration_115')",
    );
    await first.home.write("marks/go", "");
    const { code, stderr } = await replica.outcome;
    assert.equal(code, 78, stderr);
    assert.match(
      stderr,
      /has migration 115 migration_115, which Mattermost 9\.3\.0 does not contain/,
    );
    await holder.outcome;
  });

  Deno.test(`${name}: whoever waits for a stopped container ends after DB_MIGRATION_TIMEOUT, and says whose session to end`, async () => {
    const { first, second, holder } = await twoContainers(place, {
      holderEnv: { HOSTNAME: "web-1" },
    });
    await using _ = first.home;
    await using __ = second.home;
    const stopped = signalTree(holder.pid, "SIGSTOP");
    const waiter = start(COMPILED, ["app:start"], {
      env: { ...second.env, DB_MIGRATION_TIMEOUT: "2" },
    });
    const { code, stderr } = await waiter.outcome;
    assert.equal(code, 69, stderr);
    const [, who = "", statement = ""] = new RegExp(
      "error: Another container is still migrating this database \\((.*)\\) after DB_MIGRATION_TIMEOUT=2 s\n.*→ Read the log .*: ((?:SELECT|KILL) .*;)\n$",
    ).exec(stderr) ?? [];
    assert.match(
      who,
      adapter === "postgres"
        ? /^mattermost-entrypoint on web-1, .*user mattermost, session \d+, since 20\d\d-\S+Z$/
        : /^address 127\.0\.0\.1:\d+, user mattermost, session \d+, since 20\d\d-\S+Z$/,
      stderr,
    );
    // What the remedy says frees the lock.
    await server.sql(
      adapter === "postgres" ? `SET ROLE mattermost; ${statement}` : statement,
      first.database,
    );
    const next = start(COMPILED, ["app:migrate"], { env: second.env });
    await next.until(/^migrating$/m);
    for (const pid of stopped) Deno.kill(pid, "SIGCONT");
    await finish(place, first);
    await second.home.write("marks/go", "");
    assert.equal((await next.outcome).code, 0);
    assert.equal((await holder.outcome).code, 0);
  });

  Deno.test(`${name}: a signal ends the wait at once`, async () => {
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    const waiter = start(COMPILED, ["app:start"], { env: second.env });
    await waiter.until(WAITING_REGEXP);
    const began = performance.now();
    waiter.kill("SIGTERM");
    const { code, stderr } = await waiter.outcome;
    assert.equal(code, 143, stderr);
    assert.ok(performance.now() - began < 2000);
    await finish(place, first);
    assert.equal((await holder.outcome).code, 0);
  });

  if (adapter === "postgres") {
    Deno.test(`${name}: three containers that wait do not slow a migration down`, async () => {
      const { first, second, holder } = await twoContainers(place);
      await using _ = first.home;
      await using __ = second.home;
      const { database } = first;
      await server.sql(
        "CREATE TABLE posts AS SELECT n AS id FROM generate_series(1, 100000) n",
        database,
      );
      const alone = await index(database, "alone");
      const waiters = [1, 2, 3].map(() =>
        start(COMPILED, ["app:migrate"], { env: second.env })
      );
      for (const waiter of waiters) await waiter.until(WAITING_REGEXP);
      const together = await index(database, "together");
      // Whoever waited in a statement would cost each index 5 seconds.
      assert.ok(
        together < 3 * alone + 3000,
        `${Math.round(together)} ms, alone ${Math.round(alone)} ms`,
      );
      // The holder's transaction is idle and has no snapshot, and no waiter has a transaction.
      const states = await server.sql(`
        SELECT state, backend_xmin IS NULL AS free, count(*)::int AS sessions
        FROM pg_stat_activity, pg_sleep(0.1)
        WHERE datname = '${database}' AND now() - state_change > '0.05 s'
        GROUP BY 1, 2 ORDER BY 1`);
      assert.ok(states.every(({ free }) => free), JSON.stringify(states));
      assert.deepEqual(
        states.filter(({ state }) => state !== "idle"),
        [{ state: "idle in transaction", free: true, sessions: 1 }],
      );
      await finish(place, first);
      for (const { outcome } of [holder, ...waiters]) {
        const { code, stderr } = await outcome;
        assert.equal(code, 0, stderr);
      }
    });
  }
}

Deno.test("a start without pending migrations takes no lock, and sends nothing for it", async () => {
  const place: Place = {
    name: "PostgreSQL",
    adapter: "postgres",
    server: postgres,
  };
  const schema = tablesOf("9.5.0");
  const { home, env } = await prepare(place, { version: "9.5.0", schema });
  await using _ = home;
  await home.installServer("9.5.0", MIGRATOR);
  const began = (await Deno.readTextFile(postgres.log)).length;
  // From the second start on, the tables are expected.
  for (const _time of ["first", "second"]) {
    const { code, stderr } = await start(COMPILED, [], { env }).outcome;
    assert.equal(code, 0, stderr);
  }
  const log = (await Deno.readTextFile(postgres.log)).slice(began);
  // Two for the facts of the first start, one for those of the second.
  assert.equal(log.match(/ LOG: {2}statement: /g)?.length, 3, log);
  assert.doesNotMatch(log, /advisory|BEGIN|SAVEPOINT/);
});

/** Creates eight indexes as migrations do, and returns the milliseconds. */
async function index(database: string, name: string): Promise<number> {
  const began = performance.now();
  for (let number = 0; number < 8; number++) {
    await postgres.sql(
      `CREATE INDEX CONCURRENTLY ${name}${number} ON posts (id)`,
      database,
    );
  }
  return performance.now() - began;
}

testWith(
  [PGBOUNCER],
  "PgBouncer in statement mode: a migration goes on without a lock, and says so",
  async () => {
    assert.ok(statement !== undefined);
    const place: Place = {
      name: "statement",
      adapter: "postgres",
      server: postgres,
      port: statement.port,
    };
    const { first, second, holder } = await twoContainers(place);
    await using _ = first.home;
    await using __ = second.home;
    await finish(place, first);
    const { code, stderr } = await holder.outcome;
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /warning: PgBouncer's pool_mode is statement, .*\n.*→ In pgbouncer\.ini: pool_mode = transaction\n/,
    );
  },
);

Deno.test.afterAll(async () => {
  for (const pooler of poolers) await pooler.stop();
  await postgres.stop();
  await mariadb?.stop();
});
