/**
 * Reads a file that the server opens by itself, as the server will.
 *
 * @module
 */

import {
  EntrypointError,
  errorCode,
  ExitCode,
  trySystemCall,
} from "../errors.ts";
import { inaccessibleParent, MAY_READ, permits } from "../os/permissions.ts";
import { readNamedText } from "../os/named_file.ts";
import type { Identity, System } from "../os/system.ts";
import type { Settings } from "../settings/catalogue.ts";
import { shellWord } from "../shell.ts";
import { serverIdentity } from "./become_user.ts";
import { describeOwner } from "./directories/unsafe_links.ts";

/** The parts of the system that read for the server's user. */
export type ServedSystem = Pick<
  System,
  "uid" | "gid" | "files" | "filesFor" | "supplementaryGroups"
>;

/**
 * Reads a file. Root reads it with the rights of the server's user, because the server would fail
 * later on a file that only root can read, and because nobody should make root read one.
 *
 * @param path The file.
 * @param variable The variable that names it.
 * @param options The server's user, and the system.
 * @returns The text.
 * @throws {EntrypointError} With code 66 if the server's user may not read it.
 * @throws The system's error if it cannot be read for another reason.
 */
export function readServedFile(
  path: string,
  variable: string,
  { settings, system, isSecret = false }: {
    readonly settings: Settings;
    readonly system: ServedSystem;
    /** Whether nobody but the server's user may read it. */
    readonly isSecret?: boolean;
  },
): string {
  const { files } = system;
  const user = serverIdentity(settings, system);
  if (system.uid !== 0 || user.uid === 0) return readNamedText(files, path);
  try {
    return readNamedText(system.filesFor(user), path);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EACCES" && code !== "EPERM") throw error;
    const closed = closedFor(
      { ...user, groups: system.supplementaryGroups() },
      path,
      files,
    );
    const owner = closed === undefined ? undefined : files.stat(closed);
    if (closed !== undefined && owner !== undefined) {
      throw new EntrypointError(
        `The file ${path} of ${variable} cannot be read by user ${user.uid}:${user.gid} of the server: ${
          describeOwner(closed, owner)
        }`,
        {
          code: ExitCode.unreadable,
          remedy: owner.isDirectory
            ? `chmod a+x ${shellWord(closed)}`
            : isSecret
            ? `chown ${user.uid}:${user.gid} ${
              shellWord(closed)
            } && chmod 600 ${shellWord(closed)}`
            : `chmod a+r ${shellWord(closed)}`,
          cause: error,
        },
      );
    }
    // Root that cannot take the rights of that user only looks.
    if (code === "EPERM") return readNamedText(files, path);
    throw error;
  }
}

/** Finds the file or directory whose owner and mode keep a user from reading a file. */
function closedFor(
  user: Identity,
  path: string,
  files: System["files"],
): string | undefined {
  return trySystemCall(() => {
    const real = files.realPath(path);
    const facts = files.stat(real);
    return inaccessibleParent(real, user, (each) => files.stat(each)) ??
      (facts === undefined || permits(facts, user, { bits: MAY_READ })
        ? undefined
        : real);
  });
}
