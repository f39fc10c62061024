/**
 * Opens a directory for root one name after another, so that nobody else can decide which
 * directory it is.
 *
 * @module
 */

import type { Descriptors, Name } from "./descriptors.ts";
import { nameOf, SystemCallError } from "./descriptors.ts";
import { Errno } from "./execvp.ts";
import { isHarmlessName, isOnlyRoots, isSafeName } from "./permissions.ts";
import type { Identity } from "./system.ts";

/** The limit of Linux: https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const MAX_LINKS = 40;

/** The result of opening a path. */
export type OpenedPath =
  | {
    readonly kind: "open";
    readonly descriptor: number;
    /** Whether it is one of our directories, or inside one. */
    readonly isOwn: boolean;
  }
  | {
    readonly kind: "missing";
    /** The last directory that exists. */
    readonly descriptor: number;
    /** The names that are missing in it. */
    readonly names: readonly string[];
    /** Whether nobody but root can create these names. */
    readonly isSafe: boolean;
  }
  | {
    readonly kind: "exposed";
    /** The directory in which somebody else could replace the next name. */
    readonly directory: string;
  };

/** What may be trusted besides root. */
export interface Trust {
  /** The server's user. */
  readonly owner: Identity;
  /** The ids of directories whose whole content is the server's. */
  readonly own: ReadonlySet<string>;
}

/** The facts that are kept of a directory, since the next one is examined with the same object. */
interface Place {
  readonly descriptor: number;
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly mount: number | undefined;
  /** Whether it is one of our directories, or inside one. */
  readonly isOwn: boolean;
}

/**
 * Opens a directory. Links are followed only where nobody but root can change them. A name that
 * somebody else can change is accepted only if it cannot lead to a directory that this user
 * could not have had anyway.
 *
 * @param path An absolute path.
 * @param descriptors The system calls.
 * @param trust The server's user, and our directories.
 * @returns The directory, to be closed by the caller.
 * @throws {SystemCallError} If a part of the path is not a directory or cannot be examined.
 */
export function openPath(
  path: string,
  descriptors: Descriptors,
  trust: Trust,
): OpenedPath {
  const rest = partsOf(path);
  let links = 0;
  let isExposed = false;
  let at = enter(descriptors.openRoot(), "/");
  let keep: number | undefined;
  try {
    for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
      const next = tryOpen(at.descriptor, nameOf(part));
      if (next === undefined) {
        keep = at.descriptor;
        const isSafe = !isExposed && isOnlyRoots(at);
        const names = [part, ...rest];
        return { kind: "missing", descriptor: keep, names, isSafe };
      }
      const facts = descriptors.examine(next);
      const isSafe = isSafeName(at, facts);
      const isLink = facts.type === "link";
      const isLast = rest.length === 0;
      // Below a name that somebody else can change, only the last one may be another mount.
      const isTrusted = isSafe && (!isExposed || !isLink) ||
        !isLink && part !== ".." && isHarmlessName(at, facts, trust.owner) &&
          (isLast || facts.mount === at.mount);
      isExposed ||= !isSafe;
      if (!isTrusted) {
        descriptors.close(next);
        return { kind: "exposed", directory: at.path };
      }
      if (!isLink) {
        const inside = at;
        at = enter(next, join(at.path, part), inside.isOwn && part !== "..");
        descriptors.close(inside.descriptor);
        continue;
      }
      const target = descriptors.readLink(next);
      descriptors.close(next);
      if (++links > MAX_LINKS) throw new SystemCallError("openat", Errno.ELOOP);
      rest.unshift(...partsOf(target));
      if (!target.startsWith("/")) continue;
      const old = at.descriptor;
      at = enter(descriptors.openRoot(), "/");
      descriptors.close(old);
    }
    keep = at.descriptor;
    return { kind: "open", descriptor: keep, isOwn: at.isOwn };
  } finally {
    if (keep === undefined) descriptors.close(at.descriptor);
  }

  function enter(descriptor: number, path: string, isInside = false): Place {
    const { type, uid, mode, mount, id } = descriptors.examine(descriptor);
    if (type !== "directory") {
      descriptors.close(descriptor);
      throw new SystemCallError("openat", Errno.ENOTDIR);
    }
    const isOwn = isInside || trust.own.has(id);
    return { descriptor, path, uid, mode, mount, isOwn };
  }

  function tryOpen(directory: number, name: Name): number | undefined {
    try {
      return descriptors.open(directory, name, "path");
    } catch (error) {
      if (error instanceof SystemCallError && error.errno === Errno.ENOENT) {
        return undefined;
      }
      throw error;
    }
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}
