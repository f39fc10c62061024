/**
 * The release: whether it is known, and whether the installed server reports the same one.
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../../default_release.ts";
import { confirmRelease } from "../../mattermost/installed_release.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { warning } from "./finding.ts";

/**
 * Checks the release. Unlike a start, it runs the installed server each time to get its release.
 *
 * @param context The settings and the system.
 * @returns A warning if the release is assumed, else nothing.
 * @throws {EntrypointError} If the installed server reports another release.
 */
export async function checkRelease(
  { plan, system }: CheckContext,
): Promise<Finding[]> {
  const { installation, paths, release } = plan;
  await confirmRelease(release, installation, system);
  const isAssumed = installation.configuredVersion === undefined &&
    release.version === DEFAULT_RELEASE &&
    !system.files.exists(`${paths.install}/bin/mattermost`);
  if (!isAssumed) return [];
  return [
    warning("settings.release", {
      message:
        `MATTERMOST_VERSION is not set and no server is installed in ${paths.install}, so the checks assume Mattermost ${DEFAULT_RELEASE}`,
      remedy:
        `MATTERMOST_VERSION=${DEFAULT_RELEASE}   # or the release that you will run`,
    }),
  ];
}
