/**
 * Replaces the secrets in config.json and in its values before they are shown.
 *
 * @module
 */

import { HIDDEN } from "../hidden.ts";
import type { Json } from "../json.ts";
import { foldKey, isJsonObject } from "../json.ts";
import type { ObjectNode } from "./json_text.ts";
import {
  makeNode,
  nodeValue,
  parseDocument,
  printDocument,
} from "./json_text.ts";

/**
 * Secret keys of config.json that {@linkcode SECRET_KEY_REGEXP} does not match. Together they cover
 * all keys that the server itself hides (`Config.Sanitize` in its `model/config.go`), and those of
 * older releases.
 */
const SECRET_PATHS: readonly string[] = [
  "SqlSettings.DataSource",
  "SqlSettings.DataSourceReplicas",
  "SqlSettings.DataSourceSearchReplicas",
  "SqlSettings.ReplicaLagSettings",
  "ImageProxySettings.RemoteImageProxyOptions",
  "LogSettings.AdvancedLoggingJSON",
  "LogSettings.AdvancedLoggingConfig",
  "ExperimentalAuditSettings.AdvancedLoggingJSON",
  "ExperimentalAuditSettings.AdvancedLoggingConfig",
  "NotificationLogSettings.AdvancedLoggingJSON",
  "NotificationLogSettings.AdvancedLoggingConfig",
];

const SECRET_KEY_REGEXP =
  /(?:secret|password|passphrase|salt|token|credentials?|(?:api|access|private|encrypt|encryption|shared|split|developer|license)_?key)$/i;

/** Plugins choose the names of their keys, so this matches more. */
const PLUGIN_PATH_REGEXP = /^PluginSettings\.Plugins\./i;
const PLUGIN_KEY_REGEXP =
  /secret|passw|passphrase|salt|token|credential|key|dsn|datasource|webhook/i;

/**
 * Checks whether the value of a key must not be shown.
 *
 * @param path Section and key.
 * @param secrets The paths that secret settings are written to.
 * @returns Whether the value is secret.
 */
export function isSecretPath(
  path: string,
  secrets: Iterable<string> = [],
): boolean {
  const folded = foldKey(path);
  const key = path.slice(path.lastIndexOf(".") + 1);
  return [...SECRET_PATHS, ...secrets].some((secret) =>
    foldKey(secret) === folded
  ) ||
    SECRET_KEY_REGEXP.test(key) ||
    PLUGIN_PATH_REGEXP.test(path) && PLUGIN_KEY_REGEXP.test(key);
}

/**
 * Redacts a secret value.
 *
 * @param value The value.
 * @returns The same structure with {@linkcode HIDDEN} for each number and each string that is not
 *   empty. Other values stay, because `""`, `null` and `[]` show that nothing is set.
 */
export function redactValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(redactValue);
  if (isJsonObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redactValue(inner)]),
    );
  }
  return typeof value === "number" || typeof value === "string" && value !== ""
    ? HIDDEN
    : value;
}

/**
 * Redacts the secrets in the text of a config.json.
 *
 * @param text The text of config.json.
 * @param secrets The paths that secret settings are written to.
 * @returns The same text with only the secret values replaced.
 * @throws {JsonTextError} If the text is not a JSON object.
 */
export function redactText(text: string, secrets: Iterable<string>): string {
  const document = parseDocument(text);
  redactObject(document.root, { path: "", secrets: [...secrets] });
  return printDocument(document);
}

/**
 * Redacts the values of a change if they are secret.
 *
 * @param item The path, the values, and whether a secret setting is written to the path.
 * @returns The same item, with its values redacted if they are secret.
 */
export function redactChange<
  T extends {
    readonly path: string;
    readonly secret: boolean;
    readonly before?: Json;
    readonly after?: Json;
  },
>(item: T): T {
  if (!item.secret && !isSecretPath(item.path)) return item;
  return {
    ...item,
    ...(item.before === undefined ? {} : { before: redactValue(item.before) }),
    ...(item.after === undefined ? {} : { after: redactValue(item.after) }),
  };
}

function redactObject(
  object: ObjectNode,
  { path, secrets }: {
    readonly path: string;
    readonly secrets: readonly string[];
  },
): void {
  for (const member of object.members) {
    const inner = path === "" ? member.key : `${path}.${member.key}`;
    if (member.value.kind === "object" && !isSecretPath(inner, secrets)) {
      redactObject(member.value, { path: inner, secrets });
      continue;
    }
    const value = nodeValue(member.value);
    const shown = redactJson(value, { path: inner, secrets });
    if (JSON.stringify(value) !== JSON.stringify(shown)) {
      member.value = makeNode(shown);
    }
  }
}

function redactJson(
  value: Json,
  { path, secrets }: {
    readonly path: string;
    readonly secrets: readonly string[];
  },
): Json {
  if (isSecretPath(path, secrets)) return redactValue(value);
  if (Array.isArray(value)) {
    return value.map((each: Json) => redactJson(each, { path, secrets }));
  }
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      redactJson(inner, { path: `${path}.${key}`, secrets }),
    ]),
  );
}
