/**
 * A login to MySQL or MariaDB. Only this module imports the driver, which takes time to
 * load, so import it dynamically.
 *
 * @see https://sidorares.github.io/node-mysql2/docs
 * @module
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { DatabaseFacts, LockHolder, Session } from "../session.ts";
import type { DataSource } from "../data_source.ts";
import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import mysql, { type Connection, type RowDataPacket } from "mysql";
import { parseRows } from "../../mattermost/migrations.ts";
import { didYouMean } from "../../settings/spelling.ts";
import { classify } from "../classify.ts";
import { MYSQL_PARAMETERS } from "./dsn.ts";
import {
  type Query,
  readConfiguration,
  readOtherClients,
  type Row,
} from "./configurations.ts";
import {
  LONGEST_MESSAGE,
  malformedPacket,
  ProbeError,
  shortText,
  unlessError,
} from "../session.ts";
import {
  destroySocket,
  inspectData,
  type LoginOptions,
  type Protocol,
  rejectOnClose,
  sendLastMessage,
  tlsFacts,
} from "../connection.ts";
import { readSurvey } from "./survey.ts";
import { handshakeFault, type TlsPolicy } from "../tls/policy.ts";

/** The packet `COM_QUIT`, which ends a session: its length, its number, its content. */
const QUIT = Buffer.from([1, 0, 0, 0, 1]);

/** Bytes before the content of a packet: its length and its number. */
const HEADER = 4;
/** Limit for the initial handshake packet, which holds little more than a version and the name of a plugin. */
const LONGEST_GREETING = 4096;

/**
 * Passes only whole packets to the driver.
 *
 * @see https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
 */
const MYSQL_PROTOCOL: Protocol = {
  // The first packet has number 0. It begins with protocol version 10, or is an error.
  isGreeting(head) {
    const length = head.readUIntLE(0, 3);
    return length >= 4 && length <= LONGEST_GREETING && head[3] === 0 &&
      (head[HEADER] === 10 || head[HEADER] === 0xff);
  },
  wholeMessages(bytes) {
    let size = 0;
    while (bytes.length - size >= HEADER) {
      const length = bytes.readUIntLE(size, 3);
      if (length === 0 || length > LONGEST_MESSAGE) return malformedPacket();
      if (size + HEADER + length > bytes.length) break;
      size += HEADER + length;
    }
    return size;
  },
};

/** Error numbers that answer the queries below; they mean no failure. */
const READ_ONLY_ERRORS: readonly string[] = ["1290", "1792", "1836"];
const DENIED_ERRORS: readonly string[] = ["1142", "1044"];

/** Seconds that a session may be idle, for as long as a migration takes. Many servers close it after minutes. */
const LONGEST_IDLE = 7 * 86_400;

/**
 * One message for all facts. Names of tables are compared in both letter cases, since
 * `lower_case_table_names` determines how they are stored. The versions are read by a
 * prepared statement, since a query of a missing table would fail the whole message.
 * GROUP_CONCAT() returns 1024 bytes at most unless the session allows more.
 */
const FACTS_QUERY = `
SET SESSION group_concat_max_len = ${LONGEST_MESSAGE};
SELECT COUNT(DISTINCT IF(LOWER(c.TABLE_NAME) = 'systems', c.COLUMN_NAME, NULL)) = 2
    AND SUM(LOWER(c.TABLE_NAME) = 'users' AND c.COLUMN_NAME = 'Id') = 1,
  MAX(LOWER(c.TABLE_NAME) = 'users' AND c.COLUMN_NAME = 'TeamId'),
  COUNT(DISTINCT IF(c.TABLE_NAME = 'db_migrations', c.COLUMN_NAME, NULL)) = 2,
  COUNT(IF(LOWER(c.TABLE_NAME) = 'configurations', 1, NULL)) > 0
  INTO @entrypoint_installed, @entrypoint_team_id, @entrypoint_migrations,
    @entrypoint_configurations
  FROM information_schema.COLUMNS c
  WHERE c.TABLE_SCHEMA = DATABASE()
    AND (c.TABLE_NAME IN ('Systems', 'systems') AND c.COLUMN_NAME IN ('Name', 'Value')
      OR c.TABLE_NAME IN ('Users', 'users') AND c.COLUMN_NAME IN ('Id', 'TeamId')
      OR c.TABLE_NAME IN ('Configurations', 'configurations') AND c.COLUMN_NAME = 'Active'
      OR c.TABLE_NAME = 'db_migrations' AND c.COLUMN_NAME IN ('Version', 'Name'));
SET @entrypoint_text = CONCAT('SELECT ',
  IF(@entrypoint_installed, '(SELECT Value FROM Systems WHERE Name = ''Version'')', 'NULL'),
  ' AS systems_version, ',
  IF(@entrypoint_installed AND @entrypoint_migrations,
    '(SELECT GROUP_CONCAT(Version, '' '', Name) FROM db_migrations)', 'NULL'),
  ' AS applied, VERSION() AS version,
  @@character_set_database AS encoding, @@collation_database AS collation,
  UNIX_TIMESTAMP(NOW(3)) * 1000 AS server_time,
  @entrypoint_installed AS installed, @entrypoint_team_id AS team_id,
  @entrypoint_configurations AS configurations');
PREPARE entrypoint_facts FROM @entrypoint_text;
EXECUTE entrypoint_facts;
DEALLOCATE PREPARE entrypoint_facts;`;

/** Both fail where this login lacks the privilege, and neither changes anything. */
const WRITE_QUERY = "START TRANSACTION READ WRITE; ROLLBACK;";
const CREATE_QUERY =
  "PREPARE entrypoint_create FROM 'CREATE TABLE entrypoint_probe (Id INT)'; DEALLOCATE PREPARE entrypoint_create;";

/**
 * Logs in to MySQL or MariaDB.
 *
 * @param source The database and the login.
 * @param options The connection, and what TLS must prove.
 * @returns The session.
 * @throws {ProbeError} The reason why it failed.
 */
export async function connectMysql(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  const connection = await login(source, options).catch((error) => {
    throw unsupportedPlugin(error) ?? classify(error, source);
  });
  const socket = socketOf(connection);
  const closed = rejectOnClose(socket);
  const query: Query = async (text) => {
    try {
      return await Promise.race([rowsOf(connection, text), closed]);
    } catch (error) {
      throw classify(error, source);
    }
  };
  try {
    await setUp(query, source, options);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    facts: () => readFacts(query, tlsFacts(socket)),
    configuration: () => readConfiguration(query),
    otherClients: () => readOtherClients(query),
    survey: () => readSurvey(query),
    lock: (name) => lock(query, lockName(source, name)),
    async close() {
      await sendLastMessage(socket, QUIT);
      await destroySocket(socket);
    },
  };
}

/** Character sets that every server knows, so that it need not be asked. */
const KNOWN_ENCODING_REGEXP = /^(?:utf8(?:mb4|mb3)?,?)*$/;

/** Executes what the server's driver does after the login, with the values as they are written. */
async function setUp(
  query: Query,
  { encoding = "", parameters = {}, sessionParameters = {} }: DataSource,
  { unknownParameter }: LoginOptions,
): Promise<void> {
  const { collation } = parameters;
  if (collation !== undefined || !KNOWN_ENCODING_REGEXP.test(encoding)) {
    await setNames(query, encoding || "utf8mb4", collation);
  }
  const variables = Object.entries({
    ...sessionParameters,
    ...(unknownParameter === undefined ? {} : { [unknownParameter]: "1" }),
  }).map(([name, value]) => `${name} = ${value}`);
  if (variables.length === 0) return;
  try {
    await query(`SET ${variables.join(", ")}`);
  } catch (error) {
    throw withSuggestion(error, Object.keys(sessionParameters));
  }
}

/** Adds the name that a misspelt parameter probably has. */
function withSuggestion(error: unknown, names: readonly string[]): unknown {
  if (!(error instanceof ProbeError) || error.reason !== "parameter") {
    return error;
  }
  const { reason, message, code } = error;
  const suggestions = names.filter((name) => !MYSQL_PARAMETERS.includes(name))
    .map((name) => didYouMean(name, MYSQL_PARAMETERS))
    .filter((suggestion) => suggestion !== undefined);
  return suggestions.length === 0
    ? error
    : new ProbeError(reason, [message, ...suggestions].join(". "), code);
}

/** The first character set that the server knows counts. */
async function setNames(
  query: Query,
  encoding: string,
  collation: string | undefined,
): Promise<void> {
  let failure: unknown;
  for (const name of encoding.split(",")) {
    try {
      const suffix = collation === undefined ? "" : ` COLLATE ${collation}`;
      return void await query(`SET NAMES ${name}${suffix}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function login(
  source: DataSource,
  { opening, tls }: LoginOptions,
): Promise<Connection> {
  const { host, port, socket: path, user, password, database } = source;
  const stream = await opening;
  // Firewalls and load balancers drop connections that are silent while a migration runs.
  stream.setKeepAlive(true, 60_000);
  const closed = rejectOnClose(stream);
  inspectData(stream, MYSQL_PROTOCOL);
  const options = {
    stream,
    host,
    port,
    // The driver sends a password in clear text only over TLS, or with this option.
    ...(path === undefined ? {} : { socketPath: path }),
    user,
    password,
    database,
    ...(tls === undefined ? {} : { ssl: { ...tls.options } }),
    // The caller's signal is the only time limit.
    connectTimeout: 0,
    multipleStatements: true,
    // Compiled row parsers are slower for few rows, and need `eval`.
    disableEval: true,
    // LOAD DATA LOCAL would let the server read files of this container.
    flags: ["-LOCAL_FILES"],
    connectAttributes: { program_name: "mattermost-entrypoint" },
  };
  const connection = mysql.createConnection(options as mysql.ConnectionOptions);
  guard(connection as unknown as Driver, tls);
  const loggedIn = new Promise<Connection>((resolve, reject) => {
    connection.on("error", reject);
    connection.once("connect", () => resolve(connection));
  });
  try {
    return await Promise.race([loggedIn, closed]);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

/** The members of the driver's connection that have no types. */
interface Driver {
  readonly stream: Socket;
  /** The number of the next packet. */
  readonly sequenceId: number;
  /** The query that waits for its answer. */
  readonly _command: unknown;
  startTLS(onSecure: (error?: Error) => void): void;
  handlePacket(packet?: { readonly sequenceId: number }): void;
}

/** Closes gaps of the driver, and checks the certificate before the driver sends the password. */
function guard(driver: Driver, tls: TlsPolicy | undefined): void {
  const startTls = driver.startTLS.bind(driver);
  driver.startTLS = (onSecure) => {
    startTls((error) =>
      onSecure(
        error === undefined
          ? tls?.check?.(driver.stream as TLSSocket)
          : handshakeFault(error),
      )
    );
    // The driver has replaced the socket. The server has introduced itself before.
    inspectData(driver.stream, { ...MYSQL_PROTOCOL, isGreeting: () => true });
  };
  const handlePacket = driver.handlePacket.bind(driver);
  driver.handlePacket = (packet) => {
    const isInOrder = packet === undefined || driver._command === undefined ||
      packet.sequenceId === driver.sequenceId;
    // The driver would print a warning to standard error for each such packet, and go on.
    if (isInOrder) handlePacket(packet);
    else driver.stream.destroy(malformedPacket());
  };
}

/** Only the text of the driver's error names a plugin that it does not support. */
const PLUGIN_REGEXP =
  /\bunknown plugin (\w+)|authentication using (mysql_clear_password)/;

function unsupportedPlugin(error: unknown): ProbeError | undefined {
  const [, unknown, clear] = PLUGIN_REGEXP.exec(String(error)) ?? [];
  const plugin = unknown ?? clear;
  return plugin === undefined ? undefined : new ProbeError(
    "method",
    `The account uses the authentication plugin ${plugin}, but Mattermost needs caching_sha2_password or mysql_native_password`,
  );
}

/** The socket in use: with TLS the driver replaces the one that it was given. */
function socketOf(connection: Connection): Socket {
  return (connection as unknown as Driver).stream;
}

function rowsOf(connection: Connection, text: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    connection.query<RowDataPacket[]>(text, (error, result) => {
      // The result of a statement without rows is an object.
      if (error) reject(error);
      else resolve((Array.isArray(result) ? result : []).flat() as Row[]);
    });
  });
}

async function readFacts(
  query: Query,
  tls: DatabaseFacts["tls"],
): Promise<DatabaseFacts> {
  // One message for everything. It fails as a whole where one statement does; then each is sent alone.
  const all = await unlessError(
    query(`${FACTS_QUERY}${WRITE_QUERY}${CREATE_QUERY}`),
    (code) => READ_ONLY_ERRORS.includes(code) || DENIED_ERRORS.includes(code),
  );
  const isRefused = async (
    text: string,
    codes: readonly string[],
  ): Promise<boolean> =>
    all === undefined &&
    await unlessError(query(text), (code) => codes.includes(code)) ===
      undefined;
  const rows = all ?? await query(FACTS_QUERY);
  const row = rows.find(({ version }) => version);
  if (row === undefined) {
    throw new ProbeError("protocol", "The server returned no row");
  }
  const text = (column: string): string => String(row[column] ?? "");
  const version = shortText(row["version"]);
  const installed = text("installed") === "1";
  const systemsVersion = text("systems_version");
  return {
    product: /mariadb/i.test(version) ? "MariaDB" : "MySQL",
    version,
    readOnly: await isRefused(WRITE_QUERY, READ_ONLY_ERRORS),
    mayCreateTables: !await isRefused(CREATE_QUERY, DENIED_ERRORS),
    encoding: shortText(row["encoding"]),
    collation: shortText(row["collation"]),
    serverTime: Number(text("server_time")),
    tls,
    hasConfigurations: text("configurations") === "1",
    schema: {
      installed,
      usersHaveTeamId: installed && text("team_id") === "1",
      ...(systemsVersion === "" ? {} : { systemsVersion }),
      migrations: parseRows(text("applied")),
    },
  };
}

/** Tries without waiting, because some servers and proxies limit how long a statement may take. */
async function lock(query: Query, name: string): Promise<"held" | LockHolder> {
  const rows = await query(
    `SET SESSION wait_timeout = ${LONGEST_IDLE}; SELECT GET_LOCK('${name}', 0) AS held`,
  );
  if (rows.some(({ held }) => String(held) === "1")) return "held";
  const [holder] = await query(`
SELECT p.ID AS id, CONCAT_WS(', ', CONCAT('address ', p.HOST), CONCAT('user ', p.USER),
  CONCAT('session ', p.ID), CONCAT('since ',
    DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL p.TIME SECOND, '%Y-%m-%dT%H:%i:%sZ'))) AS description
FROM information_schema.PROCESSLIST p WHERE p.ID = IS_USED_LOCK('${name}')`);
  return {
    description: shortText(holder?.["description"]),
    ...(holder === undefined
      ? {}
      : { terminate: `KILL ${Number(holder["id"])};` }),
  };
}

/** Locks belong to the whole server, so the name includes the database. It may have 64 characters. */
function lockName({ database }: DataSource, name: string): string {
  const digest = hash("sha256", `${database}\0${name}`, "hex");
  return `mattermost-entrypoint-${digest.slice(0, 32)}`;
}
