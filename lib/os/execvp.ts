/**
 * What `execvp` knows: where a command may be, and what its failure means.
 *
 * Pure: it neither touches the disk nor replaces the process; `exec.ts` does.
 *
 * @module
 */

import { EntrypointError, errorCode, ExitCode } from "../errors.ts";

/** Where glibc's `execvp` looks when the environment has no `PATH`. */
const DEFAULT_PATH = "/bin:/usr/bin";

/** Linux errno values that `execve` and the calls before it give, by name (`errno.h`, same on x86_64 and aarch64). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  E2BIG: 7,
  ENOEXEC: 8,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  ENOTDIR: 20,
  EINVAL: 22,
  ETXTBSY: 26,
  ENAMETOOLONG: 36,
  ELOOP: 40,
} as const;

/** What an errno says, for people. */
const REASONS: Readonly<Record<number, string>> = {
  [Errno.EPERM]: "the system does not permit it",
  [Errno.ENOENT]: "no such file or directory",
  [Errno.E2BIG]: "arguments and environment together are too long",
  [Errno.ENOEXEC]: "neither a program for this machine nor a script with #!",
  [Errno.EAGAIN]: "the user has too many processes already",
  [Errno.ENOMEM]: "not enough memory",
  [Errno.EACCES]: "permission denied",
  [Errno.ENOTDIR]: "part of the path is not a directory",
  [Errno.EINVAL]: "the system does not know such an id or format",
  [Errno.ETXTBSY]: "the file is being written",
  [Errno.ENAMETOOLONG]: "the name is too long",
  [Errno.ELOOP]: "too many symbolic links",
};

/** The errno values after which `execvp` tries the next directory of `PATH`. */
const TRY_NEXT: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EACCES,
]);

/** The errno values that say that there is no such file. */
const ABSENT: ReadonlySet<number> = new Set([Errno.ENOENT, Errno.ENOTDIR]);

/**
 * Says why a child process could not be started.
 *
 * @param path The program.
 * @param error What starting it threw.
 * @returns As {@linkcode execFailure}; the very error if the system did not give it.
 */
export function childFailure(path: string, error: unknown): unknown {
  const errno = codeNumber(error);
  if (errno === undefined) return error;
  const exists = !ABSENT.has(errno);
  return execFailure(path, [{ path, errno, exists, isDirectory: false }]);
}

/**
 * The errno behind an error of the system.
 *
 * @param error What a call threw.
 * @returns The number of its `code`; `undefined` where it has none, or one that is not in {@linkcode Errno}.
 */
export function codeNumber(error: unknown): number | undefined {
  const code = errorCode(error);
  return Object.entries(Errno).find(([name]) => name === code)?.[1];
}

/** One file that was tried, and how that failed. */
export interface Attempt {
  /** The file. */
  readonly path: string;
  /** The errno of `execve`. */
  readonly errno: number;
  /** Whether there is anything at that path. */
  readonly exists: boolean;
  /** Whether that is a directory. */
  readonly isDirectory: boolean;
}

/**
 * Says what an errno means.
 *
 * @param errno The number.
 * @returns A phrase that can follow a colon.
 */
export function reasonOf(errno: number): string {
  return REASONS[errno] ?? `system error ${errno}`;
}

/**
 * Lists the files that a command may stand for, in the order of trying.
 *
 * @param command A path, or a name without a slash.
 * @param path The `PATH` to search; an empty element is the working directory.
 * @returns The candidates: the command itself if it has a slash, none if it is empty.
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
 * Decides whether the search goes on after a failed attempt, as in `execvp`.
 *
 * @param attempt The attempt.
 * @returns True if the next candidate may be tried.
 */
export function triesNext(attempt: Attempt): boolean {
  return TRY_NEXT.has(attempt.errno);
}

/**
 * Tells why no candidate could be executed: a file that was found and refused
 * says more than those that are not there.
 *
 * @param command The command as it was given.
 * @param attempts What was tried, in order.
 * @returns The error with exit code 126 (found, not executable) or 127 (not found).
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
    `Cannot execute ${found.path}: ${whyRefused(found)}`,
    { code: ExitCode.cannotExecute, remedy: remedyOf(found) },
  );
}

function notFound(
  command: string,
  attempts: readonly Attempt[],
): EntrypointError {
  const message = command.includes("/")
    ? `Cannot find ${command}: ${reasonOf(attempts[0]?.errno ?? Errno.ENOENT)}`
    : `Cannot find the command "${command}" in PATH, tried: ${
      attempts.map((attempt) => attempt.path).join(", ") || "nothing"
    }`;
  const remedy = command.includes("/")
    ? `ls -l ${command.slice(0, command.lastIndexOf("/")) || "/"}`
    : "Check the spelling, or give the full path of the command";
  return new EntrypointError(message, { code: ExitCode.notFound, remedy });
}

function whyRefused(attempt: Attempt): string {
  if (attempt.isDirectory) return "it is a directory";
  // The file is there, so what is missing is the program that should run it.
  if (attempt.errno === Errno.ENOENT) {
    return "the interpreter that it names in its first line, or its loader, does not exist";
  }
  return reasonOf(attempt.errno);
}

function remedyOf(attempt: Attempt): string {
  const { path } = attempt;
  if (attempt.isDirectory) return `ls -l ${path}`;
  switch (attempt.errno) {
    case Errno.EACCES:
      return `chmod +x ${path}`;
    case Errno.ENOEXEC:
      return `If it is a shell script, run it as: sh ${path}`;
    case Errno.ENOENT:
      return `head -n 1 ${path}`;
    case Errno.E2BIG:
      return "Pass long values in files (NAME_FILE) instead of the environment";
    default:
      return `ls -l ${path}`;
  }
}
