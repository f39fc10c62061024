/**
 * Words for a shell, in the commands that messages tell people to paste.
 *
 * @module
 */

/** What no POSIX shell gives a meaning to. */
const PLAIN_REGEXP = /^[\w%+,./:=@-]+$/;

/**
 * Quotes a text where a shell would not take it as one word.
 *
 * @param text A path, or any other argument.
 * @returns The text as it is, or in single quotes.
 */
export function shellWord(text: string): string {
  return PLAIN_REGEXP.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
