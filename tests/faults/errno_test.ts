/**
 * Whole starts of the compiled program whose system calls fail with real errors: each call on the
 * volume in turn, locks that the file system lacks, and limits of the process. What the runtime
 * makes of an error is not what a fake file system makes of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createHome, type Home } from "../support/home.ts";
import { type Need, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  type Outcome,
  ROOT,
  runProgram,
} from "../support/program.ts";
import {
  createOwnDatabase,
  ownDatabaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

const VERSION = "11.7.9";
/** Homes in parallel, each with one start at a time. */
const LANES = 4;

const directory = await Deno.makeTempDir({ prefix: "entrypoint-test-" });
await Deno.chmod(directory, 0o755);
const LIBRARY = join(directory, "errno.so");
/** For what a program cannot remove, because the call fails. */
const TEMPORARY = join(directory, "tmp");
await Deno.mkdir(TEMPORARY);
await Deno.chmod(TEMPORARY, 0o1777);

/** The library that makes system calls fail. */
const COMPILER: Need = {
  what: "a C compiler (cc)",
  isMet: await new Deno.Command("cc", {
    args: [
      ...["-shared", "-fPIC", "-o", LIBRARY],
      ...[join(ROOT, "tests/fixtures/errno.c"), "-ldl"],
    ],
  }).output().then(({ success }) => success, () => false),
};

const database = await startServerDatabase();

interface Fault {
  /** The calls, such as `open,write`, or `any`. */
  readonly calls: string;
  readonly errno: number;
  /** The number of calls that succeed before; 0 by default. */
  readonly skip?: number;
  /** The number of calls that fail; all by default. */
  readonly count?: number;
  /** A part of the paths. */
  readonly path: string;
}

/** The names with which errors are reported. */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  5: "EIO",
  9: "EBADF",
  13: "EACCES",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  30: "EROFS",
  37: "ENOLCK",
  38: "ENOSYS",
  // Deno has this name for the same number.
  95: "ENOTSUP",
  116: "ESTALE",
  117: "EUCLEAN",
  121: "EREMOTEIO",
  122: "EDQUOT",
  133: "errno 133",
};

async function makeHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer(VERSION, "exit 0");
  await createOwnDatabase(home, database);
  return home;
}

function settingsOf(home: Home, name: string): Record<string, string> {
  return { ...ownDatabaseSettings(home, database), MATTERMOST_NAME: name };
}

/** A start with a fault. */
async function startWith(
  home: Home,
  { calls, errno, skip = 0, count = 1_000_000, path }: Fault,
  { args = ["app:start"], name = "changed" }: {
    readonly args?: readonly string[];
    readonly name?: string;
  } = {},
): Promise<Outcome & { readonly failed: readonly string[] }> {
  const log = join(home.path, "marks/faults");
  await Deno.remove(log).catch(() => {});
  const outcome = await runProgram(COMPILED, args, {
    env: {
      ...settingsOf(home, name),
      TMPDIR: TEMPORARY,
      LD_PRELOAD: LIBRARY,
      FAULT: `${calls} ${errno} ${skip} ${count} ${path}`,
      FAULT_LOG: log,
    },
  });
  const text = await Deno.readTextFile(log).catch(() => "");
  return { ...outcome, failed: text.trim().split("\n").filter(Boolean) };
}

async function startedHome(): Promise<Home> {
  const home = await makeHome();
  const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
    env: settingsOf(home, "first"),
  });
  assert.equal(code, 0, stderr);
  return home;
}

/** The names in the directories of data and configuration. */
async function namesIn(home: Home): Promise<string[]> {
  const lists = await Promise.all(
    [join(home.path, "data"), home.conf].map((path) =>
      Array.fromAsync(Deno.readDir(path), ({ name }) => name)
    ),
  );
  return lists.flat();
}

const SECRET_REGEXP = /"(?:PublicLinkSalt|AtRestEncryptKey)": "\w{64}"/g;

function secretsOf(text: string): string {
  const found = text.match(SECRET_REGEXP) ?? [];
  assert.equal(found.length, 2, text);
  return found.join();
}

/** A clean start works, sees no edits that nobody made, keeps the secrets, and removes what is left. */
async function assertRecovers(
  home: Home,
  old: string,
  where: string,
): Promise<void> {
  const again = await runProgram(COMPILED, ["app:start"], {
    env: settingsOf(home, "first"),
  });
  assert.equal(again.code, 0, `${where}\n${again.stderr}`);
  assert.doesNotMatch(again.stderr, / takes precedence$/m, where);
  assert.equal(await Deno.readTextFile(home.config), old, where);
  const remains = (await namesIn(home)).filter((name) =>
    name.startsWith(".") || name.endsWith(".writing")
  );
  assert.deepEqual(remains, [], where);
}

/** A failure is no bug: its exit code and its message are those of a failed disk. */
function assertExplained(
  outcome: Outcome & { readonly failed: readonly string[] },
  errno: number,
): void {
  const { code, stderr, failed } = outcome;
  const where = `${NAMES[errno]} at ${failed}: code ${code}\n${stderr}`;
  try {
    assertClean(outcome, [PASSWORD]);
  } catch (error) {
    throw new Error(`${where}\n${error}`);
  }
  assert.ok([0, 65, 73].includes(code), where);
  if (code === 0) return;
  assert.match(stderr, /→ /, where);
  assert.ok(
    stderr.includes(NAMES[errno] ?? "?") ||
      errno === 30 && /file system is read-only/.test(stderr),
    where,
  );
}

/** What opens for writing, or changes names: what fails on a file system that is remounted read-only. */
const CHANGES = "create,rename,unlink,mkdir,chmod,utimensat";

const EVERYWHERE = [
  { what: "the quota is used up at any call", calls: "any", errno: 122 },
  { what: "the handle is stale at any call", calls: "any", errno: 116 },
  {
    what: "the volume becomes read-only at any step",
    calls: CHANGES,
    errno: 30,
    count: 1_000_000,
  },
] as const;

for (const { what, ...fault } of EVERYWHERE) {
  testWith([COMPILER], `if ${what}, nothing is lost`, async () => {
    let next = 0;
    let isOver = false;
    const codes = new Map<number, number>();
    await Promise.all(Array.from({ length: LANES }, async () => {
      await using home = await startedHome();
      const old = await Deno.readTextFile(home.config);
      let name = "first";
      while (!isOver) {
        const skip = next++;
        const wanted = `start-${skip}`;
        const outcome = await startWith(home, {
          count: 1,
          ...fault,
          ...{ skip, path: "/data" },
        }, { name: wanted });
        const { code, stderr, failed } = outcome;
        if (failed.length === 0) isOver = true;
        assertExplained(outcome, fault.errno);
        codes.set(code, (codes.get(code) ?? 0) + 1);
        const where = `${failed}\n${stderr}`;
        const text = await Deno.readTextFile(home.config);
        const [, found = ""] = /"SiteName": "(.*?)"/.exec(text) ?? [];
        assert.ok([name, wanted].includes(found), where);
        assert.ok(code !== 0 || found === wanted, where);
        assert.equal(text.replaceAll(found, "first"), old, where);
        assert.doesNotMatch(stderr, / takes precedence$/m, where);
        name = found;
        if (skip % 10 > 7) {
          await assertRecovers(home, old, where);
          name = "first";
        }
      }
      await assertRecovers(home, old, "in the end");
    }));
    assert.ok(next > 15 && (codes.get(73) ?? 0) > 5, `${next} calls`);
  });
}

testWith(
  [COMPILER],
  "each error of a write has its reason and its remedy, and no probe is left",
  async () => {
    await using home = await startedHome();
    const old = await Deno.readTextFile(home.config);
    for (const calls of ["write", "fsync", "rename", "create"]) {
      for (const errno of [5, 23, 24, 28, 30, 116, 117, 121, 122, 133]) {
        const outcome = await startWith(home, {
          ...{ calls, errno },
          // Temporary files and probes, but not what a start reads.
          path: "/data/config/.",
        });
        if (outcome.failed.length === 0) continue;
        assertExplained(outcome, errno);
        assert.equal(
          outcome.code,
          73,
          `${NAMES[errno]} ${calls} ${outcome.stderr}`,
        );
      }
      await assertRecovers(home, old, calls);
    }
  },
);

testWith(
  [COMPILER],
  "a refusal that owner and mode do not explain has attributes as its remedy",
  async () => {
    await using home = await startedHome();
    for (const path of ["/data/config/.", "/data/.VERSION"]) {
      await Deno.writeTextFile(home.version, "11.7.8");
      const outcome = await startWith(home, {
        calls: "create",
        errno: 1,
        path,
      });
      assert.equal(outcome.code, 73, outcome.stderr);
      assertClean(outcome, [PASSWORD]);
      assert.match(outcome.stderr, /\(EPERM\).*\n.*→ .*lsattr -a .*\/data/);
      assert.doesNotMatch(outcome.stderr, /chown -R/);
    }
  },
);

testWith(
  [COMPILER],
  "a volume without locks is used with a notice, whatever error it reports",
  async () => {
    for (const errno of [9, 13, 22, 37, 38, 95]) {
      await using home = await makeHome();
      const outcome = await startWith(home, {
        calls: "flock",
        errno,
        path: "/data",
      });
      const where = `${NAMES[errno]}: ${outcome.stderr}`;
      assert.equal(outcome.code, 0, where);
      assertClean(outcome, [PASSWORD]);
      assert.match(
        outcome.stderr,
        new RegExp(
          `warning: .*config\\.json\\.lock cannot be locked: .* \\(${
            NAMES[errno]
          }\\); do not start two servers`,
        ),
        where,
      );
      secretsOf(await Deno.readTextFile(home.config));
      const names = await namesIn(home);
      assert.deepEqual(names.filter((name) => name.startsWith(".")), [], where);
    }
  },
);

testWith(
  [COMPILER],
  "a directory that cannot be flushed is no failure where the file system does not support it",
  async () => {
    for (const [errno, expected] of [[22, 0], [95, 0], [9, 0], [5, 73]]) {
      await using home = await startedHome();
      // The name of the directory is the end of its path.
      const outcome = await startWith(home, {
        ...{ calls: "fsync", errno: errno ?? 0 },
        path: "/data/config",
        skip: 1,
        count: 1,
      });
      assert.equal(outcome.failed.length, 1);
      assert.equal(outcome.code, expected, outcome.stderr);
      assertClean(outcome, [PASSWORD]);
    }
  },
);

testWith(
  [COMPILER, ROOT_USER],
  "app:check and app:config name the error of a file that they read",
  async () => {
    await using home = await startedHome();
    for (const errno of [5, 24, 116, 121]) {
      for (const args of [["app:check"], ["app:config"]]) {
        const outcome = await startWith(home, {
          ...{ calls: "open,read", errno },
          path: "/data/config/config.json",
        }, { args });
        const text = outcome.stdout + outcome.stderr;
        assert.equal(outcome.code, 65, text);
        assertClean(outcome, [PASSWORD]);
        assert.match(
          text,
          new RegExp(`config\\.json cannot be read: .* \\(${NAMES[errno]}\\)`),
        );
      }
    }
  },
);

Deno.test.afterAll(async () => {
  await database.stop();
  await Deno.remove(directory, { recursive: true });
});
