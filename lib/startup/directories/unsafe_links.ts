/**
 * Where a name leads, and who can change that.
 *
 * Root must not trust a name that somebody else can change between two looks at it: what
 * was a directory may be a link to `/etc` a moment later.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { FileFacts, Identity, System } from "../../os/system.ts";
import { closedAbove, MAY_READ, permits } from "../../os/permissions.ts";

/** What this needs of the files. */
export type Looks = Pick<System["files"], "lstat" | "readLink">;

/** How many links are followed: as many as the kernel does. */
const MOST_LINKS = 40;

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** A name, followed as far as only root decides where it leads. */
export interface Way {
  /**
   * The path without symbolic links; what is missing at its end can be made there.
   * `undefined` where somebody other than root can change where the name leads.
   */
  readonly path: string | undefined;
  /** The first link on the way that somebody other than root can change, if there is one. */
  readonly link: string | undefined;
  /** The first directory on the way in which somebody other than root can exchange the next name. */
  readonly exposed: string | undefined;
}

/**
 * Follows a name through directories that belong to root and that nobody else can write to.
 * In a sticky directory such as `/tmp`, what belongs to root cannot be exchanged either.
 *
 * @param path An absolute path.
 * @param files Files.
 * @returns Where it leads.
 * @throws The system's error where something cannot be looked at.
 */
export function follow(path: string, files: Looks): Way {
  const rest = partsOf(path);
  let at = "/";
  let links = 0;
  let exposed: string | undefined;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, part);
    const facts = files.lstat(next);
    if (!belongsToRoot(files.lstat(at), facts)) exposed ??= at;
    if (facts === undefined) {
      at = join(next, ...rest);
      break;
    }
    if (!facts.isSymlink) {
      at = next;
      continue;
    }
    if (exposed !== undefined || ++links > MOST_LINKS) {
      return { path: undefined, link: next, exposed };
    }
    const target = files.readLink(next);
    if (target.startsWith("/")) at = "/";
    rest.unshift(...partsOf(target));
  }
  return {
    path: exposed === undefined ? at : undefined,
    link: undefined,
    exposed,
  };
}

/** A link by which somebody gets root to read what it may not read itself. */
export interface UnsafeLink {
  /** The link. */
  readonly link: string;
  /** Where the path leads. */
  readonly target: string;
  /** The file or directory that is closed to the user. */
  readonly closed: string;
}

/**
 * Tells whether a user may have made the link that root was led by, to a file that the
 * user could not read itself.
 *
 * @param path The name that was opened.
 * @param facts The facts of the file that was opened.
 * @param options Files, and the user; owner and mode alone decide.
 * @returns What is wrong; `undefined` where nothing is.
 */
export function findUnsafeLink(
  path: string,
  facts: FileFacts,
  { files, identity }: {
    readonly files: Looks & Pick<System["files"], "realPath" | "stat">;
    readonly identity: Identity;
  },
): UnsafeLink | undefined {
  const { link } = follow(path, files);
  if (link === undefined) return undefined;
  const target = files.realPath(path);
  const closed = closedAbove(target, identity, (each) => files.stat(each)) ??
    (permits(facts, identity, { bits: MAY_READ }) ? undefined : target);
  return closed === undefined ? undefined : { link, target, closed };
}

function belongsToRoot(
  directory: FileFacts | undefined,
  entry: FileFacts | undefined,
): boolean {
  if (directory?.uid !== 0) return false;
  if ((directory.mode & OTHERS_WRITE) === 0) return true;
  return (directory.mode & STICKY) !== 0 && entry?.uid === 0;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
