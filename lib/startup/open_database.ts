/**
 * Opens the database for a start, as soon as it accepts the login.
 *
 * @module
 */

import type { Authorities } from "./authorities.ts";
import { connect } from "../database/connect.ts";
import { REASONS } from "../database/reasons.ts";
import type { DataSource } from "../database/data_source.ts";
import { type ReadyDatabase, waitForDatabase } from "../database/wait.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { readNamedText } from "../os/named_file.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";
import type { Settings } from "../settings/catalogue.ts";
import type { Context } from "./context.ts";
import { asReader } from "./become_user.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { requireAuthorities } from "./ca_bundle.ts";
import { readServedFile, type ServedSystem } from "./served_file.ts";

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
  const ca = databaseAuthorities(source, {
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
    ...(ca === undefined ? {} : { ca }),
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

/**
 * Finds the certificate authorities with which the server's driver will verify the certificate
 * of the database.
 *
 * @param source The database.
 * @param options The system, the server's user, and the authorities to trust if the source names none.
 * @returns PEM texts; `undefined` for those of the runtime, or if the certificate is not verified.
 * @throws {EntrypointError} With code 66 if the file of `DB_SSL_CA` cannot be read, for PostgreSQL by the server's user.
 */
export function databaseAuthorities(
  { adapter, sslCa, sslMode }: DataSource,
  { system, settings, trusted }: {
    readonly system: ServedSystem;
    readonly settings: Settings;
    readonly trusted: Authorities["trusted"];
  },
): readonly string[] | undefined {
  if (sslCa !== undefined) {
    // The PostgreSQL driver trusts only this file (sslrootcert); for MySQL it is part of the bundle.
    return adapter === "postgres"
      ? [
        readAuthority(sslCa, () =>
          readServedFile(sslCa, "DB_SSL_CA", { settings, system })),
      ]
      : [
        readAuthority(sslCa, () => readNamedText(system.files, sslCa)),
        ...trusted() ?? [],
      ];
  }
  return sslMode.startsWith("verify-") ? trusted() : undefined;
}

function readAuthority(path: string, read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof EntrypointError) throw error;
    const { reason, remedy } = explainSystemError(error, path);
    throw new EntrypointError(
      `The file ${path} of DB_SSL_CA cannot be read: ${reason}`,
      {
        code: ExitCode.unreadable,
        remedy: isDenied(error) || errorCode(error) === "ENOENT"
          ? `Mount the certificates at ${path} so that the server's user can read them`
          : remedy,
        cause: error,
      },
    );
  }
}
