/**
 * Checks the licences of all packages: tests/deno.lock has those of the program and the tools too.
 *
 *     deno task licenses
 *
 * It prints one line for each package, and fails if the project does not accept a licence.
 *
 * @module
 */

import { join } from "node:path";

/** Licences that demand nothing but attribution for use and distribution. */
const ACCEPTED: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
  "Unlicense",
];

/** A package in a lock file. */
interface LockedPackage {
  readonly name: string;
  readonly version: string;
}

/** The forms of a licence in package.json: an SPDX expression, or the deprecated object and list. */
interface Manifest {
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly { readonly type?: string }[];
}

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const packages = lockedPackages(await Deno.readTextFile("tests/deno.lock"));
  const roots = await cacheRoots();
  let isFine = true;
  for (const { name, version } of packages) {
    const licence = await licenceOf(join(name, version), roots);
    const accepted = licence !== undefined && isAccepted(licence);
    isFine &&= accepted;
    const verdict = accepted ? "" : "   # not accepted";
    console.log(`${name}@${version}: ${licence ?? "unknown"}${verdict}`);
  }
  return isFine ? 0 : 1;
}

/**
 * Reads the packages of a lock file.
 *
 * @param text The text of the lock file.
 * @returns Names and versions, in the order of the file.
 */
export function lockedPackages(text: string): LockedPackage[] {
  const { npm = {} }: { npm?: Record<string, unknown> } = JSON.parse(text);
  return Object.keys(npm).map((key) => {
    const at = key.indexOf("@", 1);
    // The versions of peer dependencies follow an underscore.
    const [version = ""] = key.slice(at + 1).split("_");
    return { name: key.slice(0, at), version };
  });
}

/**
 * Checks a licence expression: of `OR` one licence must be accepted, of `AND` all.
 *
 * @param expression An SPDX expression.
 * @returns Whether the project accepts it.
 */
export function isAccepted(expression: string): boolean {
  return expression.replace(/[()]/g, "").split(/\s+OR\s+/).some((option) =>
    option.split(/\s+AND\s+/).every((name) => ACCEPTED.includes(name.trim()))
  );
}

/** The directories of Deno's cache, one for each registry. */
async function cacheRoots(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stderr: "null",
  }).output();
  const { npmCache }: { npmCache: string } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const entries = await Array.fromAsync(Deno.readDir(npmCache));
  return entries.filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => join(npmCache, name));
}

async function licenceOf(
  path: string,
  roots: readonly string[],
): Promise<string | undefined> {
  for (const root of roots) {
    try {
      const text = await Deno.readTextFile(join(root, path, "package.json"));
      const { license, licenses }: Manifest = JSON.parse(text);
      const found = [license ?? licenses ?? []].flat()
        .map((entry) => typeof entry === "string" ? entry : entry.type ?? "");
      return found.length === 0 ? undefined : found.join(" OR ");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}
