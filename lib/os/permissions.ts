/**
 * Evaluates permission bits, the table of mounts and user namespaces.
 *
 * Pure: it works on metadata of files and on texts of `/proc`.
 *
 * @module
 */

import { dirname } from "node:path";
import type { FileFacts, Identity } from "./system.ts";

/** The permission to read a file, or to list a directory. */
export const MAY_READ = 0o4;
/** The permission to write a file, or to change the entries of a directory. */
export const MAY_WRITE = 0o2;
/** The permission to execute a file, or to access the entries of a directory. */
export const MAY_ENTER = 0o1;

/**
 * Checks whether owner and mode of a file grant permissions to a user. It does not consider
 * access control lists and security modules.
 *
 * @param facts Owner and mode.
 * @param identity The user; root has all permissions.
 * @param bits {@linkcode MAY_READ}, {@linkcode MAY_WRITE} and {@linkcode MAY_ENTER}, combined with `|`.
 * @returns Whether the user has all of these permissions.
 */
export function permits(
  { uid, gid, mode }: Pick<FileFacts, "uid" | "gid" | "mode">,
  identity: Identity,
  { bits }: { readonly bits: number },
): boolean {
  if (identity.uid === 0) return true;
  const shift = uid === identity.uid ? 6 : gid === identity.gid ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}

/**
 * Finds the parent directory that keeps a user from reaching a path.
 *
 * @param path An absolute path without symbolic links.
 * @param identity The user.
 * @param stat Gets the metadata of a directory.
 * @returns The topmost directory above the path that the user may not enter; `undefined` if
 * there is none.
 */
export function inaccessibleParent(
  path: string,
  identity: Identity,
  stat: (path: string) => FileFacts | undefined,
): string | undefined {
  const parents: string[] = [];
  for (let part = path; part !== dirname(part); part = dirname(part)) {
    parents.unshift(dirname(part));
  }
  return parents.find((parent) => {
    const facts = stat(parent);
    return facts !== undefined &&
      !permits(facts, identity, { bits: MAY_ENTER });
  });
}

/** A mounted file system. */
export interface Mount {
  /** The mount point. */
  readonly path: string;
  /** Whether it is mounted read-only. */
  readonly readOnly: boolean;
}

/**
 * Finds the file system that a path is on.
 *
 * @param table The text of `/proc/self/mounts` (fstab(5)).
 * @param path An absolute path without symbolic links.
 * @returns The mount; `undefined` if the table has no entry for it.
 */
export function mountOf(table: string, path: string): Mount | undefined {
  const mounts = table.split("\n").flatMap((line): Mount[] => {
    const [, mountPoint = "", , options = ""] = line.split(" ");
    if (!mountPoint.startsWith("/")) return [];
    const readOnly = options.split(",").includes("ro");
    return [{ path: unescapeOctal(mountPoint), readOnly }];
  });
  const enclosing = mounts.filter((mount) =>
    mount.path === "/" || path === mount.path ||
    path.startsWith(`${mount.path}/`)
  );
  // A later mount covers an earlier one at the same mount point.
  return enclosing.reduce<Mount | undefined>(
    (innermost, mount) =>
      innermost === undefined || mount.path.length >= innermost.path.length
        ? mount
        : innermost,
    undefined,
  );
}

/** A range of ids: the first one in the namespace, the first one outside, and the number of ids. */
type IdRange = readonly [inside: number, outside: number, count: number];

/**
 * Converts an id of this user namespace to the id on the host.
 *
 * @param map The text of `/proc/self/uid_map` (user_namespaces(7)).
 * @param id The id in this namespace.
 * @returns The id on the host; `undefined` if the namespace does not map it. Without a
 * namespace it is the same id.
 */
export function hostId(map: string, id: number): number | undefined {
  const ranges = map.split("\n").map((line) =>
    line.trim().split(/\s+/).map(Number) as unknown as IdRange
  ).filter((range) => range.length === 3);
  if (ranges.length === 0) return id;
  const range = ranges.find(([inside, , count]) =>
    id >= inside && id < inside + count
  );
  return range === undefined ? undefined : range[1] + id - range[0];
}

function unescapeOctal(text: string): string {
  return text.replace(
    /\\([0-7]{3})/g,
    (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
