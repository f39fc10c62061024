/**
 * Signals in each phase of the compiled program: it ends at once with 128+n, no file is half
 * written, and no process is left running.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { freePort } from "../../tools/shared/database_server.ts";
import { misbehave } from "../database/support.ts";
import { createHome, type Home } from "../support/home.ts";
import {
  MOUNTS,
  NAMESPACE,
  type Need,
  ROOT_USER,
  testWith,
} from "../support/needs.ts";
import {
  assertClean,
  assertGone,
  COMPILED,
  launch,
  type Running,
  start,
} from "../support/program.ts";
import {
  createOwnDatabase,
  ownDatabaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

const VERSION = "11.7.9";
/** The exit code for each signal. */
const ENDINGS = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 };
type Ending = keyof typeof ENDINGS;
const SIGNALS = Object.keys(ENDINGS) as Ending[];
/** Milliseconds from a signal to the end: 300 on a quiet machine, and more on a busy one. */
const LONGEST = 2000;
/** Signals at random moments. */
const RANDOM_SIGNALS = 120;

const database = await startServerDatabase();

function settingsOf(home: Home): Record<string, string> {
  return {
    ...ownDatabaseSettings(home, database),
    DB_TIMEOUT: "600",
    DEBUG: "true",
  };
}

async function startedHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer(VERSION, "exit 0");
  await createOwnDatabase(home, database);
  const outcome = await start(COMPILED, ["app:start"], {
    env: settingsOf(home),
  }).outcome;
  assert.equal(outcome.code, 0, outcome.stderr);
  return home;
}

/** A phase of the program. */
interface Phase {
  readonly name: string;
  /** What the machine must have. */
  readonly needs?: readonly Need[];
  reach(home: Home, resources: AsyncDisposableStack): Promise<Running>;
  /** Whether config.json is written before this phase. */
  readonly written?: true;
}

function app(
  home: Home,
  env: Readonly<Record<string, string>> = {},
  command = "app:start",
): Running {
  return start(COMPILED, [command], {
    env: { ...settingsOf(home), MATTERMOST_NAME: "Wish", ...env },
  });
}

/** A server that prints its process id and then sleeps without child processes. */
async function installSleeper(home: Home, when: string): Promise<void> {
  await home.write(
    "mattermost/bin/mattermost",
    `#!/bin/sh
if [ "$1" = '${when}' ]; then echo $$ >'${sleeperMark(home)}'; exec sleep 50; fi
if [ "$1" = version ]; then echo 'Version: ${VERSION}'; fi
`,
    0o755,
  );
}

function sleeperMark(home: Home): string {
  return join(home.path, "marks/sleeper");
}

/** The process id of the sleeping server, once it runs. */
async function sleeper(home: Home): Promise<number> {
  for (let patience = 0; patience < 1500; patience++) {
    const text = await Deno.readTextFile(sleeperMark(home)).catch(() => "");
    if (text.endsWith("\n")) return Number(text);
    await pause(10);
  }
  throw new Error("The server was never asked");
}

/** A server that accepts connections and sends nothing. */
function silentDatabase(
  resources: AsyncDisposableStack,
): { readonly port: number; readonly connected: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { port } = resources.use(misbehave(async (client) => {
    resolve();
    while (await client.read(new Uint8Array(512)) !== null);
  }));
  return { port, connected: promise };
}

const PHASES: readonly Phase[] = [
  {
    name: "while the runtime starts",
    async reach(home, resources) {
      // Longer than the test takes, so that the start stays in this phase.
      const { port } = silentDatabase(resources);
      const running = app(home, { DB_PORT: String(port) });
      await pause(Math.random() * 40);
      return running;
    },
  },
  {
    name: "while the driver is imported",
    async reach(home, resources) {
      // Longer than the test takes, so that the start stays in this phase.
      const { port } = silentDatabase(resources);
      const running = app(home, { DB_PORT: String(port) });
      await running.until(/Settings resolved/);
      return running;
    },
  },
  {
    name: "during the lookup of a name that is never answered",
    needs: [ROOT_USER, MOUNTS],
    async reach(home, resources) {
      const hosts = await home.write("etc/hosts", "127.0.0.1 localhost\n");
      const address = await silentNameServer(resources);
      const resolver = await home.write(
        "etc/resolv.conf",
        `nameserver ${address}\noptions timeout:30 attempts:5\n`,
      );
      const running = launch([
        ...NAMESPACE,
        ...["sh", "-c", MOUNT, "sh", hosts, resolver],
        ...COMPILED.command,
        "app:start",
      ], {
        env: { ...settingsOf(home), DB_HOST: "silent.db.test" },
      });
      await running.until(/Mattermost .* on PostgreSQL/);
      await pause(300);
      return running;
    },
  },
  {
    name: "while the database refuses connections",
    async reach(home) {
      const running = app(home, { DB_PORT: String(freePort()) });
      await running.until(/Waiting.* refuses connections/);
      return running;
    },
  },
  {
    name: "while the database does not answer",
    async reach(home, resources) {
      const { port, connected } = silentDatabase(resources);
      const running = app(home, { DB_PORT: String(port) });
      await connected;
      return running;
    },
  },
  {
    name: "while the server reports its release",
    async reach(home) {
      await installSleeper(home, "version");
      const running = app(home, { MATTERMOST_VERSION: "" });
      await sleeper(home);
      return running;
    },
  },
  {
    name: "while another start holds the lock of config.json",
    async reach(home, resources) {
      const file = resources.use(
        await Deno.open(`${home.config}.lock`, { write: true }),
      );
      await file.lock(true);
      const running = app(home);
      await running.until(/Directories prepared/);
      await pause(200);
      return running;
    },
  },
  {
    name: "while another container migrates the database",
    async reach(home, resources) {
      await Deno.remove(home.version);
      await installSleeper(home, "db");
      const first = app(home, {}, "app:migrate");
      resources.defer(async () => {
        const { code, stderr } = await (first.kill("SIGTERM"), first.outcome);
        assert.equal(code, ENDINGS.SIGTERM, stderr);
      });
      await sleeper(home);
      await Deno.remove(home.version).catch(() => {});
      const running = app(home);
      await running.until(/another container is migrating/);
      return running;
    },
    written: true,
  },
  {
    name: "while the server migrates the database",
    async reach(home) {
      await installSleeper(home, "db");
      const running = app(home, {}, "app:migrate");
      await sleeper(home);
      return running;
    },
    written: true,
  },
];

for (const { name, needs = [], reach, written } of PHASES) {
  testWith(
    needs,
    `a signal ${name} ends the program at once, with no file half written and no process left`,
    async () => {
      const times = await Promise.all(SIGNALS.map(async (signal) => {
        await using home = await startedHome();
        await using resources = new AsyncDisposableStack();
        const old = await Deno.readTextFile(home.config);
        // The files that the phase itself needs exist now.
        const running = await reach(home, resources);
        const before = await home.snapshot();
        const began = performance.now();
        running.kill(signal);
        const outcome = await running.outcome;
        const took = performance.now() - began;
        assert.equal(outcome.code, ENDINGS[signal], outcome.stderr);
        assert.equal(outcome.stdout, "");
        assertClean(outcome, [PASSWORD]);
        assertGone(running.pid);
        if (name.startsWith("while the server")) await assertEnds(home);
        await home.assertUnchanged(before);
        const text = await Deno.readTextFile(home.config);
        if (written) {
          assert.equal(JSON.parse(text).TeamSettings.SiteName, "Wish");
        } else assert.equal(text, old);
        return took;
      }));
      const rounded = times.map(Math.round);
      console.log(`${name}: ended after ${rounded.join(", ")} ms`);
      assert.ok(Math.max(...times) < LONGEST, rounded.join());
    },
  );
}

/** The steps before the most critical parts of a start, and the length of each part as a fraction of a start. */
const PARTS: readonly { readonly after?: RegExp; readonly length: number }[] = [
  { length: 0.5 },
  { length: 4 },
  { after: /accepts the login/, length: 0.5 },
  { after: /Directories prepared/, length: 0.5 },
  { after: /Wrote .*config\.json/, length: 0.5 },
  { after: /Handing over/, length: 0.5 },
];

/** Measures an undisturbed start in milliseconds. */
async function undisturbed(): Promise<number> {
  await using home = await startedHome();
  await home.installServer(VERSION, "exec sleep 30");
  const began = performance.now();
  const running = app(home, {});
  await running.until(/Handing over/);
  const time = performance.now() - began;
  running.kill("SIGKILL");
  await running.outcome;
  return time;
}

Deno.test("signals at random moments of a start are never lost, and config.json is the old or the new one", async () => {
  const tally = { early: 0, own: 0, server: 0, old: 0, new: 0 };
  const times: number[] = [];
  const whole = await undisturbed();
  await Promise.all(SIGNALS.map(async (signal) => {
    await using home = await startedHome();
    // The server runs much longer than the test, unless a signal ends it.
    await home.installServer(VERSION, "exec sleep 30");
    let disk = await Deno.readTextFile(home.config);
    for (let count = 0; count < RANDOM_SIGNALS / SIGNALS.length; count++) {
      const name = `name-${count}`;
      const running = app(home, { MATTERMOST_NAME: name });
      const { after, length } = PARTS[count % PARTS.length] ?? { length: 0 };
      if (after !== undefined) await running.until(after);
      await pause(Math.random() * length * whole);
      const began = performance.now();
      running.kill(signal);
      const outcome = await running.outcome;
      times.push(performance.now() - began);
      assert.equal(
        outcome.code,
        ENDINGS[signal],
        `${signal} was lost after:\n${outcome.stderr}`,
      );
      if (outcome.stderr === "") tally.early++;
      else if (outcome.signal === null) tally.own++;
      else tally.server++;
      const text = await Deno.readTextFile(home.config);
      if (text === disk) tally.old++;
      else {
        tally.new++;
        const { TeamSettings, EmailSettings } = JSON.parse(text);
        assert.deepEqual(
          [TeamSettings.SiteName, EmailSettings.FeedbackName],
          [name, name],
        );
        disk = text;
      }
      assert.equal(await Deno.readTextFile(home.version), `${VERSION}\n`);
    }
  }));
  const worst = Math.round(Math.max(...times));
  console.log(JSON.stringify({ ...tally, worst }));
  assert.ok(Object.values(tally).every((count) => count >= 3));
  assert.ok(worst < LONGEST, `${worst} ms`);
});

Deno.test.afterAll(() => database.stop());

const MOUNT =
  'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf || exit 99; shift 2; exec "$@"';

/** An address of the loopback interface without another name server. */
const nameServers = Array.from(SIGNALS, (_, index) => `127.53.0.${index + 1}`);

/** Starts a name server that never answers, and returns its address. */
async function silentNameServer(
  resources: AsyncDisposableStack,
): Promise<string> {
  const address = nameServers.pop();
  assert.ok(address);
  const socket = createSocket("udp4");
  resources.defer(() => new Promise((resolve) => socket.close(resolve)));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(53, address, resolve);
  await promise;
  return address;
}

/** Waits for the end of the sleeping server, which a signal of its own ends. */
async function assertEnds(home: Home): Promise<void> {
  const pid = await sleeper(home);
  const deadline = performance.now() + LONGEST;
  while (performance.now() < deadline) {
    try {
      return assertGone(pid);
    } catch {
      await pause(20);
    }
  }
  assertGone(pid);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
