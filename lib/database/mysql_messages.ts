/**
 * The messages of MySQL and MariaDB, as far as a login and a few questions need them.
 * Bytes come in and bytes go out; what is sent when is the matter of `mysql_login.ts`.
 *
 * @see "MySQL Internals, Client/Server Protocol", and "Clientserver Protocol" in
 * MariaDB's documentation
 * @module
 */

import type { Language } from "./socket.ts";
import { Buffer } from "node:buffer";
import { garbled, LONGEST_ANSWER, ProbeError } from "./probe.ts";

/** Bytes before the content of a packet: its length and its number. */
export const HEAD = 4;
/** Bytes of the longest greeting; it holds a version and the name of a plugin. */
const LONGEST_GREETING = 4096;
/** The protocol of all servers since 3.21. */
const PROTOCOL = 10;

/** First bytes of packets that are no rows. */
export const Mark = {
  ok: 0x00,
  /** More of the login, as its authentication plugin has it. */
  more: 0x01,
  /** The end of a list, or a switch to another authentication plugin. */
  end: 0xfe,
  error: 0xff,
} as const;
/** Bytes of the longest packet that ends a list; a row that begins alike has more. */
const LONGEST_END = 8;

/** What client and server can do. */
const Capability = {
  longPassword: 0x1,
  longFlag: 0x4,
  database: 0x8,
  protocol41: 0x200,
  tls: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  multiStatements: 0x1_0000,
  multiResults: 0x2_0000,
  pluginAuth: 0x8_0000,
  attributes: 0x10_0000,
} as const;
/** Without these there is no login; servers have them since MySQL 5.5.7 and MariaDB 5.2. */
const NEEDED = Capability.protocol41 | Capability.secureConnection |
  Capability.pluginAuth | Capability.multiStatements;
const WANTED = NEEDED | Capability.longPassword | Capability.longFlag |
  Capability.database | Capability.transactions | Capability.multiResults |
  Capability.attributes;

/** Bytes of the longest packet that we take, as we tell the server. */
const PACKET_LIMIT = 0x100_0000;
/** `utf8mb4_unicode_ci`, which all servers know. */
const COLLATION = 224;
/** Bytes that are kept free in a request for a login. */
const RESERVED = 23;
/** What the server lists about us in its table of sessions. */
const ATTRIBUTES = { program_name: "mattermost-entrypoint" };

/** In the status of a result: another one follows. */
const MORE_RESULTS = 0x8;
/** The number of a question. */
const QUERY = 0x03;
/** The packet that ends a session. */
export const QUIT: Uint8Array = Buffer.from([1, 0, 0, 0, 1]);

/** Gives whole packets only. */
export const MYSQL_LANGUAGE: Language = {
  isGreeting,
  measure: sizeOfWhole,
};

/** The first packet has number 0, and holds the protocol or an error. */
function isGreeting(head: Buffer): boolean {
  const length = head.readUIntLE(0, 3);
  return length >= 4 && length <= LONGEST_GREETING && head[3] === 0 &&
    (head[HEAD] === PROTOCOL || head[HEAD] === Mark.error);
}

/** How many bytes at the beginning are whole packets, or what is wrong with one of them. */
function sizeOfWhole(bytes: Buffer): number | ProbeError {
  let size = 0;
  while (bytes.length - size >= HEAD) {
    const length = bytes.readUIntLE(size, 3);
    if (length === 0 || length > LONGEST_ANSWER) return garbled();
    if (size + HEAD + length > bytes.length) break;
    size += HEAD + length;
  }
  return size;
}

/** What stands in a packet, read one after the other. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  /**
   * Begins at the first byte.
   *
   * @param bytes The content of a packet.
   */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * Takes bytes.
   *
   * @param length How many.
   * @returns They.
   * @throws {ProbeError} Where there are less.
   */
  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw garbled();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /**
   * Reads a number, the lowest byte first.
   *
   * @param size Its bytes, up to 6.
   * @returns The number.
   * @throws {ProbeError} Where there is none.
   */
  number(size: number): number {
    return this.take(size).readUIntLE(0, size);
  }

  /**
   * Reads a text that ends with a zero.
   *
   * @returns The text.
   * @throws {ProbeError} Where it has no end.
   */
  name(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw garbled();
    const text = this.take(end - this.#at).toString();
    this.#at = end + 1;
    return text;
  }

  /**
   * Reads a number that tells how long it is itself.
   *
   * @returns The number; `undefined` for NULL.
   * @throws {ProbeError} Where there is none, or one with more bytes than any answer has.
   */
  count(): number | undefined {
    const first = this.number(1);
    if (first < 0xfb) return first;
    if (first === 0xfb) return undefined;
    if (first > 0xfd) throw garbled();
    return this.number(first === 0xfc ? 2 : 3);
  }

  /**
   * Reads a text behind its length.
   *
   * @returns The text; `null` for NULL.
   * @throws {ProbeError} Where there is none.
   */
  text(): string | null {
    const length = this.count();
    return length === undefined ? null : this.take(length).toString();
  }

  /**
   * Takes all that is left.
   *
   * @returns The bytes, which may be none.
   */
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }
}

/** How a server introduces itself. */
export interface Greeting {
  /** What it can do. */
  readonly capabilities: number;
  /** Random bytes, so that no two logins look alike. */
  readonly salt: Buffer;
  /** The authentication plugin that accounts have by default. */
  readonly plugin: string;
}

/**
 * Reads the first packet of a server.
 *
 * @param packet Its content.
 * @returns What it says.
 * @throws {ProbeError} Where it is garbled, or comes from a server that is too old for a login.
 */
export function readGreeting(packet: Buffer): Greeting {
  const fields = new Fields(packet);
  fields.take(1);
  fields.name(); // The version, which the facts tell better.
  fields.take(4); // The number of the session.
  const salt = fields.take(8);
  fields.take(1);
  const low = fields.number(2);
  fields.take(3); // The character set, and the status.
  const capabilities = low + 0x1_0000 * fields.number(2);
  const length = fields.number(1);
  fields.take(10);
  if ((capabilities & NEEDED) !== NEEDED) {
    throw new ProbeError("protocol", "The server is too old for a login");
  }
  // The rest of it, and a zero.
  const more = fields.take(Math.max(13, length - 8)).subarray(0, 12);
  return {
    capabilities,
    salt: Buffer.concat([salt, more]),
    plugin: fields.name(),
  };
}

/**
 * Tells whether a server encrypts.
 *
 * @param greeting How it introduced itself.
 * @returns Whether it does.
 */
export function offersTls({ capabilities }: Greeting): boolean {
  return (capabilities & Capability.tls) !== 0;
}

/** A request for a login. */
export interface LoginRequest {
  /** Whether the connection is, or is to be, encrypted. */
  readonly encrypted: boolean;
  /** Who. */
  readonly user: string;
  /** To which database. */
  readonly database: string;
  /** By which authentication plugin. */
  readonly plugin: string;
  /** What the plugin has to say. */
  readonly answer: Buffer;
}

/**
 * Makes a request for a login.
 *
 * @param greeting How the server introduced itself.
 * @param request Who wants to log in.
 * @returns The content of the packet; its beginning asks for encryption, see {@linkcode tlsRequest}.
 */
export function loginRequest(
  greeting: Greeting,
  { encrypted, user, database, plugin, answer }: LoginRequest,
): Buffer {
  const attributes = Buffer.concat(
    Object.entries(ATTRIBUTES).flat().map((text) => counted(Buffer.from(text))),
  );
  return Buffer.concat([
    requestHead(greeting, encrypted),
    named(user),
    counted(answer),
    named(database),
    named(plugin),
    (greeting.capabilities & Capability.attributes) === 0
      ? Buffer.alloc(0)
      : counted(attributes),
  ]);
}

/**
 * Asks for encryption, before who wants to log in is said.
 *
 * @param greeting How the server introduced itself.
 * @returns The content of the packet.
 */
export function tlsRequest(greeting: Greeting): Buffer {
  return requestHead(greeting, true);
}

function requestHead({ capabilities }: Greeting, encrypted: boolean): Buffer {
  const head = Buffer.alloc(4 + 4 + 1 + RESERVED);
  const tls = encrypted ? Capability.tls : 0;
  head.writeUInt32LE(capabilities & WANTED | tls, 0);
  head.writeUInt32LE(PACKET_LIMIT, 4);
  head[8] = COLLATION;
  return head;
}

function named(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Of less than 251 bytes, as all that we have to say. */
function counted(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/**
 * Makes a question.
 *
 * @param text Statements.
 * @returns The content of the packet.
 */
export function question(text: string): Buffer {
  return Buffer.concat([Buffer.of(QUERY), Buffer.from(text)]);
}

/**
 * Reads why a server refuses something.
 *
 * @param packet A packet that begins with {@linkcode Mark.error}.
 * @returns An error with the server's number as its `errno`.
 * @throws {ProbeError} Where it is garbled.
 */
export function readError(packet: Buffer): Error & { readonly errno: number } {
  const fields = new Fields(packet);
  fields.take(1);
  const errno = fields.number(2);
  const text = fields.rest().toString();
  // An SQLSTATE, which is there once the server knows who asks.
  const message = text.replace(/^#.{5}/s, "");
  return Object.assign(new Error(message), { errno });
}

/**
 * Tells whether a packet ends a list.
 *
 * @param packet Its content.
 * @returns Whether it does.
 */
export function isEnd(packet: Buffer): boolean {
  return packet[0] === Mark.end && packet.length <= LONGEST_END;
}

/**
 * Tells whether another result follows.
 *
 * @param packet The last packet of a result: {@linkcode Mark.ok} or the end of its rows.
 * @returns Whether one does.
 * @throws {ProbeError} Where it is garbled.
 */
export function hasMore(packet: Buffer): boolean {
  const fields = new Fields(packet);
  if (fields.number(1) === Mark.ok) {
    fields.count(); // Rows that changed.
    fields.count(); // The last number that was given.
  } else {
    fields.take(2); // Warnings.
  }
  return (fields.number(2) & MORE_RESULTS) !== 0;
}

/**
 * Reads what a column is called.
 *
 * @param packet The description of the column.
 * @returns Its name.
 * @throws {ProbeError} Where it is garbled.
 */
export function columnName(packet: Buffer): string {
  const fields = new Fields(packet);
  // Before it: catalogue, database, and the table by both of its names.
  for (let left = 4; left > 0; left--) fields.text();
  return fields.text() ?? "";
}

/** A row: what each column holds, as text. */
export type TextRow = Readonly<Record<string, string | null>>;

/**
 * Reads a row.
 *
 * @param packet Its content.
 * @param columns The names of the columns.
 * @returns The row.
 * @throws {ProbeError} Where it is garbled.
 */
export function readRow(packet: Buffer, columns: readonly string[]): TextRow {
  const fields = new Fields(packet);
  return Object.fromEntries(columns.map((name) => [name, fields.text()]));
}
