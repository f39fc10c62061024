/**
 * Where the value of a setting comes from.
 *
 * @module
 */

/** Where a value comes from. */
export type Origin =
  /** The environment variable of the setting itself. */
  | { readonly kind: "variable"; readonly name: string }
  /** The file that the `_FILE` twin names. */
  | { readonly kind: "file"; readonly name: string; readonly path: string }
  /** A variable that a Docker link or Kubernetes set. */
  | { readonly kind: "link"; readonly name: string }
  /** A service name (`mysql`, `postgres`) that resolves. */
  | { readonly kind: "service"; readonly host: string }
  /** The default of the catalogue. */
  | { readonly kind: "default" }
  /** Made by us at the first start and kept since. */
  | { readonly kind: "generated" }
  /** Edited on disk or in the System Console since our last write. */
  | { readonly kind: "console" };

/**
 * Tells whether the operator asked for the value, so that it wins over an edit on disk.
 *
 * @param origin Where the value comes from.
 * @returns `true` for variables, files, links and service names.
 */
export function isExplicit(origin: Origin): boolean {
  return !["default", "generated", "console"].includes(origin.kind);
}

/**
 * Says where a value comes from, for people.
 *
 * @param origin Where the value comes from.
 * @returns A short phrase, such as `variable DB_HOST`.
 */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "variable":
      return `variable ${origin.name}`;
    case "file":
      return `${origin.name} (${origin.path})`;
    case "link":
      return `link variable ${origin.name}`;
    case "service":
      return `service name ${origin.host}`;
    case "default":
      return "default";
    case "generated":
      return "generated";
    case "console":
      return "kept from config.json";
  }
}
