/**
 * Exchanging the content of config.json, by rename where that is possible.
 *
 * @module
 */

import { dirname } from "node:path";
import { errorCode } from "../errors.ts";
import type { ConfigWorld } from "./location.ts";
import { markerPath } from "./location.ts";
import { attempt, replaceFile, syncDirectory } from "./replace_file.ts";

/**
 * Puts a new text in place of the old one: by rename, or where that is impossible in place. The
 * caller has made sure that there is a copy of the old one.
 *
 * @param world Files and random bytes.
 * @param replacement The file, the prefix of its companions, the new text, and the old state,
 *   which comes back if an overwrite fails.
 * @returns Whether the file had to be overwritten.
 * @throws The system's error.
 */
export function replaceConfig(
  world: ConfigWorld,
  { path, base, text, state }: {
    readonly path: string;
    readonly base: string;
    readonly text: string;
    readonly state: {
      readonly text: string | undefined;
      readonly torn: boolean;
    };
  },
): boolean {
  const { files } = world;
  try {
    replaceFile(world, path, text);
    removeMarker(files, base);
    return false;
  } catch (error) {
    const mounted = ["EBUSY", "EXDEV"].includes(errorCode(error) ?? "");
    if (!mounted && !isClosed(error)) throw error;
    if (!files.exists(path)) throw error;
  }
  // From here to the end of the overwrite, the next start makes the file whole from the newest copy.
  const marker = markerPath(base);
  replaceFile(world, marker, "");
  try {
    files.overwrite(path, text);
  } catch (error) {
    const before = state.text;
    const undone = before !== undefined && !state.torn &&
      attempt(() => files.overwrite(path, before));
    if (undone) attempt(() => files.remove(marker));
    throw error;
  }
  files.remove(marker);
  syncDirectory(files, dirname(marker));
  return true;
}

/**
 * Takes the mark of an overwrite away, if there is one. Never throws.
 *
 * @param files Files.
 * @param base The path prefix of copies and memory.
 */
export function removeMarker(files: ConfigWorld["files"], base: string): void {
  const marker = markerPath(base);
  attempt(() => {
    if (files.exists(marker)) files.remove(marker);
  });
}

/**
 * Gives a file that keeps its content the mode 0600.
 *
 * @param world Files.
 * @param path The file.
 * @returns Lines for the operator about what could not be done.
 */
export function protect(
  { files }: ConfigWorld,
  path: string,
): readonly string[] {
  const facts = files.stat(path);
  const isPrivate = facts === undefined || (facts.mode & 0o777) === 0o600 ||
    attempt(() => files.chmod(path, 0o600));
  return isPrivate ? [] : [`${path} can be read by others: chmod 600 ${path}`];
}

/**
 * Tells whether a file or directory is closed to us, rather than broken or full.
 *
 * @param error The system's error.
 * @returns Whether it is about rights.
 */
export function isClosed(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(errorCode(error) ?? "");
}
