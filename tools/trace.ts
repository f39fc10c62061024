/**
 * Reads the stack trace of a compiled program, whose code has short names and few
 * lines: puts the place in the sources beside each place in the script.
 *
 *     deno task trace <report.txt
 *
 * The map is that of the last `deno task compile`, which must have been of the
 * same commit.
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

const PLACE_REGEXP = new RegExp(`${PROGRAM}.js:(\\d+):(\\d+)`, "g");

if (import.meta.main) {
  const map = new SourceMap(JSON.parse(await readFile(MAP, "utf8")));
  const text = await new Response(Deno.stdin.readable).text();
  Deno.stdout.writeSync(new TextEncoder().encode(translate(text, map)));
}

/**
 * Translates places.
 *
 * @param text Any text with places in it.
 * @param map The source map of the script.
 * @returns The text with places in the sources, where the map has them.
 */
export function translate(
  text: string,
  map: Pick<SourceMap, "findEntry">,
): string {
  return text.replace(PLACE_REGEXP, (place, line: string, column: string) => {
    const [row, start] = [Number(line) - 1, Number(column) - 1];
    const entry = map.findEntry(
      row,
      row === 0 ? start - SCRIPT_HEAD.length : start,
    );
    if (!("originalSource" in entry)) return place;
    const { originalSource, originalLine, originalColumn } = entry;
    const source = originalSource.replace(/^(\.\.\/)+/, "");
    return `${source}:${originalLine + 1}:${originalColumn + 1}`;
  });
}
