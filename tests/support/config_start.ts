/**
 * The configuration step of a start for tests: lock, read, merge, write.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Assignment } from "../../lib/config/assignment.ts";
import type { ConfigPlace } from "../../lib/config/file.ts";
import type { ConfigSystem } from "../../lib/config/location.ts";
import type { WriteReport } from "../../lib/config/file.ts";
import { readConfig, writeConfig } from "../../lib/config/file.ts";
import { type ConfigLock, tryLockConfig } from "../../lib/config/lock.ts";
import { restoreCopy } from "../../lib/config/restore.ts";
import type { MergeResult } from "../../lib/config/merge.ts";
import { merge } from "../../lib/config/merge.ts";

/** The merge, and the notices of each step. */
export interface StartReport extends MergeResult, WriteReport {
  readonly lockNotices: readonly string[];
  readonly readNotices: readonly string[];
}

/**
 * Writes the desired values into a config.json, as a start does.
 *
 * @param world Files and random bytes.
 * @param place The location of config.json.
 * @param options The desired values, a function that generates secrets, and the lock, if the caller holds it.
 * @returns The merge, and the notices of each step.
 */
export function startConfig(
  world: ConfigSystem,
  place: ConfigPlace,
  options: {
    readonly wanted: readonly Assignment[];
    readonly generate?: () => string;
    readonly lock?: ConfigLock;
  },
): StartReport {
  const lock = options.lock ?? lockNow(world, place);
  try {
    const state = readConfig(world, place);
    const result = merge({
      disk: state.text,
      shipped: "{}",
      lastApplied: state.lastApplied,
      digest: state.digest,
      generate: options.generate ?? (() => "made"),
      wanted: options.wanted,
    });
    const { text, lastApplied } = result;
    const report = writeConfig(world, place, {
      lock,
      state,
      text,
      lastApplied,
      accepted: undefined,
    });
    return {
      ...result,
      ...report,
      lockNotices: lock.notices,
      readNotices: state.notices,
    };
  } finally {
    lock.release();
  }
}

/**
 * Takes the lock, which no other process holds.
 *
 * @param world Files and random bytes.
 * @param place The location of config.json.
 * @returns The lock.
 */
export function lockNow(world: ConfigSystem, place: ConfigPlace): ConfigLock {
  const lock = tryLockConfig(world, place);
  assert.ok(typeof lock !== "string", `another process holds ${lock}`);
  return lock;
}

/**
 * Restores a copy, as `app:config --restore` does.
 *
 * @param world Files and random bytes.
 * @param place The location of config.json.
 * @param number The number of the copy.
 * @returns The notices.
 */
export function restoreNow(
  world: ConfigSystem,
  place: ConfigPlace,
  number: number,
): readonly string[] {
  const lock = lockNow(world, place);
  try {
    return restoreCopy(world, place, { number, lock });
  } finally {
    lock.release();
  }
}

/**
 * Makes an assignment.
 *
 * @param path Section and key.
 * @param value The value; `undefined` for a secret that is to be generated.
 * @param explicit Whether the operator set the value; otherwise it is a default.
 * @returns The assignment.
 */
export function assign(
  path: string,
  value: string | undefined,
  explicit = true,
): Assignment {
  return {
    path,
    value,
    variables: ["V"],
    origin: value === undefined
      ? { kind: "generated" }
      : explicit
      ? { kind: "variable", name: "V" }
      : { kind: "default" },
    secret: value === undefined,
  };
}

/**
 * Finds the edits on disk that a merge keeps.
 *
 * @param result The result of a merge.
 * @returns The paths of the values.
 */
export function editsIn({ origins }: Pick<MergeResult, "origins">): string[] {
  return Object.entries(origins).filter(([, { kind }]) => kind === "console")
    .map(([path]) => path);
}
