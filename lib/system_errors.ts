/**
 * Explains the errors of file operations, with their remedies.
 *
 * @module
 */

import {
  EntrypointError,
  errorCode,
  ExitCode,
  NOT_CAPABLE,
  NOT_REGULAR,
  TOO_LARGE,
} from "./errors.ts";
import { shellWord } from "./shell.ts";

/** Why an operation failed, and what to do about it. */
export interface SystemFault {
  /** A clause that can follow a colon. */
  readonly reason: string;
  /** A command or a setting to paste. */
  readonly remedy: string;
}

const DEVICE_REMEDY =
  "On the host: dmesg | tail   # the disk or the network volume fails; copy the data to another one";

const MOUNT_AGAIN =
  "findmnt -T FILE   # the network volume: repair the connection to its server, mount it again, and recreate the container";

const OTHER_FILE_SYSTEM =
  "findmnt -T FILE   # use a file system for it that supports this";

const OTHER_PATH =
  "Choose a path instead of FILE that is not in /dev, /proc or /sys";

/** The reason and the remedy of each code (errno(3)); `FILE` stands for the path. */
const FAULTS: Readonly<
  Record<string, readonly [reason: string, remedy: string]>
> = {
  ENOSPC: [
    "no space is left on the device",
    "Free some space, then start again: df -h FILE; df -i FILE   # space, or inodes if IUse% is 100%",
  ],
  EDQUOT: [
    "the disk quota is used up",
    "Free some space, then start again: du -sh FILE   # or raise the quota of the volume",
  ],
  EFBIG: [
    "the file would be too large for the file system, or for the limit of the process",
    "ulimit -f   # in Docker: --ulimit fsize=-1",
  ],
  EROFS: [
    "the file system is read-only",
    "findmnt -T FILE   # remove :ro (or readOnly) from the volume; a disk that failed is read-only too",
  ],
  EIO: ["the device reports an input/output error", DEVICE_REMEDY],
  EREMOTEIO: [
    "the device or the network volume reports a remote I/O error",
    DEVICE_REMEDY,
  ],
  EUCLEAN: ["the file system is damaged", DEVICE_REMEDY],
  ENXIO: ["no such device or address", DEVICE_REMEDY],
  ENODEV: ["no such device", DEVICE_REMEDY],
  ESTALE: [
    "stale file handle: the network volume was replaced or its server restarted",
    MOUNT_AGAIN,
  ],
  ENOTCONN: ["the file system in user space (FUSE) has ended", MOUNT_AGAIN],
  ETIMEDOUT: ["the server of the network volume does not answer", MOUNT_AGAIN],
  EHOSTDOWN: ["the server of the network volume is down", MOUNT_AGAIN],
  ESHUTDOWN: ["the network volume was shut down", MOUNT_AGAIN],
  EMFILE: [
    "the process has too many open files",
    "docker run --ulimit nofile=65536:65536 …",
  ],
  ENFILE: [
    "the machine has too many open files",
    "On the host: sysctl fs.file-nr fs.file-max   # raise fs.file-max",
  ],
  ENOMEM: [
    "not enough memory",
    "docker run --memory 1g …   # raise the limit of the container",
  ],
  ENOLCK: ["the file system supports no locks", OTHER_FILE_SYSTEM],
  ENOSYS: ["the system does not support the operation", OTHER_FILE_SYSTEM],
  EOPNOTSUPP: [
    "the file system does not support the operation",
    OTHER_FILE_SYSTEM,
  ],
  ENOTSUP: [
    "the file system does not support the operation",
    OTHER_FILE_SYSTEM,
  ],
  EINVAL: ["the file system refuses the operation", OTHER_FILE_SYSTEM],
  EBADF: ["the file system refuses the operation", OTHER_FILE_SYSTEM],
  ETXTBSY: [
    "the file is a program that is being executed or written",
    "fuser -v FILE   # shows which process",
  ],
  ELOOP: [
    "too many symbolic links",
    "ls -l FILE   # the link leads to itself",
  ],
  ENAMETOOLONG: [
    "the name is too long",
    "Choose a path of at most 4095 bytes, with names of at most 255",
  ],
  ENOTDIR: [
    "part of the path is not a directory",
    "ls -ld FILE   # and each directory above it",
  ],
  EISDIR: ["it is a directory", "ls -ld FILE"],
  EEXIST: ["something else has this name", "ls -ld FILE"],
  ENOENT: ["it does not exist", "ls -ld FILE"],
  EACCES: ["permission denied", "ls -ld FILE"],
  EPERM: [
    "the operation is not permitted",
    "ls -la FILE; lsattr -a FILE   # with the attribute i or a: chattr -i -a; a file of another owner in a directory with the sticky bit: chown",
  ],
  [NOT_CAPABLE]: [
    "it is in /dev, /proc or /sys, where the entrypoint opens no files",
    OTHER_PATH,
  ],
  [NOT_REGULAR]: [
    "it is a FIFO, a socket or a device",
    "ls -lL FILE   # name a regular file",
  ],
  [TOO_LARGE]: [
    "it has more than 64 MiB",
    "ls -lL FILE   # name the right file",
  ],
};

/**
 * Explains why an operation on a path failed.
 *
 * @param error The system's error.
 * @param path The path, for the remedy.
 * @returns Reason and remedy.
 * @throws The error itself if it is none of the system: it is a bug.
 */
export function explainSystemError(error: unknown, path: string): SystemFault {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return explainCode(code, path);
}

/**
 * Explains a code of the system.
 *
 * @param code The code, as of {@linkcode errorCode}.
 * @param path The path, for the remedy.
 * @returns Reason and remedy.
 */
export function explainCode(code: string, path: string): SystemFault {
  const word = shellWord(path);
  const fault = Object.hasOwn(FAULTS, code) ? FAULTS[code] : undefined;
  const [reason, remedy] = fault ??
    [`the system reports ${code}`, "ls -ld FILE"];
  // The codes of the system can be searched for.
  const isNamed = fault !== undefined && /^E[A-Z0-9]+$/.test(code);
  const suffix = isNamed ? ` (${code})` : "";
  return {
    reason: `${reason}${suffix}`,
    remedy: remedy.replaceAll("FILE", () => word),
  };
}

/**
 * Checks whether owner and mode of a file deny an operation.
 *
 * @param error The system's error.
 * @returns Whether its code is EACCES or EPERM.
 */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
}

/** The operation and the path at the end of a message of Deno or of `node:fs`. */
const OPERATION_REGEXP = /[:,] (\w+) '([^']+)'/;

/** The path in the message of Deno for a file that it opens only with all permissions. */
const REFUSED_PATH_REGEXP = /^Requires \w+ access to "([^"]+)"/;

/**
 * Explains an error of the system that reached the end of the program: not a bug, but a disk, a
 * volume or a limit that failed at an unusual moment.
 *
 * @param error Anything that was thrown.
 * @returns An error with code 73; `error` itself if it is not of the system.
 */
export function unexpectedSystemError(error: unknown): unknown {
  const code = errorCode(error);
  if (
    !(error instanceof Error) || error instanceof EntrypointError ||
    code === undefined ||
    !(Object.hasOwn(FAULTS, code) || code.startsWith("errno "))
  ) return error;
  const { message } = error;
  const [, operation = "", named = ""] = OPERATION_REGEXP.exec(message) ?? [];
  const path = named || REFUSED_PATH_REGEXP.exec(message)?.[1];
  const { reason, remedy } = explainCode(code, path ?? "/");
  const what = operation === "" ? "" : ` (${operation})`;
  return new EntrypointError(
    path === undefined
      ? `An operation on a file failed: ${reason}`
      : `An operation on ${path} failed${what}: ${reason}`,
    { code: ExitCode.cannotWrite, remedy, cause: error },
  );
}
