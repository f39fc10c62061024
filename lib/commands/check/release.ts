/**
 * The release: whether it is known, and whether the installed server reports the same one.
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../../default_release.ts";
import {
  confirmRelease,
  installedProgram,
} from "../../mattermost/installed_release.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { warning } from "./finding.ts";

/**
 * Checks the release. Unlike a start, it runs the installed server each time to get its release.
 *
 * @param context The settings and the system.
 * @returns A warning if the release is assumed or not confirmed, else nothing.
 * @throws {EntrypointError} If the installed server reports another release.
 */
export async function checkRelease(
  { plan, system }: CheckContext,
): Promise<Finding[]> {
  const { installation, release } = plan;
  const { configuredVersion, home } = installation;
  if (!await confirmRelease(release, installation, system)) {
    return [
      warning("settings.release", {
        message:
          `The server in ${home} does not report its release, so the checks assume ${release.version}, as MATTERMOST_VERSION says`,
        remedy: `${home}/bin/mattermost version`,
      }),
    ];
  }
  const isAssumed = configuredVersion === undefined &&
    installedProgram(home, system.files) === undefined;
  if (!isAssumed) return [];
  return [
    warning("settings.release", {
      message:
        `MATTERMOST_VERSION is not set and no server is installed in ${home}, so the checks assume Mattermost ${DEFAULT_RELEASE}`,
      remedy:
        `MATTERMOST_VERSION=${DEFAULT_RELEASE}   # or the release that you will run`,
    }),
  ];
}
