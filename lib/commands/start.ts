/**
 * `app:start`: settings, config.json, database, upgrade rules; then this process is the server.
 *
 * Nothing is written before everything is known to be right, so that a start
 * that fails leaves all files as they were.
 *
 * @module
 */

import type { ReadyDatabase } from "../database/wait.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import type { Permit } from "../upgrade/decision.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";
import { requirePaths } from "../startup/directories/check_paths.ts";
import { confirmOnce, guardUpgrade } from "../startup/upgrade_guard.ts";
import {
  becomeServer,
  provideDirectories,
  rememberRelease,
  requireOwnFiles,
  requireServer,
  writePlan,
} from "../startup/handoff.ts";
import {
  requireAnswers,
  runMigration,
  waitForMigration,
} from "../startup/migration.ts";
import { openDatabase } from "../startup/open_database.ts";
import type { Plan } from "../startup/plan.ts";
import {
  loadSettingsAndDisk,
  logSummary,
  planConfig,
} from "../startup/plan.ts";
import type { LoadedSettings } from "../startup/load_settings.ts";
import { provideBundle, readBundle } from "../startup/ca_bundle.ts";

/**
 * Starts the server.
 *
 * @param args Arguments for the server, behind `--`.
 * @param context The world.
 * @returns Never: it becomes the server.
 * @throws {EntrypointError} Whatever keeps the server from starting.
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
  const settled = await loadSettingsAndDisk(context);
  logSummary(settled, context);
  requireServer(settled, context.system);
  const { database, plan, releaseSignals, isAnswered } = await openMeanwhile(
    settled,
    context,
  );
  const permit = await guardAfterMigration(plan, database, context);
  requireAnswers(plan, permit, context);
  const bundle = readBundle(plan);
  requireOwnFiles(plan, bundle, context.system);
  // Root gives and is root no more: all that is written is written by the server's user.
  const served = await provideDirectories(plan, context);
  const { system } = served;
  await requirePaths(plan, served);
  await writePlan(plan, served);
  provideBundle(bundle, served);
  if (permit.kind === "migrate-3.0") {
    const code = await runMigration(plan, { database, permit }, served);
    if (code !== ExitCode.ok) throw migrationFailed(code);
  }
  rememberRelease(plan, system, isAnswered);
  context.signal.throwIfAborted();
  await Promise.all([database.session.close(), releaseSignals()]);
  log.step("Handing over to the server");
  return becomeServer(plan, system, serverArgs);
}

interface Ready {
  readonly database: ReadyDatabase;
  readonly plan: Plan;
  readonly releaseSignals: () => Promise<void>;
  /** Whether the installed program has said that it is the stated release. */
  readonly isAnswered: boolean;
}

/** A login is mostly waiting: what needs no database is done meanwhile. */
async function openMeanwhile(
  settled: LoadedSettings,
  context: Context,
): Promise<Ready> {
  const { system, log } = context;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const answers = Promise.all([
    openDatabase(settled, { ...context, signal }),
    confirmOnce(settled, system),
  ]);
  try {
    const plan = planConfig(settled, context, { guarded: true });
    // The other warnings are part of the summary.
    const warnings = plan.warnings.slice(settled.warnings.length);
    warnings.forEach((warning) => log.warn(warning));
    const releaseSignals = system.prepareExec();
    const [database, isAnswered] = await answers;
    return { database, plan, releaseSignals, isAnswered };
  } catch (error) {
    failed.abort();
    // The first error is the one that counts.
    answers.catch(() => {});
    throw error;
  }
}

/** A job may be migrating what the server would migrate at its start, and change what is allowed. */
async function guardAfterMigration(
  plan: Plan,
  database: ReadyDatabase,
  context: Context,
): Promise<Permit> {
  const permit = guardUpgrade(plan, database.facts, context);
  if (permit.kind === "same") return permit;
  const facts = await waitForMigration(database, context);
  return facts === database.facts ? permit : guardUpgrade(plan, facts, context);
}

function migrationFailed(code: number): EntrypointError {
  return new EntrypointError(
    `The migration to 3.0 failed with code ${code}; the server is not started`,
    {
      code: ExitCode.settings,
      remedy:
        "Restore the backup of the database, correct what the migration complained of, and start again",
    },
  );
}
