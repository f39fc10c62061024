/**
 * The server's own migration of the database, one at a time.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { DatabaseFacts } from "../database/session.ts";
import type { DataSource } from "../database/data_source.ts";
import type { ReadyDatabase } from "../database/wait.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { childFailure } from "../os/execvp.ts";
import type { Migration } from "../mattermost/releases.ts";
import { migrationCommand } from "../mattermost/releases.ts";
import { unfinished } from "../mattermost/migrations.ts";
import type { Permit } from "../upgrade/decision.ts";
import type { Context } from "./context.ts";
import { serverVariables } from "./handoff.ts";
import { openDatabase } from "./open_database.ts";
import type { Plan } from "./plan.ts";

/** The lock that one migration at a time holds. It lives in the database, and ends with its holder's connection. */
const LOCK = "mattermost-entrypoint";

/** Seconds between two looks at a lock that another holds. */
const PATIENCE = 5;

/** How each migration is carried out, besides by starting the server. */
const NAMES: Readonly<Record<Migration, string>> = {
  "db migrate": "db migrate",
  "-upgrade_db_30": "the migration to 3.0",
  none: "nothing",
};

/**
 * Waits for its turn to migrate.
 *
 * @param database The session, and what was known when it was opened.
 * @param context The world.
 * @returns What is known now: the same object, unless another migrated meanwhile.
 */
export async function waitForMigration(
  { session, facts }: ReadyDatabase,
  { log, signal }: Context,
): Promise<DatabaseFacts> {
  if (!await session.lock(LOCK, 0)) {
    log.info("Waiting: another container is migrating this database");
    while (!await session.lock(LOCK, PATIENCE)) signal.throwIfAborted();
    log.info("The other container is done");
  }
  const now = await session.facts();
  return isDeepStrictEqual(now.schema, facts.schema) ? facts : now;
}

/**
 * Makes sure that the migration to 3.0 will get its answers, before anything is written.
 *
 * @param plan The plan.
 * @param permit What the upgrade rules allowed.
 * @param context The world.
 * @throws {EntrypointError} With code 78 if nobody is there to name the team.
 */
export function requireAnswers(
  plan: Plan,
  permit: Permit,
  { system }: Pick<Context, "system">,
): void {
  if (permit.kind === "migrate-3.0") answersFor3(plan, system.inputIsTerminal);
}

/** What a migration works on, and what it may do. */
export interface MigrationWork {
  /** The session, and what was known before. */
  readonly database: ReadyDatabase;
  /** What the upgrade rules allowed. */
  readonly permit: Permit;
}

/**
 * Runs the server's own migration in the foreground, as the user that we are by now, and
 * looks at what it left.
 *
 * @param plan The plan, already written.
 * @param work What it works on, and what it may do.
 * @param context The world.
 * @returns The migration's exit code.
 * @throws {EntrypointError} With code 78 if the migration to 3.0 is not told the team, or if the database is not migrated although the code is 0.
 */
export async function runMigration(
  plan: Plan,
  { database, permit }: MigrationWork,
  context: Context,
): Promise<number> {
  const { system, log, signal, finishing } = context;
  const { release, paths } = plan;
  const command = migrationCommand(release, {
    home: paths.install,
    config: paths.config,
  });
  if (command === undefined) return ExitCode.ok;
  const isTo3 = release.migration === "-upgrade_db_30";
  if (isTo3 && permit.kind !== "migrate-3.0") return ExitCode.ok;
  log.info(`Running ${NAMES[release.migration]} of ${release.version}`);
  const { code } = await finishing(system.runChild({
    command,
    env: serverVariables(plan, system),
    cwd: paths.install,
    output: "inherit",
    signal,
    ...(isTo3 ? { input: answersFor3(plan, system.inputIsTerminal) } : {}),
  })).catch((error) => {
    throw childFailure(command[0], error);
  });
  if (code !== ExitCode.ok) {
    log.info(`The migration ended with code ${code}`);
    return code;
  }
  if (!isTo3) await requireMigrated(plan, database, context);
  log.info("The migration is complete");
  return code;
}

/**
 * Makes sure that a migration has done what its exit code says: from 6.5 to 7.x it is 0
 * even where a statement failed.
 */
async function requireMigrated(
  plan: Plan,
  { session, facts: before }: ReadyDatabase,
  context: Context,
): Promise<void> {
  const { release, database: { source } } = plan;
  if (isInAnotherSchema(source)) return;
  const after = await session.facts().catch(async () => {
    // A migration can take longer than an idle connection lives; what else it is, the new one says.
    const again = await openDatabase(plan, context);
    await again.session.close();
    return again.facts;
  });
  const wrong = unfinished(release.version, {
    before: before.schema.lastMigration,
    after: after.schema.lastMigration,
  });
  if (wrong === undefined) return;
  throw new EntrypointError(
    `The migration failed although it ended with code 0, and the server's log above has the error: ${wrong}`,
    {
      code: ExitCode.settings,
      remedy:
        "Correct what the log complains of, restore the backup of the database if there was data in it, and run app:migrate again",
    },
  );
}

/** Our session does not apply these parameters yet, so it would look at other tables than the server. */
function isInAnotherSchema({ adapter, parameters = {} }: DataSource): boolean {
  return adapter === "postgres" &&
    ("search_path" in parameters || "options" in parameters);
}

/** What the migration to 3.0 asks: whether there is a backup, and which team is the primary one. */
function answersFor3(
  { settings, release }: Plan,
  isTerminal: boolean,
): string | { readonly inherit: true } {
  const team = settings.MATTERMOST_MIGRATION_DEFAULT_TEAM;
  if (team !== undefined) return `YES\n${team}\n`;
  if (isTerminal) return { inherit: true };
  throw new EntrypointError(
    `The database is of Mattermost 2 and has to be migrated before ${release.version} can start; the migration cannot be undone`,
    {
      code: ExitCode.settings,
      remedy:
        "Back up the database, then set MATTERMOST_MIGRATION_DEFAULT_TEAM=<the primary team>, or run app:migrate on a terminal (docker run -it … app:migrate)",
    },
  );
}
