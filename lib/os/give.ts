/**
 * Gives directory trees to the server's user, as root.
 *
 * That user can change names in most of these directories at any time, so nothing is done by a
 * path: each directory is opened in its parent without following links, and each file is given
 * either in a directory in which nobody else can change a name, or by a descriptor that was
 * examined.
 *
 * A directory is given after everything in it. So a directory that already belongs to the server's
 * user need not be entered, and the next start continues a walk that was interrupted.
 *
 * @module
 */

import type { Descriptors, EntryFacts, Listing, Name } from "./descriptors.ts";
import {
  nameOf,
  openDescriptors,
  SystemCallError,
  textOf,
} from "./descriptors.ts";
import { describeErrno, Errno } from "./execvp.ts";
import { type OpenedPath, openPath } from "./open_path.ts";
import { isOnlyRoots, MAY_ENTER, MAY_WRITE, permits } from "./permissions.ts";
import type {
  GivenDirectory,
  GivePlan,
  GiveReport,
  Identity,
  NotGiven,
} from "./system.ts";

/** The mode of created directories: the group can read them, for backups. */
const OWN_MODE = 0o750;
/** The mode of created parents: they stay root's, and the server's user has to pass through. */
const PARENT_MODE = 0o755;

/** Directories inside one another that are open at the same time. Mattermost's own trees have about eight. */
const MAX_DEPTH = 100;
/** Milliseconds of work until signals are delivered. */
const BATCH_TIME = 20;
/** Entries after which the clock is looked at. */
const BATCH = 256;
/** Refusals after which a walk that has given nothing ends: the others would be refused too. */
const MAX_REFUSALS = 100;
/** A user id that chown(2) leaves as it is. */
const UNCHANGED = 0xffff_ffff;
/** The user to which a directory belongs while its content is given. */
const ROOT_ONLY: Identity = { uid: 0, gid: UNCHANGED };

/**
 * Creates the directories that are missing, and gives all of them to a user with everything in
 * them.
 *
 * @param plan The directories and the user.
 * @param descriptors The system calls; tests do something between them.
 * @returns What was given and what was not.
 * @throws The reason of the plan's signal.
 */
export async function giveDirectories(
  plan: GivePlan,
  descriptors: Descriptors = openDescriptors(),
): Promise<GiveReport> {
  const { own, installed, owner } = plan;
  const ids = new Set<string>();
  const trust = { owner, own: ids };
  const given: GivenDirectory[] = [];
  const withheld: GiveReport["withheld"][number][] = [];
  const walk = new Walk(plan, descriptors);
  for (const path of [...own, ...installed]) {
    const isOwn = own.includes(path);
    const opened = attempt(() => openPath(path, descriptors, trust));
    if (opened === undefined) continue;
    if (opened.kind === "exposed") {
      if (isOwn) withheld.push({ path, exposed: opened.directory });
      continue;
    }
    if (opened.kind === "missing") {
      // Inside another one, the server's user creates it by itself.
      const isNested = own.some((outer) => path.startsWith(`${outer}/`));
      if (isOwn && !isNested && opened.isSafe) {
        attempt(() => createDirectory(opened, owner, descriptors));
      } else descriptors.close(opened.descriptor);
      continue;
    }
    try {
      const { descriptor } = opened;
      if (isOwn) ids.add(descriptors.examine(descriptor).id);
      const count = await walk.give(descriptor, path);
      if (count > 0) given.push({ path, count });
    } finally {
      descriptors.close(opened.descriptor);
    }
  }
  return { given, withheld, notGiven: walk.notGiven };
}

/** Creates a directory and its parents where nobody but root can change names, and closes all of them. */
function createDirectory(
  { descriptor, names }: OpenedPath & { readonly kind: "missing" },
  owner: Identity,
  descriptors: Descriptors,
): void {
  let at = descriptor;
  try {
    for (const [index, name] of names.entries()) {
      const mode = index === names.length - 1 ? OWN_MODE : PARENT_MODE;
      const made = descriptors.makeDirectory(at, nameOf(name), mode);
      descriptors.close(at);
      at = made;
    }
    descriptors.give(at, owner);
  } finally {
    descriptors.close(at);
  }
}

/** A directory in which the walk is. */
interface Frame {
  readonly descriptor: number;
  readonly path: string;
  readonly listing: Listing;
  /** Whether nobody but root can change names in it. */
  readonly isStable: boolean;
  /** Whether it has to be given after its content. */
  readonly isForeign: boolean;
  /** Whether the server's user can write to it even if it is not given. */
  readonly isUsable: boolean;
  /** Whether directories in it that belong to the server's user are walked, too. */
  readonly isDeep: boolean;
}

class Walk {
  readonly #plan: GivePlan;
  readonly #descriptors: Descriptors;
  readonly #notGiven = new Map<NotGiven["reason"], NotGiven>();
  #batchEnd = 0;
  /** Entries until the clock is looked at. */
  #left = BATCH;
  /** Entries that were given, of all directories. */
  #count = 0;
  #refusals = 0;
  /** The owner of the top directory before the walk, and its mount. */
  #top: Pick<EntryFacts, "uid" | "mount"> = { uid: 0, mount: undefined };

  constructor(plan: GivePlan, descriptors: Descriptors) {
    this.#plan = plan;
    this.#descriptors = descriptors;
  }

  get notGiven(): readonly NotGiven[] {
    return [...this.#notGiven.values()];
  }

  /**
   * Gives a directory that was opened, with its content. If it belongs to the user already, only
   * its entries are examined, and those of other owners are given.
   *
   * @returns How many entries were given.
   */
  async give(descriptor: number, path: string): Promise<number> {
    const before = this.#count;
    const facts = this.#descriptors.examine(descriptor);
    this.#top = { uid: facts.uid, mount: facts.mount };
    this.#refusals = 0;
    this.#batchEnd = performance.now() + BATCH_TIME;
    const frames: Frame[] = [];
    const isGiven = this.#isGiven(facts);
    try {
      const open = (): number => this.#descriptors.reopen(descriptor);
      push(this.#enter(open, path, undefined));
    } catch (error) {
      // Root may not even look into a directory on NFS, but its owner may.
      if (!isGiven) this.#refuse(errnoOf(error), path);
    }
    try {
      for (
        let frame = frames.at(-1);
        frame !== undefined;
        frame = frames.at(-1)
      ) {
        if (--this.#left <= 0) await this.#rest();
        if (!this.#isHopeless(before) && this.#next(frame)) {
          push(this.#giveEntry(frame, frames.length));
        } else {
          this.#leave(frame);
          frames.pop();
        }
      }
    } finally {
      frames.forEach((frame) => this.#descriptors.close(frame.descriptor));
    }
    return this.#count - before;

    function push(frame: Frame | undefined): void {
      if (frame !== undefined) frames.push(frame);
    }
  }

  /** Lets signals be delivered, and reports the progress. */
  async #rest(): Promise<void> {
    this.#left = BATCH;
    if (performance.now() < this.#batchEnd) return;
    this.#plan.progress(this.#count);
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    this.#plan.signal.throwIfAborted();
    this.#batchEnd = performance.now() + BATCH_TIME;
  }

  /** Whether everything is refused, as on a volume whose server trusts no root. */
  #isHopeless(before: number): boolean {
    return this.#refusals >= MAX_REFUSALS && this.#count === before;
  }

  #next({ listing, path }: Frame): boolean {
    try {
      return listing.next();
    } catch (error) {
      this.#refuse(errnoOf(error), path);
      return false;
    }
  }

  /** Gives an entry; returns the directory to go on with, if it is one. */
  #giveEntry(frame: Frame, depth: number): Frame | undefined {
    const { descriptor, isStable, listing: { name, isDirectory } } = frame;
    const { owner } = this.#plan;
    if (isDirectory) return this.#enterName(frame, name, depth);
    const facts = attempt(() =>
      this.#descriptors.examineName(descriptor, name)
    );
    if (facts?.type === "directory") {
      return this.#enterName(frame, name, depth);
    }
    if (facts === undefined || this.#isGiven(facts)) return undefined;
    if (isStable) {
      this.#giveFile(
        facts,
        pathOf,
        () => this.#descriptors.giveName(descriptor, name, owner),
      );
      return undefined;
    }
    // From here on, replacing the name has no effect.
    const file = attempt(() =>
      this.#descriptors.open(descriptor, name, "path")
    );
    if (file === undefined) return undefined;
    const opened = attempt(() => this.#descriptors.examine(file));
    if (opened !== undefined && opened.type !== "directory") {
      this.#giveFile(opened, pathOf, () => this.#descriptors.give(file, owner));
    }
    this.#descriptors.close(file);
    return undefined;

    function pathOf(): string {
      return join(frame, name);
    }
  }

  #giveFile(facts: EntryFacts, pathOf: () => string, give: () => number): void {
    const { owner, mountedFile } = this.#plan;
    const isMount = facts.mount !== undefined &&
      facts.mount !== this.#top.mount;
    if (isMount && pathOf() !== mountedFile) {
      this.#note("mount", pathOf());
    } else if (facts.links > 1 && !this.#mayHaveLinks(facts)) {
      this.#note("links", pathOf());
    } else {
      const isUsable = facts.type !== "file" ||
        permits(facts, owner, { bits: MAY_WRITE });
      this.#finish(give(), isUsable, pathOf);
    }
  }

  /** Whether a file with several hard links may be given: another one may be anywhere on the volume. */
  #mayHaveLinks({ uid }: EntryFacts): boolean {
    return uid === this.#plan.owner.uid || (uid !== 0 && uid === this.#top.uid);
  }

  #enterName(frame: Frame, name: Name, depth: number): Frame | undefined {
    const path = join(frame, name);
    if (depth >= MAX_DEPTH) {
      this.#note("depth", path);
      return undefined;
    }
    const { descriptor } = frame;
    try {
      return this.#enter(
        () => this.#descriptors.open(descriptor, name, "directory"),
        path,
        frame,
      );
    } catch (error) {
      const errno = errnoOf(error);
      if (VANISHED.has(errno)) return undefined;
      const facts = attempt(() =>
        this.#descriptors.examineName(descriptor, name)
      );
      if (facts !== undefined && !this.#isGiven(facts)) {
        this.#refuse(errno, path);
      }
      return undefined;
    }
  }

  /** Opens a directory, and decides whether to walk it. */
  #enter(
    open: () => number,
    path: string,
    outer: Frame | undefined,
  ): Frame | undefined {
    const descriptor = open();
    const facts = this.#descriptors.examine(descriptor);
    const isForeign = !this.#isGiven(facts);
    const isMount = facts.mount !== this.#top.mount;
    if (isMount && outer?.isDeep) this.#note("mount", path);
    if (isMount || !isForeign && outer?.isDeep === false) {
      this.#descriptors.close(descriptor);
      return undefined;
    }
    const { uid, mode } = facts;
    const isUsable = permits(facts, this.#plan.owner, {
      bits: MAY_WRITE | MAY_ENTER,
    });
    return {
      descriptor,
      path,
      isForeign,
      isUsable,
      isDeep: outer !== undefined || isForeign,
      isStable: isOnlyRoots(facts) ||
        // Until it is given, so that its files can be given by name, which is much faster.
        isOnlyRoots({ uid: 0, mode }) && uid !== this.#plan.owner.uid &&
          this.#descriptors.give(descriptor, ROOT_ONLY) === 0 &&
          // Its owner may have changed the mode in between.
          isOnlyRoots(this.#descriptors.examine(descriptor)),
      listing: this.#descriptors.list(descriptor),
    };
  }

  /** Gives a directory after everything in it. */
  #leave({ descriptor, path, isForeign, isUsable }: Frame): void {
    if (isForeign) {
      const errno = this.#descriptors.give(descriptor, this.#plan.owner);
      this.#finish(errno, isUsable, () => path);
    }
    this.#descriptors.close(descriptor);
  }

  #isGiven({ uid, gid }: EntryFacts): boolean {
    return uid === this.#plan.owner.uid && gid === this.#plan.owner.gid;
  }

  #finish(errno: number, isUsable: boolean, pathOf: () => string): void {
    if (errno === 0) this.#count++;
    else if (!VANISHED.has(errno)) {
      this.#refusals++;
      if (!isUsable) this.#refuse(errno, pathOf());
    }
  }

  #refuse(errno: number, path: string): void {
    this.#note("refused", path, describeErrno(errno));
  }

  #note(reason: NotGiven["reason"], path: string, cause = ""): void {
    const noted = this.#notGiven.get(reason);
    this.#notGiven.set(reason, {
      reason,
      path: noted?.path ?? path,
      count: (noted?.count ?? 0) + 1,
      cause: noted?.cause ?? cause,
    });
  }
}

/** The errors of a name that another process has removed or replaced in the meantime. */
const VANISHED: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.ELOOP,
]);

function join({ path }: Frame, name: Name): string {
  return `${path}/${textOf(name)}`;
}

function errnoOf(error: unknown): number {
  if (error instanceof SystemCallError) return error.errno;
  throw error;
}

/** Calls a function; `undefined` if a system call in it fails. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    errnoOf(error);
    return undefined;
  }
}
