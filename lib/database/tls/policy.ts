/**
 * What TLS must prove about the server of a database before the password is sent: what the
 * server's own driver demands.
 *
 * @see https://pkg.go.dev/github.com/lib/pq#hdr-Connection_String_Parameters
 * @see https://github.com/go-sql-driver/mysql#tls
 * @module
 */

import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { errorCode } from "../../errors.ts";
import {
  isKeyProved,
  presentedCertificates,
  type TlsOptions,
} from "../../os/socket.ts";
import type { DataSource } from "../data_source.ts";
import type { Reason } from "../reasons.ts";
import { ProbeError } from "../session.ts";
import type { CertificateFault } from "./verdict.ts";

/** How a connection is encrypted. */
export interface TlsPolicy {
  /** Options of the handshake. */
  readonly options: TlsOptions;
  /** Finds what the server's driver would refuse after the handshake; nothing by default. */
  readonly check?: (socket: TLSSocket) => ProbeError | undefined;
}

/** What the policy depends on besides the data source. */
export interface PolicyOptions {
  /** PEM texts of the certificates to trust. */
  readonly ca: readonly string[] | undefined;
  /** The client's certificate and its key in PEM. */
  readonly client?: { readonly cert: string; readonly key: string } | undefined;
  /** Whether only the cause of a failed handshake is wanted: no login follows. */
  readonly isDiagnosis?: boolean;
}

/** A handshake that failed for a reason that Deno 2.7 does not report. */
export class UnexplainedError extends ProbeError {}

const REASONS: Readonly<Record<CertificateFault["kind"], Reason>> = {
  time: "certificate time",
  name: "certificate name",
  authority: "certificate authority",
  purpose: "certificate purpose",
};

/**
 * Decides what TLS must prove.
 *
 * @param source The database.
 * @param options The certificates to trust, and the client's own.
 * @returns The policy; `undefined` for a connection without TLS.
 */
export async function tlsPolicy(
  source: DataSource,
  { ca, client, isDiagnosis = false }: PolicyOptions,
): Promise<TlsPolicy | undefined> {
  // Neither driver uses TLS through a unix socket.
  if (source.sslMode === "disable" || source.socket !== undefined) {
    return undefined;
  }
  const options: TlsOptions = {
    rejectUnauthorized: false,
    verifyIdentity: false,
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...client,
  };
  if (!isChecked(source, ca)) {
    return {
      options,
      check: (socket) =>
        presentedCertificates(socket).chain.length === 0
          ? new ProbeError("tls", "The TLS handshake failed")
          : undefined,
    };
  }
  const { certificateFault } = await import("./verdict.ts");
  const isVerified = !isKeyProved && !isDiagnosis;
  return {
    options: { ...options, rejectUnauthorized: isVerified },
    check(socket) {
      const { chain, now } = presentedCertificates(socket);
      if (chain.length === 0) {
        return isDiagnosis
          ? new ProbeError("tls", "The TLS handshake failed")
          : new UnexplainedError("tls", "");
      }
      const fault = certificateFault(chain, {
        trusted: ca ?? [],
        host: checkedHost(source),
        now,
      });
      // Deno 2.7 does not provide intermediate certificates, but has verified them.
      if (fault?.isIssuerMissing && isVerified) return undefined;
      if (fault !== undefined) {
        return new ProbeError(
          REASONS[fault.kind],
          `The server's certificate ${fault.text}`,
        );
      }
      return isDiagnosis
        ? new ProbeError(
          "tls",
          "The TLS library of this program, which is older than the one of a released image, does not accept the kind of the server's certificate, though Mattermost does",
        )
        : undefined;
    },
  };
}

/**
 * Tells whether the driver verifies who has issued the certificate.
 *
 * @param source The database.
 * @param ca The certificates to trust, if any are named.
 * @returns Whether it does.
 */
export function isChecked(
  { adapter, sslMode }: DataSource,
  ca: readonly string[] | undefined,
): boolean {
  // lib/pq checks it where an authority is named, even with `require`.
  return sslMode.startsWith("verify-") ||
    adapter === "postgres" && ca !== undefined;
}

/** The host that the driver compares with the names in the certificate. */
function checkedHost(source: DataSource): string | undefined {
  const { adapter, host, sslMode, driver = "", parameters } = source;
  // go-sql-driver cannot check the chain without the name.
  if (adapter === "mysql" || sslMode === "verify-full") return host;
  // These versions compare the name that they have sent for SNI, which is never an address.
  const { sslsni = "1" } = parameters ?? {};
  return /^1\.10\.(?:[7-9]|\d\d)/.test(driver) &&
      isIP(host) === 0 && /^(?:1|$)/.test(sslsni)
    ? host
    : undefined;
}

/**
 * Explains a failed handshake.
 *
 * @param error The runtime's error.
 * @returns The reason, with a text for operators.
 */
export function handshakeFault(error: unknown): ProbeError {
  const code = errorCode(error) ?? "";
  const text = error instanceof Error ? error.message : String(error);
  if (/PROTOCOL_VERSION|ProtocolVersion/.test(`${code} ${text}`)) {
    return new ProbeError(
      "tls",
      "The server does not support TLS 1.2 or later",
    );
  }
  // The chain is not verified in the handshake, so only the proof of the key is left.
  return code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    ? new ProbeError(
      "tls",
      "The server cannot prove that it holds the key of its certificate, or the key is of a kind that the TLS library of this program does not accept, such as RSA with fewer than 2048 bits",
    )
    : new ProbeError("tls", text);
}
