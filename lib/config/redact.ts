/**
 * Replaces the secrets in config.json and in its values before they are shown.
 *
 * @module
 */

import { HIDDEN, hideCredentials, isSecretName } from "../hidden.ts";
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
  "ServiceSettings.ImageProxyOptions",
  "LogSettings.AdvancedLoggingJSON",
  "LogSettings.AdvancedLoggingConfig",
  "ExperimentalAuditSettings.AdvancedLoggingJSON",
  "ExperimentalAuditSettings.AdvancedLoggingConfig",
  "NotificationLogSettings.AdvancedLoggingJSON",
  "NotificationLogSettings.AdvancedLoggingConfig",
];

const SECRET_KEY_REGEXP =
  /(?:secret|password|passphrase|salt|token|credentials?|(?:api|access|account|private|encrypt|encryption|shared|split|developer|license|sdk)_?key)$/i;

/** The plugins, each under its id, which is not the name of a key. */
const PLUGINS_PATH = "PluginSettings.Plugins";

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
    folded.startsWith(`${foldKey(PLUGINS_PATH)}.`) &&
      isSecretName(key);
}

/** Hides each number and each string that is not empty. Other values stay: they show that nothing is set. */
function redactValue(value: Json): Json {
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
 * Redacts the values of a change.
 *
 * @param item The path, the values, and whether a secret setting is written to the path.
 * @returns The same item, without secrets and credentials in its values.
 */
export function redactChange<
  T extends {
    readonly path: string;
    readonly secret: boolean;
    readonly before?: Json;
    readonly after?: Json;
  },
>(item: T): T {
  const { path, secret, before, after } = item;
  const place = { path, secrets: secret ? [path] : [] };
  return {
    ...item,
    ...(before === undefined ? {} : { before: redact(before, place) }),
    ...(after === undefined ? {} : { after: redact(after, place) }),
  };
}

/** Where a value stands. */
export interface Place {
  /** Section and key. */
  readonly path: string;
  /** The paths that secret settings are written to; none by default. */
  readonly secrets?: readonly string[];
}

/**
 * Redacts the value of a key before it is shown.
 *
 * @param value The value.
 * @param place Where it stands.
 * @returns The same structure with {@linkcode HIDDEN} for each number and each string that is secret
 *   and not empty. In all other strings only credentials are hidden.
 */
export function redact(value: Json, { path, secrets = [] }: Place): Json {
  if (isSecretPath(path, secrets)) return redactValue(value);
  if (typeof value === "string") {
    // A variable holds all plugins as one JSON text.
    return isPlugins(path) ? redactValue(value) : hideCredentials(value);
  }
  if (Array.isArray(value)) {
    return value.map((each: Json) => redact(each, { path, secrets }));
  }
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      redact(inner, { path: path === "" ? key : `${path}.${key}`, secrets }),
    ]),
  );
}

function isPlugins(path: string): boolean {
  return foldKey(path) === foldKey(PLUGINS_PATH);
}

function redactObject(
  object: ObjectNode,
  { path, secrets }: Required<Place>,
): void {
  for (const member of object.members) {
    const inner = path === "" ? member.key : `${path}.${member.key}`;
    const isOpen = isPlugins(path) || !isSecretPath(inner, secrets);
    if (member.value.kind === "object" && isOpen) {
      redactObject(member.value, { path: inner, secrets });
      continue;
    }
    const value = nodeValue(member.value);
    const shown = redact(value, { path: inner, secrets });
    if (JSON.stringify(value) !== JSON.stringify(shown)) {
      member.value = makeNode(shown);
    }
  }
}
