/**
 * The release: whether it is known, and whether the installed server is of it.
 *
 * @module
 */

import { confirmRelease } from "../../mattermost/installed_release.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { warning } from "./finding.ts";

/** The release that is checked for where none is installed. */
export const ASSUMED_RELEASE = "11.7.9";

/**
 * Checks the release. The server is asked each time, whatever a start remembers.
 *
 * @param world The plan.
 * @returns A warning where the release is assumed, else nothing.
 * @throws {EntrypointError} Where the server says that it is of another release.
 */
export async function checkRelease(
  { plan, system }: CheckWorld,
): Promise<Finding[]> {
  const { installation, paths, release } = plan;
  await confirmRelease(release, installation, system);
  const isAssumed = installation.stated === undefined &&
    release.version === ASSUMED_RELEASE &&
    !system.files.exists(`${paths.install}/bin/mattermost`);
  if (!isAssumed) return [];
  return [
    warning("settings.release", {
      message:
        `MATTERMOST_VERSION is not set and no server is installed in ${paths.install}: checked as for Mattermost ${ASSUMED_RELEASE}`,
      remedy: `MATTERMOST_VERSION=${ASSUMED_RELEASE}`,
    }),
  ];
}
