/**
 * Whose certificates are trusted: the same by the preflights and by the server.
 *
 * @module
 */

import type { Authorities } from "./authorities.ts";
import { BUNDLE_VARIABLE, joinBundle } from "./authorities.ts";
import { readIfThere } from "../config/own_file.ts";
import { replaceFile } from "../config/replace_file.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";

/**
 * Whom a start trusts: says what is unwise, and stops for what is unusable.
 *
 * @param settled The settings.
 * @param context The world.
 * @returns The authorities.
 * @throws {EntrypointError} With code 66 where a certificate cannot be used.
 */
export function requireAuthorities(
  settled: Pick<LoadedSettings, "authorities">,
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

/** A bundle that the server is to read. */
export interface Bundle {
  /** Where it is to be. */
  readonly path: string;
  /** The certificates. */
  readonly text: string;
  /** How many of them were added to the system's. */
  readonly added: number;
}

/**
 * Reads what goes into the bundle, if the server needs one of its own. The files may be open
 * to root alone.
 *
 * @param settled The settings.
 * @returns The bundle; `undefined` where the server needs none.
 */
export function readBundle(settled: LoadedSettings): Bundle | undefined {
  const { isOwnBundle, trusted, added } = settled.authorities();
  return isOwnBundle
    ? {
      path: bundlePath(settled),
      text: joinBundle(trusted() ?? []),
      added,
    }
    : undefined;
}

/**
 * Writes the bundle that the server is to read, the directory of config.json being there.
 *
 * @param bundle What to write, if anything.
 * @param context The world.
 * @throws {EntrypointError} With code 73 where it cannot be written.
 */
export function provideBundle(
  bundle: Bundle | undefined,
  { system, log }: Pick<Context, "system" | "log">,
): void {
  if (bundle === undefined) return;
  const { path, text, added } = bundle;
  if (readIfThere(system.files, path) === text) return;
  try {
    replaceFile(system, path, text);
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
  log.step(`Wrote ${path} with ${added} certificates of your own`);
}

/**
 * The variable that leads the server to its bundle.
 *
 * @param settled The settings.
 * @returns One variable, or none where the system's own bundle will do.
 */
export function bundleVariable(
  settled: LoadedSettings,
): Readonly<Record<string, string>> {
  return settled.authorities().isOwnBundle
    ? { [BUNDLE_VARIABLE]: bundlePath(settled) }
    : {};
}

function bundlePath({ paths }: LoadedSettings): string {
  return `${paths.conf}/authorities.pem`;
}
