/**
 * The variables that give an empty installation the present configuration: those that are set now,
 * and one for each value that differs from the defaults of the release, such as an edit in the
 * System Console.
 *
 * A variable is taken only if a plan for an empty installation with it has the wanted values.
 *
 * @module
 */

import { isSecretPath, redact } from "../config/redact.ts";
import { hideCredentials, isSecretName } from "../hidden.ts";
import { foldKey, isJsonObject, type Json } from "../json.ts";
import { readsAnyCase } from "../mattermost/effective_value.ts";
import type {
  ServerSetting,
  ServerSettings,
} from "../mattermost/package_settings.ts";
import { requiredKeys } from "../mattermost/requirements.ts";
import { parseVariable } from "../mattermost/variable_value.ts";
import {
  isSettingName,
  rowOf,
  SETTING_NAMES,
  type SettingName,
} from "../settings/catalogue.ts";
import { fileVariable } from "../settings/describe.ts";
import { isLinkValue, isLinkVariable } from "../settings/links.ts";
import { isExplicit } from "../settings/origin.ts";
import type { System } from "../os/system.ts";
import { configStore } from "./config_store.ts";
import { dsnReaders } from "./dsn_readers.ts";
import { type Inexpressible, searchVariables } from "./export_search.ts";
import type { LoadedSettings } from "./load_settings.ts";
import type { Plan } from "./plan.ts";
import { knownSettings, variableFindings } from "./variable_findings.ts";

/** A variable for an empty installation. */
export interface ExportedVariable {
  /** Its name, without `_FILE`. */
  readonly name: string;
  /** Its value. */
  readonly text: string;
  /** Whether the value must not be shown, so that it must be in a file. */
  readonly isSecret: boolean;
  /** The file that has the value now, if a `_FILE` variable names it. */
  readonly path: string | undefined;
}

/** The present configuration as variables. */
export interface ExportedVariables {
  /** The variables: those of the catalogue in its order, then the server's own. */
  readonly variables: readonly ExportedVariable[];
  /** What they do not give. */
  readonly inexpressible: readonly Inexpressible[];
}

/** What the image sets. In another image, the values of this one would be wrong. */
const OF_IMAGE: readonly SettingName[] = [
  "MATTERMOST_VERSION",
  "MATTERMOST_EDITION",
];

/** Servers drop this section from their configuration: https://docs.mattermost.com/administration-guide/configure/environment-variables.html */
const FLAGS_SECTION = "FeatureFlags";

/**
 * Finds the variables for an empty installation of the same release.
 *
 * @param plan The plan of the next start; the defaults of the package must be known.
 * @param system The environment, which names the present files of the server's own variables, and the installed server.
 * @returns The variables, and the values that none can give.
 */
export function exportedVariables(
  plan: Plan,
  system: System,
): ExportedVariables {
  const carried = carriedVariables(plan);
  const known = knownSettings(plan).settings;
  const paths = settingPaths(plan, known);
  const readerOf = dsnReaders(plan, system);
  const noSession = (): never => {
    throw new Error("An empty store is not read");
  };
  const storeOf = (loaded: LoadedSettings): Plan["store"] =>
    configStore(loaded, system, noSession);
  const start = { carried, known, paths, readerOf, storeOf };
  const { texts, failed } = searchVariables(plan, start);
  const secrets = plan.wanted.filter(({ secret }) => secret)
    .map(({ path }) => path);
  const names = [
    ...SETTING_NAMES.filter((name) => texts.has(name)),
    ...[...texts.keys()].filter((name) => !isSettingName(name)).sort(),
  ];
  const variables = names.map((name): ExportedVariable => {
    const text = texts.get(name) ?? "";
    const path = fileOf(name, plan, system.env);
    return {
      name,
      text,
      isSecret: path !== undefined ||
        isSecretVariable(name, text, { known, secrets }),
      path,
    };
  });
  return {
    variables,
    inexpressible: [
      ...failed,
      ...unknownKeys(plan, paths).map((path) => ({
        path,
        reason:
          `the package of Mattermost ${plan.release.version} does not have this key, so that its default is not known`,
      })),
    ],
  };
}

/**
 * The variables that are set now, with the values of links and service names as variables. Those of
 * the server that it ignores are left out: they would prevent a first start.
 */
function carriedVariables(plan: Plan): Map<string, string> {
  const { settings, origins, serverVariables, release } = plan;
  const ignored = variableFindings(plan)
    .filter(({ level }) => level === "error").map(({ subject }) => subject);
  const acceptsEmpty = readsAnyCase(release.environmentOverrides);
  const own = SETTING_NAMES.filter((name) => {
    const origin = origins[name];
    // The server's own variable can give DB_ADAPTER.
    return isExplicit(origin) && !OF_IMAGE.includes(name) &&
      !(origin.kind === "variable" && origin.name !== name);
  }).map((name): [string, string] => [name, String(settings[name])]);
  const ofServer = Object.entries(serverVariables.values)
    .filter(([name, text]) =>
      !isLinkVariable(name) && !isLinkValue(name, text) &&
      name === name.toUpperCase() && (text !== "" || acceptsEmpty) &&
      !ignored.includes(serverVariables.givenBy[name] ?? name)
    );
  return new Map([...own, ...ofServer]);
}

/** The file that gives a variable now. */
function fileOf(
  name: string,
  { origins, serverVariables }: Plan,
  env: Readonly<Record<string, string>>,
): string | undefined {
  if (isSettingName(name)) {
    const origin = origins[name];
    return origin.kind === "file" ? origin.path : undefined;
  }
  const given = serverVariables.givenBy[name] ?? name;
  return given.toUpperCase() === fileVariable(name) ? env[given] : undefined;
}

function isSecretVariable(
  name: string,
  text: string,
  { known, secrets }: {
    readonly known: ServerSettings;
    readonly secrets: readonly string[];
  },
): boolean {
  if (hideCredentials(text) !== text) return true;
  if (isSettingName(name)) {
    const { secret = false, writes = [] } = rowOf(name);
    return secret || writes.some(({ path }) => isSecretPath(path, secrets));
  }
  const setting = known.get(name);
  if (setting === undefined) return isSecretName(name);
  const value = parseVariable(text, setting.type ?? "object") ?? text;
  return [text, value].some((each) =>
    JSON.stringify(redact(each, { path: setting.path, secrets })) !==
      JSON.stringify(each)
  );
}

/**
 * Lists the paths of single values: those that settings write first, because other defaults depend
 * on these settings.
 */
function settingPaths(
  { wanted, release }: Plan,
  known: ServerSettings,
): readonly string[] {
  const inPackage = [...known.values()];
  const maps = inPackage.filter(isMap).map(({ path }) => `${path}.`);
  const single = inPackage
    .filter(({ path, fallback }) =>
      path !== FLAGS_SECTION && !maps.some((map) => path.startsWith(map)) &&
      (!isJsonObject(fallback) || maps.includes(`${path}.`))
    )
    .map(({ path }) => path);
  const all = [
    ...wanted.map(({ path }) => path),
    ...requiredKeys(release.version).map(({ path }) => path),
    ...single,
  ];
  // The spelling that settings have comes first.
  const byKey = new Map(all.toReversed().map((path) => [foldKey(path), path]));
  return all.filter((path) => byKey.get(foldKey(path)) === path);
}

/** Whether administrators choose the keys of an object; those of the server begin with a capital. */
function isMap({ fallback, type }: ServerSetting): boolean {
  if (!isJsonObject(fallback)) return type === undefined;
  const keys = Object.keys(fallback);
  return keys.length === 0 || keys.some((key) => !/^[A-Z]/.test(key));
}

/** Lists the keys of config.json that the release does not have according to its package. */
function unknownKeys(
  { merged }: Plan,
  paths: readonly string[],
): readonly string[] {
  const folded = paths.map(foldKey);
  const single = new Set(folded);
  const parents = new Set(folded.flatMap((path) => {
    const keys = path.split(".");
    return keys.map((_, end) => keys.slice(0, end).join("."));
  }));
  const find = (value: Json, path: string): string[] =>
    value === null || single.has(foldKey(path)) ||
      foldKey(path) === foldKey(FLAGS_SECTION)
      ? []
      : isJsonObject(value) && parents.has(foldKey(path))
      ? Object.entries(value).flatMap(([key, inner]) =>
        find(inner, path === "" ? key : `${path}.${key}`)
      )
      : [path];
  return find(merged.document, "");
}
