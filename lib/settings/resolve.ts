/**
 * From an environment to settings: every value with its origin, every problem at once.
 *
 * @module
 */

import type { ExitCode as Code, Problem } from "../errors.ts";
import { errorCode, ExitCode } from "../errors.ts";
import { HIDDEN } from "../hidden.ts";
import type { Adapter } from "./adapter.ts";
import type { SettingName, Settings } from "./catalogue.ts";
import { CATALOGUE, isSettingName, rowOf, SETTING_NAMES } from "./catalogue.ts";
import type { Value } from "./kinds.ts";
import type { Link, LinkedName } from "./links.ts";
import { findLinks, isLinkValue, SERVICE_NAMES } from "./links.ts";
import type { Origin } from "./origin.ts";
import { isExplicit } from "./origin.ts";
import { isRule } from "./setting.ts";
import { didYouMean } from "./spelling.ts";

/** A finding that stops the start, with the exit code of its cause. */
export type SettingProblem = Problem & { readonly code: Code };

/** What the settings are resolved from. */
export interface Sources {
  /** The environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file as text; throws errors with the system's `code`. */
  readonly readText: (path: string) => string;
  /** Those of {@linkcode SERVICE_NAMES} that resolve, in that order; none by default. */
  readonly services?: readonly string[];
  /** The product to assume when nothing tells; MySQL by default. */
  readonly adapter?: Adapter;
}

/** The settings, and all that is to be said about them. */
export interface Resolution {
  /** The values. */
  readonly settings: Settings;
  /** Where each value comes from. */
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** What stops the start; the settings named there hold their default. */
  readonly problems: readonly SettingProblem[];
  /** Variables that held a secret which is now in the settings, to be kept from the server. */
  readonly consumed: readonly string[];
}

/** A text that was given for a setting, and by what. */
export interface Given {
  /** As it stands there. */
  readonly text: string;
  /** The variable, file, link or service name. */
  readonly origin: Origin;
}

/** What the operator says in so many words, which nothing that is found out later changes. */
export interface Reading {
  /** The texts. */
  readonly given: ReadonlyMap<SettingName, Given>;
  /** What they mean, where they mean something. */
  readonly values: ReadonlyMap<SettingName, Value>;
  /** What is wrong with them. */
  readonly problems: readonly SettingProblem[];
}

/**
 * Reads variables and files.
 *
 * @param sources What there is.
 * @returns What they say.
 */
export function readSettings(
  sources: Pick<Sources, "env" | "readText">,
): Reading {
  const problems: SettingProblem[] = [];
  const given = readGiven(sources, problems);
  const values = new Map<SettingName, Value>();
  for (const [name, entry] of given) {
    const value = understand(name, entry, problems);
    if (value !== undefined) values.set(name, value);
  }
  return { given, values, problems };
}

function understand(
  name: SettingName,
  { text, origin }: Given,
  problems: SettingProblem[],
): Value | undefined {
  const value = rowOf(name).kind.parse(text);
  if (value === undefined) problems.push(wrongValue(name, text, origin));
  return value;
}

/**
 * Resolves all settings: variable or file, then link or service name, then default.
 *
 * @param sources What there is.
 * @param reading What variables and files say, where they were read before.
 * @returns The settings with their origins, and every problem.
 */
export function resolve(
  sources: Sources,
  reading: Reading = readSettings(sources),
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
    const value = understand(name, entry, problems);
    if (value === undefined) continue;
    values.set(name, value);
    origins.set(name, entry.origin);
  }

  const open = new Set<string>();
  function lookUp(name: string): Value | undefined {
    if (values.has(name) || !isSettingName(name)) return values.get(name);
    if (open.has(name)) {
      throw new Error(`Default rules form a circle at ${name}`);
    }
    open.add(name);
    const { fallback } = rowOf(name);
    const value = isRule(fallback)
      ? fallback.of({ value: lookUp, isSet })
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
    consumed: consumedSecrets(sources.env),
  };
}

function readGiven(
  sources: Pick<Sources, "env" | "readText">,
  problems: SettingProblem[],
): Map<SettingName, Given> {
  const given = new Map<SettingName, Given>();
  // To look for a property that is not there takes much longer.
  const there = new Set(Object.keys(sources.env));
  for (const name of SETTING_NAMES) {
    const twin = `${name}_FILE`;
    if (!there.has(name) && !there.has(twin)) continue;
    const plain = sources.env[name] ?? "";
    const path = sources.env[twin] ?? "";
    const text = isLinkValue(name, plain) ? "" : plain;
    if (text !== "" && path !== "") {
      problems.push({
        subject: name,
        message: `Both ${name} and ${twin} are set, and only one may be`,
        remedy: `Remove ${name} or ${twin}`,
        code: ExitCode.settings,
      });
    } else if (text !== "") {
      given.set(name, { text, origin: { kind: "variable", name } });
    } else if (path !== "") {
      const content = readTwin(twin, path, { sources, problems });
      if (content !== "") {
        given.set(name, {
          text: content,
          origin: { kind: "file", name: twin, path },
        });
      }
    }
  }
  return given;
}

/**
 * Reads the file that a `_FILE` twin names. One trailing newline goes: editors
 * and `kubectl create secret` leave it there.
 *
 * @param twin The variable.
 * @param path The file.
 * @param into Reads files, and collects the problem of one that cannot be read.
 * @returns The content, empty where it cannot be read.
 */
export function readTwin(
  twin: string,
  path: string,
  { sources, problems }: {
    readonly sources: Pick<Sources, "readText">;
    readonly problems: SettingProblem[];
  },
): string {
  try {
    return sources.readText(path).replace(/\r?\n$/, "");
  } catch (error) {
    problems.push(unreadableFile(twin, path, error));
    return "";
  }
}

/** Reasons why a file cannot be read, by the system's code, and what repairs each. */
const FILE_FAULTS: Readonly<
  Record<string, readonly [message: string, remedy: (path: string) => string]>
> = {
  ENOENT: [
    "does not exist",
    (path) => `Mount the secret at ${path}, or correct the path`,
  ],
  EACCES: [
    "may not be read by this user",
    (path) =>
      `chmod a+r on the host's file, or start the container as root: Compose mounts ${path} with the owner and mode that the file has on the host`,
  ],
  EISDIR: [
    "is a directory",
    (path) =>
      `Docker makes a directory where the host's file is missing: create that file, then recreate the container (${path})`,
  ],
};

function unreadableFile(
  twin: string,
  path: string,
  error: unknown,
): SettingProblem {
  const code = errorCode(error) ?? "unknown error";
  const [message, remedy] = FILE_FAULTS[code] ?? [
    `cannot be read (${code})`,
    (): string => "Check the mount",
  ];
  return {
    subject: twin,
    message: `The file ${path} of ${twin} ${message}`,
    remedy: remedy(path),
    code: ExitCode.unreadable,
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
    : JSON.stringify(text);
  const bytes = secret === true
    ? `, which has ${new TextEncoder().encode(text).length} bytes`
    : "";
  const variable = origin.kind === "file" || origin.kind === "link"
    ? origin.name
    : name;
  const remedy = didYouMean(text, kind.choices ?? []) ??
    (example === undefined ? undefined : `For example ${name}=${example}`) ??
    (secret === true ? "Make one with app:secrets" : undefined);
  return {
    subject: variable,
    message: `${variable} must be ${kind.allowed}: it is ${shown}${bytes}`,
    remedy: remedy ?? `Correct ${variable}, or remove it for the default`,
    code: ExitCode.settings,
  };
}

/**
 * The values of the one database that is linked or named: only where `DB_HOST`
 * does not lead elsewhere, and only of the product that `DB_ADAPTER` asks for.
 */
function chooseLink(
  given: ReadonlyMap<SettingName, Given>,
  values: ReadonlyMap<string, Value | undefined>,
  { env, services = [], adapter: assumed = "mysql" }: Sources,
): [SettingName, Given][] {
  const host = given.get("DB_HOST")?.text;
  const wanted = values.get("DB_ADAPTER");
  const fits = (adapter: Adapter | undefined): boolean =>
    wanted === undefined || adapter === undefined || adapter === wanted;
  const link = findLinks(env)
    .filter(({ adapter }) => fits(adapter))
    .filter(({ alias, values }) =>
      host === undefined || host === alias || host === values.DB_HOST?.text
    )
    .sort((a, b) =>
      Number(b.adapter === assumed) - Number(a.adapter === assumed)
    )[0];
  if (link !== undefined) return linkedValues(link);
  if (host !== undefined) return wanted === undefined ? namedProduct(host) : [];
  const service = services.filter((name) => fits(SERVICE_NAMES[name]))
    .sort((a, b) =>
      Number(SERVICE_NAMES[b] === assumed) -
      Number(SERVICE_NAMES[a] === assumed)
    )[0];
  if (service === undefined) return [];
  const origin: Origin = { kind: "service", host: service };
  const adapter = SERVICE_NAMES[service];
  return [
    ["DB_HOST", { text: service, origin }],
    ...(adapter === undefined
      ? []
      : [["DB_ADAPTER", { text: adapter, origin }] as [SettingName, Given]]),
  ];
}

/** A host called `postgres` runs no MySQL: the name says as much as if it had been found. */
function namedProduct(host: string): [SettingName, Given][] {
  const adapter = Object.hasOwn(SERVICE_NAMES, host)
    ? SERVICE_NAMES[host]
    : undefined;
  const origin: Origin = { kind: "service", host };
  return adapter === undefined
    ? []
    : [["DB_ADAPTER", { text: adapter, origin }]];
}

function linkedValues(link: Link): [SettingName, Given][] {
  const entries = Object.entries(link.values) as [
    LinkedName,
    { text: string; variable: string },
  ][];
  const values = entries.map(([name, { text, variable }]): [
    SettingName,
    Given,
  ] => [name, { text, origin: { kind: "link", name: variable } }]);
  const [first] = entries;
  if (link.adapter === undefined || first === undefined) return values;
  const origin: Origin = { kind: "link", name: first[1].variable };
  return [["DB_ADAPTER", { text: link.adapter, origin }], ...values];
}

const LINKED_SECRET_REGEXP = /_ENV_\w*PASS/;

function consumedSecrets(env: Readonly<Record<string, string>>): string[] {
  return Object.keys(env).filter((name) => {
    const plain = name.replace(/_FILE$/, "");
    if (isSettingName(plain)) return "secret" in CATALOGUE[plain];
    return LINKED_SECRET_REGEXP.test(name) &&
      Object.keys(SERVICE_NAMES).some((alias) =>
        name.startsWith(`${alias.toUpperCase()}_ENV_`)
      );
  });
}
