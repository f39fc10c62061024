/**
 * A database server of our own for tests, the demo and the benchmark: one handle
 * for every product, made from a description of how to run it.
 *
 * @module
 */

import { join } from "node:path";
import { requireOpenPath } from "./cache.ts";
import { isRunning, killTree, launch, signalTree } from "./process.ts";
import { createScratch, type ScratchDirectory } from "./scratch.ts";

/** How long a server may take to start or to stop, in milliseconds. */
const PATIENCE = 60_000;

/** How often the log is read while a server starts, in milliseconds. */
const PAUSE = 20;

/** What every product's start function takes. */
export interface ServerOptions {
  /** The TCP port on 127.0.0.1; a free one when not given. */
  readonly port?: number;
  /** The administrator's password. */
  readonly password?: string;
  /** The server's own settings, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Turns TLS on with a certificate and its key, as PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** One row of a query's result. */
export type Row = Record<string, unknown>;

/** How to run one server. */
export interface ServerDescription {
  /** Its temporary directory, which it owns alone. */
  readonly home: ScratchDirectory;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The unix socket's file. */
  readonly socket: string;
  readonly command: readonly string[];
  /** The log's line that says that logins are taken. */
  readonly readyText: string;
  /** Asks for a shutdown that does not wait for clients. */
  readonly stopSignal: Deno.Signal;
  readonly query: (
    server: DatabaseServer,
    text: string,
    database: string | undefined,
  ) => Promise<Row[]>;
}

/** A database server in a temporary directory; `await using` ends it and removes that. */
export class DatabaseServer implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The directory of the unix socket, for PostgreSQL clients. */
  readonly socketDir: string;
  /** The unix socket's file, for MySQL clients. */
  readonly socket: string;
  /** The file with all that the server has printed. */
  readonly log: string;
  readonly #description: ServerDescription;
  #child: Deno.ChildProcess | undefined;
  #ended = true;

  constructor(description: ServerDescription) {
    this.#description = description;
    this.port = description.port;
    this.user = description.user;
    this.password = description.password;
    this.socketDir = description.home.path;
    this.socket = description.socket;
    this.log = join(description.home.path, "log");
  }

  /** The server's process id; only while it runs. */
  get pid(): number {
    if (!this.#child || this.#ended) {
      throw new Error("The server is not running");
    }
    return this.#child.pid;
  }

  /**
   * Starts the server and waits until it takes logins.
   *
   * @throws {Error} with the end of its log, when it does not come up
   */
  async start(): Promise<void> {
    const { home, command, readyText } = this.#description;
    if (!this.#ended) throw new Error("The server is running already");
    const before = (await this.#readLog()).length;
    this.#ended = false;
    const child = this.#child = await launch(command, { log: this.log, home });
    child.status.then(() => this.#ended = true);
    const deadline = Date.now() + PATIENCE;
    while (true) {
      const text = (await this.#readLog()).slice(before);
      if (text.includes(readyText)) return child.unref();
      if (this.#ended || Date.now() > deadline) {
        await this.kill();
        throw new Error(`The server did not start: ${text.slice(-2000)}`);
      }
      await pause(PAUSE);
    }
  }

  /** Shuts the server down and keeps its data, so that it can be started again. */
  async halt(): Promise<void> {
    if (!this.#child || this.#ended) return;
    this.thaw();
    const overdue = setTimeout(() => this.#killAll(), PATIENCE);
    this.#child.ref();
    this.#child.kill(this.#description.stopSignal);
    await this.#child.status;
    clearTimeout(overdue);
  }

  /** Shuts the server down and removes all that it had. */
  async stop(): Promise<void> {
    await this.halt();
    await this.#description.home.remove();
  }

  /** Shuts the server down and starts it again on the same port and data. */
  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  /** Stops all its processes where they are: the port stays open and says nothing. */
  freeze(): void {
    signalTree(this.pid, "SIGSTOP");
  }

  /** Lets frozen processes go on. */
  thaw(): void {
    signalTree(this.pid, "SIGCONT");
  }

  /** Kills all its processes at once, as a power failure would; {@link start} recovers. */
  async kill(): Promise<void> {
    const killed = this.#killAll();
    this.#child?.ref();
    await this.#child?.status;
    // PostgreSQL does not start while a process of its former life is there.
    while (killed.some(isRunning)) await pause(PAUSE);
  }

  /** Runs fixtures or a query as the administrator, through the unix socket. */
  async sql(text: string, database?: string): Promise<Row[]> {
    return await this.#description.query(this, text, database);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #killAll(): number[] {
    return this.#ended ? [] : killTree(this.pid);
  }

  async #readLog(): Promise<string> {
    return await Deno.readTextFile(this.log).catch(() => "");
  }
}

/**
 * A server in a new temporary directory, not started yet.
 *
 * @param describe fills the directory; when it throws, the directory goes again
 */
export async function createServer(
  product: string,
  describe: (home: string) => Promise<Omit<ServerDescription, "home">>,
): Promise<DatabaseServer> {
  // Short, for the path of a unix socket has at most 107 bytes.
  const home = await createScratch({ prefix: `${product}-` });
  try {
    await Deno.chmod(home.path, 0o755);
    await requireOpenPath(home.path);
    return new DatabaseServer({ home, ...await describe(home.path) });
  } catch (error) {
    await home.remove();
    throw error;
  }
}

/** A TCP port on 127.0.0.1 that nobody uses now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Writes a certificate and its key where a server can read them, the key for it alone. */
export async function writeTls(
  home: string,
  tls: { readonly certificate: string; readonly key: string },
): Promise<{ certificate: string; key: string }> {
  const files = {
    certificate: join(home, "server.crt"),
    key: join(home, "server.key"),
  };
  await Deno.writeTextFile(files.certificate, tls.certificate);
  await Deno.writeTextFile(files.key, tls.key, { mode: 0o600 });
  return files;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
