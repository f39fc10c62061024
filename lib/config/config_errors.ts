/**
 * The errors of a config.json that cannot be read or written, with their remedies.
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
import { explainSystemError } from "../system_errors.ts";
import { inaccessibleParent } from "../os/permissions.ts";
import type { FileFacts, Files, Identity } from "../os/system.ts";
import { shellWord } from "../shell.ts";
import type { ConfigCopy } from "./copies.ts";
import { checkDocument, JsonTextError } from "./json_text.ts";

/** The command that restores a copy. */
function restoreCommand(number: number): string {
  return `mattermost-entrypoint app:config --restore ${number}`;
}

/** Why the content of a config.json is not valid. */
export interface ConfigFault {
  /**
   * Completes a sentence that starts with the path, such as `is empty`. It quotes nothing of the
   * content, which may hold secrets.
   */
  readonly fault: string;
  /** The line to correct, from 1 on; `undefined` if that is not possible. */
  readonly line?: number;
}

/**
 * Validates the content of a config.json.
 *
 * @param bytes The content.
 * @returns The text, or the fault.
 */
export function parseConfig(
  bytes: Uint8Array,
): { readonly text: string } | ConfigFault {
  if (bytes.length === 0) return { fault: "is empty" };
  if (bytes.every((byte) => byte === 0)) {
    return { fault: "contains only NUL bytes, as after a power failure" };
  }
  const text = decodeText(bytes);
  if (text === undefined) return { fault: "is not UTF-8 text" };
  if (text.trim() === "") return { fault: "contains only white space" };
  if (text.startsWith("\uFEFF")) {
    return {
      fault: "starts with a byte order mark, which the server does not accept",
    };
  }
  try {
    checkDocument(text);
    return { text };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    const where = `line ${error.line}, column ${error.column}`;
    const reason = text.includes("\0")
      ? `${error.message}; the file contains NUL bytes`
      : error.message;
    const fault = `is not valid JSON (${where}: ${reason})`;
    return error.isAtEnd || reason !== error.message
      ? { fault }
      : { fault, line: error.line };
  }
}

/**
 * Decodes UTF-8 strictly. A byte order mark is kept.
 *
 * @param bytes The bytes.
 * @returns The text; `undefined` if the bytes are not valid UTF-8.
 */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The error for a config.json that is not valid.
 *
 * @param path The file.
 * @param problem The fault that {@linkcode parseConfig} found.
 * @param copies The copies of the file.
 * @returns An error with code 65; the remedy restores the newest valid copy, if there is one.
 */
export function unusableConfig(
  path: string,
  { fault, line }: ConfigFault,
  copies: readonly ConfigCopy[],
): EntrypointError {
  const valid = copies.find(({ text }) => text !== undefined);
  const message = `${path} ${fault}`;
  if (valid === undefined) {
    return new EntrypointError(`${message}, and there is no valid copy of it`, {
      code: ExitCode.badConfig,
      remedy: `${
        line === undefined ? "Repair the file" : `Correct line ${line}`
      }, or start from the defaults: echo '{}' > ${shellWord(path)}`,
    });
  }
  const date = new Date(valid.modified).toISOString();
  return new EntrypointError(
    `${message}; its newest valid copy is ${valid.path} of ${date}`,
    {
      code: ExitCode.badConfig,
      remedy: line === undefined
        ? restoreCommand(valid.number)
        : `Correct line ${line} of the file, or restore the copy: ${
          restoreCommand(valid.number)
        }`,
    },
  );
}

/**
 * The error for a config.json that does not exist although there is a copy of it. A new one would
 * have new secrets and no edits, so the operator has to decide.
 *
 * @param path The file.
 * @param copy The newest valid copy.
 * @returns An error with code 65; the remedy restores the copy or removes all copies.
 */
export function missingConfig(path: string, copy: ConfigCopy): EntrypointError {
  const date = new Date(copy.modified).toISOString();
  return new EntrypointError(
    `${path} does not exist, but there is a valid copy of it, ${copy.path} of ${date}`,
    {
      code: ExitCode.badConfig,
      remedy: `${
        restoreCommand(copy.number)
      }   # or start again with new secrets: rm ${shellWord(path)}.*`,
    },
  );
}

/**
 * The error for a config.json that the system does not let us read.
 *
 * @param path The file.
 * @param error The system's error.
 * @param reader The user that must be able to read the file, and the file system.
 * @returns An error with code 65.
 */
export function unreadableConfig(
  path: string,
  error: unknown,
  { user: reader, files }: { readonly user: Identity; readonly files: Files },
): EntrypointError {
  const { reason, remedy } = explainSystemError(error, path);
  const isClosed = errorCode(error) === "EACCES";
  return new EntrypointError(
    isClosed
      ? `${path} cannot be read by user ${reader.uid}`
      : `${path} cannot be read: ${reason}`,
    {
      code: ExitCode.badConfig,
      remedy: isClosed ? accessCommand(path, reader, files) : remedy,
      cause: error,
    },
  );
}

/** An attempt to write config.json. */
export interface WriteAttempt {
  /** The path of config.json, with symbolic links resolved. */
  readonly path: string;
  /** The target of the symbolic link at its place, as the link has it; `undefined` if there is no link. */
  readonly link: string | undefined;
  /** The user that must be able to write the file. */
  readonly writer: Identity;
  /** The file system. */
  readonly files: Files;
}

/**
 * The error for a config.json that cannot be written.
 *
 * @param error The system's error.
 * @param attempt The attempt that failed.
 * @returns An error with code 73.
 */
export function unwritableConfig(
  error: unknown,
  { path, link, writer, files }: WriteAttempt,
): EntrypointError {
  const directory = dirname(path);
  const elsewhere =
    `Set MATTERMOST_CONF_DIR to a directory on a writable volume, and copy the configuration there: cp ${
      shellWord(path)
    } "$MATTERMOST_CONF_DIR"/config.json`;
  const fault = explainSystemError(error, directory);
  const [cause, remedy] = ((): [string, string] => {
    if (link?.startsWith("..data/")) {
      return [
        "it is mounted from a Kubernetes Secret or ConfigMap, which is read-only, but the server must be able to write it",
        elsewhere,
      ];
    }
    if (errorCode(error) === "EROFS") return [fault.reason, elsewhere];
    if (errorCode(error) === "EACCES") {
      return [
        `user ${writer.uid} cannot write to ${directory}`,
        accessCommand(directory, writer, files),
      ];
    }
    return [fault.reason, fault.remedy];
  })();
  return new EntrypointError(
    `Cannot write ${path}: ${cause}; nothing is lost`,
    { code: ExitCode.cannotWrite, remedy, cause: error },
  );
}

/** The command that lets a user read and write a path, by the owner of what is closed. */
function accessCommand(path: string, user: Identity, files: Files): string {
  const stat = (each: string): FileFacts | undefined =>
    trySystemCall(() => files.stat(each));
  const closed = inaccessibleParent(path, user, stat) ?? path;
  const facts = stat(closed);
  if (facts?.uid === user.uid) {
    return `chmod ${facts.isDirectory ? "u+rwx" : "u+rw"} ${shellWord(closed)}`;
  }
  const word = shellWord(path);
  return isArbitraryUser(user)
    ? ownerRemedy(word, undefined)
    : `chown -R ${user.uid}:${user.gid} ${word}`;
}
