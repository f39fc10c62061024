/**
 * The rules of execvp(3): which files a command can be, and what a failure means.
 *
 * Pure: `exec.ts` makes the system calls.
 *
 * @module
 */

import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { shellWord } from "../shell.ts";

/** The directories that glibc searches if the environment has no `PATH` (execvp(3)). */
const DEFAULT_PATH = "/bin:/usr/bin";

/** The errno values of execve(2) and of the calls before it, which are the same on x86_64 and aarch64 (errno(3)). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  E2BIG: 7,
  ENOEXEC: 8,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ETXTBSY: 26,
  ENAMETOOLONG: 36,
  ELOOP: 40,
} as const;

/** The meaning of each errno, to follow a colon. */
const REASONS: Readonly<Record<number, string>> = {
  [Errno.EPERM]: "operation not permitted",
  [Errno.ENOENT]: "no such file or directory",
  [Errno.E2BIG]: "arguments and environment together are too long",
  [Errno.ENOEXEC]:
    "the file is neither a program for this machine nor a script that starts with #!",
  [Errno.EAGAIN]: "the user has too many processes",
  [Errno.ENOMEM]: "not enough memory",
  [Errno.EACCES]: "permission denied",
  [Errno.ENOTDIR]: "part of the path is not a directory",
  [Errno.EINVAL]: "the id or the format of the file is invalid",
  [Errno.ETXTBSY]: "another process has the file open for writing",
  [Errno.ENAMETOOLONG]: "the name is too long",
  [Errno.ELOOP]: "too many symbolic links",
};

const ALL_MAY_EXECUTE = 0o111;

/** The errno values after which execvp(3) tries the next directory of `PATH`. */
const TRY_NEXT: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EACCES,
]);

/** The errno values of a file that does not exist. */
const ABSENT: ReadonlySet<number> = new Set([Errno.ENOENT, Errno.ENOTDIR]);

/**
 * Explains why a child process could not be started.
 *
 * @param path The program.
 * @param error The error of the attempt to start it.
 * @returns An error as of {@linkcode execFailure}; `error` itself if it has no code of {@linkcode Errno}.
 */
export function childFailure(path: string, error: unknown): unknown {
  const errno = errnoFromError(error);
  if (errno === undefined) return error;
  const exists = !ABSENT.has(errno);
  return execFailure(path, [{ path, errno, exists, isDirectory: false }]);
}

/**
 * Converts the `code` of a system error to its errno.
 *
 * @param error Anything that was thrown.
 * @returns The errno; `undefined` if the error has no code, or one that is not in {@linkcode Errno}.
 */
export function errnoFromError(error: unknown): number | undefined {
  const code = errorCode(error);
  return Object.entries(Errno).find(([name]) => name === code)?.[1];
}

/** A failed attempt to execute a file. */
export interface Attempt {
  /** The file. */
  readonly path: string;
  /** The errno of `execve`. */
  readonly errno: number;
  /** Whether the file exists. */
  readonly exists: boolean;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** Its permission bits; `undefined` if they are not known. */
  readonly mode?: number;
}

/**
 * Describes an errno.
 *
 * @param errno The errno.
 * @returns A phrase that can follow a colon.
 */
export function describeErrno(errno: number): string {
  return REASONS[errno] ?? `system error ${errno}`;
}

/**
 * Lists the files that a command can be, in the order in which to try them.
 *
 * @param command A path, or a name without a slash.
 * @param path The `PATH` to search. An empty element means the working directory.
 * @returns Only the command itself if it contains a slash, nothing if it is empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(candidates("ls", "/bin:"), ["/bin/ls", "./ls"]);
 * ```
 */
export function candidates(
  command: string,
  path: string = DEFAULT_PATH,
): readonly string[] {
  if (command === "") return [];
  if (command.includes("/")) return [command];
  return path.split(":").map((directory) => `${directory || "."}/${command}`);
}

/**
 * Decides, as execvp(3) does, whether the search continues after a failed attempt.
 *
 * @param attempt The attempt.
 * @returns Whether to try the next candidate.
 */
export function continuesSearch(attempt: Attempt): boolean {
  return TRY_NEXT.has(attempt.errno);
}

/**
 * Explains why no candidate could be executed. A file that exists, but cannot be executed,
 * takes precedence over files that do not exist.
 *
 * @param command The command as the user gave it.
 * @param attempts All attempts, in order.
 * @returns An error with exit code 126 (found, but not executable) or 127 (not found).
 */
export function execFailure(
  command: string,
  attempts: readonly Attempt[],
): EntrypointError {
  const found = attempts.find((attempt) =>
    attempt.exists || !ABSENT.has(attempt.errno)
  );
  if (found === undefined) return notFound(command, attempts);
  return new EntrypointError(
    `Cannot execute ${found.path}: ${causeOf(found)}`,
    { code: ExitCode.cannotExecute, remedy: remedyOf(found) },
  );
}

function notFound(
  command: string,
  attempts: readonly Attempt[],
): EntrypointError {
  const message = command.includes("/")
    ? `Cannot find ${command}: ${
      describeErrno(attempts[0]?.errno ?? Errno.ENOENT)
    }`
    : `Cannot find the command "${command}" in PATH, tried: ${
      attempts.map((attempt) => attempt.path).join(", ") || "nothing"
    }`;
  const remedy = command.includes("/")
    ? `ls -l ${shellWord(command.slice(0, command.lastIndexOf("/")) || "/")}`
    : "Check the spelling, or give the full path of the command";
  return new EntrypointError(message, { code: ExitCode.notFound, remedy });
}

function causeOf(attempt: Attempt): string {
  if (attempt.isDirectory) return "it is a directory";
  // The file itself exists (execve(2), ENOENT).
  if (attempt.errno === Errno.ENOENT) {
    return "the interpreter in its first line, or its dynamic loader, does not exist";
  }
  return isDeniedElsewhere(attempt)
    ? "permission denied although its mode permits it: its file system is mounted with noexec, or the interpreter in its first line cannot be executed"
    : describeErrno(attempt.errno);
}

/** Everybody may execute the file itself. */
function isDeniedElsewhere({ errno, mode = 0 }: Attempt): boolean {
  return errno === Errno.EACCES && (mode & ALL_MAY_EXECUTE) === ALL_MAY_EXECUTE;
}

function remedyOf(attempt: Attempt): string {
  const path = shellWord(attempt.path);
  if (attempt.isDirectory) return `ls -l ${path}`;
  switch (attempt.errno) {
    case Errno.EACCES:
      return isDeniedElsewhere(attempt)
        ? `findmnt -T ${path}   # if OPTIONS has noexec, remove it or use another file system`
        : `chmod +x ${path}`;
    case Errno.ENOEXEC:
      return `Use a program for this machine (uname -m); if the file is a shell script, run: sh ${path}`;
    case Errno.ENOENT:
      return `head -n 1 ${path}`;
    case Errno.E2BIG:
      return "Put long values into files, and set NAME_FILE to the path instead of NAME to the value";
    default:
      return `ls -l ${path}`;
  }
}
