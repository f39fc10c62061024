/**
 * Quoting for the shell commands that messages tell the operator to paste.
 *
 * @module
 */

/** Characters without a special meaning in a POSIX shell. */
const PLAIN_REGEXP = /^[\w%+,./:=@-]+$/;

/** Characters that would break the line, or that a terminal would obey. */
const CONTROL_REGEXP = /\p{Cc}/u;

/** Characters that a backslash precedes in `$'…'`: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_04 */
const SIGN_REGEXP = /[\\']/;

/**
 * Quotes a text if a shell would not read it as one word.
 *
 * @param text A path, or any other argument.
 * @returns The text unchanged, or in quotes, on one line.
 */
export function shellWord(text: string): string {
  if (PLAIN_REGEXP.test(text)) return text;
  if (!CONTROL_REGEXP.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const escaped = text.replaceAll(
    /[\\'\p{Cc}]/gu,
    (sign) => SIGN_REGEXP.test(sign) ? `\\${sign}` : octal(sign),
  );
  return `$'${escaped}'`;
}

function octal(sign: string): string {
  return [...new TextEncoder().encode(sign)]
    .map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}
