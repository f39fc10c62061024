/**
 * Replacing a small file so that a reader, a crash or a full disk finds the old
 * one or the new one, never half of it.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { errorCode } from "../errors.ts";
import type { System } from "../os/system.ts";

/** What this needs of the world. */
export type ReplaceWorld = Pick<System, "files" | "random">;

/** Everything here may hold secrets. */
const PRIVATE_MODE = 0o600;
/** Directories are closed to others, but for the group that backups may have. */
const DIRECTORY_MODE = 0o750;

/**
 * Replaces or creates a file: a temporary file beside it, on the disk before it takes the name.
 *
 * @param world Files and random bytes for the temporary name.
 * @param path The file; a symbolic link at that place would be replaced, not followed.
 * @param text The whole content; the mode is 0600.
 * @throws The system's error; the temporary file is gone then, and the old file as it was.
 */
export function replaceFile(
  { files, random }: ReplaceWorld,
  path: string,
  text: string,
): void {
  const temporary = join(
    dirname(path),
    `${temporaryPrefix(path)}${toHex(random(8))}${TEMPORARY_SUFFIX}`,
  );
  try {
    files.create(temporary, text, PRIVATE_MODE);
    files.rename(temporary, path);
  } catch (error) {
    // Not even the temporary file may be there: the first error is the one to tell.
    attempt(() => files.remove(temporary));
    throw error;
  }
  syncDirectory(files, dirname(path));
}

/**
 * Removes temporary files that a killed process left. Only for the holder of the lock.
 *
 * @param world Files.
 * @param path The file that they were to replace.
 */
export function removeTemporaries(
  { files }: Pick<System, "files">,
  path: string,
): void {
  const directory = dirname(path);
  for (const name of files.list(directory)) {
    if (
      name.startsWith(temporaryPrefix(path)) && name.endsWith(TEMPORARY_SUFFIX)
    ) attempt(() => files.remove(join(directory, name)));
  }
}

/**
 * Waits until the entries of a directory are on the disk, where the file system can do that.
 *
 * @param files Files.
 * @param directory The directory.
 */
export function syncDirectory(files: System["files"], directory: string): void {
  try {
    files.syncDirectory(directory);
  } catch (error) {
    // Some network file systems cannot, and a directory may be closed to readers.
    const harmless = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EBADF"];
    if (!harmless.includes(errorCode(error) ?? "")) throw error;
  }
}

/**
 * Makes a directory and those above it. One that is there is left as it is.
 *
 * @param files Files.
 * @param directory The directory.
 * @throws The system's error if one cannot be made.
 */
export function makeDirectories(
  files: System["files"],
  directory: string,
): void {
  if (files.exists(directory)) return;
  makeDirectories(files, dirname(directory));
  files.makeDirectory(directory, DIRECTORY_MODE);
}

/**
 * Does what may fail without harm.
 *
 * @param step The step.
 * @returns Whether it went well.
 */
export function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch {
    return false;
  }
}

/**
 * Writes bytes as hexadecimal digits.
 *
 * @param bytes Any bytes.
 * @returns Two digits for each.
 */
export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const TEMPORARY_SUFFIX = ".tmp";

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.`;
}
