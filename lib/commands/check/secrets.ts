/**
 * The four secrets: there, long enough, nobody else's, and not all the same.
 *
 * @module
 */

import type { SettingName } from "../../settings/catalogue.ts";
import { GENERATED_NAMES, SHORTEST_SECRET } from "../../settings/catalogue.ts";
import { isExplicit } from "../../settings/origin.ts";
import { PLACEHOLDER } from "../../settings/rules.ts";
import type { Plan } from "../../startup/plan.ts";
import { effectiveText } from "../../startup/effective_config.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/** Different characters that a random secret of this length has at least. */
const LEAST_VARIETY = 10;

const NEW_ONE = "Make one with app:secrets";

interface Secret {
  readonly name: SettingName;
  readonly value: string;
}

/**
 * Checks the secrets.
 *
 * @param world The plan.
 * @returns The findings, one for each secret that this release has.
 */
export function checkSecrets({ plan }: CheckWorld): Finding[] {
  const secrets = GENERATED_NAMES.flatMap((name) => secretOf(plan, name));
  return secrets.map((secret) => {
    const { name, value } = secret;
    const problem = faultOf(secret, secrets);
    if (problem !== undefined) return warning(`secrets.${name}`, problem);
    if (isExplicit(plan.origins[name])) {
      return ok(`secrets.${name}`, `${name} is given`);
    }
    const kept = plan.state.text !== undefined && value !== "" &&
      !plan.merged.generated.includes(name);
    return ok(
      `secrets.${name}`,
      kept
        ? `${name} is kept in config.json: back that file up`
        : `${name} is not given: the first start makes it and keeps it in config.json`,
    );
  });
}

function secretOf(plan: Plan, name: SettingName): Secret[] {
  const place = plan.wanted.find(({ variables }) => variables.includes(name));
  return place === undefined
    ? []
    : [{ name, value: effectiveText(plan, place.path) }];
}

function faultOf(
  { name, value }: Secret,
  all: readonly Secret[],
): { readonly message: string; readonly remedy: string } | undefined {
  const twin = all.find((other) =>
    other.name !== name && other.value === value && value !== ""
  );
  const bytes = new TextEncoder().encode(value).length;
  const faults: readonly (readonly [boolean, string])[] = [
    [
      value === PLACEHOLDER,
      "is the placeholder of the instructions, which everybody knows",
    ],
    [
      value !== "" && bytes < SHORTEST_SECRET,
      `has ${bytes} bytes in config.json, and should have at least ${SHORTEST_SECRET}`,
    ],
    [
      value !== "" && new Set(value).size < LEAST_VARIETY,
      "is too regular to be random",
    ],
    [
      twin !== undefined,
      `has the same value as ${twin?.name}: each secret needs its own`,
    ],
  ];
  const fault = faults.find(([applies]) => applies)?.[1];
  return fault === undefined
    ? undefined
    : { message: `${name} ${fault}`, remedy: NEW_ONE };
}
