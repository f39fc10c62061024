/**
 * The server's own variables, `MM_SECTION_KEY`: they pass through, and each has a `_FILE` twin here.
 *
 * @module
 */

import { ExitCode } from "../errors.ts";
import type { SettingProblem, Sources } from "./resolve.ts";
import { readTwin } from "./resolve.ts";

/** The server's own variables after their files were read. */
export interface ServerVariables {
  /** The variables to hand to the server, those from files among them. */
  readonly values: Readonly<Record<string, string>>;
  /** The `_FILE` twins, which the server must not see. */
  readonly twins: readonly string[];
  /** What is wrong with them. */
  readonly problems: readonly SettingProblem[];
}

const TWIN_REGEXP = /^(MM_\w+)_FILE$/;

/**
 * Reads the files that `MM_*_FILE` variables name.
 *
 * @param sources The environment and its files.
 * @returns The variables, and what is wrong with them.
 */
export function readServerVariables(
  sources: Pick<Sources, "env" | "readText">,
): ServerVariables {
  const { env } = sources;
  const own = Object.entries(env).filter(([name]) => name.startsWith("MM_"));
  const values = Object.fromEntries(
    own.filter(([name]) => !TWIN_REGEXP.test(name)),
  );
  const twins: string[] = [];
  const problems: SettingProblem[] = [];
  for (const [twin, path] of own) {
    const name = TWIN_REGEXP.exec(twin)?.[1];
    if (name === undefined) continue;
    twins.push(twin);
    if (path === "") continue;
    if ((env[name] ?? "") !== "") {
      problems.push({
        subject: name,
        message: `Both ${name} and ${twin} are set, and only one may be`,
        remedy: `Remove ${name} or ${twin}`,
        code: ExitCode.settings,
      });
      continue;
    }
    const content = readTwin(twin, path, { sources, problems });
    if (content !== "") values[name] = content;
  }
  return { values, twins, problems };
}
