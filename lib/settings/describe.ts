/**
 * The parts of a catalogue row that help texts and documents show: defaults, examples, file names.
 *
 * The texts of the catalogue put names and values in backticks, as Markdown
 * does. {@linkcode stripBackticks} removes them.
 *
 * @module
 */

import type { SettingName } from "./catalogue.ts";
import { rowOf } from "./catalogue.ts";
import type { Setting } from "./setting.ts";
import { isDefaultRule } from "./setting.ts";

/** The directory in which Docker Compose and Swarm mount secrets: https://docs.docker.com/compose/how-tos/use-secrets/. */
export const SECRETS_DIRECTORY = "/run/secrets";

/**
 * Removes the backticks from a text of the catalogue.
 *
 * @param text Text with backticks around names and values.
 * @returns The text to show in a terminal.
 */
export function stripBackticks(text: string): string {
  return text.replaceAll("`", "");
}

/**
 * Describes the default of a setting.
 *
 * @param row The setting's row.
 * @returns The value or the rule, with backticks; `undefined` if there is no default or it is the empty string.
 */
export function describeDefault(row: Setting): string | undefined {
  if (row.generated === true) {
    return "generated at the first start, and kept in config.json";
  }
  if (isDefaultRule(row.fallback)) return row.fallback.text;
  if (row.fallback === undefined || row.fallback === "") return undefined;
  return `\`${row.fallback}\``;
}

/**
 * Returns the name of the `_FILE` variable, which holds the path of a file with the value.
 *
 * @param name A setting, or a variable of the server.
 * @returns The name, such as `DB_PASS_FILE`.
 */
export function fileVariable(name: string): string {
  return `${name}_FILE`;
}

/**
 * Returns the name of the file that holds a secret, as the option `--write` creates it.
 *
 * @param name A setting, or a variable of the server.
 * @returns The name without a directory, such as `db_pass`.
 */
export function secretFileName(name: string): string {
  return name.toLowerCase();
}

/**
 * Returns an example of a line that sets a setting in an environment file.
 *
 * @param name The setting.
 * @returns `NAME=value`; for a secret, `NAME_FILE=path`.
 */
export function exampleLine(name: SettingName): string {
  const row = rowOf(name);
  return row.secret === true
    ? `${fileVariable(name)}=${SECRETS_DIRECTORY}/${secretFileName(name)}`
    : `${name}=${exampleValue(row)}`;
}

function exampleValue({ example, fallback, kind }: Setting): string {
  if (example !== undefined) return example;
  if (fallback !== undefined && fallback !== "" && !isDefaultRule(fallback)) {
    return String(fallback);
  }
  return kind.choices?.[0] ?? "";
}
