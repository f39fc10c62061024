/**
 * Keeps the last valid copies of config.json beside it, as `config.json.1` (the newest) to `.3`.
 *
 * On a full disk the server truncates config.json, and it takes an empty one for a new
 * installation. The operator can restore a copy then.
 *
 * @module
 */

import { dirname } from "node:path";
import type { System } from "../os/system.ts";
import { checkDocument } from "./json_text.ts";
import { tryReadOwnFile } from "./own_file.ts";
import type { ReplaceSystem } from "./replace_file.ts";
import { replaceFile, syncDirectory } from "./replace_file.ts";

/** The number of copies that are kept. */
const COPY_COUNT = 3;

/** A copy of config.json. */
export interface ConfigCopy {
  /** The number at the end of its name; 1 is the newest. */
  readonly number: number;
  /** The path of the copy. */
  readonly path: string;
  /** The time of the last modification, in milliseconds since the Unix epoch. */
  readonly modified: number;
  /** The text; `undefined` if it cannot be read or is not valid. */
  readonly text: string | undefined;
}

/**
 * Lists the copies.
 *
 * @param system Files.
 * @param base The path prefix of the copies: usually the path of config.json.
 * @returns The copies that exist, newest first.
 */
export function listCopies(
  { files }: Pick<System, "files">,
  base: string,
): readonly ConfigCopy[] {
  return NUMBERS.flatMap((number) => {
    const path = `${base}.${number}`;
    const modified = files.lstat(path)?.modified;
    return modified === undefined
      ? []
      : [{ number, path, modified, text: readValid(files, path) }];
  });
}

/**
 * Keeps a text as the newest copy, unless the newest copy has the same text already.
 *
 * The numbers of the older copies grow by 1, by renames from the oldest to the newest. If the
 * process is killed meanwhile, a number is missing; the next call uses it, so only the oldest copy
 * is ever lost.
 *
 * @param system Files and random bytes.
 * @param base The path prefix of the copies: usually the path of config.json.
 * @param text A valid config.json.
 */
export function addCopy(
  system: ReplaceSystem,
  base: string,
  text: string,
): void {
  const { files } = system;
  if (tryReadOwnFile(files, `${base}.1`) === text) return;
  const gap =
    NUMBERS.find((number) => files.lstat(`${base}.${number}`) === undefined) ??
      COPY_COUNT;
  // Write the new copy before the oldest one is replaced, so that a full disk costs no copy.
  replaceFile(system, `${base}.new`, text);
  for (let number = gap; number > 1; number--) {
    files.rename(`${base}.${number - 1}`, `${base}.${number}`);
  }
  files.rename(`${base}.new`, `${base}.1`);
  syncDirectory(files, dirname(base));
}

/**
 * Returns the paths of the copies, and of the file in which a new copy is prepared.
 *
 * @param base The path prefix of the copies: usually the path of config.json.
 * @returns The paths, whether the files exist or not.
 */
export function copyPaths(base: string): readonly string[] {
  return [...NUMBERS, "new"].map((suffix) => `${base}.${suffix}`);
}

const NUMBERS = Array.from({ length: COPY_COUNT }, (_, index) => index + 1);

function readValid(files: System["files"], path: string): string | undefined {
  const text = tryReadOwnFile(files, path);
  if (text === undefined) return undefined;
  try {
    checkDocument(text);
    return text;
  } catch {
    return undefined;
  }
}
