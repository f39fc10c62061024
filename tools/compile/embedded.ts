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

/** A script in the binary: the program, or a package that only some need. */
export type ScriptName = "program" | "mysql";

/** A code cache, by what was tried out: the health check needs little of the program. */
export type CacheName = "health" | "start" | "mysql";

/** What a stack trace calls the program. */
export const SCRIPT_NAME = "program.js";
/** What stands before it, on its first line: a stack trace has the lines of the bundle. */
export const SCRIPT_HEAD = "(function(module,exports,require){";

/** How the program is loaded. */
export interface LoadOptions {
  /** The cache for the program; without it no cache is used. */
  readonly cache?: CacheName;
  /** Called with each script that is loaded. */
  readonly onScript?: (name: ScriptName, script: Script) => void;
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
 * @param options Which cache is to be used, and who wants to know.
 * @returns The program.
 */
export function loadProgram(
  directory: string,
  { cache, onScript }: LoadOptions = {},
): { readonly main: typeof main } {
  /** A module of the runtime, a package in the binary, or its replacement. */
  function load(name: string): unknown {
    if (name === "mysql") return runScript("mysql", "mysql")["driver"];
    return REPLACED.get(basename(name)) ?? process.getBuiltinModule(name);
  }
  function runScript(name: ScriptName, own: CacheName): Exports {
    const text = Deno.readTextFileSync(scriptPath(directory, name));
    const cachedData = cache === undefined
      ? undefined
      : Deno.readFileSync(cachePath(directory, own));
    const script = new Script(`${SCRIPT_HEAD}${text}\n})`, {
      filename: `${name}.js`,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    onScript?.(name, script);
    const module = { exports: {} as Exports };
    script.runInThisContext()(module, module.exports, load);
    return module.exports;
  }
  return runScript("program", cache ?? "start") as { main: typeof main };
}

type Exports = Record<string, unknown>;

/** Where a script is. */
export function scriptPath(directory: string, name: ScriptName): string {
  return join(directory, `${name}.script`);
}

/** Where a cache is. */
export function cachePath(directory: string, name: CacheName): string {
  return join(directory, `${name}.cache`);
}
