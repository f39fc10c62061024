/**
 * The configuration in the database: the compiled program, fake servers that store it as real
 * ones were recorded to, and real databases.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { inRange } from "../../lib/release_range.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { MARIADB_SERVER } from "../support/database_needs.ts";
import { createHome, type Home, SHOW, shown } from "../support/home.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  type Running,
  runProgram,
  start,
} from "../support/program.ts";

const PASSWORD = "pass-of-the-database";
const MAIL_PASSWORD = "pass-of-the-mail-server";

type Adapter = "postgres" | "mysql";
type Config = Record<string, Record<string, unknown>>;

const SERVERS: Readonly<Partial<Record<Adapter, DatabaseServer>>> = {
  postgres: await startPostgres({ password: PASSWORD }),
  ...MARIADB_SERVER.isMet
    ? { mysql: await startMariadb({ password: PASSWORD }) }
    : {},
};

/** The releases far apart; those from 11 on know no MySQL. */
const RELEASES = ["5.37.10", "10.11.23", "11.6.0"];

const CASES = RELEASES.flatMap((release) =>
  (Object.keys(SERVERS) as Adapter[])
    .filter((adapter) => adapter === "postgres" || inRange(release, "<11.0.0"))
    .map((adapter) => ({ release, adapter }))
);

/** A database, and the settings of the containers that use it. */
class Stage implements AsyncDisposable {
  readonly release: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #server: DatabaseServer;
  readonly #homes: Home[] = [];

  private constructor(
    release: string,
    server: DatabaseServer,
    env: Readonly<Record<string, string>>,
  ) {
    this.release = release;
    this.#server = server;
    this.env = env;
  }

  static async open(release: string, adapter: Adapter): Promise<Stage> {
    const server = SERVERS[adapter];
    assert.ok(server !== undefined);
    const name = `chat_${crypto.randomUUID().replaceAll("-", "")}`;
    await server.sql(`CREATE DATABASE ${name}`);
    return new Stage(release, server, {
      MATTERMOST_VERSION: release,
      MATTERMOST_CONFIG_STORE: "database",
      // The fake needs files of this user to reach the database.
      MATTERMOST_UID: String(Deno.uid()),
      MATTERMOST_GID: String(Deno.gid()),
      DB_ADAPTER: adapter,
      DB_HOST: server.host,
      DB_PORT: String(server.port),
      DB_USER: server.user,
      DB_PASS: PASSWORD,
      DB_NAME: name,
      DB_TIMEOUT: "5",
      SMTP_HOST: "mail.example.com",
      SMTP_USER: "chat",
      SMTP_PASS: MAIL_PASSWORD,
    });
  }

  /** A new container without a volume. */
  async container(): Promise<Container> {
    const home = await createHome();
    this.keep(home);
    await installFakeMattermost(home.install, this.release, {
      storesConfig: true,
    });
    return new Container(home, {
      ...this.env,
      ...home.env,
      MATTERMOST_PORT: String(20_000 + Math.floor(Math.random() * 10_000)),
    });
  }

  /** Removes a home at the end. */
  keep(home: Home): void {
    this.#homes.push(home);
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    return await this.#server.sql(text, this.env["DB_NAME"]);
  }

  async stored(): Promise<Config> {
    const [row] = await this.sql(
      "SELECT Value AS value FROM Configurations WHERE Active",
    );
    return JSON.parse(String(row?.["value"]));
  }

  /** Saves an edit as the System Console of a server does. */
  async edit(path: string, value: unknown): Promise<void> {
    const config = await this.stored();
    const [section = "", key = ""] = path.split(".");
    config[section] = { ...config[section], [key]: value };
    const text = JSON.stringify(config).replace(
      /['\\]/g,
      (sign) =>
        sign === "'"
          ? "''"
          : this.env["DB_ADAPTER"] === "mysql"
          ? "\\\\"
          : sign,
    );
    await this.putAside();
    const id = crypto.randomUUID().replaceAll("-", "").slice(0, 26);
    await this.sql(
      `INSERT INTO Configurations VALUES ('${id}', '${text}', ${Date.now()}, TRUE)`,
    );
  }

  async putAside(): Promise<void> {
    await this.sql("UPDATE Configurations SET Active = NULL WHERE Active");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const home of this.#homes) await home[Symbol.asyncDispose]();
  }
}

/** A container of the image. */
class Container {
  readonly home: Home;
  readonly env: Readonly<Record<string, string>>;

  constructor(home: Home, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.env = env;
  }

  /** Starts until the server listens. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<Running> {
    const running = start(COMPILED, [], { env: { ...this.env, ...more } });
    await running.until(/Server is listening/);
    for (const secret of [PASSWORD, MAIL_PASSWORD]) {
      assert.ok(!running.text.includes(secret), running.text);
    }
    return running;
  }

  /** Starts, fetches the name of the site, and stops. */
  async siteName(more: Readonly<Record<string, string>> = {}): Promise<string> {
    const running = await this.start(more);
    const name = await this.shownName();
    await stop(running);
    return name;
  }

  async shownName(): Promise<string> {
    const answer = await fetch(
      `http://127.0.0.1:${this.env["MATTERMOST_PORT"]}/`,
    );
    return /<h1>(.*?)<\/h1>/.exec(await answer.text())?.[1] ?? "";
  }

  async run(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    const outcome = await runProgram(COMPILED, args, {
      env: { ...this.env, ...more },
    });
    // A URL in the configuration ends with "report-a-bug".
    const stdout = outcome.stdout.replaceAll("/report-a-bug", "");
    assertClean({ ...outcome, stdout }, [PASSWORD, MAIL_PASSWORD]);
    return outcome;
  }

  /** The files below the home that the image does not have. */
  async files(directory = this.home.path): Promise<string[]> {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(directory)) {
      const path = join(directory, name);
      if ([this.home.install, join(this.home.path, "marks")].includes(path)) {
        continue;
      }
      if (isDirectory) found.push(...await this.files(path));
      else found.push(path.slice(this.home.path.length + 1));
    }
    return found.toSorted();
  }
}

async function stop(running: Running): Promise<void> {
  running.kill("SIGTERM");
  await running.outcome;
}

/** The values without the data source, which the environment overrides. */
function withoutSource(config: Config): Config {
  const { DataSource: _, DriverName: __, ...rest } = config["SqlSettings"] ??
    {};
  return { ...config, SqlSettings: rest };
}

for (const { release, adapter } of CASES) {
  Deno.test(`${release} with ${adapter}: edits survive a container without a volume, and variables are not stored`, async () => {
    await using stage = await Stage.open(release, adapter);
    const first = await stage.container();
    const running = await first.start();
    const pid = running.pid;
    const commandLine = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    assert.doesNotMatch(commandLine, /--config|pass-of/);
    const health = await first.run(["app:health"]);
    assert.equal(health.code, 0, health.stdout);
    await stop(running);
    assert.deepEqual(
      (await first.files()).filter((path) => !path.startsWith("log/")),
      ["data/VERSION"],
    );
    const secret = (await stage.stored())["SqlSettings"]?.["AtRestEncryptKey"];
    assert.ok(secret);

    await stage.edit("TeamSettings.SiteName", "It's edited");
    const second = await stage.container();
    assert.equal(await second.siteName(), "It's edited");
    assert.equal(
      await second.siteName({ MATTERMOST_NAME: "Chat" }),
      "Chat",
    );
    const stored = await stage.stored();
    assert.equal(stored["TeamSettings"]?.["SiteName"], "It's edited");
    assert.equal(stored["SqlSettings"]?.["AtRestEncryptKey"], secret);
    const text = JSON.stringify(stored);
    assert.ok(!text.includes(PASSWORD) && !text.includes(MAIL_PASSWORD));
    assert.equal(await second.siteName(), "It's edited");
  });

  Deno.test(`${release} with ${adapter}: two containers agree after a restart`, async () => {
    await using stage = await Stage.open(release, adapter);
    const containers = [await stage.container(), await stage.container()];
    for (const each of containers) await each.siteName();
    await stage.edit("TeamSettings.SiteName", "Shared");
    const running = await Promise.all(containers.map((each) => each.start()));
    for (const each of containers) {
      assert.equal(await each.shownName(), "Shared");
    }
    await Promise.all(running.map(stop));
  });

  Deno.test(`${release} with ${adapter}: app:config and app:check show what is stored and what overrides it`, async () => {
    await using stage = await Stage.open(release, adapter);
    const container = await stage.container();
    await container.siteName();
    await stage.edit("TeamSettings.SiteName", "Edited");
    const printed = await container.run(["app:config"]);
    assert.equal(printed.code, 0, printed.stderr);
    const shown: Config = JSON.parse(printed.stdout);
    assert.equal(shown["TeamSettings"]?.["SiteName"], "Edited");
    assert.equal(
      shown["EmailSettings"]?.["SMTPServer"],
      "mail.example.com",
    );
    const explained = await container.run(["app:config", "--explain"]);
    assert.match(
      explained.stdout,
      /TeamSettings\.SiteName = "Edited" {3}# stored in the database|MATTERMOST_NAME=Mattermost {3}# stored in the database/,
    );
    const { code, stdout } = await container.run(["app:config", "--diff"]);
    assert.equal(code, 1);
    assert.match(stdout, /^EmailSettings\.SMTPServer: .* # set by you$/m);
    assert.doesNotMatch(stdout, /SiteName/);
    const report = await container.run(["app:check", "--timeout", "60"]);
    assert.match(
      report.stdout,
      /configuration is in the database, and the settings override \d+/,
    );
    assert.match(report.stdout, /accepts this configuration/);

    await stage.edit("ServiceSettings.ListenAddress", "here");
    await stage.edit("TeamSettings.MaxUsersPerTeam", 0);
    const refused = await container.run([]);
    assert.equal(refused.code, 78);
    assert.match(
      refused.stderr,
      /refuses TeamSettings\.MaxUsersPerTeam, which is 0 in the database: /,
    );
    assert.match(refused.stderr, /Set MM_TEAMSETTINGS_MAXUSERSPERTEAM to/);
  });

  Deno.test(`${release} with ${adapter}: moving to the database and back loses nothing`, async () => {
    await using stage = await Stage.open(release, adapter);
    const container = await stage.container();
    const inFile = { MATTERMOST_CONFIG_STORE: "file" };
    await container.siteName({ ...inFile, MATTERMOST_NAME: "From a file" });
    const { config } = container.home;
    const document: Config = JSON.parse(await Deno.readTextFile(config));
    document["SamlSettings"] = {
      ...document["SamlSettings"],
      IdpCertificateFile: "saml-idp.crt",
    };
    const before = JSON.stringify(document);
    await Deno.writeTextFile(config, before);
    const licence = "mattermost.mattermost-license";
    await Deno.writeTextFile(join(container.home.conf, licence), "");

    const passedOver = await container.run([]);
    assert.equal(passedOver.code, 78);
    assert.match(passedOver.stderr, /would be passed over/);
    assert.match(passedOver.stderr, /app:config --to-database/);

    const moved = await container.run(["app:config", "--to-database"], inFile);
    assert.equal(moved.code, 0, moved.stderr + moved.stdout);
    assert.match(moved.stderr, /is now in the database too/);
    assert.match(
      moved.stderr,
      /do not come along: saml-idp\.crt, mattermost\.mattermost-license/,
    );
    assert.doesNotMatch(moved.stderr, /stored other values/);
    assert.equal(await Deno.readTextFile(config), before);
    const stored = await stage.stored();
    assert.deepEqual(
      withoutSource(stored),
      withoutSource(JSON.parse(before)),
    );
    const again = await container.run(["app:config", "--to-database"], inFile);
    assert.equal(again.code, 78);
    assert.match(again.stderr, /already holds a configuration, of 20\d\d-/);

    // Both hold something: the start says which one counts.
    const running = await container.start();
    assert.match(
      running.text,
      /in the database counts; .*config\.json of 20\d\d-.* is not used/,
    );
    assert.equal(await container.shownName(), "From a file");
    await stop(running);
    const other = await container.start({
      ...inFile,
      MATTERMOST_NAME: "From a file",
    });
    assert.match(
      other.text,
      /config\.json counts; the database also holds one, of 20\d\d-/,
    );
    await stop(other);

    await stage.edit("TeamSettings.SiteName", "Edited there");
    const exists = await container.run(["app:config", "--to-file"]);
    assert.equal(exists.code, 78);
    assert.match(exists.stderr, /config\.json exists, and nothing is/);
    const fresh = await stage.container();
    const back = await fresh.run(["app:config", "--to-file"]);
    assert.equal(back.code, 0, back.stderr);
    assert.deepEqual(
      JSON.parse(await Deno.readTextFile(fresh.home.config)),
      await stage.stored(),
    );
    assert.equal(
      ((await Deno.stat(fresh.home.config)).mode ?? 0) & 0o777,
      0o600,
    );
    await stage.putAside();
    assert.equal(await fresh.siteName(inFile), "Edited there");
    const empty = await stage.container();
    const nothing = await empty.run(["app:config", "--to-file"]);
    assert.equal(nothing.code, 78);
    assert.match(nothing.stderr, /holds no configuration/);
  });
}

Deno.test("a config.json that comes back keeps what is stored, whatever an earlier file had", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  const container = await stage.container();
  const inFile = { MATTERMOST_CONFIG_STORE: "file" };
  await container.siteName({ ...inFile, MATTERMOST_NAME: "From a file" });
  const moved = await container.run(["app:config", "--to-database"], inFile);
  assert.equal(moved.code, 0, moved.stderr);
  assert.equal(await container.siteName(), "From a file");
  const { config } = container.home;
  await Deno.rename(config, `${config}.old`);
  const back = await container.run(["app:config", "--to-file"]);
  assert.equal(back.code, 0, back.stderr);
  assert.equal(await container.siteName(inFile), "From a file");
});

Deno.test("--to-file makes the directories that are missing", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  await (await stage.container()).siteName();
  const { env, home } = await stage.container();
  const { MATTERMOST_UID: _, MATTERMOST_GID: __, ...rest } = env;
  // The place of the volume; the directory of the data is in it.
  const volume = join(home.path, "volume");
  await Deno.mkdir(volume);
  const data = join(volume, "data");
  const moved = await runProgram(COMPILED, ["app:config", "--to-file"], {
    env: { ...rest, MATTERMOST_DATA_DIR: data },
  });
  assert.equal(moved.code, 0, moved.stderr);
  const { uid } = await Deno.stat(join(data, "config/config.json"));
  assert.equal(uid, Deno.uid() === 0 ? 2000 : Deno.uid());
});

Deno.test("a configuration of several megabytes starts a server and comes back", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  const container = await stage.container();
  await container.siteName();
  const plugins = { own: { text: "x".repeat(3_500_000) } };
  await stage.edit("PluginSettings.Plugins", plugins);
  await stage.edit("TeamSettings.SiteName", "Large");
  assert.equal(await container.siteName(), "Large");
  const moved = await container.run(["app:config", "--to-file"]);
  assert.equal(moved.code, 0, moved.stderr);
  const text = await Deno.readTextFile(container.home.config);
  assert.deepEqual(JSON.parse(text).PluginSettings.Plugins, plugins);
});

Deno.test("5.31 stores a config.json at its start", async () => {
  await using stage = await Stage.open("5.31.9", "postgres");
  const container = await stage.container();
  const inFile = { MATTERMOST_CONFIG_STORE: "file" };
  await container.siteName({ ...inFile, MATTERMOST_NAME: "From a file" });
  const { config } = container.home;
  const refused = await container.run(["app:config", "--to-database"], inFile);
  assert.equal(refused.code, 78);
  const [, defaults = ""] =
    / MATTERMOST_CONFIG_STORE=database MM_CUSTOM_DEFAULTS_PATH=(\S+)/m
      .exec(refused.stderr) ?? [];
  assert.equal(defaults, config, refused.stderr);
  const before = JSON.parse(await Deno.readTextFile(config));
  await stop(await container.start({ MM_CUSTOM_DEFAULTS_PATH: defaults }));
  const stored = await stage.stored();
  for (
    const path of ["SqlSettings.AtRestEncryptKey", "TeamSettings.SiteName"]
  ) {
    const [section = "", key = ""] = path.split(".");
    assert.equal(stored[section]?.[key], before[section][key], path);
  }
  assert.equal(await container.siteName(), "From a file");
});

Deno.test("MM_CONFIG of the operator's own is the store and the data source", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  const container = await stage.container();
  const { DB_HOST, DB_PORT, DB_NAME, DB_USER } = container.env;
  const dsn =
    `postgres://${DB_USER}:${PASSWORD}@${DB_HOST}:${DB_PORT}/${DB_NAME}?sslmode=disable`;
  const secret = await container.home.write("dsn", dsn, 0o600);
  const env = Object.fromEntries(
    Object.entries(container.env).filter(([name]) =>
      !/^DB_|CONFIG_STORE/.test(name)
    ),
  );
  const other = new Container(container.home, {
    ...env,
    MM_CONFIG_FILE: secret,
  });
  await other.siteName();
  await stage.edit("TeamSettings.SiteName", "By MM_CONFIG");
  assert.equal(await other.siteName(), "By MM_CONFIG");

  const moved = await other.run(["app:config", "--to-file"]);
  assert.equal(moved.code, 0, moved.stderr);
  assert.match(moved.stderr, /; give the data source in MM_SQLSETTINGS_/);
  await Deno.remove(other.home.config);
  await stage.edit("SqlSettings.DataSource", "postgres://ann@elsewhere/chat");
  const elsewhere = await other.run(["app:config", "--to-file"]);
  assert.equal(elsewhere.code, 0, elsewhere.stderr);
  assert.doesNotMatch(elsewhere.stderr, /give the data source in/);
});

/** A server that shows what it gets, in a home of its own; started as root, it runs as user 2000. */
async function shownServer(stage: Stage): Promise<Container> {
  const home = await createHome();
  stage.keep(home);
  await home.installServer(
    stage.release,
    `${SHOW}\n[ "$1" = db ] && exit 3\nexit 0`,
  );
  const { MATTERMOST_UID: _, MATTERMOST_GID: __, ...env } = stage.env;
  return new Container(home, { ...env, ...home.env });
}

Deno.test("the server and its migration get the data source, and nobody else does", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  const { home, env } = await shownServer(stage);
  const observer = await home.write(
    "marks/environment",
    "",
    0o666,
  );
  const program = join(home.install, "bin/mattermost");
  const script = await Deno.readTextFile(program);
  // Also when it is asked for its release or its verdict.
  await Deno.writeTextFile(
    program,
    script.replace("\n", `\n{ echo "== $*"; env; } >>'${observer}'\n`),
  );
  const started = await runProgram(COMPILED, [], { env });
  assert.equal(started.code, 0, started.stderr);
  const server = shown(started.stdout);
  assert.deepEqual(server.args.slice(1), [program]);
  assert.match(server.env["MM_CONFIG"] ?? "", /^postgres:\/\/.*pass-of-the-d/);
  assert.equal(server.env["MM_EMAILSETTINGS_SMTPPASSWORD"], MAIL_PASSWORD);
  assert.equal(server.env["DB_PASS"], undefined);
  const migrated = await runProgram(COMPILED, ["app:migrate"], { env });
  assert.equal(migrated.code, 3, migrated.stderr);
  const migration = shown(migrated.stdout.replace(/\n[^=]*$/, "\n"));
  assert.deepEqual(migration.args.slice(1), [program, "db", "migrate"]);
  assert.equal(migration.env["MM_CONFIG"], server.env["MM_CONFIG"]);
  await runProgram(COMPILED, ["app:check"], { env });

  const calls = (await Deno.readTextFile(observer)).split(/^== /m).slice(1);
  const informed = calls.filter((call) => call.includes("pass-of-"))
    .map((call) => call.split("\n")[0]);
  assert.deepEqual(informed, ["", "db migrate"]);
  assert.ok(calls.length > 4, calls.join("\n"));
  for (const text of [started.stderr, migrated.stderr]) {
    assert.doesNotMatch(text, /pass-of-/);
  }
  await assert.rejects(Deno.stat(home.conf), Deno.errors.NotFound);
});

Deno.test("a database that cannot be reached ends app:config, and app:check goes on with the defaults", async () => {
  await using stage = await Stage.open("11.6.0", "postgres");
  const container = await stage.container();
  const env = { DB_PORT: "1", DB_TIMEOUT: "0" };
  const printed = await container.run(["app:config"], env);
  assert.equal(printed.code, 69, printed.stderr);
  const { code, stdout } = await container.run(
    ["app:check", "--timeout", "60"],
    env,
  );
  assert.equal(code, 1);
  assert.match(
    stdout,
    /settings\.config\S* .*cannot be read, so the defaults of the package/,
  );
  assert.match(stdout, /database\.login/);
});
