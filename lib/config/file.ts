/**
 * Reads and writes config.json on the disk.
 *
 * The entrypoint keeps more files beside `config.json`: `config.json.1` to `.3` are its last valid
 * copies, `config.json.memory` is the last-applied state (digests of what the entrypoint wrote
 * last), and `config.json.lock` is the lock. `config.json.writing` exists only while config.json
 * is overwritten in place.
 *
 * A write has these steps. Each one is on the disk before the next one begins, so that the process
 * can be killed at any time:
 *
 * 1. Keep the present content as a copy.
 * 2. Write a last-applied state with the digests of both the old and the new values. A state with
 *    only one of them would make the entrypoint's own values look like edits if the process were
 *    killed before or after step 3.
 * 3. Replace config.json by a rename. If that is impossible, overwrite it in place, with a marker
 *    file until the end.
 * 4. Keep the new content as a copy, because the server does not write config.json atomically.
 * 5. Write the last-applied state with the digests of the new values only.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import type { System } from "../os/system.ts";
import { explainSystemError } from "../system_errors.ts";
import type { ConfigCopy } from "./copies.ts";
import { addCopy, listCopies } from "./copies.ts";
import type { Json } from "../json.ts";
import type { ConfigLocation, ConfigSystem } from "./location.ts";
import {
  markerPath,
  readConfigBytes,
  resolveConfigPath,
  sidecarBase,
} from "./location.ts";
import type { Acceptance, LastAppliedState } from "./last_applied.ts";
import {
  createDigest,
  lastAppliedPath,
  readLastApplied,
  writeLastApplied,
} from "./last_applied.ts";
import type { ConfigLock } from "./lock.ts";
import type { LastApplied } from "./merge.ts";
import { stateDuringWrite } from "./merge.ts";
import { tryReadOwnFile } from "./own_file.ts";
import {
  isPermissionError,
  makePrivate,
  removeMarker,
  replaceConfig,
} from "./replace_config.ts";
import {
  decodeText,
  missingConfig,
  parseConfig,
  unusableConfig,
  unwritableConfig,
} from "./config_errors.ts";

/** The location of config.json, and the server's user. */
export type ConfigPlace = ConfigLocation;

/** The configuration on the disk. */
export interface ConfigState extends LastAppliedState {
  /** The text of config.json; `undefined` if the file does not exist. */
  readonly text: string | undefined;
  /** Whether an overwrite of the file was interrupted. The text is then that of the newest valid copy. */
  readonly torn: boolean;
  /** Notices for the operator. */
  readonly notices: readonly string[];
  /** The digest function of the last-applied state, for the merge. */
  digest(value: Json): string;
}

/** A new config.json, and the state that it replaces. */
export interface ConfigWrite {
  /** The lock that is held. */
  readonly lock: ConfigLock;
  /** The state that went into the merge. */
  readonly state: ConfigState;
  /** The new text. */
  readonly text: string;
  /** The last-applied state of the new text. */
  readonly lastApplied: LastApplied;
  /** The configuration that the server accepted last, if it is this one. */
  readonly accepted: Acceptance | undefined;
}

/** The result of a write. */
export interface WriteReport {
  /** Whether the content of config.json changed. */
  readonly written: boolean;
  /** Notices for the operator. */
  readonly notices: readonly string[];
}

/**
 * Reads config.json and its last-applied state. It changes nothing.
 *
 * @param system Files, and random bytes for the salt of a new last-applied state.
 * @param place Where config.json is.
 * @returns The configuration on the disk.
 * @throws {EntrypointError} With code 65 if config.json cannot be read or is not valid, 73 if the
 * last-applied state or a copy is not a regular file.
 */
export function readConfig(
  system: ConfigSystem,
  place: ConfigPlace,
): ConfigState {
  const { path } = resolveConfigPath(system, place);
  const base = sidecarBase(system, place, path);
  const lastApplied = readLastApplied(system, base);
  const rest = { ...lastApplied, digest: createDigest(lastApplied.salt) };
  // Read only if needed, because it takes as long as everything else here together.
  const copies = (): readonly ConfigCopy[] => listCopies(system, base);
  const found = readConfigBytes(system, place, path);
  if (found === undefined) {
    const valid = copies().find(({ text }) => text !== undefined);
    if (valid !== undefined) throw missingConfig(path, valid);
    return { ...rest, text: undefined, torn: false, notices: [] };
  }
  const content = parseConfig(found);
  if ("text" in content) {
    return { ...rest, text: content.text, torn: false, notices: [] };
  }
  const valid = copies().find(({ text }) => text !== undefined);
  if (system.files.exists(markerPath(base)) && valid !== undefined) {
    const notice =
      `${path} ${content.fault}, because an overwrite was interrupted; it is restored from ${valid.path}`;
    return { ...rest, text: valid.text, torn: true, notices: [notice] };
  }
  throw unusableConfig(path, content, copies());
}

/** Milliseconds between attempts to read a config.json that is not valid: half a second in all. */
const READ_PAUSES = [20, 40, 80, 160, 200];

/**
 * Reads config.json like {@linkcode readConfig}. If it is not valid, it is read again for half a
 * second, because another server may be writing it: the server truncates the file first. Another
 * start may write it and its first copy while this one finds no config.json.
 *
 * @param system Files, random bytes, and the clock.
 * @param place Where config.json is.
 * @returns The configuration on the disk.
 * @throws {EntrypointError} As {@linkcode readConfig}.
 */
export async function readSettledConfig(
  system: ConfigSystem & Pick<System, "clock">,
  place: ConfigPlace,
): Promise<ConfigState> {
  for (const pause of READ_PAUSES) {
    try {
      const state = readConfig(system, place);
      if (!state.torn) return state;
    } catch (error) {
      const isInvalid = error instanceof EntrypointError &&
        error.code === ExitCode.badConfig;
      // It may have become valid, or appeared, since it was read.
      if (!isInvalid || !isThere(system, place)) throw error;
    }
    await system.clock.sleep(pause);
  }
  return readConfig(system, place);
}

function isThere(system: ConfigSystem, place: ConfigPlace): boolean {
  const { path } = resolveConfigPath(system, place);
  return readConfigBytes(system, place, path) !== undefined;
}

/**
 * Checks whether the configuration on the disk has not changed since it was read, which is much
 * faster than {@linkcode readConfig}.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @param state The state that was read.
 * @returns Whether config.json and its last-applied state are still the same, byte for byte.
 */
export function isUnchanged(
  system: ConfigSystem,
  place: ConfigPlace,
  state: ConfigState,
): boolean {
  const { path } = resolveConfigPath(system, place);
  const statePath = lastAppliedPath(sidecarBase(system, place, path));
  if (state.torn || tryReadOwnFile(system.files, statePath) !== state.stored) {
    return false;
  }
  const found = readConfigBytes(system, place, path);
  return found === undefined
    ? state.text === undefined
    : state.text !== undefined && decodeText(found) === state.text;
}

/**
 * Writes config.json if it changes, its copies and the last-applied state.
 *
 * @param system Files and random bytes.
 * @param place Where config.json is.
 * @param write The new text, and the state that it replaces.
 * @returns Whether the content changed, and notices for the operator.
 * @throws {EntrypointError} With code 73 if a file cannot be written. Nothing is lost then, because
 * config.json or its newest copy is complete.
 */
export function writeConfig(
  system: ConfigSystem,
  place: ConfigPlace,
  write: ConfigWrite,
): WriteReport {
  const target = resolveConfigPath(system, place);
  const { path } = target;
  const { lock: { base }, state, text, lastApplied, accepted } = write;
  const { salt } = state;
  const fail = (error: unknown): EntrypointError =>
    unwritableConfig(error, {
      ...target,
      writer: place.user,
      files: system.files,
    });
  if (state.text === text && !state.torn) {
    const notices = [...makePrivate(system, path)];
    try {
      addCopy(system, base, text);
      writeLastApplied(system, base, { lastApplied, accepted, salt });
      removeMarker(system.files, base);
    } catch (error) {
      // On a full disk the server would truncate config.json, so only missing permissions are ignored.
      if (!isPermissionError(error)) throw fail(error);
      const { reason } = explainSystemError(error, path);
      notices.push(`Cannot keep a copy of ${path}: ${reason}`);
    }
    return { written: false, notices };
  }
  try {
    if (state.text !== undefined && !state.torn) {
      addCopy(system, base, state.text);
    }
    const both = stateDuringWrite(state.lastApplied, lastApplied);
    writeLastApplied(system, base, {
      lastApplied: both,
      accepted: undefined,
      salt,
    });
    const inPlace = replaceConfig(system, { path, base, text, state });
    addCopy(system, base, text);
    writeLastApplied(system, base, { lastApplied, accepted, salt });
    return {
      written: true,
      notices: inPlace
        ? [
          `${path} was overwritten in place, because a rename cannot replace a mount or a file in a directory that is not writable; its previous content is in ${base}.2`,
          ...makePrivate(system, path),
        ]
        : [],
    };
  } catch (error) {
    throw fail(error);
  }
}
