/**
 * Messages for the operator: lines of text for people, one JSON object a line for machines.
 *
 * Everything goes to standard error; answers go to standard output elsewhere.
 * The keys of the JSON form are stable: `time`, `level`, `message`, and where
 * they apply `subject`, `remedy`, `problems`, `milliseconds`.
 *
 * @module
 */

import type { Problem } from "./errors.ts";
import { EntrypointError, formatError, formatProblem } from "./errors.ts";

/** Importance of a message. */
export type Level = "debug" | "info" | "warning" | "error";

/** How the log looks, and how much it says. */
export interface LogOptions {
  /** Lines for people, or one object a line. */
  readonly format: "text" | "json";
  /** Whether steps and details are shown. */
  readonly debug: boolean;
}

/** What a log needs of the world. */
export interface LogWorld {
  /** Standard error. */
  readonly err: {
    /** Whether a person is likely to look at it. */
    readonly isTerminal: boolean;
    /** Writes all of a text. */
    write(text: string): void;
  };
  /** Time. */
  readonly clock: {
    /** Milliseconds since the epoch. */
    now(): number;
    /** Milliseconds of a clock that never jumps. */
    elapsed(): number;
  };
}

/** Messages for the operator. */
export class Log {
  readonly #world: LogWorld;
  readonly #started: number;
  #options: LogOptions = { format: "text", debug: false };
  #last: number;
  #liveLength = 0;

  /**
   * Starts a log, and with it the clock of its steps.
   *
   * @param world Where messages go, and the clock that times them.
   */
  constructor(world: LogWorld) {
    this.#world = world;
    this.#started = world.clock.elapsed();
    this.#last = this.#started;
  }

  /**
   * Sets form and amount, once the settings are known.
   *
   * @param options How the log looks.
   */
  configure(options: LogOptions): void {
    this.#options = options;
  }

  /** Whether steps are shown. */
  get isDebug(): boolean {
    return this.#options.debug;
  }

  /**
   * Says what is going on.
   *
   * @param message One line or more.
   */
  info(message: string): void {
    this.#write("info", { subject: "", message });
  }

  /**
   * Says what has no effect, or is unwise.
   *
   * @param problem The finding.
   */
  warn(problem: Problem): void {
    this.#write("warning", problem);
  }

  /**
   * Says that a step is done, and how long it took, if debugging is on.
   *
   * @param message The step.
   */
  step(message: string): void {
    const now = this.#world.clock.elapsed();
    const milliseconds = Math.round(now - this.#last);
    this.#last = now;
    if (!this.#options.debug) return;
    this.#write("debug", { subject: "", message }, { milliseconds });
  }

  /**
   * Says a detail, if debugging is on.
   *
   * @param message The detail.
   */
  debug(message: string): void {
    if (this.#options.debug) this.#write("debug", { subject: "", message });
  }

  /**
   * Says why the program ends.
   *
   * @param error Anything that was thrown.
   */
  fail(error: unknown): void {
    if (this.#options.format === "json" && error instanceof EntrypointError) {
      this.#write("error", {
        subject: "",
        message: error.message,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      }, { problems: error.problems, code: error.code });
      return;
    }
    this.#write("error", { subject: "", message: formatError(error) });
  }

  /**
   * Shows a line that the next message replaces; on terminals only.
   *
   * @param message What is going on right now.
   */
  live(message: string): void {
    if (!this.#isLive) return;
    this.endLive();
    const line = `${PREFIX}${message}`;
    this.#liveLength = line.length;
    this.#world.err.write(line);
  }

  get #isLive(): boolean {
    return this.#world.err.isTerminal && this.#options.format === "text";
  }

  /** Takes the live line away, before somebody else writes. */
  endLive(): void {
    if (this.#liveLength === 0) return;
    this.#world.err.write("\r\x1b[K");
    this.#liveLength = 0;
  }

  #write(
    level: Level,
    problem: Problem,
    more: Readonly<Record<string, unknown>> = {},
  ): void {
    const { clock, err } = this.#world;
    if (this.#options.format === "json") {
      const time = new Date(clock.now()).toISOString();
      const { subject, message, remedy } = problem;
      err.write(`${
        JSON.stringify({
          time,
          level,
          ...(subject === "" ? {} : { subject }),
          message,
          ...(remedy === undefined ? {} : { remedy }),
          ...more,
        })
      }\n`);
      return;
    }
    this.endLive();
    const label = LABELS[level];
    const timing = "milliseconds" in more
      ? ` (${more["milliseconds"]} ms)`
      : "";
    const text = `${label}${formatProblem(problem)}${timing}`;
    err.write(
      `${text.split("\n").map((line) => `${PREFIX}${line}`).join("\n")}\n`,
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
