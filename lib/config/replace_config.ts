/**
 * Replaces the content of config.json, by a rename if that is possible.
 *
 * @module
 */

import { dirname } from "node:path";
import { errorCode } from "../errors.ts";
import { shellWord } from "../shell.ts";
import type { ConfigSystem } from "./location.ts";
import { markerPath } from "./location.ts";
import { attempt, replaceFile, syncDirectory } from "./replace_file.ts";

/**
 * Replaces the text of config.json: by a rename, or if that is impossible, in place. The caller must
 * have kept a copy of the old text.
 *
 * @param system Files and random bytes.
 * @param replacement The file, the path prefix of the files beside it, the new text, and the old
 *   state, which is written back if an overwrite fails.
 * @returns Whether the file was overwritten in place.
 * @throws The system's error.
 */
export function replaceConfig(
  system: ConfigSystem,
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
  const { files } = system;
  try {
    replaceFile(system, path, text);
    removeMarker(files, base);
    return false;
  } catch (error) {
    const isMount = ["EBUSY", "EXDEV"].includes(errorCode(error) ?? "");
    if (!isMount && !isPermissionError(error)) throw error;
    if (!files.exists(path)) throw error;
  }
  // While the marker exists, the next start restores an invalid file from the newest copy.
  const marker = markerPath(base);
  replaceFile(system, marker, "");
  try {
    files.overwrite(path, text);
  } catch (error) {
    const before = state.text;
    const isUndone = before !== undefined && !state.torn &&
      attempt(() => files.overwrite(path, before));
    if (isUndone) attempt(() => files.remove(marker));
    throw error;
  }
  files.remove(marker);
  syncDirectory(files, dirname(marker));
  return true;
}

/**
 * Removes the marker of an overwrite, if it exists. It never throws.
 *
 * @param files Files.
 * @param base The path prefix of the files beside config.json.
 */
export function removeMarker(files: ConfigSystem["files"], base: string): void {
  const marker = markerPath(base);
  attempt(() => {
    if (files.exists(marker)) files.remove(marker);
  });
}

/**
 * Changes the mode of a file to 0600.
 *
 * @param system Files.
 * @param path The file.
 * @returns A notice for the operator if that is not possible.
 */
export function makePrivate(
  { files }: ConfigSystem,
  path: string,
): readonly string[] {
  const facts = files.stat(path);
  const isPrivate = facts === undefined || (facts.mode & 0o777) === 0o600 ||
    attempt(() => files.chmod(path, 0o600));
  return isPrivate ? [] : [
    `Other users can read ${path}; to prevent that: chmod 600 ${
      shellWord(path)
    }`,
  ];
}

/**
 * Checks whether an operation failed for lack of permission, or on a read-only file system.
 *
 * @param error The system's error.
 * @returns Whether its code is EACCES, EPERM or EROFS.
 */
export function isPermissionError(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(errorCode(error) ?? "");
}
