/**
 * What each command receives, and the shape of a command.
 *
 * @module
 */

import type { Log } from "../log.ts";
import type { System } from "../os/system.ts";

/** What each command receives. */
export interface Context {
  /** The system that the command runs on; its `env` includes the variables of `--env-file`. */
  readonly system: System;
  /** Messages for the operator. */
  readonly log: Log;
  /** Aborts when a signal ends the program. */
  readonly signal: AbortSignal;
  /** Delays the end of the program by a signal until work that must not be interrupted has finished. */
  readonly runToCompletion: <T>(work: Promise<T>) => Promise<T>;
}

/** A command: takes the arguments that follow its name, and returns the exit code. */
export type Command = (
  args: readonly string[],
  context: Context,
) => number | Promise<number>;
