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
  const isInGroup = gid === identity.gid ||
    identity.groups?.includes(gid) === true;
  const shift = uid === identity.uid ? 6 : isInGroup ? 3 : 0;
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

const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * Tells whether nobody but root can create, rename or remove the entries of a directory. The bits
 * of the group include those of an access control list: acl(5).
 *
 * @param directory Owner and mode of the directory.
 * @returns Whether its entries stay as they are.
 */
export function isOnlyRoots(
  { uid, mode }: Pick<FileFacts, "uid" | "mode">,
): boolean {
  return uid === 0 && (mode & GROUP_OR_OTHERS_WRITE) === 0;
}

/**
 * Tells whether nobody but root can put something else in place of an entry.
 *
 * @param directory Owner and mode of the directory.
 * @param entry The owner of the entry; `undefined` if it does not exist.
 * @returns Whether the name keeps its meaning.
 */
export function isSafeName(
  directory: Pick<FileFacts, "uid" | "mode">,
  entry: Pick<FileFacts, "uid"> | undefined,
): boolean {
  return isOnlyRoots(directory) ||
    directory.uid === 0 && (directory.mode & STICKY) !== 0 && entry?.uid === 0;
}

/**
 * Tells whether a directory may be given to a user although somebody else could put another one
 * in its place: if it could only be one that is not worth more.
 *
 * @param directory Owner and mode of the directory that it is in, and whether everything in that is the user's anyway.
 * @param entry The owner of the directory to give.
 * @param user The user.
 * @returns Whether nobody gains anything.
 */
export function isHarmlessName(
  directory: Pick<FileFacts, "uid" | "mode"> & { readonly isOwn: boolean },
  entry: Pick<FileFacts, "uid">,
  user: Pick<Identity, "uid">,
): boolean {
  return directory.isOwn || entry.uid === user.uid ||
    // Only the owner of both can put another one there, and only one that is not root's.
    entry.uid !== 0 && entry.uid === directory.uid &&
      (directory.mode & GROUP_OR_OTHERS_WRITE) === 0;
}

/** A mounted file system. */
export interface Mount {
  /** The mount point. */
  readonly path: string;
  /** Whether it is mounted read-only. */
  readonly readOnly: boolean;
  /** Whether nothing on it can be executed. */
  readonly noExec: boolean;
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
    const words = options.split(",");
    return [{
      path: unescapeOctal(mountPoint),
      readOnly: words.includes("ro"),
      noExec: words.includes("noexec"),
    }];
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
