/**
 * What a command gets, on a world of the test's own.
 *
 * @module
 */

import type { Context } from "../../lib/startup/context.ts";
import { Log } from "../../lib/log.ts";
import type { System } from "../../lib/os/system.ts";

/**
 * Makes the context of a command that no signal ends.
 *
 * @param system The world.
 * @returns The context.
 */
export function fakeContext(system: System): Context {
  const context = {
    system,
    log: new Log(system),
    signal: new AbortController().signal,
    finishing: <T>(work: Promise<T>): Promise<T> => work,
  };
  return context;
}
