/**
 * Where settings come from, as the system has it.
 *
 * @module
 */

import type { Sources } from "../settings/resolve.ts";
import type { System } from "../os/system.ts";

/**
 * The environment, and the files that it names.
 *
 * @param system The world.
 * @returns What settings are read from.
 */
export function sourcesOf(
  { env, files }: Pick<System, "env" | "files">,
): Pick<Sources, "env" | "readText"> {
  return { env, readText: (path) => files.readText(path) };
}
