/**
 * The three-way merge of config.json: what we last wrote, what is on disk, what is wanted now.
 *
 * A setting that the operator gave always wins. A default gives way to a value
 * that was edited since our last write. Whatever is not ours stays as it is, to
 * the byte. Nothing is read or written here: texts come in, a text goes out.
 *
 * @module
 */

import type { Origin } from "../settings/origin.ts";
import { describeOrigin, isExplicit } from "../settings/origin.ts";
import type { Assignment } from "./assignment.ts";
import type { Json, JsonObject } from "../json.ts";
import { foldKey } from "../json.ts";
import { findValue, setValue } from "./json_path.ts";
import {
  makeNode,
  nodeValue,
  type ObjectNode,
  parseDocument,
  printDocument,
  removeMember,
} from "./json_text.ts";

/** What we remember of one value that we wanted in config.json. */
export interface AppliedValue {
  /** Digest of the value that we wanted; an edit on disk is what differs from it. */
  readonly digest: string;
  /** Whether the operator had asked for it. */
  readonly explicit: boolean;
  /** Whether we made it ourselves: a secret that was not given. */
  readonly generated?: boolean;
  /** Whether the value must not be shown. */
  readonly secret?: boolean;
  /** Digests of the values before it, while a write is under way: any of them may be on disk. */
  readonly previous?: readonly string[];
}

/** What we remember of our last write, by path. It holds digests, never values. */
export interface LastApplied {
  /** Version of this shape. */
  readonly version: 1;
  /** By path. */
  readonly values: Readonly<Record<string, AppliedValue>>;
}

/** What the merge needs. */
export interface MergeInput {
  /** The text of config.json; `undefined` where there is none. */
  readonly disk: string | undefined;
  /** The text of the server's own default configuration, or `{}`. */
  readonly shipped: string;
  /** What we remember; `undefined` for a config.json that we never wrote. */
  readonly memory: LastApplied | undefined;
  /** The values that the settings want to have; no path twice. */
  readonly wanted: readonly Assignment[];
  /** The values that the server itself may have turned into the one on disk; none, if absent. */
  readonly rewrittenFrom?: (path: string, value: Json) => readonly Json[];
  /** Makes a secret. */
  generate(path: string): string;
  /** A digest; equal for equal values, whatever the order of their keys. */
  digest(value: Json): string;
}

/**
 * Why a value changes: the operator set it, it is a default, we made it, the operator
 * took the setting away, or the key was there in another spelling or twice.
 */
export type ChangeReason =
  | "set"
  | "default"
  | "generated"
  | "withdrawn"
  | "spelling";

/** One value that the merge changes. */
export interface Change {
  /** Section and key. */
  readonly path: string;
  /** The value on disk; absent where there is none. */
  readonly before?: Json;
  /** The value that takes its place; absent where it goes. */
  readonly after?: Json;
  /** Why it changes. */
  readonly reason: ChangeReason;
  /** Whether the values must not be shown. */
  readonly secret: boolean;
}

/** What comes out of the merge. */
export interface MergeResult {
  /** The text to write; the text on disk if nothing changes. */
  readonly text: string;
  /** The same as a value. */
  readonly document: JsonObject;
  /** What to remember of it. */
  readonly memory: LastApplied;
  /** Every value that differs from the disk. */
  readonly changes: readonly Change[];
  /** One line for the operator about each edit on disk that gives way to a setting, without values. */
  readonly conflicts: readonly string[];
  /** Paths of the secrets that were made now. */
  readonly generated: readonly string[];
  /** Where each value of ours comes from in the end, by path. */
  readonly origins: Readonly<Record<string, Origin>>;
}

/**
 * Merges what is wanted into what is on disk.
 *
 * @param input The texts, the memory and the wanted values.
 * @returns The new text and what there is to say about it.
 * @throws {EntrypointError} With code 65 if a section on disk is no object.
 * @throws {JsonTextError} If a text is not the text of a JSON object.
 */
export function merge(input: MergeInput): MergeResult {
  const fresh = input.disk === undefined;
  const document = parseDocument(input.disk ?? input.shipped);
  const memory = fresh ? undefined : input.memory;
  const remembered = new Map(
    Object.entries(memory?.values ?? {}).map((
      [path, entry],
    ) => [foldKey(path), { path, entry }]),
  );
  const values = new Map<string, AppliedValue>();
  const origins = new Map<string, Origin>();
  const changes: Change[] = [];
  const conflicts: string[] = [];
  const generated: string[] = [];

  for (const assignment of input.wanted) {
    const { path, secret } = assignment;
    const entry = remembered.get(foldKey(path))?.entry;
    remembered.delete(foldKey(path));
    const found = findValue(document.root, path);
    const before = fresh || found.member === undefined
      ? undefined
      : nodeValue(found.member.value);
    const choice = choose(input, { assignment, entry, before });
    const isNew = choice.value !== before;
    if (isNew) setValue(document.root, path, makeNode(choice.value));
    if (isNew || found.respelled) {
      changes.push({
        path,
        ...(before === undefined ? {} : { before }),
        after: choice.value,
        reason: isNew ? choice.reason : "spelling",
        secret,
      });
    }
    if (choice.conflict) {
      conflicts.push(describeConflict(assignment, entry));
    }
    if (choice.made) generated.push(path);
    origins.set(path, choice.origin);
    values.set(path, {
      digest: input.digest(
        assignment.value === undefined ? choice.value : assignment.value,
      ),
      explicit: isExplicit(assignment.origin),
      ...(choice.origin.kind === "generated" ? { generated: true } : {}),
      ...(secret ? { secret } : {}),
    });
  }

  // What the operator once gave, and what no setting wants any more.
  let shipped: ObjectNode | undefined;
  for (const { path, entry } of remembered.values()) {
    if (!entry.explicit) continue;
    const { member, holder } = findValue(document.root, path);
    if (member === undefined) continue;
    const before = nodeValue(member.value);
    shipped ??= parseDocument(input.shipped).root;
    const standard = findValue(shipped, path).member;
    const goal = standard && nodeValue(standard.value);
    if (goal !== undefined && input.digest(goal) === input.digest(before)) {
      continue;
    }
    if (!isOurs(input, { path, entry, value: before })) continue;
    const secret = entry.secret ?? false;
    const change = { path, before, reason: "withdrawn", secret } as const;
    if (standard === undefined) {
      removeMember(holder, member);
      changes.push(change);
    } else {
      member.value = standard.value;
      changes.push({ ...change, after: nodeValue(standard.value) });
    }
  }

  const text = printDocument(document);
  return {
    text,
    document: JSON.parse(text),
    memory: { version: 1, values: Object.fromEntries(values) },
    changes,
    conflicts,
    generated,
    origins: Object.fromEntries(origins),
  };
}

/**
 * What to remember while a write is under way, when either state may be on disk.
 *
 * @param before The memory of the last write, if any.
 * @param after The memory of the write to come.
 * @returns A memory that takes neither state for an edit.
 */
export function bridge(
  before: LastApplied | undefined,
  after: LastApplied,
): LastApplied {
  const values = new Map(
    Object.entries(before?.values ?? {}).map((
      [path, entry],
    ) => [foldKey(path), { path, entry }]),
  );
  for (const [path, entry] of Object.entries(after.values)) {
    const old = values.get(foldKey(path))?.entry;
    // The write before may have been interrupted as well, so its candidates stay.
    const candidates = old === undefined
      ? []
      : [old.digest, ...old.previous ?? []];
    const previous = candidates.filter((digest) => digest !== entry.digest);
    values.set(foldKey(path), {
      path,
      entry: previous.length === 0 ? entry : { ...entry, previous },
    });
  }
  return {
    version: 1,
    values: Object.fromEntries(
      [...values.values()].map(({ path, entry }) => [path, entry]),
    ),
  };
}

interface Choice {
  /** The very value on disk (not an equal one) if that stays. */
  readonly value: Json;
  readonly origin: Origin;
  readonly reason: ChangeReason;
  readonly conflict?: boolean;
  /** Whether the value was made just now. */
  readonly made?: boolean;
}

function choose(
  input: MergeInput,
  { assignment, entry, before }: {
    readonly assignment: Assignment;
    readonly entry: AppliedValue | undefined;
    readonly before: Json | undefined;
  },
): Choice {
  const { path, value: wanted, origin } = assignment;
  if (wanted === undefined) {
    if (typeof before === "string" && before !== "") {
      const ours = isOurs(input, { path, entry, value: before });
      const kind = ours && entry?.generated ? "generated" : "console";
      return { value: before, origin: { kind }, reason: "generated" };
    }
    return {
      value: input.generate(path),
      origin: { kind: "generated" },
      reason: "generated",
      made: true,
    };
  }
  const same = before !== undefined &&
    isSame(input, { path, entry, before, wanted });
  const edited = before !== undefined && !same &&
    !isOurs(input, { path, entry, value: before });
  if (isExplicit(origin)) {
    return {
      value: same ? before : wanted,
      origin,
      reason: "set",
      // A value that we never wrote, in a file that we did write, is the server's default.
      conflict: edited && (entry !== undefined || input.memory === undefined),
    };
  }
  return {
    value: same || edited ? before : wanted,
    origin: edited ? { kind: "console" } : origin,
    reason: entry?.explicit ? "withdrawn" : "default",
  };
}

/** Whether a value on disk is the wanted one, or what the server makes of it. */
function isSame(
  input: MergeInput,
  { path, entry, before, wanted }: {
    readonly path: string;
    readonly entry: AppliedValue | undefined;
    readonly before: Json;
    readonly wanted: Json;
  },
): boolean {
  // Mostly it is, and most values are no lists.
  if (before === wanted) return true;
  const digest = input.digest(wanted);
  if (input.digest(before) === digest) return true;
  const made = entry === undefined
    ? rewritten(input, path, before)
    : entry.digest === digest
    ? writtenForms(input, path, before)
    : [];
  return made.some((form) => input.digest(form) === digest);
}

/** Whether a value on disk is one that we wrote, or may have written, or the server itself. */
function isOurs(
  input: MergeInput,
  { path, entry, value }: {
    readonly path: string;
    readonly entry: AppliedValue | undefined;
    readonly value: Json;
  },
): boolean {
  if (entry === undefined) return rewritten(input, path, value).length > 0;
  const digests = [entry.digest, ...entry.previous ?? []];
  return writtenForms(input, path, value).some((form) =>
    digests.includes(input.digest(form))
  );
}

/** The values that we may have written where this one is found; the server itself adds and drops a final slash of paths and addresses. */
function writtenForms(
  input: MergeInput,
  path: string,
  value: Json,
): readonly Json[] {
  const slashed = typeof value !== "string"
    ? []
    : [value.endsWith("/") ? value.slice(0, -1) : `${value}/`];
  return [value, ...slashed, ...rewritten(input, path, value)];
}

function rewritten(
  { rewrittenFrom }: MergeInput,
  path: string,
  value: Json,
): readonly Json[] {
  return rewrittenFrom?.(path, value) ?? [];
}

function describeConflict(
  { path, origin }: Assignment,
  entry: AppliedValue | undefined,
): string {
  const state = entry === undefined
    ? "has another value in config.json"
    : "was edited in the System Console";
  return `${path} ${state}; ${describeOrigin(origin)} wins`;
}
