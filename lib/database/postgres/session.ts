/**
 * A login to PostgreSQL. Only this module imports the driver, which takes time to load, so
 * import it dynamically.
 *
 * @see https://github.com/porsager/postgres
 * @module
 */

import type { Socket } from "node:net";
import type {
  ConnectOptions,
  DatabaseFacts,
  SchemaFacts,
  Session,
} from "../session.ts";
import type { DataSource } from "../data_source.ts";
import { Buffer } from "node:buffer";
import postgres from "postgres";
import { parseRows } from "../../mattermost/migrations.ts";
import { inRange } from "../../release_range.ts";
import { didYouMean } from "../../settings/spelling.ts";
import { classify } from "../classify.ts";
import { APPLICATION, lock, type Query, withSavepoint } from "./lock.ts";
import { readConfiguration, readOtherClients } from "./configurations.ts";
import { type FatalError, postgresProtocol } from "./messages.ts";
import { POSTGRES_PARAMETERS } from "./parameters.ts";
import {
  foreignTables,
  ProbeError,
  shortText,
  unlessError,
} from "../session.ts";
import {
  destroySocket,
  inspectData,
  type LoginOptions,
  otherServer,
  rejectOnClose,
  secureSocket,
  sendLastMessage,
  tlsFacts,
} from "../connection.ts";

/** The message `SSLRequest`. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** The message `Terminate`, which ends a session. */
const TERMINATE = Buffer.from([88, 0, 0, 0, 4]);

/**
 * One row. `to_regclass` follows the search path, as the server's own queries do, and reads
 * only catalogues that a new connection has loaded already.
 */
const FACTS_QUERY = `
SELECT current_setting('server_version') AS version,
  current_setting('transaction_read_only') = 'on' AS read_only,
  pg_is_in_recovery() AS is_standby,
  coalesce(current_schema(), '') AS schema,
  current_setting('search_path') AS search_path,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
  (SELECT relowner::regrole::text FROM pg_class WHERE oid = to_regclass('users')
    AND NOT pg_has_role(relowner, 'USAGE')) AS owner,
  coalesce(has_table_privilege(to_regclass('users'), 'UPDATE'), true) AS may_write,
  pg_encoding_to_char(d.encoding) AS encoding,
  d.datcollate AS collation,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS server_time,
  to_regclass('users') IS NOT NULL
    AND to_regclass('systems') IS NOT NULL AS installed,
  to_regclass('db_migrations') IS NOT NULL AS migrations,
  to_regclass('configurations') IS NOT NULL AS configurations
FROM pg_database d WHERE d.datname = current_database()`;

const SYSTEMS_QUERY =
  "SELECT value AS systems_version FROM systems WHERE name = 'Version'";
const MIGRATIONS_QUERY =
  "SELECT string_agg(version || ' ' || name, ',') AS applied FROM db_migrations";
/** Needed only in databases without the table db_migrations. */
const TEAM_QUERY = `
SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('users')
  AND attname = 'teamid' AND NOT attisdropped) AS team_id`;

/** SQLSTATE `insufficient_privilege`. */
const DENIED = "42501";
/** SQLSTATE `undefined_column`. */
const NO_SUCH_COLUMN = "42703";
/** SQLSTATEs of tables and columns that do not exist, may not be read, or have other types. */
const OTHER_SCHEMA_REGEXP = /^(?:22|42)/;

interface FactsRow {
  readonly version: string;
  readonly read_only: boolean;
  readonly is_standby: boolean;
  readonly schema: string;
  readonly search_path: string;
  readonly owner: string | null;
  readonly may_write: boolean;
  readonly may_create: boolean;
  readonly encoding: string;
  readonly collation: string;
  readonly server_time: number;
  readonly installed: boolean;
  readonly configurations: boolean;
  readonly migrations: boolean;
}

/** A row of any of the other queries about the schema. */
interface SchemaRow {
  readonly systems_version?: string;
  readonly applied?: string | null;
  readonly team_id?: boolean;
}

/**
 * Logs in to PostgreSQL.
 *
 * @param source The database and the login.
 * @param options The connection, and what TLS must prove.
 * @returns The session.
 * @throws {ProbeError} The reason why it failed.
 */
export async function connectPostgres(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  const socket = await openSecureSocket(source, options).catch((error) => {
    throw classify(error, source);
  });
  const closed = rejectOnClose(socket);
  let fatal: FatalError | undefined;
  inspectData(socket, postgresProtocol((error) => fatal = error));
  const client = login(source, socket, options);
  const query: Query = async <Row>(text: string) => {
    try {
      const rows = client.unsafe<(Row & postgres.Row)[]>(text);
      return (await Promise.race([rows, closed])).flat() as Row[];
    } catch (error) {
      const isSent = error instanceof postgres.PostgresError;
      if (isSent || fatal === undefined) {
        throw classify(error, source, isSent ? "sqlStates" : undefined);
      }
      throw classify(
        Object.assign(new Error(fatal.message), { code: fatal.code }),
        source,
        "sqlStates",
      );
    }
  };
  // The driver logs in with its first query, so the facts are queried now.
  let first: DatabaseFacts | undefined;
  let isLocked = false;
  try {
    first = await readFacts(query, socket, options);
    requireAttributes(source, first);
  } catch (error) {
    socket.destroy();
    throw withSuggestion(error);
  }
  /** A statement that fails must not end the transaction of the lock. */
  const safe = (): Query => isLocked ? withSavepoint(query) : query;
  return {
    async facts() {
      const facts = first ?? await readFacts(safe(), socket, options);
      first = undefined;
      return facts;
    },
    configuration: () => readConfiguration(safe()),
    otherClients: () => readOtherClients(safe()),
    async lock(name, host) {
      first = undefined;
      const result = await lock(query, name, host);
      isLocked ||= result === "held";
      return result;
    },
    async close() {
      await sendLastMessage(socket, TERMINATE);
      await destroySocket(socket);
    },
  };
}

async function openSecureSocket(
  source: DataSource,
  { opening, tls }: LoginOptions,
): Promise<Socket> {
  const socket = await opening;
  if (tls === undefined) return socket;
  const answer = await requestTls(socket);
  const letter = answer.toString("latin1");
  if (letter === "S") return await secureSocket(socket, source.host, tls);
  socket.destroy();
  throw letter === "N" ? new ProbeError("no TLS", "") : otherServer(answer);
}

/**
 * Reads the answer to `SSLRequest`, which is one letter. The caller refuses a longer answer,
 * because the rest may come from an attacker on the network
 * (https://www.postgresql.org/support/security/CVE-2021-23222/).
 */
function requestTls(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", onClose);
    socket.once("data", (answer) => {
      socket.off("error", reject);
      socket.off("close", onClose);
      socket.pause();
      resolve(Buffer.from(answer));
    });
    socket.write(SSL_REQUEST);
    function onClose(): void {
      reject(new ProbeError("protocol", "The server closed the connection"));
    }
  });
}

function login(
  source: DataSource,
  socket: Socket,
  { unknownParameter }: Pick<ConnectOptions, "unknownParameter">,
): postgres.Sql {
  let isTaken = false;
  const options = {
    // Lists and a function: the driver would replace plain values by PG… variables.
    host: [source.host],
    port: [source.port],
    user: source.user,
    pass: () => source.password,
    database: source.database,
    connection: {
      application_name: APPLICATION,
      ...driverParameters(source),
      ...source.sessionParameters,
      ...(unknownParameter === undefined ? {} : { [unknownParameter]: "1" }),
    },
    ssl: false,
    sslnegotiation: null,
    max: 1,
    max_pipeline: 100,
    keep_alive: 60,
    publications: "",
    prepare: false,
    fetch_types: false,
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    backoff: false,
    debug: false,
    no_subscribe: true,
    target_session_attrs: null,
    onnotice: () => {},
    socket(): Socket {
      // The driver would connect again after the server has closed the connection.
      if (isTaken) {
        throw new ProbeError("protocol", "The server closed the connection");
      }
      isTaken = true;
      return socket;
    },
  };
  return postgres(options as unknown as postgres.Options<never>);
}

/** What lib/pq before 1.11 sends in every login; https://github.com/lib/pq/blob/v1.10.9/connector.go. */
function driverParameters(
  { driver }: DataSource,
): Readonly<Record<string, string>> {
  return driver !== undefined && inRange(driver, "<1.11.0")
    ? { extra_float_digits: "2" }
    : {};
}

/** Checks what the data source requires of the server, as lib/pq does after the login. */
function requireAttributes(
  { targetSessionAttrs: wanted = "any" }: DataSource,
  { readOnly, isStandby = false }: DatabaseFacts,
): void {
  const isWanted = {
    any: true,
    "read-write": !readOnly,
    "read-only": readOnly,
    primary: !isStandby,
    standby: isStandby,
    "prefer-standby": isStandby,
  }[wanted];
  if (isWanted) return;
  throw readOnly
    ? new ProbeError("read-only", `target_session_attrs is ${wanted}`)
    : new ProbeError(
      "parameter",
      `target_session_attrs is ${wanted}, but this is a primary server`,
    );
}

/** The name of a parameter in the server's message. */
const PARAMETER_REGEXP = /\bparameter "([^"]+)"/;

/** Adds the name that a misspelt parameter probably has. */
function withSuggestion(error: unknown): unknown {
  if (!(error instanceof ProbeError) || error.reason !== "parameter") {
    return error;
  }
  const { reason, message, code } = error;
  const [, name = ""] = PARAMETER_REGEXP.exec(message) ?? [];
  const suggestion = didYouMean(
    name,
    POSTGRES_PARAMETERS.filter((each) => each !== name),
  );
  return suggestion === undefined
    ? error
    : new ProbeError(reason, `${message}. ${suggestion}`, code);
}

async function readFacts(
  query: Query,
  socket: Socket,
  { expectsTables = false }: Pick<ConnectOptions, "expectsTables">,
): Promise<DatabaseFacts> {
  const rows = expectsTables ? await readAll(query) : undefined;
  const [row] = rows ?? await query<FactsRow>(FACTS_QUERY);
  if (row === undefined) {
    throw new ProbeError("protocol", "The server returned no row");
  }
  const { schema, search_path: searchPath } = row;
  const owner = shortText(row.owner);
  return {
    product: "PostgreSQL",
    version: shortText(row.version),
    readOnly: row.read_only,
    isStandby: row.is_standby,
    place: {
      schema: shortText(schema),
      searchPath: shortText(searchPath),
      ...(owner === "" ? {} : { owner, mayWrite: row.may_write }),
    },
    mayCreateTables: row.may_create,
    encoding: shortText(row.encoding),
    collation: shortText(row.collation),
    serverTime: Number(row.server_time),
    tls: tlsFacts(socket),
    hasConfigurations: row.configurations,
    schema: !row.installed
      ? NOTHING_INSTALLED
      : rows === undefined
      ? await readSchema(query, row.migrations).catch((error) => {
        const isDenied = error instanceof ProbeError && error.code === DENIED;
        throw isDenied && owner !== "" ? foreignTables(owner) : error;
      })
      : schemaOf(rows),
  };
}

/** Queries everything in one message. It fails as a whole where one of the tables is not Mattermost's. */
async function readAll(
  query: Query,
): Promise<readonly (FactsRow & SchemaRow)[] | undefined> {
  const text = [FACTS_QUERY, SYSTEMS_QUERY, MIGRATIONS_QUERY].join(";");
  return await unlessError(
    query<FactsRow & SchemaRow>(text),
    (code) => OTHER_SCHEMA_REGEXP.test(code),
  );
}

const NOTHING_INSTALLED: SchemaFacts = {
  installed: false,
  migrations: [],
  usersHaveTeamId: false,
};

async function readSchema(
  query: Query,
  migrations: boolean,
): Promise<SchemaFacts> {
  const more = migrations ? MIGRATIONS_QUERY : TEAM_QUERY;
  const rows = await unlessError(
    query<SchemaRow>(`${SYSTEMS_QUERY}; ${more}`),
    (code) => code === NO_SUCH_COLUMN,
  );
  if (rows !== undefined) return schemaOf(rows);
  // Another program's table has the name of one of Mattermost's.
  return migrations ? await readSchema(query, false) : NOTHING_INSTALLED;
}

function schemaOf(rows: readonly SchemaRow[]): SchemaFacts {
  const { systems_version: systemsVersion } =
    rows.find((row) => row.systems_version) ?? {};
  const { applied } = rows.find((row) => row.applied) ?? {};
  return {
    installed: true,
    usersHaveTeamId: rows.some(({ team_id }) => team_id),
    ...(systemsVersion ? { systemsVersion } : {}),
    migrations: parseRows(applied ?? ""),
  };
}
