/**
 * Checks a config.json for a release before the server sees it: releases up to
 * 3.9 end with exit code 0, or stay alive and deaf, on what they refuse.
 *
 * It looks at the file alone. A key that an `MM_` variable overrides should be
 * put into the configuration before.
 *
 * @module
 */

import {
  isJsonObject,
  type Json,
  type JsonObject,
  spellings,
  valueAt,
} from "../json.ts";
import type { Problem } from "../errors.ts";
import {
  fitsType,
  KEY_TYPES,
  type KeyType,
  type Lookup,
  readAs,
  typeOf,
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

/** What a check is made for. */
export interface CheckContext {
  /** The release of the server. */
  readonly version: string;
  /** Its edition; an unknown one counts as Team Edition. */
  readonly edition?: Edition;
}

/** A key and the value that a release needs in its config.json. */
export interface MustHave {
  /** Section and key. */
  readonly path: string;
  /** The value. */
  readonly value: Json;
}

interface Look {
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
 * Finds what would stop the server, by the rules of its release.
 *
 * @param config The configuration as it is, or will be, on disk.
 * @param version The release of the server.
 * @returns Everything that is wrong, empty where the server starts.
 * @throws {EntrypointError} with code 78 when the release is not supported.
 */
export function checkConfig(
  config: JsonObject,
  version: string,
): readonly Problem[] {
  const release = releaseFacts(version);
  const find: Lookup = (path) => valueAt(config, path);
  const types = typeProblems(config, release);
  const wrong = new Set(types.map(({ subject }) => subject));
  const look = { read: reader(find), version: release.version };
  const rules = RULES.filter((rule) =>
    !wrong.has(rule.path) && inRange(release.version, rule.releases) &&
    !isKept(rule, look)
  );
  return [...types, ...rules.map((rule) => ruleProblem(rule, look))];
}

function typeProblems(
  config: JsonObject,
  { version, strictTypes: strict }: Release,
): Problem[] {
  return [...KEY_TYPES].flatMap(([section, keys]) => {
    const held = valueAt(config, section);
    return !isJsonObject(held) ? [] : [...keys].flatMap(([key, type]) => {
      const value = valueAt(held, key);
      return value === undefined || fitsType(value, { type, strict })
        ? []
        : [typeProblem({ path: `${section}.${key}`, type, version })];
    });
  });
}

/**
 * Finds what does nothing, or not what it seems to, in a release and edition.
 *
 * @param config The configuration as it is, or will be, on disk.
 * @param context Release and edition.
 * @returns The findings.
 * @throws {EntrypointError} with code 78 when the release is not supported.
 */
export function configWarnings(
  config: JsonObject,
  context: CheckContext,
): readonly Problem[] {
  const { version } = releaseFacts(context.version);
  const read = reader((path) => valueAt(config, path));
  const idle = WARNINGS.flatMap((warning) => {
    const value = read(warning.path);
    const concerns = inRange(version, warning.releases) &&
      (warning.edition === undefined || context.edition !== "enterprise");
    return concerns && value !== undefined && warning.applies(value, read)
      ? [{
        subject: warning.path,
        message:
          `${warning.path} does not do what it seems to: ${warning.message}`,
        ...(warning.remedy === undefined ? {} : { remedy: warning.remedy }),
      }]
      : [];
  });
  return [...idle, ...doubleSpellings(config)];
}

/**
 * The keys that a release needs in its config.json though no setting writes
 * them; for a release that brings no default configuration. Values that are
 * there already should win.
 *
 * @param version The release of the server.
 * @returns Paths and values, each path once.
 */
export function mustHave(version: string): readonly MustHave[] {
  return NEEDED_KEYS.filter(({ releases }) => inRange(version, releases))
    .map(({ path, value }) => ({ path, value }));
}

function reader(find: Lookup): Lookup {
  return (path) => {
    const value = find(path);
    return value === undefined ? undefined : readAs(value, typeOf(path));
  };
}

function isKept(rule: Rule, { read, version }: Look): boolean {
  const value = read(rule.path);
  if (value !== undefined) return rule.holds(value, read);
  return rule.neededIn === undefined || !inRange(version, rule.neededIn);
}

function ruleProblem(rule: Rule, { read, version }: Look): Problem {
  return {
    subject: rule.path,
    message:
      `Mattermost ${version} refuses ${rule.path}: it must ${rule.must}, and it is ${
        describeState(read(rule.path), rule)
      }`,
    remedy: rule.remedy,
  };
}

function describeState(value: Json | undefined, rule: Rule): string {
  if (value === undefined) return "absent";
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
    remedy: `set ${path} in config.json to ${TYPE_WORDS[type]}`,
  };
}

/** Names that differ only in case are one key for the server, and the last one wins. */
function doubleSpellings(config: JsonObject): readonly Problem[] {
  return Object.entries(config).flatMap(([section, keys]) =>
    !isJsonObject(keys) ? [] : Object.keys(keys).flatMap((key) => {
      const names = spellings(keys, key);
      return names.length < 2 || names[0] !== key ? [] : [{
        subject: `${section}.${key}`,
        message: `${section}.${key} is there as ${
          names.join(" and ")
        }, which are the same for the server`,
        remedy: `remove ${section}.${key} from config.json`,
      }];
    })
  );
}
