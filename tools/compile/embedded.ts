/**
 * The program as it lies in the compiled binary: one script, and beside it what
 * V8 made of the script when somebody tried it out, its code cache. With the cache
 * nothing has to be parsed and compiled again at each start, which was half of it.
 *
 * A cache that does not fit the runtime is ignored: the program is slower then,
 * and the same.
 *
 * @module
 */

import { basename, join } from "node:path";
import process from "node:process";
import { Script } from "node:vm";
import type { main } from "../../lib/program.ts";
import { REPLACEMENTS } from "./replacements.ts";

/** The bundle of `lib/program.ts`, as a file in the binary. */
export const PROGRAM = "program.script";

/** What a stack trace calls it. */
export const SCRIPT_NAME = "program.js";
/** What stands before it, on its first line: a stack trace has the lines of the bundle. */
export const SCRIPT_HEAD = "(function(module,exports,require){";

/** Caches by what was tried out: the health check, which needs little, and a start. */
export type CacheName = "health" | "start";

/** The script, and what it exports. */
export interface Embedded {
  /** For another cache, after use. */
  readonly script: Script;
  /** The program. */
  readonly main: typeof main;
}

const REPLACED = new Map(
  Object.entries(REPLACEMENTS).map((
    [name, value],
  ) => [basename(name), value]),
);

/**
 * Loads the program.
 *
 * @param directory Where its files are.
 * @param cache Which cache is to be used; none if absent.
 * @returns The script and the program.
 */
export function loadProgram(directory: string, cache?: CacheName): Embedded {
  const text = Deno.readTextFileSync(join(directory, PROGRAM));
  const source = `${SCRIPT_HEAD}${text}\n})`;
  const script = new Script(source, {
    filename: SCRIPT_NAME,
    ...(cache === undefined
      ? {}
      : { cachedData: Deno.readFileSync(cachePath(directory, cache)) }),
  });
  const module = { exports: {} as Pick<Embedded, "main"> };
  script.runInThisContext()(module, module.exports, load);
  return { script, main: module.exports.main };
}

/** Where a cache is, beside the script. */
export function cachePath(directory: string, cache: CacheName): string {
  return join(directory, `${cache}.cache`);
}

/** Loads a module of the runtime, for the packages as well, or its replacement. */
function load(name: string): unknown {
  return REPLACED.get(basename(name)) ?? process.getBuiltinModule(name);
}
