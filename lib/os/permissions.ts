/**
 * What the kernel tells about who may write where: permission bits, mounts and
 * user namespaces.
 *
 * Pure: it gets facts and texts of `/proc`, and tries nothing.
 *
 * @module
 */

import { dirname } from "node:path";
import type { FileFacts, Identity } from "./system.ts";

/** Bits of one of the three classes of a mode. */
export const MAY_READ = 0o4;
/** The bit that lets a file be written, and a directory be changed. */
export const MAY_WRITE = 0o2;
/** The bit that lets a file be run and a directory be entered. */
export const MAY_ENTER = 0o1;

/**
 * Decides by owner and mode alone: access lists and security modules are not asked.
 *
 * @param facts Owner and mode.
 * @param identity Who wants to; 0 may everything.
 * @param bits {@linkcode MAY_READ}, {@linkcode MAY_WRITE}, {@linkcode MAY_ENTER}, or several.
 * @returns Whether the bits permit it.
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
 * Finds the directory on the way to a path that a user may not enter.
 *
 * @param path A path without symbolic links.
 * @param identity The user.
 * @param stat Gives the facts of a directory.
 * @returns The first one whose owner and mode forbid it; `undefined` where there is none.
 */
export function closedAbove(
  path: string,
  identity: Identity,
  stat: (path: string) => FileFacts | undefined,
): string | undefined {
  const above: string[] = [];
  for (let part = path; part !== dirname(part); part = dirname(part)) {
    above.unshift(dirname(part));
  }
  return above.find((part) => {
    const facts = stat(part);
    return facts !== undefined &&
      !permits(facts, identity, { bits: MAY_ENTER });
  });
}

/** A mounted file system. */
export interface Mount {
  /** Where it is mounted. */
  readonly path: string;
  /** Whether nobody can write there. */
  readonly readOnly: boolean;
}

/**
 * Finds the file system that a path is on.
 *
 * @param table The text of `/proc/self/mounts` (fstab(5)).
 * @param path An absolute path without symbolic links.
 * @returns The mount; `undefined` where the table tells nothing.
 */
export function mountOf(table: string, path: string): Mount | undefined {
  const mounts = table.split("\n").flatMap((line): Mount[] => {
    const [, place = "", , options = ""] = line.split(" ");
    if (!place.startsWith("/")) return [];
    const readOnly = options.split(",").includes("ro");
    return [{ path: unescapeOctal(place), readOnly }];
  });
  const around = mounts.filter((mount) =>
    mount.path === "/" || path === mount.path ||
    path.startsWith(`${mount.path}/`)
  );
  // Of two on the same place the later one covers the earlier one.
  return around.reduce<Mount | undefined>(
    (best, mount) =>
      best === undefined || mount.path.length >= best.path.length
        ? mount
        : best,
    undefined,
  );
}

/** A range of ids: inside, outside, and how many. */
type IdRange = readonly [inside: number, outside: number, count: number];

/**
 * Translates an id of this user namespace to the host's.
 *
 * @param map The text of `/proc/self/uid_map` (user_namespaces(7)).
 * @param id The id in here.
 * @returns The id out there, the same without a namespace; `undefined` where it has none.
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
