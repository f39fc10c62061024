import assert from "node:assert/strict";
import { check } from "../../../lib/commands/check.ts";
import { writePlan } from "../../../lib/startup/write_plan.ts";
import {
  loadSettingsWithConfig,
  logSummary,
  makePlan,
  type Plan,
} from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Json } from "../../../lib/json.ts";
import rewrites from "../../fixtures/server_rewrites.json" with {
  type: "json",
};
import { editsIn } from "../../support/config_start.ts";
import type { World } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../support/installation.ts";

/** Settings without a database. */
const NO_DATABASE = { MATTERMOST_VERSION: "11.7.9" };

function withConfig(text: string): MemoryFiles {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(CONFIG, text);
  return files;
}

function withSource(adapter: string, dsn: unknown): MemoryFiles {
  return withConfig(
    JSON.stringify({ SqlSettings: { DriverName: adapter, DataSource: dsn } }),
  );
}

async function plan(world: World): Promise<Plan> {
  return await makePlan(stage(world).context);
}

async function refusal(world: World): Promise<EntrypointError> {
  return await plan(world).then(
    () => assert.fail("nothing was thrown"),
    (error) => {
      assert.ok(error instanceof EntrypointError, String(error));
      return error;
    },
  );
}

interface Rewrite {
  readonly before: Json;
  readonly after: Json;
}

/** What recorded servers changed at their first start, by release and path. */
const RECORDED: Readonly<Record<string, Readonly<Record<string, Rewrite>>>> =
  rewrites;

/** Writes the settings, then lets the server change what the recorded one changed. */
async function started(version: string): Promise<MemoryFiles> {
  const files = installed();
  files.place(`${INSTALL}/bin/platform`, "", 0o755);
  files.makeDirectory("/opt/mattermost/data/config");
  const env = { ...ENOUGH, MATTERMOST_VERSION: version };
  const { context } = stage({ files, env });
  await writePlan(await makePlan(context), context);
  const document: Record<string, Record<string, Json>> = JSON.parse(
    files.readText(CONFIG),
  );
  for (
    const [path, { before, after }] of Object.entries(RECORDED[version] ?? {})
  ) {
    const [section = "", key = ""] = path.split(".");
    const values = document[section];
    if (values !== undefined && values[key] === before) {
      values[key] = after;
    }
  }
  files.place(CONFIG, JSON.stringify(document, null, 4));
  return files;
}

Deno.test("the database knows what gave its login", async () => {
  const files = installed();
  files.place("/run/secrets/db_pass", "a password");
  files.place("/run/secrets/dsn", "postgres://ann:b@db/chat");
  const givenBy = async (env: Record<string, string>): Promise<unknown> =>
    (await plan({ files, env: { ...ENOUGH, ...env } })).database.source.givenBy;
  assert.deepEqual(await givenBy({}), {});
  assert.deepEqual(
    await givenBy({ DB_PASS: "", DB_PASS_FILE: "/run/secrets/db_pass" }),
    { DB_PASS: "DB_PASS_FILE" },
  );
  assert.equal(
    await givenBy({ MM_SQLSETTINGS_DATASOURCE_FILE: "/run/secrets/dsn" }),
    "MM_SQLSETTINGS_DATASOURCE_FILE",
  );
  assert.deepEqual(
    await givenBy({
      DB_HOST: "",
      DB_PASS: "",
      DB_ADAPTER: "",
      POSTGRES_PORT_5432_TCP_ADDR: "172.17.0.2",
      POSTGRES_ENV_POSTGRES_PASSWORD: "a password",
    }),
    {
      DB_HOST: "POSTGRES_PORT_5432_TCP_ADDR",
      DB_PORT: "POSTGRES_PORT_5432_TCP",
      // The image has made its administrator only, whose name no variable has.
      DB_USER: "POSTGRES_ENV_POSTGRES_PASSWORD",
      DB_PASS: "POSTGRES_ENV_POSTGRES_PASSWORD",
    },
  );
});

Deno.test("a value that a recorded server changed by itself does not count as an edit", async () => {
  for (const version of Object.keys(RECORDED)) {
    const files = await started(version);
    const env = { ...ENOUGH, MATTERMOST_VERSION: version };
    const { merged } = await plan({ files, env });
    assert.deepEqual(
      [merged.changes, merged.conflicts, editsIn(merged)],
      [[], [], []],
      version,
    );
    const mail = await plan({
      files,
      env: { ...env, SMTP_HOST: "smtp.example.com" },
    });
    assert.deepEqual(mail.merged.conflicts, [], version);
    assert.ok(
      mail.merged.changes.some(({ path, before, after }) =>
        path === "EmailSettings.SMTPServer" &&
        before === (version === "3.6.0" ? "" : "localhost") &&
        after === "smtp.example.com"
      ),
      version,
    );
  }
});

Deno.test("an upgrade removes the keys that only the old release had, and warns of none of them", async () => {
  const files = await started("3.3.0");
  const env = { ...ENOUGH, MATTERMOST_VERSION: "3.6.0" };
  const { context } = stage({ files, env });
  const upgrade = await makePlan(context);
  assert.deepEqual(
    upgrade.merged.changes.map(({ path, reason }) => `${reason} ${path}`)
      .filter((text) => text.includes("RateLimit")),
    [
      "default RateLimitSettings.Enable",
      "obsolete RateLimitSettings.EnableRateLimiter",
    ],
  );
  assert.deepEqual(upgrade.warnings, []);
  await writePlan(upgrade, context);
  const next = await plan({ files, env });
  assert.deepEqual([next.merged.changes, next.warnings], [[], []]);
});

Deno.test("a first start begins with the default configuration of the server's package", async () => {
  const files = installed();
  files.makeDirectory(`${INSTALL}/config`);
  files.place(
    `${INSTALL}/config/config.json`,
    '{"TeamSettings":{"CustomBrandText":"from config.json"}}',
  );
  const older = await plan({ files });
  assert.match(older.merged.text, /"CustomBrandText": ?"from config\.json"/);
  files.place(
    `${INSTALL}/config/default.json`,
    '{"TeamSettings":{"CustomBrandText":"from default.json"}}',
  );
  const newer = await plan({ files });
  assert.match(newer.merged.text, /"CustomBrandText": ?"from default\.json"/);
});

Deno.test("a default configuration that cannot be used is ignored", async () => {
  const bare = await plan({});
  for (const text of ["{ torn", "[]", "null"]) {
    const files = installed();
    files.makeDirectory(`${INSTALL}/config`);
    files.place(`${INSTALL}/config/default.json`, text);
    assert.deepEqual(
      Object.keys(JSON.parse((await plan({ files })).merged.text)),
      Object.keys(JSON.parse(bare.merged.text)),
      text,
    );
  }
});

Deno.test("the database of a config.json that the entrypoint did not write is used", async () => {
  const files = withSource(
    "postgres",
    "postgres://ann:secret@db.example.com:5433/chat?sslmode=disable",
  );
  const { database, merged } = await plan({ files, env: NO_DATABASE });
  assert.equal(database.dsn, undefined);
  const { adapter, host, port, user, database: name } = database.source;
  assert.deepEqual([adapter, host, port, user, name], [
    "postgres",
    "db.example.com",
    5433,
    "ann",
    "chat",
  ]);
  assert.match(merged.text, /ann:secret@db\.example\.com:5433/);
});

Deno.test("a database that an earlier start wrote stays when the settings no longer name it", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  const { context } = stage({ files, env: ENOUGH });
  const first = await makePlan(context);
  await writePlan(first, context);
  const later = await plan({ files, env: NO_DATABASE });
  assert.equal(later.database.source.host, first.database.source.host);
  assert.deepEqual(
    later.merged.changes.filter(({ path }) => path.startsWith("SqlSettings.")),
    [],
  );
  // It is nobody's setting any more, and still there after that start.
  await writePlan(later, stage({ files, env: NO_DATABASE }).context);
  const last = await plan({ files, env: NO_DATABASE });
  assert.deepEqual(last.merged.changes, []);
  assert.equal(last.database.source.password, first.database.source.password);
});

Deno.test("a config.json that names no database, or only the packages' example, is no data source", async () => {
  for (
    const files of [
      withConfig("{}"),
      withConfig('{"SqlSettings":[]}'),
      withSource("sqlite3", "file.db"),
      withSource("postgres", ""),
      withSource("postgres", 5),
      withSource(
        "postgres",
        "postgres://mmuser:mostest@localhost/mattermost_test",
      ),
      withSource("mysql", "mmuser:mostest@tcp(localhost:3306)/mattermost_test"),
    ]
  ) {
    const error = await refusal({ files, env: NO_DATABASE });
    assert.equal(error.code, 78, files.readText(CONFIG));
    assert.deepEqual(
      error.problems.map(({ subject }) => subject).slice(0, 1),
      ["DB_HOST"],
      files.readText(CONFIG),
    );
  }
});

Deno.test("MM_SQLSETTINGS_DATASOURCE overrides all others, with the product of driver, scheme or DB_ADAPTER", async () => {
  const cases: readonly (readonly [Record<string, string>, string])[] = [
    [{ MM_SQLSETTINGS_DATASOURCE: "postgres://a:b@db:5432/chat" }, "postgres"],
    [{
      MM_SQLSETTINGS_DATASOURCE: "postgresql://a:b@db:5432/chat",
      MM_SQLSETTINGS_DRIVERNAME: "postgres",
    }, "postgres"],
    [{
      MATTERMOST_VERSION: "9.11.18",
      MM_SQLSETTINGS_DATASOURCE: "a:b@tcp(db:3306)/chat",
      MM_SQLSETTINGS_DRIVERNAME: "mysql",
    }, "mysql"],
    [{
      MATTERMOST_VERSION: "9.11.18",
      MM_SQLSETTINGS_DATASOURCE: "host=db user=a password=b dbname=chat",
    }, "postgres"],
    [{
      MATTERMOST_VERSION: "9.11.18",
      DB_ADAPTER: "mysql",
      MM_SQLSETTINGS_DATASOURCE: "a:b@tcp(db:3306)/chat",
    }, "mysql"],
  ];
  for (const [env, adapter] of cases) {
    const { database } = await plan({ env: { ...NO_DATABASE, ...env } });
    assert.deepEqual([
      database.dsn,
      database.source.adapter,
      database.source.host,
    ], [env["MM_SQLSETTINGS_DATASOURCE"], adapter, "db"]);
  }
});

Deno.test("MM_SQLSETTINGS_DATASOURCE is read in any letter case by the releases that do so", async () => {
  const env = {
    ...NO_DATABASE,
    mm_sqlsettings_datasource: "postgres://a:b@db:5432/chat",
    mm_SqlSettings_DriverName: "postgres",
  };
  const { database, merged } = await plan({ env });
  assert.equal(database.source.host, "db");
  assert.match(merged.text, /a:b@db:5432/);
  const { problems } = await refusal({
    env: { ...env, MATTERMOST_VERSION: "5.29.0" },
  });
  assert.equal(problems[0]?.subject, "DB_HOST");
});

Deno.test("two data sources in different letter case are refused and not shown", async () => {
  const error = await refusal({
    env: {
      ...NO_DATABASE,
      mm_sqlsettings_datasource: "postgres://a:b@first:5432/chat",
      MM_SQLSETTINGS_DATASOURCE: "postgres://a:b@second:5432/chat",
    },
  });
  assert.equal(error.code, 78);
  assert.deepEqual(error.problems.map(({ message }) => message), [
    "mm_sqlsettings_datasource and MM_SQLSETTINGS_DATASOURCE have different values, but the server reads both as MM_SQLSETTINGS_DATASOURCE",
  ]);
});

Deno.test("an empty MM_SQLSETTINGS_DATASOURCE is refused where it would count", async () => {
  const env = { ...ENOUGH, MM_SQLSETTINGS_DATASOURCE: "" };
  const error = await refusal({ env });
  assert.deepEqual(
    error.problems.map(({ subject, remedy }) => [
      subject,
      remedy,
    ]),
    [[
      "MM_SQLSETTINGS_DATASOURCE",
      "Remove MM_SQLSETTINGS_DATASOURCE, or set it to a data source",
    ]],
  );
  const older = stage({ env: { ...env, MATTERMOST_VERSION: "5.29.0" } });
  const { database } = await loadSettingsWithConfig(older.context);
  assert.equal(database.source.host, "db.example.com");
});

Deno.test("MM_SQLSETTINGS_DRIVERNAME decides on the product like DB_ADAPTER", async () => {
  const host = { MATTERMOST_VERSION: "9.11.18", DB_HOST: "db.example.com" };
  for (const adapter of ["postgres", "mysql"]) {
    const { database, settings, merged } = await plan({
      env: { ...host, MM_SQLSETTINGS_DRIVERNAME: adapter },
    });
    assert.equal(database.source.adapter, adapter);
    assert.equal(settings.DB_PORT, adapter === "mysql" ? 3306 : 5432);
    assert.match(merged.text, new RegExp(`"DriverName": ?"${adapter}"`));
  }
  const both = { ...host, DB_ADAPTER: "pgsql" };
  const same = { ...both, MM_SQLSETTINGS_DRIVERNAME: "postgres" };
  assert.equal((await plan({ env: same })).database.source.adapter, "postgres");
  const error = await refusal({
    env: { ...both, mm_sqlsettings_drivername: "mysql" },
  });
  assert.equal(error.code, 78);
  assert.deepEqual(error.problems, [{
    subject: "MM_SQLSETTINGS_DRIVERNAME",
    message:
      "MM_SQLSETTINGS_DRIVERNAME is mysql, but DB_ADAPTER is postgres: both name the database product, so they must be the same",
    remedy: "Remove MM_SQLSETTINGS_DRIVERNAME or DB_ADAPTER",
    code: 78,
  }]);
});

Deno.test("a data source in config.json that the driver refuses is named, if no variable names another", async () => {
  const files = withSource("mysql", "ann:hunter22@db/chat");
  const env = { MATTERMOST_VERSION: "9.11.18" };
  const { problems } = await refusal({
    files,
    env: { ...NO_DATABASE, ...env },
  });
  assert.deepEqual(
    problems.map(({ subject, message }) => [subject, message]),
    [[
      "SqlSettings.DataSource in config.json",
      "SqlSettings.DataSource in config.json must be a data source that the server's MySQL driver accepts: it has an address that is neither tcp(host:port) nor unix(path), at character 14, in the host",
    ]],
  );
  await plan({ files, env: { ...ENOUGH, ...env } });
});

Deno.test("MM_SQLSETTINGS_DRIVERNAME overrides the product in config.json, except in releases that do not read it", async () => {
  const files = withSource("mysql", "postgres://ann@db.example.com/chat");
  const env = {
    MATTERMOST_VERSION: "9.11.18",
    MM_SQLSETTINGS_DRIVERNAME: "postgres",
  };
  const { database } = await plan({ files, env });
  assert.deepEqual(
    [database.source.adapter, database.source.host],
    ["postgres", "db.example.com"],
  );
  const { problems } = await refusal({
    files,
    env: { ...env, MATTERMOST_VERSION: "3.6.0" },
  });
  assert.equal(problems[0]?.subject, "SqlSettings.DataSource in config.json");
});

Deno.test("variables that make the server's PostgreSQL driver panic are refused", async () => {
  const env = {
    ...ENOUGH,
    MATTERMOST_VERSION: "10.11.23",
    PGHOSTADDR: "10.0.0.5",
    PGSERVICE: "",
    PGHOST: "db",
  };
  const error = await refusal({ env });
  assert.equal(error.code, 78);
  assert.deepEqual(
    error.problems.map(({ subject, remedy }) => [subject, remedy]),
    ["PGHOSTADDR", "PGSERVICE"].map((name) => [
      name,
      `Remove ${name}, and set DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASS`,
    ]),
  );
  await plan({
    env: {
      ...ENOUGH,
      MATTERMOST_VERSION: "9.11.18",
      DB_ADAPTER: "mysql",
      PGSERVICE: "chat",
    },
  });
  // A newer driver supports them, and this release may have it.
  await plan({ env: { ...env, MATTERMOST_VERSION: "12.0.0" } });
});

Deno.test("a data source that the driver cannot parse is refused and not shown", async () => {
  const reasons = {
    postgres:
      "PostgreSQL driver accepts: it is neither a URL that begins with postgres:// nor a list of keywords and values, at character 1",
    mysql:
      "MySQL driver accepts: it has no slash before the name of the database",
  };
  const files = installed();
  files.makeDirectory("/run/secrets");
  files.place("/run/secrets/dsn", "a secret: @@nowhere");
  for (const [adapter, reason] of Object.entries(reasons)) {
    for (
      const [name, value] of [
        ["MM_SQLSETTINGS_DATASOURCE", "a secret: @@nowhere"],
        ["MM_SQLSETTINGS_DATASOURCE_FILE", "/run/secrets/dsn"],
      ] as const
    ) {
      const error = await refusal({
        files,
        env: {
          MATTERMOST_VERSION: "9.11.18",
          MM_SQLSETTINGS_DRIVERNAME: adapter,
          [name]: value,
        },
      });
      assert.equal(error.code, 78);
      const [problem] = error.problems;
      assert.equal(problem?.subject, name);
      assert.equal(
        problem?.message,
        `${name} must be a data source that the server's ${reason}`,
      );
      assert.ok(!JSON.stringify(error).includes("nowhere"));
    }
  }
});

Deno.test("a database is found by its service name, and a slow lookup is abandoned", async () => {
  const env = { ...NO_DATABASE, DB_PASS: "x" };
  const quick = stage({ env, hosts: { postgres: ["10.0.0.2"] } });
  quick.system.clock.sleep = () => new Promise(() => {});
  const { settings, database } = await makePlan(quick.context);
  assert.deepEqual([settings.DB_HOST, settings.DB_ADAPTER], [
    "postgres",
    "postgres",
  ]);
  assert.deepEqual(database.source.givenBy, { DB_HOST: "a service name" });
  const { system, context } = stage({ env });
  system.resolveHost = () => new Promise(() => {});
  await assert.rejects(
    makePlan(context),
    (error) => error instanceof EntrypointError && error.code === 78,
  );
});

Deno.test("a misspelt variable is listed with the setting that is missing, and not counted", async () => {
  const error = await refusal({
    env: { ...NO_DATABASE, DB_HOSTNAME: "db.example.com" },
  });
  assert.equal(error.code, 78);
  assert.equal(error.message, "1 setting is missing or wrong");
  assert.deepEqual(error.problems.map(({ subject }) => subject), [
    "DB_HOST",
    "DB_HOSTNAME",
  ]);
  assert.match(error.problems[1]?.remedy ?? "", /DB_HOST\b/);
});

Deno.test("a configuration that the release would refuse ends with 78 and its key", async () => {
  const error = await refusal({
    env: { ...ENOUGH, MM_LOGSETTINGS_CONSOLELEVEL: "loud" },
  });
  assert.equal(error.code, 78);
  assert.equal(
    error.message,
    "Mattermost 11.7.9 would refuse this configuration",
  );
  assert.equal(error.problems[0]?.subject, "LogSettings.ConsoleLevel");
});

Deno.test("an installation on MySQL is not taken for one on PostgreSQL from 11 on", async () => {
  const { DB_ADAPTER: _, ...env } = ENOUGH;
  const files = (): MemoryFiles => withSource("mysql", "a:b@tcp(db:3306)/chat");
  const error = await refusal({ files: files(), env });
  assert.equal(error.code, 78);
  assert.match(
    error.message,
    /MySQL and DB_ADAPTER is not set, but Mattermost 11/,
  );
  for (
    const [files, more] of [
      [withSource("mysql", "a:b@tcp(db:3306)/chat"), {
        DB_ADAPTER: "postgres",
      }],
      [withSource("postgres", "postgres://a:b@db/chat"), {}],
      [withConfig("{}"), {}],
    ] as const
  ) {
    const { database } = await plan({ files, env: { ...env, ...more } });
    assert.equal(database.source.adapter, "postgres");
  }
});

Deno.test("a release that this program does not know is accepted without a warning", async () => {
  for (const version of ["12.0.0", "13.4.0"]) {
    const { warnings } = await plan({
      env: { ...ENOUGH, MATTERMOST_VERSION: version },
    });
    const { warnings: known } = await plan({ env: ENOUGH });
    assert.deepEqual(warnings, known);
  }
});

Deno.test("without MATTERMOST_VERSION the installed server reports its release", async () => {
  const { MATTERMOST_VERSION: _, ...env } = ENOUGH;
  const { system, context } = stage({
    env,
    watchChild: () => ({ lines: ["Version: 11.7.2"], code: 0 }),
  });
  const { release } = await makePlan(context);
  assert.equal(release.version, "11.7.2");
  const [child] = system.watched;
  assert.deepEqual([child?.uid, child?.gid], [2000, 2000]);
});

Deno.test("a release is assumed only if none is stated and no server is installed", async () => {
  const { MATTERMOST_VERSION: _, ...env } = ENOUGH;
  const assume = "11.0.0";
  const empty = stage({ env, files: new MemoryFiles("/opt") });
  const { release } = await makePlan(empty.context, { assume });
  assert.equal(release.version, assume);
  const silent = stage({ env, watchChild: () => ({ lines: [], code: 0 }) });
  await assert.rejects(
    makePlan(silent.context, { assume }),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      /does not report its release$/.test(error.message),
  );
  const old = stage({
    env,
    watchChild: () => ({ lines: ["Version: 2.2.0"], code: 0 }),
  });
  await assert.rejects(makePlan(old.context, { assume }), /2\.2\.0 is not/);
  const stated = stage({ env: { ...env, MATTERMOST_VERSION: "2.2.0" } });
  await assert.rejects(makePlan(stated.context, { assume }), /2\.2\.0 is not/);
});

Deno.test("debug output shows each setting with its origin, and no secret", async () => {
  const { system, context } = stage();
  context.log.configure({ format: "text", debug: true });
  logSummary(await makePlan(context), context);
  assert.match(
    system.err.text,
    /debug: DB_HOST=db\.example\.com \(variable DB_HOST\)/,
  );
  assert.match(
    system.err.text,
    /debug: DB_PASS=\(hidden\) \(variable DB_PASS\)/,
  );
  assert.ok(!system.err.text.includes("nobody may see"));
});

Deno.test("app:check reports wrong settings and an unusable config.json as findings", async () => {
  const cases = [
    [{ env: { ...ENOUGH, DB_PORT: "x" } }, 78, "failed settings.values: "],
    [{ files: withConfig("{ torn") }, 65, "failed settings.config: "],
  ] as const;
  for (const [world, code, line] of cases) {
    const { system, context } = stage(world);
    assert.equal(await check([], context), code);
    assert.ok(system.out.text.startsWith(line), system.out.text);
  }
});

Deno.test("an error without a code during app:check is a bug and is thrown", async () => {
  const { system, context } = stage();
  system.files.stat = () => {
    throw new RangeError("a bug");
  };
  await assert.rejects(check([], context), RangeError);
});
