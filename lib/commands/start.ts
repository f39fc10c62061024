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
import { confirmRelease } from "../server/detect.ts";
import type { Permit } from "../server/upgrade.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "./command.ts";
import { requirePaths } from "./doctor.ts";
import { guardUpgrade, readVersionFile } from "./guard.ts";
import {
  becomeServer,
  provideDirectories,
  rememberRelease,
  requireServer,
  writePlan,
} from "./handoff.ts";
import { requireAnswers, runMigration, takeTurn } from "./migration.ts";
import { openDatabase } from "./open.ts";
import type { Plan } from "./plan.ts";
import { introduce, makePlan } from "./plan.ts";
import { provideBundle } from "./trust.ts";

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
  const { system, log } = context;
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  readArguments(own, { command: "app:start", options: {} });
  const serverArgs = end < 0 ? [] : args.slice(end + 1);
  const plan = await makePlan(context, { guarded: true });
  introduce(plan, context);
  requireServer(plan, system);
  const [database] = await Promise.all([
    openDatabase(plan, context),
    confirmOnce(plan, context),
  ]);
  const permit = await guardInTurn(plan, database, context);
  requireAnswers(plan, permit, context);
  const releaseSignals = system.prepareExec();
  provideDirectories(plan, context);
  await requirePaths(plan, context);
  await writePlan(plan, context);
  provideBundle(plan, context);
  if (permit.kind === "migrate-3.0") {
    const code = await runMigration(plan, permit, context);
    if (code !== ExitCode.ok) throw migrationFailed(code);
  }
  rememberRelease(plan, system);
  context.signal.throwIfAborted();
  await database.session.close();
  log.step("Handing over to the server");
  await releaseSignals();
  return becomeServer(plan, system, serverArgs);
}

/** A job may be migrating what the server would migrate at its start, and change what is allowed. */
async function guardInTurn(
  plan: Plan,
  database: ReadyDatabase,
  context: Context,
): Promise<Permit> {
  const permit = guardUpgrade(plan, database.facts, context);
  if (permit.kind === "same") return permit;
  const facts = await takeTurn(database, context);
  return facts === database.facts ? permit : guardUpgrade(plan, facts, context);
}

/**
 * Asks the server for its release, unless that was done on this very image: the
 * VERSION file is written after the question, so it is younger than the program then.
 */
async function confirmOnce(
  { release, installation, paths }: Plan,
  { system }: Context,
): Promise<void> {
  if (installation.stated === undefined) return;
  const { files } = system;
  const witness = files.stat(paths.version);
  const program = files.stat(`${paths.install}/${release.binary}`);
  if (
    witness !== undefined && program !== undefined &&
    witness.modified > Math.max(program.modified, program.changed) &&
    readVersionFile(paths.version, system)?.trim() === release.version
  ) return;
  await confirmRelease(release, installation, system);
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
