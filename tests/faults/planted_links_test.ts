/**
 * Links and FIFOs that the server's user plants in its own directories, before root starts
 * the container: nothing elsewhere is read, changed or given away, and nothing waits.
 *
 * @module
 */

import assert from "node:assert/strict";
import { basename, dirname, join, relative } from "node:path";
import { sidecarPaths } from "../../lib/config/file.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { run } from "../../tools/shared/process.ts";
import { createAuthority } from "../servers/certificates.ts";
import { createHome, Home, shown } from "../support/home.ts";
import { type Need, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  PATH,
  runProgram,
  start,
} from "../support/program.ts";

/** The server's user. */
const SERVER = { uid: 2000, gid: 2000 };
const PASSWORD = "pass-of-the-database";
/** What only root may read. */
const SECRET = "what-root-alone-may-read";
/** Homes at the same time; each of them has one start at a time. */
const LANES = 4;

/** Exchanges names fast enough. */
const PERL: Need = {
  what: "perl",
  isMet: await new Deno.Command("perl", { args: ["-e", "1"] }).output()
    .then(({ success }) => success, () => false),
};

const database = await startPostgres();
await database.sql(`CREATE ROLE mattermost LOGIN PASSWORD '${PASSWORD}'`);
await database.sql("CREATE DATABASE mattermost OWNER mattermost");
// As migrated by the release of these tests, so that app:migrate has succeeded afterwards.
await database.sql(
  `SET ROLE mattermost;
   CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value varchar(1024));
   CREATE TABLE Users (Id varchar(26) PRIMARY KEY);
   CREATE TABLE db_migrations (Version bigint PRIMARY KEY, Name varchar(64));
   INSERT INTO db_migrations VALUES (170, 'last')`,
  "mattermost",
);

function settingsOf(home: Home): Record<string, string> {
  return {
    ...home.env,
    MATTERMOST_VERSION: "11.7.9",
    MATTERMOST_CA_DIR: join(home.path, "ca.d"),
    DB_ADAPTER: "postgres",
    DB_HOST: "127.0.0.1",
    DB_PORT: String(database.port),
    DB_PASS: PASSWORD,
  };
}

/** A home that a start as root has given to the server, and a directory of root's beside it. */
async function startedHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer("11.7.9");
  await home.write("ca.d/a.crt", createAuthority("Private").certificate);
  for (const name of ["first", "second", "third"]) {
    const { code, stderr } = await startAsRoot(home, name);
    assert.equal(code, 0, stderr);
  }
  const secret = JSON.stringify({ TeamSettings: { SiteName: SECRET } });
  await home.write("outside/secret.json", secret, 0o600);
  for (const name of ["config.json", "VERSION", "file", "config.json.1"]) {
    await home.write(`outside/directory/${name}`, secret, 0o600);
  }
  await run(["cp", "-a", "data", "pristine"], { cwd: home.path });
  return home;
}

async function startAsRoot(home: Home, name: string): Promise<Outcome> {
  return await runProgram(COMPILED, ["app:start"], {
    env: { ...settingsOf(home), MATTERMOST_NAME: name },
  });
}

/** All that is outside of the server's own directories, with owners, modes, times and contents. */
async function outside(home: Home): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const walk = async (path: string): Promise<void> => {
    const { uid, gid, mode, ino, mtime, isDirectory } = await Deno.lstat(path);
    const text = isDirectory ? "" : await Deno.readTextFile(path);
    found[relative(home.path, path)] = [uid, gid, mode, ino, mtime, text]
      .map(String).join(" ");
    if (!isDirectory) return;
    for await (const { name } of Deno.readDir(path)) {
      await walk(join(path, name));
    }
  };
  await walk(join(home.path, "outside"));
  await walk(home.install);
  return found;
}

/** Nothing of what only root may read has come to where the server can read it, or was printed. */
async function assertKept(home: Home, outcome: Outcome): Promise<void> {
  assert.ok(!(outcome.stdout + outcome.stderr).includes(SECRET));
  // Not in what is as good as endless.
  const found = await new Deno.Command("find", {
    args: [
      ...[join(home.path, "data"), "-type", "f", "-size", "-1000000k"],
      ...["-exec", "grep", "-l", SECRET, "{}", "+"],
    ],
  }).output();
  assert.equal(new TextDecoder().decode(found.stdout), "");
}

/** Each name below the directories of data and configuration that a start opens or makes. */
function namesIn(home: Home): readonly string[] {
  const data = dirname(home.conf);
  return [
    ...[home.conf, home.config, home.version],
    ...sidecarPaths(home.config),
    ...sidecarPaths(join(data, basename(home.config))),
    join(home.conf, "authorities.pem"),
    // Temporary files and probes have random names; these are others of their kind.
    join(home.conf, ".config.json.0123456789abcdef.tmp"),
    join(data, ".VERSION.0123456789abcdef.tmp"),
    join(data, ".entrypoint-1"),
    join(data, "users"),
  ];
}

const KINDS = {
  "a link to a file": (path: string, home: Home) => [
    ...["ln", "-s", join(home.path, "outside/secret.json"), path],
  ],
  "a link to a directory": (path: string, home: Home) => [
    ...["ln", "-s", join(home.path, "outside/directory"), path],
  ],
  "a link to itself": (path: string) => ["ln", "-s", basename(path), path],
  "a FIFO": (path: string) => ["mkfifo", path],
  // More than there is memory, and nothing of it on the disk.
  "a huge file": (path: string) => ["truncate", "-s", "64G", path],
} as const;

const COMMANDS = [
  ["app:start"],
  ["app:migrate"],
  ["app:config", "--restore", "1"],
] as const;

async function plant(
  home: Home,
  path: string,
  command: readonly string[],
): Promise<void> {
  const data = dirname(home.conf);
  await run(["rm", "-rf", data]);
  await run(["cp", "-a", join(home.path, "pristine"), data]);
  await run(["rm", "-rf", path], SERVER);
  await run(command, SERVER);
}

for (const args of COMMANDS) {
  testWith(
    [ROOT_USER],
    `as root, ${args.join(" ")} follows nothing that the server's user planted`,
    async () => {
      const homes = await Promise.all(
        Array.from({ length: LANES }, () => startedHome()),
      );
      const [first] = homes;
      assert.ok(first);
      const cases = namesIn(first).flatMap((path) =>
        Object.entries(KINDS).map(([kind, make]) => ({
          name: relative(first.path, path),
          kind,
          make,
        }))
      ).values();
      const wrong: string[] = [];
      let refusals = 0;
      await Promise.all(homes.map(async (home) => {
        await using _ = home;
        const before = await outside(home);
        for (const { name, kind, make } of cases) {
          const path = join(home.path, name);
          await plant(home, path, make(path, home));
          const outcome = await runProgram(COMPILED, args, {
            env: { ...settingsOf(home), MATTERMOST_NAME: "changed" },
          });
          const { code, stderr } = outcome;
          const isRefusal = code !== 0;
          if (isRefusal) refusals++;
          try {
            assert.deepEqual(await outside(home), before);
            await assertKept(home, outcome);
            assertClean(outcome, [PASSWORD]);
            if (isRefusal) {
              // There may be no copy to bring back.
              const codes = args[0] === "app:config" ? [64, 65, 73] : [65, 73];
              assert.ok(codes.includes(code), `code ${code}`);
              // A regular file is what it says, be it that copies are elsewhere.
              const isTold = code === 64 || stderr.includes(path);
              assert.ok(isTold, "the name is told");
            } else if (args[0] === "app:start") {
              assert.match(
                shown(outcome.stdout).ids,
                /Uid: 2000 2000 2000 2000/,
              );
            }
          } catch (error) {
            wrong.push(`${kind} at ${name}: ${error}\n${stderr}`);
          }
        }
      }));
      assert.deepEqual(wrong, []);
      assert.ok(refusals > 0);
    },
  );
}

testWith(
  [ROOT_USER],
  `a link at the lock is named before anything is changed`,
  async () => {
    await using home = await startedHome();
    const lock = `${home.config}.lock`;
    const target = join(home.path, "outside/secret.json");
    for (const args of COMMANDS) {
      for (const identity of [{}, SERVER]) {
        await plant(home, lock, ["ln", "-s", target, lock]);
        // Something to give, which is not given.
        await home.write("data/upload", "x");
        const before = await home.snapshot();
        const { code, stderr } = await runProgram(COMPILED, args, {
          env: { ...settingsOf(home), MATTERMOST_NAME: "changed" },
          ...identity,
        });
        assert.equal(code, 73);
        assert.match(
          stderr,
          /error: .*config\.json\.lock is a symbolic link, but must be a regular file .*\n.*→ rm .*config\.json\.lock /,
        );
        await home.assertUnchanged(before);
      }
    }
  },
);

testWith(
  [ROOT_USER],
  "as root, app:config --restore brings back a copy that root alone can read, and a closed one is not called broken",
  async () => {
    await using home = await startedHome();
    const data = dirname(home.conf);
    const copy = `${home.config}.1`;
    const text = await Deno.readTextFile(copy);
    await run(["chown", "-R", "0:0", data]);
    await Deno.writeTextFile(home.config, "");
    const restore = ["app:config", "--restore", "1"];
    const env = settingsOf(home);
    const { code, stderr } = await runProgram(COMPILED, restore, { env });
    assert.equal(code, 0, stderr);
    assert.equal(await Deno.readTextFile(home.config), text);
    assert.equal((await Deno.stat(home.config)).uid, SERVER.uid);
    await run(["chown", "0:0", copy]);
    const closed = await runProgram(COMPILED, restore, { env, ...SERVER });
    assert.equal(closed.code, 65);
    assert.match(closed.stderr, /config\.json\.1 cannot be read by user 2000/);
    assert.match(closed.stderr, /→ .*chown/);
  },
);

testWith(
  [ROOT_USER],
  `config.json may be a link to what the server's user can read, and to nothing else`,
  async () => {
    await using home = await startedHome();
    const { config } = home;
    const target = join(home.path, "outside/secret.json");
    await plant(home, config, ["ln", "-s", target, config]);
    for (const args of [["app:start"], ["app:check"], ["app:config"]]) {
      const outcome = await runProgram(COMPILED, args, {
        env: settingsOf(home),
      });
      assert.equal(outcome.code, 65);
      // A check gives a report.
      assert.match(
        outcome.stdout + outcome.stderr,
        /config\.json leads through the symbolic link .*\/config\.json to .*\/secret\.json, which user 2000:2000 may not read: .*\/secret\.json belongs to 0:0 with mode 0600\n.*→ rm .*config\.json /,
      );
      await assertKept(home, outcome);
    }
    const own = await home.write("elsewhere/mine.json", "{}", 0o600);
    await run(["chown", "-R", "2000:2000", dirname(own)]);
    await plant(home, config, ["ln", "-s", own, config]);
    await run(["rm", "-f", ...sidecarPaths(config)]);
    const { code, stderr } = await startAsRoot(home, "changed");
    assert.equal(code, 0, stderr);
    assert.match(await Deno.readTextFile(own), /"SiteName": "changed"/);
    assert.ok((await Deno.lstat(config)).isSymlink);
  },
);

testWith(
  [ROOT_USER, PERL],
  `while names are exchanged, root gives away nothing that is elsewhere`,
  async () => {
    await using home = await startedHome();
    const data = dirname(home.conf);
    const directory = join(home.path, "outside/directory");
    const before = await outside(home);
    const script = `
    chdir $ARGV[0];
    while (1) {
      for my $name ("config", "given") {
        rename $name, "$name.away" or next;
        symlink $ARGV[1], $name;
        unlink $name;
        rename "$name.away", $name;
      }
    }`;
    for (let round = 0; round < 20; round++) {
      await run(["rm", "-rf", data]);
      await run(["cp", "-a", join(home.path, "pristine"), data]);
      // Something to give, so that there is time to exchange it.
      for (let each = 0; each < 200; each++) {
        await home.write(`data/given/${each}`, "");
      }
      const racer = new Deno.Command("perl", {
        args: ["-e", script, data, directory],
        // That user may not be able to enter our directory.
        cwd: "/",
        ...SERVER,
      }).spawn();
      const outcome = await startAsRoot(home, `round ${round}`);
      racer.kill("SIGKILL");
      await racer.status;
      assert.deepEqual(await outside(home), before, outcome.stderr);
      await assertKept(home, outcome);
    }
  },
);

testWith(
  [ROOT_USER],
  `before anything is written, no thread of the process is root any more`,
  async () => {
    await using home = await startedHome();
    using lock = await Deno.open(`${home.config}.lock`, { write: true });
    await lock.lock(true);
    const running = start(COMPILED, ["app:start"], {
      env: { ...settingsOf(home), MATTERMOST_NAME: "changed", DEBUG: "true" },
    });
    await running.until(/Paths checked/);
    // It waits for the lock, in a thread of its own.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const tasks = `/proc/${running.pid}/task`;
    const threads: string[] = [];
    for await (const { name } of Deno.readDir(tasks)) {
      const status = await Deno.readTextFile(join(tasks, name, "status"));
      const fields = ["Uid", "Gid", "Groups", "CapEff", "CapPrm"].map((field) =>
        new RegExp(`^${field}:(.*)$`, "m").exec(status)?.[1]?.trim()
          .replaceAll(/\s+/g, " ")
      );
      threads.push(fields.join("; "));
    }
    assert.ok(threads.length > 2, threads.join("\n"));
    const ids = "2000 2000 2000 2000";
    const none = "0".repeat(16);
    assert.deepEqual([...new Set(threads)], [
      `${ids}; ${ids}; ; ${none}; ${none}`,
    ]);
    await lock.unlock();
    const { code, stderr } = await running.outcome;
    assert.equal(code, 0, stderr);
  },
);

testWith(
  [ROOT_USER],
  `chown is the image's own, whatever PATH says`,
  async () => {
    await using home = await startedHome();
    const mark = join(home.path, "marks/chown");
    await home.write("bin/chown", `#!/bin/sh\necho ran >'${mark}'\n`, 0o755);
    await home.write("data/upload", "x");
    const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
      env: { ...settingsOf(home), PATH: `${join(home.path, "bin")}:${PATH}` },
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Gave .*\/data to user 2000:2000/);
    assert.equal((await Deno.stat(join(home.path, "data/upload"))).uid, 2000);
    await assert.rejects(Deno.stat(mark), Deno.errors.NotFound);
  },
);

testWith(
  [ROOT_USER],
  `what was copied into the configuration as root is the server's after the next start as root`,
  async () => {
    await using home = await startedHome();
    const text = await Deno.readTextFile(home.config);
    await Deno.remove(home.config);
    await Deno.writeTextFile(
      home.config,
      text.replace('"third"', '"copied"'),
      { mode: 0o600 },
    );
    const { code, stderr } = await startAsRoot(home, "third");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Gave .*\/data\/config to user 2000:2000/);
    const { uid, gid, mode } = await Deno.stat(home.config);
    assert.deepEqual([uid, gid, mode], [2000, 2000, 0o100600]);
  },
);

Deno.test.afterAll(() => database.stop());
