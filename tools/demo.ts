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
 * itself.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { releaseOfImage } from "./demo/download.ts";
import { install } from "./demo/installation.ts";
import { requireOpenPath } from "./servers/cache.ts";
import { type DatabaseServer, freePort } from "./servers/database_server.ts";
import { startPostgres } from "./servers/postgres.ts";
import { answerInterrupt, guard, killTree } from "./servers/process.ts";

/** The project's directory. */
const ROOT = dirname(import.meta.dirname ?? ".");
/** Database and its user. */
const NAME = "mattermost";
/** How long the server may take to answer the first time, and to stop, in milliseconds. */
const PATIENCE = { start: 300_000, stop: 30_000 };
/** How often it is asked, in milliseconds. */
const PAUSE = 100;
/** Variables that the program would read: the demo has settings of its own. */
const SETTING_REGEXP =
  /^(MATTERMOST|MM|DB|SMTP|GITLAB|S3|ENTRYPOINT|MYSQL|MARIADB|POSTGRES\w*)_/;

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}

async function main(args: string[]): Promise<number> {
  const port = choosePort(args);
  const stop = new AbortController();
  const home = await Deno.makeTempDir({ prefix: "mattermost-demo-" });
  const unguard = guard(() => Deno.removeSync(home, { recursive: true }));
  answerInterrupt(() => {
    say("Stopping; once more to stop at once");
    stop.abort();
  });
  try {
    await Deno.chmod(home, 0o755);
    await requireOpenPath(home);
    return await demonstrate({ home, port, signal: stop.signal });
  } catch (error) {
    if (stop.signal.aborted) return 0;
    throw error;
  } finally {
    await Deno.remove(home, { recursive: true });
    unguard();
    if (stop.signal.aborted) say("Stopped, nothing is left");
  }
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
  readonly home: string;
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
  const { what, version } = await install(join(home, "mattermost"), {
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
    MATTERMOST_HOME: home,
    MATTERMOST_LOG_DIR: join(home, "logs"),
    MATTERMOST_PORT: String(port),
    // Anyone may create an account here, the first one as administrator.
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.1:${port}`,
    MATTERMOST_NAME: "Mattermost demo",
    MATTERMOST_OPEN_SERVER: "true",
  };
  say(`Starting ${what}: mattermost-entrypoint app:start`);
  const server = startProgram(settings);
  const unguard = guard(() => killTree(server.pid));
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
    unguard();
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
function startProgram(
  settings: Readonly<Record<string, string>>,
): Deno.ChildProcess {
  const inherited = Object.entries(Deno.env.toObject())
    .filter(([name]) => !SETTING_REGEXP.test(name));
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-all"],
      ...["--config", join(ROOT, "deno.json"), join(ROOT, "main.ts")],
      "app:start",
    ],
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...settings },
    // Its own session: Ctrl-C is for us to answer, the server before the database.
    detached: true,
    stdin: "null",
  }).spawn();
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
}

function say(message: string): void {
  console.error(`demo: ${message}`);
}
