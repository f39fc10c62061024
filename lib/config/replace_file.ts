/**
 * Replaces small files atomically: a reader finds the old content or the new one, even after a
 * crash or on a full disk.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { errorCode } from "../errors.ts";
import type { System } from "../os/system.ts";

/** The parts of the system that replacing a file needs. */
export type ReplaceSystem = Pick<System, "files" | "random">;

/** The codes of file systems that cannot flush a directory, and of one that may not be read. */
const HARMLESS = [
  "EINVAL",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EACCES",
  "EBADF",
];

/** The mode of files, which may all hold secrets. */
const PRIVATE_MODE = 0o600;
/** The mode of directories. The group has access, so that a backup program can run in it. */
const DIRECTORY_MODE = 0o750;

/**
 * Creates or replaces a file with the mode 0600. The content is written to a temporary file beside
 * it, which is on the disk before it is renamed.
 *
 * @param system Files, and random bytes for the temporary name.
 * @param path The file; a symbolic link is replaced, not followed.
 * @param text The whole content.
 * @throws The system's error. The old file is unchanged then.
 */
export function replaceFile(
  { files, random }: ReplaceSystem,
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
    // The first error is the one to report; the temporary file may not even exist.
    attempt(() => files.remove(temporary));
    throw error;
  }
  syncDirectory(files, dirname(path));
}

/**
 * Removes the temporary files of killed processes. The caller must hold the lock.
 *
 * @param system Files.
 * @param path The file that they were meant to replace.
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
 * Waits until the entries of a directory are on the disk, if the file system supports that.
 *
 * @param files Files.
 * @param directory The directory.
 */
export function syncDirectory(files: System["files"], directory: string): void {
  try {
    files.syncDirectory(directory);
  } catch (error) {
    // Some network file systems do not support it, and the directory may not be readable.
    if (!HARMLESS.includes(errorCode(error) ?? "")) throw error;
  }
}

/**
 * Creates a directory and its parents. Existing directories are not changed.
 *
 * @param files Files.
 * @param directory The directory.
 * @throws The system's error if one cannot be created.
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
 * Runs a step whose failure does not matter.
 *
 * @param step The step.
 * @returns Whether it succeeded.
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
 * Converts bytes to hexadecimal digits.
 *
 * @param bytes Any bytes.
 * @returns Two lower-case digits per byte.
 */
export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const TEMPORARY_SUFFIX = ".tmp";

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.`;
}
