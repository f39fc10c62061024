/**
 * One value that the settings want to have in config.json.
 *
 * @module
 */

import type { Origin } from "../settings/origin.ts";
import type { Json } from "../json.ts";

/** One value that the settings want to have in config.json. */
export interface Assignment {
  /** Section and key: `ServiceSettings.SiteURL`. */
  readonly path: string;
  /** The value, or `undefined` for a secret that is generated where none is kept. */
  readonly value: Json | undefined;
  /** The settings that it was made from; never empty. */
  readonly variables: readonly string[];
  /** The strongest origin among them. */
  readonly origin: Origin;
  /** Whether the value must not be shown. */
  readonly secret: boolean;
}
