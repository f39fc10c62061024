/**
 * The value of a key that the server uses: that of its environment variable, or else that of
 * config.json: https://docs.mattermost.com/configure/environment-variables.html
 *
 * @module
 */

import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import type { EnvironmentOverrides } from "./releases.ts";
import { parseVariable, valueTypeOf } from "./variable_value.ts";

/** Where the value of a key can come from. */
export interface ValueSources {
  /** The configuration; `null` if there is none. */
  readonly config: Json;
  /** The `MM_SECTION_KEY` variables of the server. */
  readonly variables: Readonly<Record<string, string>>;
  /** Which keys they override in the release. */
  readonly overrides: EnvironmentOverrides;
}

/**
 * Gets the environment variable that overrides a key.
 *
 * @param path Section and key, such as `ServiceSettings.SiteURL`.
 * @returns The name of the variable, such as `MM_SERVICESETTINGS_SITEURL`.
 */
export function variableOf(path: string): string {
  return `MM_${path.replaceAll(".", "_").toUpperCase()}`;
}

/**
 * Checks whether a release reads the names of `MM_SECTION_KEY` variables in any letter case.
 *
 * @param overrides Which keys variables override in the release.
 * @returns Whether it does; if not, it reads only names in capitals.
 */
export function readsAnyCase(overrides: EnvironmentOverrides): boolean {
  return overrides === "all keys, any case";
}

/**
 * Checks whether the variable of a key takes effect.
 *
 * @param overrides Which keys variables override in the release.
 * @param current The value in config.json; `undefined` if there is none.
 * @returns Whether the variable takes effect.
 */
function isOverridable(
  overrides: EnvironmentOverrides,
  current: Json | undefined,
): boolean {
  return overrides === "present keys"
    ? current !== undefined
    : overrides !== "none";
}

/**
 * Finds the value of a key that the server uses.
 *
 * @param path Section and key, in any letter case.
 * @param sources Where the value can come from.
 * @returns The value, that of a variable in the type of the key in config.json; `undefined` if there is none.
 */
export function effectiveValue(
  path: string,
  { config, variables, overrides }: ValueSources,
): Json | undefined {
  const current = valueAt(config, path);
  const text = variables[variableOf(path)];
  if (text === undefined || !isOverridable(overrides, current)) return current;
  // Without a value in config.json, the type is not known.
  const type = current === undefined ? undefined : valueTypeOf(current);
  if (text === "" && !(type === "text" && readsAnyCase(overrides))) {
    return current;
  }
  // The server keeps this one as a text, and refuses it later if it is not JSON.
  if (RAW_REGEXP.test(path)) return text;
  return parseVariable(text, type ?? "text") ?? current;
}

/**
 * Checks whether the server takes a value for true: in config.json, or as the text of a variable.
 *
 * @param value The value of a key; `undefined` if there is none.
 * @returns Whether it is true.
 */
export function isTrue(value: Json | undefined): boolean {
  return parseVariable(String(value), "flag") === true;
}

/**
 * Checks whether the server takes a value for false: in config.json, or as the text of a variable.
 *
 * @param value The value of a key; `undefined` if there is none.
 * @returns Whether it is false; without a value it is not.
 */
export function isFalse(value: Json | undefined): boolean {
  return parseVariable(String(value), "flag") === false;
}

const RAW_REGEXP = /\.AdvancedLoggingJSON$/i;
