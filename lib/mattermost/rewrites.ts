/**
 * Values of config.json that the server itself replaces at its start. They are not edits of
 * an administrator.
 *
 * The list contains only keys and values that settings write.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { inRange } from "../release_range.ts";

interface Rewrite {
  readonly path: string;
  /** The value before. */
  readonly from: Json;
  /** The value that the server writes. */
  readonly to: Json;
  /** The releases whose config.json may contain it, because they or an older release wrote it. */
  readonly releases: string;
}

// SetDefaults() of EmailSettings replaces empty texts:
// https://github.com/mattermost/mattermost/blob/master/server/public/model/config.go
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
 * Finds the values that the server may have replaced by the one in config.json.
 *
 * @param version The release.
 * @param path Section and key.
 * @param value The value in config.json.
 * @returns The values before; empty if the server does not write this value.
 */
export function valuesBeforeRewrite(
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
