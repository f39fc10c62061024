/**
 * Finds misspelt variables, and variables of other images.
 *
 * @module
 */

import { closestString } from "@std/text/closest_string.js";
import { levenshteinDistance } from "@std/text/levenshtein_distance.js";
import type { Problem } from "../errors.ts";
import type { SettingName } from "./catalogue.ts";
import { isSettingName, rowOf, SETTING_NAMES } from "./catalogue.ts";
import { isLinkValue, isLinkVariable } from "./links.ts";

/** Variables of other Mattermost and database images, and the corresponding variables of this image. */
const OTHER_IMAGES: Readonly<Record<string, SettingName>> = {
  APP_PORT: "MATTERMOST_PORT",
  DB_PASSWORD: "DB_PASS",
  DB_PORT_NUMBER: "DB_PORT",
  DB_USERNAME: "DB_USER",
  DB_USE_SSL: "DB_SSL_MODE",
  MM_DBNAME: "DB_NAME",
  MM_PASSWORD: "DB_PASS",
  MM_USERNAME: "DB_USER",
  PGID: "MATTERMOST_GID",
  PUID: "MATTERMOST_UID",
};

const FILE_SUFFIX_REGEXP = /_FILE$/;

const PREFIX_REGEXP = /^(MATTERMOST|DB|SMTP|GITLAB|S3|ENTRYPOINT)_/;

/** A longer word is close to no name; skipping the comparison saves time. */
const MAX_WORD_LENGTH = 64;

/**
 * Finds the name that is closest to a misspelt one.
 *
 * @param word The misspelt name.
 * @param names The valid names.
 * @returns The closest name; `undefined` if more than a quarter of the word (at least 2 characters) would have to change.
 */
export function closestName(
  word: string,
  names: readonly string[],
): string | undefined {
  if (names.length === 0 || word.length > MAX_WORD_LENGTH) return undefined;
  const found: string = closestString(word, [...names]);
  const distance: number = levenshteinDistance(
    word.toLowerCase(),
    found.toLowerCase(),
  );
  return distance <= Math.max(2, Math.floor(word.length / 4))
    ? found
    : undefined;
}

/**
 * Suggests the valid name that is closest to a misspelt one.
 *
 * @param word The misspelt name.
 * @param names The valid names.
 * @returns `Did you mean X?`, or `undefined` if no name is close.
 */
export function didYouMean(
  word: string,
  names: readonly string[],
): string | undefined {
  const name = closestName(word, names);
  return name === undefined ? undefined : `Did you mean ${name}?`;
}

/**
 * Suggests a variable of this image in place of an unknown one.
 *
 * @param name The name of the unknown variable.
 * @returns A sentence that names the variable to use; `undefined` if none is close.
 */
export function suggestVariable(name: string): string | undefined {
  const equivalent = equivalentOf(name);
  if (equivalent !== undefined) return `Use ${equivalent} instead`;
  const found = closestSetting(name);
  return found === undefined ? undefined : `Did you mean ${found}?`;
}

function closestSetting(name: string): SettingName | undefined {
  const found = closestName(name, [
    ...SETTING_NAMES,
    ...Object.keys(OTHER_IMAGES),
  ]);
  if (found === undefined) return longestPrefix(name);
  return isSettingName(found) ? found : OTHER_IMAGES[found];
}

/** The longest setting name that another name starts with, such as DB_HOST for DB_HOSTNAME. */
function longestPrefix(name: string): SettingName | undefined {
  return SETTING_NAMES.filter((each) => name.startsWith(each))
    .reduce<SettingName | undefined>(
      (best, each) =>
        best === undefined || each.length > best.length ? each : best,
      undefined,
    );
}

/** The words in the names of secrets. */
const SECRET_WORDS = "PASS|PWD|SECRET|SALT|TOKEN|KEY|CREDENTIAL";
const SECRET_WORD_REGEXP = new RegExp(SECRET_WORDS);

/** The first word of a setting, with such a word immediately behind it, as in `DBPASSWD`. */
const GLUED_REGEXP = new RegExp(
  `^(?:MATTERMOST|DB|SMTP|GITLAB|S3)[^A-Z0-9]*(?:${SECRET_WORDS})`,
);

/** Letters in which a name may differ if its first word is wrong. More would match AWS_ACCESS_KEY. */
const MAX_DISTANCE = 2;

/** Shorter names are close to those of other programs, such as HTTP_PASS. */
const MIN_LENGTH = 10;

/**
 * Tells whether a variable that is no setting is recognised as a secret: as a misspelt one, as one of
 * another image, or because its name begins like those of settings and contains a word such as
 * `PASS`.
 *
 * @param name The variable, in any letter case, with or without `_FILE`.
 * @returns Whether its value should be a secret.
 */
export function isMisspeltSecret(name: string): boolean {
  const upper = name.toUpperCase().replace(FILE_SUFFIX_REGEXP, "");
  const meant = PREFIX_REGEXP.test(upper) || Object.hasOwn(OTHER_IMAGES, upper)
    ? closestSetting(upper)
    : undefined;
  if (meant !== undefined && rowOf(meant).secret === true) return true;
  if (PREFIX_REGEXP.test(upper)) return SECRET_WORD_REGEXP.test(upper);
  if (GLUED_REGEXP.test(upper)) return true;
  const letters = lettersOf(upper);
  return SECRETS.some((each) =>
    each.letters === letters || isClose(upper, each.name)
  );
}

function isSecretOfOtherImage(name: string): boolean {
  const setting = OTHER_IMAGES[name];
  return setting !== undefined && rowOf(setting).secret === true;
}

/** The names that a misspelt one may stand for. */
const SECRETS = [
  ...SETTING_NAMES.filter((name) => rowOf(name).secret === true),
  ...Object.keys(OTHER_IMAGES).filter(isSecretOfOtherImage),
].map((name) => ({ name, letters: lettersOf(name) }));

function isClose(name: string, other: string): boolean {
  return name.length >= MIN_LENGTH &&
    Math.abs(name.length - other.length) <= MAX_DISTANCE &&
    levenshteinDistance(name, other) <= MAX_DISTANCE;
}

/** The letters in alphabetical order: two that are exchanged make no difference. */
function lettersOf(name: string): string {
  return [...name.replace(/[^A-Z0-9]/g, "")].sort().join("");
}

/**
 * Finds the variables that look like settings but are none.
 *
 * @param env The environment. Values are read only to recognize those of Docker links.
 * @returns A warning for each one.
 */
export function findUnknownVariables(
  env: Readonly<Record<string, string>>,
): Problem[] {
  return Object.entries(env).flatMap(([name, text]): Problem[] => {
    const baseName = name.replace(FILE_SUFFIX_REGEXP, "");
    if (text === "" || isSettingName(name) || isSettingName(baseName)) {
      return [];
    }
    const equivalent = equivalentOf(name);
    if (
      equivalent === undefined && !PREFIX_REGEXP.test(name) &&
      !isMisspeltSecret(name)
    ) return [];
    if (isLinkVariable(name) || isLinkValue(name, text)) return [];
    if (equivalent !== undefined) {
      return [{
        subject: name,
        message: `${name} is a variable of another image and has no effect`,
        remedy: `Use ${equivalent} instead`,
      }];
    }
    return [{
      subject: name,
      message: `${name} is not a known variable and has no effect`,
      remedy: suggestVariable(baseName) ??
        "Remove it, or list all variables: mattermost-entrypoint app:help --all",
    }];
  });
}

/** The variable of this image that corresponds to one of another image; a `_FILE` suffix is kept. */
function equivalentOf(name: string): string | undefined {
  const baseName = name.replace(FILE_SUFFIX_REGEXP, "");
  return Object.hasOwn(OTHER_IMAGES, baseName)
    ? name.replace(baseName, OTHER_IMAGES[baseName] ?? baseName)
    : undefined;
}
