/**
 * Messages for the operator, on standard error: text for people, or one JSON object per
 * line for machines. Commands write their results to standard output without this module.
 *
 * The keys of the JSON objects are stable: `time`, `level`, `message`, and where they apply
 * `subject`, `remedy`, `problems`, `code` and `milliseconds`.
 *
 * @module
 */

import type { Problem } from "./errors.ts";
import { EntrypointError, formatError, formatProblem } from "./errors.ts";
import { printable, printableLine } from "./printable.ts";

/** The severity of a message. */
export type Level = "debug" | "info" | "warning" | "error";

/** Format and amount of the messages. */
export interface LogOptions {
  /** Text for people, or one JSON object per line. */
  readonly format: "text" | "json";
  /** Whether messages of the level `debug` are shown. */
  readonly debug: boolean;
}

/** The parts of the system that a log uses. */
export interface LogSystem {
  /** Standard error. */
  readonly err: {
    /** Whether it is a terminal. */
    readonly isTerminal: boolean;
    /** Writes all of a text. */
    write(text: string): void;
  };
  /** The clock that times the steps. */
  readonly clock: {
    /** Milliseconds since the epoch. */
    now(): number;
    /** Milliseconds of a monotonic clock. */
    elapsed(): number;
  };
}

/** Messages for the operator. */
export class Log {
  readonly #system: LogSystem;
  #options: LogOptions = { format: "text", debug: false };
  /** When the last step ended, by the monotonic clock. */
  #stepEnd: number;
  #hasStatus = false;

  /**
   * Creates a log. Its first step begins now.
   *
   * @param system Where messages go, and the clock that times the steps.
   */
  constructor(system: LogSystem) {
    this.#system = system;
    this.#stepEnd = system.clock.elapsed();
  }

  /**
   * Sets format and amount. Until then it is text without debugging.
   *
   * @param options Format and amount.
   */
  configure(options: LogOptions): void {
    this.#options = options;
  }

  /** Whether messages of the level `debug` are shown. */
  get isDebug(): boolean {
    return this.#options.debug;
  }

  /**
   * Reports what the program does.
   *
   * @param message One sentence.
   */
  info(message: string): void {
    this.#write("info", { subject: "", message });
  }

  /**
   * Warns of something that does not stop the program.
   *
   * @param problem The warning.
   */
  warn(problem: Problem): void {
    this.#write("warning", problem);
  }

  /**
   * Reports the end of a step and the time since the previous one, if debugging is on.
   *
   * @param message The step.
   */
  step(message: string): void {
    const now = this.#system.clock.elapsed();
    const milliseconds = Math.round(now - this.#stepEnd);
    this.#stepEnd = now;
    if (!this.#options.debug) return;
    const text = `${formatProblem({ message })} (${milliseconds} ms)`;
    this.#write("debug", { subject: "", message }, {
      text,
      more: { milliseconds },
    });
  }

  /**
   * Reports a detail, if debugging is on.
   *
   * @param message The detail.
   */
  debug(message: string): void {
    if (this.#options.debug) this.#write("debug", { subject: "", message });
  }

  /**
   * Reports the error that ends the program.
   *
   * @param error Anything that was thrown.
   */
  fail(error: unknown): void {
    if (this.#options.format === "json" && error instanceof EntrypointError) {
      this.#write("error", {
        subject: "",
        message: error.message,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      }, { more: { problems: error.problems, code: error.code } });
      return;
    }
    const text = formatError(error);
    this.#write("error", { subject: "", message: text }, { text });
  }

  /**
   * Shows a status line, which the next message replaces. It appears only on a terminal.
   *
   * @param message What the program does at the moment.
   */
  showStatus(message: string): void {
    const { err } = this.#system;
    if (!err.isTerminal || this.#options.format !== "text") return;
    this.clearStatus();
    this.#hasStatus = true;
    err.write(`${PREFIX}${printableLine(message)}`);
  }

  /** Removes the status line. Call it before anything else writes to the terminal. */
  clearStatus(): void {
    if (!this.#hasStatus) return;
    this.#system.err.write("\r\x1b[K");
    this.#hasStatus = false;
  }

  #write(
    level: Level,
    problem: Problem,
    { text = formatProblem(problem), more = {} }: {
      readonly text?: string;
      readonly more?: Readonly<Record<string, unknown>>;
    } = {},
  ): void {
    const { clock, err } = this.#system;
    if (this.#options.format === "json") {
      const time = new Date(clock.now()).toISOString();
      const { subject, message, remedy } = problem;
      const json = JSON.stringify({
        time,
        level,
        ...(subject === "" ? {} : { subject }),
        message,
        ...(remedy === undefined ? {} : { remedy }),
        ...more,
      });
      err.write(`${printable(json)}\n`);
      return;
    }
    this.clearStatus();
    const lines = printable(`${LABELS[level]}${text}`).split("\n");
    err.write(
      `${lines.map((line) => `${PREFIX}${line}`).join("\n")}\n`,
    );
  }
}

const PREFIX = "entrypoint: ";

const LABELS: Readonly<Record<Level, string>> = {
  debug: "debug: ",
  info: "",
  warning: "warning: ",
  error: "error: ",
};
