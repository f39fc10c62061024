/**
 * Reads files for root in directories in which the server's user can put a link or another file
 * in place of each name.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { errorCode } from "../errors.ts";
import type { Descriptors } from "./descriptors.ts";
import {
  nameOf,
  openDescriptors,
  SystemCallError,
  textOf,
} from "./descriptors.ts";
import { Errno } from "./execvp.ts";
import { MAX_SIZE, realFiles } from "./files.ts";
import { actAs } from "./identity.ts";
import { type OpenedPath, openPath } from "./open_path.ts";
import type { FileFacts, Files, Identity, OpenedFile } from "./system.ts";

/**
 * Makes file operations whose {@linkcode Files.read} and {@linkcode Files.list} have the rights of the server's user, so that
 * no link makes root read what that user cannot read. A file that only root can read is read too
 * where it would be given to that user, if the directories of the settings are named. Owners,
 * modes and links are looked at with the rights of either.
 *
 * @param user The server's user.
 * @param own The directories of the settings, the outer ones first.
 * @returns The file operations. Nothing else is different.
 */
export function filesFor(user: Identity, own?: readonly string[]): Files {
  const isRefused = (error: unknown): boolean =>
    ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
  /** What root may not look at, as on NFS or without CAP_DAC_OVERRIDE, the user may. */
  const look =
    <T>(operation: (path: string) => T): (path: string) => T => (path) => {
      try {
        return operation(path);
      } catch (error) {
        if (!isRefused(error)) throw error;
        return actAs(user, () => operation(path));
      }
    };
  const files: Files = {
    ...realFiles,
    stat: look(realFiles.stat),
    lstat: look(realFiles.lstat),
    exists: look(realFiles.exists),
    readLink: look(realFiles.readLink),
    realPath: look(realFiles.realPath),
    list(path) {
      try {
        return actAs(user, () => realFiles.list(path));
      } catch (error) {
        const names = isRefused(error) && own !== undefined
          ? listGivable(path, user, own)
          : undefined;
        if (names === undefined) throw error;
        return names;
      }
    },
    read(path, options) {
      try {
        return actAs(user, () => realFiles.read(path, options));
      } catch (error) {
        if (!isRefused(error) || own === undefined) throw error;
        const given = readGivable(path, user, own);
        if (given === MISSING) return undefined;
        if (given !== undefined) return given;
        const facts = files.stat(path);
        // Without the content, so that the caller can only explain where a link leads.
        if (facts !== undefined && files.realPath(path) !== path) {
          return { facts, bytes: undefined };
        }
        throw error;
      }
    },
  };
  return files;
}

/** A file that does not exist, in a directory that the user may not enter. */
const MISSING = Symbol("missing");

/** Reads a file that would be given to a user; `undefined` if it would not, or cannot be read. */
function readGivable(
  path: string,
  owner: Identity,
  own: readonly string[],
): OpenedFile | typeof MISSING | undefined {
  return inDirectory(
    dirname(path),
    { owner, own },
    (directory, descriptors) => {
      const name = nameOf(basename(path));
      const file = descriptors.open(directory, name, "file");
      try {
        const { type, uid, gid, mode, links, size, modified, changed, device } =
          descriptors.examine(file);
        if (type !== "file" || links > 1) return undefined;
        const facts: FileFacts = {
          ...{ isFile: true, isDirectory: false, isSymlink: false },
          ...{ uid, gid, mode, size, modified, changed, device },
        };
        const bytes = size > MAX_SIZE
          ? undefined
          : descriptors.read(file, size);
        return { facts, bytes };
      } finally {
        descriptors.close(file);
      }
    },
  );
}

/** Lists a directory that would be given to a user; `undefined` if it would not, or cannot be read. */
function listGivable(
  path: string,
  owner: Identity,
  own: readonly string[],
): readonly string[] | undefined {
  const names = inDirectory(path, { owner, own }, (directory, descriptors) => {
    const readable = descriptors.reopen(directory);
    try {
      const listing = descriptors.list(readable);
      const found: string[] = [];
      while (listing.next()) found.push(textOf(listing.name));
      return found.sort();
    } finally {
      descriptors.close(readable);
    }
  });
  return names === MISSING ? [] : names;
}

/**
 * Opens a directory in which everything would be given. Nothing else is trusted, since a path may
 * come from a link: what looks safe is any directory of root, and the link has been replaced when
 * somebody looks for it later.
 */
function inDirectory<T>(
  path: string,
  { owner, own }: { readonly owner: Identity; readonly own: readonly string[] },
  use: (directory: number, descriptors: Descriptors) => T,
): T | typeof MISSING | undefined {
  const descriptors = openDescriptors();
  let opened: OpenedPath | undefined;
  try {
    const trust = { owner, own: idsOf(own, owner, descriptors) };
    opened = openPath(path, descriptors, trust);
    if (opened.kind === "missing") return MISSING;
    if (opened.kind === "exposed") return undefined;
    return opened.isOwn ? use(opened.descriptor, descriptors) : undefined;
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    return error.errno === Errno.ENOENT ? MISSING : undefined;
  } finally {
    if (opened !== undefined && opened.kind !== "exposed") {
      descriptors.close(opened.descriptor);
    }
  }
}

/** Finds the ids of the directories that can be opened. */
function idsOf(
  own: readonly string[],
  owner: Identity,
  descriptors: Descriptors,
): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const path of own) {
    try {
      const opened = openPath(path, descriptors, { owner, own: ids });
      if (opened.kind === "exposed") continue;
      const { descriptor } = opened;
      if (opened.kind === "open") ids.add(descriptors.examine(descriptor).id);
      descriptors.close(descriptor);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
  return ids;
}
