/**
 * JSON values, and the dotted paths of config.json (`ServiceSettings.SiteURL`).
 *
 * The server ignores the letter case of keys in config.json. If a key occurs several times,
 * the last one counts: https://pkg.go.dev/encoding/json#Unmarshal.
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
 * Checks whether a value is a JSON object.
 *
 * @param value Any value.
 * @returns Whether it is an object, and neither an array nor `null`.
 */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Converts a key to the form in which keys are compared.
 *
 * @param key A key or a path, in any letter case.
 * @returns The key in lower case.
 */
export function foldKey(key: string): string {
  return key.toLowerCase();
}

/**
 * Finds the keys of an object that differ from a key in letter case only.
 *
 * @param object The configuration, or a section of it.
 * @param key The key, in any letter case.
 * @returns The keys as the object has them, in its order; the server reads the last one.
 */
export function matchingKeys(
  object: JsonObject,
  key: string,
): readonly string[] {
  const folded = foldKey(key);
  // The length is compared first, because that is faster and most keys differ in it.
  return Object.keys(object).filter((each) =>
    each.length === key.length && foldKey(each) === folded
  );
}

/**
 * Reads the value at a path, as the server does.
 *
 * @param root The configuration.
 * @param path Section and key, in any letter case.
 * @returns The value; `undefined` if it is absent or `null`.
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

/** The keys of each object by their lower case, cached because the same sections are read many times. */
const KEYS = new WeakMap<JsonObject, ReadonlyMap<string, string>>();

function keysOf(object: JsonObject): ReadonlyMap<string, string> {
  const cached = KEYS.get(object);
  if (cached !== undefined) return cached;
  const keys = new Map<string, string>();
  for (const key of Object.keys(object)) keys.set(foldKey(key), key);
  KEYS.set(object, keys);
  return keys;
}
