/**
 * The connection that both drivers use: what TLS must prove, which data a driver gets, and
 * how the connection ends.
 *
 * @module
 */

import type { ConnectOptions, TlsFacts } from "./session.ts";
import type { DatabaseServer, DataSource } from "./data_source.ts";
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Address,
  certificateExpiry,
  encryptSocket,
} from "../os/socket.ts";
import { LONGEST_MESSAGE, ProbeError } from "./session.ts";
import { handshakeFault, type TlsPolicy } from "./tls/policy.ts";

/** What a driver needs to log in. */
export interface LoginOptions extends ConnectOptions {
  /** The connection, which may not be open yet. */
  readonly opening: Promise<Socket>;
  /** What TLS must prove; `undefined` for a connection without TLS. */
  readonly tls: TlsPolicy | undefined;
}

/**
 * The address that a database listens on.
 *
 * @param source The database.
 * @returns Host and port, or the file of the unix socket.
 */
export function addressOf(
  { adapter, host, address = host, port, socket }:
    & DatabaseServer
    & Pick<DataSource, "adapter">,
): Address {
  if (socket === undefined) return { host: address, port };
  return {
    path: adapter === "postgres" ? `${socket}/.s.PGSQL.${port}` : socket,
  };
}

/** Milliseconds for one connection attempt in which a database has several servers, and for all of them together. */
const ONE_OF_SEVERAL = 1500;
const ALL_OF_SEVERAL = 4000;

/** Milliseconds of the units of Go's durations; shorter ones do not matter. */
const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

/**
 * Finds the time limit of a connection attempt: that of the driver (`connect_timeout` of PostgreSQL,
 * `timeout` of MySQL), and less if other servers have to be tried.
 *
 * @param source The database.
 * @returns Milliseconds; `undefined` for no limit.
 */
export function connectLimit(
  { adapter, parameters = {}, alternatives = [] }: DataSource,
): number | undefined {
  const own = adapter === "mysql"
    ? durationOf(parameters["timeout"] ?? "")
    : 1000 * Number(parameters["connect_timeout"] ?? 0);
  const shared = alternatives.length === 0
    ? Infinity
    : Math.min(ONE_OF_SEVERAL, ALL_OF_SEVERAL / (1 + alternatives.length));
  const limit = Math.min(own > 0 ? own : Infinity, shared);
  return limit === Infinity ? undefined : limit;
}

/** Milliseconds of Go's `1m30s`; 0 for a negative one. */
function durationOf(text: string): number {
  if (text.startsWith("-")) return 0;
  return [...text.matchAll(/([\d.]+)(h|ms|m|s)/g)].reduce(
    (sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
}

/**
 * Rejects when a connection ends for any reason. A driver may not notice that, and wait
 * for ever for an answer.
 *
 * @param socket The connection, before a driver listens to it.
 * @returns Never resolves; rejects with the error that ended the connection.
 */
export function rejectOnClose(socket: Socket): Promise<never> {
  const closed = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(
        socket.errored ??
          new ProbeError("protocol", "The server closed the connection"),
      );
    if (socket.destroyed) fail();
    socket.once("close", fail);
  });
  // The rejection counts as handled, also while no caller awaits it.
  closed.catch(() => {});
  return closed;
}

/**
 * Sends the protocol's last message of a session, without which servers log an
 * aborted connection. Never throws.
 *
 * @param socket The connection.
 * @param message The message.
 * @returns Resolves when the message is sent, or the connection has ended.
 */
export async function sendLastMessage(
  socket: Socket,
  message: Uint8Array,
): Promise<void> {
  const closed = rejectOnClose(socket);
  const sent = new Promise<void>((resolve) =>
    socket.write(message, () => resolve())
  );
  await Promise.race([sent, closed]).catch(() => {});
}

/**
 * Ends a connection. Never throws.
 *
 * @param socket The connection.
 * @returns Resolves when the socket is closed.
 */
export async function destroySocket(socket: Socket): Promise<void> {
  const closed = rejectOnClose(socket);
  socket.destroy();
  await closed.catch(() => {});
}

/** How to recognise valid data of a protocol. */
export interface Protocol {
  /** Whether these five bytes, or more, can begin the server's first message. */
  readonly isGreeting: (head: Buffer) => boolean;
  /** Number of bytes that the driver may read now, or the error in them; all bytes by default. */
  readonly wholeMessages?: (bytes: Buffer) => number | ProbeError;
}

/** Bytes that tell one protocol from another. */
const GREETING = 5;

/** Bytes that a server may send in one session. All answers together have some ten thousand. */
const LONGEST_SESSION = 4 * LONGEST_MESSAGE;

/**
 * Checks the server's data before the driver reads it, so that no driver parses malformed
 * data or another protocol, on which it could fail or loop, or more than it needs.
 *
 * @param socket The connection, before anything listens to its data.
 * @param protocol The checks.
 */
export function inspectData(
  socket: Socket,
  { isGreeting, wholeMessages = ({ length }) => length }: Protocol,
): void {
  const emit = socket.emit.bind(socket);
  let held: Buffer = Buffer.alloc(0);
  let isGreeted = false;
  let received = 0;
  socket.emit = (event: string, ...values: unknown[]): boolean => {
    if (event !== "data") return emit(event, ...values);
    const chunk = values[0] as Buffer;
    received += chunk.length;
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!isGreeted) {
      if (held.length < GREETING) return true;
      isGreeted = isGreeting(held);
    }
    const size = received > LONGEST_SESSION
      ? new ProbeError("protocol", "The server sends more data than expected")
      : isGreeted
      ? wholeMessages(held)
      : otherServer(held);
    if (size instanceof ProbeError) {
      socket.emit = emit;
      socket.destroy(size);
      return true;
    }
    const passed = held.subarray(0, size);
    held = held.subarray(size);
    return size === 0 || emit(event, passed);
  };
}

/** The first bytes of servers, each byte a character. */
const BEGINNINGS: readonly (readonly [beginning: RegExp, server: string])[] = [
  [/^[^]{2}\0\0(?:\n|\xff)/, "MySQL or MariaDB"],
  // deno-lint-ignore no-control-regex
  [/^\x05\0\0\0\x0b/, "MySQL's X Protocol"],
  [/^(?:[NS]$|[ER]\0\0)/, "PostgreSQL"],
  [/^HTTP\//, "a web server"],
  [/^SSH-/, "an SSH server"],
  [/^(?:-(?:ERR|NOAUTH|DENIED)|\+PONG)/, "Redis"],
  [/^220[ -]/, "a mail or FTP server"],
  // deno-lint-ignore no-control-regex
  [/^[\x15\x16]\x03/, "a server that expects TLS"],
];

/**
 * The error for a first message that is not of the product's protocol.
 *
 * @param message The message, or the beginning of it.
 * @returns The error, which names the server if the message shows it.
 */
export function otherServer(message: Uint8Array): ProbeError {
  const text = Buffer.from(message).toString("latin1");
  const [, server] = BEGINNINGS.find(([beginning]) => beginning.test(text)) ??
    [];
  return server === undefined
    ? new ProbeError(
      "protocol",
      "Another kind of server listens at this address",
    )
    : new ProbeError("other server", `It answers like ${server}`);
}

/**
 * Encrypts an open connection.
 *
 * @param socket The connection, at the point where the server expects TLS.
 * @param host The name or address of the server.
 * @param policy What TLS must prove.
 * @returns The encrypted socket. Nothing has been sent through it.
 * @throws {ProbeError} The reason why TLS does not prove it.
 */
export async function secureSocket(
  socket: Socket,
  host: string,
  { options, check }: TlsPolicy,
): Promise<TLSSocket> {
  const secure = await encryptSocket(socket, host, options).catch((error) => {
    throw handshakeFault(error);
  });
  const fault = check?.(secure);
  if (fault === undefined) return secure;
  secure.destroy();
  throw fault;
}

/**
 * Reports how a connection is encrypted.
 *
 * @param socket Any socket.
 * @returns The facts; `false` for a socket without TLS.
 */
export function tlsFacts(socket: Socket | TLSSocket): TlsFacts | false {
  if (!("getPeerCertificate" in socket)) return false;
  // Deno 2.7 does not report the protocol.
  const protocol = typeof socket.getProtocol === "function"
    ? socket.getProtocol()
    : null;
  const certificateExpires = certificateExpiry(socket);
  return {
    ...(protocol === null ? {} : { protocol }),
    ...(certificateExpires === undefined ? {} : { certificateExpires }),
  };
}
