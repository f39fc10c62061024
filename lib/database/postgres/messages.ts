/**
 * Checks the messages of PostgreSQL before the driver reads them. The driver searches for
 * the end of a column's name beyond the end of the message, and throws on a malformed
 * login where no caller can catch it: either could end the program, or keep it busy for
 * ever.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 * @see https://www.rfc-editor.org/rfc/rfc5802
 * @module
 */

import type { Protocol } from "../connection.ts";
import { Buffer } from "node:buffer";
import { LONGEST_MESSAGE, malformedPacket, ProbeError } from "../session.ts";

/** Bytes before the content of a message: its type and its length. */
const HEAD = 5;
/** Bytes after the name of a column in a row description. */
const COLUMN_FACTS = 18;

/** Whether the content of an authentication request that the driver answers is valid, by the request's number. */
const PASSWORD_REQUESTS: Readonly<
  Record<number, (content: string) => boolean>
> = {
  0: (content) => content === "",
  3: (content) => content === "",
  5: (salt) => salt.length === 4,
  10: (names) => names.endsWith("\0"),
  11: (text) => /^r=[^,]+,s=[A-Za-z0-9+/]+=*,i=[1-9]\d{0,6}(?:,|$)/.test(text),
  12: (text) => text.startsWith("v="),
};

/** Authentication methods that Mattermost does not support, by the request's number. */
const OTHER_REQUESTS: Readonly<Record<number, string>> = {
  2: "Kerberos V5",
  7: "GSSAPI",
  9: "SSPI",
};

/** Types of messages: `R`, an authentication request, `T`, a row description, and `E`, an error. */
const [REQUEST, ROWS, ERROR] = [0x52, 0x54, 0x45];
/** Types of the other expected messages, all of which the driver parses safely. */
const SAFE_TYPES: ReadonlySet<number | undefined> = new Set(
  Buffer.from("ACDEIKNSZv"),
);

/** An error that ends the session, as the server sends it. */
export interface FatalError {
  /** The SQLSTATE. */
  readonly code: string;
  /** The text. */
  readonly message: string;
}

/**
 * Passes only whole and valid messages to the driver.
 *
 * @param onFatal Called with each error that ends the session: during a query the driver loses it.
 * @returns The checks.
 */
export function postgresProtocol(
  onFatal: (error: FatalError) => void,
): Protocol {
  return {
    isGreeting,
    wholeMessages: (bytes) => wholeMessages(bytes, onFatal),
  };
}

/** The first message is an authentication request or an error; the limits are those of libpq. */
function isGreeting(head: Buffer): boolean {
  const length = head.readUInt32BE(1);
  const type = String.fromCharCode(head[0] ?? 0);
  return type === "R" && length >= 8 && length <= 2000 ||
    (type === "E" || type === "v") && length >= 8 && length <= 30_000;
}

/** Number of bytes at the beginning that are whole messages, or the error in one of them. */
function wholeMessages(
  bytes: Buffer,
  onFatal: (error: FatalError) => void,
): number | ProbeError {
  let size = 0;
  while (bytes.length - size >= HEAD) {
    const length = bytes.readUInt32BE(size + 1);
    if (length < HEAD - 1 || length > LONGEST_MESSAGE) return malformedPacket();
    const end = size + 1 + length;
    if (end > bytes.length) break;
    // The content of most messages needs no check.
    if (!SAFE_TYPES.has(bytes[size])) {
      const error = messageError(bytes.subarray(size, end));
      if (error !== undefined) return error;
    }
    const fatal = fatalError(bytes.subarray(size, end));
    if (fatal !== undefined) onFatal(fatal);
    size = end;
  }
  return size;
}

/** Reads an error; each of its fields is a letter and a text that ends with a zero byte. */
function fatalError(message: Buffer): FatalError | undefined {
  if (message[0] !== ERROR) return undefined;
  const fields: Record<string, string> = {};
  for (const field of message.toString("utf8", HEAD).split("\0")) {
    fields[field.charAt(0)] = field.slice(1);
  }
  // `V` is never translated, and unknown to PostgreSQL 9.5 and to some poolers.
  const { S = "", V = S, C: code = "", M: text = "" } = fields;
  return ["FATAL", "PANIC"].includes(V) ? { code, message: text } : undefined;
}

function messageError(message: Buffer): ProbeError | undefined {
  if (message[0] === REQUEST) return requestError(message);
  return message[0] === ROWS && isRowDescription(message)
    ? undefined
    : malformedPacket();
}

function requestError(message: Buffer): ProbeError | undefined {
  if (message.length < HEAD + 4) return malformedPacket();
  const number = message.readUInt32BE(HEAD);
  const method = OTHER_REQUESTS[number];
  if (method !== undefined) {
    return new ProbeError(
      "method",
      `pg_hba.conf requires ${method} for this login, but Mattermost needs a password method such as scram-sha-256`,
    );
  }
  const content = message.toString("latin1", HEAD + 4);
  return PASSWORD_REQUESTS[number]?.(content) === true
    ? undefined
    : malformedPacket();
}

/** Whether each column has a name that ends, and its facts, and nothing follows the last one. */
function isRowDescription(message: Buffer): boolean {
  if (message.length < HEAD + 2) return false;
  let offset = HEAD + 2;
  for (let left = message.readUInt16BE(HEAD); left > 0; left--) {
    const end = message.indexOf(0, offset);
    if (end < 0) return false;
    offset = end + 1 + COLUMN_FACTS;
  }
  return offset === message.length;
}
