/**
 * Finds unused code in lib/, and cycles of imports.
 *
 *     deno run -A tools/imports.ts
 *
 * - An export must be used by another file of lib/, by main.ts or by a tool; tests do not
 *   count. A type may also be used in its own file only, because `deno doc --lint` demands
 *   that the types in an exported signature are exported.
 * - A member of an interface must be read somewhere in lib/ or in a tool.
 * - Imports must not form cycles, including imports of types.
 *
 * It searches the text, which `deno fmt` has formatted, instead of compiling it: a name that is
 * used anywhere counts for all declarations with that name. So it does not find everything,
 * but everything that it finds is unused.
 *
 * @module
 */

import { dirname, join, normalize } from "node:path";

/** Unused names that may stay, each with the reason. */
const ALLOWED: Readonly<Record<string, string>> = {
  "lib/commands/version.ts describeProgram":
    "a test cannot choose the commit of the build",
  "lib/config/lock.ts sidecarPaths":
    "a test puts a link at each of these paths, and must not miss one",
  "lib/os/socket.ts rejectUnauthorized":
    "the options are passed on to node:tls as they are",
};

/** The text of each file by its path in the project. */
export type Sources = Readonly<Record<string, string>>;

function main(): number {
  const root = dirname(import.meta.dirname ?? ".");
  const paths = [
    "main.ts",
    ...listFiles(root, "lib"),
    // Without this file, which contains the names of ALLOWED.
    ...listFiles(root, "tools").filter((path) => path !== "tools/imports.ts"),
  ];
  const sources = Object.fromEntries(
    paths.map((path) => [path, Deno.readTextFileSync(join(root, path))]),
  );
  const found = [
    ...unusedExports(sources),
    ...unreadMembers(sources),
  ];
  const unused = found.filter((name) => !Object.hasOwn(ALLOWED, name));
  const outdated = Object.keys(ALLOWED).filter((name) => !found.includes(name));
  const problems = [
    ...unused.map((name) =>
      `${name} is unused, or used by tests only: remove it`
    ),
    ...outdated.map((name) =>
      `${name} is used: remove it from ALLOWED in tools/imports.ts`
    ),
    ...importCycles(sources).map((cycle) =>
      `These imports form a cycle: ${cycle.join(" → ")}`
    ),
  ];
  problems.forEach((problem) => console.error(problem));
  return problems.length === 0 ? 0 : 1;
}

function listFiles(root: string, directory: string): string[] {
  return [...Deno.readDirSync(join(root, directory))].flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) return listFiles(root, path);
    return entry.name.endsWith(".ts") ? [path] : [];
  }).sort();
}

/** A static or dynamic import. */
interface Import {
  /** The path of the imported file in the project. */
  readonly target: string;
  /** The imported names; `undefined` for all. */
  readonly names: readonly string[] | undefined;
}

const STATIC_REGEXP = /^import (?:type )?([^;"]*?)\s*from\s*"(\.[^"]+)"/gm;
const LAZY_REGEXP =
  /(?:\{([^{}]*)\}\s*=\s*await\s+)?import\("(\.[^"]+)"\)(?:\)?\.(\w+))?/g;
const EXPORT_REGEXP =
  /^export (?:async )?(function|const|class|interface|type) (\w+)/gm;

/**
 * Finds exports of lib/ that no other file uses.
 *
 * @param sources All files that may use them.
 * @returns The file and the name of each.
 */
export function unusedExports(sources: Sources): string[] {
  const used = new Set<string>();
  for (const [path, text] of Object.entries(sources)) {
    for (const { target, names = ["*"] } of importsOf(path, text)) {
      for (const name of names) used.add(`${target} ${name}`);
    }
  }
  return Object.entries(sources).filter(([path]) => path.startsWith("lib/"))
    .flatMap(([path, text]) => {
      const code = withoutComments(text);
      return [...code.matchAll(EXPORT_REGEXP)]
        .filter(([, kind, name = ""]) => {
          if (used.has(`${path} ${name}`) || used.has(`${path} *`)) {
            return false;
          }
          const isType = kind !== "function" && kind !== "const";
          return !isType || countWord(code, name) < 2;
        })
        .map(([, , name]) => `${path} ${name}`);
    });
}

const MEMBER_REGEXP = /^ {2}(?:readonly )?(\w+)(?:\?|<[^>]*>)?[:(]/gm;
const INTERFACE_REGEXP = /^(?:export )?interface \w+[^{]*\{\n([\s\S]*?)^\}/gm;

/** A name that is read: it is not a key before a colon, and not the start of a line in an interface. */
const READ_REGEXP =
  /(?<!^ {2}(?:readonly )?|\w)([A-Za-z_]\w*)(?!\w|\??:|\?\()/gm;
/** Destructuring, which reads keys: `const { name: other } = …` and `({ name: other }: Type)`. */
const DESTRUCTURING_REGEXP = /\{([^{}]*)\}\s*(?:=(?![=>])|:\s)/g;

/**
 * Finds members of interfaces in lib/ that are declared and assigned, but never read.
 *
 * @param sources All files that may read them.
 * @returns The file and the name of each.
 */
export function unreadMembers(sources: Sources): string[] {
  const read = new Set<string>();
  for (const text of Object.values(sources)) {
    const code = withoutComments(text);
    for (const [, name = ""] of code.matchAll(READ_REGEXP)) read.add(name);
    for (const [, names = ""] of code.matchAll(DESTRUCTURING_REGEXP)) {
      for (const [name] of names.matchAll(/\w+(?=:)/g)) read.add(name);
    }
  }
  return Object.entries(sources).filter(([path]) => path.startsWith("lib/"))
    .flatMap(([path, text]) => {
      const blocks = [...withoutComments(text).matchAll(INTERFACE_REGEXP)];
      const names = blocks.flatMap(([, body = ""]) =>
        [...body.matchAll(MEMBER_REGEXP)].map(([, name = ""]) => name)
      );
      return [...new Set(names)].filter((name) => !read.has(name))
        .map((name) => `${path} ${name}`);
    });
}

/**
 * Finds cycles of imports, including imports of types.
 *
 * @param sources The files.
 * @returns The files of each cycle, with the first one again at the end.
 */
export function importCycles(sources: Sources): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const chain: string[] = [];
  function visit(path: string): void {
    const start = chain.indexOf(path);
    if (start >= 0) cycles.push([...chain.slice(start), path]);
    if (start >= 0 || done.has(path)) return;
    chain.push(path);
    for (const { target } of importsOf(path, sources[path] ?? "")) {
      visit(target);
    }
    chain.pop();
    done.add(path);
  }
  Object.keys(sources).forEach(visit);
  return cycles;
}

function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const at = (specifier: string): string =>
    normalize(join(dirname(path), specifier));
  const listed = (names: string): string[] =>
    names.split(",").map((part) =>
      part.trim().replace(/^type /, "").split(/ as |:/)[0]?.trim() ?? ""
    ).filter((name) => name !== "");
  const fixed = [...code.matchAll(STATIC_REGEXP)].map((
    [, clause = "", specifier = ""],
  ) => ({
    target: at(specifier),
    names: clause.startsWith("{") ? listed(clause.slice(1, -1)) : undefined,
  }));
  const lazy = [...code.matchAll(LAZY_REGEXP)].map((
    [, names, specifier = "", member],
  ) => ({
    target: at(specifier),
    names: names !== undefined
      ? listed(names)
      : member === undefined
      ? undefined
      : [member],
  }));
  return [...fixed, ...lazy];
}

function countWord(text: string, word: string): number {
  return text.match(new RegExp(`\\b${word}\\b`, "g"))?.length ?? 0;
}

/** Removes doc comments, and comments that take whole lines. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*\*[\s\S]*?\*\//gm, "").replace(
    /^\s*\/\/.*$/gm,
    "",
  );
}

if (import.meta.main) Deno.exit(main());
