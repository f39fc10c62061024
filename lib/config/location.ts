/**
 * Where config.json and its companions are, and what it holds.
 *
 * @module
 */

import { basename, join } from "node:path";
import { EntrypointError, ExitCode } from "../errors.ts";
import type { FileFacts, Identity, System } from "../os/system.ts";
import { lastAppliedPath } from "./last_applied.ts";
import { unreadableConfig } from "./config_errors.ts";

/** What this needs of the world. */
export type ConfigWorld = Pick<System, "files" | "random">;

/** Where config.json is, and who the server is. */
export interface Location {
  /** The config.json, as the operator names it. */
  readonly path: string;
  /** The server's user, who has to be able to read and write. */
  readonly user: Identity;
  /**
   * A directory for copies, memory and lock where they cannot be beside config.json,
   * because only the file itself is writable.
   */
  readonly fallback?: string;
  /**
   * Says why the file that was opened must not be used, given its facts: a link led there
   * that the server's user may have made, while we may read more than that user.
   */
  readonly distrust?: (facts: FileFacts) => EntrypointError | undefined;
}

/** The file behind the path. */
export interface ConfigTarget {
  /** Without symbolic links. */
  readonly path: string;
  /** The target of the symbolic link that led there, as it is written in the link. */
  readonly link: string | undefined;
}

/**
 * Follows a symbolic link to the file that is to be read and written.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @returns The file, which need not exist unless a link leads there.
 * @throws {EntrypointError} With code 65 for a dangling link, or if the way is closed.
 */
export function locate(
  world: ConfigWorld,
  place: Location,
): ConfigTarget {
  const { files } = world;
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
        remedy: `Create its target, or remove the link: rm ${path}`,
      },
    );
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    throw unreadableConfig(path, error, place.user);
  }
}

/**
 * Reads the content of config.json, whatever it is.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @param path The file behind it.
 * @returns Its bytes; `undefined` where there is no file.
 * @throws {EntrypointError} With code 65 if it is no file, is closed to us, or must not be used.
 */
export function readContent(
  world: ConfigWorld,
  place: Location,
  path: string,
): Uint8Array | undefined {
  try {
    const found = world.files.read(path, { follow: true });
    if (found === undefined) return undefined;
    const { facts, bytes } = found;
    const refusal = place.distrust?.(facts);
    if (refusal !== undefined) throw refusal;
    if (bytes !== undefined) return bytes;
    if (path !== place.path) {
      throw new EntrypointError(
        `${place.path} is a symbolic link to ${path}, which is no configuration`,
        { code: ExitCode.badConfig, remedy: `rm ${place.path}` },
      );
    }
    throw new EntrypointError(
      facts.isDirectory
        ? `${path} is a directory, as Docker makes one where the file of a bind mount does not exist`
        : facts.isFile
        ? `${path} has ${facts.size} bytes, which no configuration has`
        : `${path} is no regular file`,
      {
        code: ExitCode.badConfig,
        remedy: facts.isDirectory
          ? `Mount a directory instead of the file, and remove the empty one: rmdir ${path}`
          : `rm ${path}`,
      },
    );
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    throw unreadableConfig(path, error, place.user);
  }
}

/**
 * Where copies and memory are: beside config.json, unless they had to go to the other directory.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @param path The file behind it.
 * @returns Their common path prefix.
 */
export function baseOf(
  { files }: ConfigWorld,
  place: Location,
  path: string,
): string {
  return fallbackBase(place).find((base) =>
    files.exists(lastAppliedPath(base))
  ) ??
    path;
}

/**
 * The path prefix in the other directory.
 *
 * @param place Where config.json is.
 * @returns One prefix, or none if there is no other directory.
 */
export function fallbackBase(
  { path, fallback }: Location,
): readonly string[] {
  return fallback === undefined ? [] : [join(fallback, basename(path))];
}

/**
 * The file that is there while config.json is overwritten in place.
 *
 * @param base The path prefix of copies and memory.
 * @returns Its path.
 */
export function markerPath(base: string): string {
  return `${base}.writing`;
}
