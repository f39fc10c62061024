/**
 * Quoting for the shell commands that messages tell the operator to paste.
 *
 * @module
 */

/** Characters without a special meaning in a POSIX shell. */
const PLAIN_REGEXP = /^[\w%+,./:=@-]+$/;

/**
 * Quotes a text if a shell would not read it as one word.
 *
 * @param text A path, or any other argument.
 * @returns The text unchanged, or in single quotes.
 */
export function shellWord(text: string): string {
  return PLAIN_REGEXP.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
