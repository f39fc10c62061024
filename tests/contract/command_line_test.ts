/**
 * The command line: help and version, mistakes, other commands, and `--env-file`.
 * None of it needs a server or a database.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createHome } from "../support/home.ts";
import {
  assertClean,
  runProgram,
  start,
  testPrograms,
} from "../support/program.ts";

testPrograms(
  "app:version and --version print the version to standard output",
  async (program) => {
    for (const word of ["app:version", "--version"]) {
      const { code, stdout, stderr } = await runProgram(program, [word]);
      assert.equal(code, 0);
      assert.match(stdout, /^mattermost-entrypoint \d+\.\d+\.\d+\ncommit /);
      assert.equal(stderr, "");
    }
  },
);

testPrograms(
  "app:help, --help and -h print help to standard output",
  async (program) => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["app:help"], /^mattermost-entrypoint \d.*\n[^]*app:migrate/],
      [["--help"], /^Usage: /m],
      [["-h"], /^Exit codes: /m],
      [["app:help", "db_pass_file"], /^DB_PASS \(Database\)\n[^]*Secret/],
      [["app:help", "app:check", "DB_HOST"], /^app:check [^]*^DB_HOST /m],
      [["app:help", "--all"], /^Server\n {2}MATTERMOST_NAME +\S/m],
    ];
    for (const [args, pattern] of cases) {
      const { code, stdout, stderr } = await runProgram(program, args);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, pattern);
    }
  },
);

testPrograms("app:secrets prints new secrets each time", async (program) => {
  const [first, second] = await Promise.all(
    ["env", "json"].map((format) =>
      runProgram(program, ["app:secrets", "--format", format])
    ),
  );
  assert.match(
    first?.stdout ?? "",
    /^(MATTERMOST_\w+=[A-Za-z0-9]{64}\n){4}$/,
  );
  const values: Record<string, string> = JSON.parse(second?.stdout ?? "");
  assert.equal(Object.keys(values).length, 4);
  for (const value of Object.values(values)) {
    assert.match(value, /^[A-Za-z0-9]{64}$/);
    assert.ok(!first?.stdout.includes(value));
  }
});

testPrograms(
  "app:secrets --write creates files that only their owner can read, and overwrites none",
  async (program) => {
    await using home = await createHome();
    const directory = join(home.path, "secrets");
    const args = ["app:secrets", "--write", directory];
    const { code, stdout } = await runProgram(program, args);
    assert.equal(code, 0);
    const files = stdout.trimEnd().split("\n").map((line) => line.split("="));
    assert.equal(files.length, 4);
    for (const [variable = "", path = ""] of files) {
      assert.match(variable, /^MATTERMOST_\w+_FILE$/);
      assert.match(await Deno.readTextFile(path), /^[A-Za-z0-9]{64}$/);
      assert.equal((await Deno.stat(path)).mode, 0o100600);
    }
    const before = await home.snapshot();
    const again = await runProgram(program, args);
    assert.equal(again.code, 73);
    assert.match(
      again.stderr,
      /already exists, and --write overwrites no file/,
    );
    await home.assertUnchanged(before);
  },
);

const USAGE: readonly (readonly [readonly string[], RegExp])[] = [
  [["app:strat"], /no command app:strat\n.*→ Did you mean app:start\?$/m],
  [["app:nonsense"], /no command app:nonsense\n.*→ The commands are app:start/],
  [["--verbose"], /The option --verbose is not known\n.*--env-file/],
  [["--env-file"], /--env-file needs a file name/],
  [["--env-file="], /--env-file needs a file name/],
  [["app:config", "--difff"], / --difff\n.*→ Did you mean --diff\?$/m],
  [["app:config", "--explain", "--diff"], / but not both/],
  [["app:config", "--restore", "x"], /it is "x"/],
  [["app:config", "now"], /app:config does not accept the argument "now"/],
  [["app:start", "now"], /app:start does not accept the argument "now"/],
  [["app:start", "--now"], / no option --now/],
  [["app:migrate", "now"], /app:migrate does not accept the argument "now"/],
  [["app:version", "now"], / the argument "now"\n.*accepts no options/],
  [["app:help", "DB_PAS"], /named DB_PAS\n.*→ Did you mean DB_PASS\?$/m],
  [["app:secrets", "--format", "jsn"], /"jsn"\n.*→ Did you mean json\?$/m],
  [["app:secrets", "--write"], /--write/],
];

testPrograms(
  "mistakes in the command line are reported with code 64",
  async (program) => {
    for (const [args, message] of USAGE) {
      const outcome = await runProgram(program, args);
      const { code, stdout, stderr } = outcome;
      assert.deepEqual({ args, code, stdout }, { args, code: 64, stdout: "" });
      assert.match(stderr, message);
      assert.match(stderr, /^(entrypoint: .*\n)+$/);
      assert.match(stderr, /^entrypoint: +→ \S/m);
      assertClean(outcome);
    }
  },
);

testPrograms("any other command runs unchanged", async (program) => {
  const script = 'echo "$1|$2"; echo "$GIVEN"; pwd; echo no >&2; exit 7';
  const { code, stdout, stderr } = await runProgram(
    program,
    ["sh", "-c", script, "sh", "two words", "--json"],
    { env: { GIVEN: "as is", DB_PASS: "kept" }, cwd: "/usr" },
  );
  assert.equal(code, 7);
  assert.equal(stdout, "two words|--json\nas is\n/usr\n");
  assert.equal(stderr, "no\n");
});

testPrograms(
  "any other command has the same process, signals and standard input",
  async (program) => {
    const running = start(
      program,
      ["sh", "-c", "echo $$; read x; kill -9 $$"],
      {
        input: "x\n",
      },
    );
    const { pid, signal, stdout } = await running.outcome;
    assert.equal(signal, "SIGKILL");
    assert.equal(stdout, `${pid}\n`);
    const ended = start(program, [
      "sh",
      "-c",
      "trap 'exit 5' TERM; echo on; while :; do sleep 0.05; done",
    ]);
    await ended.until(/on/);
    ended.kill("SIGTERM");
    assert.equal((await ended.outcome).code, 5);
  },
);

testPrograms(
  "a command that does not exist ends with code 127, one that cannot be executed with 126",
  async (program) => {
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ["no-such-tool", 127, /Cannot find the command "no-such-tool" in PATH/],
      [
        "start",
        127,
        /the command "start" in PATH.*\n.* Did you mean app:start\?/,
      ],
      ["version", 127, /Did you mean app:version\?/],
      ["/no/such/tool", 127, /Cannot find \/no\/such\/tool: no such file/],
      ["/etc/passwd", 126, /Cannot execute \/etc\/passwd: permission denied/],
      ["/usr", 126, /Cannot execute \/usr: it is a directory/],
    ];
    for (const [command, code, message] of cases) {
      const outcome = await runProgram(program, [command, "--help"]);
      assert.equal(outcome.code, code);
      assert.equal(outcome.stdout, "");
      assert.match(outcome.stderr, message);
      assertClean(outcome);
    }
  },
);

testPrograms(
  "files of --env-file set variables that the environment does not",
  async (program) => {
    await using home = await createHome();
    const first = await home.write(
      "first.env",
      "# a comment\nONE=first\nTWO='first value'\nTHREE=first\nFOUR='a#b\n",
    );
    const second = await home.write("second.env", "TWO=second\nTHREE=second\n");
    const { stdout } = await runProgram(
      program,
      [
        ...["--env-file", first, `--env-file=${second}`],
        ...["sh", "-c", 'echo "$ONE|$TWO|$THREE|$FOUR"'],
      ],
      { env: { THREE: "environment" } },
    );
    assert.equal(stdout, "first|second|environment|'a#b\n");
  },
);

testPrograms(
  "a missing file of --env-file ends with code 66",
  async (program) => {
    const outcome = await runProgram(program, [
      ...["--env-file", "/no/such.env", "app:version"],
    ]);
    assert.equal(outcome.code, 66);
    assert.match(
      outcome.stderr,
      /The file \/no\/such\.env of --env-file does not exist/,
    );
    assertClean(outcome);
  },
);

testPrograms(
  "a FIFO, a device and UTF-16 text are no files of --env-file",
  async (program) => {
    await using home = await createHome();
    const fifo = `${home.path}/fifo`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    const utf16 = `${home.path}/utf16.env`;
    await Deno.writeFile(utf16, new Uint8Array([0xff, 0xfe, 0x41, 0, 0x3d, 0]));
    for (
      const [file, fault] of [
        [fifo, "is not a regular file"],
        [utf16, "is UTF-16 text, but it must be UTF-8"],
        ["/dev/full", "(cannot be read|is not a regular file)"],
        [home.path, "is not a regular file"],
      ] as const
    ) {
      const outcome = await runProgram(program, [
        ...["--env-file", file, "app:version"],
      ]);
      assert.equal(outcome.code, 66, outcome.stderr);
      assert.match(outcome.stderr, new RegExp(`of --env-file ${fault}`));
      assertClean(outcome);
    }
  },
);

testPrograms(
  "messages are JSON with ENTRYPOINT_LOG_FORMAT=json",
  async (program) => {
    const outcome = await runProgram(program, ["app:strat"], {
      env: { ENTRYPOINT_LOG_FORMAT: "json" },
    });
    const lines = outcome.stderr.trimEnd().split("\n");
    assert.equal(lines.length, 1);
    const { time, ...rest } = JSON.parse(lines[0] ?? "");
    assert.ok(Date.parse(time) > 0);
    assert.deepEqual(rest, {
      level: "error",
      message: "There is no command app:strat",
      remedy: "Did you mean app:start?",
      problems: [],
      code: 64,
    });
  },
);

testPrograms(
  "a reader that closes the pipe early is no failure",
  async (program) => {
    const command = [...program.command, "app:help", "--all"]
      .map((word) => `'${word}'`).join(" ");
    const { code, stderr } = await runProgram(program, [
      ...["bash", "-c", `${command} | head -n 1; exit \${PIPESTATUS[0]}`],
    ]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },
);
