/**
 * What a login to a database offers before the server starts, the same for each product.
 * Each driver has one implementation.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { DataSource } from "./data_source.ts";
import { ExitCode } from "../errors.ts";
import type { Migration } from "../mattermost/migrations.ts";
import { oneLine } from "../printable.ts";
import { REASONS } from "./reasons.ts";

/** The reason why a database cannot be used. Its text holds no secret. */
export class ProbeError extends Error {
  /** The kind of failure. */
  readonly reason: Reason;
  /** The system's code, the SQLSTATE of PostgreSQL or the error number of MySQL. */
  readonly code: string | undefined;
  /** What the remedy is about: the address of this host, a role or a schema. */
  readonly subject: string | undefined;

  /**
   * Makes the error.
   *
   * @param reason The kind of failure.
   * @param detail The message of the server or of the system, in one line; may be empty.
   * @param code The code of the server or of the system.
   * @param subject What the remedy is about.
   */
  constructor(
    reason: Reason,
    detail: string,
    code?: string,
    subject?: string,
  ) {
    super(detail);
    this.reason = reason;
    this.code = code;
    this.subject = subject;
  }

  /** Whether the reason can pass without the operator, so that waiting can help. */
  get isTemporary(): boolean {
    return REASONS[this.reason].exitCode === ExitCode.unavailable;
  }

  /** The name that a stack trace shows. */
  override get name(): string {
    return "ProbeError";
  }
}

/**
 * Bytes of the longest configuration that a server stores: `MaxWriteLength` in
 * https://github.com/mattermost/mattermost/blob/v11.6.0/server/config/database.go
 */
export const LONGEST_CONFIG: number = 4 * 1024 * 1024;

/** Bytes of the longest message that is accepted from a server, in either protocol: the row of such a configuration. */
export const LONGEST_MESSAGE: number = LONGEST_CONFIG + 10_000;

/**
 * The error for a message that does not follow the protocol.
 *
 * @returns The error.
 */
export function malformedPacket(): ProbeError {
  return new ProbeError("protocol", "The server's message is malformed");
}

/**
 * The error for tables that another role owns, as after a dump was restored by the administrator.
 *
 * @param owner The role.
 * @returns The error.
 */
export function foreignTables(owner: string): ProbeError {
  return new ProbeError(
    "foreign tables",
    `They belong to the role ${owner}`,
    undefined,
    owner,
  );
}

/** Characters of a text in the answer of a server. */
const LONGEST_TEXT = 200;

/**
 * Makes a short line of a value in the answer of a server, which may be anything.
 *
 * @param value The value.
 * @returns The text; empty for no value.
 */
export function shortText(value: unknown): string {
  return oneLine(String(value ?? ""), LONGEST_TEXT);
}

/** What Mattermost has left in the database. Tables of other programs do not count. */
export interface SchemaFacts {
  /** Whether Mattermost's own tables exist. */
  readonly installed: boolean;
  /** Row `Version` of the table Systems: the schema's release up to 7.0, absent in newer installations. */
  readonly systemsVersion?: string;
  /** The rows of the table db_migrations, which exists from 6.4 on, by number; else none. */
  readonly migrations: readonly Migration[];
  /** Whether the table Users has the column TeamId, which the migration to 3.0 drops. */
  readonly usersHaveTeamId: boolean;
}

/** The encryption of a connection. */
export interface TlsFacts {
  /** Such as `TLSv1.3`; absent where the runtime does not report it. */
  readonly protocol?: string;
  /** Expiry of the server's certificate in milliseconds since the epoch; absent where the runtime does not report it. */
  readonly certificateExpires?: number;
}

/** What a database reports about itself. */
export interface DatabaseFacts {
  /** The product of the server; the adapter does not tell MySQL from MariaDB. */
  readonly product: "PostgreSQL" | "MySQL" | "MariaDB";
  /** The version as the server writes it. */
  readonly version: string;
  /** Whether this login cannot write: the server is a standby, or is configured so. */
  readonly readOnly: boolean;
  /** Whether the server only follows another one; PostgreSQL only. */
  readonly isStandby?: boolean;
  /** Whether this login has the privilege to create tables where Mattermost would. */
  readonly mayCreateTables: boolean;
  /** Where Mattermost's tables are or would be created; PostgreSQL only. */
  readonly place?: {
    /** The first schema of the search path that exists and may be used; empty for none. */
    readonly schema: string;
    /** The search path, as the server shows it. */
    readonly searchPath: string;
    /** The role that owns Mattermost's tables, if this login is neither that role nor a member of it. */
    readonly owner?: string;
    /** Whether this login may write to the tables of that role. */
    readonly mayWrite?: boolean;
  };
  /** Character set of the database. */
  readonly encoding: string;
  /** Sort order of the database. */
  readonly collation: string;
  /** The server's clock, in milliseconds since the epoch. */
  readonly serverTime: number;
  /** How the connection is encrypted; `false` where it is not. */
  readonly tls: TlsFacts | false;
  /** What Mattermost has left in the database. */
  readonly schema: SchemaFacts;
  /** Whether there is a table for configurations, which a server makes that keeps its own in the database. */
  readonly hasConfigurations: boolean;
}

/**
 * The error for a text that no server has stored, which would be too long for a message.
 *
 * @returns The error.
 */
export function longConfiguration(): ProbeError {
  return new ProbeError(
    "server error",
    `The active row of the table configurations has more than ${LONGEST_CONFIG} bytes, which no server stores`,
  );
}

/** The configuration that a server has stored in the database. */
export interface StoredConfig {
  /** Its id; each save makes a new one. */
  readonly id: string;
  /** The text, which should be JSON. */
  readonly text: string;
  /** When it was saved, in milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Values of a column that PostgreSQL refuses or treats in another way. */
export interface ValueProblem {
  /** `long`: more characters than PostgreSQL's column takes; `nul`: JSON with the character 0; `capitals`: a name with capitals, which MySQL compares without regard to letter case. */
  readonly kind: "long" | "nul" | "capitals";
  /** The table. */
  readonly table: string;
  /** The column. */
  readonly column: string;
  /** The characters that PostgreSQL's column takes; 0 for the other kinds. */
  readonly limit: number;
  /** How many rows have such a value. */
  readonly count: number;
  /** The statement that corrects the values, or shows them where only a person can decide. */
  readonly statement: string;
}

/** What a move of the data to PostgreSQL depends on. */
export interface Survey {
  /** The authentication plugin of this login; absent if the server does not name it. */
  readonly plugin?: string;
  /** The columns of all tables, with the character set of texts; empty for others. */
  readonly columns: readonly {
    readonly table: string;
    readonly name: string;
    readonly charset: string;
  }[];
  /** The values that need attention. */
  readonly values: readonly ValueProblem[];
  /** The tables that could not be read to their end in a short time, and the query that counts their values. */
  readonly unread: readonly {
    readonly table: string;
    readonly query: string;
  }[];
}

/** The holder of a lock, with what the database reveals about it. */
export interface LockHolder {
  /** One line: the program, its address, the user, the number of the session, and since when. Empty if nothing is known, as after the end of the holder. */
  readonly description: string;
  /** The statement with which the same user can end the holder's session. */
  readonly terminate?: string;
}

/** A login. It ends with {@linkcode Session.close}, or when the signal given to {@linkcode Connect} aborts. */
export interface Session {
  /**
   * Queries all facts at once.
   *
   * @throws {ProbeError} Where the database fails.
   */
  facts(): Promise<DatabaseFacts>;

  /**
   * Reads the configuration that a server has stored in this database.
   *
   * @returns The active one; `undefined` if there is none.
   * @throws {ProbeError} Where the database fails, or the login may not read it.
   */
  configuration(): Promise<StoredConfig | undefined>;

  /**
   * Lists the addresses of other clients that may be Mattermost servers: the same user is
   * connected to this database from there. Behind a pooler all have the pooler's address.
   *
   * @throws {ProbeError} Where the database fails.
   */
  otherClients(): Promise<readonly string[]>;

  /**
   * Reads what a move to PostgreSQL depends on; MySQL and MariaDB only. It takes some seconds at most.
   *
   * @throws {ProbeError} Where the connection fails.
   */
  survey?(): Promise<Survey>;

  /**
   * Tries once to take a lock that only one session of this database can hold. The server
   * releases it when the connection ends, so a holder that crashed blocks no other.
   *
   * @param name The name of the lock.
   * @param host The host that the database is to name as the holder's; may be empty.
   * @returns `held` if this session holds the lock now; else who holds it. `unsupported` where a pooler makes locks impossible; then the session has ended.
   * @throws {ProbeError} Where the database fails.
   */
  lock(
    name: string,
    host: string,
  ): Promise<"held" | "unsupported" | LockHolder>;

  /** Ends the connection, and with it all locks. Never throws. */
  close(): Promise<void>;
}

/** The codes with which a database refuses an unknown parameter: SQLSTATE 42704, and MySQL's error 1193. */
export const UNKNOWN_PARAMETER_CODES: readonly string[] = ["42704", "1193"];

/** Options of {@linkcode Connect}. */
export interface ConnectOptions {
  /** Ends the attempt, and later the session, at once. It is the only time limit. */
  readonly signal: AbortSignal;
  /** PEM texts of the certificate authorities to trust instead of the runtime's own. */
  readonly ca?: readonly string[];
  /** The client's certificate and its key in PEM, for PostgreSQL. */
  readonly client?: { readonly cert: string; readonly key: string };
  /**
   * The name of a parameter of the session that no database has. The login then fails with
   * {@linkcode UNKNOWN_PARAMETER_CODES}, after the password has been accepted.
   */
  readonly unknownParameter?: string;
  /** Whether Mattermost's tables probably exist: then one message queries them together with the rest. */
  readonly expectsTables?: boolean;
}

/**
 * Awaits a query, and replaces expected errors by `undefined`.
 *
 * @param query The query.
 * @param isExpected Whether an error with this {@linkcode ProbeError.code} is expected.
 * @returns The result; `undefined` for an expected error.
 * @throws {ProbeError} Any other error.
 */
export async function unlessError<Result>(
  query: Promise<Result>,
  isExpected: (code: string) => boolean,
): Promise<Result | undefined> {
  try {
    return await query;
  } catch (error) {
    if (error instanceof ProbeError && isExpected(error.code ?? "")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Logs in.
 *
 * @throws {ProbeError} The reason why it failed; or the signal's reason.
 */
export type Connect = (
  source: DataSource,
  options: ConnectOptions,
) => Promise<Session>;
