/**
 * Findings about the server's own variables: `MM_SECTION_KEY` names that are no settings of the
 * release, values that the server ignores, and variables that override one of the entrypoint. The
 * server itself reports none of these.
 *
 * @module
 */

import type { Assignment } from "../config/assignment.ts";
import type { ConfigState } from "../config/file.ts";
import { isSecretPath } from "../config/redact.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { HIDDEN, showWrongValue } from "../hidden.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { readsAnyCase, variableOf } from "../mattermost/effective_value.ts";
import {
  isWrittenByServer,
  recognizeVariable,
  type ServerSetting,
  type ServerSettings,
  settingsIn,
} from "../mattermost/package_settings.ts";
import type { Release } from "../mattermost/releases.ts";
import {
  parseVariable,
  type ValueType,
  valueTypeOf,
} from "../mattermost/variable_value.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { isSettingName } from "../settings/catalogue.ts";
import type { Origin } from "../settings/origin.ts";
import {
  DATA_SOURCE_VARIABLE,
  DRIVER_VARIABLE,
} from "./configured_database.ts";
import type { LoadedSettings } from "./load_settings.ts";

/** A finding about a variable. An error is about a value that the server ignores. */
export interface VariableFinding extends Problem {
  /** How serious it is. */
  readonly level: "error" | "warning";
}

/** What the findings depend on. */
export interface VariableSources
  extends Pick<LoadedSettings, "serverVariables" | "release" | "origins"> {
  /** The text of the configuration in the server's package; `{}` if there is none. */
  readonly shipped: string;
  /** The config.json on disk. */
  readonly state: Pick<ConfigState, "text" | "stored">;
  /** The values that follow from the settings. */
  readonly wanted: readonly Assignment[];
}

/** The settings of the installed release. */
export interface KnownSettings {
  /** The settings. */
  readonly settings: ServerSettings;
  /** Whether these are all of the release's; if not, a name that is missing may be right. */
  readonly isComplete: boolean;
}

/**
 * Lists the settings of the installed release: those in the configuration of its package, or else
 * in the config.json that the server wrote. Packages lack a few keys, so those that the entrypoint
 * writes are added.
 *
 * @param sources The two texts, and the values that follow from the settings.
 * @returns The settings.
 */
export function knownSettings(
  { shipped, state, wanted }: Pick<VariableSources, "shipped" | "wanted"> & {
    readonly state: Pick<ConfigState, "text">;
  },
): KnownSettings {
  const inPackage = parse(shipped);
  const onDisk = parse(state.text ?? "{}");
  const isInPackage = Object.keys(inPackage).length > 0;
  const isComplete = isInPackage || isWrittenByServer(onDisk);
  const complete = isInPackage ? inPackage : isComplete ? onDisk : {};
  const settings = new Map(settingsIn(complete));
  for (const { path, value } of wanted) {
    const name = variableOf(path);
    if (settings.has(name) || value === undefined) continue;
    settings.set(name, {
      path,
      type: valueTypeOf(value),
      fallback: undefined,
    });
  }
  return { settings, isComplete };
}

/**
 * Finds out what is wrong with the server's own variables. Without any, nothing is parsed.
 *
 * @param sources The variables, the release, and what is known about its settings.
 * @returns The findings, in the order of the variables.
 */
export function variableFindings(sources: VariableSources): VariableFinding[] {
  const variables = Object.entries(sources.serverVariables.values);
  if (variables.length === 0) return [];
  const known = knownSettings(sources);
  return variables.flatMap((variable) => judge(variable, { sources, known }));
}

/**
 * Checks the server's own variables for a start. A value that the server ignores prevents the first
 * start of an installation. Later it is a warning, because a restart must not fail for it.
 *
 * @param sources The variables, the release, and what is known about its settings.
 * @returns The warnings.
 * @throws {EntrypointError} With code 78 at a first start.
 */
export function requireVariables(sources: VariableSources): Problem[] {
  const findings = variableFindings(sources);
  const errors = findings.filter(({ level }) => level === "error");
  if (errors.length > 0 && sources.state.stored === undefined) {
    const { version } = sources.release;
    throw new EntrypointError(
      `Mattermost ${version} would ignore the value of ${
        errors.length === 1 ? "a variable" : `${errors.length} variables`
      }`,
      { code: ExitCode.settings, problems: findings },
    );
  }
  return findings;
}

/** A variable that sets a setting. */
interface SetVariable {
  /** The variable as the operator spelled it. */
  readonly variable: string;
  readonly text: string;
  readonly setting: ServerSetting;
  /** What the entrypoint writes to the same key, if it does. */
  readonly assignment: Assignment | undefined;
}

function judge(
  [name, text]: readonly [string, string],
  { sources, known }: {
    readonly sources: VariableSources;
    readonly known: KnownSettings;
  },
): VariableFinding[] {
  const { release, serverVariables, wanted } = sources;
  const variable = serverVariables.givenBy[name] ?? name;
  const found = recognizeVariable([name, text], known.settings);
  const warn = (problem: Omit<Problem, "subject">): VariableFinding[] => [
    { level: "warning", subject: variable, ...problem },
  ];
  if (found.kind === "other") return [];
  if (found.kind === "unknown") {
    const { closest } = found;
    return known.isComplete
      ? warn(unknown(variable, { closest, release }))
      : [];
  }
  const assignment = wanted.find(({ path }) => variableOf(path) === name);
  const set = { variable, text, setting: found.setting, assignment };
  if (release.environmentOverrides === "none") {
    // The entrypoint itself uses these two.
    return [DATA_SOURCE_VARIABLE, DRIVER_VARIABLE].includes(name)
      ? []
      : warn(notRead(set, release));
  }
  const problem = ignored(set, release);
  if (problem !== undefined) {
    return [{ level: "error", subject: variable, ...problem }];
  }
  const overridden = overriddenVariables(set, sources);
  return overridden.length === 0 ? [] : warn(overriding(variable, overridden));
}

function unknown(
  variable: string,
  { closest, release: { version } }: {
    readonly closest: string | undefined;
    readonly release: Release;
  },
): Omit<Problem, "subject"> {
  const suffix = FILE_REGEXP.exec(variable)?.[0] ?? "";
  return {
    message:
      `${variable} is not a setting of Mattermost ${version}, which ignores it`,
    remedy: closest === undefined
      ? "Remove it, or look up its name: https://docs.mattermost.com/configure/environment-variables.html"
      : `Did you mean ${closest}${suffix}?`,
  };
}

function notRead(
  { variable, setting, assignment }: SetVariable,
  { version }: Release,
): Omit<Problem, "subject"> {
  const [own] = assignment?.variables ?? [];
  return {
    message:
      `${variable} has no effect, because Mattermost ${version} reads no MM_ variables`,
    remedy: own === undefined
      ? `Set ${setting.path} in config.json`
      : `Use ${own} instead`,
  };
}

/** What the value of a key must be, by its type. */
export const EXPECTED: Readonly<Record<ValueType, string>> = {
  text: "a text",
  flag: "true or false",
  integer: "a whole number",
  number: "a number",
  list: "words that are separated by spaces",
  object: "a JSON object",
};

/**
 * The problem of a value that the server cannot parse. Releases before 5.30 refuse it themselves,
 * and an empty value counts as not set, or as an empty text.
 */
function ignored(
  { variable, text, setting, assignment }: SetVariable,
  { version, environmentOverrides }: Release,
): Omit<Problem, "subject"> | undefined {
  const { path, type, fallback } = setting;
  if (
    type === undefined || text === "" || !readsAnyCase(environmentOverrides)
  ) {
    return undefined;
  }
  const isList = isJsonList(text, type);
  if (!isList && parseVariable(text, type) !== undefined) return undefined;
  const isFile = FILE_REGEXP.test(variable);
  const isShown = ["flag", "integer", "number"].includes(type) && !isFile &&
    !isSecretPath(path) && assignment?.secret !== true;
  const example = EXAMPLES[type] ??
    (typeof fallback === "number" ? String(fallback) : undefined);
  return {
    message: `${variable} must be ${EXPECTED[type]}: it is ${
      isShown ? showWrongValue(text) : HIDDEN
    }, and Mattermost ${version} ${
      isList
        ? "takes a JSON array as one word"
        : "ignores such a value without a message"
    }`,
    remedy: example === undefined || isFile
      ? `Change the value of ${variable}, or remove it`
      : `${variable}=${example}`,
  };
}

/** The end of a variable that names a file. */
const FILE_REGEXP = /_FILE$/i;

/** Values to paste; those of numbers are the defaults. */
const EXAMPLES: Readonly<Partial<Record<ValueType, string>>> = {
  flag: "true   # or false",
  list: '"first second"',
};

/** Whether a list is written as a JSON array of texts, which the server splits at its spaces. */
function isJsonList(text: string, type: ValueType): boolean {
  if (type !== "list" || !text.trimStart().startsWith("[")) return false;
  try {
    const value: Json = JSON.parse(text);
    return Array.isArray(value) &&
      value.every((each: Json) => typeof each === "string");
  } catch {
    return false;
  }
}

function overriding(
  variable: string,
  overridden: readonly string[],
): Omit<Problem, "subject"> {
  const names = overridden.join(", ");
  return {
    message:
      `${variable} overrides ${names}: the server uses the value of ${variable}`,
    remedy: `Remove ${variable}, or remove ${names}`,
  };
}

/** The variables that the operator set and that have no effect, because the server's own has another value. */
function overriddenVariables(
  { text, setting: { type = "text" }, assignment }: SetVariable,
  { origins, release }: VariableSources,
): readonly string[] {
  const isEmptyText = type === "text" &&
    readsAnyCase(release.environmentOverrides);
  if (assignment === undefined || text === "" && !isEmptyText) return [];
  const { path, value, variables } = assignment;
  // What is written there is already the value of the server's own variable.
  const isDataSource = variableOf(path) === DATA_SOURCE_VARIABLE;
  const isSame = !isDataSource &&
    JSON.stringify(value) === JSON.stringify(parseVariable(text, type));
  if (isSame) return [];
  return (isDataSource ? variables : variables.slice(0, 1))
    .filter(isSettingName)
    .flatMap((name) => givenBy(name, origins[name]));
}

/** The variable that gives a setting; none for a default, a link or the server's own variable. */
function givenBy(name: SettingName, origin: Origin): readonly string[] {
  return (origin.kind === "variable" || origin.kind === "file") &&
      origin.name.startsWith(name)
    ? [origin.name]
    : [];
}

function parse(text: string): JsonObject {
  const document: Json = JSON.parse(text);
  return isJsonObject(document) ? document : {};
}
