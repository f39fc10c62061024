/**
 * Checks a config.json before the server reads it: if releases up to 3.9 reject it, they end
 * with exit code 0, or keep running without listening.
 *
 * To include `MM_` variables in the check, apply them with `withOverrides` first.
 *
 * @module
 */

import {
  isJsonObject,
  type Json,
  type JsonObject,
  matchingKeys,
  valueAt,
} from "../json.ts";
import type { Problem } from "../errors.ts";
import {
  convertToType,
  fitsType,
  KEY_TYPES,
  type KeyType,
  keyTypeOf,
  type Lookup,
} from "./config_keys.ts";
import { type Release, releaseFacts } from "./releases.ts";
import {
  type Edition,
  NEEDED_KEYS,
  type Rule,
  RULES,
  WARNINGS,
} from "./requirement_rules.ts";
import { inRange } from "../release_range.ts";

/** The server that a configuration is for. */
export interface CheckContext {
  /** The release of the server. */
  readonly version: string;
  /** The edition of the server; an unknown one counts as Team Edition. */
  readonly edition?: Edition;
}

/** A key that a release needs in config.json. */
export interface RequiredKey {
  /** Section and key. */
  readonly path: string;
  /** The value. */
  readonly value: Json;
}

interface Reader {
  readonly read: Lookup;
  readonly version: string;
}

const TYPE_WORDS: Readonly<Record<KeyType, string>> = {
  flag: "true or false, without quotes",
  integer: "a whole number, without quotes",
  text: "a text in quotes",
  list: "a list of texts",
};

/**
 * Finds values that would stop the server at its start.
 *
 * @param config The configuration as it is, or will be, on disk.
 * @param version The release of the server.
 * @returns All problems; empty if the server would start.
 * @throws {EntrypointError} With code 78 if the release is not supported.
 */
export function checkConfig(
  config: JsonObject,
  version: string,
): readonly Problem[] {
  const release = releaseFacts(version);
  const types = typeProblems(config, release);
  const wrongTypes = new Set(types.map(({ subject }) => subject));
  const reader = { read: lookup(config), version: release.version };
  const rules = RULES.filter((rule) =>
    !wrongTypes.has(rule.path) && inRange(release.version, rule.releases) &&
    !isFollowed(rule, reader)
  );
  return [...types, ...rules.map((rule) => ruleProblem(rule, reader))];
}

function typeProblems(
  config: JsonObject,
  { version, strictTypes: strict }: Release,
): Problem[] {
  return [...KEY_TYPES].flatMap(([section, keys]) => {
    const values = valueAt(config, section);
    return !isJsonObject(values) ? [] : [...keys].flatMap(([key, type]) => {
      const value = valueAt(values, key);
      return value === undefined || fitsType(value, { type, strict })
        ? []
        : [typeProblem({ path: `${section}.${key}`, type, version })];
    });
  });
}

/**
 * Finds values that the server accepts, but that have no effect or an unexpected one.
 *
 * @param config The configuration as it is, or will be, on disk.
 * @param context Release and edition of the server.
 * @returns The warnings.
 * @throws {EntrypointError} With code 78 if the release is not supported.
 */
export function configWarnings(
  config: JsonObject,
  context: CheckContext,
): readonly Problem[] {
  const { version } = releaseFacts(context.version);
  const read = lookup(config);
  const warnings = WARNINGS.flatMap((warning) => {
    const value = read(warning.path);
    const isRelevant = inRange(version, warning.releases) &&
      (warning.edition === undefined || context.edition !== "enterprise");
    return isRelevant && value !== undefined && warning.applies(value, read)
      ? [{
        subject: warning.path,
        message:
          `${warning.path} does not have the expected effect: ${warning.message}`,
        ...(warning.remedy === undefined ? {} : { remedy: warning.remedy }),
      }]
      : [];
  });
  return [...warnings, ...duplicateKeys(config)];
}

/**
 * Gets the keys that a release needs in config.json, but that no setting writes. They are for
 * releases without a default configuration; existing values take precedence.
 *
 * @param version The release of the server.
 * @returns Paths and values; each path occurs once.
 */
export function requiredKeys(version: string): readonly RequiredKey[] {
  return NEEDED_KEYS.filter(({ releases }) => inRange(version, releases))
    .map(({ path, value }) => ({ path, value }));
}

function lookup(config: JsonObject): Lookup {
  return (path) => {
    const value = valueAt(config, path);
    return value === undefined
      ? undefined
      : convertToType(value, keyTypeOf(path));
  };
}

function isFollowed(rule: Rule, { read, version }: Reader): boolean {
  const value = read(rule.path);
  if (value !== undefined) return rule.holds(value, read);
  return rule.neededIn === undefined || !inRange(version, rule.neededIn);
}

function ruleProblem(rule: Rule, { read, version }: Reader): Problem {
  return {
    subject: rule.path,
    message:
      `Mattermost ${version} rejects ${rule.path}: it must ${rule.must}, but it is ${
        describeState(read(rule.path), rule)
      }`,
    remedy: rule.remedy,
  };
}

function describeState(value: Json | undefined, rule: Rule): string {
  if (value === undefined) return "missing";
  if (value === "") return "empty";
  return rule.secret === true ? "too short" : JSON.stringify(value);
}

function typeProblem(
  { path, type, version }: {
    readonly path: string;
    readonly type: KeyType;
    readonly version: string;
  },
): Problem {
  return {
    subject: path,
    message: `Mattermost ${version} cannot read ${path}: it must be ${
      TYPE_WORDS[type]
    }`,
    remedy: `Set ${path} in config.json to ${TYPE_WORDS[type]}`,
  };
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
