/**
 * Locates config.json and the files beside it, and reads its content.
 *
 * @module
 */

import { basename, join } from "node:path";
import { EntrypointError, ExitCode } from "../errors.ts";
import { shellWord } from "../shell.ts";
import { isDenied } from "../system_errors.ts";
import type { FileFacts, Identity, System } from "../os/system.ts";
import { lastAppliedPath } from "./last_applied.ts";
import { unreadableConfig } from "./config_errors.ts";

/** The parts of the system that reading and writing config.json needs. */
export type ConfigSystem = Pick<System, "files" | "random">;

/** The location of config.json, and the server's user. */
export interface ConfigLocation {
  /** The path of config.json, as the settings have it. */
  readonly path: string;
  /** The server's user, which must be able to read and write the file. */
  readonly user: Identity;
  /**
   * A directory for the copies, the last-applied state and the lock, if the directory of
   * config.json is not writable.
   */
  readonly fallback?: string;
  /**
   * Returns an error if the opened file must not be used. While the entrypoint runs as root, a
   * symbolic link that the server's user created must not make it read a file that this user
   * cannot read.
   */
  readonly rejectFile?: (facts: FileFacts) => EntrypointError | undefined;
}

/** The file at the location, with symbolic links resolved. */
export interface ConfigTarget {
  /** The path, with symbolic links resolved. */
  readonly path: string;
  /** The target of the symbolic link at the location, as the link has it; `undefined` if there is no link. */
  readonly link: string | undefined;
}

/**
 * Finds the file to read and write. A symbolic link at the location is followed.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @returns The file. It may not exist, unless it is the target of a link.
 * @throws {EntrypointError} With code 65 for a dangling link, or if a directory of the path denies access.
 */
export function resolveConfigPath(
  system: ConfigSystem,
  place: ConfigLocation,
): ConfigTarget {
  const { files } = system;
  const { path } = place;
  try {
    if (!files.lstat(path)?.isSymlink) return { path, link: undefined };
    const link = files.readLink(path);
    if (files.exists(path)) {
      return { path: files.realPath(path), link };
    }
    throw new EntrypointError(
      `${path} is a symbolic link to ${link}, which does not exist`,
      {
        code: ExitCode.badConfig,
        remedy: `Create the target of the link, or remove the link: rm ${
          shellWord(path)
        }`,
      },
    );
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    throw unreadableConfig(path, error, {
      user: place.user,
      files: system.files,
    });
  }
}

/**
 * Reads the content of config.json without interpreting it.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @param path The path that {@linkcode resolveConfigPath} found.
 * @returns The bytes; `undefined` if the file does not exist.
 * @throws {EntrypointError} With code 65 if it is not a regular file, is too large, cannot be read or must not be used.
 */
export function readConfigBytes(
  system: ConfigSystem,
  place: ConfigLocation,
  path: string,
): Uint8Array | undefined {
  try {
    // Through the link, so that root reports where it leads, and not that its target is closed.
    const found = system.files.read(place.path, { follow: true });
    if (found === undefined) return undefined;
    const { facts, bytes } = found;
    const refusal = place.rejectFile?.(facts);
    if (refusal !== undefined) throw refusal;
    if (bytes !== undefined) return bytes;
    if (path !== place.path) {
      throw new EntrypointError(
        `${place.path} is a symbolic link to ${path}, which is not a configuration file`,
        { code: ExitCode.badConfig, remedy: `rm ${shellWord(place.path)}` },
      );
    }
    throw new EntrypointError(
      facts.isDirectory
        ? `${path} is a directory, which Docker creates if the source file of a bind mount does not exist`
        : facts.isFile
        ? `${path} has ${facts.size} bytes, which is too large for a configuration`
        : `${path} is not a regular file`,
      {
        code: ExitCode.badConfig,
        remedy: facts.isDirectory
          ? `Mount a directory instead of the file, and remove the empty directory: rmdir ${
            shellWord(path)
          }`
          : `rm ${shellWord(path)}`,
      },
    );
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    // A remedy must not give away the target of a link that somebody else made.
    if (isDenied(error) && path !== place.path) {
      const { uid } = place.user;
      throw new EntrypointError(
        `${place.path} is a symbolic link to ${path}, which cannot be read by user ${uid}`,
        {
          code: ExitCode.badConfig,
          remedy: `rm ${
            shellWord(place.path)
          }   # or, if you made the link, let user ${uid} read its target`,
          cause: error,
        },
      );
    }
    throw unreadableConfig(path, error, {
      user: place.user,
      files: system.files,
    });
  }
}

/**
 * Returns the path prefix of the copies, the last-applied state and the lock. They are beside
 * config.json, unless the fallback directory has a newer last-applied state.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @param path The path that {@linkcode resolveConfigPath} found.
 * @returns The path prefix.
 */
export function sidecarBase(
  { files }: ConfigSystem,
  place: ConfigLocation,
  path: string,
): string {
  const modified = (base: string): number =>
    files.lstat(lastAppliedPath(base))?.modified ?? 0;
  return fallbackBases(place).find((base) => {
    const time = modified(base);
    return time > 0 && time > modified(path);
  }) ?? path;
}

/**
 * Returns the path prefix of these files in the fallback directory.
 *
 * @param place Where config.json is.
 * @returns One prefix, or none if there is no fallback directory.
 */
export function fallbackBases(
  { path, fallback }: ConfigLocation,
): readonly string[] {
  return fallback === undefined ? [] : [join(fallback, basename(path))];
}

/**
 * Returns the path of the marker file that exists while config.json is overwritten in place.
 *
 * @param base The path prefix of the files beside config.json.
 * @returns The path.
 */
export function markerPath(base: string): string {
  return `${base}.writing`;
}
