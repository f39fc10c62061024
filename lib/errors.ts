/**
 * The error class of the program, its exit codes, and the text of errors.
 *
 * An error names the variable or the path, the actual and the expected state, and ends
 * with a remedy to paste. It never contains the value of a secret.
 *
 * @module
 */

import { printableLine } from "./printable.ts";

/**
 * Exit codes of the program, by cause. 64 to 78 are those of sysexits(3), 126 and 127 those
 * of the shell: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02
 */
export const ExitCode = {
  ok: 0,
  /** A check, a health probe or a comparison failed. */
  failure: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The config.json on disk cannot be used. */
  badConfig: 65,
  /** A file named by a `_FILE` variable cannot be read. */
  unreadable: 66,
  /** The database was not usable in time. */
  unavailable: 69,
  /** A bug in this program. */
  bug: 70,
  /** A file or directory cannot be written. */
  cannotWrite: 73,
  /** The database refuses the login, or a privilege is missing. */
  refused: 77,
  /** Settings are missing or wrong, the database does not fit them, or the upgrade is forbidden or failed. */
  settings: 78,
  /** The program to execute exists, but cannot be executed. */
  cannotExecute: 126,
  /** The program to execute does not exist. */
  notFound: 127,
} as const;

/** One of the values of {@linkcode ExitCode}. */
export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

/** One error or warning. */
export interface Problem {
  /** The variable, path or config.json key that it is about, for machines; may be empty. */
  readonly subject: string;
  /**
   * The actual and the expected state, in one sentence that names the subject, without a
   * final period and without secrets.
   */
  readonly message: string;
  /** A command or a setting to paste, or the one step that solves the problem. */
  readonly remedy?: string;
}

/** Options of {@linkcode EntrypointError}. */
export interface EntrypointErrorOptions {
  /** The exit code of the program. */
  readonly code: ExitCode;
  /** A command or a setting to paste, or the one step that solves the problem. */
  readonly remedy?: string;
  /** The single problems, if the error reports several. */
  readonly problems?: readonly Problem[];
  /** The error that led to this one; it is not shown. */
  readonly cause?: unknown;
}

/** An error that the operator can solve. It has an exit code and a remedy, and is shown without a stack trace. */
export class EntrypointError extends Error {
  /** The exit code of the program. */
  readonly code: ExitCode;
  /** A command or a setting to paste, or the one step that solves the problem. */
  readonly remedy: string | undefined;
  /** The single problems, if the error reports several. */
  readonly problems: readonly Problem[];

  /**
   * Creates an error.
   *
   * @param message What is wrong, in sentence case, without a final period and without secrets.
   * @param options Exit code, remedy, single problems and cause.
   */
  constructor(message: string, options: EntrypointErrorOptions) {
    super(
      message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = options.code;
    this.remedy = options.remedy;
    this.problems = options.problems ?? [];
  }

  /** The name that a stack trace shows. */
  override get name(): string {
    return "EntrypointError";
  }
}

/**
 * Formats a problem: its message, and below it the single problems and the remedy.
 *
 * @param problem The problem.
 * @returns One or more lines, without a final newline.
 */
export function formatProblem(
  { message, remedy, problems = [] }:
    & Pick<Problem, "message" | "remedy">
    & Partial<Pick<EntrypointErrorOptions, "problems">>,
): string {
  return [
    printableLine(message),
    ...problems.map((problem) => indent(formatProblem(problem))),
    ...(remedy === undefined ? [] : [indent(`→ ${printableLine(remedy)}`)]),
  ].join("\n");
}

/**
 * Formats an error for the operator.
 *
 * @param error Anything that was thrown.
 * @returns One or more lines, without a final newline; for a bug, with its stack trace.
 */
export function formatError(error: unknown): string {
  if (!(error instanceof EntrypointError)) {
    const text = error instanceof Error
      ? error.stack ?? String(error)
      : String(error);
    return `This is a bug in the entrypoint, please report it:\n${text}`;
  }
  const { message, remedy, problems } = error;
  return formatProblem({
    message,
    problems,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The code of Deno's error for a path in `/dev`, `/proc` or `/sys`, which it opens only with all permissions. */
export const NOT_CAPABLE = "NotCapable";

/** The code of a file that is not read because it is a FIFO, a socket or a device. */
export const NOT_REGULAR = "NotRegular";

/** The code of a file that is not read because of its size. */
export const TOO_LARGE = "TooLarge";

/**
 * The names of the numbers to which Deno gives no `code` (errno(3); the same on x86_64 and
 * aarch64). The number is in the message, or in `errno` where `node:fs` names it `UNKNOWN`.
 */
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  6: "ENXIO",
  8: "ENOEXEC",
  19: "ENODEV",
  23: "ENFILE",
  26: "ETXTBSY",
  27: "EFBIG",
  31: "EMLINK",
  35: "EDEADLK",
  37: "ENOLCK",
  38: "ENOSYS",
  75: "EOVERFLOW",
  108: "ESHUTDOWN",
  112: "EHOSTDOWN",
  116: "ESTALE",
  117: "EUCLEAN",
  121: "EREMOTEIO",
  122: "EDQUOT",
};

/**
 * Gets the code that the operating system or a driver gave an error: `ENOENT`,
 * `ECONNREFUSED`, `28P01`.
 *
 * @param error Anything that was thrown.
 * @returns The code, or `errno 133` for a number without a name; `undefined` if the error has none.
 */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { name, message, code, errno } = error as Record<string, unknown>;
  if (typeof code === "string" && code !== "UNKNOWN") return code;
  if (name === NOT_CAPABLE) return NOT_CAPABLE;
  const number = typeof errno === "number"
    ? -errno
    : Number(/\(os error (\d+)\)/.exec(String(message))?.[1]);
  return number > 0 ? ERRNO_NAMES[number] ?? `errno ${number}` : undefined;
}

/**
 * Calls a function whose system calls may fail, and ignores such a failure.
 *
 * @param step The function.
 * @returns Its result; `undefined` if it failed with a code of the system.
 * @throws Any other error: it is a bug.
 */
export function trySystemCall<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

function indent(text: string): string {
  return text.split("\n").map((line) => `  ${line}`).join("\n");
}
