/**
 * The sources of settings that a system has.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
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
): Pick<Sources, "env" | "readFile" | "exists"> {
  return {
    env,
    readFile: (path) => readRegularFile(path, files),
    exists: (path) => trySystemCall(() => files.exists(path)) ?? false,
  };
}

/** Links are followed, since Kubernetes mounts secrets through them. */
function readRegularFile(path: string, files: System["files"]): Uint8Array {
  const found = files.read(path, { follow: true });
  if (found?.bytes !== undefined) return found.bytes;
  const code = found === undefined
    ? "ENOENT"
    : found.facts.isDirectory
    ? "EISDIR"
    : found.facts.isFile
    ? "EFBIG"
    : "not a regular file";
  throw Object.assign(new Error(code), { code });
}
