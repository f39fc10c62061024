/**
 * What to tell the operator when config.json cannot be read or written.
 *
 * @module
 */

import { dirname } from "node:path";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { Identity } from "../os/system.ts";
import type { ConfigCopy } from "./copies.ts";
import { checkDocument, JsonTextError } from "./json_text.ts";

/** The command that goes back to a copy. */
function restoreCommand(number: number): string {
  return `mattermost-entrypoint app:config --restore ${number}`;
}

/**
 * Says what is wrong with the content of a config.json.
 *
 * @param bytes The content.
 * @returns Its text, or a phrase such as `is empty`, which quotes nothing of it.
 */
export function parseConfig(
  bytes: Uint8Array,
): { readonly text: string } | { readonly fault: string } {
  if (bytes.length === 0) return { fault: "is empty" };
  if (bytes.every((byte) => byte === 0)) {
    return { fault: "holds nothing but NUL bytes, as after a power failure" };
  }
  const text = decodeText(bytes);
  if (text === undefined) return { fault: "is not UTF-8 text" };
  if (text.trim() === "") return { fault: "holds nothing but white space" };
  if (text.startsWith("\uFEFF")) {
    return { fault: "starts with a byte order mark, which the server refuses" };
  }
  try {
    checkDocument(text);
    return { text };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    const where = `line ${error.line}, column ${error.column}`;
    const reason = text.includes("\0")
      ? `${error.message}; the file holds NUL bytes`
      : error.message;
    return { fault: `is no valid JSON (${where}: ${reason})` };
  }
}

/**
 * Decodes UTF-8 without changing anything.
 *
 * @param bytes The bytes.
 * @returns The text; `undefined` if it is none.
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
 * The error for a config.json that cannot be used as it is.
 *
 * @param path The file.
 * @param fault What is wrong: `is empty`.
 * @param copies The copies that there are.
 * @returns An error with code 65 and the command that repairs it.
 */
export function unusableConfig(
  path: string,
  fault: string,
  copies: readonly ConfigCopy[],
): EntrypointError {
  const good = copies.find(({ text }) => text !== undefined);
  const message = `${path} ${fault}`;
  if (good === undefined) {
    return new EntrypointError(`${message}, and there is no good copy of it`, {
      code: ExitCode.badConfig,
      remedy:
        `Repair the file, or start from the defaults: echo '{}' > ${path}`,
    });
  }
  const date = new Date(good.modified).toISOString();
  return new EntrypointError(
    `${message}; the newest good copy is ${good.path} of ${date}`,
    { code: ExitCode.badConfig, remedy: restoreCommand(good.number) },
  );
}

/**
 * The error for a config.json that is gone while a copy of it is left: a new one
 * would have new secrets, and none of the edits.
 *
 * @param path The file.
 * @param copy The newest good copy.
 * @returns An error with code 65 and the commands for both ways out.
 */
export function missingConfig(path: string, copy: ConfigCopy): EntrypointError {
  const date = new Date(copy.modified).toISOString();
  return new EntrypointError(
    `${path} is gone; the newest good copy is ${copy.path} of ${date}`,
    {
      code: ExitCode.badConfig,
      remedy: `${
        restoreCommand(copy.number)
      }   # or, to start anew with new secrets: rm ${path}.*`,
    },
  );
}

/**
 * The error for a config.json that cannot be read at all.
 *
 * @param path The file.
 * @param error The system's error.
 * @param reader The user who has to be able to read it.
 * @returns An error with code 65.
 */
export function unreadableConfig(
  path: string,
  error: unknown,
  reader: Identity,
): EntrypointError {
  const code = errorCode(error);
  const denied = code === "EACCES" || code === "EPERM";
  return new EntrypointError(
    denied
      ? `${path} cannot be read by user ${reader.uid}`
      : `${path} cannot be read (${code ?? String(error)})`,
    {
      code: ExitCode.badConfig,
      ...(denied ? { remedy: chownCommand(path, reader) } : {}),
      cause: error,
    },
  );
}

/** Where and by whom something could not be written. */
export interface WriteAttempt {
  /** The config.json, without symbolic links. */
  readonly path: string;
  /** The target of the symbolic link that led to it, as it is written there. */
  readonly link: string | undefined;
  /** The user who has to be able to write. */
  readonly writer: Identity;
}

/**
 * The error for a config.json that cannot be written. Nothing is lost then.
 *
 * @param error The system's error.
 * @param attempt Where and by whom.
 * @returns An error with code 73.
 */
export function unwritableConfig(
  error: unknown,
  { path, link, writer }: WriteAttempt,
): EntrypointError {
  const directory = dirname(path);
  const code = errorCode(error);
  const elsewhere =
    `Set MATTERMOST_CONF_DIR to a writable volume; keep the settings with: cp ${path} "$MATTERMOST_CONF_DIR"/config.json`;
  const [cause, remedy] = ((): [string, string | undefined] => {
    if (code === "ENOSPC" || code === "EDQUOT") {
      const what = code === "ENOSPC"
        ? "no space is left on the device"
        : "the disk quota is used up";
      return [what, `Make room, then start again: df -h ${directory}`];
    }
    if (link?.startsWith("..data/")) {
      return [
        "it is a file of a Kubernetes Secret or ConfigMap, which is read-only, and the server has to write it",
        elsewhere,
      ];
    }
    if (code === "EROFS") return ["the file system is read-only", elsewhere];
    if (code === "EACCES" || code === "EPERM") {
      return [
        `user ${writer.uid} may not write in ${directory}`,
        chownCommand(directory, writer),
      ];
    }
    return [code ?? String(error), undefined];
  })();
  return new EntrypointError(
    `Cannot write ${path}: ${cause}; nothing is lost`,
    {
      code: ExitCode.cannotWrite,
      ...(remedy === undefined ? {} : { remedy }),
      cause: error,
    },
  );
}

function chownCommand(path: string, { uid, gid }: Identity): string {
  return `chown -R ${uid}:${gid} ${path}`;
}
