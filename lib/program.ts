/**
 * The program with everything that is real: the same for `deno run` and for the
 * compiled binary, which loads this module as one script.
 *
 * @module
 */

import { run } from "./run.ts";
import type { System } from "./os/system.ts";
import { realSystem } from "./os/real_system.ts";

/**
 * Runs the program in the real world.
 *
 * @param args The command line behind the program's name.
 * @param change What is to be different from the real world; nothing by default.
 * @returns The exit code; the hand-off to the server does not return.
 */
export function main(
  args: readonly string[],
  change: (system: System) => System = (system) => system,
): Promise<number> {
  return run(args, change(realSystem()));
}
