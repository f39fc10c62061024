/**
 * Opens the database for a start, as soon as it accepts the login.
 *
 * @module
 */

import { connect } from "../database/connect.ts";
import { REASONS } from "../database/reasons.ts";
import { type ReadyDatabase, waitForDatabase } from "../database/wait.ts";
import type { Context } from "./context.ts";
import { asReader } from "./become_user.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { requireAuthorities } from "./ca_bundle.ts";
import { databaseFiles } from "./database_files.ts";

/**
 * Waits until the database accepts the login, for `DB_TIMEOUT` seconds at most.
 *
 * @param loaded The data source and the certificate authorities.
 * @param context The system, the log, and the signal that ends the wait.
 * @returns The session, with the version and the schema of the database.
 * @throws {EntrypointError} With code 69, 77 or 78 by the reason, 66 if a certificate cannot be used.
 */
export async function openDatabase(
  loaded: LoadedSettings,
  context: Context,
): Promise<ReadyDatabase> {
  const { database: { source }, settings, paths } = loaded;
  const { system, log, signal } = context;
  const authorities = requireAuthorities(loaded, context);
  const files = databaseFiles(source, {
    system,
    settings,
    trusted: authorities.trusted,
  });
  const ready = await waitForDatabase(source, {
    connect,
    explain: async (error, source, options) => {
      const { explainFailure } = await import("../database/explain.ts");
      const { clock } = system;
      return await explainFailure(error, source, { ...options, clock });
    },
    clock: system.clock,
    random: () => (system.random(1)[0] ?? 0) / 256,
    timeout: settings.DB_TIMEOUT,
    signal,
    // A server has run on this data, so the tables must exist.
    expectsTables: asReader(settings, system).files.exists(paths.version),
    report: ({ message, elapsed }) =>
      log.info(`Waiting${sinceStart(elapsed)}: ${message}`),
    progress: ({ error: { reason }, elapsed }) =>
      log.showStatus(
        `Waiting: the database ${REASONS[reason].phrase}, ${
          seconds(elapsed)
        } of ${settings.DB_TIMEOUT} s`,
      ),
    ...files,
  });
  log.clearStatus();
  const { product, version } = ready.facts;
  log.step(`${product} ${version} accepts the login`);
  return ready;
}

/** The time until the reason changed; empty in the first second. */
function sinceStart(elapsed: number): string {
  return elapsed < 1000 ? "" : ` (${seconds(elapsed)} s)`;
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
