/**
 * Finding and making the place of a dotted path in the tree of config.json.
 *
 * The server reads keys in any letter case, so a key must not be there in two
 * spellings: whoever looks a path up leaves one member for each of its keys.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import { foldKey } from "../json.ts";
import type { Member, ObjectNode, TextNode } from "./json_text.ts";
import { appendMember, removeMember } from "./json_text.ts";

/** What there is at a path. */
export interface ConfigValue {
  /** The object that holds the key, or the last one on the way to it. */
  readonly holder: ObjectNode;
  /** The member; `undefined` where there is none. */
  readonly member: Member | undefined;
  /** Whether a key on the way had another spelling or was there more than once. */
  readonly respelled: boolean;
}

/**
 * Looks a path up, and leaves one member in the wanted spelling for each of its keys.
 *
 * @param root The outermost object, which is changed where spellings differ.
 * @param path Section and key.
 * @returns The place.
 * @throws {EntrypointError} With code 65 if a section on the way is no object.
 */
export function findValue(root: ObjectNode, path: string): ConfigValue {
  const keys = path.split(".");
  const last = keys.pop() ?? path;
  const way: string[] = [];
  let holder = root;
  let respelled = false;
  for (const key of keys) {
    way.push(key);
    const { member, changed } = uniqueMember(holder, key);
    respelled ||= changed;
    if (member === undefined) return { holder, member, respelled };
    holder = objectOf(member, way);
  }
  const { member, changed } = uniqueMember(holder, last);
  return { holder, member, respelled: respelled || changed };
}

/**
 * Puts a value at a path; missing sections are made at the end.
 *
 * @param root The outermost object, which is changed.
 * @param path Section and key.
 * @param value The value.
 * @throws {EntrypointError} With code 65 if a section on the way is no object.
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
 * The member that the server reads for a key: the letter case is nothing to it, and of
 * several the last one counts (Go's `encoding/json`). The others go.
 */
function uniqueMember(
  object: ObjectNode,
  key: string,
): { readonly member: Member | undefined; readonly changed: boolean } {
  const folded = foldKey(key);
  // Most keys differ in their length already.
  const rivals = object.members.filter((member) =>
    member.key === key ||
    member.key.length === key.length && foldKey(member.key) === folded
  );
  const member = rivals.pop();
  if (member === undefined) return { member, changed: false };
  const changed = rivals.length > 0 || member.key !== key;
  for (const rival of rivals.reverse()) {
    moveMembers(member.value, rival.value);
    removeMember(object, rival);
  }
  if (member.key !== key) {
    member.key = key;
    member.rawKey = JSON.stringify(key);
  }
  return { member, changed };
}

/** Moves members over that the other object does not have; the server reads both of two equal sections. */
function moveMembers(target: TextNode, source: TextNode): void {
  if (target.kind !== "object" || source.kind !== "object") return;
  const taken = new Set(target.members.map(({ key }) => foldKey(key)));
  for (const { key, rawKey, value } of source.members) {
    if (taken.has(foldKey(key))) continue;
    appendMember(target, { key, value }).rawKey = rawKey;
  }
}

function objectOf(member: Member, way: readonly string[]): ObjectNode {
  if (member.value.kind === "object") return member.value;
  const path = way.join(".");
  throw new EntrypointError(
    `config.json: ${path} is not a JSON object, as a section has to be`,
    {
      code: ExitCode.badConfig,
      remedy:
        `Make ${path} an object in config.json, or go back to the last good one: ` +
        "mattermost-entrypoint app:config --restore 1",
    },
  );
}
