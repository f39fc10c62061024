/**
 * Connections to servers: opened and encrypted here, so that one signal destroys them at
 * any moment and no driver connects by itself.
 *
 * @module
 */

import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** Where a server listens: a unix socket, or host and port. */
export type Address = { readonly path: string } | {
  readonly host: string;
  readonly port: number;
};

/** What TLS has to prove; the names are those of `node:tls`. */
export interface TlsOptions {
  /** Whether the chain of certificates is checked. */
  readonly rejectUnauthorized: boolean;
  /** PEM texts of the authorities to trust instead of the runtime's own. */
  readonly ca?: string[];
  /** Whether the certificate must name the host. */
  readonly verifyIdentity: boolean;
}

/**
 * Opens a connection; an abort of the signal destroys it, also much later.
 *
 * @param address Where to connect to: a unix socket, or host and port.
 * @param signal Ends it; its reason is what every user of the socket gets.
 * @returns The connected socket.
 * @throws {Error} With the system's code; or the signal's reason.
 */
export function openSocket(
  address: Address,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connectSocket(address);
    const abort = (): void => {
      const { reason } = signal;
      socket.destroy(reason instanceof Error ? reason : new Error("Aborted"));
    };
    signal.addEventListener("abort", abort, { once: true });
    // Later on it is an error without a listener that would end the program.
    socket.on("error", reject);
    socket.once("close", () => signal.removeEventListener("abort", abort));
    socket.once("connect", () => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true);
      resolve(socket);
    });
  });
}

/**
 * Encrypts an open connection.
 *
 * @param socket The connection, at the point where the server expects TLS.
 * @param host The name or address that the certificate must have.
 * @param options What TLS has to prove.
 * @returns The encrypted socket.
 * @throws {Error} With the TLS library's code; or the reason of the connection's end.
 */
export function encryptSocket(
  socket: Socket,
  host: string,
  { verifyIdentity, ...options }: TlsOptions,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...options,
      ...(verifyIdentity ? {} : { checkServerIdentity: () => undefined }),
    });
    secure.once("secureConnect", () => resolve(secure));
    secure.on("error", reject);
    socket.once("error", reject);
    socket.once(
      "close",
      () => reject(new Error("The connection ended in the TLS handshake")),
    );
  });
}

/**
 * Tells when the other side's certificate expires.
 *
 * @param socket An encrypted socket.
 * @returns Milliseconds since the epoch; `undefined` where the runtime does not tell.
 */
export function certificateEnd(socket: TLSSocket): number | undefined {
  const expires = Date.parse(socket.getPeerCertificate()?.valid_to);
  return Number.isNaN(expires) ? undefined : expires;
}
