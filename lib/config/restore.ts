/**
 * Restores config.json from one of its copies, for `app:config --restore`.
 *
 * @module
 */

import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { shellWord } from "../shell.ts";
import {
  parseConfig,
  unreadableConfig,
  unwritableConfig,
} from "./config_errors.ts";
import type { ConfigCopy } from "./copies.ts";
import { addCopy, listCopies } from "./copies.ts";
import type { ConfigPlace } from "./file.ts";
import type { ConfigLock } from "./lock.ts";
import type { ConfigSystem } from "./location.ts";
import {
  fallbackBases,
  readConfigBytes,
  resolveConfigPath,
} from "./location.ts";
import { readOwnFile } from "./own_file.ts";
import { replaceConfig } from "./replace_config.ts";
import { replaceFile } from "./replace_file.ts";

/**
 * Checks that a copy exists, before the restore creates directories or changes their owners.
 *
 * @param system Files.
 * @param place Where config.json is.
 * @param number The number of the copy; 1 is the newest.
 * @throws {EntrypointError} With code 64 if there is no such copy, 65 if config.json is a dangling link.
 */
export function requireCopy(
  system: ConfigSystem,
  place: ConfigPlace,
  number: number,
): void {
  const bases = [
    resolveConfigPath(system, place).path,
    ...fallbackBases(place),
  ];
  try {
    const copies = bases.flatMap((base) => listCopies(system, base));
    findCopy(copies, place, number);
  } catch (error) {
    // On NFS, the server's user may have access to a directory that root cannot list.
    if (errorCode(error) === undefined) throw error;
  }
}

/**
 * Restores config.json from a copy. The present content is kept: as a copy if it is valid,
 * otherwise as `config.json.broken`.
 *
 * @param system Files and random bytes.
 * @param place Where config.json is.
 * @param options The number of the copy, 1 is the newest; and the lock that is held.
 * @returns Notices for the operator.
 * @throws {EntrypointError} With code 64 if there is no such copy, 65 if it is not valid, 73 if
 * config.json cannot be written.
 */
export function restoreCopy(
  system: ConfigSystem,
  place: ConfigPlace,
  { number, lock }: { readonly number: number; readonly lock: ConfigLock },
): readonly string[] {
  const target = resolveConfigPath(system, place);
  const { path } = target;
  const { base } = lock;
  const copy = findCopy(listCopies(system, base), place, number);
  const { text } = copy;
  if (text === undefined) throw unusableCopy(system, place, copy);
  const found = readConfigBytes(system, place, path);
  const content = found === undefined ? undefined : parseConfig(found);
  const present = content !== undefined && "text" in content
    ? content.text
    : undefined;
  const notices: string[] = [...lock.notices];
  try {
    if (present !== undefined) {
      addCopy(system, base, present);
    } else if (found !== undefined && found.length > 0) {
      replaceFile(system, `${base}.broken`, new TextDecoder().decode(found));
      notices.push(`The invalid config.json is kept as ${base}.broken`);
    }
    const state = { text: present, torn: false };
    replaceConfig(system, { path, base, text, state });
    addCopy(system, base, text);
  } catch (error) {
    throw unwritableConfig(error, {
      ...target,
      writer: place.user,
      files: system.files,
    });
  }
  const date = new Date(copy.modified).toISOString();
  return [...notices, `Restored ${path} from copy ${number} of ${date}`];
}

function findCopy(
  copies: readonly ConfigCopy[],
  place: ConfigPlace,
  number: number,
): ConfigCopy {
  const copy = copies.find((candidate) => candidate.number === number);
  if (copy !== undefined) return copy;
  const numbers = copies.map((candidate) => candidate.number).join(", ");
  throw new EntrypointError(
    `There is no copy ${number} of ${place.path}; existing copies: ${
      numbers === "" ? "none" : numbers
    }`,
    { code: ExitCode.usage },
  );
}

/** The error for a copy without a usable text: it is not valid, or it cannot be read. */
function unusableCopy(
  system: ConfigSystem,
  place: ConfigPlace,
  { path }: ConfigCopy,
): EntrypointError {
  try {
    readOwnFile(system.files, path);
  } catch (error) {
    return error instanceof EntrypointError
      ? error
      : unreadableConfig(path, error, {
        user: place.user,
        files: system.files,
      });
  }
  return new EntrypointError(`${path} is not a valid config.json`, {
    code: ExitCode.badConfig,
    remedy: `Choose another copy: ls -l ${
      shellWord(path.replace(/\d+$/, ""))
    }*`,
  });
}
