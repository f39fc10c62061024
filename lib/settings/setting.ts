/**
 * The shape of one row of the catalogue.
 *
 * @module
 */

import type { Json } from "../json.ts";
import type { Kind, Value } from "./kinds.ts";

/** Parts of the catalogue, in the order in which people read them. */
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

/** A part of the catalogue. */
export type Group = typeof GROUPS[number];

/** What a default rule may ask about the other settings. */
export interface Lookup {
  /** The value of another setting, its default included. */
  value(name: string): Value | undefined;
  /** Whether the operator gave the setting, by variable, file or link. */
  isSet(name: string): boolean;
}

/** A default that depends on other settings. */
export interface Rule<T extends Value | undefined> {
  /** The rule for people: "`true` if `SMTP_HOST` is set". */
  readonly text: string;
  /** The rule for the program. */
  readonly of: (settings: Lookup) => T;
}

/** Converts a setting's value to the server's unit and type; `undefined` writes nothing. */
export type Convert = (value: Value) => Json | undefined;

/** One place in config.json that a setting is written to. */
export interface Write {
  /** Section and key: `ServiceSettings.SiteURL`. */
  readonly path: string;
  /** The server releases that read this place, as a semver range; all, if absent. */
  readonly releases?: string;
  /** The value in the server's unit and type. As it is, if absent. */
  readonly as?: Convert;
}

/** A {@linkcode Write} that keeps its exact path and range, so that types can be checked against the server's. */
export interface Place<P extends string, R extends string> extends Write {
  /** Section and key. */
  readonly path: P;
  /** The server releases that read it. */
  readonly releases?: R;
}

/** Says that a setting has no effect in some releases. */
export interface NoEffect {
  /** The server releases without it, as a semver range. */
  readonly releases: string;
  /** The only edition that this is true of. */
  readonly edition?: "team" | "enterprise";
  /** Since when, and what replaces it. Ends the sentence "X has no effect in Mattermost N:". */
  readonly why: string;
}

/** One row of the catalogue: all that there is to know about one setting. */
export interface Setting<T extends Value = Value> {
  /** The part of the catalogue that it belongs to. */
  readonly group: Group;
  /** One line: what it is for. */
  readonly summary: string;
  /** More to know, for `app:help VARIABLE`. */
  readonly details?: string;
  /** What values it takes. */
  readonly kind: Kind<T>;
  /** The default, or the rule for it; without one the setting stays unset. */
  readonly fallback?: T | Rule<T | undefined>;
  /** A value for `app:help VARIABLE` and the sample files. */
  readonly example?: string;
  /** Never shown, and removed from the environment that the server inherits. */
  readonly secret?: true;
  /** Made once at the first start where it is not given, and kept from then on. */
  readonly generated?: true;
  /** Where it goes in config.json. */
  readonly writes?: readonly Write[];
  /** Where it is of no use. */
  readonly noEffect?: readonly NoEffect[];
}

/**
 * Declares a row and keeps its exact type.
 *
 * @param row The row.
 * @returns The row.
 */
export function setting<const S extends Setting>(row: S): S {
  return row;
}

/**
 * A place in config.json that every supported release reads, or those of a range.
 *
 * @param path Section and key.
 * @param options Range of releases and conversion.
 * @returns The write.
 */
export function at<const P extends string, const R extends string = never>(
  path: P,
  options: { readonly releases?: R; readonly as?: Convert } = {},
): Place<P, R> {
  return { path, ...options };
}

/**
 * A default that depends on other settings.
 *
 * @param text The rule for people, to be read after "Defaults to".
 * @param of The rule for the program.
 * @returns The rule.
 */
export function rule<const T extends Value | undefined>(
  text: string,
  of: (settings: Lookup) => T,
): Rule<T> {
  return { text, of };
}

/**
 * Tells a rule from a plain default.
 *
 * @param fallback The default of a row.
 * @returns Whether it is a rule.
 */
export function isRule(
  fallback: Value | Rule<Value | undefined> | undefined,
): fallback is Rule<Value | undefined> {
  return typeof fallback === "object";
}
