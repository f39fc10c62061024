/**
 * The context of a command, with a fake system.
 *
 * @module
 */

import type { Context } from "../../lib/startup/context.ts";
import { Log } from "../../lib/log.ts";
import type { System } from "../../lib/os/system.ts";

/**
 * Makes a context whose signal never aborts.
 *
 * @param system The system, usually a fake one.
 * @returns The context.
 */
export function fakeContext(system: System): Context {
  return {
    system,
    log: new Log(system),
    signal: new AbortController().signal,
    runToCompletion: <T>(work: Promise<T>): Promise<T> => work,
  };
}
