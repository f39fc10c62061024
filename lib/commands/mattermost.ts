/**
 * The installed server's own command line, such as `mattermost version`, for images
 * in which this program is called `mattermost`.
 *
 * @module
 */

import { EntrypointError, ExitCode, trySystemCall } from "../errors.ts";
import { resolve } from "../settings/resolve.ts";
import type { System } from "../os/system.ts";
import type { Context } from "../startup/context.ts";
import { becomeServerUser } from "../startup/become_user.ts";
import { pathsOf } from "../startup/paths.ts";
import { sourcesOf } from "../startup/setting_sources.ts";

/** The server's programs; `platform` is the name in older releases. */
const PROGRAMS = ["bin/mattermost", "bin/platform"];

/** Linux's link to the executable of the running process: proc_pid_exe(5). */
const SELF = "/proc/self/exe";

/**
 * Replaces this process with the installed server.
 *
 * @param args A subcommand of the server, and its arguments.
 * @param context The system with the settings and the installation.
 * @returns Never.
 * @throws {EntrypointError} With code 127 if no server is installed, 126 if it cannot be executed.
 */
export function mattermost(args: readonly string[], context: Context): never {
  const { system } = context;
  const { env, files } = system;
  const { settings } = resolve(sourcesOf(system));
  const { install, config } = pathsOf(settings);
  const path = PROGRAMS.map((name) => `${install}/${name}`)
    .find((path) => isAnother(path, files));
  if (path === undefined) {
    throw new EntrypointError(
      `No Mattermost server is installed in ${install}; the program named mattermost is this entrypoint`,
      {
        code: ExitCode.notFound,
        remedy:
          "MATTERMOST_INSTALL_DIR=/opt/mattermost/mattermost   # the directory that contains bin/mattermost",
      },
    );
  }
  becomeServerUser(settings, context);
  return system.exec({
    path,
    args: [path, ...args],
    env: {
      ...(files.exists(config) ? { MM_CONFIG: config } : {}),
      ...env,
    },
    cwd: install,
  });
}

/** Whether a path is a program other than this one, which would execute itself for ever. */
function isAnother(path: string, files: System["files"]): boolean {
  if (files.stat(path)?.isFile !== true) return false;
  // Without /proc the two cannot be compared, and the path counts as another program.
  return trySystemCall(() => files.realPath(path) === files.readLink(SELF)) !==
    true;
}
