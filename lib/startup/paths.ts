/**
 * The directories and files of an installation.
 *
 * @module
 */

import type { ConfigPlace } from "../config/file.ts";
import type { System } from "../os/system.ts";
import type { Settings } from "../settings/catalogue.ts";
import { serverIdentity } from "./become_user.ts";
import { unsafeLinkError } from "./directories/unsafe_links.ts";

/** The directories and files that several steps need; all of them are absolute paths. */
export interface Paths {
  /** The directory of the installed server. */
  readonly install: string;
  /** The directory of uploaded files. */
  readonly data: string;
  /** The directory of config.json. */
  readonly conf: string;
  /** The directory of the server's log files. */
  readonly log: string;
  /** The file config.json. */
  readonly config: string;
  /** The file that holds the release that last ran on the data. */
  readonly version: string;
  /** The names of the server's migrations, as the build of the image found them. */
  readonly shippedMigrations: string;
  /** The names of the server's migrations, as an earlier start found them. */
  readonly migrations: string;
}

/**
 * Finds the directories and files of an installation.
 *
 * @param settings The settings.
 * @returns The paths.
 */
export function pathsOf(settings: Settings): Paths {
  return {
    install: settings.MATTERMOST_INSTALL_DIR,
    data: settings.MATTERMOST_DATA_DIR,
    conf: settings.MATTERMOST_CONF_DIR,
    log: settings.MATTERMOST_LOG_DIR,
    config: `${settings.MATTERMOST_CONF_DIR}/config.json`,
    version: `${settings.MATTERMOST_DATA_DIR}/VERSION`,
    shippedMigrations: `${settings.MATTERMOST_INSTALL_DIR}/migrations.txt`,
    migrations: `${settings.MATTERMOST_DATA_DIR}/MIGRATIONS`,
  };
}

/**
 * Describes where config.json is and which user has to be able to use it.
 *
 * @param settings The directories, and the server's user.
 * @param system The user of this process, and the files.
 * @returns The place.
 */
export function placeOf(
  settings: Settings,
  system: Pick<System, "uid" | "gid" | "files" | "supplementaryGroups">,
): ConfigPlace {
  const { config, data } = pathsOf(settings);
  const user = serverIdentity(settings, system);
  return {
    path: config,
    fallback: data,
    user,
    rejectFile: (facts) => unsafeLinkError(config, facts, { system, user }),
  };
}
