/**
 * exec() and becomeUser() on the real system, with `deno run` and as a compiled binary. A
 * fixture executes small programs that print what they got.
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
/** The user id of nobody. */
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

/** A program to execute, and a user to change to before. */
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

function executePlan(
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

/** Parses the fields of /proc/PID/status. */
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
 * Reads the sets of signals in /proc/PID/status, up to signal 31: a child of posix_spawn()
 * may ignore 32 and 33, which glibc uses itself (signal(7)).
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
  Deno.test(`${name}: exec() keeps the PID`, async () => {
    const { pid, stdout } = await executePlan(runner, shell("echo $$"));
    assert.equal(stdout, `${pid}\n`);
  });

  Deno.test(`${name}: exec() passes the arguments unchanged`, async () => {
    const args = [
      "a name",
      "-c",
      "cat /proc/$$/cmdline; :",
      "",
      "two words",
      "ü ✓\n$x",
    ];
    const { stdout } = await executePlan(runner, { path: "sh", args });
    assert.deepEqual(stdout.split("\0"), [...args, ""]);
  });

  Deno.test(`${name}: exec() passes the environment of the plan and nothing else`, async () => {
    const env = {
      PATH,
      EMPTY: "",
      SPACES: " a  b ",
      UTF8: "ü=✓",
      LINES: "1\n2",
    };
    const { stdout } = await executePlan(runner, {
      path: "cat",
      args: ["cat", "/proc/self/environ"],
      env,
    });
    assert.deepEqual(
      stdout.split("\0"),
      [...Object.entries(env).map(([key, value]) => `${key}=${value}`), ""],
    );
  });

  Deno.test(`${name}: exec() changes to the directory of the plan`, async () => {
    const { stdout } = await executePlan(runner, {
      ...shell("pwd -P"),
      cwd: "/usr",
    });
    assert.equal(stdout, "/usr\n");
  });

  Deno.test(`${name}: exec() keeps the working directory if the plan has none`, async () => {
    const { stdout } = await run(runner, {
      env: environmentOf(shell("pwd -P")),
      cwd: "/usr",
    });
    assert.equal(stdout, "/usr\n");
  });

  Deno.test(`${name}: exec() leaves signals as in a program that is started directly`, async () => {
    const { stdout } = await executePlan(runner, STATUS);
    // Not zeros: the parent of the tests may ignore a signal, as nohup does.
    const direct = await run([STATUS.path, ...STATUS.args.slice(1)]);
    assert.deepEqual(signalsOf(stdout), signalsOf(direct.stdout));
    const { SigBlk, SigCgt, SigIgn } = signalsOf(stdout);
    assert.deepEqual([SigBlk, SigCgt, SigIgn & SIGPIPE_BIT], [0n, 0n, 0n]);
  });

  Deno.test(`${name}: exec() unblocks a blocked signal`, async () => {
    const { stdout } = await run(
      ["env", "--block-signal=USR1", ...runner],
      { env: { PATH, ...environmentOf(STATUS) } },
    );
    assert.equal(signalsOf(stdout).SigBlk, 0n);
  });

  Deno.test(`${name}: exec() keeps a signal ignored that the parent process ignored`, async () => {
    const { stdout } = await run(
      ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", ...runner],
      { env: environmentOf(STATUS) },
    );
    assert.equal(signalsOf(stdout).SigIgn & SIGHUP_BIT, SIGHUP_BIT);
  });

  Deno.test(`${name}: exec() passes inherited file descriptors, and none of Deno's`, async () => {
    const inherit = ["sh", "-c", 'exec 8<&0 9</dev/zero; exec "$@"', "sh"];
    const list = ["ls", "/proc/self/fd"];
    const direct = await run([...inherit, ...list]);
    const { stdout } = await run([...inherit, ...runner], {
      env: environmentOf({ path: "ls", args: list }),
    });
    assert.match(direct.stdout, /^8\n9$/m);
    assert.equal(stdout, direct.stdout);
  });

  Deno.test(`${name}: exec() passes standard input`, async () => {
    const { stdout, code } = await executePlan(runner, {
      path: "cat",
      args: ["cat"],
    });
    assert.deepEqual({ stdout, code }, { stdout: "", code: 0 });
  });

  Deno.test(`${name}: exit code and signal are those of the executed program`, async () => {
    assert.equal((await executePlan(runner, shell("exit 42"))).code, 42);
    for (const signal of ["KILL", "TERM", "PIPE"] as const) {
      const outcome = await executePlan(runner, shell(`kill -${signal} $$`));
      assert.equal(outcome.signal, `SIG${signal}`);
    }
  });

  Deno.test(`${name}: exec() searches the PATH of the plan, and skips files that it may not execute`, async () => {
    const first = await Deno.makeTempDir({ dir: scratch });
    await Deno.writeTextFile(join(first, "tool"), "#!/bin/sh\n", {
      mode: 0o644,
    });
    const second = await Deno.makeTempDir({ dir: scratch });
    const tool = join(second, "tool");
    await Deno.writeTextFile(tool, "#!/bin/sh\necho found\n", { mode: 0o755 });
    const plan = { path: "tool", args: ["tool"] };

    const found = await executePlan(runner, {
      ...plan,
      env: { PATH: `${first}:${second}` },
    });
    assert.equal(found.stdout, "found\n");
    const refused = await executePlan(runner, {
      ...plan,
      env: { PATH: `${first}:/proc` },
    });
    assert.equal(refused.code, 126);
    assert.match(
      refused.stderr,
      /Cannot execute .*tool: permission denied\n.*chmod \+x/,
    );
  });

  Deno.test(`${name}: exec() explains a failure, with code 126 or 127`, async () => {
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
        /: the file is neither a program for this machine nor a script/,
      ],
      [{ path: orphan }, 126, /interpreter/],
      [{ cwd: "/no/such/place" }, 126, /Cannot change to .*: no such file/],
      [{ args: ["true", "a\0b"] }, 126, /NUL/],
    ];
    for (const [plan, code, message] of cases) {
      const outcome = await executePlan(runner, plan);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, message);
      assert.equal(outcome.stdout, "");
    }
  });
}

testWith(
  [ROOT_USER],
  "becomeUser() changes user and group irrevocably, and keeps the other groups but for 0",
  async () => {
    for (const runner of [interpreted, compiled]) {
      const identity = { uid: 2000, gid: 2001 };
      const grouped = ["setpriv", "--groups=0,4,27", ...runner];
      const { stdout } = await executePlan(grouped, { ...STATUS, identity });
      const { Uid, Gid, Groups, CapEff, CapPrm } = fieldsOf(stdout);
      const none = "0".repeat(16);
      assert.deepEqual({ Uid, Gid, Groups, CapEff, CapPrm }, {
        Uid: "2000 2000 2000 2000",
        Gid: "2001 2001 2001 2001",
        Groups: "4 27",
        CapEff: none,
        CapPrm: none,
      });
    }
  },
);

Deno.test("becomeUser() fails without root, and its remedy names the user", async () => {
  const { code, stdout, stderr } = await run(compiled, {
    env: environmentOf({ identity: { uid: 2000, gid: 2001 } }),
    ...(ROOT_USER.isMet ? { uid: NOBODY, gid: NOBODY, cwd: "/" } : {}),
  });
  assert.deepEqual({ code, stdout }, { code: 126, stdout: "" });
  assert.match(
    stderr,
    /Cannot change to the user 2000:2001: setgid failed, operation not permitted/,
  );
  assert.match(stderr, /docker run --user 2000:2001/);
});

testWith(
  [ROOT_USER],
  "becomeUser() fails with an invalid user or group",
  async () => {
    // (uid_t) -1 means "unchanged" in setreuid(2), so it is not a valid id.
    const invalid = 2 ** 32 - 1;
    const cases = [
      [{ uid: invalid, gid: 2001 }, "setuid"],
      [{ uid: 2000, gid: invalid }, "setgid"],
    ] as const;
    for (const [identity, step] of cases) {
      const { code, stderr } = await executePlan(interpreted, { identity });
      assert.equal(code, 126, stderr);
      assert.match(stderr, new RegExp(`: ${step} failed, `));
    }
  },
);

testWith(
  [ROOT_USER],
  "exec() explains a failure after becomeUser() with root itself",
  async () => {
    for (const runner of [interpreted, compiled]) {
      const { code, stderr } = await executePlan(runner, {
        path: "/no/such/tool",
        identity: { uid: 0, gid: 0 },
      });
      assert.equal(code, 127, stderr);
      assert.match(stderr, /Cannot find \/no\/such\/tool/);
    }
  },
);

Deno.test("exec() fails with a remedy if it cannot load the C library", async () => {
  const closed = interpreted.filter((flag) => !flag.startsWith("--allow-ffi"));
  const { code, stdout, stderr } = await executePlan(closed, shell("echo $$"));
  assert.deepEqual({ code, stdout }, { code: 126, stdout: "" });
  assert.match(stderr, /Cannot load the C library, tried: \/lib/);
  assert.match(stderr, /→ Use an image with glibc/);
});

/** Starts a process that calls prepareExec() and then waits. */
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

Deno.test("after prepareExec(), a termination signal ends the process directly", async () => {
  const { child, ready } = prepare();
  assert.equal(await ready, "prepared\n");
  child.kill("SIGTERM");
  const { signal } = await child.status;
  assert.equal(signal, "SIGTERM");
  await child.stdin.close().catch(() => {});
});

Deno.test("after prepareExec(), the process continues if no signal arrives", async () => {
  const { child, ready } = prepare();
  assert.equal(await ready, "prepared\n");
  await child.stdin.close();
  assert.equal((await child.status).code, 0);
});
