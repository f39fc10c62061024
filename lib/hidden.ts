/**
 * Keeps secrets out of messages.
 *
 * @module
 */

/** The text that is shown instead of a secret. */
export const HIDDEN = "(hidden)";

/**
 * Shorter secrets are not replaced: they occur inside ordinary words, and the gaps in the
 * words would reveal them.
 */
const MIN_LENGTH = 4;

/**
 * Removes a secret from the output of another program.
 *
 * @param text The output.
 * @param secret The secret, such as a password; may be empty.
 * @returns The output with {@linkcode HIDDEN} in place of each occurrence. A secret of less
 * than four characters stays.
 */
export function withoutSecret(text: string, secret: string): string {
  return secret.length < MIN_LENGTH ? text : text.replaceAll(secret, HIDDEN);
}
