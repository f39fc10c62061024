/**
 * What the tests of logins share: the products with their dialects, sources for
 * running servers, and servers that misbehave.
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

/** A product with what differs in its SQL. */
export interface Product {
  readonly name: DatabaseFacts["product"];
  readonly adapter: DataSource["adapter"];
  readonly prepare: (options?: ServerOptions) => Promise<DatabaseServer>;
  readonly identifier: (name: string) => string;
  readonly text: (value: string) => string;
  /** Statements that make a user who may connect, and no more. */
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

/** The products that can be had here; where one cannot, an ignored test says so. */
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

/** A server with a user and a database of the user's own. */
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

/** What is special about a login. */
type LoginWishes = Omit<ConnectOptions, "signal">;

/** Logs in, uses the session, and ends it. */
export async function withSession<Result>(
  source: DataSource,
  use: (session: Session) => Promise<Result>,
  wishes: LoginWishes = {},
): Promise<Result> {
  const session = await connect(source, {
    signal: new AbortController().signal,
    ...wishes,
  });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** The facts, through a login of their own. */
export function factsOf(
  source: DataSource,
  wishes: LoginWishes = {},
): Promise<DatabaseFacts> {
  return withSession(source, (session) => session.facts(), wishes);
}

/** Why a login fails. */
export async function refusalOf(
  source: DataSource,
  ca?: readonly string[],
): Promise<ProbeError> {
  try {
    await factsOf(source, ca === undefined ? {} : { ca });
  } catch (error) {
    assert(error instanceof ProbeError, String(error));
    assert(!error.message.includes(source.password));
    // PostgreSQL's driver leaves a timer of no time behind.
    await new Promise((resolve) => setTimeout(resolve, 1));
    return error;
  }
  assert.fail("The login was to fail");
}

/** A listener that treats every connection its own way. */
export function misbehave(
  treat: (connection: Deno.TcpConn) => Promise<void>,
): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<Deno.TcpConn>();
  const serving = (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      // A client that hangs up ends the treatment, not the test.
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
          // Closed by its treatment.
        }
      }
      await serving;
    },
  };
}
