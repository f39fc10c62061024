/**
 * Whose certificates are trusted: the same by the preflights and by the server.
 *
 * @module
 */

import type { Authorities } from "../config/authorities.ts";
import { BUNDLE_VARIABLE, joinBundle } from "../config/authorities.ts";
import { replaceFile } from "../config/replace.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { Context } from "./command.ts";
import type { Settled } from "./settle.ts";
import { serverIdentity } from "./settle.ts";

/**
 * Whom a start trusts: says what is unwise, and stops for what is unusable.
 *
 * @param settled The settings.
 * @param context The world.
 * @returns The authorities.
 * @throws {EntrypointError} With code 66 where a certificate cannot be used.
 */
export function requireAuthorities(
  settled: Pick<Settled, "authorities">,
  { log }: Pick<Context, "log">,
): Authorities {
  const found = settled.authorities();
  if (found.problems.length > 0) {
    throw new EntrypointError(
      "Certificates of authorities cannot be used",
      { code: ExitCode.unreadable, problems: found.problems },
    );
  }
  found.warnings.forEach((warning) => log.warn(warning));
  return found;
}

/**
 * Writes the bundle that the server is to read, if it needs one of its own.
 *
 * @param settled The settings, the directory of config.json being there.
 * @param context The world.
 * @throws {EntrypointError} With code 73 where it cannot be written.
 */
export function provideBundle(
  settled: Settled,
  { system, log }: Pick<Context, "system" | "log">,
): void {
  const authorities = settled.authorities();
  if (!authorities.isOwnBundle) return;
  const text = joinBundle(authorities.trusted() ?? []);
  const path = bundlePath(settled);
  const { files } = system;
  if (files.exists(path) && files.readText(path) === text) return;
  const owner = system.uid === 0
    ? serverIdentity(settled.settings, system)
    : undefined;
  try {
    replaceFile(system, path, { text, owner });
  } catch (error) {
    throw new EntrypointError(
      `The certificates cannot be joined in ${path} (${errorCode(error)})`,
      {
        code: ExitCode.cannotWrite,
        remedy:
          "Make that directory writable for the server's user, or give the whole bundle in SSL_CERT_FILE",
        cause: error,
      },
    );
  }
  log.step(`Wrote ${path} with ${authorities.added} certificates of your own`);
}

/**
 * The variable that leads the server to its bundle.
 *
 * @param settled The settings.
 * @returns One variable, or none where the system's own bundle will do.
 */
export function bundleVariable(
  settled: Settled,
): Readonly<Record<string, string>> {
  return settled.authorities().isOwnBundle
    ? { [BUNDLE_VARIABLE]: bundlePath(settled) }
    : {};
}

function bundlePath({ paths }: Settled): string {
  return `${paths.conf}/authorities.pem`;
}
