/**
 * Resolves an environment to settings: all values with their origins, and all problems at once.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { ExitCode } from "../errors.ts";
import { HIDDEN, showWrongValue } from "../hidden.ts";
import type { Adapter } from "./adapter.ts";
import type { SettingName, Settings } from "./catalogue.ts";
import { isSettingName, rowOf, SETTING_NAMES } from "./catalogue.ts";
import type { Value } from "./kinds.ts";
import { readConfigVariable } from "./config_variable.ts";
import type { Link, LinkedSetting } from "./links.ts";
import { findLinks, isLinkValue, SERVICE_NAMES } from "./links.ts";
import type { Origin } from "./origin.ts";
import { oddityOf } from "./odd_values.ts";
import { isExplicit } from "./origin.ts";
import { isDefaultRule } from "./setting.ts";
import type { SettingProblem } from "./setting_problem.ts";
import { didYouMean } from "./spelling.ts";
import type { Findings, ValueFiles } from "./value_file.ts";
import { readValueFile } from "./value_file.ts";

/** The inputs of the resolution. */
export interface Sources extends ValueFiles {
  /** The environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The names in {@linkcode SERVICE_NAMES} that resolve, in that order; none by default. */
  readonly services?: readonly string[];
  /** The product to assume if nothing determines it; MySQL by default. */
  readonly adapter?: Adapter;
  /** The installed release, on which some defaults depend. */
  readonly release?: string;
}

/** The settings, their origins and their problems. */
export interface Resolution {
  /** The values. */
  readonly settings: Settings;
  /** The origin of each value. */
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** The problems that prevent the start; a setting that has one holds its default. */
  readonly problems: readonly SettingProblem[];
  /** Files with an odd content. */
  readonly warnings: readonly Problem[];
}

/** The text that a setting is given, and its origin. */
export interface GivenText {
  /** The text before parsing. */
  readonly text: string;
  /** The variable, file, link or service name that gives it. */
  readonly origin: Origin;
}

/** The settings that variables and files give. They do not depend on links, service names or defaults. */
export interface GivenSettings {
  /** The texts, by setting. */
  readonly given: ReadonlyMap<SettingName, GivenText>;
  /** The parsed values of the valid texts. */
  readonly values: ReadonlyMap<SettingName, Value>;
  /** The problems of the other texts, and of files that cannot be read. */
  readonly problems: readonly SettingProblem[];
  /** Files with an odd content. */
  readonly warnings: readonly Problem[];
}

/**
 * Reads the settings that variables and files give.
 *
 * @param sources The environment and its files.
 * @returns The texts, their values and their problems.
 */
export function readSettings(
  sources: Omit<Sources, "services" | "adapter">,
): GivenSettings {
  const problems: SettingProblem[] = [];
  const warnings: Problem[] = [];
  const given = readGiven(sources, { problems, warnings });
  const values = new Map<SettingName, Value>();
  for (const [name, entry] of given) {
    const value = parseGiven(name, entry, problems);
    if (value !== undefined) values.set(name, value);
  }
  const { variable, implied, ...rest } = readConfigVariable(sources, values);
  problems.push(...rest.problems);
  for (const [key, text] of Object.entries(implied)) {
    const name = key as SettingName;
    if (given.has(name)) continue;
    given.set(name, { text, origin: { kind: "variable", name: variable } });
    values.set(name, text);
  }
  return { given, values, problems, warnings };
}

/**
 * Adds the product that the server's own variable names: it counts like `DB_ADAPTER`.
 *
 * @param reading The settings that variables and files give; `DB_ADAPTER` takes precedence.
 * @param driver The product, and the server's own variable.
 * @returns The settings with `DB_ADAPTER`.
 */
export function withAdapter(
  reading: GivenSettings,
  { adapter, name }: { readonly adapter: Adapter; readonly name: string },
): GivenSettings {
  if (reading.given.has("DB_ADAPTER")) return reading;
  const entry = { text: adapter, origin: { kind: "variable", name } } as const;
  return {
    ...reading,
    given: new Map(reading.given).set("DB_ADAPTER", entry),
    values: new Map(reading.values).set("DB_ADAPTER", adapter),
  };
}

function parseGiven(
  name: SettingName,
  { text, origin }: GivenText,
  problems: SettingProblem[],
): Value | undefined {
  const value = rowOf(name).kind.parse(text);
  if (value === undefined) problems.push(wrongValue(name, text, origin));
  return value;
}

/**
 * Resolves all settings. A variable or file takes precedence over a link or service name, and those
 * over the default.
 *
 * @param sources The environment, its files, and the service names that resolve.
 * @param reading The result of {@linkcode readSettings}, if the caller has it already.
 * @returns The settings with their origins, and all problems.
 */
export function resolve(
  sources: Sources,
  reading: GivenSettings = readSettings(sources),
): Resolution {
  const { given } = reading;
  const problems = [...reading.problems];
  const values = new Map<string, Value | undefined>(reading.values);
  const origins = new Map<string, Origin>();
  for (const name of reading.values.keys()) {
    const entry = given.get(name);
    if (entry !== undefined) origins.set(name, entry.origin);
  }
  for (const [name, entry] of chooseLink(given, values, sources)) {
    if (given.has(name)) continue;
    const value = parseGiven(name, entry, problems);
    if (value === undefined) continue;
    values.set(name, value);
    origins.set(name, entry.origin);
  }

  const pending = new Set<string>();
  function lookUp(name: string): Value | undefined {
    if (values.has(name) || !isSettingName(name)) return values.get(name);
    if (pending.has(name)) {
      throw new Error(`The default of ${name} depends on itself`);
    }
    pending.add(name);
    const { fallback } = rowOf(name);
    const value = isDefaultRule(fallback)
      ? fallback.compute({ value: lookUp, isSet, release: sources.release })
      : fallback;
    values.set(name, value);
    origins.set(name, { kind: "default" });
    return value;
  }
  function isSet(name: string): boolean {
    lookUp(name);
    const origin = origins.get(name);
    return origin !== undefined && isExplicit(origin);
  }
  if (!values.has("DB_ADAPTER")) {
    values.set("DB_ADAPTER", sources.adapter ?? "mysql");
    origins.set("DB_ADAPTER", { kind: "default" });
  }
  SETTING_NAMES.forEach(lookUp);
  return {
    settings: Object.freeze(Object.fromEntries(values)) as Settings,
    origins: Object.freeze(Object.fromEntries(origins)) as Record<
      SettingName,
      Origin
    >,
    problems,
    warnings: reading.warnings,
  };
}

function readGiven(
  sources: Omit<Sources, "services" | "adapter">,
  findings: Findings,
): Map<SettingName, GivenText> {
  const given = new Map<SettingName, GivenText>();
  // Looking up absent names in a set is much faster than in the object.
  const names = new Set(Object.keys(sources.env));
  for (const name of SETTING_NAMES) {
    const fileVariable = `${name}_FILE`;
    if (!names.has(name) && !names.has(fileVariable)) continue;
    const value = sources.env[name] ?? "";
    const path = sources.env[fileVariable] ?? "";
    const text = isLinkValue(name, value) ? "" : value;
    if (text !== "" && path !== "") {
      findings.problems.push(bothSet(name, fileVariable));
    } else if (text !== "") {
      given.set(name, { text, origin: { kind: "variable", name } });
    } else if (path !== "") {
      const { kind, secret = false, generated = false } = rowOf(name);
      const content = readValueFile(
        {
          name: fileVariable,
          path,
          isSecret: secret,
          // Without it a start would generate another secret, or log in without a password.
          isNeeded: generated || name === "DB_PASS",
          isTrimmed: (text) => kind.parse(text) === kind.parse(text.trim()),
        },
        sources,
        findings,
      );
      if (content !== "") {
        given.set(name, {
          text: content,
          origin: { kind: "file", name: fileVariable, path },
        });
      }
    }
  }
  return given;
}

/**
 * Describes a variable that is set together with its `_FILE` variable.
 *
 * @param name The variable.
 * @param fileVariable Its `_FILE` variable.
 * @returns The problem.
 */
export function bothSet(name: string, fileVariable: string): SettingProblem {
  return {
    subject: name,
    message:
      `${name} and ${fileVariable} are both set, but only one of them may be`,
    remedy: `Remove ${name} or ${fileVariable}`,
    code: ExitCode.settings,
  };
}

function wrongValue(
  name: SettingName,
  text: string,
  origin: Origin,
): SettingProblem {
  const { kind, secret, example } = rowOf(name);
  const shown = secret === true || origin.kind === "file"
    ? HIDDEN
    : showWrongValue(text);
  const bytes = secret === true
    ? `, which has ${new TextEncoder().encode(text).length} bytes`
    : "";
  const variable = origin.kind === "file" || origin.kind === "link"
    ? origin.name
    : name;
  const odd = oddityOf(text);
  const remedy = odd?.remedy ?? didYouMean(text, kind.choices ?? []) ??
    (example === undefined ? undefined : `For example ${name}=${example}`) ??
    (secret === true
      ? "mattermost-entrypoint app:secrets   # prints new values"
      : undefined);
  return {
    subject: variable,
    message: `${variable} must be ${kind.allowed}: it is ${shown}${bytes}${
      odd === undefined ? "" : `; it ${odd.fault}`
    }`,
    remedy: remedy ?? `Correct ${variable}, or remove it to use the default`,
    code: ExitCode.settings,
  };
}

/**
 * Returns the values of one linked or named database. It must match `DB_HOST` and `DB_ADAPTER` if
 * they are set; the assumed product is preferred.
 */
function chooseLink(
  given: ReadonlyMap<SettingName, GivenText>,
  values: ReadonlyMap<string, Value | undefined>,
  { env, services = [], adapter: assumed = "mysql" }: Sources,
): [SettingName, GivenText][] {
  const host = given.get("DB_HOST")?.text;
  const adapterGiven = values.get("DB_ADAPTER");
  const matches = (adapter: Adapter | undefined): boolean =>
    adapterGiven === undefined || adapter === undefined ||
    adapter === adapterGiven;
  const link = findLinks(env)
    .filter(({ adapter }) => matches(adapter))
    .filter(({ alias, values }) =>
      host === undefined || host === alias || host === values.DB_HOST?.text
    )
    .sort((a, b) =>
      Number(b.adapter === assumed) - Number(a.adapter === assumed)
    )[0];
  if (link !== undefined) return linkedValues(link);
  if (host !== undefined) {
    return adapterGiven === undefined ? namedProduct(host) : [];
  }
  const service = services.filter((name) => matches(SERVICE_NAMES[name]))
    .sort((a, b) =>
      Number(SERVICE_NAMES[b] === assumed) -
      Number(SERVICE_NAMES[a] === assumed)
    )[0];
  if (service === undefined) return [];
  const origin: Origin = { kind: "service", host: service };
  const adapter = SERVICE_NAMES[service];
  return [
    ["DB_HOST", { text: service, origin }],
    ...(adapter === undefined ? [] : [
      ["DB_ADAPTER", { text: adapter, origin }] as [SettingName, GivenText],
    ]),
  ];
}

/** Infers the product from a host name such as `postgres`, as from a service name that resolves. */
function namedProduct(host: string): [SettingName, GivenText][] {
  const adapter = Object.hasOwn(SERVICE_NAMES, host)
    ? SERVICE_NAMES[host]
    : undefined;
  const origin: Origin = { kind: "service", host };
  return adapter === undefined
    ? []
    : [["DB_ADAPTER", { text: adapter, origin }]];
}

function linkedValues(link: Link): [SettingName, GivenText][] {
  const entries = Object.entries(link.values) as [
    LinkedSetting,
    { text: string; variable: string },
  ][];
  const values = entries.map(([name, { text, variable }]): [
    SettingName,
    GivenText,
  ] => [name, { text, origin: { kind: "link", name: variable } }]);
  const [first] = entries;
  if (link.adapter === undefined || first === undefined) return values;
  const origin: Origin = { kind: "link", name: first[1].variable };
  return [["DB_ADAPTER", { text: link.adapter, origin }], ...values];
}
