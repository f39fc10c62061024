/**
 * What the fake Mattermost does besides answering as recorded: rewrites, overrides, names of
 * migrations, releases that nobody has recorded, and the faults that tests can switch on.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import rewrites from "../fixtures/server_rewrites.json" with { type: "json" };
import { inRange } from "../../lib/release_range.ts";
import { killTree } from "../../tools/shared/process.ts";
import { installFakeMattermost } from "./install.ts";
import { migrationsOf } from "./migrations.ts";

type Document = Record<string, Record<string, unknown>>;

/** An installed release, with a configuration and a database that only accepts connections. */
class Stage implements AsyncDisposable {
  readonly #database = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly config: string;
  readonly install: string;
  readonly program: string;

  private constructor(install: string, program: string) {
    this.install = install;
    this.program = program;
    this.config = join(install, "config/config.json");
    void this.#accept();
  }

  static async open(release: string): Promise<Stage> {
    const install = await Deno.makeTempDir({ prefix: "fake-mattermost-" });
    await installFakeMattermost(install, release);
    const stage = new Stage(
      install,
      join(
        install,
        "bin",
        inRange(release, "<5.0.0") ? "platform" : "mattermost",
      ),
    );
    const { port } = stage.#database.addr;
    await stage.change({
      "SqlSettings.DriverName": "postgres",
      "SqlSettings.DataSource": `postgres://x:y@127.0.0.1:${port}/chat`,
      "ServiceSettings.ListenAddress": "127.0.0.1:0",
      "LogSettings.EnableConsole": true,
    });
    return stage;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#database) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    await Deno.remove(this.install, { recursive: true });
  }

  async read(): Promise<Document> {
    return JSON.parse(await Deno.readTextFile(this.config));
  }

  async change(values: Readonly<Record<string, unknown>>): Promise<void> {
    const document = await this.read();
    for (const [path, value] of Object.entries(values)) {
      const [section = "", key = ""] = path.split(".");
      document[section] = { ...document[section], [key]: value };
    }
    await Deno.writeTextFile(this.config, JSON.stringify(document, null, 4));
  }

  /** Starts a command; its variables are in the given order. */
  start(
    args: readonly string[] = [],
    env: readonly string[] = [],
  ): Deno.ChildProcess {
    return new Deno.Command("env", {
      args: [
        ...["--ignore-environment", "PATH=/usr/bin:/bin", ...env],
        ...[this.program, ...args, "--config", this.config],
      ],
      cwd: this.install,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Runs a command to its end. */
  async run(
    args: readonly string[] = [],
    env: readonly string[] = [],
  ): Promise<{ code: number; signal: string | null; text: string }> {
    const { code, signal, stdout, stderr } = await this.start(args, env)
      .output();
    const text = new TextDecoder().decode(
      new Uint8Array([...stdout, ...stderr]),
    );
    return { code, signal, text };
  }

  /** Starts the server, and stops it when it listens; then kills it if it is to be killed. */
  async serve(
    env: readonly string[] = [],
    isKilled = false,
  ): Promise<{ code: number; text: string }> {
    const child = this.start([], env);
    const reading = [child.stdout, child.stderr].map((stream) =>
      stream.pipeThrough(new TextDecoderStream())
    );
    let text = "";
    let isStopped = false;
    await Promise.all(reading.map(async (stream) => {
      for await (const part of stream) {
        text += part;
        if (!isStopped && text.includes("Server is listening")) {
          isStopped = true;
          child.kill("SIGTERM");
        }
        if (isKilled && text.includes("Stopping Server")) child.kill("SIGKILL");
      }
    }));
    const { code } = await child.status;
    return { code, text };
  }
}

Deno.test("config.json is rewritten as recorded at the first start", async () => {
  for (const [release, changes] of Object.entries(rewrites)) {
    await using stage = await Stage.open(release);
    const values = Object.entries(changes);
    await stage.change(
      Object.fromEntries(values.map(([path, { before }]) => [path, before])),
    );
    const { code, text } = await stage.serve();
    assert.equal(code, 0, text);
    const document = await stage.read();
    for (const [path, { after }] of values) {
      const [section = "", key = ""] = path.split(".");
      assert.equal(document[section]?.[key], after, `${release} ${path}`);
    }
  }
});

Deno.test("unknown and null parts are dropped or filled, and empty secrets made", async () => {
  await using stage = await Stage.open("11.6.0");
  const before = await stage.read();
  const document: Record<string, unknown> = {
    ...before,
    FeatureFlags: { TestFeature: "on" },
    DisplaySettings: null,
    TypoSettings: { A: 1 },
  };
  await Deno.writeTextFile(stage.config, JSON.stringify(document));
  assert.equal((await stage.serve()).code, 0);
  const after = await stage.read();
  assert.deepEqual(Object.keys(after), Object.keys(before));
  assert.deepEqual(after["DisplaySettings"], before["DisplaySettings"]);
  assert.equal(String(after["FileSettings"]?.["PublicLinkSalt"]).length, 32);
});

Deno.test("MM_* names count in any letter case from 5.30 on, the last one, and are not saved", async () => {
  const [upper, lower] = [
    "MM_TEAMSETTINGS_MAXUSERSPERTEAM=",
    "mm_teamsettings_maxusersperteam=",
  ];
  // An accepted configuration of these has a port that is taken.
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const listen =
    `MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:${taken.addr.port}`;
  const journal = await Deno.makeTempFile();
  const reached = async (
    version: string,
    env: readonly string[],
  ): Promise<boolean> => {
    await using stage = await Stage.open(version);
    await stage.change({ "TeamSettings.MaxUsersPerTeam": 7 });
    await Deno.writeTextFile(journal, "");
    const { code, text } = await stage.run([], [
      listen,
      `FAKE_JOURNAL=${journal}`,
      ...env,
    ]);
    assert.equal(code, 1, text);
    const document = await stage.read();
    assert.equal(document["TeamSettings"]?.["MaxUsersPerTeam"], 7);
    return (await Deno.readTextFile(journal)).includes("reached the database");
  };
  try {
    assert.ok(!await reached("11.6.0", [`${upper}5`, `${lower}-1`]));
    assert.ok(await reached("11.6.0", [`${lower}-1`, `${upper}5`]));
    assert.ok(await reached("11.6.0", [`${upper}abc`]));
    assert.ok(await reached("11.6.0", [upper]));
    assert.ok(await reached("5.20.0", [`${lower}-1`]));
    assert.ok(!await reached("5.20.0", [`${upper}-1`]));
    assert.ok(!await reached("5.20.0", [`${upper}abc`]));
    assert.ok(!await reached("11.6.0", ["MM_SERVICESETTINGS_LISTENADDRESS="]));
  } finally {
    taken.close();
    await Deno.remove(journal);
  }
});

Deno.test("version needs a database only in releases that do", async () => {
  const cases: readonly (readonly [string, readonly string[], boolean])[] = [
    ["11.6.0", ["version"], true],
    ["6.5.0", ["version"], true],
    ["6.3.0", ["version", "--skip-server-start"], true],
    ["5.28.0", ["version", "--skip-server-start"], true],
    ["6.3.0", ["version"], false],
    ["4.10.10", ["version"], false],
  ];
  for (const [release, args, isOffline] of cases) {
    await using stage = await Stage.open(release);
    const journal = join(stage.install, "journal");
    const { code, text } = await stage.run(args, [`FAKE_JOURNAL=${journal}`]);
    assert.equal(code, 0, text);
    assert.ok(text.includes(`Version: ${release}\nBuild Number: ${release}\n`));
    const reached = await Deno.readTextFile(journal).catch(() => "");
    assert.equal(reached === "", isOffline, `${release} ${reached}`);
  }
  await using old = await Stage.open("3.6.0");
  assert.match((await old.run(["version"])).text, /unknown command "version"/);
  await using stage = await Stage.open("6.4.0");
  assert.match((await stage.run(["db", "migrate"])).text, /unknown command/);
});

Deno.test("the binary contains the names of migrations as a compiler leaves them", async () => {
  const find = async (release: string): Promise<readonly string[]> => {
    await using stage = await Stage.open(release);
    const bytes = await Deno.readFile(stage.program);
    const text = new TextDecoder("latin1").decode(bytes);
    return text.match(
      /(migrations\/)?(postgres|mysql)\/[0-9]{6}_[A-Za-z0-9_.-]+\.up\.sql/g,
    ) ?? [];
  };
  const of11 = await find("11.6.0");
  assert.equal(of11.length, 3 + 3 + 158);
  assert.ok(of11.includes("migrations/postgres/000001_create_teams.up.sql"));
  assert.ok(!of11.includes("migrations/mysql/000001_create_teams.up.sql"));
  assert.ok(
    (await find("10.11.0")).includes(
      "migrations/mysql/000092_add_createat_to_teammembers.up.sql",
    ),
  );
  assert.ok(
    (await find("6.5.0")).every((name) => !name.startsWith("migrations/")),
  );
  assert.deepEqual(await find("5.20.0"), []);
  assert.equal((await migrationsOf("13.4.0", "postgres")).length, 300);
  const [of10, of11_7] = [
    await migrationsOf("10.11.17", "postgres"),
    await migrationsOf("11.7.3", "postgres"),
  ];
  assert.equal(of10.at(-1)?.slice(0, 6), "000144");
  assert.ok(of10.slice(0, -3).every((name) => of11_7.includes(name)));
  assert.ok(of10.slice(-3).every((name) => !of11_7.includes(name)));
});

Deno.test("a release that nobody has recorded has settings and refusals of its own", async () => {
  await using stage = await Stage.open("13.4.0");
  const document = await stage.read();
  assert.equal(document["TeamSettings"]?.["MaxHologramsPerTeam"], 12);
  await stage.change({
    "ImageProxySettings.Enable": true,
    "ImageProxySettings.ImageProxyType": "atmos/camo",
  });
  const { code, text } = await stage.run();
  assert.equal(code, 1);
  assert.match(text, /The 'atmos\/camo' image proxy type was removed/);
});

Deno.test("a missing or empty file is made, and what is no configuration is refused", async () => {
  const cases: readonly (readonly [string | undefined, number, RegExp])[] = [
    [undefined, 1, /bind: address already in use/],
    ["", 1, /bind: address already in use/],
    ["null", 2, /^panic: /],
    [
      '{"a": x}',
      1,
      /parsing error at line 1, character 8: invalid character 'x'/,
    ],
    ['{"servicesettings":{"LISTENADDRESS":"80"}}', 1, /Invalid listen address/],
  ];
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using stage = await Stage.open("11.6.0");
  const source = (await stage.read())["SqlSettings"]?.["DataSource"];
  const env = [
    `MM_SQLSETTINGS_DATASOURCE=${source}`,
    `MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:${taken.addr.port}`,
  ];
  for (const [text, expected, pattern] of cases) {
    await Deno.remove(stage.config);
    if (text !== undefined) await Deno.writeTextFile(stage.config, text);
    const outcome = await stage.run(
      [],
      text?.includes("LISTEN") ? [env[0] ?? ""] : env,
    );
    assert.equal(outcome.code, expected, outcome.text);
    assert.match(outcome.text, pattern);
    assert.ok((await Deno.stat(stage.config)).isFile);
  }
  taken.close();
  await Deno.writeTextFile(stage.config, "");
  const panic = await stage.run([], ["PGSERVICE=chat", ...env]);
  assert.equal(panic.code, 2);
  assert.match(panic.text, /^panic: setting PGSERVICE not supported$/m);
});

Deno.test("the page gets the sub-path of the site's URL", async () => {
  await using stage = await Stage.open("11.6.0");
  await stage.change({ "ServiceSettings.SiteURL": "https://example.com/chat" });
  assert.equal((await stage.serve()).code, 0);
  const page = join(stage.install, "client/root.html");
  assert.match(await Deno.readTextFile(page), /"\/chat\/static\/main\.js"/);
});

Deno.test("a data source with an unknown parameter is not taken for a login", async () => {
  await using stage = await Stage.open("11.6.0");
  const { SqlSettings } = await stage.read();
  await stage.change({
    "SqlSettings.DataSource": `${SqlSettings?.["DataSource"]}?entrypoint_x=1`,
  });
  const { code, stdout, stderr } = await stage.start().output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  assert.equal(code, 3);
  assert.match(decode(stderr), /A fake Mattermost does not log in/);
  assert.doesNotMatch(decode(stdout), /Server is listening|Failed to ping DB/);
});

Deno.test("faults that tests switch on", async () => {
  await using stage = await Stage.open("11.6.0");
  // They concern a dead end only.
  assert.equal((await stage.serve(["FAKE_DEAD_END=dies"])).code, 0);
  await stage.change({
    "SqlSettings.DataSource": "postgres://x:y@/chat?host=/nonexistent",
  });
  const dead = await stage.run([], ["FAKE_DEAD_END=dies"]);
  assert.deepEqual([dead.signal, dead.text], ["SIGSEGV", ""]);
  for (const mode of ["hangs", "silent"]) {
    const journal = join(stage.install, mode);
    const child = stage.start([], [
      `FAKE_DEAD_END=${mode}`,
      `FAKE_JOURNAL=${journal}`,
    ]);
    while (!(await Deno.readTextFile(journal).catch(() => "")).includes(mode)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (mode === "silent") child.kill("SIGTERM");
    else killTree(child.pid);
    const { stdout, stderr, signal } = await child.output();
    assert.equal(signal, mode === "silent" ? "SIGTERM" : "SIGKILL");
    assert.equal(stdout.length + stderr.length, 0);
  }
});

Deno.test("SIGTERM takes its time soon after a start, if a test wants it", async () => {
  for (
    const [release, isSlow] of [["11.6.0", true], ["5.31.0", false]] as const
  ) {
    await using stage = await Stage.open(release);
    const { code, text } = await stage.serve(["FAKE_SLOW_STOP=1"], isSlow);
    assert.match(text, /Stopping Server\.\.\./);
    assert.equal(/Server stopped/.test(text), !isSlow);
    assert.equal(code, isSlow ? 128 + 9 : 0);
  }
});
