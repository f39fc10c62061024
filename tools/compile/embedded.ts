/**
 * The program as it lies in the compiled binary: one script, and beside it what
 * V8 made of the script when somebody tried it out, its code cache. With the cache
 * nothing has to be parsed and compiled again at each start, which was a third of it.
 *
 * A cache that does not fit the runtime is ignored: the program is slower then,
 * and the same.
 *
 * @module
 */

import type { Script } from "node:vm";
import type { main } from "../../lib/program.ts";
import { builtin } from "./builtin.ts";
import { REPLACEMENTS } from "./replacements.ts";

/** Packages that only some need, by the name that the program imports: each is a script of its own. */
export const PACKAGES = {
  postgres: "postgres",
  "nodemailer/lib/smtp-transport": "mail",
} as const;

/** The script of a package. */
export type PackageName = typeof PACKAGES[keyof typeof PACKAGES];

/** A script in the binary. */
export type ScriptName = "program" | PackageName;

/** What is tried out, each with a cache of the program: the health check needs little of it. */
export const REHEARSALS = ["health", "start"] as const;

/** What was tried out. */
export type Rehearsal = typeof REHEARSALS[number];

/** The code caches: of the program by rehearsal, and of the package that is tried out too. */
export const CACHES = [...REHEARSALS, "postgres"] as const;

/** A code cache. */
export type CacheName = typeof CACHES[number];

/** What a stack trace calls the program. */
export const SCRIPT_NAME = fileName("program");
/** What stands before it, on its first line: a stack trace has the lines of the bundle. */
export const SCRIPT_HEAD = "(function(module,exports,require){";
const SCRIPT_TAIL = "\n})";

/** How the program is loaded. */
export interface LoadOptions {
  /** Whose caches are used; none if absent. */
  readonly rehearsal?: Rehearsal;
  /** Called with each script that is loaded. */
  readonly onScript?: (name: ScriptName, script: Script) => void;
}

const vm = builtin("node:vm");

const REPLACED = new Map(
  Object.entries(REPLACEMENTS).map(([name, value]) => [lastPart(name), value]),
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
  { rehearsal, onScript }: LoadOptions = {},
): { readonly main: typeof main } {
  const loaded = new Map<string, unknown>();
  /** A module of the runtime, a package in the binary, or its replacement; each is looked for once. */
  function load(name: string): unknown {
    if (!loaded.has(name)) {
      loaded.set(
        name,
        isPackage(name)
          ? runScript(PACKAGES[name])["content"]
          : REPLACED.get(lastPart(name)) ?? heirOf(builtin(name)),
      );
    }
    return loaded.get(name);
  }
  function runScript(name: ScriptName): Exports {
    const text = Deno.readTextFileSync(scriptPath(directory, name));
    const cache = rehearsal && cacheOf(name, rehearsal);
    const cachedData = cache && Deno.readFileSync(cachePath(directory, cache));
    const script = new vm.Script(text, {
      filename: fileName(name),
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    onScript?.(name, script);
    const module = { exports: {} as Exports };
    script.runInThisContext()(module, module.exports, load);
    return module.exports;
  }
  return runScript("program") as { main: typeof main };
}

type Exports = Record<string, unknown>;

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/**
 * Each importer copies all that a module has of its own, and has what it inherits
 * without that. The process is not only a module, and some modules are functions.
 */
function heirOf(module: unknown): unknown {
  const isPlain = typeof module === "object" &&
    module !== builtin("node:process");
  return isPlain ? Object.create(module) : module;
}

/**
 * Makes a script of a bundle, as it is to lie in the binary.
 *
 * @param bundle The text of a CommonJS module.
 * @returns The text of a script, whose value is a function.
 */
export function asScript(bundle: string): string {
  return `${SCRIPT_HEAD}${bundle}${SCRIPT_TAIL}`;
}

/**
 * The code cache of a script.
 *
 * @param script The script.
 * @param rehearsal What was tried out with it.
 * @returns Its name; `undefined` for a script that is not tried out.
 */
export function cacheOf(
  script: ScriptName,
  rehearsal: Rehearsal,
): CacheName | undefined {
  const name = script === "program" ? rehearsal : script;
  return CACHES.find((each) => each === name);
}

function isPackage(name: string): name is keyof typeof PACKAGES {
  return Object.hasOwn(PACKAGES, name);
}

function fileName(script: ScriptName): string {
  return `${script}.js`;
}

/** Where a script is. */
export function scriptPath(directory: string, name: ScriptName): string {
  return `${directory}/${name}.script`;
}

/** Where a cache is. */
export function cachePath(directory: string, name: CacheName): string {
  return `${directory}/${name}.cache`;
}
