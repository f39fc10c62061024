/**
 * Files that only this program makes, beside config.json and in the directory of the data.
 *
 * Who can write to those directories can put a link or a FIFO at such a name. Following
 * the link would read or change a file somewhere else, and opening the FIFO would wait for
 * ever, so neither is opened.
 *
 * @module
 */

import { EntrypointError, ExitCode, tolerate } from "../errors.ts";
import type { FileFacts, System } from "../os/system.ts";

/**
 * Reads a file of ours.
 *
 * @param files Files.
 * @param path The file.
 * @returns Its text; `undefined` where there is none.
 * @throws {EntrypointError} With code 73 for anything but a regular file; otherwise the system's error.
 */
export function readOwnFile(
  files: Pick<System["files"], "read">,
  path: string,
): string | undefined {
  const found = files.read(path, { follow: false });
  if (found === undefined) return undefined;
  if (found.bytes === undefined) throw notRegularFile(path, found.facts);
  return new TextDecoder().decode(found.bytes);
}

/**
 * Reads a file of ours that need not be there, or be open to us.
 *
 * @param files Files.
 * @param path The file.
 * @returns Its text; `undefined` where it cannot be read.
 * @throws {EntrypointError} With code 73 for anything but a regular file.
 */
export function readIfThere(
  files: Pick<System["files"], "read">,
  path: string,
): string | undefined {
  try {
    return readOwnFile(files, path);
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    return undefined;
  }
}

/**
 * Makes sure that a name of ours leads to a regular file, or to nothing. What cannot even
 * be looked at is told by who opens it.
 *
 * @param files Files.
 * @param path The file.
 * @throws {EntrypointError} With code 73 for anything else.
 */
export function requireRegularFile(
  files: Pick<System["files"], "lstat">,
  path: string,
): void {
  const facts = tolerate(() => files.lstat(path));
  if (facts !== undefined && !facts.isFile) throw notRegularFile(path, facts);
}

function notRegularFile(path: string, facts: FileFacts): EntrypointError {
  const what = facts.isFile
    ? `a file of ${facts.size} bytes`
    : facts.isSymlink
    ? "a symbolic link"
    : facts.isDirectory
    ? "a directory"
    : "a FIFO, a socket or a device";
  return new EntrypointError(
    `${path} is ${what}, and must be a ${
      facts.isFile ? "small" : "regular"
    } file that the entrypoint makes by itself`,
    {
      code: ExitCode.cannotWrite,
      remedy: `${
        facts.isDirectory ? "rm -r" : "rm"
      } ${path}   # it is made anew; find out who put it there`,
    },
  );
}
