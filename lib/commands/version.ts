/**
 * `app:version`: the version, the commit and the runtime, for scripts and bug reports.
 *
 * @module
 */

import meta from "../../deno.json" with { type: "json" };
import { COMMIT, FALLBACK_RUNTIME } from "../build.ts";
import { ExitCode } from "../errors.ts";
import type { System } from "../os/system.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";

/**
 * Describes a program in three lines.
 *
 * @param commit The commit that the build recorded, or a note in brackets.
 * @param runtime The versions of Deno and V8.
 * @returns Version, commit and runtime, each on a line that begins with its name.
 */
export function describeProgram(
  commit: string,
  { deno, v8 }: System["runtime"],
): string {
  // The note in brackets means that nothing was built, or not from a repository.
  const built = commit.startsWith("(") ? "unknown" : commit.trim();
  const origin = deno === FALLBACK_RUNTIME
    ? "recovered from an npm package because the vendor's site could not be reached"
    : "from its vendor";
  return [
    `mattermost-entrypoint ${meta.version}`,
    `commit ${built}`,
    `runtime Deno ${deno} with V8 ${v8}, ${origin}`,
  ].map((line) => `${line}\n`).join("");
}

/**
 * Prints the version.
 *
 * @param args Must be empty.
 * @param context The system with the output and the runtime.
 * @returns The exit code 0.
 * @throws {EntrypointError} With code 64 for any argument.
 */
export function version(args: readonly string[], { system }: Context): number {
  readArguments(args, { command: "app:version" });
  system.out.write(describeProgram(COMMIT, system.runtime));
  return ExitCode.ok;
}
