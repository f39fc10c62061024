/**
 * The text of a JSON document as a tree that prints back to the same bytes.
 *
 * `JSON.parse` and `JSON.stringify` lose what a server wrote: big integers,
 * `1.0`, escapes, white space, both of two equal keys. Here every value keeps its
 * source text, so that whatever is not edited survives to the byte.
 *
 * @module
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";

/** A value other than an object, as its source text. */
export interface RawNode {
  /** What kind of node it is. */
  readonly kind: "raw";
  /** The source text. */
  readonly raw: string;
}

/** A member of an object, with the white space around it. */
export interface Member {
  /** White space before the key. */
  lead: string;
  /** The key as its source text, quotes included. */
  rawKey: string;
  /** The key that it stands for. */
  key: string;
  /** From the key to the value: a colon and white space. */
  colon: string;
  /** The value. */
  value: TextNode;
  /** White space after the value. */
  tail: string;
}

/** An object and its members, in their order. */
export interface ObjectNode {
  /** What kind of node it is. */
  readonly kind: "object";
  /** The members. */
  readonly members: Member[];
  /** White space between the braces of an object without members. */
  readonly blank: string;
}

/** A JSON value that remembers its source text. */
export type TextNode = RawNode | ObjectNode;

/** A JSON object with the white space around it. */
export interface TextDocument {
  /** White space before it. */
  readonly lead: string;
  /** The object. */
  readonly root: ObjectNode;
  /** White space after it. */
  readonly tail: string;
}

/** What is wrong with a JSON text, and where. The message never quotes the text, which may hold secrets. */
export class JsonTextError extends Error {
  /** Line, from 1. */
  readonly line: number;
  /** Column in UTF-16 units, from 1. */
  readonly column: number;

  /**
   * Finds the line and the column of an offset.
   *
   * @param message What is wrong there. Lower case, no final period.
   * @param text The whole text.
   * @param offset Where it is wrong.
   */
  constructor(message: string, text: string, offset: number) {
    super(message);
    const lines = text.slice(0, offset).split("\n");
    this.line = lines.length;
    this.column = (lines.at(-1) ?? "").length + 1;
  }
}

/** The server's own decoder allows 10000; a frame of ours must still fit on the stack. */
const MAX_DEPTH = 1000;
/** The highest code of white space in JSON. */
const SPACE = 32;
const SPACE_REGEXP = /[ \t\n\r]*/y;
const STRING_REGEXP =
  // deno-lint-ignore no-control-regex
  /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SCALAR_REGEXP =
  /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/**
 * Reads the text of a JSON document whose outermost value is an object.
 *
 * @param text The text, as strict as `JSON.parse` takes it.
 * @returns A tree for which {@linkcode printDocument} gives back the same text.
 * @throws {JsonTextError} If the text is no JSON, is no object, or is nested deeper than 1000.
 */
export function parseDocument(text: string): TextDocument {
  let at = 0;

  function fail(message: string): never {
    throw new JsonTextError(
      at >= text.length ? "the text ends too early" : message,
      text,
      at,
    );
  }
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  }
  function space(): string {
    // Mostly there is none.
    return text.charCodeAt(at) > SPACE ? "" : take(SPACE_REGEXP) ?? "";
  }
  function expect(character: string, message: string): void {
    if (text[at] !== character) fail(message);
    at++;
  }
  function string(): string {
    return take(STRING_REGEXP) ??
      fail("a string is not closed, or holds a wrong character or escape");
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
    return { kind: "raw", raw: take(SCALAR_REGEXP) ?? fail("no JSON value") };
  }

  const lead = space();
  if (text[at] !== "{") fail("an object in braces is expected");
  const root = object(1);
  const tail = space();
  if (at < text.length) fail("there is more text after the end of the object");
  return { lead, root, tail };
}

/**
 * Makes sure that {@linkcode parseDocument} reads a text; the runtime's own parser is
 * many times as fast, and agrees with it on all but the depth.
 *
 * @param text The text.
 * @throws {JsonTextError} If the text is no JSON, is no object, or is nested deeper than 1000.
 */
export function checkDocument(text: string): void {
  if (!isShallowObject(text)) parseDocument(text);
}

function isShallowObject(text: string): boolean {
  try {
    // No deeper than there are brackets.
    return isJsonObject(JSON.parse(text)) &&
      text.split("{").length + text.split("[").length - 2 <= MAX_DEPTH;
  } catch {
    return false;
  }
}

/**
 * Gives the text of a document.
 *
 * @param document The tree.
 * @returns The text; of an unchanged tree, the very text that it was read from.
 */
export function printDocument(document: TextDocument): string {
  return document.lead + printNode(document.root) + document.tail;
}

/**
 * The value of a node, as `JSON.parse` gives it: of two equal keys the last one counts.
 *
 * @param node The node.
 * @returns Its value.
 */
export function nodeValue(node: TextNode): Json {
  return JSON.parse(printNode(node));
}

/**
 * Takes a member out of its object and closes the gap.
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
 * Adds a member at the end of an object, in the layout of the members that it has.
 *
 * @param object The object, which is changed.
 * @param member The key, the value, and the white space before the key that holds `object`
 *   (absent for the outermost object), from which the layout of an empty object follows.
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
 * Makes a node of a value.
 *
 * @param value Any JSON value; objects become nodes with members, in compact layout.
 * @returns The node.
 */
export function makeNode(value: Json): TextNode {
  return isJsonObject(value)
    ? parseDocument(JSON.stringify(value)).root
    : { kind: "raw", raw: JSON.stringify(value) };
}

/**
 * Writes a value so that equal values give equal texts: keys sorted, no white space.
 *
 * @param value Any JSON value.
 * @returns Its JSON text.
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

/** One level deeper than the holder; a holder on one line keeps its content on that line. */
function emptyLead(holder: string | undefined): string {
  if (holder === undefined) return "\n    ";
  if (!holder.includes("\n")) return "";
  const indent = holder.slice(holder.lastIndexOf("\n") + 1);
  return `${holder}${indent}`;
}
