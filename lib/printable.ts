/**
 * Makes text safe for a terminal and a log. Values of variables, names of files and answers of
 * other programs can hold escape sequences, which a terminal would obey.
 *
 * @module
 */

/**
 * Control characters but tabs and line ends, and the characters that reverse the order of the
 * text on the screen (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters).
 */
const UNSAFE_REGEXP =
  // deno-lint-ignore no-control-regex
  /\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Replaces each character that a terminal would obey by its escape sequence in JSON, such as
 * `\u001b`. JSON text therefore stays JSON with the same values.
 *
 * @param text One or more lines.
 * @returns The text to print.
 */
export function printable(text: string): string {
  return text.replace(
    UNSAFE_REGEXP,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Does the same for a sentence, which has one line: a value with a line break could otherwise make
 * another line of a report or a log.
 *
 * @param sentence The sentence, with values and names of any kind.
 * @returns The line to print.
 */
export function printableLine(sentence: string): string {
  return printable(sentence).replace(/\r?\n/g, "\\n");
}

/**
 * Makes one line of what another program says: each run of white space, control characters and
 * invisible characters becomes a space.
 *
 * @param text Any text.
 * @param length The longest line, in UTF-16 code units; a longer one ends in `…`.
 * @returns The line.
 */
export function oneLine(text: string, length: number): string {
  const line = text.replace(/[\p{C}\s]+/gu, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
