/**
 * The permission check of a start and of app:check, with real owners and modes, and with real
 * mounts where the machine permits them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertGolden } from "../support/golden.ts";
import { createHome, type Home, shown } from "../support/home.ts";
import { MOUNTS, type Need, ROOT_USER, testWith } from "../support/needs.ts";
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

const database = await startServerDatabase();

const isRoot = ROOT_USER.isMet;

/** A user that owns nothing. */
const NOBODY = { uid: 1003, gid: 1003 };

function settings(home: Home): Record<string, string> {
  return {
    ...databaseSettings(home, database),
    MATTERMOST_UID: "65534",
    MATTERMOST_GID: "65534",
  };
}

/** A home with the directories of the server's package and of the image. */
async function installed(): Promise<Home> {
  const home = await createHome();
  await home.installServer("11.7.9");
  for (const name of ["plugins", "client/plugins"]) {
    await Deno.mkdir(join(home.install, name), { recursive: true });
  }
  return home;
}

async function own(path: string, { uid, gid } = NOBODY): Promise<void> {
  if (isRoot) {
    await new Deno.Command("chown", { args: ["-R", `${uid}:${gid}`, path] })
      .output();
  }
}

async function assertReport(
  name: string,
  outcome: Outcome,
  home: Home,
): Promise<void> {
  assertClean(outcome, [PASSWORD]);
  const [, ...lines] = outcome.stderr.split("\n");
  await assertGolden(
    `permissions/${name}.txt`,
    `${lines.join("\n")}exit ${outcome.code}\n`,
    { volatile: [[home.path, "HOME"], [/\S*\/chown: /g, "chown: "]] },
  );
}

testWith(
  [ROOT_USER],
  "root gives the directories to the server's user, and the check finds nothing",
  async () => {
    await using home = await installed();
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: settings(home),
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.doesNotMatch(outcome.stderr, /cannot write/);
    assert.match(shown(outcome.stdout).ids, /Uid: 65534/);
    for await (const { name } of Deno.readDir(home.install)) {
      assert.doesNotMatch(name, /^\.entrypoint/);
    }
  },
);

testWith(
  [ROOT_USER],
  "a user who owns the volume but not the plugins gets warnings",
  async () => {
    await using home = await installed();
    await Deno.mkdir(join(home.path, "data"));
    await Deno.mkdir(join(home.path, "log"));
    await own(join(home.path, "data"));
    await own(join(home.path, "log"));
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: settings(home),
      ...NOBODY,
    });
    await assertReport("plugins", outcome, home);
  },
);

testWith(
  [ROOT_USER],
  "a user who does not own the volume gets an error before anything is written",
  async () => {
    await using home = await installed();
    await home.write("data/config/config.json", "{}");
    await own(join(home.path, "data"), { uid: 2000, gid: 2000 });
    await Deno.mkdir(join(home.path, "log"));
    await own(join(home.path, "log"));
    await own(home.install);
    const before = await home.snapshot();
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: settings(home),
      ...NOBODY,
    });
    await assertReport("volume", outcome, home);
    assert.deepEqual(await home.snapshot(), before);
  },
);

testWith(
  [ROOT_USER],
  "a parent directory that the server's user cannot enter is reported",
  async () => {
    await using home = await installed();
    await Deno.mkdir(join(home.path, "closed"));
    await Deno.chmod(join(home.path, "closed"), 0o700);
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: {
        ...settings(home),
        MATTERMOST_DATA_DIR: join(home.path, "closed/data"),
      },
    });
    await assertReport("closed", outcome, home);
  },
);

testWith(
  [ROOT_USER, MOUNTS],
  "a read-only mount is reported as such, and not as a wrong owner",
  async () => {
    await using home = await installed();
    await home.write("data/config/config.json", "{}");
    const log = join(home.path, "log");
    await Deno.mkdir(log);
    await own(log, { uid: 65534, gid: 65534 });
    // The mount namespace stands for that of a container.
    const script =
      `mount --bind '${log}' '${log}' && mount -o remount,bind,ro '${log}' && exec "$@"`;
    const command = ["unshare", "--mount", "sh", "-c", script, "sh"];
    const outcome = await launch(
      [...command, ...COMPILED.command, "app:start"],
      {
        env: settings(home),
      },
    ).outcome;
    await assertReport("read_only", outcome, home);
    const check = await launch([...command, ...COMPILED.command, "app:check"], {
      env: settings(home),
    }).outcome;
    assert.match(
      check.stdout,
      /^failed directories\.access: User 65534:65534 cannot write to .*\/log, the directory of log files: the volume at .*\/log is mounted read-only$/m,
    );
  },
);

const WITHOUT_CHOWN = [
  ...["setpriv", "--bounding-set", "-chown", "--inh-caps", "-chown"],
];
/** Some sandboxes forbid it. */
const DROPPING: Need = {
  what: "setpriv, and root that may give up a capability",
  isMet: isRoot && await new Deno.Command("setpriv", {
    args: [...WITHOUT_CHOWN.slice(1), "true"],
  }).output().then(({ success }) => success, () => false),
};

testWith(
  [DROPPING],
  "if chown fails, a warning says so once, and the start continues if the server's user can write",
  async () => {
    await using home = await installed();
    await home.write("data/uploads/file", "x");
    const run = (): Promise<Outcome> =>
      launch([...WITHOUT_CHOWN, ...COMPILED.command, "app:start"], {
        env: { ...settings(home), MATTERMOST_LOG_FILES: "false" },
      }).outcome;
    await assertReport("no_chown", await run(), home);
    await Deno.chmod(join(home.path, "data"), 0o777);
    const { code, stdout, stderr } = await run();
    assert.equal(code, 0, stderr);
    assert.match(shown(stdout).ids, /Uid: 65534/);
    assert.equal(stderr.match(/could not be given to user/g)?.length, 1);
    assert.equal((await Deno.stat(home.config)).uid, 65534);
    assert.equal((await Deno.stat(join(home.path, "data/uploads"))).uid, 0);
  },
);

testWith(
  [ROOT_USER],
  "app:check checks directories without changing them",
  async () => {
    await using home = await installed();
    await home.write("data/config/config.json", "{}");
    await own(join(home.path, "data"), { uid: 2000, gid: 2000 });
    await Deno.chmod(join(home.path, "data"), 0o755);
    await Deno.chmod(home.conf, 0o755);
    const before = await home.snapshot();
    const outcome = await runProgram(COMPILED, ["app:check"], {
      env: settings(home),
      ...NOBODY,
    });
    assert.equal(outcome.code, 1, outcome.stdout);
    assert.match(outcome.stdout, /^failed directories\.access: .*\/data, the/m);
    assert.deepEqual(await home.snapshot(), before);
  },
);

Deno.test.afterAll(() => database.stop());
