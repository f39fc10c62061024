/**
 * Opens and encrypts the connections of the HTTP client and of the database drivers, so that
 * a signal can end each of them at any time.
 *
 * @module
 */

import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** The address of a server: the path of a unix socket, or host and port. */
export type Address = { readonly path: string } | {
  readonly host: string;
  readonly port: number;
};

/** How the certificate of the server is checked. */
export interface TlsOptions {
  /** Whether a certificate authority must have issued it, as in `node:tls`. */
  readonly rejectUnauthorized: boolean;
  /** PEM texts of the certificate authorities to trust instead of the runtime's own, as in `node:tls`. */
  readonly ca?: string[];
  /** Whether it must be valid for the host. */
  readonly verifyIdentity: boolean;
}

/**
 * Opens a connection.
 *
 * @param address The address of the server.
 * @param signal Destroys the connection, even long after it was opened. Operations on the
 * socket then fail with the signal's reason.
 * @returns The connected socket.
 * @throws {Error} With the code of the system; or the signal's reason.
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
    // Also later, because an "error" event without a listener would end the program.
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
 * @param host The host name or IP address that the certificate must be valid for.
 * @param options How the certificate is checked.
 * @returns The encrypted socket.
 * @throws {Error} With the code of the TLS library or of the system; or the reason of the
 * signal that destroyed the connection.
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
      () => reject(new Error("The connection ended during the TLS handshake")),
    );
  });
}

/**
 * Gets the time at which the certificate of the server expires.
 *
 * @param socket An encrypted socket.
 * @returns Milliseconds since the epoch; `undefined` if the runtime does not provide it.
 */
export function certificateExpiry(socket: TLSSocket): number | undefined {
  const expires = Date.parse(socket.getPeerCertificate()?.valid_to);
  return Number.isNaN(expires) ? undefined : expires;
}
