/**
 * The installed server's own command line, such as `mattermost version`, for images
 * in which this program is called `mattermost`.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import { installedProgram } from "../mattermost/installed_release.ts";
import { releaseFacts } from "../mattermost/releases.ts";
import type { Settings } from "../settings/catalogue.ts";
import {
  withoutSecretRaw,
  withoutSecretVariables,
} from "../settings/secret_variables.ts";
import { CONFIG_VARIABLE } from "../settings/config_variable.ts";
import type { ServerVariables } from "../settings/server_variables.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import { resolve } from "../settings/resolve.ts";
import type { Context } from "../startup/context.ts";
import {
  becomeServerUser,
  requireChangeOfUser,
} from "../startup/become_user.ts";
import { databaseFromConfigVariable } from "../startup/configured_database.ts";
import { installationOf } from "../startup/load_settings.ts";
import { pathsOf } from "../startup/paths.ts";
import { sourcesOf } from "../startup/setting_sources.ts";
import { confirmInstalledRelease } from "../startup/upgrade_guard.ts";

/** Subcommands that change nothing. */
const HARMLESS = ["version", "help", "completion"];

/**
 * Replaces this process with the installed server.
 *
 * @param args A subcommand of the server, and its arguments.
 * @param context The system with the settings and the installation.
 * @returns Never.
 * @throws {EntrypointError} With code 127 if no server is installed, 126 if it cannot be executed, 78 if it is another release than `MATTERMOST_VERSION` and the subcommand may change something.
 */
export async function mattermost(
  args: readonly string[],
  context: Context,
): Promise<never> {
  const { system } = context;
  const { env, files } = system;
  const sources = sourcesOf(system);
  const { settings } = resolve(sources);
  const { install, config } = pathsOf(settings);
  // A file that cannot be read is a problem of a start only.
  const variables = readServerVariables(sources, { anyCase: false });
  const path = installedProgram(install, files);
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
  if (!HARMLESS.includes(args[0] ?? "")) {
    await requireStatedRelease(settings, variables, context);
  }
  requireChangeOfUser(settings, system);
  becomeServerUser(settings, context);
  return system.exec({
    path,
    args: [path, ...args],
    env: {
      // A data source would show its password to whatever the command starts.
      ...(settings.MATTERMOST_CONFIG_STORE === "file" && files.exists(config)
        ? { MM_CONFIG: config }
        : {}),
      ...withoutSecretVariables({ ...env, ...variables.values }),
    },
    raw: withoutSecretRaw(system.rawVariables()),
    cwd: install,
  });
}

async function requireStatedRelease(
  settings: Settings,
  { values, givenBy }: ServerVariables,
  { system }: Context,
): Promise<void> {
  const { MATTERMOST_VERSION: version } = settings;
  if (version === undefined) return;
  const release = releaseFacts(version);
  await confirmInstalledRelease({
    settings,
    paths: pathsOf(settings),
    release,
    installation: installationOf(settings, system),
  }, system);
  const { problem } = databaseFromConfigVariable(
    values[CONFIG_VARIABLE] ?? "",
    { subject: givenBy[CONFIG_VARIABLE] ?? CONFIG_VARIABLE, release },
    () => ({}),
  );
  if (problem !== undefined) {
    throw new EntrypointError(problem.message, problem);
  }
}
