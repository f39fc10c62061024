/**
 * What a start as root gives to the server's user before it becomes that user.
 *
 * The server's user can write to most of these directories, and so can put a link at any
 * name in them at any time. Root therefore names only what nobody else can exchange, and
 * leaves the walk to `chown -R -h -P` of coreutils: it goes from descriptor to descriptor,
 * follows no link, and changes a directory after what is in it, so that a walk that was
 * interrupted is taken up by the next start.
 *
 * What belongs to the server already is not walked through, so that a volume with a million
 * files costs nothing at a restart.
 *
 * @module
 */

import { dirname } from "node:path";
import { errorCode, tolerate } from "../../errors.ts";
import type { FileFacts, Identity, System } from "../../os/system.ts";
import { follow } from "./unsafe_links.ts";

/** What this needs of the world. */
export type World = Pick<System, "files" | "runChild">;

/** The directories that the server's user is to have. */
export interface Directories {
  /** Ours, which are made where they are missing. */
  readonly own: readonly string[];
  /** Those of the installed server, where they are there. */
  readonly installed: readonly string[];
}

/** What was given away. */
export interface DirectoryReport {
  /** The directories that were there and changed hands with what is in them, by their names in the settings. */
  readonly given: readonly string[];
  /** The directories that somebody else could exchange, and so were not given. */
  readonly withheld: readonly Withheld[];
  /** The first line of what `chown` had to say where it was refused something. */
  readonly refusal: string | undefined;
}

/** A directory that should be the server's, and that root does not dare to give. */
export interface Withheld {
  /** The directory, as the settings name it. */
  readonly path: string;
  /** The directory above it in which somebody else can exchange names. */
  readonly exposed: string;
}

/** Where `chown` is looked for, whatever the environment says. */
const CHOWN_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Directories are closed to others, but for the group that backups may have. */
const OWN_MODE = 0o750;
/** Those above stay root's, and the server's user has to get through. */
const ABOVE_MODE = 0o755;

/** A directory to give. */
interface ToGive {
  /** As the settings name it. */
  readonly name: string;
  /** For `chown`: nobody but root can change what it leads to. */
  readonly path: string;
}

/**
 * Makes what is missing and gives away what is not the server's, as far as root may do so.
 * What it may not do, or cannot, is told when the server's user tries to write there.
 *
 * @param directories Whose owner is to be the server's user.
 * @param world Files, and child processes.
 * @param options The server's user, and what ends the walk.
 * @returns What changed hands.
 */
export async function giveDirectories(
  { own, installed }: Directories,
  { files, runChild }: World,
  { owner, signal }: {
    readonly owner: Identity;
    readonly signal: AbortSignal;
  },
): Promise<DirectoryReport> {
  // What is missing in a directory of ours, the server's user makes when it has got that one,
  // and what root may not look at or make, that user tries once more.
  const made = own
    .filter((name) => !own.some((outer) => isBelow(name, outer)))
    .filter((name) => tolerate(() => make(name, files)));
  const gifts: ToGive[] = [];
  for (const name of [...own, ...installed]) {
    const gift = tolerate(() => ownersOf(name, own, { files, owner }));
    const isCovered = gifts.some(({ path }) =>
      path === gift?.path || isBelow(gift?.path ?? "", path)
    );
    if (gift !== undefined && !isCovered) gifts.push(gift);
  }
  const withheld = own.flatMap((name) =>
    tolerate(() => withheldOf(name, own, { files, owner })) ?? []
  );
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
  const names = gifts.map(({ name }) => name)
    .filter((name) => !made.includes(name));
  const given = refusal === undefined ? names : [];
  return { given, withheld, refusal };
}

/**
 * Only where no one but root can change what the name leads to; the rest is for the server's
 * user to make.
 *
 * @returns Whether it was missing.
 */
function make(name: string, files: World["files"]): boolean {
  const { path } = follow(name, files);
  if (path === undefined || files.exists(path)) return false;
  const missing = [path];
  for (
    let above = dirname(path);
    !files.exists(above);
    above = dirname(above)
  ) missing.unshift(above);
  for (const each of missing) {
    const mode = each === path ? OWN_MODE : ABOVE_MODE;
    files.makeDirectory(each, mode);
    // Whatever the umask takes away.
    files.chmod(each, mode);
  }
  return true;
}

function ownersOf(
  name: string,
  own: readonly string[],
  world: Pick<World, "files"> & { readonly owner: Identity },
): ToGive | undefined {
  const { path } = follow(name, world.files);
  if (path !== undefined) {
    return isForeign(path, world) ? { name, path } : undefined;
  }
  const outer = outerOf(name, own, world.files);
  if (outer === undefined || !isForeign(outer.inside, world)) return undefined;
  // The last name may be exchanged: chown follows it no more than any other.
  return dirname(outer.inside) === outer.path
    ? { name, path: outer.inside }
    : outer;
}

function withheldOf(
  name: string,
  own: readonly string[],
  world: Pick<World, "files"> & { readonly owner: Identity },
): Withheld | undefined {
  const { exposed } = follow(name, world.files);
  const isWithheld = exposed !== undefined &&
    outerOf(name, own, world.files) === undefined && isForeign(name, world);
  return isWithheld ? { path: name, exposed } : undefined;
}

/** The directory of ours that holds another one of ours, as data does data/config, if its own name is sure. */
function outerOf(
  name: string,
  own: readonly string[],
  files: World["files"],
): ToGive & { readonly inside: string } | undefined {
  const outer = own.find((each) => isBelow(name, each));
  if (outer === undefined) return undefined;
  const { path } = follow(outer, files);
  return path === undefined ? undefined : {
    name: outer,
    path,
    inside: `${path}${name.slice(outer.length)}`,
  };
}

/**
 * Tells whether a start as root could give a directory, or make it, because nobody else can
 * exchange its name.
 *
 * @param name The directory, which need not be there.
 * @param own Our directories.
 * @param files Files.
 * @returns Whether it could, as far as names decide.
 */
export function canGive(
  name: string,
  own: readonly string[],
  files: World["files"],
): boolean {
  return tolerate(() => {
    if (follow(name, files).path !== undefined) return true;
    const outer = outerOf(name, own, files);
    return outer !== undefined &&
      files.lstat(outer.inside)?.isDirectory === true;
  }) === true;
}

/** Whether a directory, or something in it, does not belong to the server's user. */
function isForeign(
  path: string,
  { files, owner }: Pick<World, "files"> & { readonly owner: Identity },
): boolean {
  const isOthers = (facts: FileFacts | undefined): boolean =>
    // The owner of a link decides nothing.
    facts !== undefined && !facts.isSymlink &&
    (facts.uid !== owner.uid || facts.gid !== owner.gid);
  const facts = files.lstat(path);
  if (facts?.isDirectory !== true) return false;
  return isOthers(facts) ||
    files.list(path).some((entry) => isOthers(files.lstat(`${path}/${entry}`)));
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}
