/**
 * Starts that fail: each class of errors with its exit code and its message, without a secret in
 * any of them, and with each file unchanged.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createHome, type Home } from "../support/home.ts";
import { ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  type Program,
  PROGRAMS,
  runProgram,
  testPrograms,
} from "../support/program.ts";
import {
  databaseSettings,
  startServerDatabase,
} from "../support/server_database.ts";

/** Characters that need quoting in a data source. */
const PASSWORD = "p@ss:w/o?r#d%41'\"$ \\ü";
const SALT = "salt-that-nobody-may-see-0123456789abcdef";
/** One attempt, which may take its time on a busy machine. */
const ONCE = { DB_TIMEOUT: "0" };
/** Starts at the same time. */
const LANES = 3;
/** A role without privileges. */
const STRANGER = "stranger-password";

const database = await startServerDatabase(PASSWORD);
await database.sql(`CREATE ROLE stranger LOGIN PASSWORD '${STRANGER}'`);

/** Settings that start a server. */
function settingsOf(home: Home): Record<string, string> {
  return {
    ...databaseSettings(home, database, PASSWORD),
    MATTERMOST_LINK_SALT: SALT,
    DB_TIMEOUT: "30",
  };
}

/** A home where the server was started once. */
async function startedHome(program: Program): Promise<Home> {
  const home = await createHome();
  await home.installServer("11.7.9");
  const { code, stderr } = await runProgram(program, ["app:start"], {
    env: settingsOf(home),
  });
  assert.equal(code, 0, stderr);
  return home;
}

interface Failure {
  readonly name: string;
  readonly code: number;
  readonly says: readonly RegExp[];
  readonly env?: (home: Home) => Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  /** Breaks the home before the start. */
  readonly damage?: (home: Home) => Promise<unknown>;
}

/** What is wrong with settings, files named by them, and the database. */
const FAILURES: readonly Failure[] = [
  {
    name: "settings, all at once",
    code: 78,
    env: () => ({
      MATTERMOST_PORT: "70000",
      MATTERMOST_CREATE_TEAMS: "perhaps",
      SMTP_SECURITY: "STARTLS",
      MATTERMOST_SECRET_KEY: "too-short-a-secret",
      MATTERMOST_MAX_USERS: "0",
      S3_ACCESS_KEY: "AKIASECRET",
    }),
    says: [
      /error: 6 settings are missing or wrong$/m,
      /MATTERMOST_PORT must be .* it is "70000"/,
      /MATTERMOST_CREATE_TEAMS must be .* it is "perhaps"/,
      /SMTP_SECURITY must .*\n.*Did you mean STARTTLS\?/,
      /MATTERMOST_SECRET_KEY must be .* it is \(hidden\), which has 18 bytes/,
      /MATTERMOST_MAX_USERS must be .* it is "0"/,
      /S3_SECRET_KEY and S3_ACCESS_KEY must be set together/,
    ],
  },
  {
    name: "no database",
    code: 78,
    env: () => ({ DB_HOST: "", DB_ADAPTER: "" }),
    says: [/DB_HOST must name the database server/, /DB_HOST=db\.example/],
    damage: ({ conf }) => Deno.remove(conf, { recursive: true }),
  },
  {
    name: "variable and file",
    code: 78,
    env: ({ path }) => ({ DB_PASS_FILE: join(path, "nothing") }),
    says: [/DB_PASS and DB_PASS_FILE are both set/],
  },
  {
    name: "secrets of a cluster",
    code: 78,
    env: () => ({ MATTERMOST_ENABLE_CLUSTER: "true" }),
    says: [
      /3 settings are/,
      /MATTERMOST_SECRET_KEY is not set, but with MATTERMOST_ENABLE_CLUSTER/,
    ],
  },
  {
    name: "invalid release",
    code: 78,
    env: () => ({ MATTERMOST_VERSION: "latest" }),
    says: [/MATTERMOST_VERSION must be a release .* it is "latest"/],
  },
  {
    name: "unsupported release",
    code: 78,
    env: () => ({ MATTERMOST_VERSION: "2.2.0" }),
    says: [/Mattermost 2\.2\.0 is not supported/],
  },
  {
    name: "release that differs from the server's",
    code: 78,
    env: () => ({ MATTERMOST_VERSION: "11.6.0" }),
    says: [/MATTERMOST_VERSION is 11\.6\.0, but .* reports release 11\.7\.9/],
  },
  {
    name: "missing file of a secret",
    code: 66,
    env: () => ({ DB_PASS: "", DB_PASS_FILE: "/no/such/secret" }),
    says: [/The file \/no\/such\/secret of DB_PASS_FILE does not exist/],
  },
  {
    name: "directory instead of the file of a secret",
    code: 66,
    env: () => ({ SMTP_PASS_FILE: "/usr" }),
    says: [/The file \/usr of SMTP_PASS_FILE is a directory/],
  },
  {
    name: "missing file of a server's variable",
    code: 66,
    env: () => ({ MM_SQLSETTINGS_DATASOURCE_FILE: "/no/such/dsn" }),
    says: [/The file \/no\/such\/dsn of MM_SQLSETTINGS_DATASOURCE_FILE/],
  },
  {
    name: "missing file of a certificate authority",
    code: 66,
    env: () => ({ DB_SSL_MODE: "verify-ca", DB_SSL_CA: "/no/such/ca.pem" }),
    says: [/The file \/no\/such\/ca\.pem of DB_SSL_CA cannot be read/],
  },
  {
    name: "database that refuses connections",
    code: 69,
    env: () => ({ DB_PORT: "1", DB_TIMEOUT: "1" }),
    says: [/Waiting.* refuses connections/, /gave up after 1 s/, /→ Start/],
  },
  {
    name: "database whose name does not resolve",
    code: 69,
    env: () => ({ DB_HOST: "db.invalid", ...ONCE }),
    says: [/host name that does not resolve/, /→ Check DB_HOST=db\.invalid/],
  },
  {
    name: "wrong password",
    code: 77,
    env: () => ({ DB_PASS: "guess-of-a-password", ...ONCE }),
    says: [/refuses the credentials/, /ALTER ROLE "mattermost" WITH LOGIN/],
  },
  {
    name: "login that may not create tables",
    code: 77,
    env: () => ({ DB_USER: "stranger", DB_PASS: STRANGER, ...ONCE }),
    says: [/denies access that Mattermost needs/, /GRANT /],
  },
  {
    name: "no such database",
    code: 78,
    env: () => ({ DB_NAME: "absent", ...ONCE }),
    says: [/does not exist/, /CREATE DATABASE "absent"/],
  },
  {
    name: "TLS that the database does not have",
    code: 78,
    env: () => ({ DB_SSL_MODE: "require", ...ONCE }),
    says: [/does not offer TLS/, /DB_SSL_MODE=disable/],
  },
  {
    name: "data source that the driver cannot parse",
    code: 78,
    env: () => ({ MM_SQLSETTINGS_DATASOURCE: "postgres://u:pass-in-it@[::1" }),
    says: [
      /MM_SQLSETTINGS_DATASOURCE must be .*: it has a bracket that .*, at character 25, in the host/,
    ],
  },
  {
    name: "two data sources in different letter case",
    code: 78,
    env: () => ({
      MM_SQLSETTINGS_DATASOURCE: "postgres://u:pass-in-it@first/a",
      mm_sqlsettings_datasource: "postgres://u:pass-in-it@second/a",
    }),
    says: [/mm_sqlsettings_datasource.* have different values/, /→ Remove /],
  },
  {
    name: "product that differs from that of the server's variable",
    code: 78,
    env: () => ({ mm_sqlsettings_drivername: "mysql" }),
    says: [/MM_SQLSETTINGS_DRIVERNAME is mysql, but DB_ADAPTER is postgres/],
  },
  {
    name: "variable that makes the server's driver panic",
    code: 78,
    env: () => ({ PGREALM: "chat" }),
    says: [/PGREALM must not be set/, /→ Remove PGREALM$/m],
  },
  {
    name: "log directory that cannot be created",
    code: 73,
    env: ({ version }) => ({ MATTERMOST_LOG_DIR: join(version, "log") }),
    says: [/\/VERSION\/log, .*: .*\/VERSION is not a directory$/m, /→ ls -l /],
  },
  {
    name: "directory of config.json that cannot be created",
    code: 73,
    env: ({ version }) => ({ MATTERMOST_CONF_DIR: join(version, "config") }),
    says: [
      /\/VERSION\/config, .*: .*\/VERSION is not a directory$/m,
      /→ ls -l /,
    ],
  },
  {
    name: "unknown option",
    code: 64,
    command: ["app:start", "--fast"],
    says: [/app:start has no option --fast/],
  },
  {
    name: "configuration that the server refuses",
    code: 78,
    damage: async ({ config }) => {
      const document = JSON.parse(await Deno.readTextFile(config));
      document.TeamSettings.CustomDescriptionText = "to be refused";
      await Deno.writeTextFile(config, JSON.stringify(document));
    },
    says: [
      /refuses this configuration, and nothing was written/,
      /TeamSettings\.CustomDescriptionText, which is "to be refused" in \S+: This text is refused$/m,
    ],
  },
  {
    name: "configuration that the server cannot be asked about",
    code: 78,
    damage: async ({ config }) => {
      const document = JSON.parse(await Deno.readTextFile(config));
      document.LogSettings.FileLevel = "LOUD";
      await Deno.writeTextFile(config, JSON.stringify(document));
    },
    says: [/would refuse this configuration/, /LogSettings\.FileLevel/],
  },
  {
    name: "truncated config.json",
    code: 65,
    damage: async ({ config }) => {
      const text = await Deno.readTextFile(config);
      await Deno.writeTextFile(config, text.slice(0, text.length / 2));
    },
    says: [/is not valid JSON \(line /, /app:config --restore 1$/m],
  },
  {
    name: "comment in config.json",
    code: 65,
    damage: async ({ config }) => {
      const text = await Deno.readTextFile(config);
      await Deno.writeTextFile(config, text.replace(",\n", ", // new\n"));
    },
    says: [
      /is not valid JSON \(line \d+, column \d+: a comment, which JSON does not have: remove it\)/,
      /Correct line \d+ .*app:config --restore 1$/m,
    ],
  },
  {
    name: "empty config.json",
    code: 65,
    damage: ({ config }) => Deno.writeTextFile(config, ""),
    says: [/config\.json is empty/, /app:config --restore 1$/m],
  },
  {
    name: "config.json with a list",
    code: 65,
    damage: ({ config }) => Deno.writeTextFile(config, "[]"),
    says: [/config\.json /, /→ /],
  },
  {
    name: "missing server",
    code: 127,
    damage: ({ install }) => Deno.remove(join(install, "bin/mattermost")),
    says: [/Cannot find .*\/bin\/mattermost: no such file/],
  },
  {
    name: "server that cannot be executed",
    code: 126,
    damage: ({ install }) => Deno.chmod(join(install, "bin/mattermost"), 0o644),
    says: [/ cannot execute .*\/bin\/mattermost: .* with mode 0644\n/],
  },
  {
    name: "unknown release",
    code: 78,
    env: () => ({ MATTERMOST_VERSION: "" }),
    damage: ({ install }) => Deno.remove(join(install, "bin/mattermost")),
    says: [/Cannot find out which release/, /→ MATTERMOST_VERSION=11/],
  },
  {
    name: "release that the server does not report",
    code: 78,
    env: () => ({ MATTERMOST_VERSION: "" }),
    damage: ({ install }) => Deno.chmod(join(install, "bin/mattermost"), 0o644),
    says: [/Cannot find out which release/, /→ MATTERMOST_VERSION=11/],
  },
];

async function fail(
  program: Program,
  { home, failure }: { home: Home; failure: Failure },
): Promise<Outcome> {
  const outcome = await runProgram(
    program,
    failure.command ?? ["app:start"],
    {
      env: {
        ...settingsOf(home),
        // Something that a start would write.
        MATTERMOST_NAME: "Changed",
        DEBUG: "true",
        ...failure.env?.(home),
      },
    },
  );
  const { code, stdout, stderr } = outcome;
  assert.deepEqual(
    { name: failure.name, code, stdout },
    { name: failure.name, code: failure.code, stdout: "" },
    stderr,
  );
  for (const pattern of failure.says) assert.match(stderr, pattern);
  assert.match(stderr, /^(entrypoint: .*\n)+$/);
  assertClean(outcome, [
    ...[PASSWORD, SALT, STRANGER, encodeURIComponent(PASSWORD)],
    ...["too-short-a-secret", "AKIASECRET", "guess-of-a-password"],
    ...["pass-in-it"],
  ]);
  return outcome;
}

testPrograms(
  "a start that fails explains why and leaves each file unchanged",
  async (program) => {
    await using home = await startedHome(program);
    const before = await home.snapshot();
    const whole = FAILURES.filter(({ damage }) => damage === undefined);
    const queue = whole.values();
    const wrong: unknown[] = [];
    await Promise.all(Array.from({ length: LANES }, async () => {
      for (const failure of queue) {
        await fail(program, { home, failure })
          .catch((error) => wrong.push(error));
      }
    }));
    assert.equal(wrong.length, 0, wrong.map(String).join("\n"));
    await home.assertUnchanged(before);
  },
);

for (const program of PROGRAMS) {
  for (const failure of FAILURES) {
    if (failure.damage === undefined) continue;
    Deno.test(`${program.name}: ${failure.name}: a start fails and leaves each file unchanged`, async () => {
      await using home = await startedHome(program);
      await failure.damage?.(home);
      const before = await home.snapshot();
      await fail(program, { home, failure });
      await home.assertUnchanged(before);
    });
  }
}

testWith(
  [ROOT_USER],
  "a user who cannot write gets an error, and nothing changes",
  async () => {
    await using home = await startedHome(COMPILED);
    const nobody = { uid: 65534, gid: 65534 };
    await Deno.chmod(join(home.path, "data"), 0o755);
    await Deno.chmod(home.conf, 0o755);
    await Deno.chmod(home.config, 0o644);
    await Deno.chmod(home.version, 0o644);
    const before = await home.snapshot();
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: { ...settingsOf(home), MATTERMOST_NAME: "Changed" },
      ...nobody,
    });
    assert.equal(outcome.code, 73, outcome.stderr);
    assert.match(
      outcome.stderr,
      /User \d+:\d+ cannot write to .*\/data, the directory of uploaded files: /,
    );
    assertClean(outcome, [PASSWORD, SALT]);
    await home.assertUnchanged(before);
  },
);

Deno.test("a server for another machine is reported as such, to root and to other users", async () => {
  const other = { uid: 65534, gid: 65534 };
  for (const identity of ROOT_USER.isMet ? [{}, other] : [{}]) {
    await using home = await createHome();
    await home.write("mattermost/bin/mattermost", "\x7fELF of Mars", 0o755);
    await home.write("data/VERSION", "");
    if (ROOT_USER.isMet) {
      const owner = `${other.uid}:${other.gid}`;
      await new Deno.Command("chown", { args: ["-R", owner, home.path] })
        .output();
    }
    const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
      env: {
        ...settingsOf(home),
        MATTERMOST_UID: String(other.uid),
        MATTERMOST_GID: String(other.gid),
      },
      ...identity,
    });
    assert.equal(code, 126, stderr);
    assert.match(
      stderr,
      /Cannot execute .*\/bin\/mattermost: the file is neither a program for this machine nor a script/,
    );
  }
});

Deno.test.afterAll(() => database.stop());
