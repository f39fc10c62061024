/**
 * What is known about the server that reads a data source: the version of its driver and its user.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
import { driverVersions, findDrivers } from "../mattermost/drivers.ts";
import type { Release } from "../mattermost/releases.ts";
import type { System } from "../os/system.ts";
import type { Settings } from "../settings/catalogue.ts";
import { asReader, serverIdentity } from "./become_user.ts";
import type { ReaderOf } from "./configured_database.ts";
import { once } from "./once.ts";
import type { Paths } from "./paths.ts";
import { readProgramLists } from "./program_lists.ts";

/**
 * Finds out what is known about the server.
 *
 * @param server The release, its paths, and the user of the server.
 * @param system The file system, and the user of this process.
 * @returns What is known, by the product of the database. Nothing is read before it is called.
 */
export function dsnReaders(
  { settings, release, paths }: {
    readonly settings: Settings;
    readonly release: Release;
    readonly paths: Paths;
  },
  system: Pick<System, "files" | "filesFor" | "uid" | "gid" | "env">,
): ReaderOf {
  const installed = once(() => {
    const { files } = asReader(settings, system);
    const { lists } = readProgramLists(release, paths, files);
    return findDrivers(lists.join("\n"));
  });
  return (adapter) => ({
    release: release.version,
    versions: driverVersions(adapter, release.version, installed()[adapter]),
    env: system.env,
    user: () => userName(serverIdentity(settings, system).uid, system.files),
  });
}

/** The name of a user in /etc/passwd, where Go looks for it. */
function userName(
  uid: number,
  files: System["files"],
): string | undefined {
  const bytes = trySystemCall(() =>
    files.read("/etc/passwd", { follow: true })?.bytes
  );
  const lines = bytes === undefined
    ? []
    : new TextDecoder().decode(bytes).split("\n");
  return lines.map((line) => line.split(":"))
    .find(([, , number]) => number === String(uid))?.[0];
}
