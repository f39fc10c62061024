/**
 * What a row of the catalogue says to people: defaults, examples, names of files.
 *
 * Texts of the catalogue mark names and values with backticks, as Markdown
 * does; {@linkcode plain} takes the marks away.
 *
 * @module
 */

import type { SettingName } from "./catalogue.ts";
import { rowOf } from "./catalogue.ts";
import type { Setting } from "./setting.ts";
import { isRule } from "./setting.ts";

/** Where Docker, Compose and Swarm mount secrets. */
const SECRETS_DIRECTORY = "/run/secrets";

/**
 * Takes the marks for code out of a text of the catalogue.
 *
 * @param text The text.
 * @returns The text for a terminal.
 */
export function plain(text: string): string {
  return text.replaceAll("`", "");
}

/**
 * The default of a setting.
 *
 * @param row The setting's row.
 * @returns A value or a rule with marks for code; `undefined` where there is none, or only the empty text.
 */
export function describeDefault(row: Setting): string | undefined {
  if (row.generated === true) {
    return "made at the first start, and kept from then on";
  }
  if (isRule(row.fallback)) return row.fallback.text;
  if (row.fallback === undefined || row.fallback === "") return undefined;
  return `\`${row.fallback}\``;
}

/**
 * The name of the variable that may name a file with the value instead.
 *
 * @param name The setting.
 * @returns The variable's name.
 */
export function fileTwin(name: SettingName): string {
  return `${name}_FILE`;
}

/**
 * The file that Docker mounts for a setting's secret, and that `app:secrets` makes.
 *
 * @param name The setting.
 * @returns The file's name, without a directory.
 */
export function secretFileName(name: SettingName): string {
  return name.toLowerCase();
}

/**
 * A line of an environment file that sets a setting.
 *
 * @param name The setting.
 * @returns `NAME=value`; of a secret, `NAME_FILE=path`.
 */
export function exampleLine(name: SettingName): string {
  const row = rowOf(name);
  return row.secret === true
    ? `${fileTwin(name)}=${SECRETS_DIRECTORY}/${secretFileName(name)}`
    : `${name}=${exampleValue(row)}`;
}

function exampleValue({ example, fallback, kind }: Setting): string {
  if (example !== undefined) return example;
  if (fallback !== undefined && fallback !== "" && !isRule(fallback)) {
    return String(fallback);
  }
  return kind.choices?.[0] ?? "";
}
