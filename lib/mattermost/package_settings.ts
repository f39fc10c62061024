/**
 * The settings that a release has, according to the configuration in its package, and which
 * `MM_SECTION_KEY` variable sets each of them.
 *
 * @module
 */

import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { isLinkValue, isLinkVariable } from "../settings/links.ts";
import { closestName } from "../settings/spelling.ts";
import { variableOf } from "./effective_value.ts";
import { type ValueType, valueTypeOf } from "./variable_value.ts";

/** A setting of the server. */
export interface ServerSetting {
  /** Section and key, such as `ServiceSettings.SiteURL`; deeper ones have more parts. */
  readonly path: string;
  /** The type of its value; `undefined` if any text, and any name below it, may be right. */
  readonly type: ValueType | undefined;
  /** The value in the package; `undefined` if it is not known. */
  readonly fallback: Json | undefined;
}

/** The settings of a release, by the variable that sets them. */
export type ServerSettings = ReadonlyMap<string, ServerSetting>;

/** What a variable is. */
export type Recognition =
  /** It sets a setting. */
  | { readonly kind: "setting"; readonly setting: ServerSetting }
  /** It is no setting: another program or another part of the server reads it. */
  | { readonly kind: "other" }
  /** It looks like a setting that does not exist; the closest one is a likely spelling. */
  | { readonly kind: "unknown"; readonly closest: string | undefined };

/** Objects whose keys plugins or administrators choose. */
const FREE_REGEXP =
  /(?:^FeatureFlags|\.(?:Plugins|PluginStates|AdvancedLogging\w*))$/;

/** A key that every release has and that no setting of the entrypoint writes. A file with it comes from a server. */
const MARKER = ["ServiceSettings", "EnableTesting"] as const;

/**
 * Variables that look like settings to nobody but this program, and what they are. The server reads
 * the first ones besides its configuration; the last one stands in the compose file of the official
 * image, and newer releases no longer have it.
 */
export const NOT_SETTINGS: Readonly<Record<string, string>> = {
  MM_CONFIG: "the server's configuration: a file or a data source",
  MM_CUSTOM_DEFAULTS_PATH:
    "a file with values for settings that have not been set yet",
  MM_LICENSE: "the licence itself, not the path of a file",
  MM_LOG_PATH: "the directory that all log files of the server must be in",
  MM_SERVICEENVIRONMENT:
    "which keys and services of Mattermost the server uses, such as production",
  MM_INSTALL_TYPE: "how the server was installed, for its telemetry",
  MM_BLEVESETTINGS_INDEXDIR: "the directory of Bleve's search index",
};

/** The beginnings of such names. */
const OTHER_REGEXP = /^MM_(?:FEATUREFLAGS|CLOUD)_/;

/**
 * Lists the settings in the configuration of a package.
 *
 * @param document The configuration, with all keys of the release.
 * @returns The settings.
 */
export function settingsIn(document: JsonObject): ServerSettings {
  return new Map(
    listSettings(document, []).map((setting) => [
      variableOf(setting.path),
      setting,
    ]),
  );
}

function listSettings(
  object: JsonObject,
  parents: readonly string[],
): ServerSetting[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const keys = [...parents, key];
    const path = keys.join(".");
    if (FREE_REGEXP.test(path)) {
      return [{ path, type: undefined, fallback: undefined }];
    }
    // A section as a whole is no setting, but an object within one may be a map.
    const isSection = parents.length === 0 && isJsonObject(value);
    return [
      ...(isSection
        ? []
        : [{ path, type: valueTypeOf(value), fallback: value }]),
      ...(isJsonObject(value) ? listSettings(value, keys) : []),
    ];
  });
}

/**
 * Checks whether a configuration has all keys of a release, because a server wrote it.
 *
 * @param document The configuration.
 * @returns Whether a server wrote it.
 */
export function isWrittenByServer(document: JsonObject): boolean {
  const [section, key] = MARKER;
  const value = document[section];
  return isJsonObject(value) && key in value;
}

/**
 * Tells what a variable is.
 *
 * @param name The variable, in capitals.
 * @param text Its value, to recognize those of Docker links and Kubernetes services.
 * @param settings The settings of the release.
 * @returns What it is.
 */
export function recognizeVariable(
  [name, text]: readonly [name: string, text: string],
  settings: ServerSettings,
): Recognition {
  const setting = findSetting(name, settings);
  if (setting !== undefined) return { kind: "setting", setting };
  if (
    Object.hasOwn(NOT_SETTINGS, name) || OTHER_REGEXP.test(name) ||
    isLinkVariable(name) || isLinkValue(name, text)
  ) {
    return { kind: "other" };
  }
  const closest = closestSetting(name, settings);
  return closest !== undefined || SECTION_REGEXP.test(name)
    ? { kind: "unknown", closest }
    : { kind: "other" };
}

/** A name that begins as those of almost all settings do. */
const SECTION_REGEXP = /^MM_[A-Z0-9]+SETTINGS(?:_|$)/;

/** Finds the setting of a variable. Below a free one, every name is right. */
function findSetting(
  name: string,
  settings: ServerSettings,
): ServerSetting | undefined {
  const exact = settings.get(name);
  if (exact !== undefined) return exact;
  for (let end = name.lastIndexOf("_"); end > 0;) {
    const parent = settings.get(name.slice(0, end));
    if (parent?.type === undefined && parent !== undefined) return parent;
    end = name.lastIndexOf("_", end - 1);
  }
  return undefined;
}

/**
 * Finds the setting that a misspelt variable probably means.
 *
 * @param name The variable, in capitals.
 * @param settings The settings of the release.
 * @returns The variable of that setting; `undefined` if none is close.
 */
function closestSetting(
  name: string,
  settings: ServerSettings,
): string | undefined {
  const names = [...settings.keys()];
  const [section, key] = split(name);
  const squeezed = name.replaceAll("_", "");
  // A part too many or too few: MM_SERVICE_SETTINGS_SITE_URL, MM_SQL_DATASOURCE.
  const regrouped = [
    names.find((each) => each.replaceAll("_", "") === squeezed),
    `MM_${section}SETTINGS_${key}`,
  ].find((each) => each !== undefined && settings.has(each));
  if (regrouped !== undefined || key === "") return regrouped;
  const sections = new Map<string, string[]>();
  for (const each of names) {
    const [its, rest] = split(each);
    sections.set(its, [...sections.get(its) ?? [], rest]);
  }
  const nearest = sections.has(section)
    ? section
    : closestName(section, [...sections.keys()]);
  // All names are right in a section such as FeatureFlags.
  if (settings.has(`MM_${nearest}`)) return `MM_${nearest}_${key}`;
  const keys = nearest === undefined ? [] : sections.get(nearest) ?? [];
  const nearestKey = keys.includes(key) ? key : closestName(key, keys);
  if (nearestKey !== undefined) return `MM_${nearest}_${nearestKey}`;
  // The right key in the wrong section.
  const elsewhere = names.filter((each) => split(each)[1] === key);
  return elsewhere.length === 1 && SECTION_REGEXP.test(name)
    ? elsewhere[0]
    : undefined;
}

/** The section of a variable, and all that follows. */
function split(name: string): readonly [section: string, key: string] {
  const [, section = "", key = ""] = /^MM_([^_]*)_?(.*)$/.exec(name) ?? [];
  return [section, key];
}
