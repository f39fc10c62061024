/**
 * config.json on the disk: read, locked, written, copied and brought back.
 *
 * Beside `config.json` live `config.json.1` to `.3` (the last good copies), `config.json.memory`
 * (digests of our last write), `config.json.lock`, and for a moment `config.json.writing` (an
 * overwrite in place is under way).
 *
 * A write goes through these states, each of them on the disk before the next begins:
 *
 * 1. what is on disk is kept as a copy;
 * 2. the memory names the digests of both the old and the new values, so that after a kill
 *    neither of them is taken for an edit. (The old memory beside a new config.json would take
 *    our own values for edits; so would the new memory beside the old config.json.);
 * 3. config.json is the new one: by rename, or else in place, with a mark until that is done;
 * 4. the new text is kept as a copy, because the server rewrites config.json unsafely;
 * 5. the memory names the new digests only.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { EntrypointError, errorCode, ExitCode, tolerate } from "../errors.ts";
import type { ConfigCopy } from "./copies.ts";
import { copyPaths, keepCopy, listCopies } from "./copies.ts";
import type { Json } from "../json.ts";
import type { ConfigWorld, Location } from "./location.ts";
import {
  baseOf,
  fallbackBase,
  locate,
  markerPath,
  readContent,
} from "./location.ts";
import type { LastAppliedState } from "./last_applied.ts";
import {
  digester,
  lastAppliedPath,
  readLastApplied,
  writeLastApplied,
} from "./last_applied.ts";
import type { LastApplied } from "./merge.ts";
import { bridge } from "./merge.ts";
import { readIfThere, readOwnFile, requireRegularFile } from "./own_file.ts";
import {
  makeDirectories,
  removeTemporaries,
  replaceFile,
} from "./replace_file.ts";
import {
  isClosed,
  protect,
  removeMarker,
  replaceConfig,
} from "./replace_config.ts";
import {
  decodeText,
  missingConfig,
  parseConfig,
  unreadableConfig,
  unusableConfig,
  unwritableConfig,
} from "./config_errors.ts";

/** Where config.json is, and who the server is. */
export type ConfigPlace = Location;

/** What is on the disk. */
export interface ConfigState extends LastAppliedState {
  /** The text of config.json; `undefined` where there is none. */
  readonly text: string | undefined;
  /** Whether the file is torn by an overwrite that was killed, and the text is that of its copy. */
  readonly torn: boolean;
  /** Lines for the operator. */
  readonly notices: readonly string[];
  /** The digest function of the memory, for the merge. */
  digest(value: Json): string;
}

/** The right to write. */
export interface ConfigLock {
  /** The path prefix of copies, memory and lock. */
  readonly base: string;
  /** Lines for the operator. */
  readonly notices: readonly string[];
  /** Lets others in. */
  release(): void;
}

/** What to write: the merge's result, over the state that went into it. */
export interface ConfigWrite {
  /** The lock that is held. */
  readonly lock: ConfigLock;
  /** What went into the merge. */
  readonly state: ConfigState;
  /** The new text. */
  readonly text: string;
  /** What to remember of it. */
  readonly memory: LastApplied;
}

/** What was written. */
export interface WriteReport {
  /** Whether config.json has a new content. */
  readonly written: boolean;
  /** Lines for the operator. */
  readonly notices: readonly string[];
}

/**
 * Reads config.json and what we remember of it; changes nothing.
 *
 * @param world Files, and random bytes for the salt of a new memory.
 * @param place Where it is.
 * @returns What is on the disk.
 * @throws {EntrypointError} With code 65 if it cannot be used: empty, broken, no file, unreadable;
 * 73 if the memory or a copy is no regular file.
 */
export function readConfig(
  world: ConfigWorld,
  place: ConfigPlace,
): ConfigState {
  const { path } = locate(world, place);
  const base = baseOf(world, place, path);
  const remembered = readLastApplied(world, base);
  const rest = { ...remembered, digest: digester(remembered.salt) };
  // Reading them takes as long as all the rest, and is hardly ever needed.
  const copies = (): readonly ConfigCopy[] => listCopies(world, base);
  const found = readContent(world, place, path);
  if (found === undefined) {
    const good = copies().find(({ text }) => text !== undefined);
    if (good !== undefined) throw missingConfig(path, good);
    return { ...rest, text: undefined, torn: false, notices: [] };
  }
  const content = parseConfig(found);
  if ("text" in content) {
    return { ...rest, text: content.text, torn: false, notices: [] };
  }
  const good = copies().find(({ text }) => text !== undefined);
  if (world.files.exists(markerPath(base)) && good !== undefined) {
    const notice =
      `${path} ${content.fault}, because an overwrite was interrupted; it is made whole from ${good.path}`;
    return { ...rest, text: good.text, torn: true, notices: [notice] };
  }
  throw unusableConfig(path, content.fault, copies());
}

/**
 * Tells whether a state is still what is on the disk: to read it again takes much longer.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @param state What was read.
 * @returns Whether config.json and the memory are the same to the byte.
 */
export function isCurrent(
  world: ConfigWorld,
  place: ConfigPlace,
  state: ConfigState,
): boolean {
  const { path } = locate(world, place);
  const memory = lastAppliedPath(baseOf(world, place, path));
  if (state.torn || readIfThere(world.files, memory) !== state.stored) {
    return false;
  }
  const found = readContent(world, place, path);
  return found === undefined
    ? state.text === undefined
    : state.text !== undefined && decodeText(found) === state.text;
}

/**
 * All that we make beside config.json, but for temporary files, whose names nobody can know.
 *
 * @param base The path of config.json, or what stands for it in another directory.
 * @returns The paths.
 */
export function sidecarPaths(base: string): readonly string[] {
  return [
    ...["lock", "broken"].map((end) => `${base}.${end}`),
    ...[lastAppliedPath(base), markerPath(base), ...copyPaths(base)],
  ];
}

/**
 * Makes sure that all that we write beside config.json are regular files, before anything is
 * changed. What cannot be looked at is told by who opens it.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @throws {EntrypointError} With code 73 for anything else, by name.
 */
export function requireSidecars(
  world: ConfigWorld,
  place: ConfigPlace,
): void {
  const { files } = world;
  const { path } = locate(world, place);
  for (const base of new Set([path, ...fallbackBase(place)])) {
    const there = new Set(tolerate(() => files.list(dirname(base))));
    for (const each of sidecarPaths(base)) {
      // To look at what is not there takes an exception.
      if (there.has(basename(each))) requireRegularFile(files, each);
    }
  }
}

/**
 * Waits until no other start holds the lock. {@linkcode lockConfig} would wait as well, but deaf
 * to signals, and the other one may have been paused.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @throws {EntrypointError} With code 73 if the lock is no regular file.
 */
export async function awaitConfigLock(
  world: ConfigWorld,
  place: ConfigPlace,
): Promise<void> {
  const { path } = locate(world, place);
  const bases = [baseOf(world, place, path), path, ...fallbackBase(place)];
  for (const base of new Set(bases)) {
    requireRegularFile(world.files, `${base}.lock`);
    // What stands in the way of locking is told by the one who locks.
    await world.files.unlocked(`${base}.lock`).catch(() => {});
  }
}

/**
 * Makes the directory if need be, keeps other starts on the same volume out, and clears away
 * what a killed one left. A lock that the file system does not offer is a notice, no error.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @returns The lock, to be given back after the write.
 * @throws {EntrypointError} With code 73 if the directory cannot be made or a file beside
 * config.json is no regular one, 65 for a dangling link.
 */
export function lockConfig(world: ConfigWorld, place: ConfigPlace): ConfigLock {
  const target = locate(world, place);
  const { files } = world;
  try {
    makeDirectories(files, dirname(target.path));
  } catch (error) {
    throw unwritableConfig(error, { ...target, writer: place.user });
  }
  requireSidecars(world, place);
  const first = baseOf(world, place, target.path);
  const bases = new Set([first, target.path, ...fallbackBase(place)]);
  let reason: string | undefined;
  for (const base of bases) {
    const path = `${base}.lock`;
    try {
      const lock = files.lock(path);
      for (const file of new Set([target.path, base])) {
        removeTemporaries(world, file);
      }
      return { base, notices: [], release: () => lock.release() };
    } catch (error) {
      reason ??= errorCode(error) ?? String(error);
      if (!isClosed(error)) break;
    }
  }
  const notice =
    `${first}.lock cannot be locked (${reason}); do not start two servers on this volume at the same time`;
  return { base: first, notices: [notice], release: () => {} };
}

/**
 * Writes config.json, if it changes, with its copies and the memory.
 *
 * @param world Files and random bytes.
 * @param place Where it is.
 * @param write What to write.
 * @returns Whether it changed, and lines for the operator.
 * @throws {EntrypointError} With code 73 if something cannot be written; config.json is complete then.
 */
export function writeConfig(
  world: ConfigWorld,
  place: ConfigPlace,
  write: ConfigWrite,
): WriteReport {
  const target = locate(world, place);
  const { path } = target;
  const { lock: { base }, state, text, memory } = write;
  const { salt } = state;
  const fail = (error: unknown): EntrypointError =>
    unwritableConfig(error, { ...target, writer: place.user });
  if (state.text === text && !state.torn) {
    const notices = [...protect(world, path)];
    try {
      keepCopy(world, base, text);
      writeLastApplied(world, base, { memory, salt });
      removeMarker(world.files, base);
    } catch (error) {
      // Without room the server would empty its file, so only a closed directory may pass.
      if (!isClosed(error)) throw fail(error);
      notices.push(`No copy of ${path} can be kept (${errorCode(error)})`);
    }
    return { written: false, notices };
  }
  try {
    if (state.text !== undefined && !state.torn) {
      keepCopy(world, base, state.text);
    }
    const both = bridge(state.memory, memory);
    writeLastApplied(world, base, { memory: both, salt });
    const inPlace = replaceConfig(world, { path, base, text, state });
    keepCopy(world, base, text);
    writeLastApplied(world, base, { memory, salt });
    return {
      written: true,
      notices: inPlace
        ? [
          `${path} cannot be replaced as a whole (a mount of its own, or a closed directory): it was written in place, after a copy of the old one was kept, now ${base}.2`,
          ...protect(world, path),
        ]
        : [],
    };
  } catch (error) {
    throw fail(error);
  }
}

/**
 * Makes sure that there is a copy to bring back, before a directory is made or given away for it.
 *
 * @param world Files.
 * @param place Where config.json is.
 * @param number Which copy, 1 for the newest.
 * @throws {EntrypointError} With code 64 if there is no such copy, 65 if config.json is a dangling link.
 */
export function requireCopy(
  world: ConfigWorld,
  place: ConfigPlace,
  number: number,
): void {
  const bases = [locate(world, place).path, ...fallbackBase(place)];
  try {
    const copies = bases.flatMap((base) => listCopies(world, base));
    findCopy(copies, place, number);
  } catch (error) {
    // A directory that is closed to root, on NFS, may be open to the server's user.
    if (errorCode(error) === undefined) throw error;
  }
}

function findCopy(
  copies: readonly ConfigCopy[],
  place: ConfigPlace,
  number: number,
): ConfigCopy {
  const copy = copies.find((candidate) => candidate.number === number);
  if (copy !== undefined) return copy;
  const numbers = copies.map((candidate) => candidate.number);
  throw new EntrypointError(
    `There is no copy ${number} of ${place.path}; ${
      numbers.length === 0
        ? "there is none at all"
        : `there is ${numbers.join(", ")}`
    }`,
    { code: ExitCode.usage },
  );
}

/** A copy that is closed to us may be good. */
function unusableCopy(
  world: ConfigWorld,
  place: ConfigPlace,
  { path }: ConfigCopy,
): EntrypointError {
  try {
    readOwnFile(world.files, path);
  } catch (error) {
    return error instanceof EntrypointError
      ? error
      : unreadableConfig(path, error, place.user);
  }
  return new EntrypointError(`${path} is no complete config.json`, {
    code: ExitCode.badConfig,
    remedy: `Take another copy: ls -l ${path.replace(/\d+$/, "*")}`,
  });
}

/**
 * Brings a copy back. What is on disk is kept: as a copy if it is good, else as `config.json.broken`.
 *
 * @param world Files and random bytes.
 * @param place Where config.json is.
 * @param number Which copy, 1 for the newest.
 * @returns What was done, in lines for the operator.
 * @throws {EntrypointError} With code 64 if there is no such copy, 65 if it is broken, 73 if it cannot be written.
 */
export function restoreCopy(
  world: ConfigWorld,
  place: ConfigPlace,
  number: number,
): readonly string[] {
  const lock = lockConfig(world, place);
  try {
    const target = locate(world, place);
    const { path } = target;
    const { base } = lock;
    const copy = findCopy(listCopies(world, base), place, number);
    const { text } = copy;
    if (text === undefined) throw unusableCopy(world, place, copy);
    const found = readContent(world, place, path);
    const content = found === undefined ? undefined : parseConfig(found);
    const notices: string[] = [...lock.notices];
    try {
      if (content !== undefined && "text" in content) {
        keepCopy(world, base, content.text);
      } else if (found !== undefined && found.length > 0) {
        const broken = new TextDecoder().decode(found);
        replaceFile(world, `${base}.broken`, broken);
        notices.push(`The broken file is kept as ${base}.broken`);
      }
      const state = {
        text: content !== undefined && "text" in content
          ? content.text
          : undefined,
        torn: false,
      };
      replaceConfig(world, { path, base, text, state });
      keepCopy(world, base, text);
    } catch (error) {
      throw unwritableConfig(error, { ...target, writer: place.user });
    }
    const date = new Date(copy.modified).toISOString();
    return [
      ...notices,
      `${path} is again what it was in copy ${number} of ${date}`,
    ];
  } finally {
    lock.release();
  }
}
