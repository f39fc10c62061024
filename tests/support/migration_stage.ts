/**
 * Containers that migrate one database: a server whose `db migrate` takes until a test lets it
 * go, in a home of its own.
 *
 * @module
 */

import { join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { createHome, type Home, SHOW } from "./home.ts";

/** The password of the role `mattermost`. */
export const PASSWORD = "pass-of-the-database";

/** A database server and its product. */
export interface Product {
  readonly adapter: "postgres" | "mysql";
  readonly server: DatabaseServer;
  /** The port to log in at, if that is not the server's own: the one of a pooler. */
  readonly port?: number;
}

/** Names for new databases. */
const names = (function* () {
  for (let number = 1;; number++) yield `chat${number}`;
})();

/** A home, and a database for the server in it. */
export interface Stage {
  readonly home: Home;
  readonly database: string;
  readonly env: Record<string, string>;
}

/** Makes a home, and a database with these tables. */
export async function prepare(
  { adapter, server, port = server.port }: Product,
  { version, schema = "", existing }: {
    readonly version: string;
    readonly schema?: string;
    /** A database that is there already. */
    readonly existing?: string;
  },
): Promise<Stage> {
  const home = await createHome();
  const database = existing ?? names.next().value;
  if (existing === undefined) {
    const owner = adapter === "postgres" ? " OWNER mattermost" : "";
    await server.sql(`CREATE DATABASE ${database}${owner}`);
    if (schema !== "") await change({ adapter, server }, database, schema);
  }
  const env = {
    ...home.env,
    MATTERMOST_VERSION: version,
    DB_ADAPTER: adapter,
    DB_HOST: "127.0.0.1",
    DB_PORT: String(port),
    DB_NAME: database,
    DB_USER: "mattermost",
    DB_PASS: PASSWORD,
    DB_TIMEOUT: "5",
  };
  return { home, database, env };
}

/** Runs statements as Mattermost's own user. */
export async function change(
  { adapter, server }: Pick<Product, "adapter" | "server">,
  database: string,
  text: string,
): Promise<void> {
  await server.sql(
    adapter === "postgres" ? `SET ROLE mattermost; ${text}` : text,
    database,
  );
}

/** `db migrate` of 6.5 and newer: it takes until somebody writes `marks/go`. */
export const MIGRATOR = `
if [ "$1 $2" = 'db migrate' ]; then
  echo "$@" >>"$HOME/marks/migrations"
  trap 'sleep 0.2; echo interrupted; exit 3' TERM
  echo migrating
  while [ ! -e "$HOME/marks/go" ]; do sleep 0.05; done
  [ -e "$HOME/marks/fail" ] && exit 17
  echo migrated
  exit 0
fi
${SHOW}`;

/** How often the server of a home has migrated. */
export async function migrations({ path }: Home): Promise<number> {
  const text = await Deno.readTextFile(join(path, "marks/migrations"))
    .catch(() => "");
  return text.split("\n").length - 1;
}
