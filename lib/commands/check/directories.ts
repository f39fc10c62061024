/**
 * The directories: whether the server's user can write to them, and their free space.
 *
 * @module
 */

import { dirname } from "node:path";
import { trySystemCall } from "../../errors.ts";
import { shellWord } from "../../shell.ts";
import type { System } from "../../os/system.ts";
import { checkPaths } from "../../startup/directories/check_paths.ts";
import {
  findNoExec,
  findServerDenial,
} from "../../startup/directories/server_access.ts";
import { isServerInstalled } from "../../startup/handoff.ts";
import { findForeignVolumes } from "../../startup/lost_volume.ts";
import type { Paths } from "../../startup/paths.ts";
import {
  changeOfUserProblem,
  serverIdentity,
} from "../../startup/become_user.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/** Bytes of free space below which there is a warning. */
const LOW_SPACE = 1024 ** 3;

/** Bytes of free space below which the check fails. */
const NO_SPACE = 50 * 1024 ** 2;

/**
 * Checks the directories.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkDirectories(
  { plan, system }: CheckContext,
): Promise<Finding[]> {
  const diagnoses = await checkPaths(plan, system, { writesProbes: false });
  const stuck = changeOfUserProblem(plan.settings, system);
  const bad = [
    ...(stuck === undefined ? [] : [failed("directories.access", stuck)]),
    ...diagnoses.map((diagnosis) =>
      (diagnosis.isRequired ? failed : warning)("directories.access", diagnosis)
    ),
  ];
  const { uid, gid } = serverIdentity(plan.settings, system);
  const good = ok(
    "directories.access",
    `Owners, modes and mounts permit user ${uid}:${gid} to write everything that the server writes`,
  );
  return [
    ...findForeignVolumes(plan, system).map((problem) =>
      failed("directories.volumes", problem)
    ),
    ...await serverFindings(plan, system),
    ...(bad.length > 0 ? bad : [good]),
    ...spaceFindings(plan.paths, system),
  ];
}

async function serverFindings(
  plan: CheckContext["plan"],
  system: System,
): Promise<Finding[]> {
  const problem = await findServerDenial(plan, system) ??
    (isServerInstalled(plan, system)
      ? await findNoExec(plan, system)
      : undefined);
  return problem === undefined ? [] : [failed("directories.server", problem)];
}

function spaceFindings(
  { data, conf, log }: Paths,
  { files }: Pick<System, "files">,
): Finding[] {
  const found = new Map<number, Finding>();
  for (const path of [data, conf, log]) {
    const space = freeSpace(path, files);
    // Directories on one file system share its free space.
    if (space !== undefined && !found.has(space.device)) {
      found.set(space.device, spaceFinding(path, space.bytes));
    }
  }
  return [...found.values()];
}

function spaceFinding(path: string, bytes: number): Finding {
  if (bytes >= LOW_SPACE) {
    return ok("directories.space", `${path} has ${size(bytes)} of free space`);
  }
  const remedy = `df -h ${
    shellWord(path)
  }   # make room, since the server loses files that it cannot write`;
  return (bytes < NO_SPACE ? failed : warning)("directories.space", {
    message: `${path} has only ${size(bytes)} of free space`,
    remedy,
  });
}

/** Free space of a directory, or of the existing parent in which it will be created; `undefined` on errors. */
function freeSpace(
  path: string,
  files: System["files"],
): { readonly device: number; readonly bytes: number } | undefined {
  return trySystemCall(() => {
    const facts = files.stat(path);
    if (facts === undefined) {
      return path === "/" ? undefined : freeSpace(dirname(path), files);
    }
    return { device: facts.device, bytes: files.freeSpace(path) };
  });
}

function size(bytes: number): string {
  const gigabytes = bytes / 1024 ** 3;
  return gigabytes >= 1
    ? `${gigabytes.toFixed(1)} GiB`
    : `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
