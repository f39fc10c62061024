/**
 * The configuration part of a start: lock, read, merge, write.
 *
 * @module
 */

import type { Assignment } from "../../lib/config/assignment.ts";
import type { ConfigPlace } from "../../lib/config/file.ts";
import type { ConfigWorld } from "../../lib/config/location.ts";
import type { WriteReport } from "../../lib/config/file.ts";
import { lockConfig, readConfig, writeConfig } from "../../lib/config/file.ts";
import type { MergeResult } from "../../lib/config/merge.ts";
import { merge } from "../../lib/config/merge.ts";

/** What came out of it. */
export interface StartReport extends MergeResult, WriteReport {
  readonly lockNotices: readonly string[];
  readonly readNotices: readonly string[];
}

/**
 * Brings a config.json to where the settings want it.
 *
 * @param world Files and random bytes.
 * @param place Where it is.
 * @param options The wanted values and how a secret is made.
 * @returns What came out of it.
 */
export function startConfig(
  world: ConfigWorld,
  place: ConfigPlace,
  options: {
    readonly wanted: readonly Assignment[];
    readonly generate?: () => string;
  },
): StartReport {
  const lock = lockConfig(world, place);
  try {
    const state = readConfig(world, place);
    const result = merge({
      disk: state.text,
      shipped: "{}",
      memory: state.memory,
      digest: state.digest,
      generate: options.generate ?? (() => "made"),
      wanted: options.wanted,
    });
    const { text, memory } = result;
    const report = writeConfig(world, place, { lock, state, text, memory });
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
 * A value that the operator set, or without one a secret to be made.
 *
 * @param path Section and key.
 * @param value The value.
 * @param explicit Whether it is no default.
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
 * The values that were edited on disk and stay.
 *
 * @param result What a merge came to.
 * @returns Their paths.
 */
export function editsIn({ origins }: Pick<MergeResult, "origins">): string[] {
  return Object.entries(origins).filter(([, { kind }]) => kind === "console")
    .map(([path]) => path);
}
