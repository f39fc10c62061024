/**
 * Checks whether the server's user can write each path that the server writes, and finds the one
 * step that corrects each path that it cannot.
 *
 * Good paths cost a few system calls; the mounts are read only if a path fails.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  trySystemCall,
} from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import {
  inaccessibleParent,
  MAY_ENTER,
  MAY_WRITE,
  mountOf,
  permits,
} from "../../os/permissions.ts";
import { toHex } from "../../config/replace_file.ts";
import { canGive } from "./give_directories.ts";
import type { Identity, System } from "../../os/system.ts";
import type { Context } from "../context.ts";
import { asReader, serverIdentity } from "../become_user.ts";
import { once, onceEach } from "../once.ts";
import type { Plan } from "../plan.ts";
import type { Denial } from "./path_remedies.ts";
import { describeDenial, readKernelFacts } from "./path_remedies.ts";
import type { WrittenPath } from "./written_paths.ts";
import { ownDirectories, writtenPaths } from "./written_paths.ts";

/** The beginning of the name of a probe file; random digits follow. */
const PROBE_PREFIX = ".entrypoint-";

/** A path that cannot be written, with its remedy. */
export interface PathProblem extends Problem {
  /** Whether the server cannot run without writing there. */
  readonly isRequired: boolean;
}

/** How the paths are checked. */
export interface CheckMode {
  /**
   * Whether to write probe files, which only the server's user may do. Otherwise owners, modes
   * and mounts decide.
   */
  readonly writesProbes: boolean;
}

/**
 * Checks each path that the server will write.
 *
 * @param plan The paths and the settings.
 * @param system The system that the server will run on.
 * @param mode How the paths are checked.
 * @returns The paths that cannot be written, with their remedies.
 */
export async function checkPaths(
  plan: Plan,
  system: System,
  { writesProbes }: CheckMode,
): Promise<PathProblem[]> {
  const identity = serverIdentity(plan.settings, system);
  // Without a probe, only the table of mounts tells that a file system is read-only.
  const kernelFacts = writesProbes ? undefined : await readKernelFacts(system);
  const reader = asReader(plan.settings, system);
  const { files } = reader;
  const check: PathCheck = {
    system: reader,
    user: once(() => ({ ...identity, groups: system.supplementaryGroups() })),
    own: ownDirectories(plan),
    mounts: kernelFacts?.mounts,
    // The paths share most of their parents.
    stat: onceEach((path) => files.stat(path)),
    realPath: onceEach((path) => files.realPath(path)),
  };
  const failures = writtenPaths(plan, system).flatMap((written) => {
    const denial = checkPath(written, check);
    return denial === undefined ? [] : [{ written, denial }];
  });
  if (failures.length === 0) return [];
  const kernel = kernelFacts ?? await readKernelFacts(system);
  return failures.filter((failure) =>
    !failures.some((other) => other !== failure && isCoveredBy(failure, other))
  ).map(({ written, denial }) => ({
    subject: written.path,
    isRequired: failures.some((each) =>
      each.written.isRequired && isWithin(each.written.path, written.path)
    ),
    ...describeDenial(written, denial, { identity, system: reader, kernel }),
  }));
}

interface Failure {
  readonly written: WrittenPath;
  readonly denial: Denial;
}

/** Whether the remedy of another failure corrects this one too: only the topmost directory that fails is reported. */
function isCoveredBy({ written, denial }: Failure, other: Failure): boolean {
  if (other.denial.code !== denial.code) return false;
  return other.written.path === other.denial.path
    ? isWithin(denial.path, other.denial.path)
    : written.kind === "file" && other.denial.path === denial.path &&
      isWithin(written.path, other.written.path);
}

/**
 * Checks the paths for a start, after root has prepared the directories. It logs warnings for
 * paths that the server can do without.
 *
 * @param plan The paths and the settings.
 * @param context The context of the server's user.
 * @throws {EntrypointError} With code 73 and every path that the server requires.
 */
export async function requirePaths(
  plan: Plan,
  { system, log }: Context,
): Promise<void> {
  const found = await checkPaths(plan, system, { writesProbes: true });
  for (const { isRequired, ...problem } of found) {
    if (!isRequired) log.warn(problem);
  }
  log.step("Paths checked");
  const problems = found.filter(({ isRequired }) => isRequired)
    .map(({ isRequired: _, ...problem }) => problem);
  if (problems.length === 0) return;
  const { uid, gid } = serverIdentity(plan.settings, system);
  throw new EntrypointError(
    `User ${uid}:${gid} cannot write to paths that Mattermost requires`,
    { code: ExitCode.cannotWrite, problems },
  );
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

interface PathCheck {
  readonly system: Pick<System, "files" | "uid" | "random">;
  /** `stat` of the files, called once for each path. */
  readonly stat: System["files"]["stat"];
  /** `realPath` of the files, called once for each path. */
  readonly realPath: System["files"]["realPath"];
  /** The server's user with its groups, which only a failure needs. */
  readonly user: () => Identity;
  /** The directories of the settings. */
  readonly own: readonly string[];
  /** The table of mounts if owners, modes and mounts decide; `undefined` to write probe files. */
  readonly mounts: string | undefined;
}

/** @param path The path itself, or if it is missing, the directory in which it will be created. */
function checkPath(
  written: WrittenPath,
  check: PathCheck,
  path = written.path,
): Denial | undefined {
  try {
    const facts = check.stat(path);
    if (written.kind === "directory" && facts?.isDirectory === false) {
      return { code: "ENOTDIR", path, lacks: "none" };
    }
    if (facts !== undefined) {
      if (check.mounts !== undefined) {
        return checkByMode(written, path, { ...check, mounts: check.mounts });
      }
      writeProbe(path, check);
      return undefined;
    }
  } catch (error) {
    return denialOf(error, path, check);
  }
  // The server or a start creates it in its parent; a missing file has its directory checked.
  return written.kind === "file"
    ? undefined
    : checkPath(written, check, dirname(path));
}

function checkByMode(
  written: WrittenPath,
  path: string,
  check: PathCheck & { readonly mounts: string },
): Denial | undefined {
  const { system: { uid, files }, user, own } = check;
  const real = check.realPath(path);
  if (mountOf(check.mounts, real)?.readOnly === true) {
    return { code: "EROFS", path: real, lacks: "none" };
  }
  const denial = denialByMode(path, check);
  const directory = written.kind === "file"
    ? dirname(written.path)
    : written.path;
  const willBeGiven = uid === 0 && written.preparedByRoot &&
    denial?.path === real &&
    canGive(directory, { own, user: user() }, files);
  return willBeGiven ? undefined : denial;
}

/** Prefers an explanation by owner and mode over the bare code. */
function denialOf(error: unknown, path: string, check: PathCheck): Denial {
  const code = errorCode(error);
  if (code === undefined) throw error;
  const byMode = code === "EACCES" || code === "EPERM"
    ? denialByMode(path, check)
    : undefined;
  return byMode ?? { code, path, lacks: "none" };
}

/** Finds the first parent directory, or else the path itself, whose owner and mode deny access. */
function denialByMode(
  path: string,
  { stat, realPath, user }: PathCheck,
): Denial | undefined {
  // A user that may not even examine a path learns nothing more about it.
  return trySystemCall(() => {
    const identity = user();
    // Below a closed directory nothing resolves; the name as it is shows which directory that is.
    const real = trySystemCall(() => realPath(path)) ?? path;
    const closed = inaccessibleParent(real, identity, stat);
    if (closed !== undefined) {
      return { code: "EACCES", path: closed, lacks: "entering" };
    }
    const facts = stat(real);
    if (facts === undefined) return undefined;
    const bits = facts.isDirectory ? MAY_WRITE | MAY_ENTER : MAY_WRITE;
    return permits(facts, identity, { bits })
      ? undefined
      : { code: "EACCES", path: real, lacks: "writing" };
  });
}

/** Writes without leaving a trace: creates and removes a file in a directory, or opens a file. */
function writeProbe(
  path: string,
  { system: { files, random }, stat, own }: PathCheck,
): void {
  if (stat(path)?.isDirectory === true) {
    // Nobody can predict the name and put something there.
    files.tryCreating(`${path}/${PROBE_PREFIX}${toHex(random(8))}`);
    if (own.includes(path)) removeProbes(path, files);
  } else {
    files.tryWriting(path);
  }
}

/** Removes what starts have left that were killed, or that could not remove anything. */
function removeProbes(path: string, files: System["files"]): void {
  trySystemCall(() => {
    for (const name of files.list(path)) {
      if (name.startsWith(PROBE_PREFIX)) files.remove(`${path}/${name}`);
    }
  });
}
