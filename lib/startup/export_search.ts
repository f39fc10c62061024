/**
 * The search for variables that give an empty installation the values of the present one. Nothing
 * is inverted by a rule: a variable is accepted if the plan for an empty installation that has it
 * gives all values that the variable decides on.
 *
 * @module
 */

import { DERIVED_PATHS } from "../config/assignments.ts";
import { EntrypointError } from "../errors.ts";
import { type Json, valueAt } from "../json.ts";
import {
  effectiveValue,
  readsAnyCase,
  variableOf,
} from "../mattermost/effective_value.ts";
import type { ServerSettings } from "../mattermost/package_settings.ts";
import {
  parseVariable,
  valueTypeOf,
  variableText,
} from "../mattermost/variable_value.ts";
import { inRange } from "../release_range.ts";
import {
  rowOf,
  SETTING_NAMES,
  type SettingName,
} from "../settings/catalogue.ts";
import type { Kind, Value } from "../settings/kinds.ts";
import { readSettings, resolve } from "../settings/resolve.ts";
import { checkSettings } from "../settings/rules.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import {
  applyDriver,
  DATA_SOURCE_VARIABLE,
  databaseFromSettings,
  databaseFromVariables,
  type ReaderOf,
} from "./configured_database.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { pathsOf } from "./paths.ts";
import { mergeInto, type Plan } from "./plan.ts";

/** A value that no variable can give. */
export interface Inexpressible {
  /** Section and key. */
  readonly path: string;
  /** Completes a sentence that begins with "No variable gives this value, because". */
  readonly reason: string;
}

/** Where the search begins. */
export interface SearchStart {
  /** The variables that are set anyway, by name. */
  readonly carried: ReadonlyMap<string, string>;
  /** The settings of the release. */
  readonly known: ServerSettings;
  /** The paths of the values to give, in the order in which variables are looked for. */
  readonly paths: readonly string[];
  /** What is known about the server that reads the data source. */
  readonly readerOf: ReaderOf;
  /** Makes the store of an installation, which decides what is written. */
  readonly storeOf: (loaded: LoadedSettings) => Plan["store"];
}

/** What the search found. */
export interface SearchResult {
  /** The values of the variables, by name. */
  readonly texts: ReadonlyMap<string, string>;
  /** The values that they do not give. */
  readonly failed: readonly Inexpressible[];
}

/** Variables to try together. */
type Candidate = readonly (readonly [name: string, text: string])[];

/** An empty installation with variables. */
interface Fresh extends Pick<Plan, "wanted" | "merged" | "serverVariables"> {
  /** The settings that the rules refuse. */
  readonly refused: readonly string[];
}

/** What a step of the search depends on. */
interface Step extends Pick<SearchStart, "known" | "readerOf" | "storeOf"> {
  readonly plan: Plan;
  readonly texts: ReadonlyMap<string, string>;
  /** The installation with the variables so far. */
  readonly fresh: Fresh;
}

type Trial = Pick<Step, "texts" | "readerOf" | "storeOf">;

const DATA_SOURCE_PATH = "SqlSettings.DataSource";

/** The bytes of the longest `NAME=value` that a program can be started with, without its NUL: MAX_ARG_STRLEN in execve(2). */
export const LONGEST_VARIABLE = 131_071;

/** A session of a day has so many hours: the unit of settings, and that of newer servers. */
const HOURS = 24;

/**
 * Adds variables until an empty installation has all values that variables can give.
 *
 * @param plan The plan of the next start.
 * @param start The variables to begin with, and the values to give.
 * @returns The variables, and the values that they do not give.
 */
export function searchVariables(
  plan: Plan,
  { carried, known, paths, readerOf, storeOf }: SearchStart,
): SearchResult {
  const texts = new Map(carried);
  const failed = new Map<string, string>();
  // A secret that the next start will generate is not in use yet.
  const wanted = paths.filter((path) => !plan.merged.generated.includes(path));
  let fresh = requireFresh(plan, { texts, readerOf, storeOf });
  while (true) {
    const path = wanted.find((each) =>
      !failed.has(each) && !isSame(each, plan, fresh)
    );
    if (path === undefined) break;
    const step = { plan, known, readerOf, storeOf, texts, fresh };
    const { candidates, reason } = candidatesFor(path, step);
    const found = firstAccepted(path, candidates, step);
    if (found === undefined) {
      failed.set(path, reason);
      continue;
    }
    for (const [name, text] of found.candidate) texts.set(name, text);
    fresh = found.fresh;
    // Other variables can be right now, because defaults have changed.
    failed.clear();
  }
  return {
    texts,
    failed: [...failed].map(([path, reason]) => ({ path, reason })),
  };
}

function firstAccepted(
  path: string,
  candidates: readonly Candidate[],
  { plan, readerOf, storeOf, texts, fresh: before }: Step,
): { readonly candidate: Candidate; readonly fresh: Fresh } | undefined {
  for (const candidate of candidates) {
    const names = candidate.map(([name]) => name);
    const isFree = names.length > 0 &&
      names.every((name) => !texts.has(name));
    if (!isFree || !candidate.every(([, text]) => isText(text))) continue;
    const fresh = planFresh(plan, {
      texts: new Map([...texts, ...candidate]),
      readerOf,
      storeOf,
    });
    const isRefused = fresh?.refused.some((each) =>
      !before.refused.includes(each)
    );
    if (fresh === undefined || isRefused) continue;
    const decided = fresh.wanted
      .filter(({ variables }) => variables.some((name) => names.includes(name)))
      .map((assignment) => assignment.path);
    if ([path, ...decided].every((each) => isSame(each, plan, fresh))) {
      return { candidate, fresh };
    }
  }
  return undefined;
}

/** Lists the variables that may give a value, the preferred ones first, and why they may all fail. */
function candidatesFor(
  path: string,
  step: Step,
): { readonly candidates: readonly Candidate[]; readonly reason: string } {
  const { plan: { release: { version }, merged } } = step;
  const value = valueAt(merged.document, path) ?? null;
  const own = SETTING_NAMES.flatMap((name) => {
    const { kind, writes = [] } = rowOf(name);
    const write = writes.find((each) =>
      each.path === path &&
      (each.releases === undefined || inRange(version, each.releases))
    );
    // MATTERMOST_DATA_DIR also decides where config.json is.
    if (write === undefined || name === "MATTERMOST_DATA_DIR") return [];
    return textsFor(value, kind)
      .filter((text) => {
        const parsed = kind.parse(text);
        return parsed !== undefined &&
          isEqual(write.as?.(parsed) ?? parsed, value, step.plan);
      })
      .map((text): Candidate => [[name, text]]);
  });
  const derived = DERIVED_PATHS.filter((each) => each.path === path)
    .flatMap(({ from: [name] }) =>
      name === undefined || path === DATA_SOURCE_PATH
        ? []
        : textsFor(value, rowOf(name).kind)
          .map((text): Candidate => [[name, text]])
    );
  const login = path === DATA_SOURCE_PATH ? loginCandidates(step) : [];
  const server = serverCandidate(path, value, step);
  return {
    candidates: [...own, ...derived, ...login, ...server.candidates],
    reason: server.reason,
  };
}

/** The texts from which a setting may make a value. */
function textsFor(value: Json, kind: Kind<Value>): readonly string[] {
  const text = Array.isArray(value) ? value.join(",") : String(value);
  return [
    ...new Set([
      text,
      ...kind.choices ?? [],
      text.replace(/^:/, ""),
      text.replace(/\/[^/]*$/, ""),
      ...(typeof value === "number" ? [String(value / HOURS)] : []),
    ]),
  ].filter((each) => each !== "");
}

/** The login in config.json: without what usually is a default, and with all of it. */
function loginCandidates({ plan, texts }: Step): readonly Candidate[] {
  const { source } = plan.database;
  const parts: readonly (readonly [SettingName, string | undefined])[] = [
    ["DB_ADAPTER", source.adapter],
    ["DB_HOST", source.socket ?? source.host],
    ["DB_NAME", source.database],
    ["DB_USER", source.user],
    ["DB_PASS", source.password],
    ["DB_PORT", String(source.port)],
    ["DB_SSL_MODE", source.sslMode],
    ["DB_SSL_CA", source.sslCa],
    ["DB_ENCODING", source.encoding],
  ];
  const given = parts.flatMap(([name, text = ""]): Candidate =>
    text === "" || texts.has(name) ? [] : [[name, text]]
  );
  const always = given.filter(([name]) =>
    !["DB_PORT", "DB_SSL_MODE", "DB_SSL_CA", "DB_ENCODING"].includes(name)
  );
  return [always, given];
}

/** The server's own variable of a key, and why it cannot give the value. */
function serverCandidate(
  path: string,
  value: Json,
  { plan, known }: Step,
): { readonly candidates: readonly Candidate[]; readonly reason: string } {
  const { environmentOverrides: overrides, version } = plan.release;
  const none = (reason: string) => ({ candidates: [], reason });
  const name = variableOf(path);
  // The entrypoint itself uses this one.
  if (overrides === "none" && name !== DATA_SOURCE_VARIABLE) {
    return none(`Mattermost ${version} reads no MM_ variables`);
  }
  const text = variableText(value);
  const type = known.get(name)?.type ?? valueTypeOf(value);
  const anyCase = readsAnyCase(overrides);
  if (!anyCase && (type === "list" || type === "object")) {
    return none(
      `Mattermost ${version} reads neither lists nor objects from variables`,
    );
  }
  if (text === "" && !(anyCase && type === "text")) {
    return none(
      `Mattermost ${version} ignores ${name} if it is empty`,
    );
  }
  const parsed = type === undefined ? undefined : parseVariable(text, type);
  if (parsed === undefined || !isEqual(parsed, value, plan)) {
    return none(
      type === "list"
        ? `${name} cannot contain a word with a blank, or another list`
        : `${name} cannot contain it`,
    );
  }
  if (!isText(text)) return none(`${name} must be text in UTF-8 without NUL`);
  const length = new TextEncoder().encode(`${name}=${text}`).length;
  return length > LONGEST_VARIABLE
    ? none(
      `${name} can have ${LONGEST_VARIABLE} bytes, and this value is longer`,
    )
    : {
      candidates: [[[name, text]]],
      reason: `${name} does not give it to the server`,
    };
}

/** Whether a text can be in a variable, and in a file as UTF-8. */
function isText(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/**
 * Compares the value that the server uses now with that of an empty installation. A key that is
 * absent or null gets the server's default in both.
 */
function isSame(path: string, plan: Plan, fresh: Fresh): boolean {
  const { merged, release, wanted } = plan;
  if (valueAt(merged.document, path) === undefined) return true;
  const [now, then] = [plan, fresh].map((each) =>
    effectiveValue(path, {
      config: each.merged.document,
      variables: each.serverVariables.values,
      overrides: release.environmentOverrides,
    })
  );
  if (isEqual(now, then, plan) || isEqual(now, asObject(then), plan)) {
    return true;
  }
  // The server has rewritten a value of the entrypoint, as it will do again.
  if (merged.origins[path]?.kind === "console") return false;
  const [before, after] = [wanted, fresh.wanted].map((assignments) =>
    assignments.find((each) => each.path === path)?.value
  );
  return before !== undefined && isEqual(before, after, plan);
}

/** The server keeps some objects as JSON texts if a variable gives them. */
function asObject(value: Json | undefined): Json | undefined {
  return typeof value === "string" ? parseVariable(value, "object") : value;
}

/** Compares two values, whatever the order of their keys. */
function isEqual(
  one: Json | undefined,
  other: Json | undefined,
  { state }: Plan,
): boolean {
  if (one === other) return true;
  // A digest is slow, and only objects need it.
  return typeof one === "object" && typeof other === "object" &&
    state.digest(one) === state.digest(other);
}

function requireFresh(
  plan: Plan,
  trial: Trial,
): Fresh {
  const fresh = planFresh(plan, trial);
  if (fresh !== undefined) return fresh;
  throw new Error("The variables that are set now do not give a plan");
}

/** Plans an empty installation with variables; `undefined` if it would refuse one of them. */
function planFresh(
  plan: Plan,
  { texts, readerOf, storeOf }: Trial,
): Fresh | undefined {
  const { release, state } = plan;
  const sources = {
    env: Object.fromEntries(texts),
    readFile: (): Uint8Array => new Uint8Array(),
  };
  const anyCase = readsAnyCase(release.environmentOverrides);
  const serverVariables = readServerVariables(sources, { anyCase });
  const product = applyDriver(readSettings(sources), serverVariables.values);
  const resolution = resolve({
    ...sources,
    adapter: release.defaultAdapter,
    release: release.version,
  }, product.reading);
  const { settings, problems } = resolution;
  const own = databaseFromVariables(serverVariables.values, {
    DB_ADAPTER: settings.DB_ADAPTER,
    acceptsEmpty: anyCase,
    variable: DATA_SOURCE_VARIABLE,
  }, readerOf);
  if ((product.problem ?? own.problem ?? problems[0]) !== undefined) {
    return undefined;
  }
  try {
    const database = own.database ??
      databaseFromSettings(settings, readerOf) ??
      { source: plan.database.source, dsn: undefined };
    const paths = pathsOf(settings);
    const loaded = { ...plan, ...resolution, serverVariables, database, paths };
    const empty = { ...state, text: undefined, lastApplied: undefined };
    // Nobody uses the secrets that are generated here.
    const random = (length: number): Uint8Array => new Uint8Array(length);
    const findings = checkSettings(resolution, {
      hasDataSource: database.dsn !== undefined,
      release: release.version,
    });
    return {
      ...mergeInto(empty, { ...loaded, store: storeOf(loaded) }, { random }),
      serverVariables,
      refused: findings.problems.map(({ subject }) => subject),
    };
  } catch (error) {
    // A data source cannot express the login.
    if (error instanceof EntrypointError) return undefined;
    throw error;
  }
}
