/**
 * The messages of PostgreSQL, looked at before its driver reads them: it looks for the
 * end of a name without an end of its own, and a login that is garbled it leaves to
 * nobody, so that either could end the program, or keep it busy for ever.
 *
 * @see PostgreSQL's documentation, "Frontend/Backend Protocol", and RFC 5802
 * @module
 */

import type { Protocol } from "../connection.ts";
import { Buffer } from "node:buffer";
import { LONGEST_ANSWER, malformedPacket, ProbeError } from "../session.ts";

/** Bytes before the content of a message: its type and its length. */
const HEAD = 5;
/** Bytes behind the name of a column. */
const COLUMN_FACTS = 18;

/** Whether an authentication request that the driver answers holds what it must, by its number. */
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

/** Requests for what is no password, by their number. */
const OTHER_REQUESTS: Readonly<Record<number, string>> = {
  2: "Kerberos V5",
  7: "GSSAPI",
  9: "SSPI",
};

/** Types of messages: an authentication request, a row description. */
const [REQUEST, ROWS] = [0x52, 0x54];
/** Types of the other messages that may come, all of which the driver reads safely. */
const SAFE_TYPES: ReadonlySet<number | undefined> = new Set(
  Buffer.from("ACDEIKNSZv"),
);

/** Gives the driver whole messages only, and none that would harm it. */
export const POSTGRES_PROTOCOL: Protocol = {
  isGreeting,
  wholeMessages: wholeMessages,
};

/** The limits are those of libpq: an authentication request or an error. */
function isGreeting(head: Buffer): boolean {
  const length = head.readUInt32BE(1);
  const type = String.fromCharCode(head[0] ?? 0);
  return type === "R" && length >= 8 && length <= 2000 ||
    (type === "E" || type === "v") && length >= 8 && length <= 30_000;
}

/** How many bytes at the beginning are whole messages, or what is wrong with one of them. */
function wholeMessages(bytes: Buffer): number | ProbeError {
  let size = 0;
  while (bytes.length - size >= HEAD) {
    const length = bytes.readUInt32BE(size + 1);
    if (length < HEAD - 1 || length > LONGEST_ANSWER) return malformedPacket();
    const end = size + 1 + length;
    if (end > bytes.length) break;
    // Of most messages the type is enough.
    if (!SAFE_TYPES.has(bytes[size])) {
      const fault = faultOf(bytes.subarray(size, end));
      if (fault !== undefined) return fault;
    }
    size = end;
  }
  return size;
}

function faultOf(message: Buffer): ProbeError | undefined {
  if (message[0] === REQUEST) return requestFault(message);
  return message[0] === ROWS && isRowDescription(message)
    ? undefined
    : malformedPacket();
}

function requestFault(message: Buffer): ProbeError | undefined {
  if (message.length < HEAD + 4) return malformedPacket();
  const number = message.readUInt32BE(HEAD);
  const other = OTHER_REQUESTS[number];
  if (other !== undefined) {
    return new ProbeError(
      "forbidden",
      `pg_hba.conf asks for ${other}: for Mattermost it must ask for a password, as scram-sha-256 does`,
    );
  }
  const content = message.toString("latin1", HEAD + 4);
  return PASSWORD_REQUESTS[number]?.(content) === true
    ? undefined
    : malformedPacket();
}

/** Names that end, with all their facts behind them. */
function isRowDescription(message: Buffer): boolean {
  if (message.length < HEAD + 2) return false;
  let at = HEAD + 2;
  for (let left = message.readUInt16BE(HEAD); left > 0; left--) {
    const end = message.indexOf(0, at);
    if (end < 0) return false;
    at = end + 1 + COLUMN_FACTS;
  }
  return at === message.length;
}
