/**
 * Parses the text of a JSON document to a tree that prints back to the same bytes.
 *
 * `JSON.parse` followed by `JSON.stringify` would change a file that the server wrote: large
 * integers, numbers such as `1.0`, escapes, white space and duplicate keys. Here every value keeps
 * its source text, so everything that is not edited stays the same, byte for byte.
 *
 * @module
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";

/** A value other than an object, as its source text. */
export interface RawNode {
  /** The type of the node. */
  readonly kind: "raw";
  /** The source text. */
  readonly raw: string;
}

/** A member of an object, with the white space around its parts. */
export interface Member {
  /** White space before the key. */
  lead: string;
  /** The source text of the key, including the quotes. */
  rawKey: string;
  /** The key with escapes decoded. */
  key: string;
  /** The colon between key and value, with white space around it. */
  colon: string;
  /** The value. */
  value: TextNode;
  /** White space after the value. */
  tail: string;
}

/** An object with its members in source order. */
export interface ObjectNode {
  /** The type of the node. */
  readonly kind: "object";
  /** The members. */
  readonly members: Member[];
  /** The white space between the braces of an empty object. */
  readonly blank: string;
}

/** A JSON value that keeps its source text. */
export type TextNode = RawNode | ObjectNode;

/** A document whose root is an object, with the white space around it. */
export interface TextDocument {
  /** White space before the object. */
  readonly lead: string;
  /** The object. */
  readonly root: ObjectNode;
  /** White space after the object. */
  readonly tail: string;
}

/** A syntax error in a JSON text, with its position. The message never quotes the text, which may hold secrets. */
export class JsonTextError extends Error {
  /** The line, starting at 1. */
  readonly line: number;
  /** The column in UTF-16 code units, starting at 1. */
  readonly column: number;
  /** Whether the text is only cut off. */
  readonly isAtEnd: boolean;

  /**
   * Creates an error, and computes the line and the column of its position.
   *
   * @param message The reason, in lower case and without a final period.
   * @param text The whole text.
   * @param offset The position in the text, in UTF-16 code units.
   */
  constructor(message: string, text: string, offset: number) {
    super(message);
    const lines = text.slice(0, offset).split("\n");
    this.line = lines.length;
    this.column = (lines.at(-1) ?? "").length + 1;
    this.isAtEnd = offset >= text.length;
  }
}

/** The maximum nesting. Go's decoder allows 10,000, but this parser is recursive and must not overflow the stack. */
const MAX_DEPTH = 1000;
/** The highest character code of JSON white space. */
const SPACE = 32;
const SPACE_REGEXP = /[ \t\n\r]*/y;
const STRING_REGEXP =
  // deno-lint-ignore no-control-regex
  /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SCALAR_REGEXP =
  /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/**
 * Parses a JSON document whose root is an object, as strictly as `JSON.parse`.
 *
 * @param text The text.
 * @returns A tree that {@linkcode printDocument} turns back into the same text.
 * @throws {JsonTextError} If the text is not valid JSON, is not an object, or is nested deeper than 1000 levels.
 */
export function parseDocument(text: string): TextDocument {
  let at = 0;

  function fail(message: string): never {
    if (at >= text.length) {
      throw new JsonTextError("the text ends too early", text, at);
    }
    const [mistake, offset] = mistakeAt(text, at, message) ?? [message, at];
    throw new JsonTextError(mistake, text, offset);
  }
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  }
  function space(): string {
    // Usually there is no white space, and this test is faster than the pattern.
    return text.charCodeAt(at) > SPACE ? "" : take(SPACE_REGEXP) ?? "";
  }
  function expect(character: string, message: string): void {
    if (text[at] !== character) fail(message);
    at++;
  }
  function string(): string {
    return take(STRING_REGEXP) ??
      fail(
        "a string is not terminated, or contains an invalid character or escape",
      );
  }
  function object(depth: number): ObjectNode {
    const members: Member[] = [];
    at++;
    let lead = space();
    if (text[at] === "}") {
      at++;
      return { kind: "object", members, blank: lead };
    }
    for (;;) {
      if (text[at] !== '"') fail("a key in double quotes is expected");
      const rawKey = string();
      const before = space();
      expect(":", "a colon is expected");
      const colon = `${before}:${space()}`;
      const node = value(depth + 1);
      const tail = space();
      const key = rawKey.includes("\\")
        ? String(JSON.parse(rawKey))
        : rawKey.slice(1, -1);
      members.push({ lead, rawKey, key, colon, value: node, tail });
      if (text[at] === "}") break;
      expect(",", "a comma or a closing brace is expected");
      lead = space();
    }
    at++;
    return { kind: "object", members, blank: "" };
  }
  function array(depth: number): RawNode {
    const start = at++;
    space();
    if (text[at] !== "]") {
      for (;;) {
        space();
        value(depth + 1);
        space();
        if (text[at] === "]") break;
        expect(",", "a comma or a closing bracket is expected");
      }
    }
    at++;
    return { kind: "raw", raw: text.slice(start, at) };
  }
  function value(depth: number): TextNode {
    if (depth > MAX_DEPTH) fail("the values are nested too deeply");
    if (text[at] === "{") return object(depth);
    if (text[at] === "[") return array(depth);
    if (text[at] === '"') return { kind: "raw", raw: string() };
    return {
      kind: "raw",
      raw: take(SCALAR_REGEXP) ?? fail("a JSON value is expected"),
    };
  }

  const lead = space();
  if (text[at] !== "{") fail("an object in braces is expected");
  const root = object(1);
  const tail = space();
  if (at < text.length) fail("there is more text after the end of the object");
  return { lead, root, tail };
}

/** What people write by hand, at the position that the parser does not understand. */
const MISTAKES: readonly (readonly [RegExp, string])[] = [
  [/\/\/|\/\*|#/y, "a comment, which JSON does not have: remove it"],
  [/['‘’“”]/y, "a quote that JSON does not have: use double quotes"],
  [
    /[A-Za-z_$][\w$]*\s*:/y,
    "a key without double quotes: put it in double quotes",
  ],
  [/True|False|None|undefined|NaN/y, "a word that JSON does not have"],
];
function mistakeAt(
  text: string,
  at: number,
  expected: string,
): readonly [mistake: string, offset: number] | undefined {
  const before = text.slice(0, at).trimEnd();
  const offset = before.length - 1;
  const sign = text[at] ?? "";
  if (before.endsWith(",") && "}],".includes(sign)) {
    return ["a comma that nothing follows: remove it", offset];
  }
  if (expected.startsWith("a comma") && /["\w{[-]/.test(sign)) {
    return ["a comma is missing after this value", offset];
  }
  for (const [pattern, mistake] of MISTAKES) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return [mistake, at];
  }
  return undefined;
}

/**
 * Checks that {@linkcode parseDocument} accepts a text. It uses the much faster `JSON.parse`, which
 * differs only in the depth that it accepts.
 *
 * @param text The text.
 * @throws {JsonTextError} If the text is not valid JSON, is not an object, or is nested deeper than 1000 levels.
 */
export function checkDocument(text: string): void {
  if (!isShallowObject(text)) parseDocument(text);
}

function isShallowObject(text: string): boolean {
  try {
    // The number of opening brackets is an upper bound of the depth.
    return isJsonObject(JSON.parse(text)) &&
      text.split("{").length + text.split("[").length - 2 <= MAX_DEPTH;
  } catch {
    return false;
  }
}

/**
 * Prints a document.
 *
 * @param document The tree.
 * @returns The text; for an unchanged tree, the text that was parsed.
 */
export function printDocument(document: TextDocument): string {
  return document.lead + printNode(document.root) + document.tail;
}

/**
 * Converts a node to a value, as `JSON.parse` does: the last one of duplicate keys counts.
 *
 * @param node The node.
 * @returns The value.
 */
export function nodeValue(node: TextNode): Json {
  return JSON.parse(printNode(node));
}

/**
 * Removes a member from its object, with its white space.
 *
 * @param object The object, which is changed.
 * @param member One of its members.
 */
export function removeMember(object: ObjectNode, member: Member): void {
  const index = object.members.indexOf(member);
  const before = object.members[index - 1];
  if (index === object.members.length - 1 && before !== undefined) {
    before.tail = member.tail;
  }
  object.members.splice(index, 1);
}

/**
 * Adds a member at the end of an object, in the layout of its last member.
 *
 * @param object The object, which is changed.
 * @param member The key and the value. `holder` is the white space before the key of `object`
 *   itself, absent for the root; it determines the layout if the object is empty.
 * @returns The new member.
 */
export function appendMember(
  object: ObjectNode,
  member: {
    readonly key: string;
    readonly value: TextNode;
    readonly holder?: string;
  },
): Member {
  const last = object.members.at(-1);
  const lead = last?.lead ?? emptyLead(member.holder);
  const tail = last?.tail ?? (lead === "" ? "" : member.holder ?? "\n");
  if (last !== undefined) last.tail = "";
  const added: Member = {
    lead,
    rawKey: JSON.stringify(member.key),
    key: member.key,
    colon: last?.colon ?? (lead === "" ? ":" : ": "),
    value: member.value,
    tail,
  };
  object.members.push(added);
  return added;
}

/**
 * Converts a value to a node in compact layout.
 *
 * @param value Any JSON value.
 * @returns The node.
 */
export function makeNode(value: Json): TextNode {
  return isJsonObject(value)
    ? parseDocument(JSON.stringify(value)).root
    : { kind: "raw", raw: JSON.stringify(value) };
}

/**
 * Prints a value with sorted keys and without white space, so that equal values have equal texts.
 *
 * @param value Any JSON value.
 * @returns The JSON text.
 */
export function stableJson(value: Json): string {
  if (!isJsonObject(value)) {
    return Array.isArray(value)
      ? `[${value.map(stableJson).join(",")}]`
      : JSON.stringify(value);
  }
  const object: JsonObject = value;
  const members = Object.keys(object).sort().map((key) =>
    `${JSON.stringify(key)}:${stableJson(object[key] ?? null)}`
  );
  return `{${members.join(",")}}`;
}

function printNode(node: TextNode): string {
  if (node.kind === "raw") return node.raw;
  const members = node.members.map(({ lead, rawKey, colon, value, tail }) =>
    lead + rawKey + colon + printNode(value) + tail
  );
  return members.length === 0 ? `{${node.blank}}` : `{${members.join(",")}}`;
}

/** The white space before the first member of an empty object: one level deeper than the object's own key, or none if that is not on a line of its own. */
function emptyLead(holder: string | undefined): string {
  if (holder === undefined) return "\n    ";
  if (!holder.includes("\n")) return "";
  const indent = holder.slice(holder.lastIndexOf("\n") + 1);
  return `${holder}${indent}`;
}
