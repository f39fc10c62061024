/**
 * Starts that succeed: what the server receives, who owns its files, and how signals work before
 * and after the hand-off.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import recorded from "../fixtures/package_11.6.0.json" with { type: "json" };
import { createHome, type Home, shown } from "../support/home.ts";
import { ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  PATH,
  PROGRAMS,
  runProgram,
  start,
  testPrograms,
} from "../support/program.ts";
import {
  databaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

const IS_ROOT = ROOT_USER.isMet;
/** A user that owns nothing. */
const OTHER = 65533;
/** The configuration in the package of 11.6.0. */
const PACKAGE = JSON.stringify(recorded);
const database = await startServerDatabase();

function settingsOf(home: Home): Record<string, string> {
  return databaseSettings(home, database);
}

async function readConfig(
  { config }: Home,
): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse(await Deno.readTextFile(config));
}

testPrograms(
  "the server gets the process, its arguments and its working directory",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    for (const args of [["app:start"], [], ["app:start", "--", "-x", "a b"]]) {
      const { code, pid, stdout, stderr } = await runProgram(program, args, {
        env: settingsOf(home),
      });
      assert.equal(code, 0, stderr);
      const server = shown(stdout);
      assert.equal(server.pid, pid);
      assert.equal(server.cwd, await Deno.realPath(home.install));
      assert.deepEqual(server.args, [
        "/bin/sh",
        join(home.install, "bin/mattermost"),
        ...["--config", home.config],
        ...args.slice(2),
      ]);
    }
  },
);

testPrograms(
  "the server gets the environment without the variables of the entrypoint",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const secret = await home.write("secrets/smtp", "pass-of-the-mail\n");
    const key = await home.write("secrets/key", "key-of-the-server\n");
    const { code, stdout, stderr } = await runProgram(program, ["app:start"], {
      env: {
        ...settingsOf(home),
        SMTP_PASS_FILE: secret,
        MM_SERVICESETTINGS_SITEURL: "https://chat.example.com",
        MM_EMAILSETTINGS_INVITESALT_FILE: key,
        MATTERMOST_NAME: "Chat",
        OTHER: "kept",
        MYSQL_ENV_MYSQL_PASSWORD: "pass-of-a-link",
      },
    });
    assert.equal(code, 0, stderr);
    const env: Record<string, string> = { ...shown(stdout).env };
    const expected: Record<string, string> = {
      ...program.env,
      ...settingsOf(home),
      PATH,
      MATTERMOST_NAME: "Chat",
      OTHER: "kept",
      MM_SERVICESETTINGS_SITEURL: "https://chat.example.com",
      MM_EMAILSETTINGS_INVITESALT: "key-of-the-server",
      MM_LOG_PATH: join(home.path, "log"),
      MM_INSTALL_TYPE: "docker",
    };
    delete expected["DB_PASS"];
    // /bin/sh sets these.
    for (const name of ["PWD", "_", "OLDPWD", "SHLVL"]) delete env[name];
    assert.deepEqual(env, expected);
    const { EmailSettings = {}, TeamSettings = {} } = await readConfig(home);
    assert.equal(EmailSettings["SMTPPassword"], "pass-of-the-mail");
    assert.equal(TeamSettings["SiteName"], "Chat");
  },
);

testPrograms(
  "names of the server's variables in any letter case reach it once, in capitals, with a warning for a misspelt one",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.6.0");
    await home.write("mattermost/config/config.json", PACKAGE);
    const { code, stdout, stderr } = await runProgram(program, ["app:start"], {
      env: {
        ...home.env,
        MATTERMOST_VERSION: "11.6.0",
        mm_sqlsettings_datasource:
          `postgres://mattermost:${PASSWORD}@127.0.0.1:${database.port}/mattermost?sslmode=disable`,
        Mm_SqlSettings_DriverName: "postgres",
        MM_SERVICESETTING_SITEURL: "https://chat.example.com",
      },
    });
    assert.equal(code, 0, stderr);
    const names = Object.keys(shown(stdout).env)
      .filter((name) => /^mm_/i.test(name)).sort();
    assert.deepEqual(names, [
      "MM_INSTALL_TYPE",
      "MM_LOG_PATH",
      "MM_SERVICESETTING_SITEURL",
      "MM_SQLSETTINGS_DATASOURCE",
      "MM_SQLSETTINGS_DRIVERNAME",
    ]);
    assert.match(stderr, /Did you mean MM_SERVICESETTINGS_SITEURL\?/);
  },
);

testPrograms(
  "a value that the server would ignore prevents the first start, and later it is a warning",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.6.0");
    await home.write("mattermost/config/config.json", PACKAGE);
    const env = { ...settingsOf(home), MATTERMOST_VERSION: "11.6.0" };
    const wrong = { ...env, MM_SERVICESETTINGS_ENABLETESTING: "yes" };
    const before = await home.snapshot();
    const first = await runProgram(program, ["app:start"], { env: wrong });
    assert.equal(first.code, 78);
    assert.match(first.stderr, /→ MM_SERVICESETTINGS_ENABLETESTING=true /);
    await home.assertUnchanged(before);
    assert.equal((await runProgram(program, ["app:start"], { env })).code, 0);
    const later = await runProgram(program, ["app:start"], { env: wrong });
    assert.equal(later.code, 0, later.stderr);
    assert.match(
      later.stderr,
      /MM_SERVICESETTINGS_ENABLETESTING must be true or false: it is "yes"/,
    );
  },
);

testPrograms(
  "the exit code and the signal that ends the server are the program's",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9", "exit 23");
    const env = settingsOf(home);
    assert.equal((await runProgram(program, ["app:start"], { env })).code, 23);
    await home.installServer("11.7.9", "kill -SEGV $$");
    const { signal } = await runProgram(program, ["app:start"], { env });
    assert.equal(signal, "SIGSEGV");
  },
);

testPrograms("signals after the hand-off are the server's", async (program) => {
  await using home = await createHome();
  await home.installServer(
    "11.7.9",
    "trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.05; done",
  );
  const running = start(program, ["app:start"], { env: settingsOf(home) });
  await running.until(/ready/);
  running.kill("SIGTERM");
  const { code, stdout } = await running.outcome;
  assert.deepEqual({ code, stdout }, { code: 9, stdout: "ready\nterm\n" });
});

testPrograms(
  "started as root, the server runs as user 2000 and owns its directories",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    for (const name of ["client/plugins", "plugins", "logs", "config"]) {
      await home.write(`mattermost/${name}/file`, "{}");
    }
    await home.write("data/users/avatar", "old");
    const { code, stdout, stderr } = await runProgram(program, ["app:start"], {
      env: settingsOf(home),
    });
    assert.equal(code, 0, stderr);
    assert.equal(
      shown(stdout).ids,
      "Uid: 2000 2000 2000 2000; Gid: 2000 2000 2000 2000; Groups:",
    );
    const owned = [
      ...["data", "data/users/avatar", "data/VERSION", "log"],
      ...["data/config", "data/config/config.json"],
      ...["mattermost/client/plugins", "mattermost/plugins/file"],
      "mattermost/logs",
    ];
    for (const path of owned) {
      const { uid, gid } = await Deno.stat(join(home.path, path));
      assert.deepEqual({ path, uid, gid }, { path, uid: 2000, gid: 2000 });
    }
    for (const path of ["mattermost/bin", "mattermost/client", "marks"]) {
      assert.equal((await Deno.stat(join(home.path, path))).uid, 0);
    }
    assert.equal((await Deno.stat(home.config)).mode, 0o100600);
    assert.match(stderr, /Gave .*\/data to user 2000:2000/);
  },
  [ROOT_USER],
);

testPrograms(
  "started as root, the server runs as the user of MATTERMOST_UID",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const { stdout } = await runProgram(program, ["app:start"], {
      env: {
        ...settingsOf(home),
        MATTERMOST_UID: "1234",
        MATTERMOST_GID: "99",
      },
    });
    assert.equal(
      shown(stdout).ids,
      "Uid: 1234 1234 1234 1234; Gid: 99 99 99 99; Groups:",
    );
    assert.equal((await Deno.stat(home.config)).uid, 1234);
  },
  [ROOT_USER],
);

Deno.test("started as another user who can write, the server runs as that user", async () => {
  const identity = IS_ROOT ? { uid: OTHER, gid: OTHER } : {};
  const uid = IS_ROOT ? OTHER : Deno.uid();
  await using home = await createHome();
  await home.installServer("11.7.9");
  if (IS_ROOT) await Deno.chmod(home.path, 0o1777);
  const { code, stdout, stderr } = await runProgram(COMPILED, ["app:start"], {
    env: settingsOf(home),
    ...identity,
  });
  assert.equal(code, 0, stderr);
  assert.match(shown(stdout).ids, new RegExp(`^Uid: ${uid} ${uid} ${uid} `));
  assert.equal((await Deno.stat(home.config)).uid, uid);
  assert.equal(await Deno.readTextFile(home.version), "11.7.9\n");
});

testWith(
  [ROOT_USER],
  "another user who cannot write gets an error that names the directory",
  async () => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const before = await home.snapshot();
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: settingsOf(home),
      uid: OTHER,
      gid: OTHER,
    });
    assert.equal(outcome.code, 73);
    assert.match(
      outcome.stderr,
      /User \d+:\d+ cannot write to .*\/data, the directory of uploaded files: /,
    );
    assertClean(outcome, [PASSWORD]);
    await home.assertUnchanged(before);
  },
);

testPrograms(
  "a second start writes nothing and does not query the server",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const env = settingsOf(home);
    await runProgram(program, ["app:start"], { env });
    assert.ok(await home.wasAsked());
    await Deno.remove(join(home.path, "marks/asked"));
    const before = await home.snapshot();
    const { code, stderr } = await runProgram(program, ["app:start"], { env });
    assert.equal(code, 0, stderr);
    await home.assertUnchanged(before);
    assert.ok(!await home.wasAsked());
  },
);

testPrograms(
  "debug output shows the steps, without a secret",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const outcome = await runProgram(program, ["app:start"], {
      env: {
        ...settingsOf(home),
        DEBUG: "true",
        SMTP_PASS: "pass-of-the-mail",
      },
    });
    assert.equal(outcome.code, 0);
    for (
      const step of [
        /debug: Settings resolved \(\d+ ms\)/,
        /debug: Configuration planned \(\d+ ms\)/,
        /debug: DB_PASS=\(hidden\) \(variable DB_PASS\)/,
        /debug: MATTERMOST_NAME=Mattermost \(default\)/,
        /debug: PostgreSQL [\d.]+.* accepts the login/,
        /debug: Wrote .*config\.json/,
        /debug: Handing over to the server/,
      ]
    ) assert.match(outcome.stderr, step);
    const { SqlSettings = {}, FileSettings = {} } = await readConfig(home);
    assertClean(outcome, [
      ...[PASSWORD, "pass-of-the-mail"],
      String(SqlSettings["AtRestEncryptKey"]),
      String(FileSettings["PublicLinkSalt"]),
    ]);
  },
);

testPrograms("every line is JSON where that is asked for", async (program) => {
  await using home = await createHome();
  await home.installServer("11.7.9");
  const good = await runProgram(program, ["app:start"], {
    env: {
      ...settingsOf(home),
      DEBUG: "true",
      ENTRYPOINT_LOG_FORMAT: "json",
      SMTP_PORTT: "25",
    },
  });
  const bad = await runProgram(program, ["app:start"], {
    env: {
      ...settingsOf(home),
      ENTRYPOINT_LOG_FORMAT: "json",
      MATTERMOST_PORT: "x",
      DB_PASS_FILE: "/no/such",
    },
  });
  assert.deepEqual([good.code, bad.code], [0, 78]);
  const parse = (text: string): Record<string, unknown>[] =>
    text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const levels = new Set(parse(good.stderr).map(({ level }) => level));
  assert.deepEqual([...levels].sort(), ["debug", "info", "warning"]);
  for (const { time, level, message } of parse(good.stderr)) {
    assert.ok([time, level, message].every((part) => typeof part === "string"));
  }
  const [error = {}, ...rest] = parse(bad.stderr);
  assert.deepEqual(rest, []);
  assert.equal(error["code"], 78);
  assert.equal((error["problems"] as unknown[]).length, 2);
});

const ENDINGS = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 };

for (const program of PROGRAMS) {
  for (const [signal, expected] of Object.entries(ENDINGS)) {
    Deno.test(`${program.name}: ${signal} during the wait ends the start at once, and nothing is written`, async () => {
      await using home = await createHome();
      await home.installServer("11.7.9");
      const before = await home.snapshot();
      const running = start(program, ["app:start"], {
        env: { ...settingsOf(home), DB_PORT: "1", DB_TIMEOUT: "600" },
      });
      await running.until(/Waiting/);
      running.kill(signal as Deno.Signal);
      const outcome = await running.outcome;
      assert.deepEqual([outcome.code, outcome.stdout], [expected, ""]);
      assertClean(outcome, [PASSWORD]);
      await home.assertUnchanged(before);
    });
  }
}

testPrograms("a database that comes up late is waited for", async (program) => {
  await using home = await createHome();
  await home.installServer("11.7.9");
  const port = freePort();
  const running = start(program, ["app:start"], {
    env: { ...settingsOf(home), DB_PORT: String(port), DB_TIMEOUT: "60" },
  });
  await running.until(/Waiting.* refuses connections/);
  await using late = await startPostgres({ port });
  const [role, base] = ["CREATE ROLE mattermost LOGIN", "CREATE DATABASE"];
  await late.sql(`${role} PASSWORD '${PASSWORD}'`);
  await late.sql(`${base} mattermost OWNER mattermost`);
  const { code, stdout, stderr } = await running.outcome;
  assert.equal(code, 0, stderr);
  assert.equal(shown(stdout).pid, running.pid);
});

Deno.test.afterAll(() => database.stop());
