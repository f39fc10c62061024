/**
 * The server's own variables, `MM_SECTION_KEY`. They are passed on to the server, and each one has a
 * `_FILE` variable here, which the server itself does not have.
 *
 * From 5.30 on the server reads them in any letter case. Of two spellings of one name the last one
 * counts, but the order of the environment is not defined, so each name is passed on once.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { ExitCode } from "../errors.ts";
import { CONFIG_FILE_VARIABLE, CONFIG_VARIABLE } from "./config_variable.ts";
import type { Sources } from "./resolve.ts";
import { bothSet } from "./resolve.ts";
import type { SettingProblem } from "./setting_problem.ts";
import { readValueFile } from "./value_file.ts";

/** The server's own variables, with the values of their files. */
export interface ServerVariables {
  /** The variables to pass to the server, including those whose value is in a file. If the server reads any letter case, the names are in capitals. */
  readonly values: Readonly<Record<string, string>>;
  /** The variables that give these values, by name: other spellings of the name, and `_FILE` variables. */
  readonly givenBy: Readonly<Record<string, string>>;
  /** The variables that are not passed to the server: `_FILE` variables, and other spellings. */
  readonly replaced: readonly string[];
  /** The problems of `_FILE` variables and of names with several spellings. */
  readonly problems: readonly SettingProblem[];
  /** `_FILE` variables whose file has an odd content. */
  readonly warnings: readonly Problem[];
}

const PREFIX = "MM_";

const FILE_VARIABLE_REGEXP = /^(MM_\w+)_FILE$/;

/**
 * Reads the server's own variables, and the files that `MM_*_FILE` variables name.
 *
 * @param sources The environment and its files.
 * @param options Whether the server reads the names in any letter case; if not, other spellings stay as they are.
 * @returns The variables with their values, and all problems.
 */
export function readServerVariables(
  sources: Omit<Sources, "services" | "adapter">,
  { anyCase }: { readonly anyCase: boolean },
): ServerVariables {
  const problems: SettingProblem[] = [];
  const warnings: Problem[] = [];
  const given = findGiven(sources.env, { anyCase, problems });
  const values: Record<string, string> = {};
  const givenBy: Record<string, string> = {};
  for (const [name, { variable, text }] of given) {
    if (FILE_VARIABLE_REGEXP.test(name)) continue;
    values[name] = text;
    givenBy[name] = variable;
  }
  for (const [fileName, { variable, text: path }] of given) {
    const name = FILE_VARIABLE_REGEXP.exec(fileName)?.[1];
    if (name === undefined || path === "") continue;
    if ((values[name] ?? "") !== "") {
      problems.push(bothSet(givenBy[name] ?? name, variable));
      continue;
    }
    const content = readValueFile(
      { name: variable, path, isSecret: true, isNeeded: false },
      sources,
      { problems, warnings },
    );
    if (content === "") continue;
    values[name] = content;
    givenBy[name] = variable;
  }
  const replaced = [...given].flatMap(([name, { all }]) =>
    all.filter((variable) =>
      variable !== name || FILE_VARIABLE_REGEXP.test(name)
    )
  );
  return { values, givenBy, replaced, problems, warnings };
}

/** A variable as it is set. */
interface Given {
  /** The spelling in capitals if that one is set, else one of the others. */
  readonly variable: string;
  /** All spellings that are set. */
  readonly all: readonly string[];
  /** The value. */
  readonly text: string;
}

/** Finds the variables by the name under which the server reads them. */
function findGiven(
  env: Readonly<Record<string, string>>,
  { anyCase, problems }: {
    readonly anyCase: boolean;
    readonly problems: SettingProblem[];
  },
): ReadonlyMap<string, Given> {
  const given = new Map<string, Given>();
  for (const [variable, text] of Object.entries(env)) {
    const capitals = variable.toUpperCase();
    // It decides where the configuration is, which must not depend on its spelling.
    const isConfig = capitals === CONFIG_VARIABLE ||
      capitals === CONFIG_FILE_VARIABLE;
    const name = anyCase || isConfig ? capitals : variable;
    if (!name.startsWith(PREFIX)) continue;
    const other = given.get(name);
    if (other !== undefined && other.text !== text) {
      problems.push(spelledTwice(name, [other.variable, variable]));
    }
    given.set(name, {
      variable: variable === name ? name : other?.variable ?? variable,
      all: [...other?.all ?? [], variable],
      text,
    });
  }
  return given;
}

function spelledTwice(
  subject: string,
  [first, second]: readonly [string, string],
): SettingProblem {
  return {
    subject,
    message:
      `${first} and ${second} have different values, but the server reads both as ${subject}`,
    remedy: `Remove ${first} or ${second}`,
    code: ExitCode.settings,
  };
}
