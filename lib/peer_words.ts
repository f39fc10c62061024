/**
 * Prepares what a server says for a message.
 *
 * @module
 */

import { HIDDEN, relay } from "./hidden.ts";
import { oneLine } from "./printable.ts";

/** Characters of a server's words that are shown. */
const LENGTH = 240;

/** What a login sends in place of the password, from which it could be guessed: an MD5 hash, and the proof of SCRAM (RFC 5802). */
const PROOF_REGEXP = /\b(?:md5)?[0-9a-f]{32,}\b|\bp=[A-Za-z0-9+/]{20,}=*/gi;

/** What a login has sent, and what the reader knows anyway. */
export interface Login {
  /** The name; may be empty. */
  readonly user: string;
  /** The password; may be empty. */
  readonly password: string;
}

/**
 * Prepares what a server says for a message. A server may repeat what a login has sent to it.
 *
 * @param text The words of the server.
 * @param login The login.
 * @param shown Other texts that the reader knows anyway, such as the host.
 * @returns One line of limited length, without control characters, the password, its encodings in
 * SMTP and proofs of it, and without a final period.
 */
export function peerWords(
  text: string,
  { user, password }: Login,
  shown: readonly string[],
): string {
  const safe = relay(text, {
    // The second one is the login of AUTH PLAIN (RFC 4616), which servers quote as it was sent.
    secrets: password === "" ? [] : [password, `\0${user}\0${password}`],
    shown: [user, ...shown],
  }).replace(PROOF_REGEXP, HIDDEN);
  return oneLine(safe.replace(/[\s.]+$/, ""), LENGTH);
}
