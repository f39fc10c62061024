/**
 * Makes the directories that the server writes to, and gives it what is not its own.
 *
 * Only root gives files away. What belongs to the server already is not walked
 * through, so that a volume with a million files costs nothing at a restart.
 *
 * @module
 */

import type { Owner } from "../config/replace.ts";
import { makeDirectories } from "../config/replace.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { System } from "../system.ts";

/** What this needs of the world. */
export type World = Pick<System, "files">;

/**
 * Makes a directory that is not there, and gives it and what is in it to the server.
 * Who is not root may fail here: what the server cannot write is found and told by
 * the doctor, which knows the remedies.
 *
 * @param path The directory.
 * @param world Files.
 * @param owner The server's user, if we are root; otherwise nothing is given away.
 * @returns How many files and directories changed hands.
 * @throws {EntrypointError} With code 73 where root cannot make it or give it away.
 */
export function provideDirectory(
  path: string,
  { files }: World,
  owner: Owner | undefined,
): number {
  try {
    makeDirectories(files, path, owner);
    return owner === undefined ? 0 : give(path, files, owner);
  } catch (error) {
    if (owner === undefined) return 0;
    throw cannotProvide(path, error, owner);
  }
}

/** Walks only into directories that were someone else's: the rest was walked when it changed hands. */
function give(path: string, files: System["files"], owner: Owner): number {
  const facts = files.lstat(path);
  // A link's owner decides nothing, and following it would give away what is elsewhere.
  if (facts === undefined || facts.isSymlink) return 0;
  const isTheirs = facts.uid === owner.uid && facts.gid === owner.gid;
  let count = 0;
  if (facts.isDirectory) {
    for (const name of files.list(path)) {
      const child = `${path}/${name}`;
      const childFacts = files.lstat(child);
      const known = childFacts?.uid === owner.uid &&
        childFacts.gid === owner.gid;
      if (!known || !isTheirs) count += give(child, files, owner);
    }
  }
  // Last, so that a walk that is interrupted starts again at the next start.
  if (!isTheirs) {
    files.chown(path, owner.uid, owner.gid);
    count++;
  }
  return count;
}

function cannotProvide(
  path: string,
  error: unknown,
  owner: Owner,
): EntrypointError {
  const code = errorCode(error) ?? "unknown error";
  const remedies: Readonly<Record<string, string>> = {
    EROFS:
      `The root file system is read-only: mount a volume or a tmpfs at ${path} (--tmpfs ${path})`,
    ENOSPC: `The disk is full: make room for ${path}`,
  };
  return new EntrypointError(
    `The directory ${path} cannot be made or given to the server's user ${owner.uid}:${owner.gid} (${code})`,
    {
      code: ExitCode.cannotWrite,
      remedy: remedies[code] ??
        `On the host: chown -R ${owner.uid}:${owner.gid} the directory that is mounted at ${path}, or add CAP_CHOWN`,
      cause: error,
    },
  );
}
