/**
 * Writes the planned config.json.
 *
 * @module
 */

import { isUnchanged, readSettledConfig, writeConfig } from "../config/file.ts";
import { lockConfig, requireRegularSidecars } from "../config/lock.ts";
import type { Acceptance } from "../config/last_applied.ts";
import { requireRegularFile } from "../config/own_file.ts";
import type { System } from "../os/system.ts";
import type { Bundle } from "./ca_bundle.ts";
import type { Context } from "./context.ts";
import { mergeInto, type Plan } from "./plan.ts";

/**
 * Makes sure that each file that the start will write is a regular file or does not exist, and
 * not a link or a FIFO that somebody planted. It has to be called before anything is changed.
 *
 * @param plan The paths of the files.
 * @param bundle The bundle to write, if there is one.
 * @param system The file system.
 * @throws {EntrypointError} With code 73 if one of them is anything else.
 */
export function requireRegularFiles(
  { place, paths, store }: Plan,
  bundle: Bundle | undefined,
  system: System,
): void {
  if (store.kind === "file") requireRegularSidecars(system, place);
  requireRegularFile(system.files, paths.version);
  if (bundle !== undefined) requireRegularFile(system.files, bundle.path);
}

/**
 * Writes config.json as planned. If the file has changed since, the merge is repeated first. A
 * configuration in the database is left to the server, which gets the values in variables.
 *
 * @param plan The plan.
 * @param context The context of the server's user.
 * @param accepted What to remember of the server's verdict on the plan.
 * @throws {EntrypointError} With code 73 if it cannot be written.
 */
export async function writePlan(
  plan: Plan,
  { system, log, signal }: Context,
  accepted?: Acceptance,
): Promise<void> {
  const { place } = plan;
  if (plan.store.kind === "database") {
    log.step("Kept the configuration in the database");
    return;
  }
  const lock = await lockConfig(system, place, signal);
  try {
    const { state, merged } = isUnchanged(system, place, plan.state)
      ? plan
      : await mergeAgain(plan, system);
    const report = writeConfig(system, place, {
      lock,
      state,
      text: merged.text,
      lastApplied: merged.lastApplied,
      // The server has not judged what another start has written meanwhile.
      accepted: merged === plan.merged ? accepted : undefined,
    });
    for (
      const message of [
        ...lock.notices,
        ...state.notices,
        ...report.notices,
        ...merged.conflicts,
      ]
    ) {
      log.warn({ subject: "", message });
    }
    if (merged.generated.length > 0) {
      log.info(
        `Generated ${
          merged.generated.join(", ")
        } and saved the values in ${place.path}: include that file in your backups`,
      );
    }
    log.step(report.written ? `Wrote ${place.path}` : `Kept ${place.path}`);
  } finally {
    lock.release();
  }
}

async function mergeAgain(
  plan: Plan,
  system: System,
): Promise<Pick<Plan, "state" | "merged">> {
  const state = await readSettledConfig(system, plan.place);
  return { state, ...mergeInto(state, plan, system) };
}
