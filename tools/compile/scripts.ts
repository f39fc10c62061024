/**
 * The program as it lies in the compiled binary: a script for the program and one for each
 * package that only some commands load, each with a code cache: what V8 made of the script
 * in a profiling run. Without the caches a start takes a third longer.
 *
 * V8 ignores a cache that does not fit the runtime: the program is slower then, and the same.
 *
 * @module
 */

import { Script } from "node:vm";
import type { main } from "../../lib/program.ts";

/** The script of the program itself. */
export const PROGRAM = "program";

/** Packages with a script of their own, by the name that the program imports. */
export const PACKAGES = [
  "mysql",
  "postgres",
  "nodemailer/lib/smtp-transport",
] as const;

/** What stands before a script, on its first line, which the positions in stack traces include. */
export const SCRIPT_HEAD = "(function(module,exports,require){";
const SCRIPT_TAIL = "\n})";

/** What a script of a package exports. */
export const PACKAGE_EXPORT = "content";

/** The program, and the scripts that have been loaded so far, by name. */
export interface LoadedProgram {
  /** The program. */
  readonly main: typeof main;
  /** The scripts. */
  readonly scripts: ReadonlyMap<string, Script>;
}

type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads the program.
 *
 * @param directory Where the scripts and their caches are.
 * @returns The program.
 */
export function loadProgram(directory: string): LoadedProgram {
  const scripts = new Map<string, Script>();
  const packages = new Map<string, unknown>();
  function run(name: string): Exports {
    const path = scriptPath(directory, name);
    const cachedData = readCache(`${path}.cache`);
    const script = new Script(Deno.readTextFileSync(path), {
      filename: `${name}.js`,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    scripts.set(name, script);
    const module = { exports: {} };
    script.runInThisContext()(module, module.exports, require);
    return module.exports;
  }
  function require(name: string): unknown {
    // deno-lint-ignore no-process-global -- An import of node:process takes longer.
    const builtin = process.getBuiltinModule(name);
    if (builtin !== undefined) return builtin;
    if (!packages.has(name)) packages.set(name, run(name)[PACKAGE_EXPORT]);
    return packages.get(name);
  }
  return { main: run(PROGRAM)["main"] as typeof main, scripts };
}

/** The packages that the profiling run does not load have no cache, and before it nothing has one. */
function readCache(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Where a script is; its cache is beside it, named `.cache` in addition.
 *
 * @param directory The directory of all scripts.
 * @param name The program, or a package.
 * @returns The path.
 */
export function scriptPath(directory: string, name: string): string {
  return `${directory}/${name.replaceAll("/", "-")}.script`;
}

/**
 * Makes a script of a bundle: a function of `module`, `exports` and `require`.
 *
 * @param bundle The text of a CommonJS module.
 * @returns The text of the script.
 */
export function asScript(bundle: string): string {
  return `${SCRIPT_HEAD}${bundle}${SCRIPT_TAIL}`;
}
