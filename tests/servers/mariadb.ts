/**
 * MariaDB for tests and the benchmark: from PATH, or from Debian's package, which is unpacked
 * into the cache.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { cached, exists } from "../../tools/shared/cache.ts";
import type {
  DatabaseServer,
  ServerOptions,
} from "../../tools/shared/database_server.ts";
import { debianCommand, unpackDebian } from "../../tools/shared/packages.ts";
import { giveToServer, run, runAsServer } from "../../tools/shared/process.ts";
import {
  asOptions,
  FAST_SETTINGS,
  type Installation,
  prepareServer,
  reasonUnavailable,
} from "./mysql_family.ts";

/** The Debian release whose MariaDB is 10.11. */
const SUITE = "bookworm";

/**
 * The SQL files with the system tables, in the order of `mariadb-install-db`. That script is not
 * used, because it also needs the package of the client.
 */
const SYSTEM_TABLES = [
  "mysql_system_tables.sql",
  "mysql_performance_tables.sql",
  "mysql_system_tables_data.sql",
  "maria_add_gis_sp_bootstrap.sql",
  "mysql_sys_schema.sql",
];

/** Small files make copies of the template fast. */
const SETTINGS = { ...FAST_SETTINGS, "innodb-log-file-size": "8M" };

/**
 * Starts a MariaDB server, and waits until it accepts logins.
 *
 * @throws {Error} when MariaDB cannot be downloaded or does not start
 */
export async function startMariadb(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  const server = await prepareMariadb(options);
  await server.start();
  return server;
}

/** Creates a MariaDB server; its port refuses connections until `start()`. */
export async function prepareMariadb(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  return await prepareServer(await installation(), options);
}

/** Returns why MariaDB is not available; nothing if it is. */
export async function mariadbAvailable(): Promise<string | undefined> {
  return await reasonUnavailable("MariaDB", installation);
}

/** With `ENTRYPOINT_MARIADB=package` PATH is not searched. */
async function installation(): Promise<Installation> {
  const forced = Deno.env.get("ENTRYPOINT_MARIADB") === "package";
  const installed = forced ? undefined : await findInstalled();
  const { program, share } = installed ?? await unpacked();
  const command = [
    ...program,
    "--no-defaults",
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, "charsets")}`,
  ];
  const version = (await run([...program, "--version"]))
    .match(/\d+\.\d+\.\d+-\S+/)?.[0];
  const template = await cached(
    `mariadb-data-${version}`,
    (draft) => makeTemplate(draft, { command, share }),
  );
  return { name: "mariadb", command, template, settings: SETTINGS };
}

interface Files {
  readonly program: readonly string[];
  /** The directory of messages, character sets and SQL scripts. */
  readonly share: string;
}

/** Searches PATH and /usr/sbin for a complete installation. */
async function findInstalled(): Promise<Files | undefined> {
  const places = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"];
  for (const place of places) {
    const program = join(place, "mariadbd");
    if (!await exists(program)) continue;
    const prefix = dirname(dirname(await Deno.realPath(program)));
    for (const name of ["mysql", "mariadb"]) {
      const share = join(prefix, "share", name);
      const complete = await Promise.all(
        SYSTEM_TABLES.map((file) => exists(join(share, file))),
      );
      if (complete.every(Boolean)) return { program: [program], share };
    }
  }
  return undefined;
}

async function unpacked(): Promise<Files> {
  const root = await cached(
    `mariadb-${SUITE}-${Deno.build.arch}`,
    (draft) =>
      unpackDebian(draft, { suite: SUITE, packages: ["mariadb-server-core"] }),
  );
  return {
    program: await debianCommand(root, "usr/sbin/mariadbd"),
    share: join(root, "usr/share/mysql"),
  };
}

async function makeTemplate(
  directory: string,
  { command, share }: { command: readonly string[]; share: string },
): Promise<void> {
  const scripts = await Promise.all(
    SYSTEM_TABLES.map((file) => Deno.readTextFile(join(share, file))),
  );
  await giveToServer(directory);
  await runAsServer([
    ...command,
    "--bootstrap",
    `--datadir=${directory}`,
    ...asOptions(SETTINGS),
    "--enforce-storage-engine=",
    "--max-allowed-packet=8M",
    "--net-buffer-length=16K",
  ], {
    directory,
    input: [
      "create database mysql;",
      "use mysql;",
      "set @auth_root_socket = null;",
      ...scripts,
      // Accounts without a password that would take precedence over root@'%'.
      "delete from global_priv where user in ('', 'root') and host <> 'localhost' or user = '';",
      "",
    ].join("\n"),
  });
}
