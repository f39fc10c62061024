/**
 * Applies the rules and the warnings to a configuration.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { hideCredentials } from "../hidden.ts";
import { isJsonObject, type JsonObject, matchingKeys } from "../json.ts";
import { inRange } from "../release_range.ts";
import { effectiveValue } from "./effective_value.ts";
import type { Release } from "./releases.ts";
import {
  type Edition,
  type Lookup,
  NEEDED_KEYS,
  type NeededKey,
  RULES,
  WARNINGS,
} from "./requirement_rules.ts";

/** The configuration that a server will use. */
export interface ConfigInput {
  /** The configuration as it is, or will be, on disk. */
  readonly config: JsonObject;
  /** The server's own variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** The release of the server. */
  readonly release: Release;
}

/**
 * Finds values that would stop the server, among those that it cannot be asked about.
 *
 * @param input The configuration.
 * @returns All problems; empty if nothing is known against it.
 */
export function checkConfig(input: ConfigInput): readonly Problem[] {
  const read = lookup(input);
  const { version } = input.release;
  return RULES.flatMap((rule) => {
    const value = read(rule.path);
    if (
      value === undefined || !inRange(version, rule.releases) ||
      rule.holds(value, read)
    ) return [];
    const state = rule.isHidden
      ? "is not"
      : `is ${hideCredentials(JSON.stringify(value))}`;
    return [{
      subject: rule.path,
      message:
        `Mattermost ${version} does not start with ${rule.path}: it must ${rule.must}, and ${state}`,
      remedy: rule.remedy,
    }];
  });
}

/**
 * Finds values that the server accepts, but that have no effect or an unexpected one.
 *
 * @param input The configuration.
 * @param edition The edition of the server.
 * @returns The warnings.
 */
export function configWarnings(
  input: ConfigInput,
  edition: Edition,
): readonly Problem[] {
  const read = lookup(input);
  const warnings = WARNINGS.flatMap((warning) => {
    const value = read(warning.path);
    const isRelevant = inRange(input.release.version, warning.releases) &&
      (warning.edition === undefined || edition !== "enterprise");
    return isRelevant && value !== undefined && warning.applies(value, read)
      ? [{
        subject: warning.path,
        message:
          `${warning.path} does not have the expected effect: ${warning.message}`,
        ...(warning.remedy === undefined ? {} : { remedy: warning.remedy }),
      }]
      : [];
  });
  return [...warnings, ...duplicateKeys(input.config)];
}

/**
 * Gets the keys that a release needs in config.json, but that no setting writes. They are for
 * releases without a default configuration; existing values take precedence.
 *
 * @param version The release of the server.
 * @returns Paths and values; each path occurs once.
 */
export function requiredKeys(
  version: string,
): readonly Omit<NeededKey, "releases">[] {
  return NEEDED_KEYS.filter(({ releases }) => inRange(version, releases))
    .map(({ path, value }) => ({ path, value }));
}

function lookup({ config, variables, release }: ConfigInput): Lookup {
  const overrides = release.environmentOverrides;
  return (path) => effectiveValue(path, { config, variables, overrides });
}

/** Finds keys that differ in letter case only; the server uses the last of them. */
function duplicateKeys(config: JsonObject): readonly Problem[] {
  return Object.entries(config).flatMap(([section, keys]) =>
    !isJsonObject(keys) ? [] : Object.keys(keys).flatMap((key) => {
      const names = matchingKeys(keys, key);
      return names.length < 2 || names[0] !== key ? [] : [{
        subject: `${section}.${key}`,
        message: `config.json contains ${section}.${key} several times, as ${
          names.join(" and ")
        }, and the server uses only the last one`,
        remedy: `Remove ${section}.${key} from config.json`,
      }];
    })
  );
}
