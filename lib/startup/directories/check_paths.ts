/**
 * The doctor of volumes and identities: tries each path that the server will
 * write as the user that it will run as, and names the one step that repairs it.
 *
 * Good paths cost a few system calls; only for a bad one it looks further.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  tolerate,
} from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import {
  closedAbove,
  MAY_ENTER,
  MAY_WRITE,
  mountOf,
  permits,
} from "../../os/permissions.ts";
import { toHex } from "../../config/replace_file.ts";
import { canGive } from "./give_directories.ts";
import type { Identity, System } from "../../os/system.ts";
import type { Context } from "../context.ts";
import { onceEach } from "../once.ts";
import type { Plan } from "../plan.ts";
import type { Fault } from "./path_remedies.ts";
import { describeFault, readSurroundings } from "./path_remedies.ts";
import { ownDirectories, serverIdentity } from "../load_settings.ts";
import type { WrittenPath } from "./written_paths.ts";
import { writtenPaths } from "./written_paths.ts";

/** The permission bits of a file that comes and goes. */
const PROBE_MODE = 0o600;

/** A path that cannot be written, and what repairs it. */
export interface PathProblem extends Problem {
  /** Whether the server cannot run without it. */
  readonly vital: boolean;
}

/** How the paths are tried. */
export interface CheckMode {
  /** Whether things may be made and removed at once; otherwise owner and mode decide. */
  readonly mayTouch: boolean;
}

/**
 * Tries each path that the server will write. Things may be touched only by the very user that
 * the server runs as.
 *
 * @param plan Paths and settings.
 * @param system The world.
 * @param examination How they are tried.
 * @returns What cannot be written, with its remedy.
 */
export async function checkPaths(
  plan: Plan,
  system: System,
  { mayTouch }: CheckMode,
): Promise<PathProblem[]> {
  const identity = serverIdentity(plan.settings, system);
  // What may not be touched does not tell by itself that it is read-only.
  const early = mayTouch ? undefined : await readSurroundings(system);
  const { files } = system;
  const trial: PathCheck = {
    system,
    identity,
    own: ownDirectories(plan),
    mounts: early?.mounts,
    // Above all these paths there are the same few directories.
    stat: onceEach((path) => files.stat(path)),
    realPath: onceEach((path) => files.realPath(path)),
  };
  const faults = writtenPaths(plan, system).flatMap((written) => {
    const fault = checkPath(written, trial);
    return fault === undefined ? [] : [{ written, fault }];
  });
  if (faults.length === 0) return [];
  // Who repairs a directory repairs what is in it.
  const roots = faults.filter(({ written, fault }) =>
    !faults.some((other) =>
      other.written !== written && other.fault.code === fault.code &&
      (other.written.path === other.fault.blame
        ? isWithin(fault.blame, other.fault.blame)
        : written.kind === "file" && other.fault.blame === fault.blame &&
          isWithin(written.path, other.written.path))
    )
  );
  const surroundings = early ?? await readSurroundings(system);
  return roots.map(({ written, fault }) => ({
    subject: written.path,
    vital: faults.some((each) =>
      each.written.vital && isWithin(each.written.path, written.path)
    ),
    ...describeFault(written, fault, { identity, system, surroundings }),
  }));
}

/**
 * Tries the paths for a start: says what is unwise, and stops for what the server cannot do without.
 *
 * @param plan Paths and settings, the directories having been provided.
 * @param context The world.
 * @throws {EntrypointError} With code 73, and every path that is vital.
 */
export async function requirePaths(
  plan: Plan,
  { system, log }: Context,
): Promise<void> {
  const found = await checkPaths(plan, system, { mayTouch: true });
  for (const { vital, ...problem } of found) if (!vital) log.warn(problem);
  log.step("Paths tried");
  const vital = found.filter((diagnosis) => diagnosis.vital)
    .map(({ vital: _, ...problem }) => problem);
  if (vital.length === 0) return;
  const { uid, gid } = serverIdentity(plan.settings, system);
  throw new EntrypointError(
    `The server, as user ${uid}:${gid}, could not write what it must`,
    { code: ExitCode.cannotWrite, problems: vital },
  );
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

interface PathCheck {
  readonly system: Pick<System, "files" | "uid" | "random">;
  /** As the file system says; each path is looked at once. */
  readonly stat: System["files"]["stat"];
  /** Likewise. */
  readonly realPath: System["files"]["realPath"];
  readonly identity: Identity;
  /** Our directories. */
  readonly own: readonly string[];
  /** The table of mounts where nothing may be touched; otherwise the paths are really tried. */
  readonly mounts: string | undefined;
}

/** @param path The path itself, or where it is missing, the directory in which it will be made. */
function checkPath(
  written: WrittenPath,
  trial: PathCheck,
  path = written.path,
): Fault | undefined {
  try {
    const facts = trial.stat(path);
    if (written.kind === "directory" && facts?.isDirectory === false) {
      return { code: "ENOTDIR", blame: path, lacks: "nothing" };
    }
    if (facts !== undefined) {
      return trial.mounts === undefined
        ? writeProbe(path, trial)
        : judgeByMode(written, path, { ...trial, mounts: trial.mounts });
    }
  } catch (error) {
    return faultOf(error, path, trial);
  }
  // What is not there is made by the server, or by us, in what is there.
  return written.kind === "file"
    ? undefined
    : checkPath(written, trial, dirname(path));
}

function writeProbe(path: string, trial: PathCheck): Fault | undefined {
  try {
    probe(path, trial);
    return undefined;
  } catch (error) {
    return faultOf(error, path, trial);
  }
}

function judgeByMode(
  written: WrittenPath,
  path: string,
  trial: PathCheck & { readonly mounts: string },
): Fault | undefined {
  const { system: { uid, files }, own } = trial;
  const real = trial.realPath(path);
  if (mountOf(trial.mounts, real)?.readOnly === true) {
    return { code: "EROFS", blame: real, lacks: "nothing" };
  }
  const barred = deniedBy(path, trial);
  const isGiven = uid === 0 && written.provided && barred?.blame === real &&
    canGive(directoryOf(written), own, files);
  return isGiven ? undefined : barred;
}

function directoryOf({ path, kind }: WrittenPath): string {
  return kind === "file" ? dirname(path) : path;
}

function faultOf(error: unknown, path: string, trial: PathCheck): Fault {
  const code = errorCode(error);
  if (code === undefined) throw error;
  const fault: Fault = { code, blame: path, lacks: "nothing" };
  return (isRefusal(fault) ? deniedBy(path, trial) : undefined) ?? fault;
}

function isRefusal({ code }: Fault): boolean {
  return code === "EACCES" || code === "EPERM";
}

/** The first of the directories above the path, and then the path itself, whose owner and mode stand in the way. */
function deniedBy(
  path: string,
  { stat, realPath, identity }: PathCheck,
): Fault | undefined {
  // Who may not even look gets no further than the path.
  return tolerate(() => {
    // Behind a closed directory nothing can be resolved, and the name as it is tells which one that is.
    const real = tolerate(() => realPath(path)) ?? path;
    const closed = closedAbove(real, identity, stat);
    if (closed !== undefined) {
      return { code: "EACCES", blame: closed, lacks: "entering" };
    }
    const facts = stat(real);
    if (facts === undefined) return undefined;
    const bits = facts.isDirectory ? MAY_WRITE | MAY_ENTER : MAY_WRITE;
    return permits(facts, identity, { bits })
      ? undefined
      : { code: "EACCES", blame: real, lacks: "writing" };
  });
}

/** Really writes, without leaving anything: in a directory a file that comes and goes, any other that is only opened. */
function probe(
  path: string,
  { system: { files, random }, stat }: PathCheck,
): void {
  if (stat(path)?.isDirectory === true) {
    // A name that nobody can know before, so that nothing is there.
    const probe = `${path}/.entrypoint-${toHex(random(8))}`;
    files.make(probe, PROBE_MODE);
    files.remove(probe);
  } else {
    files.tryWriting(path);
  }
}
