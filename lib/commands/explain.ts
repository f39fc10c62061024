/**
 * The sources of all values, and the changes of the next start: as data, and as text.
 *
 * @module
 */

import { redact, redactChange } from "../config/redact.ts";
import { HIDDEN, hideCredentials } from "../hidden.ts";
import type { Json } from "../json.ts";
import { valueAt } from "../json.ts";
import { printableLine } from "../printable.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import type { Value } from "../settings/kinds.ts";
import { describeOrigin } from "../settings/origin.ts";
import { reasonsForNoEffect } from "../settings/rules.ts";
import type { Plan } from "../startup/plan.ts";

/** A key of config.json that a setting writes. */
export interface ExplainedPath {
  /** Section and key, such as `TeamSettings.SiteName`. */
  readonly path: string;
  /** The value after the next start. */
  readonly value: Json;
  /** The source of the value: `variable DB_HOST`, `default`, `kept from config.json`, … */
  readonly origin: string;
}

/** One setting with its value. */
export interface ExplainedSetting {
  /** The name of its variable. */
  readonly name: SettingName;
  /** The value; `(hidden)` for a secret, `null` without a value. */
  readonly value: Value | null;
  /** The source of the value. */
  readonly origin: string;
  /** The keys of config.json that it writes. */
  readonly paths: readonly ExplainedPath[];
  /** Why it has no effect in this release; absent if it has one. */
  readonly noEffect?: string;
}

/** A value that the next start would change. */
export interface Difference {
  /** Section and key, such as `TeamSettings.SiteName`. */
  readonly path: string;
  /** The value on disk; `null` without one. */
  readonly before: Json;
  /** The new value; `null` if the key is removed. */
  readonly after: Json;
  /** `set`, `default`, `generated`, `withdrawn`, `obsolete` or `spelling`. */
  readonly reason: string;
}

/** Options of {@linkcode explain} and {@linkcode differences}. */
export interface ExplainOptions {
  /** Whether the values of secrets are included instead of hidden. */
  readonly showSecrets: boolean;
}

/**
 * Lists every setting with its value, its source, and its keys in config.json.
 *
 * @param plan The settings and the config.json that they make.
 * @param options Whether secrets are included.
 * @returns One entry for each setting, in the order of the catalogue.
 */
export function explain(
  plan: Plan,
  { showSecrets }: ExplainOptions,
): ExplainedSetting[] {
  const { settings, origins, release, merged } = plan;
  return SETTING_NAMES.map((name): ExplainedSetting => {
    const { secret = false } = rowOf(name);
    const value = settings[name] ?? null;
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
          value: showSecrets
            ? found
            : redact(found, { path, secrets: secret ? [path] : [] }),
          origin: origin === undefined ? "default" : describeOrigin(origin),
        };
      });
    const [first] = paths;
    return {
      name,
      value: showSecrets || typeof value !== "string"
        ? value
        : secret && value !== ""
        ? HIDDEN
        : hideCredentials(value),
      origin: first !== undefined &&
          (value === null || plan.store.kind === "database")
        ? first.origin
        : describeOrigin(origins[name]),
      paths,
      ...(noEffect === undefined ? {} : { noEffect }),
    };
  });
}

/**
 * Lists the values of config.json that the next start would change.
 *
 * @param plan The config.json on disk, merged with the settings.
 * @param options Whether secrets are included.
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
 * Formats settings as `NAME=value   # source`, each followed by its keys of config.json.
 *
 * @param entries The settings.
 * @returns Lines, each with a final newline.
 */
export function explanationText(entries: readonly ExplainedSetting[]): string {
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
    ].map((line) => `${printableLine(line)}\n`).join("");
  }).join("");
}

/** The comment after a change, by its reason. */
const REASONS: Readonly<Record<string, string>> = {
  set: "set by you",
  default: "default",
  generated: "generated",
  withdrawn: "no longer set by you, so the default applies again",
  obsolete: "this release does not have the key",
  spelling: "the key is spelled as in this release",
};

/**
 * Formats changes as `Section.Key: old → new   # reason`.
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
  return value === null ? "(not set)" : JSON.stringify(value);
}
