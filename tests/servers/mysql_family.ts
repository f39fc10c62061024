/**
 * The common parts of MariaDB and MySQL as test servers: a data directory that is copied from
 * a template, the administrator's password, and queries.
 *
 * @module
 */

import { join } from "node:path";
import { createConnection } from "mysql/promise";
import {
  createServer,
  type DatabaseServer,
  freePort,
  type Row,
  type ServerOptions,
  writeTls,
} from "../../tools/shared/database_server.ts";
import { giveToServer, run } from "../../tools/shared/process.ts";

/** An installed product. */
export interface Installation {
  /** The product's name, for the temporary directory. */
  readonly name: string;
  /** The server's program with options for the paths of its files. */
  readonly command: readonly string[];
  /** An initialized data directory without passwords. */
  readonly template: string;
  /** Settings of this product, which the template also needs. */
  readonly settings: Readonly<Record<string, string | number>>;
}

/** The administrator, who may log in from every host. */
const USER = "root";

/** Without waiting for the disk: the data survive a crash of the server, not of the machine. */
export const FAST_SETTINGS = {
  "innodb-flush-log-at-trx-commit": 2,
  "innodb-flush-method": "nosync",
  "innodb-doublewrite": "OFF",
  "innodb-buffer-pool-size": "64M",
};

const NETWORK = { "bind-address": "127.0.0.1", "skip-name-resolve": "ON" };

/** Creates a server of this installation, without starting it. */
export async function prepareServer(
  installation: Installation,
  options: ServerOptions,
): Promise<DatabaseServer> {
  const {
    port = freePort(),
    password = "mysql",
    settings = {},
    tls,
  } = options;
  return await createServer(installation.name, async (home) => {
    const data = join(home, "data");
    const socket = join(home, "socket");
    const accounts = join(home, "accounts.sql");
    await run(["cp", "-R", installation.template, data]);
    await Deno.writeTextFile(accounts, accountsSql(password), { mode: 0o600 });
    const secured = tls && await writeTls(home, tls);
    await giveToServer(home);
    const all = {
      ...NETWORK,
      ...installation.settings,
      port,
      socket,
      datadir: data,
      tmpdir: home,
      "pid-file": join(home, "pid"),
      "init-file": accounts,
      ...secured && {
        "ssl-cert": secured.certificate,
        "ssl-key": secured.key,
      },
      ...settings,
    };
    return {
      port,
      user: USER,
      password,
      socket,
      command: [...installation.command, ...asOptions(all)],
      readyText: "ready for connections",
      stopSignal: "SIGTERM",
      query,
    };
  });
}

/** Returns why a product is not available; nothing if it is. */
export async function reasonUnavailable(
  product: string,
  installation: () => Promise<Installation>,
): Promise<string | undefined> {
  try {
    await installation();
    return undefined;
  } catch (error) {
    return `${product}, which is not available: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

/** Converts settings to options of the server program. */
export function asOptions(
  settings: Readonly<Record<string, string | number>>,
): string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

/** Statements for `--init-file`, which reads one per line. */
function accountsSql(password: string): string {
  const secret = `'${password.replace(/['\\]/g, "\\$&")}'`;
  return [
    `ALTER USER '${USER}'@'localhost' IDENTIFIED BY ${secret};`,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY ${secret};`,
    `GRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION;`,
    "",
  ].join("\n");
}

async function query(
  server: DatabaseServer,
  text: string,
  database: string | undefined,
): Promise<Row[]> {
  const connection = await createConnection({
    socketPath: server.socket,
    user: server.user,
    password: server.password,
    multipleStatements: true,
    ...database !== undefined && { database },
  });
  try {
    const [rows] = await connection.query(text);
    return rows as Row[];
  } finally {
    await connection.end();
  }
}
