/**
 * What root does before it becomes the server's user, and what happens if it cannot.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { run } from "../../tools/shared/process.ts";
import { createAuthority } from "../servers/certificates.ts";
import { createHome, type Home, shown } from "../support/home.ts";
import { type Need, PERL, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  launch,
  type Outcome,
  runProgram,
  start,
} from "../support/program.ts";
import {
  databaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

/** Milliseconds in which the program has to end after SIGTERM. */
const END_TIME = 300;

const STUCK = [
  ...["setpriv", "--bounding-set", "-setuid,-setgid"],
  ...["--inh-caps", "-setuid,-setgid"],
];
/** Some sandboxes forbid it. */
const DROPPING: Need = {
  what: "setpriv, and root that may give up a capability",
  isMet: ROOT_USER.isMet && await new Deno.Command("setpriv", {
    args: [...STUCK.slice(1), "true"],
  }).output().then(({ success }) => success, () => false),
};

const database = await startServerDatabase();

function settingsOf(home: Home): Record<string, string> {
  return {
    ...databaseSettings(home, database),
    MATTERMOST_CA_DIR: join(home.path, "ca.d"),
  };
}

async function installedHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer("11.7.9");
  return home;
}

async function runStuck(
  home: Home,
  args: readonly string[],
): Promise<Outcome> {
  return await launch([...STUCK, ...COMPILED.command, ...args], {
    env: settingsOf(home),
  }).outcome;
}

/** The number of files that do not belong to the server's user. */
async function countForeign(path: string): Promise<number> {
  const { stdout } = await new Deno.Command("find", {
    args: [path, "!", "-uid", "2000"],
  }).output();
  return new TextDecoder().decode(stdout).split("\n").length - 1;
}

testWith(
  [ROOT_USER, PERL],
  "SIGTERM ends a start at once while it gives many files, and the next start continues",
  async () => {
    await using home = await installedHome();
    const data = dirname(home.conf);
    const script = `
      for my $directory (1 .. 400) {
        mkdir "$ARGV[0]/$directory" or die;
        for my $file (1 .. 100) {
          open my $handle, ">", "$ARGV[0]/$directory/$file" or die;
        }
      }`;
    await Deno.mkdir(data);
    await run(["perl", "-e", script, data]);
    const total = await countForeign(data);
    const times: number[] = [];
    // Another process may keep the processor busy for longer once.
    while (times.length < 3 && !times.some((time) => time <= END_TIME)) {
      await run(["chown", "-R", "0:0", data]);
      const running = start(COMPILED, ["app:start"], { env: settingsOf(home) });
      let hasEnded = false;
      running.outcome.then(() => hasEnded = true);
      while (!hasEnded && await countForeign(data) === total) { /* Not yet. */ }
      running.kill("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 1200));
      running.kill("SIGCONT");
      await running.until(
        /Giving the directories to user 2000:2000: \d+ files so far/,
      );
      const before = performance.now();
      running.kill("SIGTERM");
      const outcome = await running.outcome;
      times.push(performance.now() - before);
      assert.equal(outcome.code, 143, outcome.stderr);
      assertClean(outcome);
    }
    assert.ok(Math.min(...times) <= END_TIME, times.join(", "));
    const left = await countForeign(data);
    assert.ok(left > 0 && left < total, `${left} of ${total} are left`);
    assert.equal((await Deno.stat(data)).uid, 0);
    const next = await runProgram(COMPILED, ["app:start"], {
      env: settingsOf(home),
    });
    assert.equal(next.code, 0, next.stderr);
    assert.equal(await countForeign(data), 0);
    // The next start does not walk what belongs to the server.
    await home.write("data/7/late", "x");
    const last = await runProgram(COMPILED, ["app:start"], {
      env: settingsOf(home),
    });
    assert.equal(last.code, 0, last.stderr);
    assert.equal(await countForeign(data), 1);
  },
);

testWith(
  [ROOT_USER],
  "a start that is refused leaves contents, owners and modes as they were",
  async () => {
    await using home = await installedHome();
    await home.write("data/config/config.json", "{}");
    await home.write("data/upload", "x");
    const before = await home.snapshot();
    for (
      const [code, env] of [
        [77, { DB_PASS: "wrong" }],
        [78, { MATTERMOST_PORT: "none" }],
        [78, { MATTERMOST_NAME: "to be refused" }],
      ] as const
    ) {
      for (const args of [["app:start"], ["app:migrate"]]) {
        const outcome = await runProgram(COMPILED, args, {
          env: { ...settingsOf(home), ...env },
        });
        assert.equal(outcome.code, code, outcome.stderr);
        await home.assertUnchanged(before);
      }
    }
  },
);

testWith(
  [DROPPING],
  "root that cannot become the server's user changes nothing, names the capabilities, and may look",
  async () => {
    await using home = await installedHome();
    await home.write("data/config/config.json.1", "{}");
    await home.write("data/config/config.json", "{}");
    await home.write("theirs/file", "");
    await run(["chown", "-R", "2000:2000", join(home.path, "theirs")]);
    const before = await home.snapshot();
    for (
      const args of [
        ["app:start"],
        ["app:migrate"],
        ["app:config", "--restore", "1"],
        ["app:secrets", "--write", join(home.path, "theirs")],
      ]
    ) {
      const outcome = await runStuck(home, args);
      assert.equal(outcome.code, 126, outcome.stderr);
      assert.match(
        outcome.stderr,
        /error: Root cannot become the user 2000:2000 of the server: it lacks CAP_SETGID and CAP_SETUID, .*\n.*→ docker run --user 2000:2000 /,
      );
      await home.assertUnchanged(before);
    }
    const config = await runStuck(home, ["app:config"]);
    assert.equal(config.code, 0, config.stderr);
    assert.match(config.stderr, /warning: Root cannot become the user/);
    assert.match(config.stdout, /"SiteName"/);
    const check = await runStuck(home, ["app:check"]);
    assert.equal(check.code, 1, check.stderr);
    assert.match(
      check.stdout,
      /^failed directories\.access: Root cannot become the user/m,
    );
    await home.assertUnchanged(before);
  },
);

testWith(
  [DROPPING],
  "root that may not enter the directories of others, as on NFS or without a capability, starts again and again",
  async () => {
    await using home = await installedHome();
    const dropped = "-dac_override,-dac_read_search,-fowner";
    const command = [
      ...["setpriv", "--bounding-set", dropped, "--inh-caps", dropped],
      ...COMPILED.command,
    ];
    const commands = [["app:start"], ["app:config", "--restore", "1"]];
    for (const name of ["first", "second", "third"]) {
      for (const args of [...commands, ["app:config"]]) {
        const outcome = await launch([...command, ...args], {
          env: { ...settingsOf(home), MATTERMOST_NAME: name },
        }).outcome;
        assertClean(outcome, [PASSWORD]);
        assert.equal(outcome.code, 0, outcome.stderr);
      }
      const checked = await launch([...command, "app:check"], {
        env: { ...settingsOf(home), MATTERMOST_NAME: name },
      }).outcome;
      assert.match(checked.stdout, /^ok directories\.access: /m);
      await run(["chmod", "0700", join(home.path, "data")]);
    }
  },
);

testWith(
  [ROOT_USER],
  "the server keeps the groups of the container, but for 0",
  async () => {
    await using home = await installedHome();
    const grouped = ["setpriv", "--groups=0,3000,4000"];
    const { code, stdout, stderr } = await launch(
      [...grouped, ...COMPILED.command, "app:start"],
      { env: settingsOf(home) },
    ).outcome;
    assert.equal(code, 0, stderr);
    assert.match(
      shown(stdout).ids,
      /Uid: 2000 .*; Gid: 2000 .*; Groups: 3000 4000/,
    );
  },
);

testWith(
  [ROOT_USER],
  "a DB_SSL_CA that the server's user cannot read is refused with its owner and mode",
  async () => {
    await using home = await installedHome();
    const { certificate } = createAuthority("Private");
    const path = await home.write("secret/ca.pem", certificate, 0o600);
    const env = {
      ...settingsOf(home),
      DB_SSL_CA: path,
      DB_SSL_MODE: "verify-ca",
    };
    const { code, stderr } = await runProgram(COMPILED, ["app:start"], { env });
    assert.equal(code, 66, stderr);
    assert.match(
      stderr,
      /The file .*\/ca\.pem of DB_SSL_CA cannot be read by user 2000:2000 of the server: .*\/ca\.pem belongs to 0:0 with mode 0600\n.*→ chmod a\+r /,
    );
  },
);

testWith(
  [ROOT_USER],
  "a file of root is read for a _FILE variable only if the server's user cannot redirect the path",
  async () => {
    await using home = await installedHome();
    const secret = await home.write("secret", PASSWORD, 0o600);
    const data = dirname(home.conf);
    await Deno.mkdir(data);
    await run(["chown", "2000:2000", data]);
    const link = join(data, "password");
    await run(["ln", "-s", secret, link], { uid: 2000, gid: 2000, cwd: "/" });
    const { DB_PASS: _, ...env } = settingsOf(home);
    const refused = await runProgram(COMPILED, ["app:start"], {
      env: { ...env, DB_PASS_FILE: link },
    });
    assert.equal(refused.code, 66, refused.stderr);
    assertClean(refused, [PASSWORD]);
    assert.deepEqual(
      await Array.fromAsync(Deno.readDir(data), ({ name }) => name),
      [
        "password",
      ],
    );
    const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
      env: { ...env, DB_PASS_FILE: secret },
    });
    assert.equal(code, 0, stderr);
  },
);

Deno.test.afterAll(() => database.stop());
