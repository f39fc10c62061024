/**
 * Reads files that the operator names: secrets, certificates, files of variables.
 *
 * Symbolic links are followed, because Kubernetes and certbot make them. What is read is a regular
 * file of a limited size; a FIFO or a device would make the program wait, or fill the memory.
 *
 * @module
 */

import { NOT_REGULAR, TOO_LARGE } from "../errors.ts";
import type { FileFacts, Files } from "./system.ts";

/**
 * Reads a file that the operator named, as UTF-8. A byte order mark is kept.
 *
 * @param files Files.
 * @param path The file.
 * @returns The text.
 * @throws An error with a `code`: that of the system, also `ENOENT` and `EISDIR`,
 * {@linkcode NOT_REGULAR} or {@linkcode TOO_LARGE}.
 */
export function readNamedText(
  files: Pick<Files, "read">,
  path: string,
): string {
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(readNamedFile(files, path));
}

/**
 * Reads a file that the operator named.
 *
 * @param files Files.
 * @param path The file.
 * @returns The content.
 * @throws The errors of {@linkcode readNamedText}.
 */
export function readNamedFile(
  files: Pick<Files, "read">,
  path: string,
): Uint8Array {
  const found = files.read(path, { follow: true });
  if (found?.bytes !== undefined) return found.bytes;
  const code = found === undefined ? "ENOENT" : codeOfUnread(found.facts);
  throw Object.assign(new Error(`${code}: open '${path}'`), { code });
}

/**
 * Tells why a file was opened but not read.
 *
 * @param facts The file.
 * @returns A code: `EISDIR`, {@linkcode NOT_REGULAR} or {@linkcode TOO_LARGE}.
 */
export function codeOfUnread(facts: FileFacts): string {
  if (facts.isDirectory) return "EISDIR";
  return facts.isFile ? TOO_LARGE : NOT_REGULAR;
}
