/**
 * The configuration that the server will use: its own `MM_*` variables first, then config.json
 * as the next start would write it.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { effectiveValue, isTrue } from "../mattermost/effective_value.ts";
import type { Plan } from "./plan.ts";

/**
 * Finds the value that the server will use for a key.
 *
 * @param plan The plan of the next start.
 * @param path Section and key, in any letter case.
 * @returns The value; `undefined` if the key is not set.
 */
export function effective(
  { merged, serverVariables, release }: Plan,
  path: string,
): Json | undefined {
  return effectiveValue(path, {
    config: merged.document,
    variables: serverVariables.values,
    overrides: release.environmentOverrides,
  });
}

/**
 * Finds the value that the server will use for a key, as text.
 *
 * @param plan The plan of the next start.
 * @param path Section and key, in any letter case.
 * @returns The text; empty if the key is not set or null.
 */
export function effectiveText(plan: Plan, path: string): string {
  const value = effective(plan, path);
  return value === undefined || value === null ? "" : String(value);
}

/**
 * Tells whether a key will be on.
 *
 * @param plan The plan of the next start.
 * @param path Section and key, in any letter case.
 * @returns Whether the value is true; a key that is not set is off.
 */
export function effectiveFlag(plan: Plan, path: string): boolean {
  return isTrue(effective(plan, path));
}
