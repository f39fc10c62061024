/**
 * JSON values, and the dotted paths of config.json (`ServiceSettings.SiteURL`).
 *
 * The server reads the keys of config.json in any letter case, and of several spellings of
 * one key the last one counts: https://pkg.go.dev/encoding/json#Unmarshal.
 *
 * @module
 */

/** Any JSON value. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | JsonObject;

/** A JSON object. */
export interface JsonObject {
  /** The value of a key. */
  readonly [key: string]: Json;
}

/**
 * Tells a JSON object from the other values.
 *
 * @param value Any value.
 * @returns Whether it is an object and no array.
 */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A key, or a path, as the server compares it.
 *
 * @param key The key in any letter case.
 * @returns Its lower case.
 */
export function foldKey(key: string): string {
  return key.toLowerCase();
}

/**
 * The keys of an object that the server takes for the same one.
 *
 * @param object A section, or the configuration.
 * @param key The key in any letter case.
 * @returns The keys as they are written, in their order; the server reads the last one.
 */
export function spellings(object: JsonObject, key: string): readonly string[] {
  const folded = foldKey(key);
  // Most keys differ in their length already.
  return Object.keys(object).filter((each) =>
    each.length === key.length && foldKey(each) === folded
  );
}

/**
 * Looks a path up as the server does.
 *
 * @param root The configuration.
 * @param path Section and key, in any letter case.
 * @returns The value; `undefined` where there is none, or `null`.
 */
export function valueAt(root: Json, path: string): Json | undefined {
  let value: Json | undefined = root;
  for (const key of path.split(".")) {
    if (!isJsonObject(value)) return undefined;
    const name = keysOf(value).get(foldKey(key));
    value = name === undefined ? undefined : value[name];
  }
  return value ?? undefined;
}

/** The keys that the server reads, by what it compares; sections are looked at over and over. */
const KEYS = new WeakMap<JsonObject, ReadonlyMap<string, string>>();

function keysOf(object: JsonObject): ReadonlyMap<string, string> {
  const known = KEYS.get(object);
  if (known !== undefined) return known;
  const keys = new Map<string, string>();
  for (const key of Object.keys(object)) keys.set(foldKey(key), key);
  KEYS.set(object, keys);
  return keys;
}
