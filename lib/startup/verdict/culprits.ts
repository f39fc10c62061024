/**
 * Finds the values for which a server refuses a configuration, by asking it again with some of
 * the values replaced by the defaults of its package. So a remedy is known to work.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { Handover } from "../../config/dead_end.ts";
import { findMember, setValue } from "../../config/json_path.ts";
import {
  makeNode,
  parseDocument,
  printDocument,
  removeMember,
} from "../../config/json_text.ts";
import type { Json } from "../../json.ts";
import { isJsonObject, valueAt } from "../../json.ts";
import type { Verdict } from "../../mattermost/verdict.ts";

/** A value that may be the reason for a refusal: that of a variable of the server, or of a key in config.json. */
export interface Candidate {
  /** The variable of the server; `undefined` for a key in config.json. */
  readonly variable?: string;
  /** Section and key, or a section; empty for a variable. */
  readonly path: string;
  /** The value. */
  readonly value: Json;
  /** The value in the package; `undefined` if it is not there. */
  readonly fallback: Json | undefined;
}

/** A reason for a refusal. */
export interface Culprit {
  /** The sentence of the server. */
  readonly sentence: string;
  /** The value; `undefined` if it cannot be told. */
  readonly candidate: Candidate | undefined;
}

/** The largest number of reasons that are searched for. */
const MOST = 5;

/**
 * Lists the values that differ from those in the package.
 *
 * @param handover What the server would get.
 * @param shipped The text of the configuration in the package, or `{}`.
 * @param variables The names of the server's own variables.
 * @returns The variables, and the keys of config.json.
 */
export function listCandidates(
  { text, env }: Handover,
  shipped: string,
  variables: readonly string[],
): Candidate[] {
  const defaults: Json = JSON.parse(shipped);
  const found: Candidate[] = variables.map((variable) => ({
    variable,
    path: "",
    value: env[variable] ?? "",
    fallback: undefined,
  }));
  const add = (path: string, value: Json): void => {
    const fallback = valueAt(defaults, path);
    if (isDeepStrictEqual(value, fallback)) return;
    found.push({ path, value, fallback });
  };
  for (const [section, keys] of Object.entries(parse(text))) {
    if (!isJsonObject(keys)) add(section, keys);
    else {
      for (const [key, value] of Object.entries(keys)) {
        add(`${section}.${key}`, value);
      }
    }
  }
  return found;
}

function parse(text: string): Readonly<Record<string, Json>> {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : {};
}

/**
 * Searches for the values by halves. Asks at most some ten times for each of them.
 *
 * @param refusal The sentence with which the server refuses everything together.
 * @param candidates The values that may be the reason.
 * @param ask Asks the server for its verdict without some of the values; throws the reason of the signal.
 * @param signal Ends the search; what was found until then counts.
 * @returns The reasons, at least one, at most five.
 */
export async function findCulprits(
  refusal: string,
  candidates: readonly Candidate[],
  ask: (without: ReadonlySet<Candidate>) => Promise<Verdict>,
  signal: AbortSignal,
): Promise<readonly Culprit[]> {
  const culprits: Culprit[] = [];
  const without = new Set<Candidate>();
  let sentence = refusal;
  /** Whether the server no longer says the sentence. */
  const isSilenced = (verdict: Verdict): boolean =>
    verdict.kind === "accepted" ||
    verdict.kind === "refused" && verdict.sentence !== sentence;
  try {
    while (culprits.length < MOST) {
      let pool = candidates.filter((candidate) => !without.has(candidate));
      while (pool.length > 1) {
        const half = pool.slice(0, Math.ceil(pool.length / 2));
        const verdict = await ask(new Set([...without, ...half]));
        pool = isSilenced(verdict) ? half : pool.slice(half.length);
      }
      const [candidate] = pool;
      if (candidate === undefined) break;
      const verdict = await ask(new Set([...without, candidate]));
      // Several values together can be the reason.
      if (!isSilenced(verdict)) break;
      culprits.push({ sentence, candidate });
      if (verdict.kind !== "refused") return culprits;
      without.add(candidate);
      sentence = verdict.sentence;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return [...culprits, { sentence, candidate: undefined }].slice(0, MOST);
}

/**
 * Replaces values by those of the package.
 *
 * @param handover What the server would get.
 * @param candidates The values to replace.
 * @returns What it would get without them.
 */
export function withoutCandidates(
  { text, env }: Handover,
  candidates: ReadonlySet<Candidate>,
): Handover {
  const document = parseDocument(text);
  const removed = new Set<string>();
  for (const { variable, path, fallback } of candidates) {
    if (variable !== undefined) removed.add(variable);
    else if (fallback !== undefined) {
      setValue(document.root, path, makeNode(fallback));
    } else {
      const { holder, member } = findMember(document.root, path);
      if (member !== undefined) removeMember(holder, member);
    }
  }
  return {
    text: printDocument(document),
    env: Object.fromEntries(
      Object.entries(env).filter(([name]) => !removed.has(name)),
    ),
  };
}
