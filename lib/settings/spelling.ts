/**
 * Finds misspelt variables, and explains those that other images read.
 *
 * @module
 */

import { closestString } from "@std/text/closest_string.js";
import { levenshteinDistance } from "@std/text/levenshtein_distance.js";
import type { Problem } from "../errors.ts";
import { isSettingName, SETTING_NAMES } from "./catalogue.ts";
import { isLinkValue, isLinkVariable } from "./links.ts";

/** What a variable of another Mattermost or database image is called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
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

const TWIN_REGEXP = /_FILE$/;

const OUR_PREFIX_REGEXP = /^(MATTERMOST|DB|SMTP|GITLAB|S3|ENTRYPOINT)_/;

/** No longer word can be close to a name of ours; comparing one would only take time. */
const LONGEST_WORD = 64;

/**
 * The name that is most like a misspelt one.
 *
 * @param word The misspelt name.
 * @param names The names that it could be.
 * @returns The closest name, or `undefined` where none is close.
 */
export function closest(
  word: string,
  names: readonly string[],
): string | undefined {
  if (names.length === 0 || word.length > LONGEST_WORD) return undefined;
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
 * A question that names the closest of some names.
 *
 * @param word The misspelt name.
 * @param names The names that it could be.
 * @returns `Did you mean X?`, or `undefined` where none is close.
 */
export function didYouMean(
  word: string,
  names: readonly string[],
): string | undefined {
  const name = closest(word, names);
  return name === undefined ? undefined : `Did you mean ${name}?`;
}

/**
 * What a name that nothing reads may stand for.
 *
 * @param name The name of a variable.
 * @returns The name that it has here, or a question that names the closest; `undefined` where none is close.
 */
export function suggest(name: string): string | undefined {
  const ours = nameHere(name);
  if (ours !== undefined) return `Its name here is ${ours}`;
  const found = closest(name, [...SETTING_NAMES, ...Object.keys(ELSEWHERE)]) ??
    shortened(name);
  return found === undefined
    ? undefined
    : `Did you mean ${nameHere(found) ?? found}?`;
}

/** The longest name of ours that goes on in another one, as DB_HOST does in DB_HOSTNAME. */
function shortened(name: string): string | undefined {
  return SETTING_NAMES.filter((each) => name.startsWith(each))
    .reduce<string | undefined>(
      (best, each) =>
        best === undefined || each.length > best.length ? each : best,
      undefined,
    );
}

/**
 * Finds the variables that look like ours but that nothing reads.
 *
 * @param env The environment; only names are looked at, and values of the form that links have.
 * @returns A warning for each.
 */
export function findUnknown(
  env: Readonly<Record<string, string>>,
): Problem[] {
  return Object.entries(env).flatMap(([name, text]): Problem[] => {
    const plain = name.replace(TWIN_REGEXP, "");
    if (text === "" || isSettingName(name) || isSettingName(plain)) return [];
    const ours = nameHere(name);
    if (ours === undefined && !OUR_PREFIX_REGEXP.test(name)) return [];
    if (isLinkVariable(name) || isLinkValue(name, text)) return [];
    if (ours !== undefined) {
      return [{
        subject: name,
        message: `Another image reads ${name}, this one does not`,
        remedy: `Its name here is ${ours}`,
      }];
    }
    return [{
      subject: name,
      message: `Nothing reads a variable named ${name}`,
      remedy: suggest(plain) ??
        "Remove it, or list all names with app:help --all",
    }];
  });
}

/** The name of a variable of another image, or of its twin, in this one. */
function nameHere(name: string): string | undefined {
  const plain = name.replace(TWIN_REGEXP, "");
  return Object.hasOwn(ELSEWHERE, plain)
    ? name.replace(plain, ELSEWHERE[plain] ?? plain)
    : undefined;
}
