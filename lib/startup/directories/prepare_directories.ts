/**
 * Prepares the directories that the server writes to, and ends the rights of root.
 *
 * @module
 */

import { attempt, makeDirectories } from "../../config/replace_file.ts";
import { asReader, becomeServerUser, serverIdentity } from "../become_user.ts";
import type { Context } from "../context.ts";
import type { LoadedSettings } from "../load_settings.ts";
import { type Directories, giveDirectories } from "./give_directories.ts";
import { ownDirectories } from "./written_paths.ts";

/**
 * Prepares the directories that the server writes to. Root creates them, gives them to the
 * server's user and becomes that user, who creates whatever is still missing.
 *
 * @param loaded The loaded settings.
 * @param context The context of the user who started the program.
 * @returns The context of the server's user.
 * @throws {EntrypointError} With code 126 if root cannot become that user.
 */
export async function prepareDirectories(
  loaded: LoadedSettings,
  context: Context,
): Promise<Context> {
  const { paths, settings, release } = loaded;
  const own = ownDirectories(loaded);
  const reader = asReader(settings, context.system);
  // Giving a directory that does not exist would fail; only the package creates these.
  const installed = release.writableDirectories
    .map((name) => `${paths.install}/${name}`)
    .filter((path) => reader.files.exists(path));
  const served = await giveAndBecomeServerUser(
    { own, installed, config: paths.config },
    settings,
    context,
  );
  const { system: { files }, log } = served;
  for (const path of own) {
    // If this fails, requirePaths explains why and what to do.
    attempt(() => makeDirectories(files, path));
  }
  log.step("Directories prepared");
  return served;
}

/**
 * Gives directories to the server's user and becomes that user, if this process runs as root.
 *
 * @param directories The directories to give; those of the settings are created if they are missing.
 * @param settings The server's user.
 * @param context The context of the user who started the program.
 * @returns The context of the server's user.
 * @throws {EntrypointError} With code 126 if root cannot become that user.
 */
export async function giveAndBecomeServerUser(
  directories: Directories,
  settings: LoadedSettings["settings"],
  context: Context,
): Promise<Context> {
  if (context.system.uid === 0) {
    const owner = serverIdentity(settings, context.system);
    await giveDirectories(directories, owner, context);
    context.signal.throwIfAborted();
  }
  return becomeServerUser(settings, context);
}
