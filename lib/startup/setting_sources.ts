/**
 * The sources of settings that a system has.
 *
 * @module
 */

import type { Sources } from "../settings/resolve.ts";
import type { System } from "../os/system.ts";

/**
 * The environment, and a way to read the files that `_FILE` variables name.
 *
 * @param system Its environment and files.
 * @returns The sources, without the services that answer to a host name.
 */
export function sourcesOf(
  { env, files }: Pick<System, "env" | "files">,
): Pick<Sources, "env" | "readText"> {
  return { env, readText: (path) => files.readText(path) };
}
