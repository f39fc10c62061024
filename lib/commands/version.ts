/**
 * `app:version`: the version of this program, for people and scripts.
 *
 * @module
 */

import meta from "../../deno.json" with { type: "json" };
import { ExitCode } from "../errors.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "./command.ts";

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
  system.out.write(`${meta.version}\n`);
  return ExitCode.ok;
}
