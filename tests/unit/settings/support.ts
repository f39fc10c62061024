/**
 * Shorthands of the tests of settings.
 *
 * @module
 */

import type { Assignment } from "../../../lib/config/assignment.ts";
import { assignments } from "../../../lib/config/assignments.ts";
import type { Resolution, Sources } from "../../../lib/settings/resolve.ts";
import { resolve } from "../../../lib/settings/resolve.ts";
import { DATA_SOURCE, LOG_LOCATION } from "./catalogue_cases.ts";

/**
 * Resolves an environment.
 *
 * @param env The environment.
 * @param more Other sources; files are missing by default.
 * @returns The resolution.
 */
export function resolved(
  env: Readonly<Record<string, string>>,
  more: Partial<Omit<Sources, "env">> = {},
): Resolution {
  return resolve({ env, readFile: missing, ...more });
}

/**
 * The assignments for a release.
 *
 * @param resolution The settings.
 * @param release The release.
 * @returns All that would be written.
 */
export function written(
  resolution: Pick<Resolution, "settings" | "origins">,
  release: string,
): Assignment[] {
  return assignments(resolution, {
    release,
    dataSource: DATA_SOURCE,
    adapter: resolution.settings.DB_ADAPTER ?? "mysql",
    logLocation: LOG_LOCATION,
  });
}

/**
 * Reads files from a table.
 *
 * @param table Text by path; a code instead of a text is thrown as the system's error.
 * @returns The reader.
 */
export function reader(
  table: Readonly<Record<string, string | { readonly code: string }>>,
): (path: string) => Uint8Array {
  return (path) => {
    const entry = Object.hasOwn(table, path) ? table[path] : undefined;
    if (entry === undefined) return missing();
    if (typeof entry === "string") return new TextEncoder().encode(entry);
    throw failure(entry.code);
  };
}

function missing(): never {
  throw failure("ENOENT");
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
