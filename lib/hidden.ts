/**
 * How secrets are kept out of what is shown.
 *
 * @module
 */

/** What stands for a secret. */
export const HIDDEN = "(hidden)";

/** A shorter secret would be found inside ordinary words, and would show itself by that. */
const SHORTEST = 4;

/**
 * Takes a secret out of what another program said.
 *
 * @param text The text.
 * @param secret The secret, such as a password; empty for none.
 * @returns The text with {@linkcode HIDDEN} in its place.
 */
export function withoutSecret(text: string, secret: string): string {
  return secret.length < SHORTEST ? text : text.replaceAll(secret, HIDDEN);
}
