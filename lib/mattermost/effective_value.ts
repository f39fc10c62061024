/**
 * The value that the server uses: of its own variable, or else of config.json.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import type { EnvironmentOverrides } from "./releases.ts";

/** What a value may come from. */
export interface ValueSources {
  /** The configuration; `null` where there is none. */
  readonly config: Json;
  /** The server's own variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** Which keys the release lets them override. */
  readonly overrides: EnvironmentOverrides;
}

/**
 * The variable of a key.
 *
 * @param path Section and key.
 * @returns Its name: `MM_SERVICESETTINGS_SITEURL`.
 */
export function variableOf(path: string): string {
  return `MM_${path.replace(".", "_").toUpperCase()}`;
}

/**
 * Tells whether variables override a key.
 *
 * @param overrides Which keys the release lets them override.
 * @param found The value in config.json, if there is one.
 * @returns Whether its variable counts.
 */
export function isOverridable(
  overrides: EnvironmentOverrides,
  found: Json | undefined,
): boolean {
  return overrides === "all keys" ||
    overrides === "present keys" && found !== undefined;
}

/**
 * Finds the value that the server uses.
 *
 * @param path Section and key, in any letter case.
 * @param sources What it may come from.
 * @returns The value, a variable's as its text; `undefined` where there is none.
 */
export function effectiveValue(
  path: string,
  { config, variables, overrides }: ValueSources,
): Json | undefined {
  const found = valueAt(config, path);
  const text = variables[variableOf(path)] ?? "";
  return text !== "" && isOverridable(overrides, found) ? text : found;
}
