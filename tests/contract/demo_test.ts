/**
 * The demo, as a person runs it: an address that answers, and nothing left behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { cacheDirectory } from "../../tools/shared/cache.ts";
import { freePort } from "../../tools/shared/database_server.ts";
import { isRunning, killTree, signalTree } from "../../tools/shared/process.ts";
import { createHome } from "../support/home.ts";
import { launch, ROOT, type Running } from "../support/program.ts";

/** Everything of the caller's that Deno needs for its packages. */
const CALLER = Deno.env.toObject();

const COMMAND = [Deno.execPath(), "task", "--quiet", "demo"];

/** The same in a terminal of its own, which closes when `script` is killed. */
const IN_TERMINAL = ["script", "-qec", COMMAND.join(" "), "/dev/null"];

/** How long what a killed demo started may stay, in milliseconds. */
const PATIENCE = 10_000;

/** A demo with a temporary directory of its own, which must be empty when it is over. */
async function demo(
  { command = COMMAND, args = [], env = {}, patience = 0 }: {
    command?: readonly string[];
    args?: readonly string[];
    env?: Readonly<Record<string, string>>;
    /** How long after its end something may be left, in milliseconds. */
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
        MATTERMOST_INSTALL_DIR: "",
        ENTRYPOINT_CACHE_DIR: await cacheDirectory(),
        // A variable of the caller's must not reach the program.
        DB_HOST: "elsewhere.invalid",
        TMPDIR: scratch,
        // Nothing is downloaded in a test.
        DEMO_STAND_IN: "1",
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
    // A demo that has lost its parent is not reached through that.
    const overdue = setTimeout(() => killAll(scratch), 3 * PATIENCE);
    await running.outcome;
    clearTimeout(overdue);
  }
  let left: string[] = [];
  await waitWhile(
    async () => (left = await leftOf(scratch)).length > 0,
    patience,
  );
  // A failed test leaves nothing either.
  await killAll(scratch);
  assert.deepEqual(left, []);
}

async function killAll(scratch: string): Promise<void> {
  for (const { pid } of await processesOf(scratch)) killTree(pid);
}

/** Waits as long as that is so, at most so many milliseconds. */
async function waitWhile(
  holds: () => boolean | Promise<boolean>,
  patience: number,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (await holds() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Directories and command lines. */
async function leftOf(scratch: string): Promise<string[]> {
  const directories = await Array.fromAsync(Deno.readDir(scratch));
  const processes = await processesOf(scratch);
  return [
    ...directories.map(({ name }) => name),
    ...processes.map(({ command }) => command),
  ];
}

/** The processes that were started with something in this directory. */
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
  // The asking shell and its children name it too, and have ended by now.
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

/** The demo's own process, of those that run for it. */
async function processOfDemo(scratch: string): Promise<number> {
  const found = (await processesOf(scratch)).filter(({ command }) =>
    / run .*tools\/demo\.ts$/.test(command)
  );
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0]?.pid ?? 0;
}

Deno.test("the demo answers at the address that it prints, until Ctrl-C", () =>
  demo({}, async (running) => {
    const [, address = ""] = await running.until(
      /Open (http:\/\/localhost:\d+) for a stand-in for Mattermost/,
    );
    const ping = await fetch(`${address}/api/v4/system/ping`);
    assert.equal((await ping.json()).status, "OK");
    const page = await (await fetch(address)).text();
    assert.match(page, /This is a <strong>stand-in<\/strong> for Mattermost/);
    assert.match(page, /which takes connections/);
    // Twice, as a terminal and a task runner do it.
    running.kill("SIGINT");
    running.kill("SIGINT");
    const { code, stdout, stderr } = await running.outcome;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /This is a STAND-IN for Mattermost/);
    assert.match(stderr, /entrypoint: Mattermost \S+ on PostgreSQL at 127/);
    assert.match(stderr, /Stopped, nothing is left\n$/);
    await assert.rejects(fetch(address));
  }));

Deno.test("the demo listens where it is told to, and stops at SIGTERM", async () => {
  const port = freePort();
  await demo({ args: ["--port", String(port)] }, async (running) => {
    await running.until(new RegExp(`Open http://localhost:${port} `));
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    // Whatever listens on all addresses of this machine answers here too.
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.2", port }),
      Deno.errors.ConnectionRefused,
    );
    running.kill("SIGTERM");
    assert.equal((await running.outcome).code, 0);
  });
});

Deno.test("the demo starts the Mattermost that is there, and ends with it", async () => {
  await using home = await createHome();
  await home.installServer("10.5.2", "echo 'not today' >&2; exit 3");
  await demo(
    { env: { MATTERMOST_INSTALL_DIR: home.install } },
    async (running) => {
      const { code, stderr } = await running.outcome;
      assert.equal(code, 3, stderr);
      assert.match(stderr, /Mattermost 10\.5\.2 on PostgreSQL/);
      assert.match(stderr, /not today\n.*ended with code 3\n/);
    },
  );
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

/** Moments at which there is more and more to clean up. */
const MOMENTS = [/Starting PostgreSQL/, /app:start/, /Open http\S+:(\d+)/];

/** Ends a demo at each of the moments; all processes that ran then must end too. */
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
      // A signal that does nothing to them; PostgreSQL's children cover their tracks.
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

Deno.test("nothing is left of the demo when its terminal is closed", () =>
  endSuddenly({ command: IN_TERMINAL }, (running) => running.kill("SIGKILL")));

Deno.test("nothing is left of the demo when it is killed", () =>
  endSuddenly({}, async (_, scratch) => {
    Deno.kill(await processOfDemo(scratch), "SIGKILL");
  }));

Deno.test("nothing is left of the demo when what runs it is killed", async () => {
  await endSuddenly({}, (running) => running.kill("SIGKILL"));
  await using home = await createHome();
  // What npx calls itself.
  const npx = join(home.path, "npm exec deno");
  await Deno.symlink("/bin/sh", npx);
  const shell = ["-c", `sh -c "${COMMAND.join(" ")}; exit"; exit`];
  await endSuddenly(
    { command: [npx, ...shell] },
    (running) => running.kill("SIGKILL"),
  );
});

Deno.test("nothing is left of the demo at a second Ctrl-C", async () => {
  await using home = await createHome();
  await home.installServer(
    "10.5.2",
    "trap '' TERM; echo stubborn; while :; do sleep 1; done",
  );
  const env = { MATTERMOST_INSTALL_DIR: home.install };
  await demo({ env, patience: PATIENCE }, async (running) => {
    await running.until(/stubborn/);
    running.kill("SIGINT");
    await running.until(/once more to stop at once/);
    // Less than a second later it would count as the same one.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    running.kill("SIGINT");
    assert.notEqual((await running.outcome).code, 0);
  });
});

Deno.test("a port that is none is refused", () =>
  demo({ env: { DEMO_PORT: "http" } }, async (running) => {
    const { code, stderr } = await running.outcome;
    assert.equal(code, 1);
    assert.match(stderr, /port must be a number from 1 to 65535: it is http/);
  }));
