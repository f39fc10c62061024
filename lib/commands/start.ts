/**
 * `app:start`: loads the settings, plans the configuration, opens the database and checks
 * the upgrade rules. Then it writes config.json, unless the configuration is in the database, and
 * this process becomes the server.
 *
 * The settings, the database and the upgrade rules are checked before the first write.
 *
 * @module
 */

import type { ReadyDatabase } from "../database/wait.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import type { Permit } from "../upgrade/verdict.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";
import { asReader, requireChangeOfUser } from "../startup/become_user.ts";
import { requirePaths } from "../startup/directories/check_paths.ts";
import { requireServerAccess } from "../startup/directories/server_access.ts";
import {
  confirmInstalledRelease,
  guardUpgrade,
  logChange,
  type UpgradeSides,
} from "../startup/upgrade_guard.ts";
import { becomeServer, requireServer } from "../startup/handoff.ts";
import { prepareDirectories } from "../startup/directories/prepare_directories.ts";
import { removeStaleSocket } from "../startup/local_socket.ts";
import { findLostVolume, requireOwnVolumes } from "../startup/lost_volume.ts";
import { recordRelease } from "../startup/version_file.ts";
import { requireRegularFiles, writePlan } from "../startup/write_plan.ts";
import {
  requireAnswers,
  runMigration,
  waitForMigration,
} from "../startup/migration.ts";
import { openDatabase } from "../startup/open_database.ts";
import { storeProblems } from "../startup/shared_store.ts";
import type { Plan } from "../startup/plan.ts";
import { requirePorts } from "../startup/ports.ts";
import {
  loadSettingsWithConfig,
  logSummary,
  planConfig,
} from "../startup/plan.ts";
import type { LoadedSettings } from "../startup/load_settings.ts";
import {
  readServerMigrations,
  rememberMigrations,
  type ServerMigrations,
} from "../startup/server_migrations.ts";
import { readBundle, writeBundle } from "../startup/ca_bundle.ts";
import {
  type Remembered,
  requireAccepted,
  requireAcceptedLater,
} from "../startup/verdict/judge.ts";

/**
 * Starts the server.
 *
 * @param args Arguments for the server, after `--`.
 * @param context The system with the settings and the server.
 * @returns Never: the process becomes the server.
 * @throws {EntrypointError} If the server cannot or must not start.
 */
export async function start(
  args: readonly string[],
  context: Context,
): Promise<never> {
  const { log } = context;
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  readArguments(own, { command: "app:start" });
  const serverArgs = end < 0 ? [] : args.slice(end + 1);
  const loaded = await loadSettingsWithConfig(context);
  logSummary(loaded, context);
  await requireServerAccess(loaded, context.system);
  requireServer(loaded, context.system);
  requireChangeOfUser(loaded.settings, context.system);
  const ready = await openMeanwhile(loaded, context);
  const { database, plan, migrations, releaseSignals, isAnswered, accepted } =
    ready;
  const permit = await guardAfterMigration(ready, context);
  requireAnswers(plan, permit, context);
  await requirePorts(plan, context);
  logChange(permit, context);
  const lost = findLostVolume(plan, database.facts.schema, context.system);
  if (lost !== undefined) log.warn(lost);
  const bundle = readBundle(plan);
  requireRegularFiles(plan, bundle, asReader(plan.settings, context.system));
  // This gives up root, so that the server's user writes everything that follows.
  const served = await prepareDirectories(plan, context);
  const { system } = served;
  await requirePaths(plan, served);
  removeStaleSocket(plan, system);
  await writePlan(
    plan,
    served,
    await requireAcceptedLater(accepted, plan, served),
  );
  writeBundle(bundle, served);
  if (permit.kind === "migrate-3.0") {
    const work = { database, permit, migrations };
    const code = await runMigration(plan, work, served);
    if (code !== ExitCode.ok) throw migrationFailed(code);
  }
  await recordRelease(plan, system, isAnswered);
  rememberMigrations(plan, migrations, system);
  context.signal.throwIfAborted();
  await Promise.all([database.session.close(), releaseSignals()]);
  log.step("Handing over to the server");
  return becomeServer(plan, system, serverArgs);
}

interface Ready {
  readonly database: ReadyDatabase;
  readonly plan: Plan;
  readonly migrations: ServerMigrations;
  readonly releaseSignals: () => Promise<void>;
  /** Whether the installed server has reported the release that the image states. */
  readonly isAnswered: boolean;
  /** The configuration that the server has accepted. */
  readonly accepted: Remembered;
}

/** Logs in to the database, and does what needs no database at the same time. */
async function openMeanwhile(
  loaded: LoadedSettings,
  context: Context,
): Promise<Ready> {
  const { system, log } = context;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const opening = openDatabase(loaded, { ...context, signal });
  const answers = Promise.all([
    opening,
    readServerMigrations(loaded, system),
  ]);
  // Only the first error is reported.
  answers.catch(() => {});
  try {
    // What follows would judge a server of another release by the wrong rules.
    const isAnswered = await confirmInstalledRelease(loaded, system);
    const plan = await planConfig(loaded, context, {
      upgradeRulesFollow: true,
      useSession: async (work) => await work((await opening).session),
    });
    requireOwnVolumes(plan, system);
    // The summary has already printed the warnings about the settings.
    const warnings = plan.warnings.slice(loaded.warnings.length);
    warnings.forEach((warning) => log.warn(warning));
    const releaseSignals = system.prepareExec();
    const [[database, migrations], accepted] = await Promise.all([
      answers,
      requireAccepted(plan, { ...context, signal }),
    ]);
    (await storeProblems(plan, database))
      .forEach((problem) => log.warn(problem));
    return {
      database,
      plan,
      migrations,
      releaseSignals,
      isAnswered,
      accepted,
    };
  } catch (error) {
    failed.abort();
    throw error;
  }
}

/** Checks the upgrade rules again if another process has migrated the database meanwhile. */
async function guardAfterMigration(
  { plan, database, migrations }: Ready,
  context: Context,
): Promise<Permit> {
  const guard = (facts: UpgradeSides["facts"]): Permit =>
    guardUpgrade(plan, { facts, migrations }, context);
  const permit = guard(database.facts);
  if (permit.kind === "same") return permit;
  const facts = await waitForMigration(plan, database, context);
  return facts === database.facts ? permit : guard(facts);
}

function migrationFailed(code: number): EntrypointError {
  return new EntrypointError(
    `The migration to 3.0 failed with exit code ${code}, so the server was not started`,
    {
      code: ExitCode.settings,
      remedy:
        "Restore the backup of the database, correct the error that the migration printed, and start again",
    },
  );
}
