/**
 * The settings, and what the next start does to config.json.
 *
 * @module
 */

import { GENERATED_SECRETS, SETTING_NAMES } from "../../settings/catalogue.ts";
import { isExplicit } from "../../settings/origin.ts";
import { isServerInstalled } from "../../startup/handoff.ts";
import type { Plan } from "../../startup/plan.ts";
import { judge } from "../../startup/verdict/judge.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/**
 * Has the installed server judge the configuration that the next start would write.
 *
 * @param context The settings and the system.
 * @returns The verdict; nothing if no server is installed.
 */
export async function checkVerdict(
  { plan, system, signal }: CheckContext,
): Promise<Finding[]> {
  const id = "settings.verdict";
  if (!isServerInstalled(plan, system)) return [];
  const judgement = await judge(plan, { system, signal });
  switch (judgement.kind) {
    case "accepted": {
      const { notJudged } = judgement;
      const except = notJudged.length === 0
        ? ""
        : `; it was asked without ${notJudged.join(", ")}`;
      return [
        ok(
          id,
          `The installed server, Mattermost ${plan.release.version}, accepts this configuration${except}`,
        ),
      ];
    }
    case "none":
      return [warning(id, judgement.problem)];
    case "refused":
      return judgement.problems.map((problem) => failed(id, problem));
  }
}

/** The settings whose warnings `checkSecrets` reports. */
const SECRETS: ReadonlySet<string> = new Set(GENERATED_SECRETS);

/**
 * Checks the settings.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export function checkSettings({ plan }: CheckContext): Finding[] {
  const warnings = plan.warnings.filter(({ subject }) => !SECRETS.has(subject));
  const explicit = SETTING_NAMES.filter((name) =>
    isExplicit(plan.origins[name])
  );
  return [
    ok(
      "settings.values",
      explicit.length === 1
        ? "1 setting is set and valid"
        : `${explicit.length} settings are set and valid`,
    ),
    ...warnings.map((problem) => warning("settings.values", problem)),
    ...configFindings(plan),
  ];
}

function configFindings({ store, state, merged }: Plan): Finding[] {
  const notices = [...state.notices, ...merged.conflicts].map((message) =>
    warning("settings.config", { message })
  );
  const changes = merged.changes.length;
  const message = store.kind === "database"
    ? state.text === undefined
      ? "The first start stores the configuration in the database"
      : `The configuration is in the database, and the settings override ${changes} of its values (see app:config --diff)`
    : state.text === undefined
    ? `The next start creates ${store.name}`
    : changes === 0
    ? `${store.name} already matches the settings`
    : `The next start changes ${changes} value${
      changes === 1 ? "" : "s"
    } in ${store.name} (see app:config --diff)`;
  return notices.length > 0 && store.kind === "database"
    ? notices
    : [ok("settings.config", message), ...notices];
}
