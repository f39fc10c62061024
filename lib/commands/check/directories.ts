/**
 * Directories: there or to be made, writable for the server's user, with room left.
 *
 * @module
 */

import { dirname } from "node:path";
import { tolerate } from "../../errors.ts";
import type { System } from "../../os/system.ts";
import { checkPaths } from "../../startup/directories/check_paths.ts";
import type { Paths } from "../../startup/load_settings.ts";
import { serverIdentity } from "../../startup/load_settings.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/** Bytes of free space below which a directory is called out. */
const LITTLE = 1024 ** 3;

/** Bytes below which the server is about to fail. */
const NOTHING = 50 * 1024 ** 2;

/**
 * Checks the directories.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkDirectories(
  { plan, system }: CheckWorld,
): Promise<Finding[]> {
  const diagnoses = await checkPaths(plan, system, { mayTouch: false });
  const bad = diagnoses.map((diagnosis) =>
    (diagnosis.vital ? failed : warning)("directories.access", diagnosis)
  );
  const { uid, gid } = serverIdentity(plan.settings, system);
  const good = ok(
    "directories.access",
    `User ${uid}:${gid} may write all that the server writes, as far as owners, modes and mounts tell`,
  );
  return [
    ...(bad.length > 0 ? bad : [good]),
    ...spaceFindings(plan.paths, system),
  ];
}

function spaceFindings(
  { data, conf, log }: Paths,
  { files }: Pick<System, "files">,
): Finding[] {
  const found = new Map<number, Finding>();
  for (const path of [data, conf, log]) {
    const space = freeSpace(path, files);
    // One file system is reported once.
    if (space !== undefined && !found.has(space.device)) {
      found.set(space.device, spaceFinding(path, space.bytes));
    }
  }
  return [...found.values()];
}

function spaceFinding(path: string, bytes: number): Finding {
  if (bytes >= LITTLE) {
    return ok("directories.space", `${size(bytes)} free for ${path}`);
  }
  const remedy =
    `df -h ${path}   # make room: the server loses what it cannot write`;
  return (bytes < NOTHING ? failed : warning)("directories.space", {
    message: `Only ${size(bytes)} is free for ${path}`,
    remedy,
  });
}

/** Of the directory, or of the one in which it will be made; `undefined` where the system does not tell. */
function freeSpace(
  path: string,
  files: System["files"],
): { readonly device: number; readonly bytes: number } | undefined {
  return tolerate(() => {
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
