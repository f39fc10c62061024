/**
 * Finds out where a path leads, and whether somebody other than root can change that.
 *
 * Root must not trust a name that somebody else can change between a check and its use: what
 * was a directory can become a link to `/etc` in between.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { EntrypointError, ExitCode, trySystemCall } from "../../errors.ts";
import type { FileFacts, Identity, System } from "../../os/system.ts";
import {
  inaccessibleParent,
  isHarmlessName,
  isSafeName,
  MAY_ENTER,
  MAY_READ,
  MAY_WRITE,
  permits,
} from "../../os/permissions.ts";
import { shellWord } from "../../shell.ts";

/** The file operations that resolve a path. */
export type LinkFiles = Pick<System["files"], "lstat" | "readLink">;

/** The limit of Linux: https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const MAX_LINKS = 40;

/** In a directory with this bit, only the owner of an entry can rename or remove it (sticky bit, chmod(1)). */
const STICKY = 0o1000;

/** Where a path leads. */
export interface ResolvedPath {
  /**
   * The path without symbolic links, which may end in names that do not exist yet.
   * `undefined` if somebody other than root can change where the original path leads.
   */
  readonly path: string | undefined;
  /** The first symbolic link that somebody other than root can change, if there is one. */
  readonly link: string | undefined;
  /** The first directory in which somebody other than root can replace the next name, if there is one. */
  readonly exposed: string | undefined;
  /** Whether root could give the directory to the server's user, or create it, without risk. */
  readonly isGivable: boolean;
}

/** Decides from the facts of a directory and of an entry, if there is one, whether the name keeps its meaning. */
export type NameCheck = (
  directory: FileFacts,
  entry: FileFacts | undefined,
) => boolean;

/** What root may give: the server's user, and the directories whose whole content is its own. */
export interface Ownership {
  /** The server's user. */
  readonly user: Identity;
  /** The directories of the settings. */
  readonly own: readonly string[];
  /** Decides whether a name keeps its meaning; by default if only root can change it. */
  readonly isSafe?: NameCheck;
}

/**
 * Resolves a path for root. A name is safe if its directory belongs to root and nobody else can
 * write there; in a sticky directory such as `/tmp`, only if it belongs to root as well.
 *
 * @param path An absolute path.
 * @param files The file system.
 * @param ownership What root may give, for {@linkcode ResolvedPath.isGivable}.
 * @returns Where the path leads.
 * @throws The system's error if a part of the path cannot be examined.
 */
export function resolveForRoot(
  path: string,
  files: LinkFiles,
  ownership?: Ownership,
): ResolvedPath {
  const rest = partsOf(path);
  let at = "/";
  let links = 0;
  let exposed: string | undefined;
  let isOwn = false;
  let isGivable = true;
  const isSafe: NameCheck = ownership?.isSafe ?? isSafeName;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, part);
    const facts = files.lstat(next);
    const directory = files.lstat(at);
    isOwn ||= ownership?.own.includes(at) === true;
    if (directory === undefined || !isSafe(directory, facts)) {
      exposed ??= at;
      isGivable &&= directory !== undefined && facts !== undefined &&
        ownership !== undefined &&
        isHarmlessName({ ...directory, isOwn }, facts, ownership.user);
    }
    if (facts === undefined) {
      at = join(next, ...rest);
      break;
    }
    if (!facts.isSymlink) {
      at = next;
      continue;
    }
    if (exposed !== undefined || ++links > MAX_LINKS) {
      return { path: undefined, link: next, exposed, isGivable: false };
    }
    const target = files.readLink(next);
    if (target.startsWith("/")) at = "/";
    rest.unshift(...partsOf(target));
  }
  return {
    path: exposed === undefined ? at : undefined,
    link: undefined,
    exposed,
    isGivable,
  };
}

/**
 * Tells whether a user can decide where a path leads.
 *
 * @param path An absolute path.
 * @param user The user, with its groups.
 * @param files The file system.
 * @returns Whether it can replace a part of the path, or a link that the path leads through.
 */
export function canRedirect(
  path: string,
  user: Identity,
  files: LinkFiles,
): boolean {
  const isSafe: NameCheck = (directory, entry) => {
    // Its owner can change its mode.
    if (directory.uid === user.uid) return false;
    const bits = MAY_WRITE | MAY_ENTER;
    if (!permits(directory, user, { bits })) return true;
    const isSticky = (directory.mode & STICKY) !== 0;
    return isSticky && entry !== undefined && entry.uid !== user.uid;
  };
  return trySystemCall(() =>
    resolveForRoot(path, files, { user, own: [], isSafe }).path !== undefined
  ) === false;
}

/** A symbolic link through which root reads what the server's user cannot read. */
export interface UnsafeLink {
  /** The link. */
  readonly link: string;
  /** Where the path leads. */
  readonly target: string;
  /** The file or directory that the server's user may not read or enter. */
  readonly closed: string;
}

/** The process that reads a file, and the user that the file is for. */
export interface LinkReader {
  /** The user of this process, and the file system. */
  readonly system: Pick<System, "uid" | "files" | "supplementaryGroups">;
  /** The server's user, who may have made a link on the way. */
  readonly user: Identity;
}

/**
 * Finds a link that the server's user may have made to a file that this user cannot read.
 * Nothing is found unless this process runs as another user, which only root can.
 *
 * @param path The path that was opened.
 * @param facts The facts of the file that was opened.
 * @param reader The process that opened it. Only owner and mode decide what a user can read.
 * @returns The link; `undefined` if the path is safe.
 */
export function findUnsafeLink(
  path: string,
  facts: FileFacts,
  { system, user: { uid, gid } }: LinkReader,
): UnsafeLink | undefined {
  const { files } = system;
  if (uid === system.uid) return undefined;
  const { link } = resolveForRoot(path, files);
  if (link === undefined) return undefined;
  const user = { uid, gid, groups: system.supplementaryGroups() };
  const target = files.realPath(path);
  const closed = inaccessibleParent(target, user, (each) => files.stat(each)) ??
    (permits(facts, user, { bits: MAY_READ }) ? undefined : target);
  return closed === undefined ? undefined : { link, target, closed };
}

/**
 * Explains why config.json must not be read through a link.
 *
 * @param path The path that was opened.
 * @param facts The facts of the file that was opened.
 * @param reader The process that opened it.
 * @returns An error with code 65; `undefined` if the path is safe.
 */
export function unsafeLinkError(
  path: string,
  facts: FileFacts,
  reader: LinkReader,
): EntrypointError | undefined {
  const found = findUnsafeLink(path, facts, reader);
  if (found === undefined) return undefined;
  const { link, target, closed } = found;
  const owner = reader.system.files.stat(closed);
  const user = `${reader.user.uid}:${reader.user.gid}`;
  const reason = owner === undefined ? "" : `: ${describeOwner(closed, owner)}`;
  return new EntrypointError(
    `${path} leads through the symbolic link ${link} to ${target}, which user ${user} may not read${reason}`,
    {
      code: ExitCode.badConfig,
      remedy: `rm ${
        shellWord(link)
      }   # or, if you made the link, let user ${user} read its target`,
    },
  );
}

/**
 * Describes who owns a file or directory.
 *
 * @param path The path.
 * @param facts Its owner and mode.
 * @returns A clause such as `/data belongs to 0:0 with mode 0755`.
 */
export function describeOwner(
  path: string,
  { uid, gid, mode }: Pick<FileFacts, "uid" | "gid" | "mode">,
): string {
  const octal = mode.toString(8).padStart(4, "0");
  return `${path} belongs to ${uid}:${gid} with mode ${octal}`;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
