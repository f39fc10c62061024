/**
 * The server's own variable for its configuration: a data source, or the path of a file. Here it
 * counts like the settings for the same things, so that nothing that is stored is passed over.
 *
 * @module
 */

import { basename, dirname, isAbsolute } from "node:path";
import { ExitCode, type Problem } from "../errors.ts";
import type { Adapter } from "./adapter.ts";
import type { SettingName } from "./catalogue.ts";
import type { Value } from "./kinds.ts";
import type { SettingProblem } from "./setting_problem.ts";
import type { ValueFiles } from "./value_file.ts";
import { readValueFile } from "./value_file.ts";

/** The server reads it from 5.10 on: https://docs.mattermost.com/administration-guide/configure/configuration-in-your-database.html */
export const CONFIG_VARIABLE = "MM_CONFIG";

/** The variable for a file with the value of {@linkcode CONFIG_VARIABLE}. */
export const CONFIG_FILE_VARIABLE = `${CONFIG_VARIABLE}_FILE`;

/** The server's own variable for a file with the values of a new configuration: https://docs.mattermost.com/administration-guide/configure/custom-defaults.html */
export const DEFAULTS_VARIABLE = "MM_CUSTOM_DEFAULTS_PATH";

/** The releases that read {@linkcode DEFAULTS_VARIABLE}. */
export const WITH_DEFAULTS = ">=5.30.0";

const DATA_SOURCE_REGEXP = /^(mysql|postgres(?:ql)?):\/\//;

/**
 * Finds the product of the database that `MM_CONFIG` names.
 *
 * @param text The value of the variable.
 * @returns The product; `undefined` if it is the path of a file.
 */
export function productOfConfig(text: string): Adapter | undefined {
  const [, scheme] = DATA_SOURCE_REGEXP.exec(text) ?? [];
  return scheme === undefined
    ? undefined
    : scheme === "mysql"
    ? "mysql"
    : "postgres";
}

/** What `MM_CONFIG` says about the settings. */
export interface ConfigVariable {
  /** The variable that gives it: `MM_CONFIG` or `MM_CONFIG_FILE`, in any letter case. */
  readonly variable: string;
  /** The settings that it counts like. */
  readonly implied: Readonly<Partial<Record<SettingName, string>>>;
  /** What contradicts it. */
  readonly problems: readonly SettingProblem[];
}

/**
 * Reads `MM_CONFIG`: a data source counts like `MATTERMOST_CONFIG_STORE=database` and `DB_ADAPTER`,
 * the path of a file like `MATTERMOST_CONF_DIR`.
 *
 * @param sources The environment and its files.
 * @param values The settings that variables and files give.
 * @returns What follows from it.
 */
export function readConfigVariable(
  sources: ConfigSources,
  values: ReadonlyMap<SettingName, Value>,
): ConfigVariable {
  const { variable, text } = readVariable(sources);
  const implied = impliedBy(text);
  const store = values.get("MATTERMOST_CONFIG_STORE");
  const directory = values.get("MATTERMOST_CONF_DIR");
  const own = implied.MATTERMOST_CONFIG_STORE ?? "file";
  const found: (Omit<Problem, "subject"> & { readonly applies: boolean })[] = [
    {
      applies: store === "file" && own === "database",
      message:
        `${variable} is a data source, so the configuration is in the database, but MATTERMOST_CONFIG_STORE is file`,
      remedy: `Remove ${variable} or MATTERMOST_CONFIG_STORE`,
    },
    {
      applies: store === "database" && own === "file",
      message:
        `${variable} is not a data source, but MATTERMOST_CONFIG_STORE is database`,
      remedy:
        `Remove ${variable}: the data source of DB_HOST, DB_NAME, DB_USER and DB_PASS is used`,
    },
    {
      applies: Object.keys(implied).length === 0,
      message:
        `${variable} must be a data source, or the absolute path of a file named config.json`,
      remedy:
        `${CONFIG_VARIABLE}=/opt/mattermost/data/config/config.json   # or remove it, and set MATTERMOST_CONF_DIR`,
    },
    {
      applies: own === "file" && directory !== undefined &&
        directory !== implied.MATTERMOST_CONF_DIR,
      message:
        `${variable} names a file in another directory than MATTERMOST_CONF_DIR`,
      remedy: `Remove ${variable} or MATTERMOST_CONF_DIR`,
    },
  ];
  const first = text === "" ? undefined : found.find(({ applies }) => applies);
  if (first === undefined) return { variable, implied, problems: [] };
  const { message, remedy = "" } = first;
  const code = ExitCode.settings;
  return {
    variable,
    implied: {},
    problems: [{ subject: variable, message, remedy, code }],
  };
}

function impliedBy(text: string): ConfigVariable["implied"] {
  const product = productOfConfig(text);
  if (product !== undefined) {
    return { MATTERMOST_CONFIG_STORE: "database", DB_ADAPTER: product };
  }
  return isAbsolute(text) && basename(text) === "config.json"
    ? { MATTERMOST_CONF_DIR: dirname(text) }
    : {};
}

/** The environment, and a way to read files. */
export interface ConfigSources extends ValueFiles {
  /** The environment. */
  readonly env: Readonly<Record<string, string>>;
}

interface Found {
  readonly variable: string;
  readonly text: string;
}

/** Any letter case counts, for every release: the variable is passed on in capitals. */
function readVariable(
  sources: ConfigSources,
): Found {
  const { env } = sources;
  const find = (name: string): Found => {
    const variable = name in env
      ? name
      : Object.keys(env).find((each) => each.toUpperCase() === name) ?? name;
    return { variable, text: env[variable] ?? "" };
  };
  const value = find(CONFIG_VARIABLE);
  const path = find(CONFIG_FILE_VARIABLE);
  if (value.text !== "" || path.text === "") return value;
  // readServerVariables() reports what is wrong with the file.
  const unreported: SettingProblem[] = [];
  const text = readValueFile(
    { name: path.variable, path: path.text, isSecret: true, isNeeded: false },
    sources,
    { problems: unreported, warnings: [] },
  );
  return { variable: path.variable, text };
}
