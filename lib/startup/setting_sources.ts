/**
 * The sources of settings that a system has.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
import { readNamedFile } from "../os/named_file.ts";
import type { Sources } from "../settings/resolve.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { rowOf } from "../settings/catalogue.ts";
import type { Identity, System } from "../os/system.ts";
import { canRedirect } from "./directories/unsafe_links.ts";

/** The parts of the system that have settings. */
export type SourceSystem = Pick<
  System,
  "env" | "files" | "filesFor" | "supplementaryGroups" | "uid"
>;

/**
 * The environment, and a way to read the files that `_FILE` variables name. Root reads what only
 * root may read, unless the server's user could make the path lead to it.
 *
 * @param system Its environment and files, and the user of this process.
 * @returns The sources, without the services that answer to a host name.
 */
export function sourcesOf(
  system: SourceSystem,
): Pick<Sources, "env" | "readFile" | "exists"> {
  const { env, files } = system;
  return {
    env,
    readFile: (path) => readNamedFile(filesToRead(path, system), path),
    exists: (path) => trySystemCall(() => files.exists(path)) ?? false,
  };
}

/** The file operations of the server's user for root, if that user can make the path lead elsewhere. */
function filesToRead(path: string, system: SourceSystem): System["files"] {
  const { env, files, uid } = system;
  if (uid !== 0) return files;
  const user: Identity = {
    uid: idOf("MATTERMOST_UID", env),
    gid: idOf("MATTERMOST_GID", env),
    groups: system.supplementaryGroups(),
  };
  return user.uid === 0 || !canRedirect(path, user, files)
    ? files
    : system.filesFor(user);
}

/** The id of the server's user or group, before the settings are resolved, which may be in such files. */
function idOf(name: SettingName, env: System["env"]): number {
  const id = Number(env[name] || rowOf(name).fallback);
  return Number.isInteger(id) ? id : Number(rowOf(name).fallback);
}
