/**
 * What is asked of a database before the server starts, and how the answer
 * looks, whatever the product: implemented once for each driver.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { DataSource } from "./data_source.ts";
import { REASONS } from "./reasons.ts";

/** A database that cannot be used, and why. Its text holds no secret. */
export class ProbeError extends Error {
  /** The kind of failure. */
  readonly reason: Reason;
  /** The system's code, the SQLSTATE of PostgreSQL or the error number of MySQL. */
  readonly code: string | undefined;

  /**
   * Says what is wrong.
   *
   * @param reason The kind of failure.
   * @param detail What the server or the system said, in one line; may be empty.
   * @param code What it is called there.
   */
  constructor(reason: Reason, detail: string, code?: string) {
    super(detail);
    this.reason = reason;
    this.code = code;
  }

  /** Whether it may pass by itself. */
  get healable(): boolean {
    return REASONS[this.reason].healable;
  }

  /** The name that a stack trace shows. */
  override get name(): string {
    return "ProbeError";
  }
}

/** Bytes of the longest message that can answer a question of ours, in either protocol. */
export const LONGEST_ANSWER = 1_000_000;

/**
 * The error for an answer that does not follow the protocol.
 *
 * @returns The error.
 */
export function malformedPacket(): ProbeError {
  return new ProbeError("protocol", "The answer is malformed");
}

/** What the tables tell about the Mattermost that made them. */
export interface SchemaFacts {
  /** Whether Mattermost's own tables exist; tables of others do not count. */
  readonly installed: boolean;
  /** Row `Version` of the table Systems: the schema's release up to 7.0, absent in databases born later. */
  readonly systemsVersion?: string;
  /** The highest number in the table db_migrations, which exists from 6.0 on. */
  readonly lastMigration?: number;
  /** Whether users belong to one team, as they did before 3.0. */
  readonly usersHaveTeamId: boolean;
}

/** The encryption of a connection. */
export interface TlsFacts {
  /** Such as `TLSv1.3`, where the runtime tells. */
  readonly protocol?: string;
  /** When the server's certificate expires, in milliseconds since the epoch, where the runtime tells. */
  readonly certificateExpires?: number;
}

/** What a database says about itself. */
export interface DatabaseFacts {
  /** What the server is, whatever the adapter is called. */
  readonly product: "PostgreSQL" | "MySQL" | "MariaDB";
  /** As the server spells it. */
  readonly version: string;
  /** Whether this login cannot write: a standby, or a server set so. */
  readonly readOnly: boolean;
  /** Whether this login may create tables where Mattermost would; not known while read-only, and then true. */
  readonly mayCreateTables: boolean;
  /** Character set of the database. */
  readonly encoding: string;
  /** Sort order of the database. */
  readonly collation: string;
  /** Milliseconds since the epoch. */
  readonly serverTime: number;
  /** How the connection is encrypted, `false` where it is not. */
  readonly tls: TlsFacts | false;
  /** What Mattermost has left in the database. */
  readonly schema: SchemaFacts;
}

/** A login. It ends with {@linkcode Session.close} or with the signal given to {@linkcode Connect}. */
export interface Session {
  /**
   * Asks for everything at once.
   *
   * @throws {ProbeError}
   */
  facts(): Promise<DatabaseFacts>;

  /**
   * Takes a lock that only one session of this database can hold; it is given back
   * when the connection ends, so a holder that crashed blocks nobody.
   *
   * @param name The lock.
   * @param seconds How long to wait for another holder; 0 tries once.
   * @returns Whether it is held now.
   * @throws {ProbeError}
   */
  lock(name: string, seconds: number): Promise<boolean>;

  /** Ends the connection, and with it all locks. Never throws. */
  close(): Promise<void>;
}

/** Options of {@linkcode Connect}. */
export interface ConnectOptions {
  /** Ends the attempt, and later the session, at once. It is the only time limit. */
  readonly signal: AbortSignal;
  /** PEM texts of the authorities to trust instead of the runtime's own. */
  readonly ca?: readonly string[];
  /** Whether a server's tables are likely to be there: then they are asked at once, else only when they were found. */
  readonly isUsed?: boolean;
}

/**
 * An answer that may be one of some errors.
 *
 * @param asked The answer to come.
 * @param isOne Whether it is one of them, by its {@linkcode ProbeError.code}.
 * @returns The answer; `undefined` for one of the errors.
 * @throws {ProbeError} Any other error.
 */
export async function unless<Answer>(
  asked: Promise<Answer>,
  isOne: (code: string) => boolean,
): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ProbeError && isOne(error.code ?? "")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Logs in.
 *
 * @throws {ProbeError} Why it did not work; or the signal's reason.
 */
export type Connect = (
  source: DataSource,
  options: ConnectOptions,
) => Promise<Session>;
