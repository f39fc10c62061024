/**
 * The server's own variables, `MM_SECTION_KEY`. They are passed on to the server, and each one has a
 * `_FILE` variable here, which the server itself does not have.
 *
 * @module
 */

import type { SettingProblem, Sources } from "./resolve.ts";
import { bothSet, readFileVariable } from "./resolve.ts";

/** The server's own variables, with the values of their files. */
export interface ServerVariables {
  /** The variables to pass to the server, including those whose value is in a file. */
  readonly values: Readonly<Record<string, string>>;
  /** The `_FILE` variables, which are not passed to the server. */
  readonly fileVariables: readonly string[];
  /** The problems of the `_FILE` variables. */
  readonly problems: readonly SettingProblem[];
}

const FILE_VARIABLE_REGEXP = /^(MM_\w+)_FILE$/;

/**
 * Reads the files that `MM_*_FILE` variables name.
 *
 * @param sources The environment and its files.
 * @returns The variables with their values, and all problems.
 */
export function readServerVariables(
  sources: Pick<Sources, "env" | "readText">,
): ServerVariables {
  const { env } = sources;
  const own = Object.entries(env).filter(([name]) => name.startsWith("MM_"));
  const values = Object.fromEntries(
    own.filter(([name]) => !FILE_VARIABLE_REGEXP.test(name)),
  );
  const fileVariables: string[] = [];
  const problems: SettingProblem[] = [];
  for (const [fileVariable, path] of own) {
    const name = FILE_VARIABLE_REGEXP.exec(fileVariable)?.[1];
    if (name === undefined) continue;
    fileVariables.push(fileVariable);
    if (path === "") continue;
    if ((env[name] ?? "") !== "") {
      problems.push(bothSet(name, fileVariable));
      continue;
    }
    const content = readFileVariable(fileVariable, path, { sources, problems });
    if (content !== "") values[name] = content;
  }
  return { values, fileVariables, problems };
}
