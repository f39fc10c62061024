/**
 * Finds out which release is installed in this image.
 *
 * The image says it in `MATTERMOST_VERSION`; servers from 6.5 on can also be
 * asked. Older ones never are: up to 6.4 `version` connects to the database
 * and migrates it.
 *
 * @module
 */

import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { Identity, System } from "../os/system.ts";
import type { Release } from "./releases.ts";
import { releaseFacts, versionCommand } from "./releases.ts";
import { formatVersion, parseVersion } from "../release_range.ts";

/** What there is to find the release by. */
export interface Installation {
  /** `MATTERMOST_VERSION`, if it is set. */
  readonly stated: string | undefined;
  /** The directory of the installed server. */
  readonly home: string;
  /** Whom a child process runs as; as ourselves, if absent. */
  readonly identity?: Identity;
}

/** What this needs of the world. */
export type World = Pick<System, "files" | "runChild" | "clock">;

/** Milliseconds that a server gets to say its release. */
const VERSION_TIMEOUT = 10_000;

/** Where no server can reach a database, should an old one be asked by mistake. */
const NOWHERE = {
  MM_SQLSETTINGS_DRIVERNAME: "postgres",
  MM_SQLSETTINGS_DATASOURCE: "postgres://127.0.0.1:1/none?connect_timeout=1",
};

/**
 * The installed release: as stated, else as the server says.
 *
 * @param installation What there is to find it by.
 * @param world Files and child processes.
 * @returns The facts of the release.
 * @throws {EntrypointError} With code 78 if nothing tells, or the release is not supported.
 */
export async function findRelease(
  installation: Installation,
  world: World,
): Promise<Release> {
  const { stated, home } = installation;
  if (stated !== undefined) return releaseFacts(stated);
  const modern = `${home}/bin/mattermost`;
  const isOld = world.files.exists(`${home}/bin/platform`);
  const said = isOld || !world.files.exists(modern)
    ? undefined
    : await ask([modern, "version"], installation, world);
  if (said !== undefined) return releaseFacts(said);
  throw new EntrypointError(
    `Cannot find out which release of Mattermost is installed: MATTERMOST_VERSION is not set, and ${
      isOld
        ? `${home} holds a server that is too old to be asked`
        : `no server in ${home} tells`
    }`,
    {
      code: ExitCode.settings,
      remedy:
        "MATTERMOST_VERSION=11.7.9   # the release that is installed; or set MATTERMOST_INSTALL_DIR",
    },
  );
}

/**
 * Makes sure that the installed server is the stated release, where it can be asked.
 *
 * @param release The stated release.
 * @param installation Where it is.
 * @param world Files and child processes.
 * @returns Whether there is nothing left to ask: no, where the server did not answer.
 * @throws {EntrypointError} With code 78 if the server says otherwise.
 */
export async function confirmRelease(
  release: Release,
  installation: Installation,
  world: World,
): Promise<boolean> {
  // What nobody stated was the server's own answer.
  if (installation.stated === undefined) return true;
  const command = versionCommand(release, { home: installation.home });
  if (command === undefined || !world.files.exists(command[0])) {
    return true;
  }
  const said = await ask(command, installation, world);
  if (said === undefined || said === release.version) return said !== undefined;
  throw new EntrypointError(
    `MATTERMOST_VERSION is ${release.version}, but the server in ${installation.home} says that it is ${said}`,
    {
      code: ExitCode.settings,
      remedy:
        `Remove MATTERMOST_VERSION from your settings (the image sets it), or install ${release.version}: the variable does not choose a release, the image's tag does`,
    },
  );
}

async function ask(
  command: readonly [string, ...string[]],
  { home, identity }: Installation,
  { runChild, clock }: World,
): Promise<string | undefined> {
  const { code, stdout } = await runChild({
    command,
    env: NOWHERE,
    cwd: home,
    output: "capture",
    signal: clock.timeout(VERSION_TIMEOUT),
    ...identity,
  }).catch((error) => {
    // One that cannot be executed tells nothing; the hand-off says why.
    if (errorCode(error) === undefined) throw error;
    return { code: -1, stdout: "" };
  });
  if (code !== 0) return undefined;
  const text = /^Version:\s*(\S+)/m.exec(stdout)?.[1];
  const version = text === undefined ? undefined : parseVersion(text);
  return version === undefined ? undefined : formatVersion(version);
}
