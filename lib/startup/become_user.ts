/**
 * The user that the server runs as, and the change from root to that user.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import type { Problem } from "../errors.ts";
import type { Identity, System } from "../os/system.ts";
import type { Settings } from "../settings/catalogue.ts";
import type { Context } from "./context.ts";

/**
 * The user that the server will run as: only root can choose it, any other user starts the
 * server as itself.
 *
 * @param settings The user and the group for a start as root.
 * @param system The user and the group of this process.
 * @returns User and group of the server.
 */
export function serverIdentity(
  settings: Settings,
  { uid, gid }: Pick<System, "uid" | "gid">,
): Identity {
  return uid === 0
    ? { uid: settings.MATTERMOST_UID, gid: settings.MATTERMOST_GID }
    : { uid, gid };
}

/**
 * Makes a system that reads files as safely as the server's user would, for root: until it has
 * become that user, every name in the directories of the settings may be a trap.
 *
 * @param settings The user and the directories.
 * @param system This process.
 * @returns The system, which is the same unless it is that of root.
 */
export function asReader<
  T extends Pick<System, "uid" | "gid" | "files" | "filesFor">,
>(settings: Settings, system: T): T {
  const user = serverIdentity(settings, system);
  if (system.uid !== 0 || user.uid === 0) return system;
  const { MATTERMOST_DATA_DIR: data, MATTERMOST_CONF_DIR: conf } = settings;
  // The default configuration of the package is there, and a start gives it.
  const shipped = `${settings.MATTERMOST_INSTALL_DIR}/config`;
  return { ...system, files: system.filesFor(user, [data, conf, shipped]) };
}

/**
 * Takes the identity of the server's user if this process runs as root. From then on it can
 * do no more than the server, so a symbolic link that the server's user planted gains nothing.
 *
 * A process that is not root keeps its user, and so does root with `MATTERMOST_UID=0`.
 *
 * @param settings The user and the group.
 * @param context The context of root.
 * @returns The context of the server's user.
 * @throws {EntrypointError} With code 126 if the identity cannot be taken.
 */
export function becomeServerUser(
  settings: Settings,
  context: Context,
): Context {
  const { system } = context;
  const identity = serverIdentity(settings, system);
  // setgroups(2) needs CAP_SETGID, which root can lack, even if nothing would change.
  if (identity.uid === system.uid && identity.gid === system.gid) {
    return context;
  }
  system.becomeUser(identity);
  return { ...context, system: { ...system, ...identity } };
}

/**
 * Explains why root cannot become the server's user.
 *
 * @param settings The user and the group.
 * @param system This process.
 * @returns The problem; `undefined` if it can, or if this process stays the user that it is.
 */
export function changeOfUserProblem(
  settings: Settings,
  system: Pick<System, "uid" | "gid" | "missingCapabilities">,
): Problem | undefined {
  const identity = serverIdentity(settings, system);
  const { uid, gid } = identity;
  if (uid === system.uid && gid === system.gid) return undefined;
  const missing = system.missingCapabilities(identity);
  if (missing.length === 0) return undefined;
  const names = missing.map((name) => `CAP_${name}`).join(" and ");
  return {
    subject: "MATTERMOST_UID",
    message:
      `Root cannot become the user ${uid}:${gid} of the server: it lacks ${names}, or the container maps no such user`,
    remedy:
      `docker run --user ${uid}:${gid} …   # starts as that user; or add --cap-add SETUID --cap-add SETGID`,
  };
}

/**
 * Makes sure that root can become the server's user, before anything is changed.
 *
 * @param settings The user and the group.
 * @param system This process.
 * @throws {EntrypointError} With code 126 if it cannot.
 */
export function requireChangeOfUser(
  settings: Settings,
  system: Pick<System, "uid" | "gid" | "missingCapabilities">,
): void {
  const problem = changeOfUserProblem(settings, system);
  if (problem === undefined) return;
  const { message, remedy } = problem;
  throw new EntrypointError(message, {
    code: ExitCode.cannotExecute,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
