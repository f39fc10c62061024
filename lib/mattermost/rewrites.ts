/**
 * Values of config.json that the server changes by itself at its start. Such a value is
 * nobody's edit.
 *
 * Only keys that settings write are listed, and only what those settings can write.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { inRange } from "../release_range.ts";

interface Rewrite {
  readonly path: string;
  /** What was in the file. */
  readonly from: Json;
  /** What the server makes of it. */
  readonly to: Json;
  /** The releases that may find it in their file, since they or one before them wrote it. */
  readonly releases: string;
}

// `EmailSettings.SetDefaults` in the server's model/config.go, which fills empty texts in.
const REWRITES: readonly Rewrite[] = [
  {
    path: "EmailSettings.SMTPServer",
    from: "",
    to: "dockerhost",
    releases: ">=5.10.0",
  },
  {
    path: "EmailSettings.SMTPServer",
    from: "",
    to: "localhost",
    releases: ">=5.16.0",
  },
];

/**
 * The values that the server may have turned into one that is in config.json.
 *
 * @param version The release.
 * @param path Section and key.
 * @param value The value in config.json.
 * @returns The values before; none for what the server leaves alone.
 */
export function rewrittenFrom(
  version: string,
  path: string,
  value: Json,
): readonly Json[] {
  return REWRITES
    .filter((rewrite) =>
      rewrite.path === path && rewrite.to === value &&
      inRange(version, rewrite.releases)
    )
    .map(({ from }) => from);
}
