/**
 * Runs the program without Docker: starts PostgreSQL, and runs `app:start` in a temporary
 * directory with Mattermost, or with a fake Mattermost if it cannot be downloaded.
 *
 * Both servers listen on 127.0.0.1 only. When the demo ends, even by SIGKILL, all its
 * processes and directories are removed. The exit code is 0 after Ctrl-C, and otherwise the
 * exit code of the server.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { get } from "node:http";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { releaseOfImage } from "./demo/download.ts";
import { install } from "./demo/installation.ts";
import { Screen } from "./demo/screen.ts";
import { whenTaskRunnerIsGone } from "./demo/task_runners.ts";
import { requireOpenPath } from "./shared/cache.ts";
import { freePort } from "./shared/database_server.ts";
import { postgresPrograms, startPostgres } from "./shared/postgres.ts";
import { killTree, signalGroup } from "./shared/process.ts";
import { createScratch, type ScratchDirectory } from "./shared/scratch.ts";

const HELP = `\
Runs PostgreSQL, mattermost-entrypoint and Mattermost in a temporary directory,
without Docker. They listen on 127.0.0.1 only. Ctrl-C stops and removes everything,
but keeps the downloads in ENTRYPOINT_CACHE_DIR (by default
~/.cache/mattermost-entrypoint, for root /var/cache/mattermost-entrypoint).

    npx --yes deno@2.9.6 task -q demo [OPTION ...]

--port PORT         Port to open in the browser (default: a free one)
--install-dir DIR   Use the Mattermost in DIR instead of downloading one
--fake              Use the small fake Mattermost instead of downloading one
--verbose           Show the log of mattermost-entrypoint and Mattermost
--help              Print this text
`;

/** The project's directory. */
const ROOT = dirname(import.meta.dirname ?? ".");
/** The name of the database and of its user. */
const NAME = "mattermost";
/** How long the server may take to stop, in milliseconds. */
const STOP_TIMEOUT = 30_000;
/** How often it is pinged, in milliseconds. */
const PING_INTERVAL = 100;
/** From Ctrl-C, a service manager, and a terminal that is closed. */
const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** A terminal signals all processes, and task runners forward the signal: within these milliseconds both count as one. */
const SAME_INTERRUPT = 1000;
/** How many lines of the log are shown when the server ends by itself. */
const LAST_LINES = 20;
/** Variables of the caller that the program must not read. */
const SETTING_REGEXP =
  /^(MATTERMOST|MM|DB|SMTP|GITLAB|S3|ENTRYPOINT|MYSQL|MARIADB|POSTGRES\w*)_/;

const screen = new Screen();

/** The options of the command line. */
interface Options {
  readonly port: number;
  readonly installDirectory: string | undefined;
  readonly isFake: boolean;
  readonly isVerbose: boolean;
}

/** A running demo. */
interface Demo extends Options {
  readonly home: ScratchDirectory;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    screen.say(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) {
    console.log(HELP.trimEnd());
    return 0;
  }
  // The servers run as other users, who read the files of the demo.
  Deno.umask(0o022);
  const stop = new AbortController();
  handleInterrupts(stop);
  await whenTaskRunnerIsGone(() => stop.abort());
  try {
    const code = await runInScratch(options, stop.signal);
    if (!stop.signal.aborted) return code;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    // An interrupt needs no message; a directory that could not be removed does.
    if (error instanceof SuppressedError) throw error.error;
  }
  screen.say("The demo has stopped, and its files are removed.");
  return 0;
}

/** Returns nothing for --help. */
function parseOptions(args: string[]): Options | undefined {
  const { values } = shortenError(() =>
    parseArgs({
      args,
      options: {
        fake: { type: "boolean" },
        help: { type: "boolean" },
        "install-dir": { type: "string" },
        port: { type: "string" },
        verbose: { type: "boolean" },
      },
    })
  );
  if (values.help) return undefined;
  return {
    port: values.port === undefined ? freePort() : parsePort(values.port),
    installDirectory: parseDirectory(values["install-dir"]),
    isFake: values.fake ?? false,
    isVerbose: values.verbose ?? false,
  };
}

/** Shortens the messages of `node:util` about unknown options and missing values. */
function shortenError<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const [reason] = String((error as Error).message).split(
      /\.? To specify|\. /,
    );
    throw new Error(`${reason}. The option --help lists all options.`);
  }
}

/** Checks that the directory looks like one of Mattermost. */
function parseDirectory(path: string | undefined): string | undefined {
  if (path === undefined || existsSync(join(path, "bin"))) return path;
  throw new Error(
    `--install-dir must be the directory of a Mattermost server: ${path} has no directory bin.`,
  );
}

/** Checks that the port can be opened. */
function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    throw new Error(
      `--port must be a number from 1 to 65535: it is "${text}".`,
    );
  }
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return port;
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse
      ? "is in use by another program"
      : "may not be opened by this user";
    throw new Error(
      `Port ${port} ${reason}. Choose another one with --port, ` +
        "or omit --port to use a free one.",
    );
  }
}

/** The first interrupt stops the demo and cleans up; the next one ends it at once. */
function handleInterrupts(stop: AbortController): void {
  let first: number | undefined;
  for (const signal of INTERRUPTS) {
    const handle = (): void => {
      if (first === undefined) {
        first = performance.now();
        stop.abort();
        return screen.say("Stopping (press Ctrl-C again to stop at once)");
      }
      if (performance.now() - first < SAME_INTERRUPT) return;
      Deno.removeSignalListener(signal, handle);
      Deno.kill(Deno.pid, signal);
    };
    Deno.addSignalListener(signal, handle);
  }
}

async function runInScratch(
  options: Options,
  signal: AbortSignal,
): Promise<number> {
  await using home = await createScratch({ prefix: "mattermost-demo-" });
  await Deno.chmod(home.path, 0o755);
  await requireOpenPath(home.path);
  return await runDemo({ ...options, home, signal });
}

async function runDemo(demo: Demo): Promise<number> {
  const { home, port, signal, isVerbose } = demo;
  const release = await releaseOfImage(ROOT);
  screen.say(
    "This demo runs PostgreSQL, mattermost-entrypoint and Mattermost in a temporary directory.",
  );
  await postgresPrograms("current", (line) => screen.say(line));
  signal.throwIfAborted();
  screen.say("Starting PostgreSQL");
  await using database = await startPostgres();
  signal.throwIfAborted();
  const password = crypto.randomUUID();
  await database.sql(`CREATE ROLE ${NAME} LOGIN PASSWORD '${password}'`);
  await database.sql(`CREATE DATABASE ${NAME} OWNER ${NAME}`);
  const { what, version } = await install(join(home.path, "mattermost"), {
    own: demo.installDirectory,
    release,
    isFake: demo.isFake,
    signal,
    screen,
  });
  signal.throwIfAborted();
  const log = isVerbose ? undefined : join(home.path, "log");
  screen.say(
    `Starting ${what} with mattermost-entrypoint app:start` +
      (log === undefined ? "" : ` (log: ${log})`),
  );
  const server = await startProgram(home, {
    DB_ADAPTER: "postgres",
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_NAME: NAME,
    DB_USER: NAME,
    DB_PASS: password,
    ...(version === undefined ? {} : { MATTERMOST_VERSION: version }),
    MATTERMOST_HOME: home.path,
    MATTERMOST_LOG_DIR: join(home.path, "logs"),
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.1:${port}`,
    MATTERMOST_NAME: "Mattermost demo",
    // Anyone may create an account; the first one is the administrator.
    MATTERMOST_OPEN_SERVER: "true",
  }, log);
  try {
    const ended = new AbortController();
    server.status.then(() => ended.abort());
    const over = AbortSignal.any([signal, ended.signal]);
    const address = `http://localhost:${port}`;
    if (await untilAnswers(`${address}/api/v4/system/ping`, over)) {
      screen.say(`Open ${address} in your browser. Press Ctrl-C to stop.`);
    }
    await untilAborted(over);
    signal.throwIfAborted();
    const { code } = await server.status;
    if (log !== undefined) await showEnd(log);
    screen.say(`The server ended with code ${code}.`);
    return code;
  } finally {
    await stopServer(server);
  }
}

/** Starts the program from its sources; without a log file the log goes to standard error. */
async function startProgram(
  home: ScratchDirectory,
  settings: Readonly<Record<string, string>>,
  log: string | undefined,
): Promise<Deno.ChildProcess> {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !SETTING_REGEXP.test(name));
  return await home.launch([
    ...["sh", "-c", `exec "$@" ${log === undefined ? ">&2" : '>"$0" 2>&1'}`],
    log ?? "",
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-all"],
    ...["--config", join(ROOT, "deno.json"), join(ROOT, "main.ts")],
    "app:start",
  ], {
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...settings },
    stderr: "inherit",
  });
}

async function showEnd(log: string): Promise<void> {
  const text = await Deno.readTextFile(log);
  for (const line of text.trimEnd().split("\n").slice(-LAST_LINES)) {
    screen.say(`  ${line}`);
  }
}

/** Waits for an answer of the server; false if the signal aborts before. */
async function untilAnswers(
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    // fetch() would use the proxy of HTTP_PROXY.
    const status = await new Promise((resolve) =>
      get(url, { signal }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", resolve)
    );
    if (status === 200) return true;
    await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL));
  }
  return false;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

/** Stops the server, and kills it after a timeout. */
async function stopServer(server: Deno.ChildProcess): Promise<void> {
  const overdue = setTimeout(() => killTree(server.pid), STOP_TIMEOUT);
  try {
    server.kill("SIGTERM");
  } catch {
    // It has already ended.
  }
  await server.status;
  clearTimeout(overdue);
  // The plugins of a server that crashed may still be running.
  signalGroup(server.pid, "SIGKILL");
}
