/**
 * The file VERSION in the data directory: the release that last ran there, with the date of the
 * program that confirmed it.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  trySystemCall,
} from "../errors.ts";
import { isArbitraryUser, ownerRemedy } from "../arbitrary_user.ts";
import { shellWord } from "../shell.ts";
import { explainSystemError } from "../system_errors.ts";
import { lockConfig } from "../config/lock.ts";
import { readOwnFile } from "../config/own_file.ts";
import {
  attempt,
  removeTemporaries,
  replaceFile,
} from "../config/replace_file.ts";
import type { System } from "../os/system.ts";
import { asReader, serverIdentity } from "./become_user.ts";
import { hostChown } from "./directories/path_remedies.ts";
import type { LoadedSettings } from "./load_settings.ts";
import type { Plan } from "./plan.ts";

/**
 * Reads the release that last ran.
 *
 * @param loaded The path, and the server's user.
 * @param system The file system, and the user of this process.
 * @returns The text of the file, `undefined` if there is none.
 * @throws {EntrypointError} With code 73 if it cannot be read.
 */
export function readVersionFile(
  { paths, settings }: Pick<LoadedSettings, "paths" | "settings">,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): string | undefined {
  const path = paths.version;
  try {
    return readOwnFile(asReader(settings, system).files, path);
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    const { uid, gid } = serverIdentity(settings, system);
    const { reason, remedy } = explainSystemError(error, path);
    throw new EntrypointError(
      `${path}, which records the release that last ran, cannot be read: ${reason}`,
      {
        code: ExitCode.cannotWrite,
        remedy: errorCode(error) !== "EACCES"
          ? remedy
          : isArbitraryUser({ uid, gid })
          ? ownerRemedy(shellWord(paths.data), undefined)
          : hostChown(`${uid}:${gid}`, paths.data),
        cause: error,
      },
    );
  }
}

/**
 * The date of the installed program in this container, in milliseconds since the epoch.
 *
 * VERSION gets exactly this date. A comparison with "younger than the program" would prove
 * nothing: the image of another release can be older than the last start.
 */
function programDate(
  { paths, release }: Pick<LoadedSettings, "paths" | "release">,
  { files }: Pick<System, "files">,
): number | undefined {
  const program = files.stat(`${paths.install}/${release.binary}`);
  return program && Math.max(program.modified, program.changed);
}

/**
 * Tells whether the installed program confirmed its release at an earlier start.
 *
 * @param loaded The release and the paths.
 * @param system The file system, and the user of this process.
 * @returns Whether VERSION names the release and has the date of the installed program.
 * @throws {EntrypointError} With code 73 if VERSION cannot be read.
 */
export function isConfirmed(
  loaded: Pick<LoadedSettings, "paths" | "settings" | "release">,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): boolean {
  const { paths, release } = loaded;
  // lstat, so that the date is not that of a link's target. Other errors are left to readVersionFile.
  const { files } = asReader(loaded.settings, system);
  const date = trySystemCall(() => files.lstat(paths.version)?.modified);
  return date !== undefined && date === programDate(loaded, system) &&
    readVersionFile(loaded, system)?.trim() === release.version;
}

/**
 * Records in VERSION the release that is about to run, and whether its program confirmed it.
 *
 * @param plan The release and the paths.
 * @param system The system of the server's user.
 * @param isAnswered Whether the program confirmed its release, so that the next start can skip that.
 * @throws {EntrypointError} With code 73 if it cannot be written.
 */
export async function recordRelease(
  plan: Plan,
  system: System,
  isAnswered: boolean,
): Promise<void> {
  if (isConfirmed(plan, system)) return;
  const { paths: { version }, place, release, store } = plan;
  const text = `${release.version}\n`;
  const isRecorded = readVersionFile(plan, system) === text;
  if (isRecorded && !isAnswered) return;
  // Under the lock, so that the temporary file of another start is not removed.
  // With a configuration in the database, nothing else is written there, not even a lock.
  const lock = store.kind === "file"
    ? await lockConfig(system, place)
    : undefined;
  try {
    if (lock?.notices.length === 0) removeTemporaries(system, version);
    replaceFile(system, version, text);
    const date = isAnswered ? programDate(plan, system) : undefined;
    // Not every file system stores dates.
    if (date !== undefined) {
      attempt(() => system.files.setModified(version, date));
    }
  } catch (error) {
    // Only the date is out of date, so the next start asks the program again.
    if (isRecorded) return;
    const { reason, remedy } = explainSystemError(error, dirname(version));
    throw new EntrypointError(
      `${version}, which records the release that last ran, cannot be written: ${reason}`,
      {
        code: ExitCode.cannotWrite,
        remedy: errorCode(error) === "EACCES"
          ? `${remedy}   # let the server's user write there`
          : remedy,
        cause: error,
      },
    );
  } finally {
    lock?.release();
  }
}
