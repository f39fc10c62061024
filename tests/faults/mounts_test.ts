/**
 * Starts of the compiled program on mounts that permit only a part of what a start does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { run } from "../../tools/shared/process.ts";
import { createHome, type Home } from "../support/home.ts";
import { MOUNTS, NAMESPACE, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  launch,
  type Outcome,
  runProgram,
} from "../support/program.ts";
import {
  databaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

const VERSION = "11.7.9";

const database = await startServerDatabase();

async function makeHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer(VERSION, "echo the server runs");
  return home;
}

function settingsOf(home: Home, name = "first"): Record<string, string> {
  return { ...databaseSettings(home, database), MATTERMOST_NAME: name };
}

/** Runs the program in a mount namespace of its own, after a shell has prepared it. */
async function runMounted(
  setup: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const script = `(${setup}) || exit 99; exec "$@"`;
  const outcome = await launch([
    ...[...NAMESPACE, "sh", "-c", script, "sh"],
    ...[...COMPILED.command, ...args],
  ], { env }).outcome;
  assert.notEqual(outcome.code, 99, outcome.stderr);
  assertClean(outcome, [PASSWORD]);
  return outcome;
}

testWith(
  [MOUNTS, ROOT_USER],
  "a server on a file system that is mounted with noexec is reported with this cause",
  async () => {
    await using home = await makeHome();
    const noExec =
      `mount --bind ${home.install} ${home.install} && mount -o remount,bind,noexec ${home.install}`;
    const checked = await runMounted(noExec, ["app:check"], settingsOf(home));
    assert.equal(checked.code, 1, checked.stdout);
    assert.match(
      checked.stdout,
      /^failed directories\.server: .*bin\/mattermost cannot be executed: the file system at .*\/mattermost is mounted with noexec$/m,
    );
    const started = await runMounted(noExec, ["app:start"], settingsOf(home));
    assert.equal(started.code, 126, started.stderr);
    assert.match(started.stderr, /mounted with noexec, or the interpreter/);
    const { MATTERMOST_VERSION: _, ...unstated } = settingsOf(home);
    const asked = await runMounted(noExec, ["app:start"], unstated);
    assert.equal(asked.code, 78, asked.stderr);
    assert.match(
      asked.stderr,
      /cannot be executed by user 2000:2000: permission denied \(EACCES\)/,
    );
  },
);

testWith(
  [ROOT_USER],
  "a server's directory that is closed to the server's user is reported before anything is changed",
  async () => {
    await using home = await makeHome();
    await Deno.chmod(home.install, 0o700);
    const before = await home.snapshot();
    for (const command of ["app:start", "app:migrate", "app:check"]) {
      for (const identity of [{}, { uid: 2000, gid: 2000 }]) {
        const outcome = await runProgram(COMPILED, [command], {
          env: settingsOf(home),
          ...identity,
        });
        const { code, stdout, stderr } = outcome;
        const text = stdout + stderr;
        assertClean(outcome, [PASSWORD]);
        assert.equal(code, command === "app:check" ? 1 : 126, text);
        assert.match(
          text,
          /User 2000:2000 cannot execute .*bin\/mattermost: .*\/mattermost belongs to 0:0 with mode 0700\n.*→ chmod a\+x /,
        );
      }
    }
    await home.assertUnchanged(before);
  },
);

testWith(
  [MOUNTS, ROOT_USER],
  "a config.json that is mounted in a read-only directory is written, with copies in the data directory",
  async () => {
    await using home = await makeHome();
    const conf = join(home.path, "conf");
    const file = await home.write("real.json", "{}");
    await home.write("conf/config.json", "{}");
    await run(["chown", "2000:2000", file]);
    const readOnly = [
      `mount --bind ${conf} ${conf} && mount -o remount,bind,ro ${conf}`,
      `mount --bind ${file} ${conf}/config.json`,
    ].join(" && ");
    for (const name of ["first", "second", "third"]) {
      const outcome = await runMounted(readOnly, ["app:start"], {
        ...settingsOf(home, name),
        MATTERMOST_CONF_DIR: conf,
      });
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.match(outcome.stdout, /the server runs/);
      assert.match(await Deno.readTextFile(file), new RegExp(`"${name}"`));
      assert.doesNotMatch(outcome.stderr, /takes precedence|cannot be locked/);
    }
    const names = await Array.fromAsync(
      Deno.readDir(dirname(home.version)),
      ({ name }) => name,
    );
    for (const end of ["lock", "memory", "1", "2", "3"]) {
      assert.ok(names.includes(`config.json.${end}`), names.join());
    }
  },
);

testWith(
  [ROOT_USER],
  "the volume of another OpenShift range is refused with what can be done there",
  async () => {
    await using home = await makeHome();
    const started = await runProgram(COMPILED, ["app:start"], {
      env: {
        ...settingsOf(home),
        MATTERMOST_UID: "1000640000",
        MATTERMOST_GID: "0",
      },
    });
    assert.equal(started.code, 0, started.stderr);
    for (const mode of ["0600", "0660"]) {
      // With 0660 only the directories are closed.
      await run(["sh", "-c", `chmod ${mode} ${home.conf}/*`]);
      const outcome = await runProgram(COMPILED, ["app:start"], {
        env: settingsOf(home, "second"),
        uid: 1_000_650_000,
        gid: 0,
      });
      assertClean(outcome, [PASSWORD]);
      assert.ok([65, 73].includes(outcome.code), outcome.stderr);
      assert.match(
        outcome.stderr,
        /→ securityContext: \{runAsUser: .*oc annotate namespace NAME openshift\.io\/sa\.scc\.uid-range=.*chmod -R g=u /,
      );
      assert.doesNotMatch(outcome.stderr, /chown/);
    }
    await run([
      "chmod",
      "-R",
      "g=u",
      join(home.path, "data"),
      join(home.path, "log"),
    ]);
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: settingsOf(home, "second"),
      uid: 1_000_650_000,
      gid: 0,
    });
    assert.equal(outcome.code, 0, outcome.stderr);
  },
);

Deno.test.afterAll(() => database.stop());
