/**
 * Finds out which schema migrations the installed server contains.
 *
 * Their names are in the server's program. The image's build writes them to a file beside the
 * server; elsewhere they are read from the program once, and remembered in the data directory,
 * which lasts and which the server's user can write to. The versions of its database drivers are
 * beside them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { tryLockConfig } from "../config/lock.ts";
import {
  attempt,
  removeTemporaries,
  replaceFile,
} from "../config/replace_file.ts";
import {
  findFileNames,
  LONGEST_FILE_NAME,
  type Migration,
  MORPH_RELEASES,
  parseFileNames,
} from "../mattermost/migrations.ts";
import { driverLines, findDrivers } from "../mattermost/drivers.ts";
import type { System } from "../os/system.ts";
import { inRange } from "../release_range.ts";
import { asReader } from "./become_user.ts";
import { headerOf, readProgramLists } from "./program_lists.ts";
import type { LoadedSettings } from "./load_settings.ts";
import type { Plan } from "./plan.ts";

/** Bytes to search at a time. More is not faster, and takes more memory. */
const PART = 256 * 1024;

/** The migrations that the installed server contains. */
export interface ServerMigrations {
  /** The migrations for the database product; `undefined` before 6.4, and where none can be read. */
  readonly contained: readonly Migration[] | undefined;
  /** What {@linkcode rememberMigrations} has to write; `undefined` where the names are in a file. */
  readonly unsaved?: string;
}

/**
 * Reads the migrations that the installed server contains. For a program of 200 MB this takes
 * about 0.1 s the first time.
 *
 * @param loaded The release, the paths, the database product and the server's user.
 * @param system The file system, and the user of this process.
 * @returns The migrations.
 */
export async function readServerMigrations(
  { release, paths, database, settings }: Pick<
    LoadedSettings,
    "release" | "paths" | "database" | "settings"
  >,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): Promise<ServerMigrations> {
  const { files } = asReader(settings, system);
  const { path, program, lists } = readProgramLists(release, paths, files);
  if (!inRange(release.version, MORPH_RELEASES) || program === undefined) {
    return { contained: undefined };
  }
  const withNames = (text: string): Pick<ServerMigrations, "contained"> => {
    const contained = parseFileNames(text, database.source.adapter);
    return { contained: contained.length > 0 ? contained : undefined };
  };
  const [list] = lists;
  if (list !== undefined) return withNames(list);
  const names = new Set<string>();
  let drivers = {};
  try {
    const limits = { size: PART, overlap: LONGEST_FILE_NAME };
    for await (const part of files.readParts(path, limits)) {
      const { buffer, byteOffset, length } = part;
      // As a text of one-byte characters: five times as fast as Buffer.indexOf().
      const text = Buffer.from(buffer, byteOffset, length).toString("latin1");
      for (const name of findFileNames(text)) names.add(name);
      drivers = { ...findDrivers(text), ...drivers };
    }
  } catch {
    // exec() will explain why the program cannot be read.
    return { contained: undefined };
  }
  const lines = [headerOf(program), ...driverLines(drivers), ...names];
  const text = `${lines.join("\n")}\n`;
  return { ...withNames(text), unsaved: text };
}

/**
 * Remembers the names that were read from the program, beside config.json. If that fails, or
 * another start holds the lock, the next start reads the program again.
 *
 * @param plan The paths.
 * @param migrations The migrations that the installed server contains.
 * @param system The system of the server's user.
 */
export function rememberMigrations(
  { place, paths, store }: Plan,
  { unsaved }: ServerMigrations,
  system: System,
): void {
  if (unsaved === undefined || store.kind === "database") return;
  attempt(() => {
    // Under the lock, so that the temporary file of another start is not removed.
    const lock = tryLockConfig(system, place);
    if (typeof lock === "string") return;
    try {
      if (lock.notices.length === 0) {
        removeTemporaries(system, paths.migrations);
      }
      replaceFile(system, paths.migrations, unsaved);
    } finally {
      lock.release();
    }
  });
}
