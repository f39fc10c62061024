/**
 * MySQL 9 for tests: the server whose logins are `caching_sha2_password` only, out
 * of Debian's development suite, unpacked into the private cache.
 *
 * @module
 */

import { join } from "node:path";
import { cached } from "../../tools/shared/cache.ts";
import type {
  DatabaseServer,
  ServerOptions,
} from "../../tools/shared/database_server.ts";
import { debianCommand, unpackDebian } from "../../tools/shared/packages.ts";
import { giveToServer, runAsServer } from "../../tools/shared/process.ts";
import {
  asOptions,
  FAST_SETTINGS,
  type Installation,
  prepareServer,
} from "./mysql_family.ts";

/** The only Debian suite with MySQL itself; its version moves. */
const SUITE = "sid";

/** Small files, so that the template is copied quickly, and no second protocol. */
const SETTINGS = {
  ...FAST_SETTINGS,
  "innodb-redo-log-capacity": "8M",
  "secure-file-priv": "",
  mysqlx: "OFF",
  "skip-log-bin": "ON",
  "performance-schema": "OFF",
};

/**
 * A MySQL server that takes logins.
 *
 * @throws {Error} when MySQL cannot be had or does not come up
 */
export async function startMysql(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  const server = await prepareMysql(options);
  await server.start();
  return server;
}

/** The same, not started yet: its port refuses until `start()`. */
export async function prepareMysql(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  return await prepareServer(await installation(), options);
}

/** Why MySQL cannot be had on this machine; nothing when it can. */
export async function mysqlAvailable(): Promise<string | undefined> {
  try {
    await installation();
    return undefined;
  } catch (error) {
    return `MySQL, which cannot be had here: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

async function installation(): Promise<Installation> {
  const name = `mysql-${SUITE}-${Deno.build.arch}`;
  const root = await cached(
    name,
    (draft) =>
      unpackDebian(draft, { suite: SUITE, packages: ["mysql-server-core"] }),
  );
  const share = join(root, "usr/share/mysql");
  const command = [
    ...await debianCommand(root, "usr/sbin/mysqld"),
    "--no-defaults",
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, "charsets")}`,
    `--plugin-dir=${join(root, "usr/lib/mysql/plugin")}`,
  ];
  const template = await cached(`${name}-data`, async (draft) => {
    await giveToServer(draft);
    await runAsServer([
      ...command,
      "--initialize-insecure",
      `--datadir=${draft}`,
      ...asOptions(SETTINGS),
    ], { directory: draft });
  });
  return { name: "mysql", command, template, settings: SETTINGS };
}
