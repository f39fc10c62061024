/**
 * What the server will really use: its own variables, else config.json as the next start writes it.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { effectiveValue } from "../mattermost/effective_value.ts";
import type { Plan } from "./plan.ts";

/**
 * Finds the value that the server will use.
 *
 * @param plan The plan.
 * @param path Section and key; the letter case is nothing to the server.
 * @returns The value; a variable's is text. `undefined` where there is none.
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
 * The same as text.
 *
 * @param plan The plan.
 * @param path Section and key.
 * @returns The text, empty where there is none.
 */
export function effectiveText(plan: Plan, path: string): string {
  const value = effective(plan, path);
  return value === undefined || value === null ? "" : String(value);
}

/**
 * The same as a flag.
 *
 * @param plan The plan.
 * @param path Section and key.
 * @returns Whether it is on; a flag that is nowhere is off.
 */
export function effectiveFlag(plan: Plan, path: string): boolean {
  return effectiveText(plan, path).toLowerCase() === "true";
}
