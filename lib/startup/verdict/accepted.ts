/**
 * Remembers which configuration the server has accepted, so that an ordinary restart does not
 * ask it again.
 *
 * @module
 */

import type { Acceptance } from "../../config/last_applied.ts";
import { isSecretPath } from "../../config/redact.ts";
import type { Json, JsonObject } from "../../json.ts";
import { foldKey, isJsonObject, valueAt } from "../../json.ts";
import type { System } from "../../os/system.ts";
import { trySystemCall } from "../../errors.ts";
import { DEFAULTS_VARIABLE } from "../../settings/config_variable.ts";
import type { Plan } from "../plan.ts";
import type { Answer } from "./ask_server.ts";

/**
 * Tells whether the server has accepted the same before.
 *
 * @param plan The plan, with what was accepted last.
 * @param system The file system.
 * @returns Whether nothing that the server judges has changed.
 */
export function isAccepted(
  plan: Plan,
  system: Pick<System, "files">,
): boolean {
  const { state: { accepted }, merged: { document } } = plan;
  if (accepted === undefined) return false;
  const { digests, ignored } = accepted;
  return digests.includes(digestOf(plan, { document, ignored }, system));
}

/**
 * Describes an accepted configuration: as it will be written, and as the server will rewrite it
 * at its start.
 *
 * @param plan The plan.
 * @param answer The answer of the server.
 * @param system The file system.
 * @returns The digests.
 */
export function describeAcceptance(
  plan: Plan,
  { rewritten, replaced }: Answer,
  system: Pick<System, "files">,
): Acceptance {
  const { document } = plan.merged;
  const ignored: string[] = [];
  const kept = mapKeys(parse(rewritten) ?? document, (path, value) => {
    const before = valueAt(document, path);
    // What was replaced for the question will be as before; what was absent gets a default.
    const isKnown = !replaced.includes(path) || before !== undefined;
    // A secret that the server generates will be another one.
    const isGenerated = (before ?? "") === "" && value !== "" &&
      isSecretPath(path);
    if (!isKnown || isGenerated) ignored.push(foldKey(path));
    return replaced.includes(path) ? before : value;
  });
  // The next start writes these again if the server has removed them.
  const missing = plan.wanted.map(({ path }) => path)
    .filter((path) => valueAt(kept, path) === undefined);
  const expected = missing.reduce((config, path) => {
    const [section = "", key = ""] = foldKey(path).split(".");
    const keys = config[section];
    const value = valueAt(document, path);
    return value === undefined ? config : {
      ...config,
      [section]: { ...isJsonObject(keys) ? keys : {}, [key]: value },
    };
  }, kept);
  const digests = [document, expected].map((each) =>
    digestOf(plan, { document: each, ignored }, system)
  );
  return { digests: [...new Set(digests)], ignored };
}

/** A digest of everything that the verdict depends on. */
function digestOf(
  { state, serverVariables, release, paths }: Plan,
  { document, ignored }: {
    readonly document: JsonObject;
    readonly ignored: readonly string[];
  },
  { files }: Pick<System, "files">,
): string {
  const program = trySystemCall(() =>
    files.stat(`${paths.install}/${release.binary}`)
  );
  const variables = serverVariables.values;
  const path = variables[DEFAULTS_VARIABLE];
  const defaults = path === undefined
    ? undefined
    : trySystemCall(() => files.read(path, { follow: true }))?.bytes;
  return state.digest({
    document: mapKeys(
      document,
      (path, value) => ignored.includes(foldKey(path)) ? undefined : value,
    ),
    variables,
    program: [release.version, program?.size ?? 0, program?.modified ?? 0],
    defaults: defaults === undefined ? "" : new TextDecoder().decode(defaults),
  });
}

/** Replaces each key of each section; `undefined` removes it. All keys get lower case, since the server ignores it. */
function mapKeys(
  document: JsonObject,
  change: (path: string, value: Json) => Json | undefined,
): JsonObject {
  const sections: Record<string, Json> = {};
  for (const [section, keys] of Object.entries(document)) {
    if (!isJsonObject(keys)) {
      sections[foldKey(section)] = keys;
      continue;
    }
    const values: Record<string, Json> = {};
    for (const [key, value] of Object.entries(keys)) {
      const changed = change(`${section}.${key}`, value);
      if (changed !== undefined) values[foldKey(key)] = changed;
    }
    sections[foldKey(section)] = values;
  }
  return sections;
}

function parse(text: string | undefined): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
