/**
 * Finds values with traces of the file that they come from: quotes, line ends, references that
 * nothing has expanded.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { isSettingName } from "./catalogue.ts";
import { isLinkVariable } from "./links.ts";

/** What is odd about a value. */
export interface Oddity {
  /** Completes a sentence that begins with the variable. It does not quote the value. */
  readonly fault: string;
  /** How to correct it. */
  readonly remedy: string;
}

const ODDITIES: readonly (readonly [RegExp, Oddity])[] = [
  [/\r$/, {
    fault:
      "ends with a carriage return, as in a file with the line ends of Windows",
    remedy:
      "Convert the file that sets it: sed -i 's/\\r$//' FILE   # then recreate the container",
  }],
  [/^"[^"]+"$|^'[^']+'$/, {
    fault: "is in quotes, which are part of the value",
    remedy:
      "Remove the quotes: a shell and Compose remove them, but docker run --env-file and -e keep them",
  }],
  [/\$\{\w+[^}]*\}|\$\(\w+\)/, {
    fault: "contains a reference to a variable, which was not expanded",
    remedy:
      "Write the value itself: docker run --env-file expands nothing, and Kubernetes expands $(NAME) only if NAME is defined before it",
  }],
];

/**
 * Finds what is odd about a value. It may be intended.
 *
 * @param text The value, which may be a secret.
 * @returns The first oddity; `undefined` for an ordinary value.
 */
export function oddityOf(text: string): Oddity | undefined {
  return ODDITIES.find(([pattern]) => pattern.test(text))?.[1];
}

const SERVER_VARIABLE_REGEXP = /^MM_/i;

/**
 * Finds variables that the entrypoint would have to read, among those that are not UTF-8 text.
 *
 * @param names The names of the variables that are not.
 * @returns A problem for each one.
 */
export function findUndecodable(names: readonly string[]): Problem[] {
  return names.filter((name) => isOurs(name) || isLinkVariable(name))
    .map((name) => ({
      subject: name,
      message: `${name} is not UTF-8 text`,
      remedy: `Write the value in UTF-8: iconv -f ISO-8859-1 -t UTF-8 FILE`,
    }));
}

function isOurs(name: string): boolean {
  return isSettingName(name.replace(/_FILE$/, "")) ||
    SERVER_VARIABLE_REGEXP.test(name);
}

/**
 * Finds settings, `_FILE` variables and variables of the server whose value is odd.
 *
 * @param env The environment.
 * @returns A warning for each one.
 */
export function findOddValues(
  env: Readonly<Record<string, string>>,
): Problem[] {
  return Object.entries(env).flatMap(([name, text]): Problem[] => {
    const oddity = oddityOf(text);
    if (oddity === undefined || !isOurs(name)) return [];
    const { fault, remedy } = oddity;
    return [{ subject: name, message: `${name} ${fault}`, remedy }];
  });
}
