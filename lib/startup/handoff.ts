/**
 * The last steps of a start: prepare the directories, write config.json and VERSION, and become
 * the server.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  awaitConfigLock,
  isCurrent,
  lockConfig,
  readConfig,
  requireSidecars,
  writeConfig,
} from "../config/file.ts";
import { requireRegularFile } from "../config/own_file.ts";
import {
  attempt,
  makeDirectories,
  removeTemporaries,
  replaceFile,
} from "../config/replace_file.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { shellWord } from "../shell.ts";
import { Errno, execFailure } from "../os/execvp.ts";
import {
  type Directories,
  giveDirectories,
} from "./directories/give_directories.ts";
import { ownDirectories } from "./directories/written_paths.ts";
import { serverCommand, serverEnvironment } from "../mattermost/releases.ts";
import type { FileFacts, System } from "../os/system.ts";
import type { Context } from "./context.ts";
import { becomeServersUser } from "./become_user.ts";
import type { Bundle } from "./ca_bundle.ts";
import { bundleVariable } from "./ca_bundle.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { serverIdentity } from "./load_settings.ts";
import { mergeInto, type Plan } from "./plan.ts";
import { isConfirmed, programDate, readVersionFile } from "./version_file.ts";

/** The permission bits of a program: at least one of them is set, or even root cannot execute it. */
const ANY_MAY_EXECUTE = 0o111;

/**
 * Writes config.json as planned. If the file has changed since, the merge is repeated first.
 *
 * @param plan The plan.
 * @param context The context of the server's user.
 * @throws {EntrypointError} With code 73 if it cannot be written.
 */
export async function writePlan(
  plan: Plan,
  { system, log }: Context,
): Promise<void> {
  const { place } = plan;
  await awaitConfigLock(system, place);
  const lock = lockConfig(system, place);
  try {
    const { state, merged } = isCurrent(system, place, plan.state)
      ? plan
      : mergeAgain(plan, system);
    const report = writeConfig(system, place, {
      lock,
      state,
      text: merged.text,
      memory: merged.memory,
    });
    for (
      const message of [
        ...lock.notices,
        ...state.notices,
        ...report.notices,
        ...merged.conflicts,
      ]
    ) {
      log.warn({ subject: "", message });
    }
    if (merged.generated.length > 0) {
      log.info(
        `Generated ${
          merged.generated.join(", ")
        } and saved the values in ${place.path}: include that file in your backups`,
      );
    }
    log.step(report.written ? `Wrote ${place.path}` : `Kept ${place.path}`);
  } finally {
    lock.release();
  }
}

function mergeAgain(
  plan: Plan,
  system: System,
): Pick<Plan, "state" | "merged"> {
  const state = readConfig(system, plan.place);
  return { state, ...mergeInto(state, plan, system) };
}

/**
 * Makes sure that each file that the start will write is a regular file or does not exist, and
 * not a link or a FIFO that somebody planted. It has to be called before anything is changed.
 *
 * @param plan The paths of the files.
 * @param bundle The bundle to write, if there is one.
 * @param system The file system.
 * @throws {EntrypointError} With code 73 if one of them is anything else.
 */
export function requireOwnFiles(
  { place, paths }: Plan,
  bundle: Bundle | undefined,
  system: System,
): void {
  requireSidecars(system, place);
  requireRegularFile(system.files, paths.version);
  if (bundle !== undefined) requireRegularFile(system.files, bundle.path);
}

/**
 * Prepares the directories that the server writes to. Root creates them, gives them to the
 * server's user and becomes that user, who creates whatever is still missing.
 *
 * @param loaded The loaded settings.
 * @param context The context of the user who started the program.
 * @returns The context of the server's user.
 * @throws {EntrypointError} With code 126 if root cannot become that user.
 */
export async function provideDirectories(
  loaded: LoadedSettings,
  context: Context,
): Promise<Context> {
  const { paths, settings, release } = loaded;
  const own = ownDirectories(loaded);
  // Giving a directory that does not exist would fail; only the package creates these.
  const installed = release.writableDirectories
    .map((name) => `${paths.install}/${name}`)
    .filter((path) => context.system.files.exists(path));
  const served = await giveToServer({ own, installed }, settings, context);
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
export async function giveToServer(
  directories: Directories,
  settings: LoadedSettings["settings"],
  context: Context,
): Promise<Context> {
  if (context.system.uid === 0) await give(directories, settings, context);
  return becomeServersUser(settings, context);
}

async function give(
  directories: Directories,
  settings: LoadedSettings["settings"],
  { system, log, signal }: Context,
): Promise<void> {
  const owner = serverIdentity(settings, system);
  const { given, withheld, refusal } = await giveDirectories(
    directories,
    system,
    { owner, signal },
  );
  signal.throwIfAborted();
  const user = `${owner.uid}:${owner.gid}`;
  for (const path of given.filter((path) => directories.own.includes(path))) {
    log.info(`Gave ${path} to user ${user}`);
  }
  for (const { path, exposed } of withheld) {
    const word = shellWord(exposed);
    log.warn({
      subject: "",
      message:
        `${path} was not given to user ${user}, because other users can write to ${exposed} and could replace it`,
      remedy:
        `chown root:root ${word} && chmod go-w ${word}   # or by hand: chown -R ${user} ${
          shellWord(path)
        }`,
    });
  }
  if (refusal !== undefined) {
    const isForbidden = refusal.includes("not permitted");
    log.warn({
      subject: "",
      message: `Some files could not be given to user ${user}: ${refusal}`,
      remedy:
        `On the host: chown -R ${user} HOST_DIRECTORY   # the one that is mounted there${
          isForbidden ? "; or docker run --cap-add CHOWN …" : ""
        }`,
    });
  }
}

/**
 * Records in VERSION the release that is about to run, and whether its program confirmed it.
 *
 * @param plan The release and the paths.
 * @param system The system of the server's user.
 * @param isAnswered Whether the program confirmed its release, so that the next start can skip that.
 * @throws {EntrypointError} With code 73 if it cannot be written.
 */
export function rememberRelease(
  plan: Plan,
  system: System,
  isAnswered: boolean,
): void {
  if (isConfirmed(plan, system)) return;
  const { paths: { version }, place, release } = plan;
  const text = `${release.version}\n`;
  const isRecorded = readVersionFile(plan, system) === text;
  if (isRecorded && !isAnswered) return;
  // Under the lock, so that the temporary file of another start is not removed.
  const lock = lockConfig(system, place);
  try {
    if (lock.notices.length === 0) removeTemporaries(system, version);
    replaceFile(system, version, text);
    const date = isAnswered ? programDate(plan, system) : undefined;
    // Not every file system stores dates.
    if (date !== undefined) {
      attempt(() => system.files.setModified(version, date));
    }
  } catch (error) {
    // Only the date is out of date, so the next start asks the program again.
    if (isRecorded) return;
    const directory = shellWord(dirname(version));
    throw new EntrypointError(
      `${version}, which records the release that last ran, cannot be written (${
        errorCode(error)
      })`,
      {
        code: ExitCode.cannotWrite,
        remedy:
          `df -h ${directory}; ls -ld ${directory}   # make room there, and let the server's user write`,
        cause: error,
      },
    );
  } finally {
    lock.release();
  }
}

/**
 * Builds the environment of the server from that of this process, without the secrets and other
 * variables that only the entrypoint uses.
 *
 * @param loaded The loaded settings.
 * @param system The environment of this process, and the user who started it.
 * @returns The variables.
 */
export function serverVariables(
  loaded: LoadedSettings,
  system: Pick<System, "env" | "startedAs">,
): Record<string, string> {
  const { consumed, serverVariables, release, paths, settings } = loaded;
  const { env, startedAs } = system;
  const hidden = new Set([...consumed, ...serverVariables.twins]);
  const kept = Object.entries(env).filter(([name]) => !hidden.has(name));
  return {
    ...serverEnvironment(release, paths.log),
    ...Object.fromEntries(kept),
    ...serverVariables.values,
    // None if the operator set SSL_CERT_FILE.
    ...bundleVariable(loaded),
    // The PostgreSQL driver fails if it cannot read files below HOME (.pgpass, .postgresql).
    ...(startedAs === 0 || env["HOME"] === undefined
      ? { HOME: settings.MATTERMOST_HOME }
      : {}),
  };
}

/**
 * Makes sure that the server is installed and executable. It has to be called before anything is
 * changed.
 *
 * @param loaded The release, and the directory of the server.
 * @param system The file system.
 * @throws {EntrypointError} With code 127 if there is no server, 126 if it cannot be executed.
 */
export function requireServer(
  { paths, release }: LoadedSettings,
  { files }: Pick<System, "files">,
): void {
  const path = `${paths.install}/${release.binary}`;
  let facts: FileFacts | undefined;
  let errno: number = Errno.ENOENT;
  try {
    facts = files.stat(path);
    if (facts !== undefined) errno = Errno.EACCES;
  } catch (error) {
    if (errorCode(error) !== "EACCES") throw error;
    errno = Errno.EACCES;
  }
  if (facts?.isFile === true && (facts.mode & ANY_MAY_EXECUTE) !== 0) return;
  throw execFailure(path, [{
    path,
    errno,
    exists: facts !== undefined,
    isDirectory: facts?.isDirectory === true,
  }]);
}

/**
 * Replaces this process by the server.
 *
 * @param loaded The loaded settings.
 * @param system The system of the server's user.
 * @param args Additional arguments for the server.
 * @returns Never.
 * @throws {EntrypointError} With code 126 or 127 if the server cannot be executed.
 */
export function becomeServer(
  loaded: LoadedSettings,
  system: System,
  args: readonly string[],
): never {
  const { release, paths } = loaded;
  const command = serverCommand(release, {
    home: paths.install,
    config: paths.config,
  });
  return system.exec({
    path: command[0],
    args: [...command, ...args],
    env: serverVariables(loaded, system),
    cwd: paths.install,
  });
}
