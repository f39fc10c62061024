/**
 * Keeps secrets out of the words of the server that are shown.
 *
 * @module
 */

import { isSecretPath } from "../../config/redact.ts";
import { withoutSecret } from "../../hidden.ts";
import type { Json } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { Plan } from "../plan.ts";

/**
 * Converts the name of a variable of the server to the form in which secrets are recognised.
 *
 * @param variable The name, such as `MM_SQLSETTINGS_DATASOURCE`.
 * @returns The path, such as `SQLSETTINGS.DATASOURCE`.
 */
export function pathOfVariable(variable: string): string {
  return variable.replace(/^MM_/, "").replace("_", ".");
}

// deno-lint-ignore no-control-regex
const CONTROL_REGEXP = /[\x00-\x1f\x7f-\x9f]+/g;

/**
 * Prepares words of the server for a message: without secrets and control characters, and with
 * the real path of config.json.
 *
 * @param text The words.
 * @param plan The plan, with its secrets.
 * @returns One line of at most 1000 characters.
 */
export function cleanWords(text: string, plan: Plan): string {
  let clean = text.replaceAll(
    /\S*\/mattermost-entrypoint-\w+\/config\.json/g,
    plan.paths.config,
  );
  for (const secret of secretsOf(plan)) {
    clean = withoutSecret(clean, secret);
    clean = withoutSecret(clean, JSON.stringify(secret).slice(1, -1));
  }
  return clean.replace(CONTROL_REGEXP, " ").slice(0, 1000);
}

function secretsOf(
  { merged, wanted, serverVariables, settings }: Plan,
): string[] {
  const secrets: string[] = [settings.DB_PASS];
  const visit = (path: string, value: Json): void => {
    if (isJsonObject(value)) {
      for (const [key, inner] of Object.entries(value)) {
        visit(path === "" ? key : `${path}.${key}`, inner);
      }
    } else if (typeof value === "string" && isSecretPath(path)) {
      secrets.push(value);
    } else if (Array.isArray(value)) {
      value.forEach((inner: Json) => visit(path, inner));
    }
  };
  visit("", merged.document);
  for (const { secret, value } of wanted) {
    if (secret && typeof value === "string") secrets.push(value);
  }
  for (const [name, value] of Object.entries(serverVariables.values)) {
    if (isSecretPath(pathOfVariable(name))) secrets.push(value);
  }
  return secrets;
}
