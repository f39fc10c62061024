/**
 * Checks that the installed server is the stated release, and that the upgrade rules allow
 * it to open the database that was found.
 *
 * @module
 */

import type { DatabaseFacts } from "../database/session.ts";
import { EntrypointError, errorCode, ExitCode, tolerate } from "../errors.ts";
import { confirmRelease } from "../mattermost/installed_release.ts";
import type { Decision, Permit } from "../upgrade/decision.ts";
import { decideUpgrade } from "../upgrade/decision.ts";
import { readOwnFile } from "../config/own_file.ts";
import type { System } from "../os/system.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { serverIdentity } from "./load_settings.ts";

/**
 * Asks the upgrade rules; says and changes nothing.
 *
 * @param settled Release and settings.
 * @param facts What the database says of itself.
 * @param system Files, for `data/VERSION`.
 * @returns What the rules answer.
 */
export function decideForPlan(
  { release, database, paths, settings }: LoadedSettings,
  facts: DatabaseFacts,
  system: Pick<System, "files" | "uid" | "gid">,
): Decision {
  return decideUpgrade({
    target: release.version,
    adapter: database.source.adapter,
    schema: facts.schema,
    versionFile: readVersionFile({ paths, settings }, system),
    // The server counts MariaDB's versions as if they were MySQL's, and 10 is more than 8.
    databaseVersion: facts.version,
    force: settings.MATTERMOST_FORCE_UPGRADE,
  });
}

/**
 * Asks the upgrade rules, and says what they notice.
 *
 * @param settled Release and settings.
 * @param facts What the database says of itself.
 * @param context The world.
 * @returns The permit.
 * @throws {EntrypointError} With code 78 if they refuse.
 */
export function guardUpgrade(
  settled: LoadedSettings,
  facts: DatabaseFacts,
  { system, log }: Context,
): Permit {
  const decision = decideForPlan(settled, facts, system);
  for (const message of decision.notices) log.warn({ subject: "", message });
  if (decision.allowed) return decision;
  const { problem, policy } = decision;
  throw new EntrypointError(
    `Mattermost ${settled.release.version} must not start on this database`,
    {
      code: ExitCode.settings,
      problems: [
        problem,
        ...(policy
          ? [{
            subject: "MATTERMOST_FORCE_UPGRADE",
            message:
              "MATTERMOST_FORCE_UPGRADE=true goes on all the same, at your own risk, with a backup",
          }]
          : []),
      ],
    },
  );
}

/**
 * Makes sure that the installed server is the stated release, unless this very program
 * was asked before.
 *
 * @param settled The release, and where everything is.
 * @param system Files, child processes, and who we are.
 * @returns Whether the next start need not ask: no, where the server did not answer.
 * @throws {EntrypointError} With code 78 if the server says otherwise, 73 where VERSION cannot be read.
 */
export async function confirmOnce(
  settled: Pick<
    LoadedSettings,
    "paths" | "settings" | "release" | "installation"
  >,
  system: Pick<System, "files" | "uid" | "gid" | "runChild" | "clock">,
): Promise<boolean> {
  const { release, installation } = settled;
  return isConfirmed(settled, system) ||
    await confirmRelease(release, installation, system);
}

/**
 * Tells whether the installed program was asked for its release before: VERSION is written
 * after the question, and has the program's date.
 *
 * @param settled The release, and where everything is.
 * @param system Files, and who we are.
 * @returns Whether VERSION names the release and has the date of this very program.
 * @throws {EntrypointError} With code 73 where it cannot be read.
 */
export function isConfirmed(
  settled: Pick<LoadedSettings, "paths" | "settings" | "release">,
  system: Pick<System, "files" | "uid" | "gid">,
): boolean {
  const { paths, release } = settled;
  // Not the file that a link leads to. The code that reads the file reports what is wrong with it.
  const dated = tolerate(() => system.files.lstat(paths.version)?.modified);
  return dated !== undefined && dated === programDate(settled, system) &&
    readVersionFile(settled, system)?.trim() === release.version;
}

/**
 * When the installed program came to be what it is here.
 *
 * VERSION has this very date. To be younger than the program would prove nothing: an
 * image that was pulled some time ago is older than the last start of another one.
 *
 * @param settled The release, and where everything is.
 * @param system Files.
 * @returns Milliseconds since the epoch; `undefined` where there is no program.
 */
export function programDate(
  { paths, release }: Pick<LoadedSettings, "paths" | "release">,
  { files }: Pick<System, "files">,
): number | undefined {
  const program = files.stat(`${paths.install}/${release.binary}`);
  return program && Math.max(program.modified, program.changed);
}

/**
 * Reads the file that remembers which release last ran.
 *
 * @param settled Where it is, and the server's user.
 * @param system Files, and who we are.
 * @returns Its content, `undefined` where there is none.
 * @throws {EntrypointError} With code 73 where it cannot be read.
 */
export function readVersionFile(
  { paths, settings }: Pick<LoadedSettings, "paths" | "settings">,
  system: Pick<System, "files" | "uid" | "gid">,
): string | undefined {
  const path = paths.version;
  try {
    return readOwnFile(system.files, path);
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    const { uid, gid } = serverIdentity(settings, system);
    throw new EntrypointError(
      `${path}, which remembers the release that last ran, cannot be read (${
        errorCode(error)
      })`,
      {
        code: ExitCode.cannotWrite,
        remedy:
          `On the host, for the directory that is mounted at ${paths.data}: chown -R ${uid}:${gid} <directory>`,
        cause: error,
      },
    );
  }
}
