/**
 * Runs the server's own migration of the database, one container at a time.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { DatabaseFacts } from "../database/session.ts";
import type { ReadyDatabase } from "../database/wait.ts";
import { EntrypointError, ExitCode, type Problem } from "../errors.ts";
import { childFailure } from "../os/execvp.ts";
import type { Migration } from "../mattermost/releases.ts";
import { migrationCommand } from "../mattermost/releases.ts";
import {
  compareMigrations,
  describeMigrations,
} from "../mattermost/migrations.ts";
import type { Permit } from "../upgrade/verdict.ts";
import type { Context } from "./context.ts";
import { serverHandover } from "./handoff.ts";
import { openDatabase } from "./open_database.ts";
import type { Plan } from "./plan.ts";
import type { ServerMigrations } from "./server_migrations.ts";

/** The name of the lock in the database that a migration holds; it ends with the connection of its holder. */
const LOCK = "mattermost-entrypoint";

/** The first pause between two attempts to take the lock and the longest one, in milliseconds. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

/** Milliseconds between two messages of one wait. */
const REPORT_INTERVAL = 60_000;

/** The names of the migrations for the log. */
const NAMES: Readonly<Record<Migration, string>> = {
  "db migrate": "db migrate",
  "-upgrade_db_30": "the migration to 3.0",
  none: "nothing",
};

/**
 * Takes the lock for a migration, and waits for another container that holds it, for
 * `DB_MIGRATION_TIMEOUT` seconds at most. The lock protects more than the server's own one,
 * which servers have from 6.4 on: that one expires after 15 seconds, even while a statement runs.
 *
 * @param plan The settings.
 * @param database The session, and the facts from when it was opened.
 * @param context The log, and the signal that ends the wait.
 * @returns The facts of now: the same object, unless another container has migrated the database.
 * @throws {EntrypointError} With code 69 if the other container takes longer.
 * @see https://github.com/mattermost/morph/blob/master/drivers/lock.go
 */
export async function waitForMigration(
  { settings }: Pick<Plan, "settings">,
  { session, facts }: ReadyDatabase,
  { system, log, signal }: Context,
): Promise<DatabaseFacts> {
  const { clock, env } = system;
  const limit = settings.DB_MIGRATION_TIMEOUT;
  const start = clock.elapsed();
  let reportAt = start;
  let pause = FIRST_PAUSE;
  while (true) {
    // Docker, Kubernetes and Podman name the container so.
    const result = await session.lock(LOCK, env["HOSTNAME"] ?? "");
    const now = clock.elapsed();
    if (result === "held") break;
    if (result === "unsupported") {
      log.warn(NO_LOCK);
      return facts;
    }
    const left = start + 1000 * limit - now;
    const holder = result.description && ` (${result.description})`;
    if (left <= 0) throw tooLong(limit, holder, result.terminate);
    if (now >= reportAt) {
      const seconds = Math.floor((now - start) / 1000);
      const since = seconds === 0 ? "" : ` (${seconds} s of ${limit} s)`;
      log.info(
        `Waiting${since}: another container is migrating this database${holder}`,
      );
      reportAt = now + REPORT_INTERVAL;
    }
    // The session must be idle meanwhile: CREATE INDEX CONCURRENTLY waits for older statements.
    const jitter = 0.75 + (system.random(1)[0] ?? 0) / 512;
    await clock.sleep(Math.min(pause * jitter, left), signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  if (reportAt > start) log.info("The other migration finished");
  const now = await session.facts();
  return isDeepStrictEqual(now.schema, facts.schema) ? facts : now;
}

const NO_LOCK: Problem = {
  subject: "",
  message:
    "PgBouncer's pool_mode is statement, which refuses transactions: this migration runs without a lock, and Mattermost needs transactions too",
  remedy: "In pgbouncer.ini: pool_mode = transaction",
};

function tooLong(
  limit: number,
  holder: string,
  terminate: string | undefined,
): EntrypointError {
  return new EntrypointError(
    `Another container is still migrating this database${holder} after DB_MIGRATION_TIMEOUT=${limit} s`,
    {
      code: ExitCode.unavailable,
      remedy:
        `Read the log of that container, and start again when its migration has finished${
          terminate === undefined
            ? ""
            : `; if it no longer runs, end its session in the database: ${terminate}`
        }`,
    },
  );
}

/**
 * Makes sure that the questions of the migration to 3.0 will be answered. It has to be called
 * before anything is changed.
 *
 * @param plan The plan.
 * @param permit What the upgrade rules allow.
 * @param context The system, for its terminal.
 * @throws {EntrypointError} With code 78 if neither a setting nor a person names the team.
 */
export function requireAnswers(
  plan: Plan,
  permit: Permit,
  { system }: Pick<Context, "system">,
): void {
  if (permit.kind === "migrate-3.0") answersFor3(plan, system.inputIsTerminal);
}

/** The database of a migration. */
export interface MigrationWork {
  /** The session, and the facts from before the migration. */
  readonly database: ReadyDatabase;
  /** What the upgrade rules allow. */
  readonly permit: Permit;
  /** The migrations that the installed server contains. */
  readonly migrations: ServerMigrations;
}

/**
 * Runs the server's own migration in the foreground, and checks its result in the database.
 *
 * @param plan The plan, whose config.json has been written.
 * @param work The database, and what the upgrade rules allow.
 * @param context The context of the server's user.
 * @returns The exit code of the migration; 0 if the release has no migration to run.
 * @throws {EntrypointError} With code 78 if nobody names the team for the migration to 3.0, or if the database is not migrated although the exit code is 0; 126 or 127 if the server cannot be executed.
 */
export async function runMigration(
  plan: Plan,
  work: MigrationWork,
  context: Context,
): Promise<number> {
  const { permit } = work;
  const { system, log, signal, runToCompletion } = context;
  const { release } = plan;
  const { env, paths } = serverHandover(plan, system);
  const command = migrationCommand(release, paths);
  if (command === undefined) return ExitCode.ok;
  const isTo3 = release.migration === "-upgrade_db_30";
  if (isTo3 && permit.kind !== "migrate-3.0") return ExitCode.ok;
  log.info(
    `Running ${NAMES[release.migration]} of Mattermost ${release.version}`,
  );
  const { code } = await runToCompletion(system.runChild({
    command,
    env,
    cwd: paths.home,
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
  if (!isTo3) await requireMigrated(plan, work, context);
  log.info("The migration is complete");
  return code;
}

/** Makes sure that the migration succeeded: from 6.5 to 7.x the exit code is 0 even if a statement failed. */
async function requireMigrated(
  plan: Plan,
  { database: { session }, migrations: { contained } }: MigrationWork,
  context: Context,
): Promise<void> {
  if (contained === undefined) return;
  const { schema } = await session.facts().catch(async () => {
    // A migration can outlast the timeout of an idle connection. Any other error will occur again.
    const reopened = await openDatabase(plan, context);
    await reopened.session.close();
    return reopened.facts;
  });
  const { pending } = compareMigrations(schema.migrations, contained);
  if (pending.length === 0) return;
  throw new EntrypointError(
    `The migration failed although it ended with code 0: the table db_migrations lacks ${
      describeMigrations(pending)
    }; the server's log above has the error`,
    {
      code: ExitCode.settings,
      remedy:
        "Correct the error in the server's log, restore the backup of the database if it held data, and run app:migrate again",
    },
  );
}

/** The input for the migration to 3.0, which asks whether there is a backup and which team is the primary one. */
function answersFor3(
  { settings, release }: Plan,
  isTerminal: boolean,
): string | { readonly inherit: true } {
  const team = settings.MATTERMOST_MIGRATION_DEFAULT_TEAM;
  if (team !== undefined) return `YES\n${team}\n`;
  if (isTerminal) return { inherit: true };
  throw new EntrypointError(
    `The database belongs to Mattermost 2 and must be migrated before Mattermost ${release.version} can start; the migration cannot be undone`,
    {
      code: ExitCode.settings,
      remedy:
        "Back up the database, then set MATTERMOST_MIGRATION_DEFAULT_TEAM=PRIMARY_TEAM, or answer the questions of the migration yourself: docker run -it … app:migrate",
    },
  );
}
