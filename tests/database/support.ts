/**
 * Helpers for tests of logins: the products with their SQL dialects, data sources of running
 * servers, and servers that misbehave.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import {
  type ConnectOptions,
  type DatabaseFacts,
  ProbeError,
  type Session,
} from "../../lib/database/session.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import type {
  DatabaseServer,
  ServerOptions,
} from "../../tools/shared/database_server.ts";
import { preparePostgres } from "../../tools/shared/postgres.ts";
import { prepareMariadb } from "../servers/mariadb.ts";
import { prepareMysql } from "../servers/mysql.ts";
import { MARIADB_SERVER, MYSQL_SERVER } from "../support/database_needs.ts";
import { testWith } from "../support/needs.ts";

/** A product and its SQL dialect. */
export interface Product {
  readonly name: DatabaseFacts["product"];
  readonly adapter: DataSource["adapter"];
  readonly prepare: (options?: ServerOptions) => Promise<DatabaseServer>;
  readonly identifier: (name: string) => string;
  readonly text: (value: string) => string;
  /** The statement that creates a user without privileges. */
  readonly createUser: (user: string, password: string) => string;
  readonly createDatabase: (database: string, owner: string) => string[];
}

const POSTGRES: Product = {
  name: "PostgreSQL",
  adapter: "postgres",
  prepare: preparePostgres,
  identifier: (name) => `"${name.replaceAll('"', '""')}"`,
  text: (value) => `'${value.replaceAll("'", "''")}'`,
  createUser: (user, password) =>
    `CREATE ROLE ${POSTGRES.identifier(user)} LOGIN PASSWORD ${
      POSTGRES.text(password)
    }`,
  createDatabase: (database, owner) => [
    `CREATE DATABASE ${POSTGRES.identifier(database)} OWNER ${
      POSTGRES.identifier(owner)
    }`,
  ],
};

const MARIADB: Product = {
  name: "MariaDB",
  adapter: "mysql",
  prepare: prepareMariadb,
  identifier: (name) => `\`${name.replaceAll("`", "``")}\``,
  text: (value) => `'${value.replace(/['\\]/g, "\\$&")}'`,
  createUser: (user, password) =>
    `CREATE USER ${MARIADB.text(user)}@'%' IDENTIFIED BY ${
      MARIADB.text(password)
    }`,
  createDatabase: (database, owner) => [
    `CREATE DATABASE ${MARIADB.identifier(database)}`,
    `GRANT ALL PRIVILEGES ON ${MARIADB.identifier(database)}.* TO ${
      MARIADB.text(owner)
    }@'%'`,
  ],
};

/** The products that are installed; for each missing one, an ignored test gives the reason. */
export function products(): Product[] {
  const mysql = { ...MARIADB, name: "MySQL", prepare: prepareMysql } as const;
  const family = [[MARIADB, MARIADB_SERVER], [mysql, MYSQL_SERVER]] as const;
  const found: Product[] = [POSTGRES];
  for (const [product, need] of family) {
    if (need.isMet) found.push(product);
    else testWith([need], `${product.name} in this file`, () => {});
  }
  return found;
}

/** Starts a server with a user and a database that the user owns. */
export async function startWithUser(
  product: Product,
  options: ServerOptions = {},
): Promise<{ server: DatabaseServer; source: DataSource }> {
  const server = await product.prepare(options);
  await server.start();
  const source: DataSource = {
    adapter: product.adapter,
    host: server.host,
    port: server.port,
    user: "mmuser",
    password: "hunter22",
    database: "mattermost",
    sslMode: "disable",
  };
  await server.sql(product.createUser(source.user, source.password));
  for (const text of product.createDatabase(source.database, source.user)) {
    await server.sql(text);
  }
  return { server, source };
}

/** Options of a login. */
type LoginOptions = Omit<ConnectOptions, "signal">;

/** Logs in, uses the session, and ends it. */
export async function withSession<Result>(
  source: DataSource,
  use: (session: Session) => Promise<Result>,
  options: LoginOptions = {},
): Promise<Result> {
  const session = await connect(source, {
    signal: new AbortController().signal,
    ...options,
  });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** Logs in, reads the facts, and ends the session. */
export function factsOf(
  source: DataSource,
  options: LoginOptions = {},
): Promise<DatabaseFacts> {
  return withSession(source, (session) => session.facts(), options);
}

/** Returns the error of a login that must fail. */
export async function refusalOf(
  source: DataSource,
  ca?: readonly string[],
): Promise<ProbeError> {
  try {
    await factsOf(source, ca === undefined ? {} : { ca });
  } catch (error) {
    assert(error instanceof ProbeError, String(error));
    assert(!error.message.includes(source.password));
    // PostgreSQL's driver leaves a timer of 0 ms behind.
    await new Promise((resolve) => setTimeout(resolve, 1));
    return error;
  }
  assert.fail("The login should have failed");
}

/** Starts a listener that passes each connection to a function. */
export function misbehave(
  treat: (connection: Deno.TcpConn) => Promise<void>,
): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<Deno.TcpConn>();
  const serving = (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      // A client that closes the connection ends the function, not the test.
      treat(connection).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // The function has closed it.
        }
      }
      await serving;
    },
  };
}
