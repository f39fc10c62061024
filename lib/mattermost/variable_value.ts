/**
 * How the server converts the text of an `MM_SECTION_KEY` variable to the type of its key:
 * `applyEnvKey` in the server's `config/environment.go`, from 5.30 on.
 *
 * @module
 */

import { isJsonObject, type Json } from "../json.ts";

/** The type of the value of a key, as config.json has it. */
export type ValueType =
  | "text"
  | "flag"
  | "integer"
  | "number"
  | "list"
  | "object";

// https://pkg.go.dev/strconv#ParseBool
const TRUE_REGEXP = /^(?:1|t|T|TRUE|true|True)$/;
const FALSE_REGEXP = /^(?:0|f|F|FALSE|false|False)$/;

// https://pkg.go.dev/strconv#ParseInt with base 10 and 64 bits
const INTEGER_REGEXP = /^[+-]?\d+$/;
const INTEGER_BITS = 64;

const NUMBER_REGEXP = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Gets the type of a value.
 *
 * @param value The value of a key in config.json.
 * @returns Its type; `undefined` for `null`.
 */
export function valueTypeOf(value: Json): ValueType | undefined {
  switch (typeof value) {
    case "string":
      return "text";
    case "boolean":
      return "flag";
    case "number":
      return Number.isInteger(value) ? "integer" : "number";
    default:
      return Array.isArray(value)
        ? "list"
        : isJsonObject(value)
        ? "object"
        : undefined;
  }
}

/**
 * Converts the text of a variable.
 *
 * @param text The text.
 * @param type The type of the key.
 * @returns The value; `undefined` if the server cannot parse the text. It ignores the variable then.
 */
export function parseVariable(text: string, type: ValueType): Json | undefined {
  switch (type) {
    case "text":
      return text;
    case "flag":
      return TRUE_REGEXP.test(text)
        ? true
        : FALSE_REGEXP.test(text)
        ? false
        : undefined;
    case "integer":
      return isInteger(text) ? Number(text) : undefined;
    case "number":
      return NUMBER_REGEXP.test(text) ? Number(text) : undefined;
    case "list":
      return text.split(" ");
    case "object":
      return parseObject(text);
  }
}

/**
 * Writes a value as the text of a variable. Not every list has one that {@linkcode parseVariable} reads back.
 *
 * @param value The value.
 * @returns The text.
 */
export function variableText(value: Json): string {
  return Array.isArray(value)
    ? value.join(" ")
    : isJsonObject(value)
    ? JSON.stringify(value)
    : String(value);
}

function isInteger(text: string): boolean {
  if (!INTEGER_REGEXP.test(text)) return false;
  const value = BigInt(text.replace(/^\+/, ""));
  return BigInt.asIntN(INTEGER_BITS, value) === value;
}

/** The server sets only maps, and from JSON; other objects consist of settings of their own. */
function parseObject(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
