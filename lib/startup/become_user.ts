/**
 * From root to the user that the server runs as.
 *
 * @module
 */

import type { Settings } from "../settings/catalogue.ts";
import type { Context } from "./context.ts";
import { serverIdentity } from "./load_settings.ts";

/**
 * Takes the identity of the server's user, if we are root: from here on this process can do
 * no more than the server itself, so that no link and no exchange of names by somebody who
 * has the server's rights leads it astray. A process that is not root keeps its user, and so
 * does root if the server is to run as root (`MATTERMOST_UID=0`).
 *
 * @param settings The settings.
 * @param context The world.
 * @returns The world for that user.
 * @throws {EntrypointError} With code 126 where the identity cannot be taken.
 */
export function becomeServersUser(
  settings: Settings,
  context: Context,
): Context {
  const { system } = context;
  const identity = serverIdentity(settings, system);
  // In a user namespace, or without capabilities, not even root may take what it has.
  if (identity.uid === system.uid && identity.gid === system.gid) {
    return context;
  }
  system.becomeUser(identity);
  return { ...context, system: { ...system, ...identity } };
}
