/**
 * Links and FIFOs that the server's user plants in its directories before root starts the
 * container: root reads, changes and gives away nothing elsewhere, and waits for nothing.
 *
 * @module
 */

import assert from "node:assert/strict";
import { basename, dirname, join, relative } from "node:path";
import { sidecarPaths } from "../../lib/config/lock.ts";
import { run } from "../../tools/shared/process.ts";
import { createAuthority } from "../servers/certificates.ts";
import { tablesOf } from "../support/release_migrations.ts";
import { createHome, Home, shown } from "../support/home.ts";
import { PERL, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  PATH,
  runProgram,
  start,
} from "../support/program.ts";
import {
  createOwnDatabase,
  ownDatabaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

/** The server's user. */
const SERVER = { uid: 2000, gid: 2000 };
/** A text that only root can read. */
const SECRET = "what-root-alone-may-read";
/** Homes in parallel, each with one start at a time. */
const LANES = 4;

const database = await startServerDatabase();
// The database is up to date, so that app:migrate succeeds.
await database.sql(
  `SET ROLE mattermost; ${tablesOf("11.7.9")}`,
  "mattermost",
);

function settingsOf(home: Home): Record<string, string> {
  return {
    ...ownDatabaseSettings(home, database),
    MATTERMOST_CA_DIR: join(home.path, "ca.d"),
  };
}

/** A home that starts as root have given to the server's user, with a directory of root beside it. */
async function startedHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer("11.7.9");
  await createOwnDatabase(home, database);
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

/** The files outside the server's directories, with owners, modes, times and contents. */
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

/** Makes sure that the text that only root can read was neither copied nor printed. */
async function assertKept(home: Home, outcome: Outcome): Promise<void> {
  assert.ok(!(outcome.stdout + outcome.stderr).includes(SECRET));
  // Without the huge files.
  const found = await new Deno.Command("find", {
    args: [
      ...[join(home.path, "data"), "-type", "f", "-size", "-1000000k"],
      ...["-exec", "grep", "-l", SECRET, "{}", "+"],
    ],
  }).output();
  assert.equal(new TextDecoder().decode(found.stdout), "");
}

/** Each name in the directories of data and configuration that a start opens or creates. */
function namesIn(home: Home): readonly string[] {
  const data = dirname(home.conf);
  return [
    ...[home.conf, home.config, home.version],
    ...sidecarPaths(home.config),
    ...sidecarPaths(join(data, basename(home.config))),
    join(home.conf, "authorities.pem"),
    // Temporary files and probes have random names like these.
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
  // A sparse file that is larger than the memory.
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
    `as root, ${args.join(" ")} follows no link that the server's user planted`,
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
              // The copy to restore may be the one that was replaced.
              const codes = args[0] === "app:config" ? [64, 65, 73] : [65, 73];
              assert.ok(codes.includes(code), `code ${code}`);
              // 64 is about the copy, not about the planted file.
              const isNamed = code === 64 || stderr.includes(path);
              assert.ok(isNamed, "the message names the file");
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
  `a link in place of the lock is reported before anything is changed`,
  async () => {
    await using home = await startedHome();
    const lock = `${home.config}.lock`;
    const target = join(home.path, "outside/secret.json");
    for (const args of COMMANDS) {
      for (const identity of [{}, SERVER]) {
        await plant(home, lock, ["ln", "-s", target, lock]);
        // A file that root would give.
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
  "as root, app:config --restore restores a copy that only root can read, and another user gets its owner as the reason",
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
  `config.json may be a link only to a file that the server's user can read`,
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
      // app:check reports on standard output.
      assert.match(
        outcome.stdout + outcome.stderr,
        /config\.json leads through the symbolic link .*\/config\.json to .*\/secret\.json, which user 2000:2000 may not read: .*\/secret\.json belongs to 0:0 with mode 0600\n.*→ rm .*config\.json /,
      );
      await assertKept(home, outcome);
    }
    const { code: refused, stderr: text } = await runProgram(
      COMPILED,
      ["app:start"],
      { env: settingsOf(home), ...SERVER },
    );
    assert.equal(refused, 65);
    assert.match(
      text,
      /config\.json is a symbolic link to .*\/secret\.json, which cannot be read by user 2000\n.*→ rm .*config\.json /,
    );
    assert.doesNotMatch(text, /chown/);
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

/** The number of renameat2(2), which exchanges two names at once with the flag 2. */
const RENAMEAT2 = Deno.build.arch === "aarch64" ? 276 : 316;

/** Exchanges each name with a link to a file or a directory of root, again and again. */
const EXCHANGE = `
  my ($data, $outside) = @ARGV;
  chdir $data or die;
  my %links = (
    "config" => "$outside/directory",
    "given" => "$outside/directory",
    "VERSION" => "$outside/secret.json",
    "config/config.json" => "$outside/secret.json",
    "config/config.json.lock" => "$outside/secret.json",
    "config/config.json.memory" => "$outside/secret.json",
  );
  my @names = keys %links;
  for my $name (@names) { symlink $links{$name}, "$name.away"; }
  while (1) {
    for my $name (@names) {
      my $away = "$name.away";
      syscall(${RENAMEAT2}, -100, $name, -100, $away, 2) for 1 .. 20;
    }
  }`;

testWith(
  [ROOT_USER, PERL],
  `while names are being replaced, root gives away nothing elsewhere`,
  async () => {
    await using home = await startedHome();
    const data = dirname(home.conf);
    const before = await outside(home);
    for (let round = 0; round < 20; round++) {
      await run(["rm", "-rf", data]);
      await run(["cp", "-a", join(home.path, "pristine"), data]);
      // Many files to give, so that there is time to replace names.
      for (let each = 0; each < 200; each++) {
        await home.write(`data/given/${each}`, "");
      }
      const racer = new Deno.Command("perl", {
        args: ["-e", EXCHANGE, data, join(home.path, "outside")],
        // That user may not be able to enter the directory of the tests.
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
  `no thread of the process is root when it writes`,
  async () => {
    await using home = await startedHome();
    using lock = await Deno.open(`${home.config}.lock`, { write: true });
    await lock.lock(true);
    const running = start(COMPILED, ["app:start"], {
      env: {
        ...settingsOf(home),
        MATTERMOST_NAME: "changed",
        DEBUG: "true",
        // The lookup of the name starts a thread, which stays for ten seconds.
        DB_HOST: "localhost",
      },
    });
    await running.until(/Paths checked/);
    // It waits for the lock.
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
    assert.ok(threads.length > 1, threads.join("\n"));
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
  `root gives directories without a program of PATH`,
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
  `a config.json that root copied belongs to the server's user after the next start as root`,
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
