/**
 * A login to MySQL or MariaDB, and what is asked of it. Import it lazily, since it
 * costs time.
 *
 * @module
 */

import type { DatabaseFacts, Session } from "./probe.ts";
import type { DataSource } from "./source.ts";
import { hash } from "node:crypto";
import { classify } from "./classify.ts";
import { Channel } from "./mysql_channel.ts";
import { logIn } from "./mysql_login.ts";
import { QUIT, type TextRow } from "./mysql_messages.ts";
import { ProbeError, unless } from "./probe.ts";
import {
  endSocket,
  type LoginOptions,
  sayFarewell,
  tlsFacts,
} from "./socket.ts";

/** Error numbers that answer a question instead of failing it. */
const READ_ONLY_ERRORS: readonly string[] = ["1290", "1792", "1836"];
const DENIED_ERRORS: readonly string[] = ["1142", "1044"];

/** Seconds that a lock is waited for where no end is asked; MariaDB knows no infinity. */
const LONGEST_WAIT = 31_536_000;

/**
 * One message and one answer. Names of tables are told in either case, since
 * `lower_case_table_names` decides how they are stored; the versions are read by
 * prepared text, since a plain query of a missing table would fail the message.
 */
const FACTS_QUERY = `
SELECT COUNT(DISTINCT IF(LOWER(c.TABLE_NAME) = 'systems', c.COLUMN_NAME, NULL)) = 2
    AND SUM(LOWER(c.TABLE_NAME) = 'users' AND c.COLUMN_NAME = 'Id') = 1,
  MAX(LOWER(c.TABLE_NAME) = 'users' AND c.COLUMN_NAME = 'TeamId'),
  MAX(c.TABLE_NAME = 'db_migrations')
  INTO @entrypoint_installed, @entrypoint_team_id, @entrypoint_migrations
  FROM information_schema.COLUMNS c
  WHERE c.TABLE_SCHEMA = DATABASE()
    AND (c.TABLE_NAME IN ('Systems', 'systems') AND c.COLUMN_NAME IN ('Name', 'Value')
      OR c.TABLE_NAME IN ('Users', 'users') AND c.COLUMN_NAME IN ('Id', 'TeamId')
      OR c.TABLE_NAME = 'db_migrations' AND c.COLUMN_NAME = 'Version');
SET @entrypoint_text = CONCAT('SELECT ',
  IF(@entrypoint_installed, '(SELECT Value FROM Systems WHERE Name = ''Version'')', 'NULL'),
  ' AS systems_version, ',
  IF(@entrypoint_installed AND @entrypoint_migrations,
    '(SELECT MAX(Version) FROM db_migrations)', 'NULL'),
  ' AS last_migration, VERSION() AS version,
  @@character_set_database AS encoding, @@collation_database AS collation,
  UNIX_TIMESTAMP(NOW(3)) * 1000 AS server_time,
  @entrypoint_installed AS installed, @entrypoint_team_id AS team_id');
PREPARE entrypoint_facts FROM @entrypoint_text;
EXECUTE entrypoint_facts;
DEALLOCATE PREPARE entrypoint_facts;`;

/** Both are refused where this login cannot do it, and neither does anything. */
const WRITE_QUERY = "START TRANSACTION READ WRITE; ROLLBACK;";
const CREATE_QUERY =
  "PREPARE entrypoint_create FROM 'CREATE TABLE entrypoint_probe (Id INT)'; DEALLOCATE PREPARE entrypoint_create;";

/** Sends one message, and gives the rows of all its statements. */
type Ask = (text: string) => Promise<readonly TextRow[]>;

/**
 * Logs in to MySQL or MariaDB.
 *
 * @param source The database and the login.
 * @param options The connection, and whom to trust.
 * @returns The session.
 * @throws {ProbeError} Why it did not work.
 */
export async function connectMysql(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  const channel = await login(source, options).catch((error) => {
    throw classify(error, source);
  });
  const { socket } = channel;
  const ask: Ask = (text) =>
    channel.ask(text).catch((error) => {
      throw classify(error, source);
    });
  return {
    facts: () => readFacts(ask, tlsFacts(socket)),
    async lock(name, seconds) {
      const wait = Math.min(Math.ceil(seconds), LONGEST_WAIT);
      const text = `SELECT GET_LOCK('${
        lockName(source, name)
      }', ${wait}) AS held`;
      const [row] = await ask(text);
      return row?.["held"] === "1";
    },
    async unlock(name) {
      await ask(`SELECT RELEASE_LOCK('${lockName(source, name)}')`);
    },
    leave: () => sayFarewell(socket, QUIT),
    async close() {
      await sayFarewell(socket, QUIT);
      await endSocket(socket);
    },
  };
}

async function login(
  source: DataSource,
  { opening, tls }: LoginOptions,
): Promise<Channel> {
  const channel = new Channel(await opening, tls !== undefined);
  try {
    await logIn(channel, source, tls);
    return channel;
  } catch (error) {
    channel.socket.destroy();
    throw error;
  }
}

async function readFacts(
  ask: Ask,
  tls: DatabaseFacts["tls"],
): Promise<DatabaseFacts> {
  // All in one message, which mostly is not refused; one that is does not tell the rest.
  const told = await unless(
    ask(`${FACTS_QUERY}${WRITE_QUERY}${CREATE_QUERY}`),
    (code) => READ_ONLY_ERRORS.includes(code) || DENIED_ERRORS.includes(code),
  );
  const isRefused = async (
    text: string,
    codes: readonly string[],
  ): Promise<boolean> =>
    told === undefined &&
    await unless(ask(text), (code) => codes.includes(code)) === undefined;
  const rows = told ?? await ask(FACTS_QUERY);
  const row = rows.find(({ version }) => version);
  if (row === undefined) {
    throw new ProbeError("protocol", "The server answers without a row");
  }
  const text = (column: string): string => row[column] ?? "";
  const version = text("version");
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map((
    part,
  ) => Number.parseInt(part));
  const installed = text("installed") === "1";
  const systemsVersion = text("systems_version");
  const lastMigration = Number(text("last_migration"));
  return {
    product: /mariadb/i.test(version) ? "MariaDB" : "MySQL",
    version,
    versionParts: [major, minor, patch],
    versionNumber: 1000 * major + 100 * minor + patch,
    readOnly: await isRefused(WRITE_QUERY, READ_ONLY_ERRORS),
    mayCreateTables: !await isRefused(CREATE_QUERY, DENIED_ERRORS),
    encoding: text("encoding"),
    collation: text("collation"),
    serverTime: Number(text("server_time")),
    tls,
    schema: {
      installed,
      usersHaveTeamId: installed && text("team_id") === "1",
      ...(systemsVersion === "" ? {} : { systemsVersion }),
      ...(lastMigration > 0 ? { lastMigration } : {}),
    },
  };
}

/** Locks belong to the whole server, and their names have at most 64 characters. */
function lockName({ database }: DataSource, name: string): string {
  const digest = hash("sha256", `${database}\0${name}`, "hex");
  return `mattermost-entrypoint-${digest.slice(0, 32)}`;
}
