/**
 * A login to MySQL or MariaDB; the only module that imports its driver. Import it
 * lazily, since the driver costs time.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { DatabaseFacts, Session } from "./probe.ts";
import type { DataSource } from "./source.ts";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import mysql, { type Connection, type RowDataPacket } from "mysql";
import { classify } from "./classify.ts";
import { ProbeError, unless } from "./probe.ts";
import {
  endSocket,
  type LoginOptions,
  lossOf,
  sayFarewell,
  screenData,
  tlsFacts,
  tlsOptions,
} from "./socket.ts";

/** Bytes of the packet that ends a session: one byte long, number 0, `COM_QUIT`. */
const QUIT = Buffer.from([1, 0, 0, 0, 1]);

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
type Ask = <Row>(text: string) => Promise<Row[]>;

interface FactsRow {
  readonly systems_version: string | null;
  readonly last_migration: number | null;
  readonly version: string;
  readonly encoding: string;
  readonly collation: string;
  readonly server_time: number | string;
  readonly installed: number | null;
  readonly team_id: number | null;
}

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
  const connection = await login(source, options).catch((error) => {
    throw classify(error, source);
  });
  const socket = streamOf(connection);
  const lost = lossOf(socket);
  const ask: Ask = async <Row>(text: string) => {
    try {
      return await Promise.race([rowsOf<Row>(connection, text), lost]);
    } catch (error) {
      throw classify(error, source);
    }
  };
  return {
    facts: () => readFacts(ask, socket),
    async lock(name, seconds) {
      const wait = Math.min(Math.ceil(seconds), LONGEST_WAIT);
      const text = `SELECT GET_LOCK('${
        lockName(source, name)
      }', ${wait}) AS held`;
      const [row] = await ask<{ held: number | null }>(text);
      return row?.held === 1;
    },
    async unlock(name) {
      await ask(`SELECT RELEASE_LOCK('${lockName(source, name)}')`);
    },
    // Without the driver, which would say no more and take longer.
    leave: () => sayFarewell(socket, QUIT),
    async close() {
      await sayFarewell(socket, QUIT);
      await endSocket(socket);
    },
  };
}

async function login(
  source: DataSource,
  { opening, ca }: LoginOptions,
): Promise<Connection> {
  const { host, port, socket: path, user, password, database } = source;
  const stream = await opening;
  const lost = lossOf(stream);
  screenData(stream, { isGreeting });
  const tls = tlsOptions(source, ca);
  const connection = mysql.createConnection({
    stream,
    host,
    port,
    // The driver sends a password in clear only where it knows of a unix socket.
    ...(path === undefined ? {} : { socketPath: path }),
    user,
    password,
    database,
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    connectTimeout: 0,
    multipleStatements: true,
    // Compiled row parsers pay off after many rows only.
    disableEval: true,
    flags: ["-LOCAL_FILES"],
    connectAttributes: { program_name: "mattermost-entrypoint" },
  } as mysql.ConnectionOptions);
  guard(connection, stream);
  const login = new Promise<Connection>((resolve, reject) => {
    connection.on("error", reject);
    connection.once("connect", () => resolve(connection));
  });
  try {
    return await Promise.race([login, lost]);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

/** TLS puts another socket in the place of the one that the driver was given. */
function streamOf(connection: Connection): Socket {
  return (connection as unknown as { stream: Socket }).stream;
}

/** The driver parses inside an event, where what it throws would end the program. */
function guard(connection: Connection, stream: Socket): void {
  const core = connection as unknown as {
    handlePacket(packet: unknown): void;
  };
  const handlePacket = core.handlePacket.bind(connection);
  core.handlePacket = (packet) => {
    try {
      handlePacket(packet);
    } catch (error) {
      stream.destroy(
        new ProbeError(
          "protocol",
          `The answer is garbled: ${
            error instanceof Error ? error.message : error
          }`,
        ),
      );
    }
  };
}

/** The first packet has number 0, and holds protocol 10 or an error. */
function isGreeting(head: Buffer): boolean {
  const length = head.readUIntLE(0, 3);
  return length >= 4 && length <= 4096 && head[3] === 0 &&
    (head[4] === 10 || head[4] === 0xff);
}

async function readFacts(ask: Ask, socket: Socket): Promise<DatabaseFacts> {
  // All in one message, which mostly is not refused; one that is does not tell the rest.
  const told = await unless(
    ask<FactsRow>(`${FACTS_QUERY}${WRITE_QUERY}${CREATE_QUERY}`),
    (code) => READ_ONLY_ERRORS.includes(code) || DENIED_ERRORS.includes(code),
  );
  const isRefused = async (
    text: string,
    codes: readonly string[],
  ): Promise<boolean> =>
    told === undefined &&
    await unless(ask(text), (code) => codes.includes(code)) === undefined;
  const rows = told ?? await ask<FactsRow>(FACTS_QUERY);
  const row = rows.find(({ version }) => version);
  if (row === undefined) {
    throw new ProbeError("protocol", "The server answers without a row");
  }
  const [major = 0, minor = 0, patch = 0] = row.version.split(/[.-]/).map((
    part,
  ) => Number.parseInt(part));
  const installed = row.installed === 1;
  return {
    product: /mariadb/i.test(row.version) ? "MariaDB" : "MySQL",
    version: row.version,
    versionParts: [major, minor, patch],
    versionNumber: 1000 * major + 100 * minor + patch,
    readOnly: await isRefused(WRITE_QUERY, READ_ONLY_ERRORS),
    mayCreateTables: !await isRefused(CREATE_QUERY, DENIED_ERRORS),
    encoding: row.encoding,
    collation: row.collation,
    serverTime: Number(row.server_time),
    tls: tlsFacts(socket),
    schema: {
      installed,
      usersHaveTeamId: installed && row.team_id === 1,
      ...(row.systems_version ? { systemsVersion: row.systems_version } : {}),
      ...(row.last_migration ? { lastMigration: row.last_migration } : {}),
    },
  };
}

function rowsOf<Row>(connection: Connection, text: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    connection.query<RowDataPacket[]>(text, (error, result) => {
      // What is no list of rows may be anything, if the server's answer is garbled.
      if (error) reject(error);
      else resolve((Array.isArray(result) ? result : []).flat() as Row[]);
    });
  });
}

/** Locks belong to the whole server, and their names have at most 64 characters. */
function lockName({ database }: DataSource, name: string): string {
  const hash = createHash("sha256").update(`${database}\0${name}`);
  return `mattermost-entrypoint-${hash.digest("hex").slice(0, 32)}`;
}
