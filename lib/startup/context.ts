/**
 * What a command gets, and what it gives back.
 *
 * @module
 */

import type { Log } from "../log.ts";
import type { System } from "../os/system.ts";

/** What every command gets. */
export interface Context {
  /** The world; its `env` includes the files of `--env-file`. */
  readonly system: System;
  /** Messages for the operator. */
  readonly log: Log;
  /** Aborts when a signal ends the program. */
  readonly signal: AbortSignal;
  /** Lets work that must not be torn end by itself before a signal ends the program. */
  readonly finishing: <T>(work: Promise<T>) => Promise<T>;
}

/** A command: arguments behind its name in, exit code out. */
export type Command = (
  args: readonly string[],
  context: Context,
) => number | Promise<number>;
