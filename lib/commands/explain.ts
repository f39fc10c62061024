/**
 * Where each value comes from, as data: for people and for machines.
 *
 * @module
 */

import { isSecretPath, redactChange, redactValue } from "../config/redact.ts";
import { HIDDEN } from "../hidden.ts";
import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import type { Value } from "../settings/kinds.ts";
import { describeOrigin } from "../settings/origin.ts";
import { reasonsForNoEffect } from "../settings/rules.ts";
import type { Plan } from "../startup/plan.ts";

/** A place in config.json that a setting has a say in. */
export interface ExplainedPath {
  /** Section and key. */
  readonly path: string;
  /** The value there, after the next start. */
  readonly value: Json;
  /** Where this value comes from: `variable DB_HOST`, `default`, `kept from config.json`, … */
  readonly origin: string;
}

/** One setting, and what becomes of it. */
export interface Explained {
  /** Its variable. */
  readonly name: SettingName;
  /** The value; `(hidden)` for a secret, `null` if it is not set. */
  readonly value: Value | null;
  /** Where the value comes from. */
  readonly origin: string;
  /** Where it is written to. */
  readonly paths: readonly ExplainedPath[];
  /** Why it has no effect in this release, where that is so. */
  readonly noEffect?: string;
}

/** One value that the next start would change. */
export interface Difference {
  /** Section and key. */
  readonly path: string;
  /** The value on disk; `null` where there is none. */
  readonly before: Json;
  /** The value to come; `null` where it goes. */
  readonly after: Json;
  /** `set`, `default`, `generated`, `withdrawn` or `spelling`. */
  readonly reason: string;
}

/** What the answer depends on besides the plan. */
export interface ExplainOptions {
  /** Whether values of secrets are shown. */
  readonly showSecrets: boolean;
}

/**
 * Explains every setting.
 *
 * @param plan The plan.
 * @param options Whether secrets are shown.
 * @returns One entry for each row of the catalogue.
 */
export function explain(
  plan: Plan,
  { showSecrets }: ExplainOptions,
): Explained[] {
  const { settings, origins, release, merged } = plan;
  return SETTING_NAMES.map((name): Explained => {
    const { secret = false } = rowOf(name);
    const value = settings[name] ?? null;
    const isHidden = secret && !showSecrets && value !== null && value !== "";
    const [noEffect] = reasonsForNoEffect(name, {
      settings,
      release: release.version,
    });
    const paths = plan.wanted
      .filter(({ variables }) => variables.includes(name))
      .map(({ path, secret }): ExplainedPath => {
        const found = valueAt(merged.document, path) ?? null;
        const origin = merged.origins[path];
        return {
          path,
          value: (secret || isSecretPath(path)) && !showSecrets
            ? redactValue(found)
            : found,
          origin: origin === undefined ? "default" : describeOrigin(origin),
        };
      });
    const [first] = paths;
    return {
      name,
      value: isHidden ? HIDDEN : value,
      origin: value === null && first !== undefined
        ? first.origin
        : describeOrigin(origins[name]),
      paths,
      ...(noEffect === undefined ? {} : { noEffect }),
    };
  });
}

/**
 * Lists what the next start would change.
 *
 * @param plan The plan.
 * @param options Whether secrets are shown.
 * @returns The changes, in the order of the catalogue.
 */
export function differences(
  { merged }: Plan,
  { showSecrets }: ExplainOptions,
): Difference[] {
  return merged.changes
    .map((change) => showSecrets ? change : redactChange(change))
    .map(({ path, before = null, after = null, reason }) => ({
      path,
      before,
      after,
      reason,
    }));
}

/**
 * Lays out the explanation for people.
 *
 * @param entries The explained settings.
 * @returns Lines, each with a final newline.
 */
export function explanationText(entries: readonly Explained[]): string {
  return entries.map(({ name, value, origin, paths, noEffect }) => {
    const shown = value === null ? "" : String(value);
    const lines = paths.map(({ path, value, origin: source }) =>
      `    ${path} = ${JSON.stringify(value)}${
        source === origin ? "" : `   # ${source}`
      }`
    );
    return [
      `${name}=${shown}   # ${origin}`,
      ...lines,
      ...(noEffect === undefined ? [] : [`    no effect: ${noEffect}`]),
    ].map((line) => `${line}\n`).join("");
  }).join("");
}

/** How the kinds of changes read, to be put behind the values. */
const REASONS: Readonly<Record<string, string>> = {
  set: "set by you",
  default: "default",
  generated: "generated",
  withdrawn: "no longer set by you, back to the default",
  spelling: "the spelling of this release",
};

/**
 * Lays out the changes for people.
 *
 * @param changes The changes.
 * @returns Lines, each with a final newline.
 */
export function differencesText(changes: readonly Difference[]): string {
  return changes.map(({ path, before, after, reason }) =>
    `${path}: ${describe(before)} → ${describe(after)}   # ${
      REASONS[reason] ?? reason
    }\n`
  ).join("");
}

function describe(value: Json): string {
  return value === null ? "(nothing)" : JSON.stringify(value);
}
