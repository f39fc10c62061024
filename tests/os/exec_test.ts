/**
 * The hand-off against the real system: as `deno run` and as a compiled binary,
 * a fixture becomes small programs that show what they were given.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { ExecPlan, Identity } from "../../lib/os/system.ts";
import { ROOT_USER, testWith } from "../support/needs.ts";

const ROOT = dirname(dirname(import.meta.dirname ?? "."));
const FIXTURE = join(ROOT, "tests/fixtures/exec_fixture.ts");
const CONFIG = join(ROOT, "tests/fixtures/exec_fixture.json");
const PATH = "/usr/bin:/bin";
/** The user that nobody logs in as. */
const NOBODY = 65534;

const scratch = await Deno.makeTempDir();
await Deno.chmod(scratch, 0o755);
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(scratch, { recursive: true }),
);

const { compile: { permissions } } = JSON.parse(
  await Deno.readTextFile(CONFIG),
);
const compiled = [join(scratch, "fixture")] as const;
const interpreted = [
  ...[Deno.execPath(), "run", "--quiet", "--no-prompt"],
  ...[`--allow-env=${permissions.env}`, `--allow-ffi=${permissions.ffi}`],
  ...["--allow-read", `--allow-sys=${permissions.sys}`],
  FIXTURE,
] as const;

const build = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", join(ROOT, "tools/compile.ts"), "--entry", FIXTURE],
    ...["--output", compiled[0], "--config", CONFIG],
  ],
}).output();
assert.equal(build.code, 0, new TextDecoder().decode(build.stderr));

/** A program to become, and before that a user. */
interface FixturePlan extends ExecPlan {
  readonly identity?: Identity;
}

interface Outcome {
  readonly pid: number;
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  command: readonly string[],
  options: Partial<Deno.CommandOptions> = {},
): Promise<Outcome> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...options,
  }).spawn();
  await child.stdin.close();
  const { code, signal, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    pid: child.pid,
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

function become(
  runner: readonly string[],
  plan: Partial<FixturePlan>,
): Promise<Outcome> {
  return run(runner, { env: environmentOf(plan) });
}

function environmentOf(plan: Partial<FixturePlan>): Record<string, string> {
  const whole: FixturePlan = {
    path: "true",
    args: ["true"],
    env: { PATH },
    ...plan,
  };
  return { PLAN: JSON.stringify(whole) };
}

function shell(script: string, ...args: string[]): Partial<FixturePlan> {
  return { path: "sh", args: ["sh", "-c", script, ...args] };
}

/** The fields of a /proc/PID/status. */
function fieldsOf(status: string): Record<string, string> {
  const lines = status.trimEnd().split("\n").map((line) => line.split(":"));
  return Object.fromEntries(
    lines.map((
      [name, value = ""],
    ) => [name, value.trim().replace(/\s+/g, " ")]),
  );
}

type SignalSets = Record<"SigBlk" | "SigCgt" | "SigIgn", bigint>;

/**
 * The sets of signals in a /proc/PID/status, up to signal 31: a child of
 * posix_spawn() may ignore 32 and 33, which glibc keeps for itself.
 */
function signalsOf(status: string): SignalSets {
  const fields = fieldsOf(status);
  const set = (name: string): bigint =>
    BigInt(`0x${fields[name]}`) & 0x7fffffffn;
  return {
    SigBlk: set("SigBlk"),
    SigCgt: set("SigCgt"),
    SigIgn: set("SigIgn"),
  };
}

const SIGHUP_BIT = 1n << 0n;
const SIGPIPE_BIT = 1n << 12n;

const STATUS = { path: "/bin/cat", args: ["cat", "/proc/self/status"] };

for (const [name, runner] of Object.entries({ interpreted, compiled })) {
  Deno.test(`${name}: the program has our PID`, async () => {
    const { pid, stdout } = await become(runner, shell("echo $$"));
    assert.equal(stdout, `${pid}\n`);
  });

  Deno.test(`${name}: the program gets its arguments as they are`, async () => {
    const args = [
      "a name",
      "-c",
      "cat /proc/$$/cmdline; :",
      "",
      "two words",
      "ü ✓\n$x",
    ];
    const { stdout } = await become(runner, { path: "sh", args });
    assert.deepEqual(stdout.split("\0"), [...args, ""]);
  });

  Deno.test(`${name}: the program gets the environment of the plan and no other`, async () => {
    const env = {
      PATH,
      EMPTY: "",
      SPACES: " a  b ",
      UTF8: "ü=✓",
      LINES: "1\n2",
    };
    const { stdout } = await become(runner, {
      path: "cat",
      args: ["cat", "/proc/self/environ"],
      env,
    });
    assert.deepEqual(
      stdout.split("\0"),
      [...Object.entries(env).map(([key, value]) => `${key}=${value}`), ""],
    );
  });

  Deno.test(`${name}: the program starts in the directory of the plan`, async () => {
    const { stdout } = await become(runner, {
      ...shell("pwd -P"),
      cwd: "/usr",
    });
    assert.equal(stdout, "/usr\n");
  });

  Deno.test(`${name}: the program stays in our directory when the plan has none`, async () => {
    const { stdout } = await run(runner, {
      env: environmentOf(shell("pwd -P")),
      cwd: "/usr",
    });
    assert.equal(stdout, "/usr\n");
  });

  Deno.test(`${name}: signals are as for a program that is started directly`, async () => {
    const { stdout } = await become(runner, STATUS);
    // Not plain zeros: who starts the tests may ignore one, as nohup does.
    const direct = await run([STATUS.path, ...STATUS.args.slice(1)]);
    assert.deepEqual(signalsOf(stdout), signalsOf(direct.stdout));
    const { SigBlk, SigCgt, SigIgn } = signalsOf(stdout);
    assert.deepEqual([SigBlk, SigCgt, SigIgn & SIGPIPE_BIT], [0n, 0n, 0n]);
  });

  Deno.test(`${name}: a blocked signal is unblocked`, async () => {
    const { stdout } = await run(
      ["env", "--block-signal=USR1", ...runner],
      { env: { PATH, ...environmentOf(STATUS) } },
    );
    assert.equal(signalsOf(stdout).SigBlk, 0n);
  });

  Deno.test(`${name}: a signal that our parent ignored stays ignored`, async () => {
    const { stdout } = await run(
      ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", ...runner],
      { env: environmentOf(STATUS) },
    );
    assert.equal(signalsOf(stdout).SigIgn & SIGHUP_BIT, SIGHUP_BIT);
  });

  Deno.test(`${name}: the program has the inherited descriptors and none of ours`, async () => {
    const inherit = ["sh", "-c", 'exec 8<&0 9</dev/zero; exec "$@"', "sh"];
    const list = ["ls", "/proc/self/fd"];
    const direct = await run([...inherit, ...list]);
    const { stdout } = await run([...inherit, ...runner], {
      env: environmentOf({ path: "ls", args: list }),
    });
    assert.match(direct.stdout, /^8\n9$/m);
    assert.equal(stdout, direct.stdout);
  });

  Deno.test(`${name}: the program reads our standard input to its end`, async () => {
    const { stdout, code } = await become(runner, {
      path: "cat",
      args: ["cat"],
    });
    assert.deepEqual({ stdout, code }, { stdout: "", code: 0 });
  });

  Deno.test(`${name}: exit code and death by signal are the program's own`, async () => {
    assert.equal((await become(runner, shell("exit 42"))).code, 42);
    for (const signal of ["KILL", "TERM", "PIPE"] as const) {
      const outcome = await become(runner, shell(`kill -${signal} $$`));
      assert.equal(outcome.signal, `SIG${signal}`);
    }
  });

  Deno.test(`${name}: PATH of the plan decides, past what cannot be executed`, async () => {
    const first = await Deno.makeTempDir({ dir: scratch });
    await Deno.writeTextFile(join(first, "tool"), "#!/bin/sh\n", {
      mode: 0o644,
    });
    const second = await Deno.makeTempDir({ dir: scratch });
    const tool = join(second, "tool");
    await Deno.writeTextFile(tool, "#!/bin/sh\necho found\n", { mode: 0o755 });
    const plan = { path: "tool", args: ["tool"] };

    const found = await become(runner, {
      ...plan,
      env: { PATH: `${first}:${second}` },
    });
    assert.equal(found.stdout, "found\n");
    const refused = await become(runner, {
      ...plan,
      env: { PATH: `${first}:/proc` },
    });
    assert.equal(refused.code, 126);
    assert.match(
      refused.stderr,
      /Cannot execute .*tool: permission denied\n.*chmod \+x/,
    );
  });

  Deno.test(`${name}: what cannot be executed is told with its code`, async () => {
    const script = join(scratch, `${name}-script`);
    await Deno.writeTextFile(script, "echo no first line\n", { mode: 0o755 });
    const orphan = join(scratch, `${name}-orphan`);
    await Deno.writeTextFile(orphan, "#!/no/such/shell\n", { mode: 0o755 });
    const plain = join(scratch, `${name}-plain`);
    await Deno.writeTextFile(plain, "", { mode: 0o644 });

    const cases: readonly [Partial<FixturePlan>, number, RegExp][] = [
      [
        { path: "no-such-tool" },
        127,
        /"no-such-tool" in PATH, tried: \/usr\/bin/,
      ],
      [{ path: "" }, 127, /tried: nothing/],
      [{ path: "/no/such/tool" }, 127, /Cannot find \/no\/such\/tool: no such/],
      [{ path: "/etc/passwd/x" }, 127, /not a directory/],
      [{ path: plain }, 126, /plain: permission denied/],
      [{ path: "/usr" }, 126, /Cannot execute \/usr: it is a directory/],
      [
        { path: script },
        126,
        /neither a program for this machine nor a script/,
      ],
      [{ path: orphan }, 126, /interpreter/],
      [{ cwd: "/no/such/place" }, 126, /Cannot enter .*: no such file/],
      [{ args: ["true", "a\0b"] }, 126, /NUL/],
    ];
    for (const [plan, code, message] of cases) {
      const outcome = await become(runner, plan);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, message);
      assert.equal(outcome.stdout, "");
    }
  });
}

testWith(
  [ROOT_USER],
  "root becomes the user, with no other groups and no way back",
  async () => {
    for (const runner of [interpreted, compiled]) {
      const identity = { uid: 2000, gid: 2001 };
      const grouped = ["setpriv", "--groups=4,27", ...runner];
      const { stdout } = await become(grouped, { ...STATUS, identity });
      const { Uid, Gid, Groups, CapEff, CapPrm } = fieldsOf(stdout);
      const none = "0".repeat(16);
      assert.deepEqual({ Uid, Gid, Groups, CapEff, CapPrm }, {
        Uid: "2000 2000 2000 2000",
        Gid: "2001 2001 2001 2001",
        Groups: "",
        CapEff: none,
        CapPrm: none,
      });
    }
  },
);

Deno.test("who is not root cannot become another user, and is told how to", async () => {
  const { code, stdout, stderr } = await run(compiled, {
    env: environmentOf({ identity: { uid: 2000, gid: 2001 } }),
    ...(ROOT_USER.isMet ? { uid: NOBODY, gid: NOBODY, cwd: "/" } : {}),
  });
  assert.deepEqual({ code, stdout }, { code: 126, stdout: "" });
  assert.match(stderr, /Cannot become the user 2000:2001: setgroups failed/);
  assert.match(stderr, /docker run --user 2000:2001/);
});

testWith(
  [ROOT_USER],
  "a user or group that the kernel does not know cannot be taken",
  async () => {
    // All bits set means "leave as it is" to the kernel, and is nobody's number.
    const nobody = 2 ** 32 - 1;
    const cases = [
      [{ uid: nobody, gid: 2001 }, "setuid"],
      [{ uid: 2000, gid: nobody }, "setgid"],
    ] as const;
    for (const [identity, step] of cases) {
      const { code, stderr } = await become(interpreted, { identity });
      assert.equal(code, 126, stderr);
      assert.match(stderr, new RegExp(`: ${step} failed, `));
    }
  },
);

testWith(
  [ROOT_USER],
  "root that stays root is told what cannot be executed",
  async () => {
    for (const runner of [interpreted, compiled]) {
      const { code, stderr } = await become(runner, {
        path: "/no/such/tool",
        identity: { uid: 0, gid: 0 },
      });
      assert.equal(code, 127, stderr);
      assert.match(stderr, /Cannot find \/no\/such\/tool/);
    }
  },
);

Deno.test("without the C library nothing is become, and the way out is told", async () => {
  const closed = interpreted.filter((flag) => !flag.startsWith("--allow-ffi"));
  const { code, stdout, stderr } = await become(closed, shell("echo $$"));
  assert.deepEqual({ code, stdout }, { code: 126, stdout: "" });
  assert.match(stderr, /Cannot load the C library, tried: \/lib/);
  assert.match(stderr, /→ Use an image with glibc/);
});

/** A process that is prepared to become another, and then waits. */
function prepare(): { child: Deno.ChildProcess; ready: Promise<string> } {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt"],
      `--allow-ffi=${permissions.ffi}`,
      "--allow-run",
      join(ROOT, "tests/fixtures/prepare_exec.ts"),
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const ready = reader.read().then(async ({ value }) => {
    reader.releaseLock();
    await child.stdout.cancel();
    return new TextDecoder().decode(value);
  });
  return { child, ready };
}

Deno.test("who is prepared hears no more signals, and ends by them", async () => {
  const { child, ready } = prepare();
  assert.equal(await ready, "prepared\n");
  child.kill("SIGTERM");
  const { signal } = await child.status;
  assert.equal(signal, "SIGTERM");
  await child.stdin.close().catch(() => {});
});

Deno.test("who is prepared goes on where no signal comes", async () => {
  const { child, ready } = prepare();
  assert.equal(await ready, "prepared\n");
  await child.stdin.close();
  assert.equal((await child.status).code, 0);
});
