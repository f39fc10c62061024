/**
 * Generates secrets.
 *
 * @module
 */

import type { System } from "../os/system.ts";

const ALPHABET =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 64;

/** Bytes from here on are discarded, because their remainders would favour some characters. */
const BYTE_LIMIT = 256 - 256 % ALPHABET.length;

/**
 * Generates a secret of 64 letters and digits with equal probabilities.
 *
 * @param random Cryptographically strong random bytes.
 * @returns The secret, with about 381 bits of entropy.
 */
export function makeSecret(random: System["random"]): string {
  let secret = "";
  while (secret.length < LENGTH) {
    for (const byte of random(LENGTH - secret.length)) {
      if (byte < BYTE_LIMIT) secret += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return secret;
}
