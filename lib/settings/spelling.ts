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

const OUR_PREFIX_REGEXP = /^(MATTERMOST|DB|SMTP|GITLAB|S3|ENTRYPOINT)_/;

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
  if (names.length === 0) return undefined;
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
 * Finds the variables that look like ours but that nothing reads.
 *
 * @param env The environment; only names are looked at, and values of the form that links have.
 * @returns A warning for each.
 */
export function findUnknown(
  env: Readonly<Record<string, string>>,
): Problem[] {
  return Object.entries(env).flatMap(([name, text]): Problem[] => {
    const plain = name.replace(/_FILE$/, "");
    if (text === "" || isSettingName(name) || isSettingName(plain)) return [];
    if (isLinkVariable(name) || isLinkValue(name, text)) return [];
    const ours = Object.hasOwn(ELSEWHERE, plain) ? ELSEWHERE[plain] : undefined;
    if (ours !== undefined) {
      return [{
        subject: name,
        message: "another image reads it, this one does not",
        remedy: `Its name here is ${name.replace(plain, ours)}`,
      }];
    }
    if (!OUR_PREFIX_REGEXP.test(name)) return [];
    const suggestion = didYouMean(plain, SETTING_NAMES);
    return [{
      subject: name,
      message: "nothing reads a variable of this name",
      remedy: suggestion ?? "Remove it, or list all names with app:help --all",
    }];
  });
}
