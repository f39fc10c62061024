/**
 * Runs the demo as a user does: the address must answer, and nothing may be left at the end.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { cacheDirectory } from "../../tools/shared/cache.ts";
import { freePort } from "../../tools/shared/database_server.ts";
import { isRunning, killTree, signalTree } from "../../tools/shared/process.ts";
import { createHome } from "../support/home.ts";
import { ROOT_USER, testWith } from "../support/needs.ts";
import { launch, ROOT, type Running } from "../support/program.ts";

/** The variables that Deno needs to find its packages. */
// The program in the demo runs as a user that cannot write coverage files here.
const { DENO_COVERAGE_DIR: _, ...CALLER } = Deno.env.toObject();

/** With the lines that Deno prints about packages and tasks. */
const LOUD_COMMAND = [Deno.execPath(), "task", "demo"];

const COMMAND = [Deno.execPath(), "task", "--quiet", "demo"];

/** Tests download nothing. */
const FAKE = [...COMMAND, "--fake"];

/** The same in its own terminal, which closes when `script` is killed. */
const IN_TERMINAL = ["script", "-qec", FAKE.join(" "), "/dev/null"];

/** How long the processes of a killed demo may keep running, in milliseconds. */
const PATIENCE = 10_000;

/** Runs a demo with its own temporary directory, which must be empty at the end. */
async function demo(
  { command = FAKE, args = [], env = {}, patience = 0 }: {
    command?: readonly string[];
    args?: readonly string[];
    env?: Readonly<Record<string, string>>;
    /** How long after its end files or processes may be left, in milliseconds. */
    patience?: number;
  },
  body: (running: Running, scratch: string) => Promise<void>,
): Promise<void> {
  await using home = await createHome();
  const scratch = join(home.path, "tmp");
  await Deno.mkdir(scratch);
  await Deno.chmod(scratch, 0o1777);
  const running = launch(
    [...command, ...args],
    {
      cwd: ROOT,
      env: {
        ...CALLER,
        ENTRYPOINT_CACHE_DIR: await cacheDirectory(),
        // A variable of the caller's must not reach the program.
        DB_HOST: "elsewhere.invalid",
        TMPDIR: scratch,
        ...env,
      },
    },
  );
  try {
    await body(running, scratch);
  } catch (error) {
    killTree(running.pid);
    throw error;
  } finally {
    // A demo whose parent has ended is not among the descendants.
    const overdue = setTimeout(() => killAll(scratch), 3 * PATIENCE);
    await running.outcome;
    clearTimeout(overdue);
  }
  let left: string[] = [];
  await waitWhile(
    async () => (left = await leftOf(scratch)).length > 0,
    patience,
  );
  // Clean up after a failed test, too.
  await killAll(scratch);
  assert.deepEqual(left, []);
}

async function killAll(scratch: string): Promise<void> {
  for (const { pid } of await processesOf(scratch)) killTree(pid);
}

/** Waits while the condition holds, but no longer than the given milliseconds. */
async function waitWhile(
  holds: () => boolean | Promise<boolean>,
  patience: number,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (await holds() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The directories and processes that are left. */
async function leftOf(scratch: string): Promise<string[]> {
  const directories = await Array.fromAsync(Deno.readDir(scratch));
  const processes = await processesOf(scratch);
  return [
    ...directories.map(({ name }) => name),
    ...processes.map(({ command }) => command),
  ];
}

/** The processes whose arguments or environment contain the directory. */
async function processesOf(
  directory: string,
): Promise<{ pid: number; command: string }[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      'grep -lsF "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ | grep -v "/$$/" || true',
      ...["sh", directory],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const pids = new Set(text.match(/\d+/g)?.map(Number));
  // The shell above and its children match too, and have ended by now.
  const processes = await Promise.all(
    [...pids].filter(isRunning).map(
      async (pid) => ({
        pid,
        command: await Deno.readTextFile(`/proc/${pid}/cmdline`)
          .then((text) => text.replaceAll("\0", " ").trim(), () => ""),
      }),
    ),
  );
  return processes.filter(({ command }) => command !== "");
}

/** The process of the demo itself. */
async function processOfDemo(scratch: string): Promise<number> {
  const found = (await processesOf(scratch)).filter(({ command }) =>
    / run .*tools\/demo\.ts\b/.test(command)
  );
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0]?.pid ?? 0;
}

/** The complete output of a demo with the fake Mattermost. */
const SCREEN = [
  /^This demo runs PostgreSQL, mattermost-entrypoint and Mattermost in a temporary directory\.$/,
  /^Starting PostgreSQL$/,
  /^Starting a fake Mattermost [\d.]+ with mattermost-entrypoint app:start \(log: \/\S+\/log\)$/,
  /^Open http:\/\/localhost:\d+ in your browser\. Press Ctrl-C to stop\.$/,
  /^Stopping \(press Ctrl-C again to stop at once\)$/,
  /^The demo has stopped, and its files are removed\.$/,
];

function assertScreen(text: string): void {
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.length, SCREEN.length, text);
  SCREEN.forEach((pattern, index) => assert.match(lines[index] ?? "", pattern));
}

Deno.test("the demo answers at the address that it prints, until Ctrl-C", () =>
  demo({ command: [...LOUD_COMMAND, "--fake"] }, async (running) => {
    const [, address = ""] = await running.until(/Open (http:\S+)/);
    const ping = await fetch(`${address}/api/v4/system/ping`);
    assert.equal((await ping.json()).status, "OK");
    const page = await (await fetch(address)).text();
    assert.match(page, /This is a <strong>fake Mattermost<\/strong>/);
    assert.match(page, /user mattermost: accepts connections/);
    // Twice, as from a terminal and a task runner.
    running.kill("SIGINT");
    running.kill("SIGINT");
    const { code, stdout, stderr } = await running.outcome;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "");
    // Deno prints its downloads and the task first.
    assertScreen(stderr.replace(/^(.*Download.*\n)*.*Task.*\n/, ""));
    await assert.rejects(fetch(address));
  }));

Deno.test("the output of the demo is the same in a terminal", () =>
  demo(
    { command: IN_TERMINAL, patience: PATIENCE },
    async (running, scratch) => {
      await running.until(/Open http/);
      Deno.kill(await processOfDemo(scratch), "SIGINT");
      const { stdout } = await running.outcome;
      assertScreen(stdout.replaceAll("\r", ""));
    },
  ));

Deno.test("--verbose shows the logs of the program and the server", () =>
  demo({ args: ["--verbose"] }, async (running) => {
    await running.until(/Open http/);
    running.kill("SIGTERM");
    const { stderr } = await running.outcome;
    assert.match(stderr, /^entrypoint: Mattermost \S+ on PostgreSQL at 127/m);
    assert.match(stderr, /^This fake Mattermost \S+ listens on 127\.0\.0\.1:/m);
    assert.doesNotMatch(stderr, /Warning|Failed|.{300}/);
  }));

Deno.test("the demo listens on the port of --port on 127.0.0.1 only, and stops at SIGTERM", async () => {
  const port = freePort();
  await demo({ args: ["--port", String(port)] }, async (running) => {
    await running.until(new RegExp(`Open http://localhost:${port} `));
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    // A server that listens on all addresses would answer here.
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.2", port }),
      Deno.errors.ConnectionRefused,
    );
    running.kill("SIGTERM");
    assert.equal((await running.outcome).code, 0);
  });
});

Deno.test("the demo starts the Mattermost of --install-dir, and ends with its exit code", async () => {
  await using home = await createHome();
  await home.installServer("10.5.2", "echo 'not today' >&2; exit 3");
  const command = [...COMMAND, "--install-dir", home.install];
  await demo({ command }, async (running) => {
    const { code, stderr } = await running.outcome;
    assert.equal(code, 3, stderr);
    assert.match(stderr, /Mattermost 10\.5\.2 on PostgreSQL/);
    assert.match(stderr, /not today\nThe server ended with code 3\.\n$/);
  });
});

Deno.test("the demo does not use HTTP_PROXY to reach its own server", () =>
  demo({ env: { HTTP_PROXY: "http://127.0.0.1:1" } }, async (running) => {
    const overdue = setTimeout(() => running.kill("SIGTERM"), 3 * PATIENCE);
    await running.until(/Open http/).finally(() => clearTimeout(overdue));
    running.kill("SIGTERM");
    assert.equal((await running.outcome).code, 0);
  }));

testWith([ROOT_USER], "the demo works with umask 077", () =>
  demo(
    { command: ["sh", "-c", 'umask 077; exec "$@"', "sh", ...FAKE] },
    async (running) => {
      await running.until(/Open http/);
      running.kill("SIGTERM");
      assert.equal((await running.outcome).code, 0);
    },
  ));

testWith(
  [ROOT_USER],
  "a cache without access for the database is an error that names the directory",
  async () => {
    await using home = await createHome();
    const cache = join(home.path, "cache");
    await Deno.mkdir(cache, { mode: 0o700 });
    await demo({ env: { ENTRYPOINT_CACHE_DIR: cache } }, async (running) => {
      const { code, stderr } = await running.outcome;
      assert.equal(code, 1);
      assert.ok(
        stderr.includes(`Other users have no access to ${cache}`),
        stderr,
      );
      assert.ok(stderr.includes(`or run: chmod o+x ${cache}\n`), stderr);
    });
  },
);

Deno.test("other users can read the cache whatever the umask is", async () => {
  await using home = await createHome();
  const cache = join(home.path, "new", "cache");
  const script = `
    import { cached } from "./tools/shared/cache.ts";
    Deno.umask(0o077);
    await cached("entry", (draft) => Deno.writeTextFile(draft + "/file", ""));`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    cwd: ROOT,
    env: { ENTRYPOINT_CACHE_DIR: cache },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  for (const path of ["..", ".", "entry", "entry/file"]) {
    const { mode } = await Deno.stat(join(cache, path));
    assert.equal((mode ?? 0) & 0o004, 0o004, path);
  }
});

Deno.test("the demo can be stopped at any time", async () => {
  for (const moment of [/Starting PostgreSQL/, /app:start/]) {
    await demo({}, async (running) => {
      await running.until(moment);
      running.kill("SIGINT");
      const { code, stderr } = await running.outcome;
      assert.equal(code, 0, stderr);
    });
  }
});

/** Lines after which there is more and more to clean up. */
const MOMENTS = [/Starting PostgreSQL/, /app:start/, /Open http\S+:(\d+)/];

/** Ends a demo after each of these lines; all processes that were running must end too. */
async function endSuddenly(
  options: Parameters<typeof demo>[0],
  end: (running: Running, scratch: string) => void | Promise<void>,
): Promise<void> {
  for (const moment of MOMENTS) {
    let tree: readonly number[] = [];
    let port = 0;
    const all = { ...options, patience: PATIENCE };
    await demo(all, async (running, scratch) => {
      port = Number((await running.until(moment))[1]);
      // SIGCONT has no effect; the call lists the descendants. PostgreSQL's children
      // overwrite their arguments, so processesOf() does not find them.
      tree = signalTree(running.pid, "SIGCONT");
      await end(running, scratch);
    });
    assert.ok(tree.length > 1);
    await waitWhile(() => tree.some(isRunning), PATIENCE);
    assert.deepEqual(tree.filter(isRunning), []);
    if (port > 0) {
      await assert.rejects(
        Deno.connect({ hostname: "127.0.0.1", port }),
        Deno.errors.ConnectionRefused,
      );
    }
  }
}

Deno.test("the demo leaves nothing when its terminal is closed", () =>
  endSuddenly({ command: IN_TERMINAL }, (running) => running.kill("SIGKILL")));

Deno.test("the demo leaves nothing when it is killed", () =>
  endSuddenly({}, async (_, scratch) => {
    Deno.kill(await processOfDemo(scratch), "SIGKILL");
  }));

Deno.test("the demo leaves nothing when its task runner is killed", async () => {
  await endSuddenly({}, (running) => running.kill("SIGKILL"));
  await using home = await createHome();
  // The process name of npx.
  const npx = join(home.path, "npm exec deno");
  await Deno.symlink("/bin/sh", npx);
  const shell = ["-c", `sh -c "${FAKE.join(" ")}; exit"; exit`];
  await endSuddenly(
    { command: [npx, ...shell] },
    (running) => running.kill("SIGKILL"),
  );
});

Deno.test("the demo leaves nothing after a second Ctrl-C", async () => {
  await using home = await createHome();
  await home.installServer(
    "10.5.2",
    "trap '' TERM; echo stubborn; while :; do sleep 1; done",
  );
  const command = [
    ...COMMAND,
    ...["--install-dir", home.install, "--verbose"],
  ];
  await demo({ command, patience: PATIENCE }, async (running) => {
    await running.until(/stubborn/);
    running.kill("SIGINT");
    await running.until(/press Ctrl-C again to stop at once/);
    // Within a second it would count as the same interrupt.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    running.kill("SIGINT");
    assert.notEqual((await running.outcome).code, 0);
  });
});

Deno.test("a download of PostgreSQL that is killed leaves nothing in the cache", async () => {
  await using home = await createHome();
  const asked = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Response>();
  // A registry that does not answer.
  await using registry = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => {
      asked.resolve();
      return end.promise;
    },
  );
  const script = `
    import { postgresPrograms } from "./tools/shared/postgres.ts";
    const port = ${registry.addr.port};
    Deno.env.set("NPM_CONFIG_REGISTRY", "http://127.0.0.1:" + port);
    await postgresPrograms();`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    cwd: ROOT,
    env: { ENTRYPOINT_CACHE_DIR: home.path, TMPDIR: home.path },
  }).spawn();
  await asked.promise;
  child.kill("SIGKILL");
  await child.status;
  let left: string[] = [];
  await waitWhile(async () => {
    left = (await leftOf(home.path)).filter((name) =>
      !/^marks$|\.lock$/.test(name)
    );
    return left.length > 0;
  }, PATIENCE);
  end.resolve(new Response());
  assert.deepEqual(left, []);
});

/** Runs a demo that ends by itself before it starts anything. */
async function refusal(args: readonly string[]): Promise<string> {
  let text = "";
  await demo({ args }, async (running) => {
    const { code, stderr } = await running.outcome;
    assert.equal(code, 1, stderr);
    text = stderr;
  });
  return text;
}

Deno.test("the demo refuses wrong options with one sentence", async () => {
  const wrong: [args: string[], message: string][] = [
    [
      ["--port", "http"],
      '--port must be a number from 1 to 65535: it is "http".',
    ],
    [
      ["--prot"],
      "Unknown option '--prot'. The option --help lists all options.",
    ],
    [
      ["--install-dir", "/no/where"],
      "--install-dir must be the directory of a Mattermost server: /no/where has no directory bin.",
    ],
  ];
  for (const [args, message] of wrong) {
    assert.equal(await refusal(args), `${message}\n`);
  }
});

Deno.test("the demo refuses a port that is in use", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  assert.equal(
    await refusal(["--port", String(port)]),
    `Port ${port} is in use by another program. Choose another one with --port, or omit --port to use a free one.\n`,
  );
});

Deno.test("the demo prints its options", () =>
  demo({ args: ["--help"] }, async (running) => {
    const { code, stdout, stderr } = await running.outcome;
    assert.equal(code, 0, stderr);
    for (const option of ["fake", "help", "install-dir", "port", "verbose"]) {
      assert.match(stdout, new RegExp(`^--${option} .*\\w`, "m"));
    }
  }));
