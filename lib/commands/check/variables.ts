/**
 * The server's own variables, `MM_SECTION_KEY`.
 *
 * @module
 */

import {
  knownSettings,
  variableFindings,
} from "../../startup/variable_findings.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/**
 * Checks the names and values of the server's own variables.
 *
 * @param context The settings and the system.
 * @returns The findings; none if no such variable is set.
 */
export function checkVariables({ plan }: CheckContext): Finding[] {
  const count = Object.keys(plan.serverVariables.values).length;
  if (count === 0) return [];
  const findings = variableFindings(plan).map(({ level, ...problem }) =>
    (level === "error" ? failed : warning)("settings.variables", problem)
  );
  if (findings.length > 0) return findings;
  const variables = count === 1 ? "1 MM_ variable" : `${count} MM_ variables`;
  return [
    ok(
      "settings.variables",
      knownSettings(plan).isComplete
        ? `The server will use ${variables}`
        : `${variables} will be passed to the server; without an installed server, the names were not checked`,
    ),
  ];
}
