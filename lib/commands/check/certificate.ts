/**
 * When a certificate expires, and what is wrong with one that is refused.
 *
 * @module
 */

import { expiryOf } from "../../certificate_expiry.ts";
import { errorCode } from "../../errors.ts";
import type { Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/** A certificate's end. */
export interface Expiry {
  /** What it is, to start a sentence with. */
  readonly what: string;
  /** Milliseconds since the epoch; `undefined` where that is not known. */
  readonly expires: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Judges when a certificate expires.
 *
 * @param check The finding's id.
 * @param expiry The certificate's end.
 * @returns One finding, none where the end is not known.
 */
export function certificateFinding(
  check: string,
  { what, expires, now }: Expiry,
): Finding[] {
  if (expires === undefined) return [];
  const { state, date, days } = expiryOf(expires, now);
  const remedy =
    "Renew the certificate, and let the server that shows it load the new one";
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

/** Codes and words of `node:tls`, and words of the runtime's own TLS, with what they mean. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/CERT_HAS_EXPIRED|expired/i, "has expired"],
  [/CERT_NOT_YET_VALID|not ?valid ?yet/i, "is not valid yet"],
  [
    /ALTNAME|NotValidForName|not valid for( any)? name|does not match/i,
    "is for another name",
  ],
  [
    /SELF[-_ ]SIGNED|UNABLE_TO|UNABLE TO (?:VERIFY|GET)|UnknownIssuer|unknown issuer|CaUsedAsEndEntity|BadSignature/i,
    "is signed by nobody that the server trusts",
  ],
];

/**
 * Tells whether an error is about a certificate, and what is wrong with that.
 *
 * @param error Anything that was thrown.
 * @returns Words to follow "the certificate"; `undefined` for other errors.
 */
export function certificateFault(error: unknown): string | undefined {
  const text = `${errorCode(error) ?? ""} ${
    error instanceof Error ? error.message : ""
  }`;
  if (!/cert|TLS|SSL|ALTNAME/i.test(text)) return undefined;
  return REFUSALS.find(([pattern]) => pattern.test(text))?.[1];
}
