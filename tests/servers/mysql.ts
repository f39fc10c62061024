/**
 * MySQL 9 for tests, which supports only `caching_sha2_password` for logins: from Debian's
 * unstable suite, unpacked into the cache.
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
  reasonUnavailable,
} from "./mysql_family.ts";

/** The only Debian suite with MySQL; its version changes. */
const SUITE = "sid";

/** Small files make copies of the template fast; the X Protocol is not needed. */
const SETTINGS = {
  ...FAST_SETTINGS,
  "innodb-redo-log-capacity": "8M",
  "secure-file-priv": "",
  mysqlx: "OFF",
  "skip-log-bin": "ON",
  "performance-schema": "OFF",
};

/** Creates a MySQL server; its port refuses connections until `start()`. */
export async function prepareMysql(
  options: ServerOptions = {},
): Promise<DatabaseServer> {
  return await prepareServer(await installation(), options);
}

/** Returns why MySQL is not available; nothing if it is. */
export async function mysqlAvailable(): Promise<string | undefined> {
  return await reasonUnavailable("MySQL", installation);
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
