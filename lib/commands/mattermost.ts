/**
 * The installed server's own command line, `mattermost version` and the like,
 * when this program stands in the server's place.
 *
 * @module
 */

import { EntrypointError, ExitCode, tolerate } from "../errors.ts";
import { resolve } from "../settings/resolve.ts";
import type { System } from "../os/system.ts";
import type { Context } from "../startup/context.ts";
import { becomeServersUser } from "../startup/become_user.ts";
import { pathsOf } from "../startup/load_settings.ts";
import { sourcesOf } from "../startup/setting_sources.ts";

/** The server's programs, newest first. */
const PROGRAMS = ["bin/mattermost", "bin/platform"];

/** The link to the program that runs, which Linux keeps for every process. */
const SELF = "/proc/self/exe";

/**
 * Becomes the installed server with arguments of its own.
 *
 * @param args A subcommand of the server, and what follows.
 * @param context The world.
 * @returns Never.
 * @throws {EntrypointError} With code 127 where no server is installed, 126 where it cannot be executed.
 */
export function server(args: readonly string[], context: Context): never {
  const { system } = context;
  const { env, files } = system;
  const { settings } = resolve(sourcesOf(system));
  const { install, config } = pathsOf(settings);
  const path = PROGRAMS.map((name) => `${install}/${name}`)
    .find((path) => isAnother(path, files));
  if (path === undefined) {
    throw new EntrypointError(
      `There is no Mattermost server in ${install}, only this entrypoint under its name`,
      {
        code: ExitCode.notFound,
        remedy:
          "MATTERMOST_INSTALL_DIR=/opt/mattermost/mattermost   # the directory with bin/mattermost in it",
      },
    );
  }
  becomeServersUser(settings, context);
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

/** Whether there is a program that is not this very one, which would start itself for ever. */
function isAnother(path: string, files: System["files"]): boolean {
  if (files.stat(path)?.isFile !== true) return false;
  // Without /proc nothing tells.
  return tolerate(() => files.realPath(path) === files.readLink(SELF)) !== true;
}
