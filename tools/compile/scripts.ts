/**
 * The scripts in the compiled binary: one for the program, and one for each package that only
 * some commands load. A script can have a code cache, the code that V8 compiled in the
 * profiling run. Without caches a start takes a third longer. V8 ignores a cache that does not
 * fit its version or options.
 *
 * @module
 */

import { Script } from "node:vm";
import type { main } from "../../lib/program.ts";

/** Name of the program's own script. */
export const PROGRAM = "program";

/** Packages with a script of their own, as the program imports them. */
export const PACKAGES = [
  "mysql",
  "postgres",
  "nodemailer/lib/smtp-transport",
] as const;

/** The text before the bundle on the first line, which shifts the columns of stack traces there. */
export const SCRIPT_HEAD = "(function(module,exports,require){";
const SCRIPT_TAIL = "\n})";

/** The export that holds a package in its script. */
export const PACKAGE_EXPORT = "content";

/** The loaded program. */
export interface LoadedProgram {
  /** Its main function. */
  readonly main: typeof main;
  /** The scripts that have been loaded so far, by name. */
  readonly scripts: ReadonlyMap<string, Script>;
}

type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads the program's script; the packages follow when the program requires them.
 *
 * @param directory The directory of scripts and caches.
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

/** In the profiling run no script has a cache, and later those that it did not load have none. */
function readCache(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Names the file of a script. Its cache has the same name with `.cache` appended.
 *
 * @param directory The directory of scripts and caches.
 * @param name {@linkcode PROGRAM}, or a package.
 * @returns The path.
 */
export function scriptPath(directory: string, name: string): string {
  return `${directory}/${name.replaceAll("/", "-")}.script`;
}

/**
 * Turns a CommonJS bundle into a script that evaluates to a function of `module`, `exports`
 * and `require`.
 *
 * @param bundle The text of the bundle.
 * @returns The text of the script.
 */
export function asScript(bundle: string): string {
  return `${SCRIPT_HEAD}${bundle}${SCRIPT_TAIL}`;
}
