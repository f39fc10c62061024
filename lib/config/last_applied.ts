/**
 * The file in which we remember our last write: `config.json.memory`.
 *
 * It holds salted digests, never values. A lost or broken one costs no more than
 * that every value on disk counts as an edit at the next start.
 *
 * @module
 */

import { hash } from "node:crypto";
import type { Json } from "../json.ts";
import { isJsonObject } from "../json.ts";
import type { AppliedValue, LastApplied } from "./merge.ts";
import { readIfThere } from "./own_file.ts";
import type { ReplaceWorld } from "./replace_file.ts";
import { replaceFile, toHex } from "./replace_file.ts";
import { stableJson } from "./json_text.ts";

/** The memory and the key to its digests. */
export interface LastAppliedState {
  /** What we remember; `undefined` if nothing is, or it cannot be read. */
  readonly memory: LastApplied | undefined;
  /** The text that it was read from; `undefined` if there is none, or it is closed to us. */
  readonly stored: string | undefined;
  /** Goes into every digest, so that equal values of two installations have different ones. */
  readonly salt: string;
}

/**
 * Reads the memory.
 *
 * @param world Files, and random bytes for the salt of a new memory.
 * @param base The path of config.json, or what stands for it in another directory.
 * @returns The memory, or an empty one with a new salt.
 * @throws {EntrypointError} With code 73 for anything but a regular file.
 */
export function readLastApplied(
  { files, random }: ReplaceWorld,
  base: string,
): LastAppliedState {
  // Absent, closed to us or broken: in each case there is nothing to remember.
  const stored = readIfThere(files, lastAppliedPath(base));
  const content = stored === undefined ? undefined : parsed(stored);
  if (
    isJsonObject(content) && content["version"] === 1 &&
    typeof content["salt"] === "string" && isValues(content["values"])
  ) {
    const memory: LastApplied = { version: 1, values: content["values"] };
    return { stored, memory, salt: content["salt"] };
  }
  return { stored, memory: undefined, salt: toHex(random(16)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Writes the memory, unless it says the same already.
 *
 * @param world Files and random bytes.
 * @param base The path of config.json, or what stands for it in another directory.
 * @param state Memory and salt.
 */
export function writeLastApplied(
  world: ReplaceWorld,
  base: string,
  { memory, salt }: Omit<LastAppliedState, "stored">,
): void {
  if (memory === undefined) return;
  const text = `${JSON.stringify({ ...memory, salt }, null, 2)}\n`;
  const path = lastAppliedPath(base);
  if (readIfThere(world.files, path) === text) return;
  replaceFile(world, path, text);
}

/**
 * The path of the memory.
 *
 * @param base The path of config.json, or what stands for it in another directory.
 * @returns The path.
 */
export function lastAppliedPath(base: string): string {
  return `${base}.memory`;
}

/**
 * Makes the digest function of a memory.
 *
 * @param salt The memory's salt.
 * @returns A function from a value to a salted SHA-256.
 */
export function digester(salt: string): (value: Json) => string {
  // The same few values are asked for over and over.
  const known = new Map<string, string>();
  return (value) => {
    const text = stableJson(value);
    const digest = known.get(text) ??
      hash("sha256", `${salt}\0${text}`, "hex");
    known.set(text, digest);
    return digest;
  };
}

function isValues(
  value: unknown,
): value is Readonly<Record<string, AppliedValue & Json>> {
  return isJsonObject(value) &&
    Object.values(value).every((entry) =>
      isJsonObject(entry) && typeof entry["digest"] === "string" &&
      typeof entry["explicit"] === "boolean" &&
      (entry["previous"] === undefined || Array.isArray(entry["previous"]))
    );
}
