/**
 * Checks at compile time that today's server knows every path that the catalogue writes for it.
 *
 * Paths with an upper bound of releases are of the past and are not looked at.
 * A path that is wrong shows up in the error of the type checker.
 *
 * @module
 */

import type { AdminConfig } from "@mattermost/types/config";
import type { CATALOGUE } from "../../../lib/settings/catalogue.ts";

/** Every `Section.Key` of today's server. */
export type ServerPath = {
  [S in keyof AdminConfig & string]: `${S}.${keyof AdminConfig[S] & string}`;
}[keyof AdminConfig & string];

type Catalogue = typeof CATALOGUE;

/** The path of a write, unless its releases have an upper bound. */
type PresentPath<W> = W extends { readonly path: infer P }
  ? W extends { readonly releases?: infer R }
    ? [Extract<R, `${string}<${string}`>] extends [never] ? P : never
  : P
  : never;

/** Every path that the catalogue writes for today's server. */
export type CataloguePath = {
  [N in keyof Catalogue]: Catalogue[N] extends
    { readonly writes: readonly (infer W)[] } ? PresentPath<W> : never;
}[keyof Catalogue];

/** `true` where there is no such path, else the paths. */
type None<P> = [P] extends [never] ? true : P;

/** The paths that the server does not know. */
export const UNKNOWN: None<Exclude<CataloguePath, ServerPath>> = true;

/** The check is able to find something: a path of the past is unknown, and one of today is looked at. */
export const CONTROL: readonly [
  None<Exclude<"TeamSettings.EnableTeamCreation", ServerPath>>,
  None<
    Exclude<
      | "TeamSettings.SiteName"
      | "ServiceSettings.SiteURL"
      | "ServiceSettings.SessionLengthWebInHours",
      CataloguePath
    >
  >,
  None<Extract<"TeamSettings.EnableTeamCreation", CataloguePath>>,
] = ["TeamSettings.EnableTeamCreation", true, true];

/** The paths whose values are made from several settings; a test compares them with the program's. */
export const DERIVED: readonly ServerPath[] = [
  "SqlSettings.DriverName",
  "SqlSettings.DataSource",
  "LogSettings.FileLocation",
  "EmailSettings.ConnectionSecurity",
];
