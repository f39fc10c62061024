/**
 * The type of a value that the settings assign to a key of config.json.
 *
 * @module
 */

import type { Origin } from "../settings/origin.ts";
import type { Json } from "../json.ts";

/** A value that the settings assign to a key of config.json. */
export interface Assignment {
  /** Section and key, such as `ServiceSettings.SiteURL`. */
  readonly path: string;
  /** The value; `undefined` for a secret that is generated if config.json has none. */
  readonly value: Json | undefined;
  /** The settings that the value depends on; at least one. */
  readonly variables: readonly string[];
  /** The origin of the first of these settings that the operator set, otherwise `default`. */
  readonly origin: Origin;
  /** Whether the value must not be shown. */
  readonly secret: boolean;
}
