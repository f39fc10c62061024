/**
 * A PostgreSQL that is ready for Mattermost, and the settings of a start that uses it.
 *
 * @module
 */

import { basename } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import type { Home } from "./home.ts";

/** The password of the role `mattermost`. */
export const PASSWORD = "pass-of-the-database";

/** Starts PostgreSQL with the database `mattermost`, which belongs to the role `mattermost`. */
export async function startServerDatabase(
  password = PASSWORD,
): Promise<DatabaseServer> {
  const database = await startPostgres();
  const quoted = password.replaceAll("'", "''");
  await database.sql(`CREATE ROLE mattermost LOGIN PASSWORD '${quoted}'`);
  await database.sql("CREATE DATABASE mattermost OWNER mattermost");
  return database;
}

/** The variables that start 11.7.9 in a home, with a database of `startServerDatabase`. */
export function databaseSettings(
  home: Home,
  database: Pick<DatabaseServer, "port">,
  password = PASSWORD,
): Record<string, string> {
  return {
    ...home.env,
    MATTERMOST_VERSION: "11.7.9",
    DB_ADAPTER: "postgres",
    DB_HOST: "127.0.0.1",
    DB_PORT: String(database.port),
    DB_PASS: password,
  };
}

/** The variables that start 11.7.9 in a home, with its database of `createOwnDatabase`. */
export function ownDatabaseSettings(
  home: Home,
  database: Pick<DatabaseServer, "port">,
): Record<string, string> {
  return { ...databaseSettings(home, database), DB_NAME: nameFor(home) };
}

/** Copies the database `mattermost` for a home: starts with the same one wait for each other. */
export async function createOwnDatabase(
  home: Home,
  database: DatabaseServer,
): Promise<void> {
  await database.sql(
    `CREATE DATABASE "${nameFor(home)}" OWNER mattermost TEMPLATE mattermost`,
  );
}

function nameFor(home: Home): string {
  return basename(home.path);
}
