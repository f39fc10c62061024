/**
 * Keeps secrets out of the words of the server that are shown.
 *
 * @module
 */

import { isSecretPath } from "../../config/redact.ts";
import { relay } from "../../hidden.ts";
import type { Json } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import { oneLine } from "../../printable.ts";
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

/**
 * Prepares words of the server for a message: without secrets and control characters, and with
 * the real path of config.json.
 *
 * @param text The words.
 * @param plan The plan, with its secrets.
 * @returns One line of at most 1000 characters.
 */
export function cleanWords(text: string, plan: Plan): string {
  const { paths, store, database: { source } } = plan;
  const own = text.replaceAll(
    /\S*\/mattermost-entrypoint-\w+\/config\.json/g,
    store.name,
  );
  const clean = relay(own, {
    secrets: secretsOf(plan),
    shown: [source.user, source.database, source.host, paths.config],
  });
  return oneLine(clean, 1000);
}

function secretsOf(
  { merged, wanted, serverVariables, settings, database }: Plan,
): string[] {
  const secrets: string[] = [settings.DB_PASS, database.source.password];
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
