/**
 * Starts, migrations and `app:check` against a real database, with everything else in
 * memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { checkDatabase } from "../../lib/commands/check/database.ts";
import type { Finding } from "../../lib/commands/check/finding.ts";
import type { Context } from "../../lib/startup/context.ts";
import { migrate } from "../../lib/commands/migrate.ts";
import { openDatabase } from "../../lib/startup/open_database.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import { start } from "../../lib/commands/start.ts";
import { connect } from "../../lib/database/connect.ts";
import { EntrypointError } from "../../lib/errors.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { fileNamesOf, tablesOf } from "../support/release_migrations.ts";
import type { FakeSystem, World } from "../support/fake_system.ts";
import { Handoff } from "../support/fake_system.ts";
import {
  age,
  CONFIG,
  INSTALL,
  installed,
  stage,
} from "../support/installation.ts";

const PASSWORD = "p@ss:w/ord of starts";
const VERSION = "/opt/mattermost/data/VERSION";

const database = await startPostgres({ password: PASSWORD });

interface Conditions extends World {
  /** The name of the database, which is created if it does not exist. */
  readonly name: string;
}

/** Makes a container in memory that uses the real database and the real clock. */
async function container(
  { name, env = {}, files = installed(), ...world }: Conditions,
): Promise<{ readonly system: FakeSystem; readonly context: Context }> {
  const found = await database.sql(
    `SELECT 1 FROM pg_database WHERE datname = '${name}'`,
  );
  if (found.length === 0) await database.sql(`CREATE DATABASE ${name}`);
  for (const directory of ["/tmp", `${INSTALL}/client/plugins`]) {
    files.makeDirectory(directory, 0o777);
  }
  const program = files.nodes.get(`${INSTALL}/bin/mattermost`);
  if (program) program.text = fileNamesOf("11.7.9").join("");
  const staged = stage({
    ...world,
    files,
    now: Date.now(),
    env: {
      MATTERMOST_VERSION: "11.7.9",
      DB_ADAPTER: "postgres",
      DB_HOST: database.host,
      DB_PORT: String(database.port),
      DB_USER: database.user,
      DB_PASS: PASSWORD,
      DB_NAME: name,
      DB_TIMEOUT: "0",
      ...env,
    },
  });
  const { clock } = staged.system;
  clock.elapsed = () => performance.now();
  clock.sleep = (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds);
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    });
  return staged;
}

/** Creates the tables of a release. */
async function fill(name: string, release = "11.7.9"): Promise<void> {
  await database.sql(tablesOf(release), name);
}

/** The commands with which a server was asked for its release. */
function questions({ watched }: FakeSystem): readonly (readonly string[])[] {
  return watched.map(({ command }) => command)
    .filter((command) => command.includes("version"));
}

Deno.test("a start writes all files, and then executes the server as its user", async () => {
  const { system, context } = await container({ name: "first" });
  await assert.rejects(start(["--", "--extra"], context), Handoff);
  const [plan, ...others] = system.handoffs;
  assert.deepEqual(others, []);
  assert.deepEqual(plan?.args, [
    `${INSTALL}/bin/mattermost`,
    "--config",
    CONFIG,
    "--extra",
  ]);
  assert.deepEqual(system.identities, [{ uid: 2000, gid: 2000 }]);
  assert.equal(system.files.readText(VERSION), "11.7.9\n");
  assert.equal(system.files.stat(CONFIG)?.mode, 0o600);
  assert.ok(!system.err.text.includes(PASSWORD));
  // The start compares the server's release with the one that the image names.
  assert.deepEqual(questions(system), [
    [`${INSTALL}/bin/mattermost`, "version", "--skip-server-start"],
  ]);
  // As root, a start has to find out which ports the server's user may not use.
  assert.deepEqual(system.children.map(({ command }) => command), [
    ["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"],
  ]);
  assert.equal(system.gifts.length, 1);
});

Deno.test("the server's release is queried once for each image", async () => {
  const { system, context } = await container({ name: "first" });
  await assert.rejects(start([], context), Handoff);
  const { files } = system;
  const queries = async (): Promise<number> => {
    const again = await container({ name: "first", files });
    await assert.rejects(start([], again.context), Handoff);
    return questions(again.system).length;
  };
  assert.equal(await queries(), 0);
  // A new image of the same release.
  age(files, VERSION, 2000);
  assert.equal(await queries(), 1);
  assert.equal(await queries(), 0);
});

Deno.test("a server of another release than the image's is not started, and nothing is written", async () => {
  const { system, context } = await container({
    name: "first",
    watchChild: () => ({ lines: ["Version: 11.6.0"], code: 0 }),
  });
  const { steps } = system.files;
  await assert.rejects(
    start([], context),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      error.message ===
        `MATTERMOST_VERSION is 11.7.9, but the server in ${INSTALL} reports release 11.6.0`,
  );
  assert.equal(system.files.steps, steps);
});

Deno.test("data of a newer release stops a start before anything is written", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data");
  files.place(VERSION, "11.10.0\n");
  const { system, context } = await container({ name: "newer", files });
  await fill("newer", "11.10.0");
  const { length } = files.journal;
  await assert.rejects(
    start([], context),
    (error) => error instanceof EntrypointError && error.code === 78,
  );
  // Only the copy for the judging server was made and removed.
  assert.deepEqual(
    files.journal.slice(length).filter((step) => !step.includes(" /tmp/")),
    [],
  );
  assert.deepEqual(system.handoffs, []);
});

Deno.test("app:migrate runs the server in the foreground as its user, and returns its exit code", async () => {
  for (const code of [3, 0]) {
    const { system, context } = await container({
      name: "migrated",
      runChild: async ({ command }) => {
        if (command[1] === "db" && code === 0) await fill("migrated");
        return { code, stdout: "", stderr: "" };
      },
    });
    assert.equal(await migrate([], context), code);
    const [child] = system.children;
    assert.equal(questions(system).length, 1);
    assert.equal(system.gifts.length, 1);
    assert.deepEqual(
      [child?.command.slice(0, 3), child?.output, child?.cwd],
      [
        [`${INSTALL}/bin/mattermost`, "db", "migrate"],
        "inherit",
        INSTALL,
      ],
    );
    assert.deepEqual(system.identities, [{ uid: 2000, gid: 2000 }]);
    assert.match(
      system.err.text,
      code === 0
        ? /The migration is complete/
        : /The migration ended with code 3/,
    );
    // VERSION is written only after a complete migration.
    assert.equal(system.files.stat(VERSION) !== undefined, code === 0);
  }
});

Deno.test("app:migrate connects again to check the result if its connection was lost", async () => {
  const name = "idle";
  for (const isFilled of [false, true]) {
    const { system, context } = await container({
      name,
      env: { DB_TIMEOUT: "5" },
      runChild: async ({ command }) => {
        if (command[1] === "db") {
          if (isFilled) await fill(name);
          await database.sql(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mattermost-entrypoint' AND datname = '${name}'`,
          );
        }
        return { code: 0, stdout: "", stderr: "" };
      },
    });
    const migrating = migrate([], context);
    if (isFilled) {
      assert.equal(await migrating, 0);
    } else {
      await assert.rejects(
        migrating,
        (error) =>
          error instanceof EntrypointError && error.code === 78 &&
          error.message.startsWith("The migration failed although"),
      );
    }
    assert.equal(system.files.stat(VERSION) !== undefined, isFilled);
  }
});

Deno.test("app:migrate checks the result in the schema that the data source names", async () => {
  const { port, user } = database;
  const path = "search_path=chat";
  for (const isFilled of [false, true]) {
    // A migration that fails ends the program, and with it the session that holds the lock.
    const name = `schema_${isFilled}`;
    const { system, context } = await container({
      name,
      env: {
        MM_SQLSETTINGS_DRIVERNAME: "postgres",
        MM_SQLSETTINGS_DATASOURCE: `postgres://${user}:${
          encodeURIComponent(PASSWORD)
        }@127.0.0.1:${port}/${name}?sslmode=disable&${path}`,
      },
      runChild: async ({ command }) => {
        if (command[1] === "db" && isFilled) {
          await database.sql(`SET ${path}; ${tablesOf("11.7.9")}`, name);
        }
        return { code: 0, stdout: "", stderr: "" };
      },
    });
    await database.sql("CREATE SCHEMA IF NOT EXISTS chat", name);
    const migrating = migrate([], context);
    if (isFilled) {
      assert.equal(await migrating, 0);
      assert.match(system.err.text, /The migration is complete/);
    } else {
      await assert.rejects(migrating, /The migration failed although/);
    }
  }
});

Deno.test("app:migrate does nothing for a release that migrates when it starts", async () => {
  const { system, context } = await container({
    name: "first",
    env: { MATTERMOST_VERSION: "5.37.10" },
  });
  assert.equal(await migrate([], context), 0);
  assert.match(system.err.text, /migrates its database when it starts/);
  assert.deepEqual(system.children, []);
  assert.equal(system.files.stat(CONFIG), undefined);
});

Deno.test("app:migrate waits for the migration of another container, and finds it complete", async () => {
  const { system, context } = await container({ name: "turns" });
  const { database: { source } } = await makePlan(context);
  const other = await connect(source, { signal: AbortSignal.timeout(30_000) });
  assert.equal(await other.lock("mattermost-entrypoint", ""), "held");
  const waiting = migrate([], context);
  while (!system.err.text.includes("another container is migrating")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await fill("turns");
  system.files.makeDirectory("/opt/mattermost/data");
  system.files.place(VERSION, "11.7.9\n");
  await other.close();
  assert.equal(await waiting, 0);
  assert.match(system.err.text, /The other migration finished/);
});

Deno.test("a wrong password ends with 77 at once if DB_TIMEOUT is 0", async () => {
  const { system, context } = await container({
    name: "first",
    env: { DB_PASS: "another p@ss" },
  });
  await assert.rejects(
    openDatabase(await makePlan(context), context),
    (error) => error instanceof EntrypointError && error.code === 77,
  );
  assert.ok(!system.err.text.includes("another p@ss"));
});

Deno.test("a start waits for a database that does not exist yet, and logs that", async () => {
  const { system, context } = await container({
    name: "first",
    env: { DB_NAME: "later", DB_TIMEOUT: "30" },
  });
  const plan = await makePlan(context);
  const opening = openDatabase(plan, context);
  while (!system.err.text.includes("Waiting")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await database.sql("CREATE DATABASE later");
  const { session, facts } = await opening;
  await session.close();
  assert.equal(facts.product, "PostgreSQL");
});

interface CheckConditions extends Conditions {
  /** Milliseconds by which the container's clock is ahead. */
  readonly ahead?: number;
  readonly signal?: AbortSignal;
}

async function findings(
  { ahead = 0, signal, ...conditions }: CheckConditions,
): Promise<string[]> {
  const { system, context } = await container(conditions);
  system.clock.now = () => Date.now() + ahead;
  const found: readonly Finding[] = await checkDatabase({
    plan: await makePlan(context),
    system,
    signal: signal ?? context.signal,
    trusted: () => undefined,
  });
  return found.map(({ level, check, message }) =>
    `${level} ${check}: ${message}`.replace(String(database.port), "PORT")
  );
}

Deno.test("app:check reports a good database, and what the next start does with it", async () => {
  const [login, ...others] = await findings({
    name: "checked",
    hosts: { localhost: ["127.0.0.1"] },
  });
  assert.match(
    login ?? "",
    /^ok database\.login: PostgreSQL \S+ at 127\.0\.0\.1:PORT accepts logins from postgres to the database checked$/,
  );
  assert.deepEqual(
    others.map((line) => line.replace(/(collation ).*/, "$1…")),
    [
      "ok database.tls: The connection is not encrypted (DB_SSL_MODE=disable)",
      "ok database.rights: The user postgres may create tables and write data",
      "ok database.encoding: The database has the encoding UTF8 and the collation …",
      "ok database.clock: The clock of the database agrees with the clock of this host",
      "ok database.upgrade: The database is empty, and the first start creates its tables",
      "ok database.driver: The database accepts the login of the server's own driver",
    ],
  );
});

Deno.test("app:check counts the migrations that the next start brings, or says that they are not known", async () => {
  const conditions = { name: "older", hosts: { localhost: ["127.0.0.1"] } };
  const upgrade = async (files = installed()): Promise<string[]> =>
    (await findings({ ...conditions, files }))
      .filter((line) => line.includes(" database.upgrade: "));
  await findings(conditions);
  await fill("older", "10.11.10");
  assert.deepEqual(await upgrade(), [
    "ok database.upgrade: The next start brings 30 migrations: back the database up before",
  ]);
  const files = installed();
  files.remove(`${INSTALL}/bin/mattermost`);
  assert.deepEqual(await upgrade(files), [
    "ok database.upgrade: The next start may migrate the database: back it up before",
    "warning database.upgrade: The migrations of Mattermost 11.7.9 could not be read from its program, so a database of a newer release is not recognised",
  ]);
});

Deno.test("app:check reports clocks that differ, a limited encoding, and a refused upgrade", async () => {
  await database.sql(
    "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
  );
  await fill("latin", "11.10.0");
  const files = installed();
  files.makeDirectory("/opt/mattermost/data");
  files.place(VERSION, "11.10.0\n");
  for (const [ahead, expected] of [[60_000, "behind"], [-60_000, "ahead of"]]) {
    const found = await findings({
      name: "latin",
      files,
      ahead: Number(ahead),
    });
    assert.ok(
      found.includes(
        `warning database.clock: The clock of the database is 60 s ${expected} the clock of this host`,
      ),
      found.join("\n"),
    );
    assert.ok(
      found.includes(
        "warning database.encoding: The database has the encoding LATIN1, which cannot store every character, such as emoji",
      ),
      found.join("\n"),
    );
    assert.match(found.join("\n"), /^failed database\.upgrade: /m);
  }
});

Deno.test("app:check reports a missing privilege, a refused login, and a timeout", async () => {
  await database.sql("CREATE ROLE reader LOGIN PASSWORD 'read3r'");
  const found = await findings({
    name: "checked",
    env: { DB_USER: "reader", DB_PASS: "read3r" },
  });
  assert.match(found.join("\n"), /^failed database\.rights: /m);
  const [refused] = await findings({
    name: "checked",
    env: { DB_PASS: "another p@ss" },
  });
  assert.match(refused ?? "", /^failed database\.login: .*password/);
  const late = AbortSignal.abort(new DOMException("late", "TimeoutError"));
  const [silent, ...none] = await findings({ name: "checked", signal: late });
  assert.match(silent ?? "", /^failed database\.login: /);
  assert.deepEqual(none, []);
});

Deno.test("the database of these tests stops", () => database.stop());
