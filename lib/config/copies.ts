/**
 * The last good copies of config.json, kept beside it as `config.json.1` (the newest) to `.3`.
 *
 * The server empties its config.json when the disk is full, and takes an empty one for a fresh
 * install; these copies are what an operator goes back to.
 *
 * @module
 */

import { dirname } from "node:path";
import type { System } from "../os/system.ts";
import { checkDocument } from "./json_text.ts";
import { readIfThere } from "./own_file.ts";
import type { ReplaceWorld } from "./replace_file.ts";
import { replaceFile, syncDirectory } from "./replace_file.ts";

/** How many copies are kept. */
const COPY_COUNT = 3;

/** One copy. */
export interface ConfigCopy {
  /** 1 is the newest. */
  readonly number: number;
  /** The file. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Its text; `undefined` if it cannot be read or is no complete config.json. */
  readonly text: string | undefined;
}

/**
 * Lists the copies.
 *
 * @param world Files.
 * @param base The path of config.json, or what stands for it in another directory.
 * @returns The copies that are there, newest first.
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
      : [{ number, path, modified, text: readGood(files, path) }];
  });
}

/**
 * Keeps a text as the newest copy, unless it is the newest copy already.
 *
 * The older ones move up first, by renames from the oldest on: a kill in between
 * leaves a gap in the numbers, which the next call fills, and loses none but the oldest.
 *
 * @param world Files.
 * @param base The path of config.json, or what stands for it in another directory.
 * @param text A good config.json.
 */
export function keepCopy(
  world: ReplaceWorld,
  base: string,
  text: string,
): void {
  const { files } = world;
  if (readIfThere(files, `${base}.1`) === text) return;
  const gap =
    NUMBERS.find((number) => files.lstat(`${base}.${number}`) === undefined) ??
      COPY_COUNT;
  // The new copy is safe before the oldest one goes: a full disk must not cost any of them.
  replaceFile(world, `${base}.new`, text);
  for (let number = gap; number > 1; number--) {
    files.rename(`${base}.${number - 1}`, `${base}.${number}`);
  }
  files.rename(`${base}.new`, `${base}.1`);
  syncDirectory(files, dirname(base));
}

/**
 * The names of the copies, and of one that is being made.
 *
 * @param base The path of config.json, or what stands for it in another directory.
 * @returns Their paths.
 */
export function copyPaths(base: string): readonly string[] {
  return [...NUMBERS, "new"].map((end) => `${base}.${end}`);
}

const NUMBERS = Array.from({ length: COPY_COUNT }, (_, index) => index + 1);

function readGood(files: System["files"], path: string): string | undefined {
  const text = readIfThere(files, path);
  if (text === undefined) return undefined;
  try {
    checkDocument(text);
    return text;
  } catch {
    return undefined;
  }
}
