/**
 * JSON values and the dotted paths of config.json (`ServiceSettings.SiteURL`).
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
