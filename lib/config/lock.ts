/**
 * Locks config.json, and the files beside it that only the entrypoint creates.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { EntrypointError, ExitCode, trySystemCall } from "../errors.ts";
import type { System } from "../os/system.ts";
import { shellWord } from "../shell.ts";
import { explainSystemError } from "../system_errors.ts";
import { unwritableConfig } from "./config_errors.ts";
import { copyPaths } from "./copies.ts";
import { lastAppliedPath } from "./last_applied.ts";
import type { ConfigLocation, ConfigSystem } from "./location.ts";
import {
  fallbackBases,
  markerPath,
  resolveConfigPath,
  sidecarBase,
} from "./location.ts";
import { requireRegularFile } from "./own_file.ts";
import { isPermissionError } from "./replace_config.ts";
import { makeDirectories, removeTemporaries } from "./replace_file.ts";

/** The lock that a writer of config.json holds. */
export interface ConfigLock {
  /** The path prefix of the copies, the last-applied state and the lock. */
  readonly base: string;
  /** Notices for the operator. */
  readonly notices: readonly string[];
  /** Releases the lock. */
  release(): void;
}

/**
 * Lists the files that the entrypoint creates beside config.json, except temporary files, whose
 * names are random.
 *
 * @param base The path prefix of these files.
 * @returns The paths.
 */
export function sidecarPaths(base: string): readonly string[] {
  return [
    ...["lock", "broken"].map((end) => `${base}.${end}`),
    ...[lastAppliedPath(base), markerPath(base), ...copyPaths(base)],
  ];
}

/**
 * Checks that the files beside config.json are regular files, before anything is changed. It
 * ignores files that cannot be examined; opening them reports the error.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @throws {EntrypointError} With code 73 if one of them is not a regular file.
 */
export function requireRegularSidecars(
  system: ConfigSystem,
  place: ConfigLocation,
): void {
  const { files } = system;
  const { path } = resolveConfigPath(system, place);
  for (const base of new Set([path, ...fallbackBases(place)])) {
    const names = new Set(trySystemCall(() => files.list(dirname(base))));
    for (const each of sidecarPaths(base)) {
      // Examining a file that does not exist costs an exception.
      if (names.has(basename(each))) requireRegularFile(files, each);
    }
  }
}

/**
 * Locks config.json against other starts on the same volume, if no other process holds the lock.
 * It creates the directory if needed, and removes temporary files of a killed process. If the
 * file system has no locks, the result has a notice.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @returns The lock, to be released after the write; the path of the lock file if another process holds it.
 * @throws {EntrypointError} With code 73 if the directory cannot be created or a file beside
 * config.json is not a regular file, 65 if config.json is a dangling link.
 */
export function tryLockConfig(
  system: ConfigSystem,
  place: ConfigLocation,
): ConfigLock | string {
  const target = resolveConfigPath(system, place);
  const { files } = system;
  try {
    makeDirectories(files, dirname(target.path));
  } catch (error) {
    throw unwritableConfig(error, { ...target, writer: place.user, files });
  }
  requireRegularSidecars(system, place);
  const first = sidecarBase(system, place, target.path);
  const bases = new Set([first, target.path, ...fallbackBases(place)]);
  let reason: string | undefined;
  for (const base of bases) {
    const path = `${base}.lock`;
    try {
      const lock = files.tryLock(path);
      if (lock === undefined) return path;
      for (const file of new Set([target.path, base])) {
        trySystemCall(() => removeTemporaries(system, file));
      }
      return { base, notices: [], release: () => lock.release() };
    } catch (error) {
      // It may have been replaced since the check.
      requireRegularFile(files, path);
      reason ??= explainSystemError(error, path).reason;
      if (!isPermissionError(error)) break;
    }
  }
  const notice =
    `${first}.lock cannot be locked: ${reason}; do not start two servers on this volume at the same time`;
  return { base: first, notices: [notice], release: () => {} };
}

/** Milliseconds between two attempts to take the lock; a random part spreads many starts. */
const LOCK_PAUSE = { least: 10, most: 60 };

/** Milliseconds after which a lock that another process holds is an error. A write takes a few. */
const LOCK_LIMIT = 60_000;

/**
 * Waits until {@linkcode tryLockConfig} succeeds, for up to a minute.
 *
 * @param system Files, random bytes, and the clock.
 * @param place Where config.json is.
 * @param signal Ends the wait.
 * @returns The lock, to be released after the write.
 * @throws {EntrypointError} As {@linkcode tryLockConfig}, and with code 73 if another process does
 * not release the lock.
 */
export async function lockConfig(
  system: ConfigSystem & Pick<System, "clock">,
  place: ConfigLocation,
  signal?: AbortSignal,
): Promise<ConfigLock> {
  const { clock, random } = system;
  const start = clock.elapsed();
  while (true) {
    const lock = tryLockConfig(system, place);
    if (typeof lock !== "string") return lock;
    if (clock.elapsed() - start > LOCK_LIMIT) {
      throw new EntrypointError(
        `Another process holds the lock ${lock} for more than ${
          LOCK_LIMIT / 1000
        } seconds`,
        {
          code: ExitCode.cannotWrite,
          remedy: `fuser -v ${
            shellWord(lock)
          }   # shows the process; a container that is paused holds its locks: docker unpause`,
        },
      );
    }
    const { least, most } = LOCK_PAUSE;
    const share = (random(1)[0] ?? 0) / 256;
    await clock.sleep(least + share * (most - least), signal);
  }
}
