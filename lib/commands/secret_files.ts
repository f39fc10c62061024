/**
 * The files that `app:secrets --write` and `app:config --export --write` make: each is new, only its
 * owner can read it, and all of them are written or none. Root writes as the server's user where
 * somebody else can change names.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import { attempt, syncDirectory } from "../config/replace_file.ts";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  trySystemCall,
} from "../errors.ts";
import { isOnlyRoots } from "../os/permissions.ts";
import type { System } from "../os/system.ts";
import { resolve } from "../settings/resolve.ts";
import {
  becomeServerUser,
  requireChangeOfUser,
} from "../startup/become_user.ts";
import type { Context } from "../startup/context.ts";
import { resolveForRoot } from "../startup/directories/unsafe_links.ts";
import { sourcesOf } from "../startup/setting_sources.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";

/** A file with secrets. */
export interface SecretFile {
  /** Its name, without a directory. */
  readonly name: string;
  /** Its content. */
  readonly content: string;
}

/**
 * Writes all files or none.
 *
 * @param secrets The files.
 * @param directory The directory, which is created if it does not exist.
 * @param context The files and the user of this process.
 * @returns The directory as an absolute path without links.
 * @throws {EntrypointError} With code 73 if a file exists or cannot be written.
 */
export function writeSecretFiles(
  secrets: readonly SecretFile[],
  directory: string,
  context: Context,
): string {
  const system = writerFor(directory, context);
  const { files } = system;
  const home = openDirectory(directory, system);
  const written: string[] = [];
  try {
    for (const { name, content } of secrets) {
      const path = `${home}/${name}`;
      writeFile(path, content, system);
      written.push(path);
    }
    syncDirectory(files, home);
  } catch (error) {
    // The error to report is the first one.
    written.forEach((path) => attempt(() => files.remove(path)));
    throw error;
  }
  return home;
}

/** Root writes only where nobody else can change names, and elsewhere becomes the server's user. */
function writerFor(directory: string, context: Context): System {
  const { system } = context;
  const { files } = system;
  if (system.uid !== 0) return system;
  const isSafe = trySystemCall(() => {
    const start = isAbsolute(directory) ? "" : files.realPath(".");
    // Not normalized: what precedes ".." may be a link.
    const { path } = resolveForRoot(`${start}/${directory}`, files);
    const facts = path === undefined ? undefined : files.stat(path);
    return path !== undefined && (facts === undefined || isOnlyRoots(facts));
  });
  if (isSafe === true) return system;
  const { settings } = resolve(sourcesOf(system));
  requireChangeOfUser(settings, system);
  return becomeServerUser(settings, context).system;
}

/** Creates the directory if it does not exist, with access for its owner only. */
function openDirectory(directory: string, system: System): string {
  const { files } = system;
  try {
    files.makeDirectory(directory, 0o700);
    return files.realPath(directory);
  } catch (error) {
    throw cannotWrite(directory, error, system);
  }
}

function writeFile(path: string, content: string, system: System): void {
  const { files } = system;
  try {
    files.create(path, content, 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw fileExists(path);
    attempt(() => files.remove(path));
    throw cannotWrite(path, error, system);
  }
}

function fileExists(path: string): EntrypointError {
  return new EntrypointError(
    `The file ${path} already exists, and --write overwrites no file`,
    {
      code: ExitCode.cannotWrite,
      remedy:
        "Choose another directory with --write; a server that has already run must keep its secrets",
    },
  );
}

function cannotWrite(
  path: string,
  cause: unknown,
  { uid, gid }: Pick<System, "uid" | "gid">,
): EntrypointError {
  const { reason, remedy } = explainSystemError(cause, path);
  return new EntrypointError(
    `${path} cannot be written by user ${uid}:${gid}: ${reason}`,
    {
      code: ExitCode.cannotWrite,
      remedy: isDenied(cause)
        ? "Choose a directory with --write that this user can write to, or start as its owner: docker run --user UID:GID …"
        : remedy,
      cause,
    },
  );
}
