/**
 * Checks that the installed server is the release of `MATTERMOST_VERSION`, and that the upgrade
 * rules allow this release to open the database.
 *
 * @module
 */

import { remedyFor } from "../database/reasons.ts";
import { type DatabaseFacts, foreignTables } from "../database/session.ts";
import { describeProblem } from "../database/wait.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { confirmRelease } from "../mattermost/installed_release.ts";
import type { Decision, Permit } from "../upgrade/verdict.ts";
import { decideUpgrade } from "../upgrade/decision.ts";
import type { System } from "../os/system.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";
import type { ServerMigrations } from "./server_migrations.ts";
import { isConfirmed, readVersionFile } from "./version_file.ts";

/** What the upgrade rules compare. */
export interface UpgradeSides {
  /** The version and the schema of the database. */
  readonly facts: DatabaseFacts;
  /** The migrations that the installed server contains. */
  readonly migrations: ServerMigrations;
}

/**
 * Applies the upgrade rules, without logging or changing anything.
 *
 * @param loaded The release and the settings.
 * @param sides The database and the installed server.
 * @param system The file system, for `data/VERSION`, and the user of this process.
 * @returns The decision.
 * @throws {EntrypointError} With code 73 if `data/VERSION` cannot be read.
 */
export function decideForPlan(
  { release, database, paths, settings }: LoadedSettings,
  { facts, migrations }: UpgradeSides,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): Decision {
  return decideUpgrade({
    target: release.version,
    adapter: database.source.adapter,
    schema: facts.schema,
    contained: migrations.contained,
    versionFile: readVersionFile({ paths, settings }, system),
    // The server compares the versions of MariaDB with those of MySQL, so 10 counts as more than 8.
    databaseVersion: facts.version,
    force: settings.MATTERMOST_FORCE_UPGRADE,
  });
}

/**
 * Applies the upgrade rules and logs their notices.
 *
 * @param loaded The release and the settings.
 * @param sides The database and the installed server.
 * @param context The file system and the log.
 * @returns What the release may do with the database.
 * @throws {EntrypointError} With code 78 if the rules refuse, 73 if `data/VERSION` cannot be read.
 */
export function guardUpgrade(
  loaded: LoadedSettings,
  sides: UpgradeSides,
  { system, log }: Context,
): Permit {
  const decision = decideForPlan(loaded, sides, system);
  for (const message of decision.notices) log.warn({ subject: "", message });
  if (decision.allowed) {
    requireOwnTables(decision, loaded, sides);
    return decision;
  }
  const { kind, problem, isAdvice } = decision;
  throw new EntrypointError(
    `Mattermost ${loaded.release.version} must not start on this database`,
    {
      code: ExitCode.settings,
      problems: [
        problem,
        ...(isAdvice
          ? [{
            subject: "MATTERMOST_FORCE_UPGRADE",
            message: kind === "downgrade"
              ? "MATTERMOST_FORCE_UPGRADE=true overrides this refusal, for a step back to an earlier patch, or for a replica of the old release that restarts during a rolling upgrade: make a backup first"
              : "MATTERMOST_FORCE_UPGRADE=true overrides this refusal at your own risk: make a backup first",
          }]
          : []),
      ],
    },
  );
}

/**
 * Logs the change of the release, and a reminder of the backup if it brings migrations.
 *
 * @param permit What the upgrade rules allow.
 * @param context The log.
 */
export function logChange(
  { change, reminder }: Permit,
  { log }: Pick<Context, "log">,
): void {
  if (change !== undefined) log.info(change);
  if (reminder !== undefined) log.warn(reminder);
}

/** Refuses a migration of tables that belong to another role: only their owner may change them. */
function requireOwnTables(
  { kind, pending }: Permit,
  { database: { source } }: LoadedSettings,
  { facts: { place } }: UpgradeSides,
): void {
  if (place?.owner === undefined || kind !== "upgrade" || !pending) return;
  const error = foreignTables(place.owner);
  throw new EntrypointError(
    `${describeProblem(error, source)}, so the migration would fail`,
    { code: ExitCode.refused, remedy: remedyFor(error, source) },
  );
}

/**
 * Makes sure that the installed server is the release of `MATTERMOST_VERSION`, unless the same
 * program confirmed it at an earlier start.
 *
 * @param loaded The release and the paths.
 * @param system The file system, child processes, and the user of this process.
 * @returns Whether the server confirmed its release; `false` if it could not tell.
 * @throws {EntrypointError} With code 78 if the server is another release, 73 if VERSION cannot be read.
 */
export async function confirmInstalledRelease(
  loaded: Pick<
    LoadedSettings,
    "paths" | "settings" | "release" | "installation"
  >,
  system: Pick<
    System,
    "files" | "filesFor" | "uid" | "gid" | "watchChild" | "clock"
  >,
): Promise<boolean> {
  const { release, installation } = loaded;
  return isConfirmed(loaded, system) ||
    await confirmRelease(release, installation, system);
}
