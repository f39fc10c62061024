/**
 * What the server will really use: its own variables, else config.json as the next start writes it.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { isJsonObject } from "../json.ts";
import type { Plan } from "./plan.ts";

/**
 * Finds the value that the server will use.
 *
 * @param plan The plan.
 * @param path Section and key; the letter case is nothing to the server.
 * @returns The value; a variable's is text. `undefined` where there is none.
 */
export function effective(
  { merged, serverVariables, release }: Plan,
  path: string,
): Json | undefined {
  const variable =
    serverVariables.values[`MM_${path.replace(".", "_").toUpperCase()}`];
  const found = valueAt(merged.document, path);
  const isOverridden = variable !== undefined && variable !== "" &&
    (release.environmentOverrides === "all keys" ||
      release.environmentOverrides === "present keys" && found !== undefined);
  return isOverridden ? variable : found;
}

/**
 * The same as text.
 *
 * @param plan The plan.
 * @param path Section and key.
 * @returns The text, empty where there is none.
 */
export function effectiveText(plan: Plan, path: string): string {
  const value = effective(plan, path);
  return value === undefined || value === null ? "" : String(value);
}

/**
 * The same as a flag.
 *
 * @param plan The plan.
 * @param path Section and key.
 * @returns Whether it is on; a flag that is nowhere is off.
 */
export function effectiveFlag(plan: Plan, path: string): boolean {
  return effectiveText(plan, path).toLowerCase() === "true";
}

function valueAt(document: Json, path: string): Json | undefined {
  return path.split(".").reduce<Json | undefined>((part, key) => {
    if (!isJsonObject(part)) return undefined;
    const name = Object.keys(part).findLast((name) =>
      name.toLowerCase() === key.toLowerCase()
    );
    return name === undefined ? undefined : part[name];
  }, document);
}
