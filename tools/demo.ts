/**
 * The program without Docker: a PostgreSQL of its own, `app:start` against it in
 * a temporary home, and Mattermost, or a fake one where that cannot be downloaded.
 *
 * Both servers listen on 127.0.0.1 only. However the demo ends, even by SIGKILL,
 * no process and no directory of it stays. The exit code is 0 after Ctrl-C, and
 * the server's own where that ends by itself.
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
without Docker. Only this machine can reach them. Ctrl-C stops and removes all;
downloads are kept for the next time in ~/.cache/mattermost-entrypoint, or in
/var/cache/mattermost-entrypoint for root (or in ENTRYPOINT_CACHE_DIR).

    npx --yes deno@2.9.6 task -q demo [OPTION ...]

--port PORT         Port to open in the browser (default: a free one)
--install-dir DIR   Use the Mattermost in DIR instead of downloading one
--fake              Use the small fake Mattermost instead of downloading one
--verbose           Show the log of mattermost-entrypoint and Mattermost
--help              Print this text
`;

/** The project's directory. */
const ROOT = dirname(import.meta.dirname ?? ".");
/** Database and its user. */
const NAME = "mattermost";
/** How long the server may take to stop, in milliseconds. */
const PATIENCE = 30_000;
/** How often it is pinged, in milliseconds. */
const PAUSE = 100;
/** Ctrl-C, a service manager, a terminal that is closed. */
const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Task runners pass on what the terminal sends to all: that counts once, within these milliseconds. */
const SAME_INTERRUPT = 1000;
/** How many lines of the log are shown where the server ends by itself. */
const LAST_LINES = 20;
/** Variables of the caller that the program would read. */
const SETTING_REGEXP =
  /^(MATTERMOST|MM|DB|SMTP|GITLAB|S3|ENTRYPOINT|MYSQL|MARIADB|POSTGRES\w*)_/;

const screen = new Screen();

/** What the user wants. */
interface Options {
  readonly port: number;
  readonly installDirectory: string | undefined;
  readonly isFake: boolean;
  readonly isVerbose: boolean;
}

/** An open demo: its options, its directory, and what Ctrl-C aborts. */
interface Stage extends Options {
  readonly home: ScratchDirectory;
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
  // The servers have users of their own, who have to read what is made here.
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
  screen.say("The demo has stopped, and everything in it is removed.");
  return 0;
}

/** Returns nothing where help is wanted. */
function parseOptions(args: string[]): Options | undefined {
  const { values } = refuseOthers(() =>
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

/** Shortens what `node:util` says of an option that is not ours or lacks its value. */
function refuseOthers<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const [reason] = String((error as Error).message).split(
      /\.? To specify|\. /,
    );
    throw new Error(`${reason}. The option --help lists all options.`);
  }
}

/** The directory, if it may be one of Mattermost. */
function parseDirectory(path: string | undefined): string | undefined {
  if (path === undefined || existsSync(join(path, "bin"))) return path;
  throw new Error(
    `--install-dir needs the directory of a Mattermost: ${path} has no bin in it.`,
  );
}

/** The port, if it can be opened. */
function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    throw new Error(`--port needs a number from 1 to 65535, not "${text}".`);
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
        "or leave --port out and a free one is taken.",
    );
  }
}

/** Ends in order at the first interrupt, at once at the next one. */
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
  return await demonstrate({ ...options, home, signal });
}

async function demonstrate(stage: Stage): Promise<number> {
  const { home, port, signal, isVerbose } = stage;
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
    own: stage.installDirectory,
    release,
    isFake: stage.isFake,
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
    MATTERMOST_PORT: String(port),
    // Anyone may create an account here, the first one as administrator.
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.1:${port}`,
    MATTERMOST_NAME: "Mattermost demo",
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
    await end(server);
  }
}

/** Starts the real program; without a log its messages and the server's are shown. */
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

/** Whether the server answers before the signal aborts. */
async function untilAnswers(
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    // fetch() would ask the proxy that HTTP_PROXY names.
    const status = await new Promise((resolve) =>
      get(url, { signal }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", resolve)
    );
    if (status === 200) return true;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return false;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

/** Asks the server to stop, and kills it where it does not. */
async function end(server: Deno.ChildProcess): Promise<void> {
  const overdue = setTimeout(() => killTree(server.pid), PATIENCE);
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
