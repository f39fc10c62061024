/**
 * Unusual environments: variables that are not UTF-8, ignored signals, output that cannot be
 * written, and system calls that a container runtime denies.
 *
 * @module
 */

import assert from "node:assert/strict";
import { freePort } from "../../tools/shared/database_server.ts";
import { createHome, type Home } from "../support/home.ts";
import {
  assertClean,
  COMPILED,
  type Program,
  runProgram,
  start,
  testPrograms,
} from "../support/program.ts";
import {
  databaseSettings,
  startServerDatabase,
} from "../support/server_database.ts";

const database = await startServerDatabase();

function settingsOf(home: Home): Record<string, string> {
  return databaseSettings(home, database);
}

/** The same program, started by a shell script that ends in `exec "$@"`. */
function startedBy(program: Program, script: string): Program {
  return {
    ...program,
    command: ["sh", "-c", `${script}; exec "$@"`, "sh", ...program.command],
  };
}

/** The same program, started by a Perl script. */
function startedByPerl(program: Program, script: string): Program {
  return {
    ...program,
    command: ["perl", "-e", `${script}; exec @ARGV`, ...program.command],
  };
}

testPrograms(
  "a variable that is not UTF-8 reaches the server and other programs byte for byte",
  async (program) => {
    await using home = await createHome();
    const print = "env | grep -a ^ODD | od -c";
    await home.installServer("11.7.9", print);
    const odd = startedBy(program, "export ODD=\"$(printf 'a\\377b')\"");
    const expected = /O +D +D +[=] +a +377 +b/;
    for (const args of [["app:start"], ["sh", "-c", print]]) {
      const outcome = await runProgram(odd, args, { env: settingsOf(home) });
      assert.match(outcome.stdout, expected, outcome.stderr);
      assert.equal(outcome.code, 0);
    }
  },
);

testPrograms(
  "a setting that is not UTF-8 is refused by name",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9");
    const odd = startedBy(
      program,
      "export MATTERMOST_NAME=\"$(printf 'M\\374ller')\"",
    );
    for (const command of ["app:start", "app:check"]) {
      const outcome = await runProgram(odd, [command], {
        env: settingsOf(home),
      });
      assert.equal(outcome.code, 78);
      assert.match(
        outcome.stderr + outcome.stdout,
        /MATTERMOST_NAME is not UTF-8 text/,
      );
      assertClean(outcome);
    }
  },
);

testPrograms(
  "a signal that the parent process ignored stays ignored, before and after the hand-off",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9", "grep SigIgn /proc/self/status");
    const port = String(freePort());
    const env = settingsOf(home);
    const waiting = start(startedBy(program, "trap '' HUP INT"), [], {
      env: { ...env, DB_PORT: port },
    });
    await waiting.until(/refuses connections/);
    waiting.kill("SIGHUP");
    waiting.kill("SIGINT");
    waiting.kill("SIGTERM");
    assert.equal((await waiting.outcome).code, 143);

    const nohup = startedBy(program, "trap '' HUP INT QUIT TERM");
    const { stdout, stderr } = await runProgram(nohup, [], { env });
    const [, digits = "0"] = /SigIgn:\s*(\w+)/.exec(stdout) ?? [];
    assert.equal(BigInt(`0x${digits}`) & 0x4007n, 0x4007n, stderr);
  },
);

testPrograms(
  "a start whose messages cannot be written goes on",
  async (program) => {
    await using home = await createHome();
    await home.installServer("11.7.9", "exit 23");
    for (const redirection of ["2>/dev/full", "2>&-", ">&- 2>&- <&-"]) {
      const silent = startedBy(program, `exec ${redirection}`);
      const { code } = await runProgram(silent, [], { env: settingsOf(home) });
      assert.equal(code, 23, redirection);
    }
  },
);

testPrograms(
  "a result that cannot be written ends the command with code 73",
  async (program) => {
    const full = startedBy(program, "exec >/dev/full");
    for (const command of ["app:version", "app:help", "app:secrets"]) {
      const outcome = await runProgram(full, [command]);
      assert.equal(outcome.code, 73);
      assert.match(
        outcome.stderr,
        /^entrypoint: error: Cannot write to standard output \(ENOSPC\)$/m,
      );
      assertClean(outcome);
    }
    const silent = startedBy(program, "exec >/dev/full 2>/dev/full");
    assert.equal((await runProgram(silent, ["app:version"])).code, 73);
  },
);

testPrograms(
  "a pipe that is full and does not block is waited for",
  async (program) => {
    const whole = await runProgram(program, ["app:help", "--all"]);
    // F_SETPIPE_SZ is 1031: the text does not fit into the smallest pipe.
    const small = startedByPerl(
      program,
      "use Fcntl; fcntl(STDOUT, 1031, 4096); fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK)",
    );
    const { code, stdout, stderr } = await runProgram(small, [
      "app:help",
      "--all",
    ]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.equal(stdout, whole.stdout);
    assert.ok(stdout.length > 2 * 4096);
  },
);

/** The numbers of prctl(2). That of clone3(2) is the same on all architectures. */
const PRCTL: Readonly<Record<string, number>> = { x86_64: 157, aarch64: 167 };
const CLONE3 = 435;
const [EPERM, ENOSYS] = [1, 38];

/** Installs a seccomp filter, as a container runtime does, in which clone3(2) fails (seccomp(2)). */
function withoutClone3(program: Program, errno: number): Program {
  const prctl = PRCTL[Deno.build.arch];
  return startedByPerl(
    program,
    `my $code = pack("SCCL" x 4, 0x20, 0, 0, 0, 0x15, 0, 1, ${CLONE3},
       0x06, 0, 0, 0x50000 | ${errno}, 0x06, 0, 0, 0x7fff0000);
     my $filter = pack("Sx![P]P", 4, $code);
     syscall(${prctl}, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
     syscall(${prctl}, 22, 2, $filter, 0, 0) == 0 or die "seccomp: $!"`,
  );
}

Deno.test("a container runtime without clone3 works if it says ENOSYS, as Docker from 20.10.10 on does", async () => {
  const outcome = await runProgram(withoutClone3(COMPILED, ENOSYS), [
    "app:secrets",
  ]);
  assert.equal(outcome.code, 0, outcome.stderr);
});

Deno.test("with EPERM, as from older ones, the runtime ends as docs/troubleshooting.md says", async () => {
  const { signal, stderr } = await runProgram(
    withoutClone3(COMPILED, EPERM),
    ["app:secrets"],
  );
  assert.equal(signal, "SIGABRT");
  const [message] = /failed to spawn thread: .*/.exec(
    stderr,
  ) ?? [];
  assert.ok(message !== undefined, stderr);
  const documented = await Deno.readTextFile("docs/troubleshooting.md");
  assert.ok(documented.includes(message), message);
});
