/**
 * The four secrets: whether they are set, long enough, random and different from each other.
 *
 * @module
 */

import type { SettingName } from "../../settings/catalogue.ts";
import {
  GENERATED_SECRETS,
  MIN_SECRET_BYTES,
} from "../../settings/catalogue.ts";
import { isExplicit } from "../../settings/origin.ts";
import { oddityOf } from "../../settings/odd_values.ts";
import { PLACEHOLDER_SECRET } from "../../settings/rules.ts";
import type { Plan } from "../../startup/plan.ts";
import { effectiveText } from "../../startup/effective_config.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/** The fewest different characters that a random secret of this length has in practice. */
const FEWEST_CHARACTERS = 10;

const REMEDY = "mattermost-entrypoint app:secrets   # prints new values";

interface Secret {
  readonly name: SettingName;
  readonly value: string;
}

/**
 * Checks the secrets.
 *
 * @param context The settings and the system.
 * @returns One finding for each secret that this release has.
 */
export function checkSecrets({ plan }: CheckContext): Finding[] {
  const secrets = GENERATED_SECRETS.flatMap((name) => secretOf(plan, name));
  return secrets.map((secret) => {
    const { name, value } = secret;
    const problem = faultOf(secret, secrets);
    if (problem !== undefined) return warning(`secrets.${name}`, problem);
    if (isExplicit(plan.origins[name])) {
      return ok(`secrets.${name}`, `${name} is set`);
    }
    const isStored = plan.state.text !== undefined && value !== "" &&
      !plan.merged.generated.includes(name);
    const [stored, generated] = plan.store.kind === "file"
      ? ["is stored in config.json: back that file up", "in config.json"]
      : ["is stored in the database", "in the database"];
    return ok(
      `secrets.${name}`,
      isStored
        ? `${name} ${stored}`
        : `${name} is not set, so the first start generates it and stores it ${generated}`,
    );
  });
}

function secretOf(plan: Plan, name: SettingName): Secret[] {
  const assignment = plan.wanted.find(({ variables }) =>
    variables.includes(name)
  );
  return assignment === undefined
    ? []
    : [{ name, value: effectiveText(plan, assignment.path) }];
}

function faultOf(
  { name, value }: Secret,
  all: readonly Secret[],
): { readonly message: string; readonly remedy: string } | undefined {
  const odd = oddityOf(value);
  if (odd !== undefined) {
    return { message: `${name} ${odd.fault}`, remedy: odd.remedy };
  }
  const same = all.find((other) =>
    other.name !== name && other.value === value && value !== ""
  );
  const bytes = new TextEncoder().encode(value).length;
  const characters = new Set(value).size;
  const faults: readonly (readonly [boolean, string])[] = [
    [
      value === PLACEHOLDER_SECRET,
      "is the placeholder from the instructions, which is publicly known",
    ],
    [
      value !== "" && bytes < MIN_SECRET_BYTES,
      `has ${bytes} bytes in config.json, but should have at least ${MIN_SECRET_BYTES}`,
    ],
    [
      value !== "" && characters < FEWEST_CHARACTERS,
      `has only ${characters} different characters, so it is not random`,
    ],
    [
      same !== undefined,
      `has the same value as ${same?.name}, but each secret needs a value of its own`,
    ],
  ];
  const fault = faults.find(([applies]) => applies)?.[1];
  return fault === undefined
    ? undefined
    : { message: `${name} ${fault}`, remedy: REMEDY };
}
