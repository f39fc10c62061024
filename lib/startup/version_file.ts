/**
 * The file VERSION in the data directory: the release that last ran there, with the date of the
 * program that confirmed it.
 *
 * @module
 */

import { EntrypointError, errorCode, ExitCode, tolerate } from "../errors.ts";
import { readOwnFile } from "../config/own_file.ts";
import type { System } from "../os/system.ts";
import { hostChown } from "./directories/path_remedies.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { serverIdentity } from "./load_settings.ts";

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
  system: Pick<System, "files" | "uid" | "gid">,
): string | undefined {
  const path = paths.version;
  try {
    return readOwnFile(system.files, path);
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    const { uid, gid } = serverIdentity(settings, system);
    throw new EntrypointError(
      `${path}, which records the release that last ran, cannot be read (${
        errorCode(error)
      })`,
      {
        code: ExitCode.cannotWrite,
        remedy: hostChown(`${uid}:${gid}`, paths.data),
        cause: error,
      },
    );
  }
}

/**
 * Finds the date of the installed program in this container.
 *
 * VERSION gets exactly this date. A comparison with "younger than the program" would prove
 * nothing: the image of another release can be older than the last start.
 *
 * @param loaded The release, and the directory of the server.
 * @param system The file system.
 * @returns Milliseconds since the epoch; `undefined` if there is no program.
 */
export function programDate(
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
  system: Pick<System, "files" | "uid" | "gid">,
): boolean {
  const { paths, release } = loaded;
  // lstat, so that the date is not that of a link's target. Other errors are left to readVersionFile.
  const date = tolerate(() => system.files.lstat(paths.version)?.modified);
  return date !== undefined && date === programDate(loaded, system) &&
    readVersionFile(loaded, system)?.trim() === release.version;
}
