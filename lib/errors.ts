/**
 * The one error class of the program, its exit codes, and how errors read.
 *
 * An error names the variable or the path, says what is and what should be,
 * and ends with a remedy that can be pasted. It never holds a secret's value.
 *
 * @module
 */

/** Exit codes of the program, by cause; the numbers are those of sysexits.h and of the shell. */
export const ExitCode = {
  ok: 0,
  /** A check, a health probe or a comparison that came out negative. */
  failure: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The config.json on disk cannot be used. */
  badConfig: 65,
  /** A file named by a `_FILE` variable cannot be read. */
  unreadable: 66,
  /** The database could not be reached in time. */
  unavailable: 69,
  /** A bug of ours. */
  bug: 70,
  /** A file or directory cannot be written. */
  cannotWrite: 73,
  /** The database refuses the credentials. */
  refused: 77,
  /** Settings are missing or wrong, or the upgrade is forbidden or failed. */
  settings: 78,
  /** The program to become exists but cannot be executed. */
  cannotExecute: 126,
  /** The program to become does not exist. */
  notFound: 127,
} as const;

/** One of the values of {@linkcode ExitCode}. */
export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

/** One thing that is wrong, or that deserves a warning. */
export interface Problem {
  /** What it is about, for machines: a variable, a path, a config.json key; empty for none. */
  readonly subject: string;
  /** What is, and what should be: one sentence that names the subject. No final period, no secret. */
  readonly message: string;
  /** A line to paste, or the one step that repairs it. */
  readonly remedy?: string;
}

/** Options of {@linkcode EntrypointError}. */
export interface EntrypointErrorOptions {
  /** The exit code of the program. */
  readonly code: ExitCode;
  /** A line to paste, or the one step that repairs it. */
  readonly remedy?: string;
  /** Every single finding, when the error collects several. */
  readonly problems?: readonly Problem[];
  /** The error below it, shown only for bugs and in debugging. */
  readonly cause?: unknown;
}

/** A condition that the operator has to repair: it has an exit code and a remedy, and no stack trace. */
export class EntrypointError extends Error {
  /** The exit code of the program. */
  readonly code: ExitCode;
  /** A line to paste, or the one step that repairs it. */
  readonly remedy: string | undefined;
  /** Every single finding, when the error collects several. */
  readonly problems: readonly Problem[];

  /**
   * Makes an error for the operator.
   *
   * @param message What is wrong. Sentence case, no final period, no secret.
   * @param options Exit code, remedy, single findings and cause.
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
 * Lays out a finding: its message, and the remedy below it.
 *
 * @param problem The finding.
 * @returns One or more lines, without a final newline.
 */
export function formatProblem(
  { message, remedy }: Pick<Problem, "message" | "remedy">,
): string {
  return remedy === undefined
    ? message
    : `${message}\n${indent(`→ ${remedy}`)}`;
}

/**
 * Lays out an error for the operator; a bug keeps its stack trace.
 *
 * @param error Anything that was thrown.
 * @returns One or more lines, without a final newline.
 */
export function formatError(error: unknown): string {
  if (!(error instanceof EntrypointError)) {
    const text = error instanceof Error
      ? error.stack ?? String(error)
      : String(error);
    return `This is a bug of the entrypoint, please report it:\n${text}`;
  }
  const problems = error.problems.map((problem) =>
    `\n${indent(formatProblem(problem))}`
  );
  const { message, remedy } = error;
  return formatProblem({
    message: `${message}${problems.join("")}`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/**
 * The operating system's or the driver's code of an error: `ENOENT`, `ECONNREFUSED`, `28P01`, …
 *
 * @param error Anything that was thrown.
 * @returns The code, or `undefined` where the error has none.
 */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) {
    return undefined;
  }
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * Does what the system may refuse.
 *
 * @param step The step.
 * @returns Its result; `undefined` where it failed with a code of the system. Other errors are bugs, and are thrown.
 */
export function tolerate<T>(step: () => T): T | undefined {
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
