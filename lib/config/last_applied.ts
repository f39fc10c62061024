/**
 * The last-applied state, `config.json.memory`: what the entrypoint last wrote to config.json.
 *
 * It holds salted digests, never values. If it is lost or not valid, every value in config.json
 * counts as an edit at the next start.
 *
 * @module
 */

import { hash } from "node:crypto";
import type { Json } from "../json.ts";
import { isJsonObject } from "../json.ts";
import type { AppliedValue, LastApplied } from "./merge.ts";
import { tryReadOwnFile } from "./own_file.ts";
import type { ReplaceSystem } from "./replace_file.ts";
import { replaceFile, toHex } from "./replace_file.ts";
import { stableJson } from "./json_text.ts";

/** The configuration that the server accepted last. */
export interface Acceptance {
  /** The digests of the configuration as it was handed over, and as the server rewrites it. */
  readonly digests: readonly string[];
  /** The paths that the digests leave out, because the server fills them in by itself. */
  readonly ignored: readonly string[];
}

/** The last-applied state, and the salt of its digests. */
export interface LastAppliedState {
  /** The state; `undefined` if the file does not exist, cannot be read or is not valid. */
  readonly lastApplied: LastApplied | undefined;
  /** The configuration that the server accepted last; `undefined` if it has not been asked. */
  readonly accepted: Acceptance | undefined;
  /** The text of the file; `undefined` if it does not exist or cannot be read. */
  readonly stored: string | undefined;
  /** Part of every digest, so that equal values of two installations have different digests. */
  readonly salt: string;
}

/**
 * Reads the last-applied state.
 *
 * @param system Files, and random bytes for a new salt.
 * @param base The path prefix of the file: usually the path of config.json.
 * @returns The state, or none with a new salt.
 * @throws {EntrypointError} With code 73 if it is not a regular file.
 */
export function readLastApplied(
  { files, random }: ReplaceSystem,
  base: string,
): LastAppliedState {
  const stored = tryReadOwnFile(files, lastAppliedPath(base));
  const content = stored === undefined ? undefined : tryParse(stored);
  if (
    isJsonObject(content) && content["version"] === 1 &&
    typeof content["salt"] === "string" && isValues(content["values"])
  ) {
    const lastApplied: LastApplied = { version: 1, values: content["values"] };
    const accepted = content["accepted"];
    return {
      stored,
      lastApplied,
      accepted: isAcceptance(accepted) ? accepted : undefined,
      salt: content["salt"],
    };
  }
  return {
    stored,
    lastApplied: undefined,
    accepted: undefined,
    salt: toHex(random(16)),
  };
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Removes the last-applied state, for a config.json that the entrypoint did not merge.
 *
 * @param files Files.
 * @param base The path prefix of the file.
 * @throws The system's error.
 */
export function removeLastApplied(
  files: ReplaceSystem["files"],
  base: string,
): void {
  const path = lastAppliedPath(base);
  if (files.lstat(path) !== undefined) files.remove(path);
}

/**
 * Writes the last-applied state, unless the file has the same content already.
 *
 * @param system Files and random bytes.
 * @param base The path prefix of the file: usually the path of config.json.
 * @param state The state and its salt.
 */
export function writeLastApplied(
  system: ReplaceSystem,
  base: string,
  { lastApplied, accepted, salt }: Omit<LastAppliedState, "stored">,
): void {
  if (lastApplied === undefined) return;
  const text = `${
    JSON.stringify({ ...lastApplied, salt, accepted }, null, 2)
  }\n`;
  const path = lastAppliedPath(base);
  if (tryReadOwnFile(system.files, path) === text) return;
  replaceFile(system, path, text);
}

/**
 * Returns the path of the last-applied state.
 *
 * @param base The path prefix of the file: usually the path of config.json.
 * @returns The path.
 */
export function lastAppliedPath(base: string): string {
  return `${base}.memory`;
}

/**
 * Returns the digest function of a last-applied state.
 *
 * @param salt The salt of the state.
 * @returns A function that computes the salted SHA-256 of a value; the order of keys does not matter.
 */
export function createDigest(salt: string): (value: Json) => string {
  // The merge computes the digests of the same few values many times.
  const cache = new Map<string, string>();
  return (value) => {
    const text = stableJson(value);
    const digest = cache.get(text) ??
      hash("sha256", `${salt}\0${text}`, "hex");
    cache.set(text, digest);
    return digest;
  };
}

function isAcceptance(value: unknown): value is Acceptance & Json {
  return isJsonObject(value) &&
    [value["digests"], value["ignored"]].every((list) =>
      Array.isArray(list) && list.every((each) => typeof each === "string")
    );
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
