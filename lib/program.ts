/**
 * Runs the program on the real system: as `deno run` does, and as the compiled binary,
 * which loads this module as one script.
 *
 * @module
 */

import { run } from "./run.ts";
import type { System } from "./os/system.ts";
import { realSystem } from "./os/real_system.ts";

/**
 * Runs the program on the real system.
 *
 * @param args The command line after the name of the program.
 * @param change Replaces parts of the real system; by default nothing.
 * @returns The exit code; does not return if another program takes over the process.
 */
export function main(
  args: readonly string[],
  change: (system: System) => System = (system) => system,
): Promise<number> {
  return run(args, change(realSystem()));
}
