/**
 * The connection below both drivers: what its TLS must prove, what comes over it, and how
 * it ends.
 *
 * @module
 */

import type { ConnectOptions, TlsFacts } from "./session.ts";
import type { DataSource } from "./data_source.ts";
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Address,
  certificateEnd,
  encryptSocket,
  type TlsOptions,
} from "../os/socket.ts";
import { ProbeError } from "./session.ts";

/** What a driver logs in with. */
export interface LoginOptions extends ConnectOptions {
  /** The connection, which may still be under way. */
  readonly opening: Promise<Socket>;
  /** What TLS has to prove; `undefined` for none. */
  readonly tls: TlsOptions | undefined;
}

/**
 * Where a database listens.
 *
 * @param source The database.
 * @returns The address; of a unix socket, the very file.
 */
export function addressOf(
  { adapter, host, port, socket }: DataSource,
): Address {
  if (socket === undefined) return { host, port };
  return {
    path: adapter === "postgres" ? `${socket}/.s.PGSQL.${port}` : socket,
  };
}

/**
 * Rejects when a connection is gone, however that came. Drivers may miss it, or
 * wait for an answer that can come no more.
 *
 * @param socket The connection, before a driver listens to it.
 * @returns Never resolves; rejects with the error that ended the connection.
 */
export function rejectOnClose(socket: Socket): Promise<never> {
  const lost = new Promise<never>((_, reject) => {
    const lose = (): void =>
      reject(
        socket.errored ??
          new ProbeError("protocol", "The server closed the connection"),
      );
    if (socket.destroyed) lose();
    socket.once("close", lose);
  });
  // Nobody may be waiting when it happens.
  lost.catch(() => {});
  return lost;
}

/**
 * Says the last word to a server, so that its log holds no complaint. Never throws.
 *
 * @param socket The connection.
 * @param word What sessions of its protocol end with.
 * @returns Resolves when the word is on its way, or the connection is gone.
 */
export async function sendLast(
  socket: Socket,
  word: Uint8Array,
): Promise<void> {
  const lost = rejectOnClose(socket);
  const sent = new Promise<void>((resolve) =>
    socket.write(word, () => resolve())
  );
  await Promise.race([sent, lost]).catch(() => {});
}

/**
 * Ends a connection. Never throws.
 *
 * @param socket The connection.
 * @returns Resolves when nothing of it is left.
 */
export async function destroySocket(socket: Socket): Promise<void> {
  const lost = rejectOnClose(socket);
  socket.destroy();
  await lost.catch(() => {});
}

/** How a driver's server talks. */
export interface Protocol {
  /** Whether these five bytes, or more, can begin the server's first message. */
  readonly isGreeting: (head: Buffer) => boolean;
  /** How many bytes the driver may have by now, or what is wrong with them; by default all. */
  readonly wholeMessages?: (bytes: Buffer) => number | ProbeError;
}

/** Bytes that tell one protocol from another. */
const GREETING = 5;

/**
 * Holds back what the server says until it was looked at, so that no driver parses
 * what belongs to another protocol, or is garbled.
 *
 * @param socket The connection, before anybody listens to its data.
 * @param language What is looked at.
 */
export function inspectData(
  socket: Socket,
  { isGreeting, wholeMessages = ({ length }) => length }: Protocol,
): void {
  const emit = socket.emit.bind(socket);
  let held: Buffer = Buffer.alloc(0);
  let isGreeted = false;
  socket.emit = (event: string, ...values: unknown[]): boolean => {
    if (event !== "data") return emit(event, ...values);
    const chunk = values[0] as Buffer;
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!isGreeted) {
      if (held.length < GREETING) return true;
      isGreeted = isGreeting(held);
    }
    const size = isGreeted
      ? wholeMessages(held)
      : new ProbeError("protocol", "Another kind of server answers there");
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

/**
 * Decides what TLS must prove.
 *
 * @param source The database.
 * @param ca PEM texts of authorities.
 * @returns Options for `node:tls`, `undefined` where there is to be no TLS.
 */
export function tlsOptions(
  source: DataSource,
  ca: readonly string[] | undefined,
): TlsOptions | undefined {
  const { adapter, sslMode, socket } = source;
  // Unix sockets have none.
  if (sslMode === "disable" || socket !== undefined) return undefined;
  // As lib/pq: an authority that is named is checked, even when only `require` is asked.
  const checked = sslMode.startsWith("verify-") ||
    adapter === "postgres" && ca !== undefined;
  return {
    rejectUnauthorized: checked,
    ...(ca === undefined ? {} : { ca: [...ca] }),
    // As go-sql-driver, which cannot check the chain without the name.
    verifyIdentity: sslMode === "verify-full" ||
      adapter === "mysql" && sslMode === "verify-ca",
  };
}

/**
 * Encrypts an open connection.
 *
 * @param socket The connection, at the point where the server expects TLS.
 * @param host The name or address that the certificate must have.
 * @param options What to prove.
 * @returns The encrypted socket.
 * @throws {ProbeError} With reason `tls`.
 */
export function secureSocket(
  socket: Socket,
  host: string,
  options: TlsOptions,
): Promise<TLSSocket> {
  return encryptSocket(socket, host, options).catch((error) => {
    throw new ProbeError("tls", error.message);
  });
}

/**
 * Tells how a connection is encrypted.
 *
 * @param socket Any socket.
 * @returns The facts, `false` for a plain socket.
 */
export function tlsFacts(socket: Socket | TLSSocket): TlsFacts | false {
  if (!("getPeerCertificate" in socket)) return false;
  // The runtime of the npm stub, Deno 2.7, does not tell the protocol.
  const protocol = typeof socket.getProtocol === "function"
    ? socket.getProtocol()
    : null;
  const certificateExpires = certificateEnd(socket);
  return {
    ...(protocol === null ? {} : { protocol }),
    ...(certificateExpires === undefined ? {} : { certificateExpires }),
  };
}
