/**
 * MariaDB for tests and the benchmark: the one on PATH, or else Debian's package
 * unpacked into the private cache.
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
} from "./mysql_family.ts";

/** The Debian release whose MariaDB is 10.11. */
const SUITE = "bookworm";

/**
 * The SQL that makes the system tables, in the order of `mariadb-install-db`,
 * which is not used because it needs the client's package too.
 */
const SYSTEM_TABLES = [
  "mysql_system_tables.sql",
  "mysql_performance_tables.sql",
  "mysql_system_tables_data.sql",
  "maria_add_gis_sp_bootstrap.sql",
  "mysql_sys_schema.sql",
];

/** Small files, so that the template is copied quickly. */
const SETTINGS = { ...FAST_SETTINGS, "innodb-log-file-size": "8M" };

/**
 * A MariaDB server that takes logins.
 *
 * @throws {Error} when MariaDB cannot be had or does not come up
 */
export async function startMariadb(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  const server = await prepareMariadb(options);
  await server.start();
  return server;
}

/** The same, not started yet: its port refuses until `start()`. */
export async function prepareMariadb(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  return await prepareServer(await installation(), options);
}

/** Why MariaDB cannot be had on this machine; nothing when it can. */
export async function mariadbAvailable(): Promise<string | undefined> {
  try {
    await installation();
    return undefined;
  } catch (error) {
    return `MariaDB, which cannot be had here: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

/** `ENTRYPOINT_MARIADB=package` passes over the one on PATH. */
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

/** The one on PATH or in the directory of system programs, if it is complete. */
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
      // Accounts without a password that would go before root from any host.
      "delete from global_priv where user in ('', 'root') and host <> 'localhost' or user = '';",
      "",
    ].join("\n"),
  });
}
