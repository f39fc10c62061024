import assert from "node:assert/strict";
import {
  type MigrationWork,
  requireAnswers,
  runMigration,
  waitForMigration,
} from "../../../lib/startup/migration.ts";
import { makePlan, type Plan } from "../../../lib/startup/plan.ts";
import type { DatabaseFacts, Session } from "../../../lib/database/session.ts";
import type { Migration } from "../../../lib/mattermost/migrations.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Permit } from "../../../lib/upgrade/verdict.ts";
import { FACTS } from "../../support/database_facts.ts";
import type { World } from "../../support/fake_system.ts";
import type { Stage } from "../../support/installation.ts";
import {
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../support/installation.ts";
import { migrationsOf } from "../../support/release_migrations.ts";

const TO_3: Permit = {
  allowed: true,
  kind: "migrate-3.0",
  notices: [],
};
const UPGRADE: Permit = {
  allowed: true,
  kind: "upgrade",
  notices: [],
};

/** A migration of a database whose lock is free. */
function work(permit: Permit): MigrationWork {
  return {
    permit,
    database: { session: session(1, FACTS), facts: FACTS },
    migrations: { contained: undefined },
  };
}

async function ready(
  version: string,
  { env = {}, ...world }: World = {},
): Promise<Stage & { readonly plan: Plan }> {
  const files = installed();
  files.place(`${INSTALL}/bin/platform`, "", 0o755);
  const staged = stage({
    files,
    ...world,
    env: { ...ENOUGH, MATTERMOST_VERSION: version, ...env },
  });
  return { ...staged, plan: await makePlan(staged.context) };
}

Deno.test("the migration to 3.0 gets the team of the setting", async () => {
  const { plan, system, context } = await ready("3.0.3", {
    env: { MATTERMOST_MIGRATION_DEFAULT_TEAM: "core" },
  });
  requireAnswers(plan, TO_3, context);
  assert.equal(await runMigration(plan, work(TO_3), context), 0);
  const [child] = system.children;
  assert.deepEqual(
    [child?.command[0], child?.command.includes("-upgrade_db_30")],
    [`${INSTALL}/bin/platform`, true],
  );
  assert.equal(child?.input, "YES\ncore\n");
  assert.match(
    system.err.text,
    /Running the migration to 3\.0 of Mattermost 3\.0\.3/,
  );
});

Deno.test("a server for another machine ends the migration with 126, a missing one with 127", async () => {
  const refuse = (code: string | undefined) => (): never => {
    throw Object.assign(new Error("Failed to spawn"), { code });
  };
  for (
    const [code, exit] of [["ENOEXEC", 126], ["ENOENT", 127]] as const
  ) {
    const { plan, context } = await ready("3.0.0", {
      env: { MATTERMOST_MIGRATION_DEFAULT_TEAM: "core" },
      runChild: refuse(code),
    });
    await assert.rejects(
      runMigration(plan, work(TO_3), context),
      (error) => error instanceof EntrypointError && error.code === exit,
    );
  }
  const { plan, context } = await ready("3.0.0", {
    env: { MATTERMOST_MIGRATION_DEFAULT_TEAM: "core" },
    runChild: refuse(undefined),
  });
  await assert.rejects(
    runMigration(plan, work(TO_3), context),
    { message: "Failed to spawn" },
  );
});

Deno.test("on a terminal the operator answers the questions of the migration to 3.0", async () => {
  const { plan, system, context } = await ready("3.0.3", { isTerminal: true });
  requireAnswers(plan, TO_3, context);
  await runMigration(plan, work(TO_3), context);
  assert.deepEqual(system.children[0]?.input, { inherit: true });
});

Deno.test("if nobody can answer, the migration to 3.0 is refused before anything runs", async () => {
  const { plan, system, context } = await ready("3.0.3");
  assert.throws(
    () => requireAnswers(plan, TO_3, context),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      /belongs to Mattermost 2 and must be migrated before Mattermost 3\.0\.3 can/
        .test(error.message) &&
      error.remedy?.includes("MATTERMOST_MIGRATION_DEFAULT_TEAM=") === true,
  );
  requireAnswers(plan, UPGRADE, context);
  assert.deepEqual(system.children, []);
});

Deno.test("a release without a migration of its own runs none", async () => {
  for (const version of ["3.0.3", "5.37.10"]) {
    const { plan, system, context } = await ready(version);
    assert.equal(await runMigration(plan, work(UPGRADE), context), 0, version);
    assert.deepEqual(system.children, [], version);
  }
});

Deno.test("a migration with exit code 0 is complete only if the database has all migrations of the server", async () => {
  const contained = migrationsOf("11.7.9");
  const run = async (
    applied: readonly Migration[],
    known: readonly Migration[] | undefined,
  ): Promise<string> => {
    const { plan, system, context } = await ready("11.7.9");
    const facts = {
      ...FACTS,
      schema: { ...FACTS.schema, migrations: applied },
    };
    await runMigration(plan, {
      permit: UPGRADE,
      database: { session: session(1, facts), facts: FACTS },
      migrations: { contained: known },
    }, context);
    return system.err.text;
  };
  assert.match(await run(contained, contained), /The migration is complete/);
  // Forced on a database of a newer release; and where the server's migrations are not known.
  assert.match(await run(migrationsOf("13.4.0"), contained), /is complete/);
  assert.match(await run([], undefined), /is complete/);
  const cases: readonly (readonly [readonly Migration[], string])[] = [
    [[], "migration 1 migration_1 and 169 more"],
    [contained.slice(0, -1), "migration 171 migration_171"],
    [
      migrationsOf("10.11.17"),
      "migration 142 migration_142 and 26 more",
    ],
  ];
  for (const [applied, lacks] of cases) {
    await assert.rejects(
      run(applied, contained),
      (error) =>
        error instanceof EntrypointError && error.code === 78 &&
        error.message ===
          `The migration failed although it ended with code 0: the table db_migrations lacks ${lacks}; the server's log above has the error`,
    );
  }
});

const HOLDER = {
  description: "address 10.0.0.5, user mattermost, session 42",
  terminate: "KILL 42;",
};

/** A session that gets its lock at the given attempt, and remembers the hosts that it was given. */
function session(
  attempt: number,
  facts: DatabaseFacts,
  refusal: Exclude<Awaited<ReturnType<Session["lock"]>>, "held"> = HOLDER,
): Session & { readonly hosts: readonly string[] } {
  const hosts: string[] = [];
  return {
    hosts,
    facts: () => Promise.resolve(facts),
    lock: (_, host) =>
      Promise.resolve(hosts.push(host) >= attempt ? "held" : refusal),
    configuration: () => Promise.resolve(undefined),
    otherClients: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

Deno.test("a free lock is taken without a message, and the facts stay the same object", async () => {
  const { plan, system, context } = await ready("11.7.9", {
    env: { HOSTNAME: "web-1" },
  });
  const free = session(1, { ...FACTS, schema: { ...FACTS.schema } });
  const facts = await waitForMigration(
    plan,
    { session: free, facts: FACTS },
    context,
  );
  assert.equal(facts, FACTS);
  assert.deepEqual(free.hosts, ["web-1"]);
  assert.equal(system.err.text, "");
});

Deno.test("a start waits for the lock of another migration, says each minute who holds it, and gets the new facts", async () => {
  const { plan, system, context } = await ready("11.7.9");
  const changed = {
    ...FACTS,
    schema: { ...FACTS.schema, migrations: migrationsOf("11.7.9") },
  };
  const busy = session(40, changed);
  const facts = await waitForMigration(
    plan,
    { session: busy, facts: FACTS },
    context,
  );
  assert.equal(facts, changed);
  assert.equal(busy.hosts.length, 40);
  const lines = system.err.text.split("\n");
  const holder = HOLDER.description;
  assert.equal(
    lines[0],
    `entrypoint: Waiting: another container is migrating this database (${holder})`,
  );
  assert.match(
    lines[1] ?? "",
    /^entrypoint: Waiting \(6\d s of 3600 s\): another container .*session 42\)$/,
  );
  assert.match(lines.at(-3) ?? "", /Waiting \(1\d\d s of/);
  assert.equal(lines.at(-2), "entrypoint: The other migration finished");
});

Deno.test("the wait for the lock ends with 69 after DB_MIGRATION_TIMEOUT, and the remedy ends the holder's session", async () => {
  for (const limit of [0, 1, 90]) {
    const { plan, system, context } = await ready("11.7.9", {
      env: { DB_MIGRATION_TIMEOUT: `${limit}` },
    });
    const busy = session(Infinity, FACTS);
    const start = system.clock.elapsed();
    await assert.rejects(
      waitForMigration(plan, { session: busy, facts: FACTS }, context),
      (error) =>
        error instanceof EntrypointError && error.code === 69 &&
        error.message ===
          `Another container is still migrating this database (${HOLDER.description}) after DB_MIGRATION_TIMEOUT=${limit} s` &&
        error.remedy?.endsWith("end its session in the database: KILL 42;") ===
          true,
    );
    assert.equal(system.clock.elapsed() - start, 1000 * limit);
  }
});

Deno.test("a holder of whom the database tells nothing is not described", async () => {
  const { plan, system, context } = await ready("11.7.9", {
    env: { DB_MIGRATION_TIMEOUT: "1" },
  });
  const busy = session(Infinity, FACTS, { description: "" });
  await assert.rejects(
    waitForMigration(plan, { session: busy, facts: FACTS }, context),
    (error) =>
      error instanceof EntrypointError &&
      error.message.startsWith(
        "Another container is still migrating this database after ",
      ) &&
      error.remedy?.endsWith("when its migration has finished") === true,
  );
  assert.match(system.err.text, /is migrating this database$/m);
});

Deno.test("without locks a migration goes on with a warning", async () => {
  const { plan, system, context } = await ready("11.7.9");
  const pooled = session(Infinity, FACTS, "unsupported");
  assert.equal(
    await waitForMigration(plan, { session: pooled, facts: FACTS }, context),
    FACTS,
  );
  assert.match(
    system.err.text,
    /warning: PgBouncer's pool_mode is statement.*\n.*pool_mode = transaction/,
  );
});

Deno.test("a signal ends the wait for the lock", async () => {
  const { plan, context } = await ready("11.7.9");
  const ending = new AbortController();
  ending.abort("SIGTERM");
  await assert.rejects(
    waitForMigration(
      plan,
      { session: session(9, FACTS), facts: FACTS },
      { ...context, signal: ending.signal },
    ),
    (reason) => reason === "SIGTERM",
  );
});
