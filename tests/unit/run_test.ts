import assert from "node:assert/strict";
import * as fc from "fast-check";
import meta from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../lib/commands/help.ts";
import { run } from "../../lib/run.ts";
import type { RawVariable } from "../../lib/os/system.ts";
import type { FakeSystem, World } from "../support/fake_system.ts";
import { Exit, fakeSystem } from "../support/fake_system.ts";
import { CONFIG, INSTALL, installed } from "../support/installation.ts";
import { MemoryFiles } from "../support/memory_files.ts";

async function outcome(
  args: readonly string[],
  world: World = {},
): Promise<{ code: number; system: FakeSystem }> {
  const system = fakeSystem(world);
  return { code: await run(args, system), system };
}

/** Gets the environment of another program that run() executes. */
async function environmentOf(
  args: readonly string[],
  world: World,
): Promise<Readonly<Record<string, string>>> {
  const { system } = await outcome([...args, "true"], world);
  assert.equal(system.handoffs.length, 1);
  return system.handoffs[0]?.env ?? {};
}

/** A variable whose value is one byte that is not UTF-8. */
function rawVariable(name: string): RawVariable {
  const start = new TextEncoder().encode(`${name}=`);
  return { name, bytes: Uint8Array.of(...start, 0xff) };
}

function envFiles(texts: Readonly<Record<string, string>>): MemoryFiles {
  const files = new MemoryFiles();
  for (const [path, text] of Object.entries(texts)) files.place(path, text);
  return files;
}

Deno.test("--version, --help and -h are aliases of commands", async () => {
  for (const args of [["app:version"], ["--version"]]) {
    const { code, system } = await outcome(args);
    assert.equal(code, 0);
    assert.ok(
      system.out.text.startsWith(`mattermost-entrypoint ${meta.version}\n`),
    );
  }
  for (const args of [["app:help"], ["--help"], ["-h"]]) {
    const { code, system } = await outcome(args);
    assert.equal(code, 0);
    assert.match(system.out.text, /^mattermost-entrypoint /);
  }
});

Deno.test("an unknown app: command is a usage error with a suggestion", async () => {
  const { code, system } = await outcome(["app:strat"]);
  assert.equal(code, 64);
  assert.equal(
    system.err.text,
    "entrypoint: error: There is no command app:strat\n" +
      "entrypoint:   → Did you mean app:start?\n",
  );
});

Deno.test("app:help explains exactly the commands that exist", async () => {
  const { system } = await outcome(["app:zzzzzzzzzzzzzzzz"]);
  const [, names = ""] = system.err.text.trimEnd().split("The commands are ");
  assert.deepEqual(names.split(", ").sort(), Object.keys(COMMANDS).sort());
});

Deno.test("any other command is executed with its arguments and the environment", async () => {
  const env = { PATH: "/bin", DB_PASS: "as it is" };
  const { system } = await outcome(["bash", "-c", "exit 3"], { env });
  assert.deepEqual(system.handoffs, [
    { path: "bash", args: ["bash", "-c", "exit 3"], env, raw: [] },
  ]);
});

Deno.test("a command of the server gets the environment without secrets", async () => {
  for (
    const path of ["mattermost", "/opt/mattermost/mattermost/bin/mattermost"]
  ) {
    const { system } = await outcome([path, "jobserver"], {
      env: {
        PATH: "/bin",
        DB_PASS: "x",
        SMTP_PASS_FILE: "/run/secrets/smtp",
        POSTGRES_1_ENV_POSTGRES_PASSWORD: "x",
      },
    });
    assert.deepEqual(system.handoffs, [
      { path, args: [path, "jobserver"], env: { PATH: "/bin" }, raw: [] },
    ]);
  }
});

Deno.test("the environment takes precedence over env files, and later files over earlier ones", async () => {
  const files = envFiles({
    "/a.env": "A=a\nB=a\nC=a\n",
    "/b.env": "B=b\nC=b#c\n# comment\n\nA\nD=d\n",
  });
  assert.deepEqual(
    await environmentOf(["--env-file", "/a.env", "--env-file=/b.env"], {
      files,
      env: { A: "own" },
    }),
    { A: "own", B: "b", C: "b#c", D: "d" },
  );
});

Deno.test("an env file that cannot be used is named, and ends the program with code 66", async () => {
  const files = envFiles({
    "/junk": "A=1\nDB_PASS =hunter22\n",
    "/large": `A=${"a".repeat(1_000_000)}`,
  });
  files.makeDirectory("/directory");
  for (
    const [path, fault] of [
      ["/none", "does not exist"],
      ["/directory", "is not a regular file"],
      ["/large", "is larger than 1 MB"],
      [
        "/junk",
        "must have lines NAME=value, but line 2 has another form\nentrypoint:   → sed -n 2p /junk",
      ],
    ] as const
  ) {
    const { code, system } = await outcome(
      ["--env-file", path, "app:help"],
      { files },
    );
    assert.equal(code, 66);
    assert.ok(
      system.err.text.startsWith(
        `entrypoint: error: The file ${path} of --env-file ${fault}`,
      ),
      system.err.text,
    );
    assert.equal(system.out.text, "");
    assert.doesNotMatch(system.err.text, /hunter22/);
  }
});

Deno.test("values of an env file that Compose would change are named once for each file", async () => {
  const files = envFiles({
    "/a.env": "A='secret'\nB=plain\nC=a $secret\nENTRYPOINT_LOG_FORMAT=json\n",
    "/b.env": "B=plain\n",
  });
  const { system } = await outcome(
    ["--env-file=/a.env", "--env-file=/b.env", "true"],
    { files },
  );
  const [warning = "", ...rest] = system.err.text.trimEnd().split("\n");
  assert.ok(rest.every((line) => JSON.parse(line).level === "error"));
  const { level, message } = JSON.parse(warning);
  assert.equal(level, "warning");
  assert.match(message, /^The file \/a\.env .* the value of A, C$/);
  assert.doesNotMatch(message, /secret/);
});

Deno.test("an unknown or incomplete option before the command is a usage error", async () => {
  for (
    const args of [["--env-file"], ["--env-file="], ["--json"], ["-x"], ["--"]]
  ) {
    const { code } = await outcome(args);
    assert.equal(code, 64, args.join(" "));
  }
});

Deno.test("usage errors already have the format of ENTRYPOINT_LOG_FORMAT", async () => {
  const { system } = await outcome(["app:strat"], {
    env: { ENTRYPOINT_LOG_FORMAT: "json" },
  });
  assert.equal(JSON.parse(system.err.text).code, 64);
});

Deno.test("a signal ends the program at once with 128 plus its number", async () => {
  for (
    const [signal, code] of [
      ["SIGHUP", 129],
      ["SIGINT", 130],
      ["SIGQUIT", 131],
      ["SIGTERM", 143],
    ] as const
  ) {
    const system = fakeSystem();
    const running = run(["app:secrets"], system);
    assert.throws(
      () => system.send(signal),
      (error) => error instanceof Exit && error.code === code,
    );
    await running;
  }
});

Deno.test("any error but an EntrypointError ends the program as a bug, with code 70", async () => {
  const system = fakeSystem();
  const broken = {
    ...system,
    out: {
      isTerminal: false,
      write(): never {
        throw new TypeError("oops");
      },
    },
  };
  assert.equal(await run(["app:version"], broken), 70);
  assert.match(system.err.text, /bug in the entrypoint[^]*TypeError: oops/);
});

Deno.test("no command prints a control character of a value, a name or a path", async () => {
  const nasty = "x\r\x1b]0;title\x07\x9b2J\u202e";
  const env = {
    MATTERMOST_VERSION: "11.6.0",
    DB_ADAPTER: "postgres",
    DB_HOST: "db",
    DB_USER: nasty,
    DB_PASS: "hunter22",
    MATTERMOST_NAME: nasty,
    [`MATTERMOST_${nasty}`]: nasty,
    [`MM_${nasty}`]: nasty,
  };
  const cases: readonly (readonly [string, ...string[]])[] = [
    ["app:start"],
    ["app:check"],
    ["app:check", "--json"],
    ["app:config"],
    ["app:config", "--explain"],
    ["app:config", "--explain", "--json"],
    ["app:config", "--diff"],
    ["app:config", "--restore", nasty],
    ["app:secrets", "--write", nasty],
    ["app:help", nasty],
    ["app:help", `MM_${nasty}`],
    [nasty],
    [`app:${nasty}`],
    [`--${nasty}`],
    ["--env-file", nasty],
  ];
  for (const args of cases) {
    for (
      const more of [
        {},
        { ENTRYPOINT_LOG_FORMAT: "json", DEBUG: "true" },
        {
          MATTERMOST_DATA_DIR: `/${nasty}`,
          DB_PORT: nasty,
          DB_PASS_FILE: nasty,
        },
      ]
    ) {
      const { system } = await outcome(args, {
        env: { ...env, ...more },
        files: installed(),
      });
      const text = system.out.text + system.err.text;
      assert.notEqual(text, "", args.join(" "));
      assert.doesNotMatch(text, /[^\P{Cc}\n]|\u202e/u, args.join(" "));
    }
  }
});

Deno.test("a variable that is not UTF-8 is refused if it is a setting, and else passed on", async () => {
  const raw = ["LS_COLORS", "DB_PASS", "MATTERMOST_NAME_FILE", "MM_A_B"]
    .map(rawVariable);
  const env = { MATTERMOST_VERSION: "11.6.0", DB_HOST: "db" };
  const { code, system } = await outcome(["app:start"], {
    env,
    raw,
    files: installed(),
  });
  assert.equal(code, 78);
  assert.deepEqual(
    [...system.err.text.matchAll(/(\w+) is not UTF-8 text/g)].map(([, name]) =>
      name
    ),
    ["DB_PASS", "MATTERMOST_NAME_FILE", "MM_A_B"],
  );
  const other = await outcome(["bash"], { env, raw });
  assert.deepEqual(other.system.handoffs[0]?.raw, raw);
});

Deno.test("an odd value is a reason of a refused value, else a warning", async () => {
  const { code, system } = await outcome(["app:start"], {
    env: {
      MATTERMOST_VERSION: "11.6.0",
      DB_HOST: "db\r",
      DB_PORT: "'5432'",
      DB_PASS: '"hunter22"',
    },
    files: installed(),
  });
  assert.equal(code, 78);
  assert.equal(
    system.err.text,
    [
      "error: 1 setting is missing or wrong",
      `  DB_PORT must be a port from 1 to 65535: it is "'5432'"; it is in quotes, which are part of the value`,
      "    → Remove the quotes: a shell and Compose remove them, but docker run --env-file and -e keep them",
      "  DB_HOST ends with a carriage return, as in a file with the line ends of Windows",
      "    → Convert the file that sets it: sed -i 's/\\r$//' FILE   # then recreate the container",
      "  DB_PASS is in quotes, which are part of the value",
      "    → Remove the quotes: a shell and Compose remove them, but docker run --env-file and -e keep them",
    ].map((line) => `entrypoint: ${line}\n`).join(""),
  );
});

Deno.test("random text in an env file does not crash the program", async () => {
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.tuple(fc.string(), fc.string({ unit: "grapheme" }))
      .map(([name, value]) => `${name}=${value}`),
    fc.tuple(
      fc.constantFrom("DB_HOST", "DEBUG", "__proto__", "constructor"),
      fc.string(),
      fc.constantFrom("'", '"', "`", ""),
    ).map(([name, value, quote]) => `${name}=${quote}${value}${quote}`),
    fc.constantFrom("DB_HOST", "__proto__", "constructor"),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.constantFrom("\n", "\r\n", "\0"),
      async (lines, end) => {
        const { code, system } = await outcome(["--env-file", "/f", "true"], {
          files: envFiles({ "/f": lines.join(end) }),
          env: { DB_HOST: "own" },
        });
        const [handoff] = system.handoffs;
        if (handoff === undefined) return assert.equal(code, 66);
        const { env } = handoff;
        assert.equal(env["DB_HOST"], "own");
        assert.ok(Object.values(env).every((text) => typeof text === "string"));
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("under the name mattermost, a command of the server is executed, with config.json if it exists", async () => {
  const programName = "/usr/local/bin/mattermost";
  const files = installed();
  const without = await outcome(["version", "--long"], {
    programName,
    files,
    env: { PATH: "/bin" },
  });
  const path = `${INSTALL}/bin/mattermost`;
  assert.deepEqual(without.system.handoffs, [{
    path,
    args: [path, "version", "--long"],
    env: { PATH: "/bin" },
    raw: [],
    cwd: INSTALL,
  }]);
  assert.deepEqual(without.system.identities, [{ uid: 2000, gid: 2000 }]);
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(CONFIG, "{}");
  const { system } = await outcome(["help"], {
    programName,
    files,
    uid: 1234,
    gid: 1234,
  });
  assert.deepEqual(system.handoffs, [
    {
      path,
      args: [path, "help"],
      env: { MM_CONFIG: CONFIG },
      raw: [],
      cwd: INSTALL,
    },
  ]);
  assert.deepEqual(system.identities, []);
});

Deno.test("under the name mattermost, the program does not execute itself", async () => {
  const files = installed();
  files.link("/proc/self/exe", `${INSTALL}/bin/mattermost`);
  const { code, system } = await outcome(["version"], {
    programName: "mattermost",
    files,
  });
  assert.equal(code, 127);
  assert.match(
    system.err.text,
    /No Mattermost server is installed in .*; the program named mattermost is this entrypoint/,
  );
  assert.deepEqual(system.handoffs, []);
});

Deno.test("under the name mattermost, options and the command server mean app:start", async () => {
  for (const args of [["server"], ["--config", "x"], ["server", "-d"]]) {
    const { code, system } = await outcome(args, {
      programName: "mattermost",
      files: installed(),
      env: { MATTERMOST_VERSION: "11.7.9" },
    });
    assert.equal(code, 78, args.join(" "));
    assert.match(system.err.text, /missing or wrong/);
    assert.deepEqual(system.handoffs, []);
  }
});

Deno.test("the name of a property of every object is a program, not a command", async () => {
  for (const name of ["constructor", "__proto__", "toString"]) {
    const { system } = await outcome([name]);
    assert.deepEqual(system.handoffs.map(({ path }) => path), [name]);
  }
});
