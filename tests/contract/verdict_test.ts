/**
 * The verdict of the installed server: the compiled program, fake servers of many releases that
 * judge as real ones were recorded to, and a real database.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { inRange } from "../../lib/release_range.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { migrationsOf } from "../fake_mattermost/migrations.ts";
import { readTable } from "../fake_mattermost/recorded.ts";
import { createHome, type Home } from "../support/home.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  runProgram,
  start,
} from "../support/program.ts";

const PASSWORD = "pass-of-the-database";

const database = await startPostgres({ password: PASSWORD });

/** The first and the last release of each way to judge. */
const RELEASES = [
  "3.3.0",
  "3.6.0",
  "4.10.10",
  "5.9.8",
  "5.20.0",
  "5.31.9",
  "5.37.10",
  "6.3.10",
  "6.7.2",
  "7.8.15",
  "8.1.13",
  "9.5.14",
  "10.11.23",
  "11.6.0",
  "13.4.0",
];

/** An installed release, and the settings for it. */
class Stage implements AsyncDisposable {
  readonly home: Home;
  readonly env: Readonly<Record<string, string>>;
  readonly #journal: string;

  private constructor(home: Home, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.env = env;
    this.#journal = join(home.path, "marks/journal");
  }

  static async open(release: string): Promise<Stage> {
    const home = await createHome();
    await installFakeMattermost(home.install, release);
    const name = `chat_${crypto.randomUUID().replaceAll("-", "")}`;
    await database.sql(`CREATE DATABASE ${name}`);
    return new Stage(home, {
      ...home.env,
      MATTERMOST_VERSION: release,
      // A port of its own, since tests run at the same time.
      MATTERMOST_PORT: String(20_000 + Math.floor(Math.random() * 10_000)),
      DB_ADAPTER: "postgres",
      DB_HOST: database.host,
      DB_PORT: String(database.port),
      DB_USER: database.user,
      DB_PASS: PASSWORD,
      DB_NAME: name,
      DB_TIMEOUT: "5",
      FAKE_JOURNAL: join(home.path, "marks/journal"),
    });
  }

  /** What the server did since the last call, one line for each command. */
  async journal(): Promise<string[]> {
    const text = await Deno.readTextFile(this.#journal).catch(() => "");
    await Deno.remove(this.#journal).catch(() => {});
    return text.split("\n").filter((line) => line !== "");
  }

  /** Starts until the server runs, and stops it. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<string> {
    const running = start(COMPILED, [], { env: { ...this.env, ...more } });
    await running.until(/Server is listening|Listening on/i);
    running.kill("SIGTERM");
    await running.outcome;
    return running.text;
  }

  async run(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    return await runProgram(COMPILED, args, { env: { ...this.env, ...more } });
  }

  /** Runs statements in the database of this installation. */
  async sql(text: string): Promise<void> {
    await database.sql(text, this.env["DB_NAME"]);
  }

  async edit(path: string, value: unknown): Promise<void> {
    const document = JSON.parse(await Deno.readTextFile(this.home.config));
    const [section = "", key] = path.split(".");
    if (key === undefined) document[section] = value;
    else (document[section] ??= {})[key] = value;
    await Deno.writeTextFile(this.home.config, JSON.stringify(document));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.home[Symbol.asyncDispose]();
  }
}

/** What is stated instead of a release, if not {@link NEWER}: a release with the same program. */
const STATED: Readonly<Record<string, string>> = {
  "3.3.0": "3.6.0",
  "3.6.0": "3.3.0",
  "4.10.10": "4.9.4",
};

const NEWER = "10.5.14";

/** Releases that do not say which they are before they reach their database. */
const SILENT = ">=4.0.0 <5.28.0";

for (const release of RELEASES) {
  Deno.test(`${release}: a server that is not the stated release is refused, if it can be asked`, async () => {
    await using stage = await Stage.open(release);
    const stated = { MATTERMOST_VERSION: STATED[release] ?? NEWER };
    const report = (await stage.run(["app:check"], stated)).stdout;
    const message =
      `MATTERMOST_VERSION is ${stated.MATTERMOST_VERSION}, but the server in ${stage.home.install} reports release ${release}`;
    const isSilent = inRange(release, SILENT);
    assert.equal(report.includes(message), !isSilent, report);
    if (!isSilent) {
      const { code, stderr } = await stage.run([], stated);
      assert.equal(code, 78, stderr);
      assert.ok(stderr.includes(message), stderr);
    }
    assert.ok(
      !(await stage.journal()).some((line) =>
        line.includes("reached the database")
      ),
      "the server reached its database",
    );
  });
}

for (const release of RELEASES) {
  Deno.test(`${release}: a start asks once, a restart does not, and a bad value is named`, async () => {
    await using stage = await Stage.open(release);
    const first = await stage.start();
    assert.doesNotMatch(first, /did not say whether it accepts/);
    const [asked = "", ...rest] = await stage.journal();
    assert.match(asked, /looked for the database/, asked);
    assert.ok(rest.length > 0, "the real start");
    await stage.start();
    assert.ok(
      !(await stage.journal()).some((line) =>
        line.includes("looked for the database")
      ),
      "a restart asked the server",
    );
    const before = await Deno.readTextFile(stage.home.config);
    await stage.edit("TeamSettings.MaxUsersPerTeam", -1);
    // The entrypoint keeps the edit, since no setting is set.
    const refused = await stage.run([]);
    assertClean(refused, [PASSWORD]);
    assert.equal(refused.code, 78, refused.stderr);
    assert.match(
      refused.stderr,
      /refuses TeamSettings\.MaxUsersPerTeam, which is -1 in \S+config\.json: Invalid maximum users per team/,
    );
    assert.ok(
      !(await stage.journal()).some((line) =>
        line.includes("reached the database")
      ),
      "the server reached its database",
    );
    await Deno.writeTextFile(stage.home.config, before);
    const variable = { MM_TEAMSETTINGS_MAXUSERSPERTEAM: "-1" };
    if (inRange(release, ">=4.0.0")) {
      const { code, stderr } = await stage.run([], variable);
      assert.equal(code, 78, stderr);
      assert.match(
        stderr,
        /refuses MM_TEAMSETTINGS_MAXUSERSPERTEAM, which is "-1"/,
      );
    } else {
      await stage.start(variable);
    }
  });
}

Deno.test("11.6.0: every recorded verdict is predicted", async () => {
  await using stage = await Stage.open("11.6.0");
  await stage.start();
  const before = await Deno.readTextFile(stage.home.config);
  const wrong: string[] = [];
  for (
    const [place = "", change = "", verdict] of await readTable(
      "verdicts-11.6.0.tsv",
    )
  ) {
    const [path = "", text = ""] = change.split(/=(.*)/s);
    let more: Record<string, string> = {};
    if (change.startsWith("batching")) {
      await stage.edit("EmailSettings.EnableEmailBatching", true);
    } else if (change.startsWith("atmos/camo")) {
      await stage.edit("ImageProxySettings.Enable", true);
      await stage.edit("ImageProxySettings.ImageProxyType", "atmos/camo");
    } else if (place === "env") {
      more = { [path]: text.replace(/^'(.*)'$/s, "$1") };
    } else {
      // The values are in Python's notation.
      const json = text.replaceAll("'", '"').replace("None", "null")
        .replace("True", "true").replace("False", "false");
      await stage.edit(path, JSON.parse(json));
    }
    const { code, stdout, stderr } = await stage.run(
      ["app:config", "--diff"],
      more,
    );
    const isRefused = code === 78;
    assert.ok([0, 1, 78].includes(code), `${change}: ${code} ${stderr}`);
    if (isRefused !== (verdict === "refuses")) {
      wrong.push(`${change} ${verdict}: ${stdout} ${stderr}`);
    }
    await Deno.writeTextFile(stage.home.config, before);
  }
  assert.deepEqual(wrong, []);
});

/** Leaves what a release has migrated in the database. */
async function migrate(stage: Stage, release: string): Promise<void> {
  const rows = (await migrationsOf(release, "postgres")).map((name) => {
    const [, number = "", words = ""] =
      /(\d{6})_([\w.-]+?)(?:\.up\.sql)?$/.exec(name) ?? [];
    return `(${Number(number)}, '${words}')`;
  });
  await stage.sql(
    `DROP TABLE IF EXISTS db_migrations, Systems, Users;
    CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value varchar(1024));
    CREATE TABLE Users (Id varchar(26) PRIMARY KEY, Username varchar(64));
    CREATE TABLE db_migrations (Version bigint PRIMARY KEY, Name varchar(256));
    INSERT INTO db_migrations VALUES ${rows.join(", ")}`,
  );
}

Deno.test("13.4.0, which nobody has heard of, is installed, rehearsed, upgraded to and never left by accident", async () => {
  await using stage = await Stage.open("13.4.0");
  assert.match(await stage.start(), /Server is listening/);
  // Its new settings are known from its package, and a misspelt one is not.
  const { stdout } = await stage.run(["app:check"], {
    MM_HOLOGRAMSETTINGS_REFRESHRATE: "30",
    MM_HOLOGRAMSETTINGS_REFRESHRAET: "30",
  });
  assert.match(
    stdout,
    /MM_HOLOGRAMSETTINGS_REFRESHRAET is not a setting of Mattermost 13\.4\.0/,
  );
  assert.match(stdout, /Did you mean MM_HOLOGRAMSETTINGS_REFRESHRATE\?/);
  assert.doesNotMatch(stdout, /MM_HOLOGRAMSETTINGS_REFRESHRATE is not/);

  const old = join(stage.home.path, "old");
  await installFakeMattermost(old, "11.6.0");
  const asOld = { MATTERMOST_VERSION: "11.6.0", MATTERMOST_INSTALL_DIR: old };
  await migrate(stage, "11.6.0");
  const rehearsal = await stage.run(
    ["app:check", "--for", stage.home.install],
    asOld,
  );
  assert.match(
    rehearsal.stdout,
    /settings\.release: The server in \S+, Mattermost 13\.4\.0, is checked with the present settings/,
  );
  assert.match(rehearsal.stdout, /settings\.verdict: .*13\.4\.0, accepts/);
  assert.match(rehearsal.stdout, /database\.upgrade: .*14\d migrations/);
  assert.match(await stage.start(), /Server is listening/);

  await migrate(stage, "13.4.0");
  const back = await stage.run([], asOld);
  assertClean(back, [PASSWORD]);
  assert.equal(back.code, 78);
  assert.match(
    back.stderr,
    /The database has migration \d+ \S+ and 14\d more, which Mattermost 11\.6\.0 does not contain/,
  );
  assert.match(back.stderr, /MATTERMOST_FORCE_UPGRADE=true overrides/);
  assert.match(await stage.start(), /Server is listening/);
});

Deno.test("no spelling, product or replica leads the judged server to the real database", async () => {
  await using stage = await Stage.open("11.6.0");
  const real =
    `postgres://${database.user}:${PASSWORD}@${database.host}:${database.port}/${
      stage.env["DB_NAME"]
    }`;
  const names = {
    MM_SQLSETTINGS_DATASOURCE: real,
    mm_sqlsettings_datasource: real,
    Mm_SqlSettings_DataSourceReplicas: real,
    MM_SQLSETTINGS_DATASOURCESEARCHREPLICAS: real,
    MM_SQLSETTINGS_REPLICALAGSETTINGS: real,
  };
  const { stdout, stderr } = await stage.run(["app:check"], names);
  assert.match(stdout, /settings\.verdict: The installed server/, stderr);
  assert.ok(
    !(await stage.journal()).some((line) =>
      line.includes("reached the database")
    ),
  );
});

for (
  const [fault, words] of [
    ["dies", "it ended with code 139, and said nothing"],
  ] as const
) {
  Deno.test(`a judged server that ${fault} is reported, and the start goes on`, async () => {
    await using stage = await Stage.open("11.6.0");
    const text = await stage.start({ FAKE_DEAD_END: fault });
    assert.ok(text.includes(words), text);
    // The next start asks again.
    await stage.journal();
    await stage.start();
    assert.match((await stage.journal())[0] ?? "", /looked for the database/);
  });
}

Deno.test("a signal ends a judged server that hangs, with its children and its copy", async () => {
  await using stage = await Stage.open("11.6.0");
  const temporary = join(stage.home.path, "tmp");
  await Deno.mkdir(temporary);
  await Deno.chmod(temporary, 0o1777);
  const running = start(COMPILED, [], {
    env: { ...stage.env, FAKE_DEAD_END: "hangs", TMPDIR: temporary },
  });
  while ((await Array.fromAsync(Deno.readDir(temporary))).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  running.kill("SIGTERM");
  assert.equal((await running.outcome).code, 143);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(temporary)), []);
  const { stdout } = await new Deno.Command("pgrep", {
    args: ["-f", stage.home.install],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "");
});
