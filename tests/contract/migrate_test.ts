/**
 * Migrations and upgrades: fake servers with the command line of their releases, and real
 * databases with the tables of those releases.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { MARIADB_SERVER } from "../support/database_needs.ts";
import { type Home, SHOW, shown } from "../support/home.ts";
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
import {
  fileNamesOf,
  rowsOf,
  tablesOf,
} from "../support/release_migrations.ts";
import {
  assertClean,
  COMPILED,
  launch,
  type Outcome,
  type Program,
  runProgram,
  start,
  testPrograms,
} from "../support/program.ts";

const postgres: Product = {
  adapter: "postgres",
  server: await startPostgres(),
};
const mariadb: Product | undefined = MARIADB_SERVER.isMet
  ? { adapter: "mysql", server: await startMariadb() }
  : undefined;
const products = mariadb === undefined ? [postgres] : [postgres, mariadb];
await postgres.server.sql(
  `CREATE ROLE mattermost LOGIN PASSWORD '${PASSWORD}'`,
);
await mariadb?.server.sql(
  `CREATE USER mattermost IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON *.* TO mattermost`,
);

const SYSTEMS =
  "CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value varchar(1024))";
const USERS =
  "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, Username varchar(64))";
const USERS_OF_2 =
  "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, TeamId varchar(26))";
const MIGRATIONS =
  "CREATE TABLE db_migrations (Version bigint NOT NULL PRIMARY KEY, Name varchar(64) NOT NULL)";

/** The tables that a release up to 6.3 leaves. */
function born(version: string): string {
  const users = version.startsWith("2.") ? USERS_OF_2 : USERS;
  return `${SYSTEMS}; ${users}; INSERT INTO Systems VALUES ('Version', '${version}')`;
}

/** `-upgrade_db_30` of 3.0 to 3.3: asks two questions on standard input. */
const UPGRADER = `
if [ "$3" = -upgrade_db_30 ]; then
  echo 'Have you performed a database backup? (YES/NO)'
  read -r backup
  [ "$backup" = YES ] || { echo "not YES: $backup"; exit 1; }
  echo 'Which team is the primary one?'
  read -r team
  [ "$team" = core ] || { echo "no team $team"; exit 1; }
  echo "$@" >>"$HOME/marks/migrations"
  exit 0
fi
${SHOW}`;

async function versionOf({ version }: Home): Promise<string | undefined> {
  return await Deno.readTextFile(version).catch(() => undefined);
}

testPrograms(
  "app:migrate runs the server's migration and shows its output",
  async (program) => {
    const { home, env, database } = await prepare(postgres, {
      version: "9.5.0",
    });
    await using _ = home;
    await home.installServer("9.5.0", MIGRATOR);
    const running = start(program, ["app:migrate"], { env });
    await running.until(/^migrating$/m);
    await change(postgres, database, tablesOf("9.5.0"));
    await home.write("marks/go", "");
    const outcome = await running.outcome;
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.equal(outcome.stdout, "migrating\nmigrated\n");
    assert.match(outcome.stderr, /Running db migrate of Mattermost 9\.5\.0\n/);
    assert.match(outcome.stderr, /The migration is complete\n$/);
    assert.equal(
      await Deno.readTextFile(join(home.path, "marks/migrations")),
      `db migrate --config ${home.config}\n`,
    );
    assert.equal(await versionOf(home), "9.5.0\n");
    assertClean(outcome, [PASSWORD]);
  },
);

testPrograms(
  "app:migrate ends with the server's exit code, and then does not write VERSION",
  async (program) => {
    const { home, env } = await prepare(postgres, { version: "9.5.0" });
    await using _ = home;
    await home.installServer("9.5.0", MIGRATOR);
    await home.write("marks/go", "");
    await home.write("marks/fail", "");
    const { code, stderr } = await runProgram(program, ["app:migrate"], {
      env,
    });
    assert.equal(code, 17);
    assert.match(stderr, /The migration ended with code 17\n$/);
    assert.equal(await versionOf(home), undefined);
  },
);

testPrograms(
  "an installed release that differs from MATTERMOST_VERSION is refused by each command",
  async (program) => {
    const { home, env } = await prepare(postgres, {
      version: "10.11.0",
      schema: tablesOf("10.11.0"),
    });
    await using _ = home;
    const refuses = async (
      command: string,
      before: Readonly<Record<string, string>>,
    ): Promise<void> => {
      const outcome = await runProgram(program, [command], { env });
      assert.deepEqual([outcome.code, outcome.stdout], [78, ""], command);
      assert.match(
        outcome.stderr,
        /MATTERMOST_VERSION is 10\.11\.0, but the server in \S+ reports release 11\.6\.0\n.*Remove MATTERMOST_VERSION/,
      );
      assertClean(outcome, [PASSWORD]);
      await home.assertUnchanged(before);
      assert.equal(await migrations(home), 0);
    };
    // On a new volume, and on one where the release of MATTERMOST_VERSION has run.
    const program11 = await home.installServer("11.6.0", MIGRATOR);
    await home.write("marks/go", "");
    const untouched = await home.snapshot();
    for (const command of ["app:migrate", "app:start", "app:config"]) {
      await refuses(command, untouched);
    }
    await home.installServer("10.11.0", MIGRATOR);
    const first = await runProgram(program, ["app:start"], { env });
    assert.equal(first.code, 0, first.stderr);
    assert.equal(await versionOf(home), "10.11.0\n");
    // The program of the other image is older than that start.
    await home.installServer("11.6.0", MIGRATOR);
    await Deno.utime(program11, 1_600_000_000, 1_600_000_000);
    const { ctime } = await Deno.stat(program11);
    const later = new Date((ctime?.getTime() ?? 0) + 60_000);
    await Deno.utime(home.version, later, later);
    const ran = await home.snapshot();
    for (const command of ["app:migrate", "app:start", "app:config"]) {
      await refuses(command, ran);
    }
    const { code, stdout } = await runProgram(program, ["app:check"], { env });
    assert.equal(code, 1, stdout);
    assert.match(
      stdout,
      /^failed settings\.release: MATTERMOST_VERSION is 10\.11\.0, but the server in \S+ reports release 11\.6\.0$/m,
    );
  },
);

testPrograms(
  "app:migrate does nothing if the server migrates when it starts",
  async (program) => {
    const { home, env } = await prepare(postgres, { version: "5.37.10" });
    await using _ = home;
    await home.installServer("5.37.10", "exit 99");
    const { code, stderr } = await runProgram(program, ["app:migrate"], {
      env,
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /5\.37\.10 migrates its database when it starts/);
  },
);

Deno.test("after a signal, the program waits for a running migration", async () => {
  const { home, env } = await prepare(postgres, { version: "9.5.0" });
  await using _ = home;
  await home.installServer("9.5.0", MIGRATOR);
  const running = start(COMPILED, ["app:migrate"], { env });
  await running.until(/migrating/);
  running.kill("SIGTERM");
  const { code, stdout, stderr } = await running.outcome;
  assert.equal(stdout, "migrating\ninterrupted\n");
  assert.match(stderr, /The migration ended with code 3\n$/);
  assert.equal(code, 143);
  assert.equal(await versionOf(home), undefined);
});

for (const product of products) {
  const { adapter } = product;

  Deno.test(`${adapter}: a migration that failed with exit code 0 is an error, and VERSION is not written`, async () => {
    const { home, env, database } = await prepare(product, {
      version: "6.7.2",
      // A table of another program, and the one that the server creates before its first migration.
      schema: `CREATE TABLE teams (Id varchar(26)); ${MIGRATIONS}`,
    });
    await using _ = home;
    await installFakeMattermost(home.install, "6.7.2");
    const { size } = await Deno.stat(join(home.install, "bin/mattermost"));
    const list = fileNamesOf("6.7.2");
    await home.write("mattermost/migrations.txt", [size, ...list].join("\n"));
    const migrate = (): Promise<Outcome> =>
      runProgram(COMPILED, ["app:migrate"], {
        env: { ...env, FAKE_MIGRATION: "fails" },
      });
    const outcome = await migrate();
    const { code, stdout, stderr } = outcome;
    assert.deepEqual(
      [code, stdout],
      [78, "Database successfully migrated\n"],
      stderr,
    );
    assert.match(stderr, /"msg":"Failed to apply database migrations\."/);
    assert.match(
      stderr,
      /^entrypoint: error: The migration failed although it ended with code 0: the table db_migrations lacks migration 1 migration_1 and 81 more; .*\n.*→ Correct .* run app:migrate again$/m,
    );
    assert.doesNotMatch(stderr, /is complete/);
    assert.equal(await versionOf(home), undefined);
    assertClean(outcome, [PASSWORD]);
    // It made progress, but did not finish.
    await change(
      product,
      database,
      `${SYSTEMS}; ${USERS}; INSERT INTO db_migrations VALUES ${
        rowsOf("6.5.0")
      }`,
    );
    const half = await migrate();
    assert.equal(half.code, 78, half.stderr);
    assert.match(half.stderr, /lacks migration 78 migration_78 and 4 more;/);
    assert.equal(await versionOf(home), undefined);
    await change(
      product,
      database,
      `DELETE FROM db_migrations; INSERT INTO db_migrations VALUES ${
        rowsOf("6.7.2")
      }`,
    );
    const whole = await migrate();
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stderr, /The migration is complete\n$/);
    assert.equal(await versionOf(home), "6.7.2\n");
  });

  Deno.test(`${adapter}: a database that is newer, up to date, or of an unknown release is migrated`, async () => {
    for (
      const [version, from] of [
        ["9.5.0", "9.5.0"],
        ["9.5.0", "9.11.0"],
        ["9.5.20", "9.5.7"],
        ["10.11.3", "11.2.0"],
      ] as const
    ) {
      const { home, env } = await prepare(product, {
        version,
        schema: tablesOf(from),
      });
      await using _ = home;
      await home.installServer(version, MIGRATOR);
      await home.write("marks/go", "");
      const { code, stderr } = await runProgram(COMPILED, ["app:migrate"], {
        env: { ...env, MATTERMOST_FORCE_UPGRADE: "true" },
      });
      assert.equal(code, 0, `${version} on ${from}: ${stderr}`);
      assert.match(stderr, /The migration is complete\n$/);
    }
  });
}

/** A database of release 2.2 and a server of 3.0. */
async function prepareFor3(): Promise<Stage> {
  const stage = await prepare(postgres, {
    version: "3.0.3",
    schema: born("2.2.0"),
  });
  await stage.home.installServer("3.0.3", UPGRADER, "platform");
  return stage;
}

testPrograms(
  "the migration to 3.0 runs without questions if a setting names the team",
  async (program) => {
    const { home, env, database } = await prepareFor3();
    await using _ = home;
    const settings = { ...env, MATTERMOST_MIGRATION_DEFAULT_TEAM: "core" };
    const { code, pid, stdout, stderr } = await runProgram(program, [
      "app:start",
    ], { env: settings });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Have you performed a database backup\?[^]*primary/);
    assert.equal(shown(stdout.slice(stdout.indexOf("pid="))).pid, pid);
    assert.equal(await migrations(home), 1);
    assert.equal(await versionOf(home), "3.0.3\n");
    assert.ok(!await home.wasAsked());
    await change(
      postgres,
      database,
      "ALTER TABLE Users DROP COLUMN TeamId; UPDATE Systems SET Value = '3.0.0'",
    );
    const again = await runProgram(program, ["app:start"], { env: settings });
    assert.equal(again.code, 0, again.stderr);
    assert.equal(await migrations(home), 1);
  },
);

testPrograms(
  "a migration to 3.0 that fails ends the start",
  async (program) => {
    const { home, env } = await prepareFor3();
    await using _ = home;
    const { code, stdout, stderr } = await runProgram(program, ["app:start"], {
      env: { ...env, MATTERMOST_MIGRATION_DEFAULT_TEAM: "nobody" },
    });
    assert.equal(code, 78, stderr);
    assert.match(stdout, /no team nobody\n$/);
    assert.match(
      stderr,
      /The migration to 3\.0 failed with exit code 1, so the server/,
    );
    assert.equal(await versionOf(home), undefined);
  },
);

testPrograms(
  "the migration to 3.0 is refused if nobody can name the team",
  async (program) => {
    const { home, env } = await prepareFor3();
    await using _ = home;
    const before = await home.snapshot();
    for (const command of ["app:start", "app:migrate"]) {
      const { code, stdout, stderr } = await runProgram(program, [command], {
        env,
      });
      assert.equal(code, 78, stderr);
      assert.equal(stdout, "");
      assert.match(
        stderr,
        /must be migrated before Mattermost 3\.0\.3 can start/,
      );
      assert.match(stderr, /→ Back up the database, then set MATTERMOST_MIGRA/);
      await home.assertUnchanged(before);
    }
  },
);

Deno.test("the migration to 3.0 asks its questions on a terminal", async () => {
  const { home, env } = await prepareFor3();
  await using _ = home;
  const command = `${COMPILED.command[0]} app:migrate`;
  const running = launch(
    ["script", "--quiet", "--return", "--command", command, "/dev/null"],
    { env, input: "YES\ncore\n" },
  );
  const { code, stdout } = await running.outcome;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Which team is the primary one\?/);
  assert.equal(await migrations(home), 1);
  assert.equal(await versionOf(home), "3.0.3\n");
});

interface Upgrade {
  readonly name: string;
  readonly schema: string;
  readonly target: string;
  readonly versionFile?: string;
  readonly on?: "mysql";
  readonly says: readonly RegExp[];
  /** Whether MATTERMOST_FORCE_UPGRADE overrides the refusal. */
  readonly policy: boolean;
}

const REFUSED: readonly Upgrade[] = [
  {
    name: "a downgrade to a release whose patches have more migrations",
    schema: tablesOf("9.11.0"),
    versionFile: "9.11.3",
    target: "9.5.9",
    says: [
      /migration_123 and 1 more, which .* 9\.5\.9 does not/,
      /tag 9\.11\.3 or/,
    ],
    policy: true,
  },
  {
    name: "a downgrade by releases that are years apart",
    schema: tablesOf("11.3.0"),
    target: "9.5.0",
    says: [
      /has migration 120 migration_120 and 28 more, which Mattermost 9\.5\.0 does not/,
      /for a step back to an earlier patch/,
    ],
    policy: true,
  },
  {
    name: "a downgrade that the server refuses too",
    schema: born("6.0.0"),
    target: "5.37.10",
    says: [/last migrated by Mattermost 6\.0\.x, .* 5\.37\.10 is older/],
    policy: false,
  },
  {
    name: "an upgrade that skips 5.31",
    schema: born("3.6.0"),
    target: "5.37.10",
    says: [
      /by 5\.31\.9 before Mattermost 5\.37\.10 can start/,
      /image tags 5\.31\.9, 5\.37\.10 in this/,
    ],
    policy: false,
  },
  {
    name: "an upgrade that skips extended support releases",
    schema: tablesOf("9.5.0"),
    versionFile: "9.5.0",
    target: "11.7.9",
    says: [
      /by 9\.11\.18 before Mattermost 11\.7\.9 can start/,
      /tags 9\.11\.18, 10\.5\.14, 10\.11\.23, 11/,
    ],
    policy: true,
  },
  {
    name: "migrations of 10.11 and 11.x with the same numbers",
    schema: tablesOf("10.11.17"),
    versionFile: "10.11.17",
    target: "11.7.0",
    says: [/the migration to 11\.7\.0 would fail/, /image tag 11\.7\.9/],
    policy: true,
  },
  {
    name: "a database of 2.x and a release without its migration",
    schema: born("2.2.0"),
    target: "3.6.7",
    says: [
      /only Mattermost 3\.0\.0 to 3\.3\.0 can/,
      /image tags 3\.3\.0, 3\.6\.7/,
    ],
    policy: false,
  },
  {
    name: "tables without a release",
    schema: `${SYSTEMS}; ${USERS}`,
    target: "9.5.0",
    says: [/neither Systems\.Version nor db_migrations nor data\/VERSION/],
    policy: true,
  },
  {
    name:
      "a new installation on MySQL with a release that no longer supports it",
    schema: "",
    on: "mysql",
    target: "11.7.9",
    says: [/Mattermost .* runs only on PostgreSQL, but DB_ADAPTER is mysql/],
    policy: false,
  },
  {
    name: "an installation on MySQL with a release that no longer supports it",
    schema: tablesOf("9.11.0"),
    versionFile: "9.11.0",
    on: "mysql",
    target: "11.7.9",
    says: [
      /but DB_ADAPTER is mysql, and the database was last migrated by Mattermost 9\.11\.0/,
      /run the image tags 10\.5\.14, 10\.11\.23 on MySQL; then move the data to PostgreSQL 14\.0 or newer \(docs\/from-mysql\.md\)/,
    ],
    policy: false,
  },
];

async function refuse(program: Program, upgrade: Upgrade): Promise<void> {
  const { schema, target, versionFile, on, says, policy } = upgrade;
  const product = on === "mysql" ? mariadb : postgres;
  assert.ok(product !== undefined);
  const { home, env } = await prepare(product, { version: target, schema });
  await using _ = home;
  await home.installServer(
    target,
    SHOW,
    Number(target.split(".")[0]) < 5 ? "platform" : "mattermost",
  );
  if (versionFile !== undefined) {
    await home.write("data/VERSION", `${versionFile}\n`);
  }
  const before = await home.snapshot();
  const refused = async (outcome: Outcome): Promise<void> => {
    const { code, stdout, stderr } = outcome;
    assert.deepEqual([code, stdout], [78, ""], stderr);
    for (const pattern of says) assert.match(stderr, pattern);
    assert.equal(
      /MATTERMOST_FORCE_UPGRADE=true overrides/.test(stderr),
      policy,
    );
    assertClean(outcome, [PASSWORD]);
    await home.assertUnchanged(before);
  };
  await refused(await runProgram(program, ["app:start"], { env }));
  const forced = await runProgram(program, ["app:start"], {
    env: { ...env, MATTERMOST_FORCE_UPGRADE: "true" },
  });
  if (!policy) return await refused(forced);
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stderr, /MATTERMOST_FORCE_UPGRADE overrides this ref/);
  assert.equal(await versionOf(home), `${target}\n`);
}

for (const upgrade of REFUSED) {
  const needs = upgrade.on === "mysql" ? [MARIADB_SERVER] : [];
  testWith(needs, `refused: ${upgrade.name}`, () => refuse(COMPILED, upgrade));
}

testPrograms(
  "an upgrade that is allowed continues and writes VERSION",
  async (program) => {
    const { home, env } = await prepare(postgres, {
      version: "9.5.0",
      schema: tablesOf("9.0.0"),
    });
    await using _ = home;
    await home.installServer("9.5.0");
    await home.write("data/VERSION", "9.0.5\n");
    const { code, stderr } = await runProgram(program, ["app:start"], { env });
    assert.equal(code, 0, stderr);
    assert.equal(await versionOf(home), "9.5.0\n");
  },
);

testPrograms(
  "without MATTERMOST_VERSION the server reports its release",
  async (program) => {
    const { home, env } = await prepare(postgres, { version: "" });
    await using _ = home;
    await home.installServer("10.5.2");
    const { code, stderr } = await runProgram(program, ["app:start"], { env });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^entrypoint: Mattermost 10\.5\.2 on PostgreSQL/m);
    assert.equal(await versionOf(home), "10.5.2\n");
  },
);

/** A 5.20: it takes the option for a mistake, and looks for its database before it answers. */
const NEEDS_DATABASE = `#!/bin/sh
case "$*" in
  "version --skip-server-start") echo 'Error: unknown flag: --skip-server-start' >&2; exit 1 ;;
  version) trap '' TERM; echo '{"msg":"Pinging SQL master database"}'; while :; do sleep 1; done ;;
esac
${SHOW}
`;

/** The same, but its answer would be refused: a package with bin/platform is not asked so. */
const NOT_ASKED = NEEDS_DATABASE.replace(
  /^ {2}version\).*$/m,
  "  version) echo 'Version: 9.9.9'; exit 0 ;;",
);

testPrograms(
  "a server that cannot report its release without its database is what MATTERMOST_VERSION says",
  async (program) => {
    for (const hasPlatform of [true, false]) {
      const { home, env } = await prepare(postgres, { version: "5.20.0" });
      await using _ = home;
      await home.write(
        "mattermost/bin/mattermost",
        hasPlatform ? NOT_ASKED : NEEDS_DATABASE,
        0o755,
      );
      if (hasPlatform) await home.installServer("5.20.0", SHOW, "platform");
      const start = performance.now();
      const { code, stderr } = await runProgram(program, ["app:start"], {
        env,
      });
      assert.equal(code, 0, stderr);
      // It ignores SIGTERM, and is killed before the time for an answer is over.
      assert.ok(performance.now() - start < 9000);
    }
  },
);

testPrograms(
  "a newer server than MATTERMOST_VERSION says is refused by each command, also below 6.5",
  async (program) => {
    for (const version of ["5.37.10", "5.20.0", "4.10.10", "3.6.7"]) {
      const { home, env } = await prepare(postgres, { version });
      await using _ = home;
      await home.installServer("11.7.9");
      const before = await home.snapshot();
      for (const command of ["app:start", "app:migrate", "app:config"]) {
        const { code, stderr } = await runProgram(program, [command], { env });
        assert.equal(code, 78, `${command} ${version}\n${stderr}`);
        assert.match(
          stderr,
          /MATTERMOST_VERSION is \S+, but the (?:server in \S+ reports release 11\.7\.9|program of the server is \S+\/bin\/mattermost, which only)/,
        );
        await home.assertUnchanged(before);
      }
      const { stdout } = await runProgram(program, ["app:check"], { env });
      assert.match(
        stdout,
        /^failed settings\.release: MATTERMOST_VERSION is \S+, but the server in \S+ reports release 11\.7\.9$/m,
      );
    }
  },
);

testPrograms(
  "a server before 5.0 is never asked for its release",
  async (program) => {
    const old = await prepare(postgres, { version: "3.6.7" });
    await using _old = old.home;
    await old.home.installServer("3.6.7", SHOW, "platform");
    const start = await runProgram(program, ["app:start"], { env: old.env });
    assert.equal(start.code, 0, start.stderr);
    assert.ok(!await old.home.wasAsked());
    const { home, env } = await prepare(postgres, { version: "" });
    await using _ = home;
    await home.installServer("3.6.7", SHOW, "platform");
    const { code, stderr } = await runProgram(program, ["app:start"], { env });
    assert.equal(code, 78, stderr);
    assert.match(stderr, /is too old to report its release/);
    assert.ok(!await home.wasAsked());
  },
);

Deno.test.afterAll(async () => {
  for (const { server } of products) await server.stop();
});
