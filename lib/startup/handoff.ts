/**
 * The last steps before this process becomes the server: write, own, remember, exec.
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
import { Errno, execFailure } from "../os/execvp.ts";
import {
  type Directories,
  giveDirectories,
} from "./directories/give_directories.ts";
import { serverCommand, serverEnvironment } from "../mattermost/releases.ts";
import type { FileFacts, System } from "../os/system.ts";
import type { Context } from "./context.ts";
import { isConfirmed, programDate, readVersionFile } from "./upgrade_guard.ts";
import { becomeServersUser } from "./become_user.ts";
import { mergeInto, type Plan } from "./plan.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { ownDirectories, serverIdentity } from "./load_settings.ts";
import type { Bundle } from "./ca_bundle.ts";
import { bundleVariable } from "./ca_bundle.ts";

/** The permission bits of which a program has one at least. */
const ANY_MAY_EXECUTE = 0o111;

/**
 * Writes config.json, as planned or, where someone changed it meanwhile, as merged again.
 *
 * @param plan The plan.
 * @param context The world.
 * @throws {EntrypointError} With code 73 where it cannot be written.
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
        `Made ${
          merged.generated.join(", ")
        }, kept in ${place.path} from now on: back that file up`,
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
 * Makes sure that nobody put a link or a FIFO at the name of a file that is about to be
 * written, before anything is changed.
 *
 * @param plan Where the files are.
 * @param bundle The bundle that is to be written, if there is one.
 * @param system Files.
 * @throws {EntrypointError} With code 73 where something else than a regular file is there.
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
 * Provides the directories that the server writes to. Root gives the server's user what only
 * root can give, and is that user from then on; what is still missing, that user makes.
 *
 * @param settled The settings.
 * @param context The world.
 * @returns The world for the user that the server will run as.
 * @throws {EntrypointError} With code 126 where root cannot become that user.
 */
export async function provideDirectories(
  settled: LoadedSettings,
  context: Context,
): Promise<Context> {
  const { paths, settings, release } = settled;
  const own = ownDirectories(settled);
  // What the package brings is there already; it is only given to the server.
  const installed = release.writableDirectories
    .map((name) => `${paths.install}/${name}`)
    .filter((path) => context.system.files.exists(path));
  const served = await giveToServer({ own, installed }, settings, context);
  const { system: { files }, log } = served;
  for (const path of own) {
    // Where that fails, the doctor knows why and what to do.
    attempt(() => makeDirectories(files, path));
  }
  log.step("Directories provided");
  return served;
}

/**
 * Gives directories to the server's user, if we are root, and is that user from then on.
 *
 * @param directories The directories to give; missing ones among our own are made.
 * @param settings The settings.
 * @param context The world.
 * @returns The world for the user that the server will run as.
 * @throws {EntrypointError} With code 126 where root cannot become that user.
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
    log.warn({
      subject: "",
      message:
        `${path} is not given to user ${user}, because others can write to ${exposed} and could replace it`,
      remedy:
        `chown root:root ${exposed} && chmod go-w ${exposed}   # or, yourself: chown -R ${user} ${path}`,
    });
  }
  if (refusal !== undefined) {
    const isForbidden = refusal.includes("not permitted");
    log.warn({
      subject: "",
      message: `Not everything can be given to user ${user}: ${refusal}`,
      remedy:
        `On the host: chown -R ${user} the directory that is mounted there${
          isForbidden ? ", or add CAP_CHOWN" : ""
        }`,
    });
  }
}

/**
 * Remembers the release that is about to run on the data, and that its program was asked.
 *
 * @param plan Where the data is.
 * @param system Files and randomness.
 * @param isAnswered Whether the program has answered, so that it need not be asked again.
 * @throws {EntrypointError} With code 73 where it cannot be written.
 */
export function rememberRelease(
  plan: Plan,
  system: System,
  isAnswered: boolean,
): void {
  if (isConfirmed(plan, system)) return;
  const { paths: { version }, place, release } = plan;
  const text = `${release.version}\n`;
  const isKnown = readVersionFile(plan, system) === text;
  if (isKnown && !isAnswered) return;
  // Another start may be writing it: its temporary file is not to be cleared away.
  const lock = lockConfig(system, place);
  try {
    if (lock.notices.length === 0) removeTemporaries(system, version);
    replaceFile(system, version, text);
    const date = isAnswered ? programDate(plan, system) : undefined;
    // Some file systems cannot keep a date.
    if (date !== undefined) {
      attempt(() => system.files.setModified(version, date));
    }
  } catch (error) {
    // It only has another date than the program, which the next start will ask once more.
    if (isKnown) return;
    throw new EntrypointError(
      `Cannot write ${version}, which remembers the release that last ran (${
        errorCode(error)
      })`,
      {
        code: ExitCode.cannotWrite,
        remedy: `Make room and give the server's user write access: df -h ${
          dirname(version)
        }; ls -ld ${dirname(version)}`,
        cause: error,
      },
    );
  } finally {
    lock.release();
  }
}

/**
 * The environment of the server: ours, without what was meant for us alone.
 *
 * @param settled The settings.
 * @param system Our environment, and who started us.
 * @returns The variables.
 */
export function serverVariables(
  settled: LoadedSettings,
  system: Pick<System, "env" | "startedAs">,
): Record<string, string> {
  const { consumed, serverVariables, release, paths, settings } = settled;
  const { env, startedAs } = system;
  const hidden = new Set([...consumed, ...serverVariables.twins]);
  const kept = Object.entries(env).filter(([name]) => !hidden.has(name));
  return {
    ...serverEnvironment(release, paths.log),
    ...Object.fromEntries(kept),
    ...serverVariables.values,
    // Only where the operator names no bundle.
    ...bundleVariable(settled),
    // A home that the server's user may not read stops the PostgreSQL driver.
    ...(startedAs === 0 || env["HOME"] === undefined
      ? { HOME: settings.MATTERMOST_HOME }
      : {}),
  };
}

/**
 * Makes sure that there is a server to become, before anything is written.
 *
 * @param settled Where it is.
 * @param system Files.
 * @throws {EntrypointError} With code 127 where there is none, 126 where it cannot be executed.
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
 * Becomes the server.
 *
 * @param settled The settings.
 * @param system The world.
 * @param args More arguments for the server.
 * @returns Never.
 * @throws {EntrypointError} With code 126 or 127 where it cannot be executed.
 */
export function becomeServer(
  settled: LoadedSettings,
  system: System,
  args: readonly string[],
): never {
  const { release, paths } = settled;
  const command = serverCommand(release, {
    home: paths.install,
    config: paths.config,
  });
  return system.exec({
    path: command[0],
    args: [...command, ...args],
    env: serverVariables(settled, system),
    cwd: paths.install,
  });
}
