/**
 * The demo, as a person runs it: an address that answers, and nothing left behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { cacheDirectory } from "../../tools/servers/cache.ts";
import { freePort } from "../../tools/servers/database_server.ts";
import { createHome } from "../support/home.ts";
import { launch, ROOT, type Running } from "../support/program.ts";

/** Everything of the caller's that Deno needs for its packages. */
const CALLER = Deno.env.toObject();

/** A demo with a temporary directory of its own, which must be empty when it is over. */
async function demo(
  { args = [], env = {} }: {
    args?: readonly string[];
    env?: Readonly<Record<string, string>>;
  },
  body: (running: Running) => Promise<void>,
): Promise<void> {
  await using home = await createHome();
  const scratch = join(home.path, "tmp");
  await Deno.mkdir(scratch);
  await Deno.chmod(scratch, 0o1777);
  const running = launch(
    [Deno.execPath(), "task", "--quiet", "demo", ...args],
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
    await body(running);
  } finally {
    await running.outcome;
  }
  const left = await Array.fromAsync(Deno.readDir(scratch));
  assert.deepEqual(left.map(({ name }) => name), []);
  assert.deepEqual(await processesOf(scratch), []);
}

/** The processes that were started with something in this directory. */
async function processesOf(directory: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      'grep -lsF "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ | grep -v "/$$/" || true',
      ...["sh", directory],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout).trim();
  // The asking shell and its children name it too, and have ended by now.
  const paths = text.split("\n").filter(Boolean);
  const there = await Promise.all(
    paths.map((path) => Deno.stat(path).then(() => [path], () => [])),
  );
  return there.flat();
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

Deno.test("a port that is none is refused", () =>
  demo({ env: { DEMO_PORT: "http" } }, async (running) => {
    const { code, stderr } = await running.outcome;
    assert.equal(code, 1);
    assert.match(stderr, /port must be a number from 1 to 65535: it is http/);
  }));
