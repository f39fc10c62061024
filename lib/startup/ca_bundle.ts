/**
 * The bundle of certificate authorities that the entrypoint writes for the server, so that both
 * trust the same ones.
 *
 * @module
 */

import { dirname } from "node:path";
import type { Authorities } from "./authorities.ts";
import { BUNDLE_VARIABLE, joinBundle } from "./authorities.ts";
import { tryReadOwnFile } from "../config/own_file.ts";
import { replaceFile } from "../config/replace_file.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";

/**
 * Finds the certificate authorities for a start and logs the warnings about them.
 *
 * @param loaded The loaded settings.
 * @param context The log.
 * @returns The authorities.
 * @throws {EntrypointError} With code 66 if a certificate cannot be used.
 */
export function requireAuthorities(
  loaded: Pick<LoadedSettings, "authorities">,
  { log }: Pick<Context, "log">,
): Authorities {
  const found = loaded.authorities();
  if (found.problems.length > 0) {
    throw new EntrypointError(
      "Some certificates of authorities cannot be used",
      { code: ExitCode.unreadable, problems: found.problems },
    );
  }
  found.warnings.forEach((warning) => log.warn(warning));
  return found;
}

/** A bundle of certificate authorities for the server. */
export interface Bundle {
  /** The file to write. */
  readonly path: string;
  /** The certificates in PEM format. */
  readonly text: string;
  /** The number of certificates that the operator added. */
  readonly added: number;
}

/**
 * Reads the certificates of the bundle. It has to be called before root becomes the server's
 * user, because the files may be readable only by root.
 *
 * @param loaded The loaded settings.
 * @returns The bundle; `undefined` if the system's own bundle is enough.
 */
export function readBundle(loaded: LoadedSettings): Bundle | undefined {
  const { needsBundle, trusted, added } = loaded.authorities();
  return needsBundle
    ? { path: bundlePath(loaded), text: joinBundle(trusted() ?? []), added }
    : undefined;
}

/**
 * Writes the bundle if it differs from the file that is there. The directory must exist.
 *
 * @param bundle The bundle, if there is one.
 * @param context The files, and the log.
 * @throws {EntrypointError} With code 73 if it cannot be written.
 */
export function writeBundle(
  bundle: Bundle | undefined,
  { system, log }: Pick<Context, "system" | "log">,
): void {
  if (bundle === undefined) return;
  const { path, text, added } = bundle;
  if (tryReadOwnFile(system.files, path) === text) return;
  try {
    replaceFile(system, path, text);
  } catch (error) {
    const directory = dirname(path);
    const { reason, remedy } = explainSystemError(error, directory);
    throw new EntrypointError(
      `The bundle of certificates ${path} cannot be written: ${reason}`,
      {
        code: ExitCode.cannotWrite,
        remedy: isDenied(error)
          ? `Make ${directory} writable for the server's user, or set SSL_CERT_FILE to a complete bundle of your own`
          : remedy,
        cause: error,
      },
    );
  }
  log.step(`Wrote ${path} with ${added} added certificates`);
}

/**
 * The environment variable that names the bundle for the server.
 *
 * @param loaded The loaded settings.
 * @returns One variable; none if the system's own bundle is enough.
 */
export function bundleVariable(
  loaded: LoadedSettings,
): Readonly<Record<string, string>> {
  return loaded.authorities().needsBundle
    ? { [BUNDLE_VARIABLE]: bundlePath(loaded) }
    : {};
}

function bundlePath({ paths, settings }: LoadedSettings): string {
  const isFile = settings.MATTERMOST_CONFIG_STORE === "file";
  return `${isFile ? paths.conf : paths.data}/authorities.pem`;
}
