/**
 * Finds out which release of the server is installed.
 *
 * The image sets `MATTERMOST_VERSION`. From 6.5 on, the server can also report its release;
 * up to 6.4 its command `version` must not be run, because it migrates the database.
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../default_release.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { Identity, System } from "../os/system.ts";
import type { Release } from "./releases.ts";
import { releaseFacts, versionCommand } from "./releases.ts";
import { formatVersion, parseVersion } from "../release_range.ts";

/** The installed server, and how to run it. */
export interface Installation {
  /** `MATTERMOST_VERSION`; `undefined` if it is not set. */
  readonly configuredVersion: string | undefined;
  /** The directory of the installed server. */
  readonly home: string;
  /** The user that runs the server; by default that of this process. */
  readonly identity?: Identity;
}

/** The parts of the system that this module uses. */
export type InstallationSystem = Pick<System, "files" | "runChild" | "clock">;

/** Milliseconds after which the command `version` is stopped. */
const VERSION_TIMEOUT = 10_000;

/** A database that does not exist, in case a server before 6.5 is run by mistake. */
const NO_DATABASE = {
  MM_SQLSETTINGS_DRIVERNAME: "postgres",
  MM_SQLSETTINGS_DATASOURCE: "postgres://127.0.0.1:1/none?connect_timeout=1",
};

/**
 * Finds out which release is installed: that of `MATTERMOST_VERSION`, or else the one that
 * the server reports.
 *
 * @param installation The installed server.
 * @param system Files and child processes.
 * @returns The facts about the release.
 * @throws {EntrypointError} With code 78 if the release is unknown or not supported.
 */
export async function findRelease(
  installation: Installation,
  system: InstallationSystem,
): Promise<Release> {
  const { configuredVersion, home } = installation;
  if (configuredVersion !== undefined) return releaseFacts(configuredVersion);
  const program = `${home}/bin/mattermost`;
  const isOld = system.files.exists(`${home}/bin/platform`);
  const reported = isOld || !system.files.exists(program)
    ? undefined
    : await runVersion([program, "version"], installation, system);
  if (reported !== undefined) return releaseFacts(reported);
  throw new EntrypointError(
    `Cannot find out which release of Mattermost is installed: MATTERMOST_VERSION is not set, and ${
      isOld
        ? `the server in ${home} is too old to report its release`
        : `no server in ${home} reports its release`
    }`,
    {
      code: ExitCode.settings,
      remedy:
        `MATTERMOST_VERSION=${DEFAULT_RELEASE}   # the installed release; or set MATTERMOST_INSTALL_DIR to the directory of the server`,
    },
  );
}

/**
 * Checks that the installed server is the release of `MATTERMOST_VERSION`. A server that
 * cannot report its release passes.
 *
 * @param release The release of `MATTERMOST_VERSION`.
 * @param installation The installed server.
 * @param system Files and child processes.
 * @returns False if the server should have reported its release, but failed to: the next start
 * has to check again.
 * @throws {EntrypointError} With code 78 if the server reports another release.
 */
export async function confirmRelease(
  release: Release,
  installation: Installation,
  system: InstallationSystem,
): Promise<boolean> {
  // Without the variable, the release is already the one that the server reported.
  if (installation.configuredVersion === undefined) return true;
  const command = versionCommand(release, { home: installation.home });
  if (command === undefined || !system.files.exists(command[0])) {
    return true;
  }
  const reported = await runVersion(command, installation, system);
  if (reported === undefined) return false;
  if (reported === release.version) return true;
  throw new EntrypointError(
    `MATTERMOST_VERSION is ${release.version}, but the server in ${installation.home} reports release ${reported}`,
    {
      code: ExitCode.settings,
      remedy:
        `Remove MATTERMOST_VERSION from your settings, because the image sets it; to run ${release.version}, use the image with that tag`,
    },
  );
}

/** Runs the command `version` of the server; `undefined` if it fails. */
async function runVersion(
  command: readonly [string, ...string[]],
  { home, identity }: Installation,
  { runChild, clock }: InstallationSystem,
): Promise<string | undefined> {
  const { code, stdout } = await runChild({
    command,
    env: NO_DATABASE,
    cwd: home,
    output: "capture",
    signal: clock.timeout(VERSION_TIMEOUT),
    ...identity,
  }).catch((error) => {
    // The program cannot be executed. exec() will explain why.
    if (errorCode(error) === undefined) throw error;
    return { code: -1, stdout: "" };
  });
  if (code !== 0) return undefined;
  const text = /^Version:\s*(\S+)/m.exec(stdout)?.[1];
  const version = text === undefined ? undefined : parseVersion(text);
  return version === undefined ? undefined : formatVersion(version);
}
