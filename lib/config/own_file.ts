/**
 * Reads the files that only the entrypoint creates, beside config.json and in the data directory.
 *
 * Any user that can write to these directories can create a symbolic link or a FIFO with such a
 * name. A link could make the entrypoint read or change another file, and opening a FIFO could
 * block forever, so the entrypoint opens neither.
 *
 * @module
 */

import { EntrypointError, ExitCode, trySystemCall } from "../errors.ts";
import type { FileFacts, System } from "../os/system.ts";
import { shellWord } from "../shell.ts";

/**
 * Reads a file that the entrypoint created.
 *
 * @param files Files.
 * @param path The file.
 * @returns The text; `undefined` if the file does not exist.
 * @throws {EntrypointError} With code 73 if it is not a regular file or is too large.
 * @throws The system's error if it cannot be read.
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
 * Reads a file that the entrypoint created, and ignores that it cannot be read.
 *
 * @param files Files.
 * @param path The file.
 * @returns The text; `undefined` if the file does not exist or cannot be read.
 * @throws {EntrypointError} With code 73 if it is not a regular file or is too large.
 */
export function tryReadOwnFile(
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
 * Checks that a path is a regular file or does not exist. It ignores a path that cannot be
 * examined; opening it reports the error.
 *
 * @param files Files.
 * @param path The path.
 * @throws {EntrypointError} With code 73 if it is anything else.
 */
export function requireRegularFile(
  files: Pick<System["files"], "lstat">,
  path: string,
): void {
  const facts = trySystemCall(() => files.lstat(path));
  if (facts !== undefined && !facts.isFile) throw notRegularFile(path, facts);
}

function notRegularFile(path: string, facts: FileFacts): EntrypointError {
  const kind = facts.isFile
    ? `a file of ${facts.size} bytes`
    : facts.isSymlink
    ? "a symbolic link"
    : facts.isDirectory
    ? "a directory"
    : "a FIFO, a socket or a device";
  return new EntrypointError(
    `${path} is ${kind}, but must be a ${
      facts.isFile ? "small" : "regular"
    } file that the entrypoint creates itself`,
    {
      code: ExitCode.cannotWrite,
      remedy: `${facts.isDirectory ? "rm -r" : "rm"} ${
        shellWord(path)
      }   # the entrypoint creates it again; find out what put it there`,
    },
  );
}
