/**
 * Settings and the config.json that comes of them.
 *
 * @module
 */

import { GENERATED_NAMES, SETTING_NAMES } from "../../settings/catalogue.ts";
import { isExplicit } from "../../settings/origin.ts";
import type { Plan } from "../../startup/plan.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/** The settings whose warnings belong to the check of the secrets. */
const SECRETS: ReadonlySet<string> = new Set(GENERATED_NAMES);

/**
 * Checks the settings.
 *
 * @param world The plan.
 * @returns The findings.
 */
export function checkSettings({ plan }: CheckWorld): Finding[] {
  const warnings = plan.warnings.filter(({ subject }) => !SECRETS.has(subject));
  const given = SETTING_NAMES.filter((name) => isExplicit(plan.origins[name]));
  return [
    ok(
      "settings.values",
      `${count(given.length, "setting")} given, all of them valid`,
    ),
    ...warnings.map((problem) => warning("settings.values", problem)),
    ...configFindings(plan),
  ];
}

function configFindings({ place, state, merged }: Plan): Finding[] {
  const notices = [...state.notices, ...merged.conflicts].map((message) =>
    warning("settings.config", { message })
  );
  const changes = merged.changes.length;
  const message = state.text === undefined
    ? `The next start makes ${place.path}`
    : changes === 0
    ? `${place.path} is as the settings want it`
    : `The next start changes ${
      count(changes, "value")
    } in ${place.path} (app:config --diff shows them)`;
  return [ok("settings.config", message), ...notices];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
