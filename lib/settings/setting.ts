/**
 * The types and constructors of a catalogue row.
 *
 * @module
 */

import type { Json } from "../json.ts";
import type { Kind, Value } from "./kinds.ts";

/** The groups of the catalogue, in the order in which documents show them. */
export const GROUPS = [
  "Server",
  "Database",
  "Secrets",
  "Teams and users",
  "Sign-in and sessions",
  "Integrations",
  "Notifications",
  "Files",
  "Mail",
  "GitLab",
  "Rate limiting",
  "Privacy",
  "Languages",
  "Logging",
  "High availability",
  "Upgrades",
  "Image",
] as const;

/** A group of settings. */
export type Group = typeof GROUPS[number];

/** Access to other settings, for a default that depends on them. */
export interface Lookup {
  /** Returns the value of another setting, which may be its default. */
  value(name: string): Value | undefined;
  /** Checks whether the operator set another setting, by a variable, a file or a link. */
  isSet(name: string): boolean;
  /** The installed release; `undefined` as long as it is not known. */
  readonly release: string | undefined;
}

/** A default that depends on other settings. */
export interface DefaultRule<T extends Value | undefined> {
  /** A description that follows "Default:", such as "`true` if `SMTP_HOST` is set". */
  readonly text: string;
  /** Computes the default. */
  readonly compute: (settings: Lookup) => T;
}

/** Converts a setting's value to the unit and the type of the server; `undefined` means that nothing is written. */
export type Convert = (value: Value) => Json | undefined;

/** A key in config.json that a setting is written to. */
export interface Write {
  /** Section and key, such as `ServiceSettings.SiteURL`. */
  readonly path: string;
  /** The releases that read this key, as a semver range; all releases if absent. */
  readonly releases?: string;
  /** Converts the value; if absent, the value is written as it is. */
  readonly as?: Convert;
}

/** A {@linkcode Write} with literal types, so that the compiler can check it against the types in `@mattermost/types`. */
export interface TypedWrite<P extends string, R extends string> extends Write {
  /** Section and key. */
  readonly path: P;
  /** The releases that read this key, as a semver range. */
  readonly releases?: R;
}

/** Releases in which a setting has no effect. */
export interface NoEffect {
  /** The releases, as a semver range. */
  readonly releases: string;
  /** The edition that this applies to; both if absent. */
  readonly edition?: "team" | "enterprise";
  /** The reason, and what replaces the setting. It completes "X has no effect in Mattermost N: …". */
  readonly why: string;
}

/** One row of the catalogue, which declares one setting. */
export interface Setting<T extends Value = Value> {
  /** The group that it is shown in. */
  readonly group: Group;
  /** What the setting does, in one line. Names and values are in backticks. */
  readonly summary: string;
  /** Units, conditions and consequences, for `app:help VARIABLE` and docs/settings.md. */
  readonly details?: string;
  /** The kind of its values. */
  readonly kind: Kind<T>;
  /** The default or its rule; without one, the setting stays unset. */
  readonly fallback?: T | DefaultRule<T | undefined>;
  /** An example value for messages and documents. */
  readonly example?: string;
  /** The value is never shown, and its variables are removed from the server's environment. */
  readonly secret?: true;
  /** The value is generated at the first start if the operator sets none. */
  readonly generated?: true;
  /** The keys of config.json that it is written to. */
  readonly writes?: readonly Write[];
  /** The releases in which it has no effect. */
  readonly noEffect?: readonly NoEffect[];
}

/**
 * Declares a row and keeps its literal type, from which `Settings` is derived.
 *
 * @param row The row.
 * @returns The same row.
 */
export function setting<const S extends Setting>(row: S): S {
  return row;
}

/**
 * Declares a key of config.json that a setting is written to.
 *
 * @param path Section and key.
 * @param options The releases that read the key, and the conversion of the value.
 * @returns The key with its options.
 */
export function at<const P extends string, const R extends string = never>(
  path: P,
  options: { readonly releases?: R; readonly as?: Convert } = {},
): TypedWrite<P, R> {
  return { path, ...options };
}

/**
 * Declares a default that depends on other settings.
 *
 * @param text A description that follows "Default:".
 * @param compute Computes the default.
 * @returns The rule.
 */
export function defaultRule<const T extends Value | undefined>(
  text: string,
  compute: (settings: Lookup) => T,
): DefaultRule<T> {
  return { text, compute };
}

/**
 * Checks whether a default is a rule rather than a constant.
 *
 * @param fallback The default of a row.
 * @returns Whether it is a rule.
 */
export function isDefaultRule(
  fallback: Value | DefaultRule<Value | undefined> | undefined,
): fallback is DefaultRule<Value | undefined> {
  return typeof fallback === "object";
}
