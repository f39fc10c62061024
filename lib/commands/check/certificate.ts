/**
 * The findings about certificates: when they expire, and why they are refused.
 *
 * @module
 */

import { describeExpiry } from "../../certificate_expiry.ts";
import { errorCode } from "../../errors.ts";
import type { Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/** When a certificate expires. */
export interface Expiry {
  /** The certificate, as the subject of a sentence. */
  readonly what: string;
  /** The end of its validity in milliseconds since the epoch; `undefined` if unknown. */
  readonly expires: number | undefined;
  /** The present time in milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Reports when a certificate expires.
 *
 * @param check The finding's id.
 * @param expiry The certificate and when it expires.
 * @returns One finding, or none if the end of its validity is unknown.
 */
export function certificateFinding(
  check: string,
  { what, expires, now }: Expiry,
): Finding[] {
  if (expires === undefined) return [];
  const { state, date, days } = describeExpiry(expires, now);
  const remedy =
    "Renew the certificate, and restart or reload the service that presents it";
  if (state === "expired") {
    return [failed(check, { message: `${what} expired on ${date}`, remedy })];
  }
  if (state === "soon") {
    const message = `${what} expires on ${date}, in ${days} day${
      days === 1 ? "" : "s"
    }`;
    return [warning(check, { message, remedy })];
  }
  return [ok(check, `${what} is valid until ${date}`)];
}

/**
 * Codes and messages of TLS errors, and what is wrong with the certificate.
 *
 * Sources: <https://nodejs.org/api/tls.html#x509-certificate-error-codes>, and for the
 * runtime's own TLS <https://docs.rs/rustls/latest/rustls/enum.CertificateError.html>.
 */
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [/CERT_HAS_EXPIRED|expired/i, "has expired"],
  [/CERT_NOT_YET_VALID|not ?valid ?yet/i, "is not valid yet"],
  [
    /ALTNAME|NotValidForName|not valid for( any)? name|does not match/i,
    "is for another host name",
  ],
  [
    /SELF[-_ ]SIGNED|UNABLE_TO|UNABLE TO (?:VERIFY|GET)|UnknownIssuer|unknown issuer|CaUsedAsEndEntity|BadSignature/i,
    "is not signed by an authority that the server trusts",
  ],
];

/**
 * Finds out whether a certificate caused an error, and what is wrong with it.
 *
 * @param error Anything that was thrown.
 * @returns The rest of a sentence that begins with "The certificate"; `undefined` for other errors.
 */
export function certificateProblem(error: unknown): string | undefined {
  const text = `${errorCode(error) ?? ""} ${
    error instanceof Error ? error.message : ""
  }`;
  if (!/cert|TLS|SSL|ALTNAME/i.test(text)) return undefined;
  return FAULTS.find(([pattern]) => pattern.test(text))?.[1];
}
