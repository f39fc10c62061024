/**
 * `app:migrate`: runs the server's own migration in the foreground. It may run as a
 * job while other servers are starting.
 *
 * @module
 */

import { ExitCode } from "../errors.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";
import { asReader, requireChangeOfUser } from "../startup/become_user.ts";
import {
  confirmInstalledRelease,
  guardUpgrade,
  logChange,
} from "../startup/upgrade_guard.ts";
import { requireServer } from "../startup/handoff.ts";
import { requireServerAccess } from "../startup/directories/server_access.ts";
import { prepareDirectories } from "../startup/directories/prepare_directories.ts";
import { recordRelease } from "../startup/version_file.ts";
import { requireRegularFiles, writePlan } from "../startup/write_plan.ts";
import {
  requireAnswers,
  runMigration,
  waitForMigration,
} from "../startup/migration.ts";
import { storeProblems } from "../startup/shared_store.ts";
import { once } from "../startup/once.ts";
import { openDatabase } from "../startup/open_database.ts";
import {
  loadSettingsWithConfig,
  logSummary,
  planConfig,
} from "../startup/plan.ts";
import {
  readServerMigrations,
  rememberMigrations,
} from "../startup/server_migrations.ts";
import { requireOwnVolumes } from "../startup/lost_volume.ts";
import { readBundle, writeBundle } from "../startup/ca_bundle.ts";
import {
  requireAccepted,
  requireAcceptedLater,
} from "../startup/verdict/judge.ts";

/**
 * Migrates the database.
 *
 * @param args Must be empty.
 * @param context The system with the settings and the server.
 * @returns The exit code of the server's migration.
 * @throws {EntrypointError} If the migration cannot run; with code 78 if it failed although its exit code is 0.
 */
export async function migrate(
  args: readonly string[],
  context: Context,
): Promise<number> {
  readArguments(args, { command: "app:migrate" });
  const { system, log } = context;
  const loaded = await loadSettingsWithConfig(context);
  await requireServerAccess(loaded, system);
  requireServer(loaded, system);
  requireChangeOfUser(loaded.settings, system);
  const isAnswered = await confirmInstalledRelease(loaded, system);
  const open = once(() => openDatabase(loaded, context));
  const plan = await planConfig(loaded, context, {
    upgradeRulesFollow: true,
    useSession: async (work) => await work((await open()).session),
  });
  requireOwnVolumes(plan, system);
  logSummary(plan, context);
  const [database, migrations] = await Promise.all([
    open(),
    readServerMigrations(plan, system),
  ]);
  (await storeProblems(plan, database))
    .forEach((problem) => log.warn(problem));
  const { release } = plan;
  if (release.migration === "none") {
    guardUpgrade(plan, { facts: database.facts, migrations }, context);
    log.info(
      `Mattermost ${release.version} migrates its database when it starts: run app:start`,
    );
    return ExitCode.ok;
  }
  const facts = await waitForMigration(plan, database, context);
  const permit = guardUpgrade(plan, { facts, migrations }, context);
  if (facts !== database.facts && permit.kind === "same") {
    log.info("The database has already been migrated");
    return ExitCode.ok;
  }
  requireAnswers(plan, permit, context);
  logChange(permit, context);
  const accepted = await requireAccepted(plan, context);
  const bundle = readBundle(plan);
  requireRegularFiles(plan, bundle, asReader(plan.settings, system));
  const served = await prepareDirectories(plan, context);
  await writePlan(
    plan,
    served,
    await requireAcceptedLater(accepted, plan, served),
  );
  writeBundle(bundle, served);
  const { session } = database;
  const work = { database: { session, facts }, permit, migrations };
  const code = await runMigration(plan, work, served);
  if (code === ExitCode.ok) {
    await recordRelease(plan, served.system, isAnswered);
    rememberMigrations(plan, migrations, served.system);
  }
  await session.close();
  return code;
}
