/**
 * The main job, without Docker: a PostgreSQL of its own, `app:start` against it in
 * a throw-away home, and the hand-off to Mattermost, or to a stand-in that says
 * that it is one.
 *
 *     deno task demo [--port PORT]
 *
 * `DEMO_PORT` is the port too; a free one is taken without. `MATTERMOST_INSTALL_DIR`
 * names a Mattermost that is there already, `DEMO_STAND_IN=1` spares the download
 * of one. Both servers listen on 127.0.0.1 only. Ctrl-C stops everything and
 * removes it; the exit code is 0 then, and the server's own if that ends by
 * itself. However the demo ends, even by SIGKILL, nothing of it stays.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { releaseOfImage } from "./demo/download.ts";
import { install } from "./demo/installation.ts";
import { whenTaskRunnerIsGone } from "./demo/task_runners.ts";
import { requireOpenPath } from "./shared/cache.ts";
import { type DatabaseServer, freePort } from "./shared/database_server.ts";
import { startPostgres } from "./shared/postgres.ts";
import { killTree, signalGroup } from "./shared/process.ts";
import { createScratch, type ScratchDirectory } from "./shared/scratch.ts";

/** The project's directory. */
const ROOT = dirname(import.meta.dirname ?? ".");
/** Database and its user. */
const NAME = "mattermost";
/** How long the server may take to answer the first time, and to stop, in milliseconds. */
const PATIENCE = { start: 300_000, stop: 30_000 };
/** How often it is asked, in milliseconds. */
const PAUSE = 100;
/** What asks the demo to end: Ctrl-C, a service manager, a terminal that is closed. */
const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Task runners pass on what the terminal sends to all: that counts once, within these milliseconds. */
const SAME_INTERRUPT = 1000;
/** Variables that the program would read: the demo has settings of its own. */
const SETTING_REGEXP =
  /^(MATTERMOST|MM|DB|SMTP|GITLAB|S3|ENTRYPOINT|MYSQL|MARIADB|POSTGRES\w*)_/;

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

async function main(args: string[]): Promise<number> {
  const port = choosePort(args);
  const stop = new AbortController();
  answerInterrupts(stop);
  await whenTaskRunnerIsGone(() => stop.abort());
  try {
    const code = await runInScratch(port, stop.signal);
    if (!stop.signal.aborted) return code;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    // What was interrupted needs no message; what could not be removed does.
    if (error instanceof SuppressedError) throw error.error;
  }
  say("Stopped, nothing is left");
  return 0;
}

/** Ends in order at the first interrupt, at once at the next one. */
function answerInterrupts(stop: AbortController): void {
  let first: number | undefined;
  for (const signal of INTERRUPTS) {
    const answer = (): void => {
      if (first === undefined) {
        first = performance.now();
        stop.abort();
        return say("Stopping; once more to stop at once");
      }
      if (performance.now() - first < SAME_INTERRUPT) return;
      Deno.removeSignalListener(signal, answer);
      Deno.kill(Deno.pid, signal);
    };
    Deno.addSignalListener(signal, answer);
  }
}

async function runInScratch(
  port: number,
  signal: AbortSignal,
): Promise<number> {
  await using home = await createScratch({ prefix: "mattermost-demo-" });
  await Deno.chmod(home.path, 0o755);
  await requireOpenPath(home.path);
  return await demonstrate({ home, port, signal });
}

function choosePort(args: string[]): number {
  const { values } = parseArgs({
    args,
    options: { port: { type: "string" } },
  });
  const text = values.port ?? Deno.env.get("DEMO_PORT") ?? "";
  if (text === "") return freePort();
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Error(`The port must be a number from 1 to 65535: it is ${text}`);
}

interface Stage {
  /** The throw-away home. */
  readonly home: ScratchDirectory;
  readonly port: number;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

async function demonstrate({ home, port, signal }: Stage): Promise<number> {
  say("Starting PostgreSQL");
  await using database = await startPostgres();
  signal.throwIfAborted();
  const password = crypto.randomUUID();
  await database.sql(`CREATE ROLE ${NAME} LOGIN PASSWORD '${password}'`);
  await database.sql(`CREATE DATABASE ${NAME} OWNER ${NAME}`);
  const { what, version } = await install(join(home.path, "mattermost"), {
    own: Deno.env.get("MATTERMOST_INSTALL_DIR") || undefined,
    release: await releaseOfImage(ROOT),
    isStandIn: Deno.env.get("DEMO_STAND_IN") === "1",
    signal,
    say,
  });
  signal.throwIfAborted();
  const settings = {
    ...databaseSettings(database, password),
    ...(version === undefined ? {} : { MATTERMOST_VERSION: version }),
    MATTERMOST_HOME: home.path,
    MATTERMOST_LOG_DIR: join(home.path, "logs"),
    MATTERMOST_PORT: String(port),
    // Anyone may create an account here, the first one as administrator.
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.1:${port}`,
    MATTERMOST_NAME: "Mattermost demo",
    MATTERMOST_OPEN_SERVER: "true",
  };
  say(`Starting ${what}: mattermost-entrypoint app:start`);
  const server = await startProgram(home, settings);
  try {
    const address = `http://localhost:${port}`;
    const answers = await untilAnswers(`${address}/api/v4/system/ping`, {
      signal,
      ended: server.status,
    });
    if (answers) say(`Open ${address} for ${what}; Ctrl-C stops it`);
    const { code } = await untilEnded(server.status, signal);
    say(`The server ended with code ${code}`);
    return code;
  } finally {
    await end(server);
  }
}

function databaseSettings(
  { host, port }: DatabaseServer,
  password: string,
): Record<string, string> {
  return {
    DB_ADAPTER: "postgres",
    DB_HOST: host,
    DB_PORT: String(port),
    DB_NAME: NAME,
    DB_USER: NAME,
    DB_PASS: password,
  };
}

/** Starts the real program; what it says goes to the terminal. */
async function startProgram(
  home: ScratchDirectory,
  settings: Readonly<Record<string, string>>,
): Promise<Deno.ChildProcess> {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !SETTING_REGEXP.test(name));
  return await home.launch([
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-all"],
    ...["--config", join(ROOT, "deno.json"), join(ROOT, "main.ts")],
    "app:start",
  ], {
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...settings },
    stdout: "inherit",
    stderr: "inherit",
  });
}

interface Patience {
  readonly signal: AbortSignal;
  readonly ended: Promise<unknown>;
}

/** Whether the server answers, before it ends. */
async function untilAnswers(
  url: string,
  { signal, ended }: Patience,
): Promise<boolean> {
  let over = false;
  ended.then(() => over = true);
  const deadline = Date.now() + PATIENCE.start;
  while (!over && Date.now() < deadline) {
    signal.throwIfAborted();
    const ok = await fetch(url, { signal: AbortSignal.timeout(PAUSE * 20) })
      .then(async (response) => {
        await response.body?.cancel();
        return response.ok;
      }, () => false);
    if (ok) return true;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  if (!over) throw new Error(`Nothing answers at ${url}`);
  return false;
}

/** Waits for the end, or throws at Ctrl-C. */
async function untilEnded<T>(
  ended: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
  return await Promise.race([ended, aborted]);
}

/** Asks the server to stop, and kills it where it does not. */
async function end(server: Deno.ChildProcess): Promise<void> {
  const overdue = setTimeout(() => killTree(server.pid), PATIENCE.stop);
  try {
    server.kill("SIGTERM");
  } catch {
    // It has ended already.
  }
  await server.status;
  clearTimeout(overdue);
  // A server that crashed leaves its plugins behind.
  signalGroup(server.pid, "SIGKILL");
}

function say(message: string): void {
  try {
    console.error(`demo: ${message}`);
  } catch {
    // The terminal was closed; the rest is to be cleaned up all the same.
  }
}
