/**
 * Opens and encrypts the connections of the HTTP client and of the database drivers, so that
 * a signal can end each of them at any time.
 *
 * @module
 */

import { connect as connectSocket, isIP, type Socket } from "node:net";
import {
  connect as connectTls,
  type DetailedPeerCertificate,
  type TLSSocket,
} from "node:tls";

/** The address of a server: the path of a unix socket, or host and port. */
export type Address = { readonly path: string } | {
  readonly host: string;
  readonly port: number;
};

/** How the certificate of the server is checked by the runtime, and the client's own. */
export interface TlsOptions {
  /** Whether a certificate authority must have issued it, as in `node:tls`. */
  readonly rejectUnauthorized: boolean;
  /** PEM texts of the certificate authorities to trust instead of the runtime's own, as in `node:tls`. */
  readonly ca?: string[];
  /** Whether it must be valid for the host. */
  readonly verifyIdentity: boolean;
  /** PEM text of the client's certificate, with those of its intermediate authorities. */
  readonly cert?: string;
  /** PEM text of the client's private key, a secret. */
  readonly key?: string;
}

/**
 * Whether a server that presents a certificate has proved that it holds the private key, also
 * with `rejectUnauthorized: false`. Deno 2.7 ignores the signature of the handshake then, so
 * that anybody could present a copy of the certificate.
 */
export const isKeyProved: boolean = !/^2\.[0-8]\./.test(Deno.version.deno);

/**
 * Opens a connection.
 *
 * @param address The address of the server.
 * @param signal Destroys the connection, even long after it was opened. Operations on the
 * socket then fail with the signal's reason.
 * @param limit Milliseconds that the attempt may take; `undefined` for no limit.
 * @returns The connected socket.
 * @throws {Error} With the code of the system, `ETIMEDOUT` after the limit; or the signal's reason.
 */
export function openSocket(
  address: Address,
  signal: AbortSignal,
  limit?: number,
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
    const late = (): void => {
      const error = new Error(`No answer within ${limit} ms`);
      socket.destroy(Object.assign(error, { code: "ETIMEDOUT" }));
    };
    const timer = limit === undefined ? undefined : setTimeout(late, limit);
    socket.once("close", () => clearTimeout(timer));
    socket.once("connect", () => {
      clearTimeout(timer);
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

/** Certificates of a server that are looked at. */
const LONGEST_CHAIN = 16;

/** What a server has presented in the TLS handshake. */
export interface PresentedCertificates {
  /**
   * The server's certificate in DER, and those of intermediate authorities, which Deno 2.7 does
   * not provide; none if the handshake has failed, which Deno 2.7 does not report.
   */
  readonly chain: readonly Uint8Array[];
  /** The present time in milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Gets the certificates that the server has presented.
 *
 * @param socket An encrypted socket.
 * @returns The certificates.
 */
export function presentedCertificates(
  socket: TLSSocket,
): PresentedCertificates {
  const chain: Uint8Array[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(
    true,
  );
  while (next?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(next.raw);
    // A self-signed certificate is its own issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return { chain, now: Date.now() };
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
