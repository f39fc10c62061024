/**
 * Database servers for tests, the demo and the benchmark: one class for all products, made
 * from a description of how to run the product.
 *
 * @module
 */

import { join } from "node:path";
import { requireOpenPath } from "./cache.ts";
import { isRunning, killTree, launch, signalTree } from "./process.ts";
import { createScratch, type ScratchDirectory } from "./scratch.ts";

/** How long a server may take to start or to stop, in milliseconds. */
const TIMEOUT = 60_000;

/** How often the log is read while a server starts, in milliseconds. */
const INTERVAL = 20;

/** Options that every product has. */
export interface ServerOptions {
  /** The TCP port on 127.0.0.1; a free one by default. */
  readonly port?: number;
  /** The administrator's password. */
  readonly password?: string;
  /** The server's own settings, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Enables TLS with this certificate and key, both in PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** One row of a query's result. */
export type Row = Record<string, unknown>;

/** How to run one server. */
export interface ServerDescription {
  /** Its temporary directory, which no other server uses. */
  readonly home: ScratchDirectory;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The unix socket's file. */
  readonly socket: string;
  readonly command: readonly string[];
  /** A text that the server logs when it accepts logins. */
  readonly readyText: string;
  /** The signal for a shutdown that does not wait for clients. */
  readonly stopSignal: Deno.Signal;
  readonly query: (
    server: DatabaseServer,
    text: string,
    database: string | undefined,
  ) => Promise<Row[]>;
}

/** A database server in a temporary directory; `await using` stops it and removes the directory. */
export class DatabaseServer implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The directory of the unix socket, for PostgreSQL clients. */
  readonly socketDir: string;
  /** The unix socket's file, for MySQL clients. */
  readonly socket: string;
  /** The file with the output of the server. */
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

  /** The server's process id; throws if the server is not running. */
  get pid(): number {
    if (!this.#child || this.#ended) {
      throw new Error("The server is not running");
    }
    return this.#child.pid;
  }

  /**
   * Starts the server and waits until it accepts logins.
   *
   * @throws {Error} with the end of its log, when it does not start
   */
  async start(): Promise<void> {
    const { home, command, readyText } = this.#description;
    if (!this.#ended) throw new Error("The server is running already");
    const before = (await this.#readLog()).length;
    this.#ended = false;
    const child = this.#child = await launch(command, { log: this.log, home });
    child.status.then(() => this.#ended = true);
    const deadline = Date.now() + TIMEOUT;
    while (true) {
      const text = (await this.#readLog()).slice(before);
      if (text.includes(readyText)) return child.unref();
      if (this.#ended || Date.now() > deadline) {
        await this.kill();
        throw new Error(`The server did not start: ${text.slice(-2000)}`);
      }
      await pause(INTERVAL);
    }
  }

  /** Stops the server and keeps its data, so that it can be started again. */
  async halt(): Promise<void> {
    if (!this.#child || this.#ended) return;
    this.thaw();
    const overdue = setTimeout(() => this.#killAll(), TIMEOUT);
    this.#child.ref();
    this.#child.kill(this.#description.stopSignal);
    await this.#child.status;
    clearTimeout(overdue);
  }

  /** Stops the server and removes its directory. */
  async stop(): Promise<void> {
    await this.halt();
    await this.#description.home.remove();
  }

  /** Stops the server and starts it again with the same port and data. */
  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  /** Suspends all its processes: the port stays open, and nothing answers. */
  freeze(): void {
    signalTree(this.pid, "SIGSTOP");
  }

  /** Resumes suspended processes. */
  thaw(): void {
    signalTree(this.pid, "SIGCONT");
  }

  /** Kills all its processes, as a power failure would; {@link start} recovers. */
  async kill(): Promise<void> {
    const killed = this.#killAll();
    this.#child?.ref();
    await this.#child?.status;
    // PostgreSQL does not start while an old process of it is running.
    while (killed.some(isRunning)) await pause(INTERVAL);
  }

  /** Runs statements as the administrator, through the unix socket. */
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
 * Creates a server in a new temporary directory, without starting it.
 *
 * @param product the name of the product, for the directory's name
 * @param describe fills the directory; if it throws, the directory is removed
 */
export async function createServer(
  product: string,
  describe: (home: string) => Promise<Omit<ServerDescription, "home">>,
): Promise<DatabaseServer> {
  // A short name: the path of a unix socket has at most 107 bytes (unix(7)).
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

/** Returns a TCP port on 127.0.0.1 that is free now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Writes a certificate and its key for a server; only the owner can read the key. */
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
