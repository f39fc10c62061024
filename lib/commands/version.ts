/**
 * `app:version`: which program this is, for people, scripts and bug reports.
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
 * The lines that describe a program.
 *
 * @param commit What the build wrote.
 * @param runtime The versions of Deno and V8.
 * @returns Version, commit and runtime, each on a line that begins with its name.
 */
export function describeProgram(
  commit: string,
  { deno, v8 }: System["runtime"],
): string {
  // The text in brackets is there where nothing was built, or no repository was.
  const built = commit.startsWith("(") ? "unknown" : commit.trim();
  const origin = deno === FALLBACK_RUNTIME
    ? "recovered from an npm package, as the vendor's site was not reached"
    : "from its vendor";
  return [
    `mattermost-entrypoint ${meta.version}`,
    `commit ${built}`,
    `runtime Deno ${deno} with V8 ${v8}, ${origin}`,
  ].map((line) => `${line}\n`).join("");
}

/**
 * The command.
 *
 * @param args Must be empty.
 * @param context The world.
 * @returns The exit code.
 * @throws {EntrypointError} With code 64 for any argument.
 */
export function version(args: readonly string[], { system }: Context): number {
  readArguments(args, { command: "app:version" });
  system.out.write(describeProgram(COMMIT, system.runtime));
  return ExitCode.ok;
}
