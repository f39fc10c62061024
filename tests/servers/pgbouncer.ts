/**
 * PgBouncer for tests, a connection pooler in front of PostgreSQL: from Debian's package,
 * unpacked into the cache.
 *
 * @see https://www.pgbouncer.org/config.html
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { cached } from "../../tools/shared/cache.ts";
import {
  createServer,
  type DatabaseServer,
  freePort,
  type Row,
} from "../../tools/shared/database_server.ts";
import { debianCommand, unpackDebian } from "../../tools/shared/packages.ts";
import { giveToServer } from "../../tools/shared/process.ts";

/** The Debian release whose PgBouncer is 1.18. */
const SUITE = "bookworm";

/** Options of PgBouncer. */
export interface PgbouncerOptions {
  /** When a connection to PostgreSQL goes back to the pool. */
  readonly mode: "session" | "transaction" | "statement";
  /** The names and passwords with which clients log in, and PgBouncer to PostgreSQL. */
  readonly users: Readonly<Record<string, string>>;
  /** More settings, such as `idle_transaction_timeout`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/**
 * Starts PgBouncer in front of a running PostgreSQL. Its method `sql` runs commands of its
 * console, such as `SHOW SERVERS`.
 *
 * @throws {Error} when it cannot be downloaded or does not start
 */
export async function startPgbouncer(
  database: DatabaseServer,
  { mode, users, settings = {} }: PgbouncerOptions,
): Promise<DatabaseServer> {
  const command = await program();
  const port = freePort();
  const [user = "", password = ""] = Object.entries(users)[0] ?? [];
  const server = await createServer("pgbouncer", async (home) => {
    const all = {
      listen_addr: "127.0.0.1",
      listen_port: port,
      unix_socket_dir: home,
      auth_type: "scram-sha-256",
      auth_file: join(home, "users"),
      admin_users: user,
      pool_mode: mode,
      ...settings,
    };
    await write(home, "users", Object.entries(users).map(asUser));
    await write(home, "pgbouncer.ini", [
      "[databases]",
      `* = host=${database.socketDir} port=${database.port}`,
      "[pgbouncer]",
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
    ]);
    await giveToServer(home);
    return {
      port,
      user,
      password,
      socket: join(home, `.s.PGSQL.${port}`),
      command: [...command, join(home, "pgbouncer.ini")],
      readyText: "process up",
      stopSignal: "SIGTERM",
      query,
    };
  });
  await server.start();
  return server;
}

/** Returns why PgBouncer is not available; nothing if it is. */
export async function pgbouncerAvailable(): Promise<string | undefined> {
  try {
    await program();
    return undefined;
  } catch (error) {
    return `PgBouncer, which is not available: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

async function program(): Promise<string[]> {
  const root = await cached(
    `pgbouncer-${SUITE}-${Deno.build.arch}`,
    (draft) => unpackDebian(draft, { suite: SUITE, packages: ["pgbouncer"] }),
  );
  return await debianCommand(root, "usr/sbin/pgbouncer");
}

function asUser([name, password]: [string, string]): string {
  return [name, password].map((text) => `"${text.replaceAll('"', '""')}"`)
    .join(" ");
}

async function write(
  home: string,
  name: string,
  lines: readonly string[],
): Promise<void> {
  await Deno.writeTextFile(join(home, name), lines.join("\n") + "\n", {
    mode: 0o600,
  });
}

async function query(
  { port, user, password }: DatabaseServer,
  text: string,
): Promise<Row[]> {
  const client = postgres({
    host: "127.0.0.1",
    port,
    user,
    password,
    database: "pgbouncer",
    max: 1,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
  });
  try {
    return [...await client.unsafe<Row[]>(text)];
  } finally {
    await client.end();
  }
}
