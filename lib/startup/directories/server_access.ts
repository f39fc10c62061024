/**
 * Checks whether the server's user may execute the server.
 *
 * @module
 */

import { EntrypointError, ExitCode, trySystemCall } from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import {
  inaccessibleParent,
  MAY_ENTER,
  mountOf,
  permits,
} from "../../os/permissions.ts";
import type { Identity, System } from "../../os/system.ts";
import { shellWord } from "../../shell.ts";
import { serverIdentity } from "../become_user.ts";
import type { LoadedSettings } from "../load_settings.ts";
import { readKernelFacts } from "./path_remedies.ts";
import { describeOwner } from "./unsafe_links.ts";

/** The parts of the loaded settings that say where the server is, and who runs it. */
export type ServerProgram = Pick<
  LoadedSettings,
  "paths" | "release" | "settings"
>;

/**
 * Finds out why the server's user may not execute the server.
 *
 * @param server The server, and its user.
 * @param system The file system, and child processes.
 * @returns The problem; `undefined` if owners and modes permit it, or if there is no server.
 */
export async function findServerDenial(
  { paths, release, settings }: ServerProgram,
  system: System,
): Promise<Problem | undefined> {
  const { files } = system;
  const path = `${paths.install}/${release.binary}`;
  const identity = serverIdentity(settings, system);
  const real = trySystemCall(() => files.realPath(path)) ?? path;
  const closed = trySystemCall(() =>
    inaccessibleParent(real, identity, (each) => files.stat(each))
  );
  const facts = trySystemCall(() => files.stat(closed ?? real));
  if (
    facts === undefined || permits(facts, identity, { bits: MAY_ENTER }) ||
    await isPermitted(path, identity, system)
  ) return undefined;
  const denied = closed ?? real;
  return {
    subject: path,
    message: `User ${identity.uid}:${identity.gid} cannot execute ${path}: ${
      describeOwner(denied, facts)
    }`,
    remedy: `chmod ${closed === undefined ? "a+rx" : "a+x"} ${
      shellWord(denied)
    }   # in the image, or on the host`,
  };
}

/**
 * Makes sure that owners and modes permit the server's user to execute the server, before
 * anything is changed.
 *
 * @param server The server, and its user.
 * @param system The file system, and child processes.
 * @throws {EntrypointError} With code 126 if they do not.
 */
export async function requireServerAccess(
  server: ServerProgram,
  system: System,
): Promise<void> {
  const problem = await findServerDenial(server, system);
  if (problem === undefined) return;
  const { message, remedy = "" } = problem;
  throw new EntrypointError(message, { code: ExitCode.cannotExecute, remedy });
}

/**
 * Finds out whether the server is on a file system from which nothing can be executed.
 *
 * @param server The server.
 * @param system The file system, and child processes.
 * @returns The problem; `undefined` if there is none.
 */
export async function findNoExec(
  { paths, release }: ServerProgram,
  system: System,
): Promise<Problem | undefined> {
  const path = `${paths.install}/${release.binary}`;
  const real = trySystemCall(() => system.files.realPath(path)) ?? path;
  const { mounts } = await readKernelFacts(system);
  const mount = mountOf(mounts, real);
  return mount?.noExec === true
    ? {
      subject: path,
      message:
        `${path} cannot be executed: the file system at ${mount.path} is mounted with noexec`,
      remedy:
        `mount -o remount,exec ${mount.path}   # or set MATTERMOST_INSTALL_DIR to a directory on another file system`,
    }
    : undefined;
}

/** Whether the system permits it although owner and mode do not, because of an access control list or another group. */
async function isPermitted(
  path: string,
  identity: Identity,
  system: System,
): Promise<boolean> {
  const { code } = await system.runChild({
    command: ["test", "-x", path],
    env: system.env,
    output: "capture",
    ...(system.uid === 0 ? { uid: identity.uid, gid: identity.gid } : {}),
  }).catch(() => ({ code: undefined }));
  return code === 0;
}
