/**
 * The three-way merge of config.json: the last-applied state, the file on disk, and the settings.
 *
 * A setting that the operator gave always takes precedence. A default does not replace a value
 * that was edited since the entrypoint last wrote it. Keys that no setting writes keep their text,
 * byte for byte. The merge itself reads and writes no files.
 *
 * @module
 */

import type { Origin } from "../settings/origin.ts";
import { describeOrigin, isExplicit } from "../settings/origin.ts";
import type { Assignment } from "./assignment.ts";
import type { Json, JsonObject } from "../json.ts";
import { foldKey } from "../json.ts";
import { findMember, setValue } from "./json_path.ts";
import {
  makeNode,
  nodeValue,
  type ObjectNode,
  parseDocument,
  printDocument,
  removeMember,
} from "./json_text.ts";

/** The last-applied state of one key. */
export interface AppliedValue {
  /** The digest of the value that the settings assigned. A value on disk with another digest is an edit. */
  readonly digest: string;
  /** Whether the operator had set the value. */
  readonly explicit: boolean;
  /** Whether the entrypoint generated the value: a secret that the operator did not set. */
  readonly generated?: boolean;
  /** Whether the value is secret and must not be shown. */
  readonly secret?: boolean;
  /** The digests of earlier values that may still be on disk if a write was interrupted. */
  readonly previous?: readonly string[];
}

/** The last-applied state: digests of the values that the settings assigned at the last write. */
export interface LastApplied {
  /** The version of this format. */
  readonly version: 1;
  /** The state of each key, by path. */
  readonly values: Readonly<Record<string, AppliedValue>>;
}

/** The input of the merge. */
export interface MergeInput {
  /** The text of config.json; `undefined` if the file does not exist. */
  readonly disk: string | undefined;
  /** The text of the default configuration in the server's package, or `{}`. */
  readonly shipped: string;
  /** The last-applied state; `undefined` if the entrypoint never wrote this config.json. */
  readonly lastApplied: LastApplied | undefined;
  /** The values that the settings assign; each path at most once. */
  readonly wanted: readonly Assignment[];
  /** Tells whether settings write a key in other releases only. */
  readonly isObsolete?: (path: string) => boolean;
  /** Returns the values that the server may have rewritten to the one on disk. */
  readonly rewrittenFrom?: (path: string, value: Json) => readonly Json[];
  /** The paths whose values on disk count although no setting gives them any more. */
  readonly kept?: readonly string[];
  /** Generates a secret. */
  generate(path: string): string;
  /** Computes a digest, which does not depend on the order of keys. */
  digest(value: Json): string;
}

/**
 * Why a value changes: the operator set it, it is a default, the entrypoint generated it, the
 * operator removed the setting, the release does not have the key, or the key had another spelling
 * or was present more than once.
 */
export type ChangeReason =
  | "set"
  | "default"
  | "generated"
  | "withdrawn"
  | "obsolete"
  | "spelling";

/** A value that the merge changes. */
export interface Change {
  /** Section and key. */
  readonly path: string;
  /** The value on disk; absent if there is none. */
  readonly before?: Json;
  /** The new value; absent if the key is removed. */
  readonly after?: Json;
  /** The reason of the change. */
  readonly reason: ChangeReason;
  /** Whether the values are secret and must not be shown. */
  readonly secret: boolean;
}

/** The result of the merge. */
export interface MergeResult {
  /** The new text of config.json; the text on disk if nothing changes. */
  readonly text: string;
  /** The same as a JSON value. */
  readonly document: JsonObject;
  /** The new last-applied state. */
  readonly lastApplied: LastApplied;
  /** Every value that differs from the disk. */
  readonly changes: readonly Change[];
  /** A warning, without values, for each edit on disk that a setting replaces. */
  readonly conflicts: readonly string[];
  /** The paths of the secrets that the merge generated. */
  readonly generated: readonly string[];
  /** The origin of each value that the settings assign, after the merge, by path. */
  readonly origins: Readonly<Record<string, Origin>>;
}

/**
 * Merges the assigned values into config.json.
 *
 * @param input The texts, the last-applied state and the assigned values.
 * @returns The new text, and a description of the changes.
 * @throws {EntrypointError} With code 65 if a section on disk is not an object.
 * @throws {JsonTextError} If a text is not a JSON object.
 */
export function merge(input: MergeInput): MergeResult {
  const fresh = input.disk === undefined;
  const document = parseDocument(input.disk ?? input.shipped);
  const previous = fresh ? undefined : input.lastApplied;
  const lastApplied = new Map(
    Object.entries(previous?.values ?? {}).map((
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
    const entry = lastApplied.get(foldKey(path))?.entry;
    lastApplied.delete(foldKey(path));
    const found = findMember(document.root, path);
    const before = fresh || found.member === undefined
      ? undefined
      : nodeValue(found.member.value);
    const choice = choose(input, { assignment, entry, before });
    const isNew = choice.value !== before;
    if (isNew) setValue(document.root, path, makeNode(choice.value));
    if (isNew || found.isNormalized) {
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
    if (choice.isGenerated) generated.push(path);
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

  // Values that the operator once set and has removed since, and defaults of keys that this release
  // does not have: back to the server's default. A secret stays, in case the old release returns.
  let shipped: ObjectNode | undefined;
  for (const { path, entry } of lastApplied.values()) {
    const isObsolete = !entry.generated && (input.isObsolete?.(path) ?? false);
    if (!entry.explicit && !isObsolete || input.kept?.includes(path)) continue;
    const { member, holder } = findMember(document.root, path);
    if (member === undefined) continue;
    const before = nodeValue(member.value);
    shipped ??= parseDocument(input.shipped).root;
    const fallback = findMember(shipped, path).member;
    const after = fallback && nodeValue(fallback.value);
    if (after !== undefined && input.digest(after) === input.digest(before)) {
      continue;
    }
    if (!isUneditedValue(input, { path, entry, value: before })) continue;
    const secret = entry.secret ?? false;
    const reason = isObsolete ? "obsolete" : "withdrawn";
    const change = { path, before, reason, secret } as const;
    if (fallback === undefined || after === undefined) {
      removeMember(holder, member);
      changes.push(change);
    } else {
      member.value = fallback.value;
      changes.push({ ...change, after });
    }
  }

  const text = printDocument(document);
  return {
    text,
    document: JSON.parse(text),
    lastApplied: { version: 1, values: Object.fromEntries(values) },
    changes,
    conflicts,
    generated,
    origins: Object.fromEntries(origins),
  };
}

/**
 * Combines two last-applied states for the time of a write, when config.json may have the values of
 * either.
 *
 * @param before The state of the last write, if any.
 * @param after The state of the write that begins.
 * @returns A state for which the values of neither count as edits.
 */
export function stateDuringWrite(
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
    // The last write may have been interrupted too, so its earlier digests are kept.
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
  /** The value. If the one on disk stays, it is that same object, not an equal one. */
  readonly value: Json;
  readonly origin: Origin;
  readonly reason: ChangeReason;
  readonly conflict?: boolean;
  /** Whether the value is a secret that was generated just now. */
  readonly isGenerated?: boolean;
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
      const isUnedited = isUneditedValue(input, { path, entry, value: before });
      const kind = isUnedited && entry?.generated ? "generated" : "console";
      return { value: before, origin: { kind }, reason: "generated" };
    }
    return {
      value: input.generate(path),
      origin: { kind: "generated" },
      reason: "generated",
      isGenerated: true,
    };
  }
  const same = before !== undefined &&
    isSame(input, { path, entry, before, wanted });
  const edited = before !== undefined && !same &&
    !isUneditedValue(input, { path, entry, value: before });
  if (isExplicit(origin)) {
    return {
      value: same ? before : wanted,
      origin,
      reason: "set",
      // A key without a last-applied state, in a file that the entrypoint wrote, has the server's default.
      conflict: edited &&
        (entry !== undefined || input.lastApplied === undefined),
    };
  }
  return {
    value: same || edited ? before : wanted,
    origin: edited ? { kind: "console" } : origin,
    reason: entry?.explicit ? "withdrawn" : "default",
  };
}

/** Checks whether a value on disk is the assigned one, or what the server rewrote that to. */
function isSame(
  input: MergeInput,
  { path, entry, before, wanted }: {
    readonly path: string;
    readonly entry: AppliedValue | undefined;
    readonly before: Json;
    readonly wanted: Json;
  },
): boolean {
  // Usually the values are identical; this avoids the digests.
  if (before === wanted) return true;
  const digest = input.digest(wanted);
  if (input.digest(before) === digest) return true;
  const forms = entry === undefined
    ? rewritten(input, path, before)
    : entry.digest === digest
    ? writtenForms(input, path, before)
    : [];
  return forms.some((form) => input.digest(form) === digest);
}

/** Checks whether a value on disk is no edit: the entrypoint wrote it, or the server rewrote it. */
function isUneditedValue(
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

/** The values that the entrypoint may have written if this one is on disk; the server adds and removes the final slash of paths and URLs. */
function writtenForms(
  input: MergeInput,
  path: string,
  value: Json,
): readonly Json[] {
  const otherSlash = typeof value !== "string"
    ? []
    : [value.endsWith("/") ? value.slice(0, -1) : `${value}/`];
  return [value, ...otherSlash, ...rewritten(input, path, value)];
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
    ? "has a different value in config.json"
    : "was edited in the System Console";
  return `${path} ${state}; ${describeOrigin(origin)} takes precedence`;
}
