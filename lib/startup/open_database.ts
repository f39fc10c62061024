/**
 * Opens the database for a start: waits for it, and checks what it says of itself.
 *
 * @module
 */

import type { Authorities } from "./authorities.ts";
import { connect } from "../database/connect.ts";
import { REASONS } from "../database/reasons.ts";
import type { DataSource } from "../database/data_source.ts";
import { type ReadyDatabase, waitForDatabase } from "../database/wait.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { System } from "../os/system.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { requireAuthorities } from "./ca_bundle.ts";

/**
 * Waits until the database accepts us.
 *
 * @param settled The data source and how long to wait.
 * @param context The world.
 * @returns The session, and what the database says of itself.
 * @throws {EntrypointError} With code 69, 77 or 78, by reason.
 */
export async function openDatabase(
  settled: LoadedSettings,
  context: Context,
): Promise<ReadyDatabase> {
  const { database: { source }, settings, paths } = settled;
  const { system, log, signal } = context;
  const authorities = requireAuthorities(settled, context);
  const ca = databaseAuthorities(source, {
    system,
    trusted: authorities.trusted,
  });
  const found = await waitForDatabase(source, {
    connect,
    clock: system.clock,
    random: () => (system.random(1)[0] ?? 0) / 256,
    timeout: settings.DB_TIMEOUT,
    signal,
    // A server ran on this data before, so it made its tables.
    isUsed: system.files.exists(paths.version),
    report: ({ message, elapsed }) =>
      log.info(`Waiting${sinceStart(elapsed)}: ${message}`),
    tick: ({ error: { reason }, elapsed }) =>
      log.live(
        `Waiting: the database ${REASONS[reason].phrase}, ${
          seconds(elapsed)
        } of ${settings.DB_TIMEOUT} s`,
      ),
    ...(ca === undefined ? {} : { ca }),
  });
  log.endLive();
  const { product, version } = found.facts;
  log.step(`${product} ${version} accepts us`);
  return found;
}

/** When the reason changed; nothing in the first second. */
function sinceStart(elapsed: number): string {
  return elapsed < 1000 ? "" : ` (${seconds(elapsed)} s)`;
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/**
 * The authorities that the server's driver will check the database's certificate with.
 *
 * @param source The database.
 * @param trust Files, and what is trusted where the source names no authority.
 * @returns PEM texts; `undefined` for the runtime's own, or where nothing is checked.
 * @throws {EntrypointError} With code 66 where `DB_SSL_CA` cannot be read.
 */
export function databaseAuthorities(
  { adapter, sslCa, sslMode }: DataSource,
  { system, trusted }: {
    readonly system: Pick<System, "files">;
    readonly trusted: Authorities["trusted"];
  },
): readonly string[] | undefined {
  if (sslCa !== undefined) {
    const own = readAuthority(sslCa, system);
    // PostgreSQL's driver trusts that file alone; MySQL's reads it in one bundle with all others.
    return adapter === "postgres" ? [own] : [own, ...trusted() ?? []];
  }
  return sslMode.startsWith("verify-") ? trusted() : undefined;
}

function readAuthority(
  path: string,
  { files }: Pick<System, "files">,
): string {
  try {
    return files.readText(path);
  } catch (error) {
    throw new EntrypointError(
      `The file ${path} of DB_SSL_CA cannot be read (${errorCode(error)})`,
      {
        code: ExitCode.unreadable,
        remedy:
          `Mount the certificates at ${path}, readable for the server's user`,
        cause: error,
      },
    );
  }
}
