/**
 * The change from root to the user that the server runs as.
 *
 * @module
 */

import type { Settings } from "../settings/catalogue.ts";
import type { Context } from "./context.ts";
import { serverIdentity } from "./load_settings.ts";

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
export function becomeServersUser(
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
