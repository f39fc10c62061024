/**
 * Makes secrets.
 *
 * @module
 */

import type { System } from "../os/system.ts";

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 64;

/** Bytes from here on are thrown away: with them some characters would come up more often than others. */
const BIASED = 256 - 256 % ALPHABET.length;

/**
 * Makes a secret of 64 letters and digits, each as likely as the others.
 *
 * @param random Cryptographically strong random bytes.
 * @returns The secret, of about 381 bits.
 */
export function makeSecret(random: System["random"]): string {
  let secret = "";
  while (secret.length < LENGTH) {
    for (const byte of random(LENGTH - secret.length)) {
      if (byte < BIASED) secret += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return secret;
}
