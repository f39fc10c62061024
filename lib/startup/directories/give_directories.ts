/**
 * Creates the directories that the server needs and gives them to the server's user, before
 * root becomes that user.
 *
 * The server's user can write to most of these directories, so it can put a link at any name
 * in them at any time. Root therefore names only paths that nobody else can change, and leaves
 * the rest to `chown -R -h -P` of coreutils: it walks by descriptor, follows no link, and changes
 * a directory after its content, so that the next start continues a walk that was interrupted.
 *
 * A directory that belongs to the server already is not walked, so a volume with a million
 * files costs nothing at a restart.
 *
 * @module
 */

import { dirname } from "node:path";
import { errorCode, trySystemCall } from "../../errors.ts";
import type { FileFacts, Identity, System } from "../../os/system.ts";
import { resolveForRoot } from "./unsafe_links.ts";

/** The directories that the server's user has to own. */
export interface Directories {
  /** The directories of the settings, which are created if they are missing. */
  readonly own: readonly string[];
  /** Directories of the installed server; missing ones are left alone. */
  readonly installed: readonly string[];
}

/** The result of giving directories to the server's user. */
export interface DirectoryReport {
  /** The existing directories that changed their owner, as the settings name them. */
  readonly given: readonly string[];
  /** The directories that were not given, because somebody else could replace them. */
  readonly withheld: readonly WithheldDirectory[];
  /** The first line of the errors of `chown`; `undefined` if there was none. */
  readonly refusal: string | undefined;
}

/** A directory that the server should own, but that root cannot give safely. */
export interface WithheldDirectory {
  /** The directory, as the settings name it. */
  readonly path: string;
  /** The parent directory in which somebody else can replace it. */
  readonly exposed: string;
}

/** The search path for `chown`, independent of the environment. */
const CHOWN_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** The mode of created directories: the group can read them, for backups. */
const OWN_MODE = 0o750;
/** The mode of created parents: they stay root's, and the server's user has to pass through. */
const PARENT_MODE = 0o755;

/** A directory to give. */
interface Gift {
  /** The directory, as the settings name it. */
  readonly name: string;
  /** The path for `chown`, which only root can change. */
  readonly path: string;
}

/**
 * Creates missing directories and gives those of other owners to the server's user, wherever
 * root can do so safely. It reports no failure: whatever remains is found when the server's user
 * tries to write there.
 *
 * @param directories The directories that the server's user has to own.
 * @param system The file system, and child processes.
 * @param options The server's user, and a signal that ends the walk.
 * @returns What was given and what was not.
 */
export async function giveDirectories(
  { own, installed }: Directories,
  { files, runChild }: Pick<System, "files" | "runChild">,
  { owner, signal }: {
    readonly owner: Identity;
    readonly signal: AbortSignal;
  },
): Promise<DirectoryReport> {
  // The server's user creates a directory inside another one by itself once it owns the outer
  // one, and tries again wherever root fails.
  const created = own
    .filter((name) => !own.some((outer) => isBelow(name, outer)))
    .filter((name) => trySystemCall(() => createSafely(name, files)));
  const gifts: Gift[] = [];
  const withheld: WithheldDirectory[] = [];
  for (const name of [...own, ...installed]) {
    const decision = trySystemCall(() => decide(name, own, { files, owner }));
    if (decision === undefined) continue;
    if ("exposed" in decision) withheld.push(decision);
    else if (!gifts.some(({ path }) => isWithin(decision.path, path))) {
      gifts.push(decision);
    }
  }
  if (gifts.length === 0) return { given: [], withheld, refusal: undefined };
  const refusal = await runChild({
    command: [
      ...["chown", "-R", "-h", "-P"] as const,
      ...["--", `${owner.uid}:${owner.gid}`],
      ...gifts.map(({ path }) => path),
    ],
    env: { PATH: CHOWN_PATH, LC_ALL: "C" },
    output: "capture",
    signal,
  }).then(
    ({ code, stderr }) =>
      code === 0
        ? undefined
        : stderr.split("\n")[0] || `chown ended with ${code}`,
    (error) => {
      const code = errorCode(error);
      if (code === undefined) throw error;
      return `chown cannot be executed (${code})`;
    },
  );
  const given = refusal !== undefined ? [] : gifts
    .map(({ name }) => name)
    .filter((name) => !created.includes(name));
  return { given, withheld, refusal };
}

/**
 * Creates a directory and its parents, if only root can change where the name leads.
 *
 * @returns Whether it was created.
 */
function createSafely(name: string, files: System["files"]): boolean {
  const { path } = resolveForRoot(name, files);
  if (path === undefined || files.exists(path)) return false;
  const missing = [path];
  for (
    let parent = dirname(path);
    !files.exists(parent);
    parent = dirname(parent)
  ) missing.unshift(parent);
  for (const each of missing) {
    const mode = each === path ? OWN_MODE : PARENT_MODE;
    files.makeDirectory(each, mode);
    // mkdir(2) applies the umask.
    files.chmod(each, mode);
  }
  return true;
}

interface Ownership {
  readonly files: System["files"];
  readonly owner: Identity;
}

/** Decides whether root gives a directory or withholds it; `undefined` if there is nothing to do. */
function decide(
  name: string,
  own: readonly string[],
  ownership: Ownership,
): Gift | WithheldDirectory | undefined {
  const { path, exposed } = resolveForRoot(name, ownership.files);
  if (path !== undefined) {
    return isForeign(path, ownership) ? { name, path } : undefined;
  }
  const outer = outerOf(name, own, ownership.files);
  if (outer === undefined) {
    return exposed !== undefined && own.includes(name) &&
        isForeign(name, ownership)
      ? { path: name, exposed }
      : undefined;
  }
  if (!isForeign(outer.inside, ownership)) return undefined;
  // chown -h does not follow the last name either, so it is safe even if it is replaced.
  return dirname(outer.inside) === outer.path
    ? { name, path: outer.inside }
    : outer;
}

/** Finds the directory of the settings that holds another one, as data holds data/config, if only root can change its path. */
function outerOf(
  name: string,
  own: readonly string[],
  files: System["files"],
): Gift & { readonly inside: string } | undefined {
  const outer = own.find((each) => isBelow(name, each));
  if (outer === undefined) return undefined;
  const { path } = resolveForRoot(outer, files);
  return path === undefined ? undefined : {
    name: outer,
    path,
    inside: `${path}${name.slice(outer.length)}`,
  };
}

/**
 * Tells whether a start as root could create or give a directory safely.
 *
 * @param name The directory, which need not exist.
 * @param own The directories of the settings.
 * @param files The file system.
 * @returns Whether nobody but root can change where the name leads.
 */
export function canGive(
  name: string,
  own: readonly string[],
  files: System["files"],
): boolean {
  return trySystemCall(() => {
    if (resolveForRoot(name, files).path !== undefined) return true;
    const outer = outerOf(name, own, files);
    return outer !== undefined &&
      files.lstat(outer.inside)?.isDirectory === true;
  }) === true;
}

/** Whether a directory, or an entry of it, belongs to somebody other than the server's user. */
function isForeign(path: string, { files, owner }: Ownership): boolean {
  const belongsToOther = (facts: FileFacts | undefined): boolean =>
    // The owner of a symbolic link has no effect.
    facts !== undefined && !facts.isSymlink &&
    (facts.uid !== owner.uid || facts.gid !== owner.gid);
  const facts = files.lstat(path);
  if (facts?.isDirectory !== true) return false;
  return belongsToOther(facts) ||
    files.list(path).some((entry) =>
      belongsToOther(files.lstat(`${path}/${entry}`))
    );
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || isBelow(path, directory);
}
