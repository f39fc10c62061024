/**
 * Finds and sets the value at a dotted path in the tree of config.json.
 *
 * The server reads keys in any letter case (https://pkg.go.dev/encoding/json#Unmarshal), so one key
 * can be present in several spellings. Looking up a path leaves one member for each of its keys,
 * in the spelling of the path.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import { foldKey } from "../json.ts";
import type { Member, ObjectNode, TextNode } from "./json_text.ts";
import { appendMember, removeMember } from "./json_text.ts";

/** The result of looking up a path. */
export interface FoundMember {
  /** The object that holds the key, or the innermost section of the path that exists. */
  readonly holder: ObjectNode;
  /** The member; `undefined` if it does not exist. */
  readonly member: Member | undefined;
  /** Whether a key of the path had another spelling, or was present more than once. */
  readonly isNormalized: boolean;
}

/**
 * Looks up a path, and leaves one member for each of its keys, in the spelling of the path.
 *
 * @param root The root object. It is changed if a key has another spelling or is duplicated.
 * @param path Section and key.
 * @returns The member, if it exists, and the object that holds it.
 * @throws {EntrypointError} With code 65 if a section of the path is not an object.
 */
export function findMember(root: ObjectNode, path: string): FoundMember {
  const keys = path.split(".");
  const last = keys.pop() ?? path;
  const sections: string[] = [];
  let holder = root;
  let isNormalized = false;
  for (const key of keys) {
    sections.push(key);
    const { member, changed } = uniqueMember(holder, key);
    isNormalized ||= changed;
    if (member === undefined || isNull(member.value)) {
      return { holder, member: undefined, isNormalized };
    }
    holder = objectOf(member, sections);
  }
  const { member, changed } = uniqueMember(holder, last);
  return { holder, member, isNormalized: isNormalized || changed };
}

/**
 * Sets the value at a path. Missing sections and keys are appended.
 *
 * @param root The root object, which is changed.
 * @param path Section and key.
 * @param value The value.
 * @throws {EntrypointError} With code 65 if a section of the path is not an object.
 */
export function setValue(
  root: ObjectNode,
  path: string,
  value: TextNode,
): void {
  const keys = path.split(".");
  const last = keys.pop() ?? path;
  let object = root;
  let holder: string | undefined;
  for (const key of keys) {
    const member = uniqueMember(object, key).member ?? appendMember(object, {
      key,
      value: { kind: "object", members: [], blank: "" },
      ...(holder === undefined ? {} : { holder }),
    });
    // To the server, null is a section without keys.
    if (isNull(member.value)) {
      member.value = { kind: "object", members: [], blank: "" };
    }
    object = objectOf(member, [key]);
    holder = member.lead;
  }
  const { member } = uniqueMember(object, last);
  if (member !== undefined) {
    member.value = value;
  } else {
    appendMember(object, {
      key: last,
      value,
      ...(holder === undefined ? {} : { holder }),
    });
  }
}

/**
 * Finds the member that the server reads for a key: Go's `encoding/json` ignores the letter case,
 * and uses the last one of several. The others are merged into it and removed.
 */
function uniqueMember(
  object: ObjectNode,
  key: string,
): { readonly member: Member | undefined; readonly changed: boolean } {
  const folded = foldKey(key);
  // Comparing the lengths first is faster, because most keys differ in their length.
  const duplicates = object.members.filter((member) =>
    member.key === key ||
    member.key.length === key.length && foldKey(member.key) === folded
  );
  const member = duplicates.pop();
  if (member === undefined) return { member, changed: false };
  const changed = duplicates.length > 0 || member.key !== key;
  for (const duplicate of duplicates.reverse()) {
    moveMembers(member.value, duplicate.value);
    removeMember(object, duplicate);
  }
  if (member.key !== key) {
    member.key = key;
    member.rawKey = JSON.stringify(key);
  }
  return { member, changed };
}

/** Moves the members that the target does not have, because the server reads both of two equal sections. */
function moveMembers(target: TextNode, source: TextNode): void {
  if (target.kind !== "object" || source.kind !== "object") return;
  const present = new Set(target.members.map(({ key }) => foldKey(key)));
  for (const { key, rawKey, value } of source.members) {
    if (present.has(foldKey(key))) continue;
    appendMember(target, { key, value }).rawKey = rawKey;
  }
}

function isNull(node: TextNode): boolean {
  return node.kind === "raw" && node.raw === "null";
}

function objectOf(member: Member, keys: readonly string[]): ObjectNode {
  if (member.value.kind === "object") return member.value;
  const path = keys.join(".");
  throw new EntrypointError(
    `${path} in config.json is not a JSON object, as a section must be`,
    {
      code: ExitCode.badConfig,
      remedy:
        `Make ${path} an object in config.json, or restore the newest copy: ` +
        "mattermost-entrypoint app:config --restore 1",
    },
  );
}
