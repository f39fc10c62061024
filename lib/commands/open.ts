/**
 * Opens the database for a start: waits for it, and checks what it says of itself.
 *
 * @module
 */

import { connect } from "../database/connect.ts";
import { type ReadyDatabase, waitForDatabase } from "../database/wait.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { System } from "../system.ts";
import type { Context } from "./command.ts";
import type { Settled } from "./settle.ts";

/**
 * Waits until the database accepts us.
 *
 * @param settled The data source and how long to wait.
 * @param context The world.
 * @returns The session, and what the database says of itself.
 * @throws {EntrypointError} With code 69, 77 or 78, by reason.
 */
export async function openDatabase(
  { database: { source }, settings }: Settled,
  { system, log, signal }: Context,
): Promise<ReadyDatabase> {
  const ca = readAuthorities(source.sslCa, system);
  const found = await waitForDatabase(source, {
    connect,
    clock: system.clock,
    timeout: settings.DB_TIMEOUT,
    signal,
    report: ({ message }) => log.info(`Waiting: ${message}`),
    ...(ca === undefined ? {} : { ca }),
  });
  const { product, version } = found.facts;
  log.step(`${product} ${version} accepts us`);
  return found;
}

/** The authorities that the database's certificate is checked with; `undefined` for the system's own. */
function readAuthorities(
  path: string | undefined,
  { files }: Pick<System, "files">,
): readonly string[] | undefined {
  if (path === undefined) return undefined;
  try {
    return [files.readText(path)];
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
