/**
 * Translates the stack trace of a compiled program, whose code is minified: replaces each
 * position in the script by the position in the sources.
 *
 *     deno task trace <report.txt
 *
 * It uses the source map of the last `deno task compile`, which must have compiled the same
 * commit as the binary.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { SourceMap } from "node:module";
import { dirname, join } from "node:path";
import { PROGRAM, SCRIPT_HEAD } from "./compile/scripts.ts";

const MAP = join(
  dirname(import.meta.dirname ?? "."),
  "dist/mattermost-entrypoint.map",
);

const POSITION_REGEXP = new RegExp(`${PROGRAM}.js:(\\d+):(\\d+)`, "g");

if (import.meta.main) {
  const map = new SourceMap(JSON.parse(await readFile(MAP, "utf8")));
  const text = await new Response(Deno.stdin.readable).text();
  Deno.stdout.writeSync(new TextEncoder().encode(translate(text, map)));
}

/**
 * Translates the positions in a text.
 *
 * @param text Any text, such as a stack trace.
 * @param map The source map of the program's script.
 * @returns The text. Positions that the map does not have stay as they are.
 */
export function translate(
  text: string,
  map: Pick<SourceMap, "findEntry">,
): string {
  return text.replace(
    POSITION_REGEXP,
    (position, line: string, column: string) => {
      const [row, start] = [Number(line) - 1, Number(column) - 1];
      const entry = map.findEntry(
        row,
        row === 0 ? start - SCRIPT_HEAD.length : start,
      );
      if (!("originalSource" in entry)) return position;
      const { originalSource, originalLine, originalColumn } = entry;
      const source = originalSource.replace(/^(\.\.\/)+/, "");
      return `${source}:${originalLine + 1}:${originalColumn + 1}`;
    },
  );
}
