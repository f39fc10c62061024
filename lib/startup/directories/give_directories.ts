/**
 * Gives the directories that the server needs to the server's user, before root becomes that
 * user, and reports what was given and what was not.
 *
 * A directory that belongs to the server already is not walked, so a volume with a million
 * files costs nothing at a restart.
 *
 * @module
 */

import { trySystemCall } from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import type {
  FileFacts,
  Identity,
  NotGiven,
  System,
  WithheldDirectory,
} from "../../os/system.ts";
import { shellWord } from "../../shell.ts";
import type { Context } from "../context.ts";
import { resolveForRoot } from "./unsafe_links.ts";

/** The directories that the server's user has to own. */
export interface Directories {
  /** The directories of the settings, the outer ones first; missing ones are created. */
  readonly own: readonly string[];
  /** Directories of the installed server; missing ones are left alone. */
  readonly installed: readonly string[];
  /** The path of config.json, which may be a mount of its own. */
  readonly config: string;
}

/** Milliseconds until the progress is reported for the first time. */
const FIRST_PROGRESS = 1000;
/** Milliseconds between two lines of progress in a log. */
const LINE_INTERVAL = 5000;
/** Milliseconds between two changes of the status line of a terminal. */
const STATUS_INTERVAL = 200;

/**
 * Creates missing directories and gives those of other owners to the server's user, wherever
 * root can do so safely. It reports no failure: whatever remains is found when the server's user
 * tries to write there.
 *
 * @param directories The directories that the server's user has to own.
 * @param owner The server's user.
 * @param context The system, the log, and the signal that ends the walk.
 * @throws The reason of the signal.
 */
export async function giveDirectories(
  directories: Directories,
  owner: Identity,
  { system, log, signal }: Context,
): Promise<void> {
  const { own, config } = directories;
  // A directory is listed only if it belongs to the server's user.
  const files = system.filesFor(owner);
  const isForeign = (path: string): boolean =>
    hasOtherOwner(path, files, owner);
  const installed = directories.installed.filter(isForeign);
  const wanted = own.filter((path) =>
    isMissing(path, files) || isForeign(path)
  );
  const isDone = installed.length === 0 && wanted.length === 0;
  // Most starts end here.
  if (isDone) return;
  const user = `${owner.uid}:${owner.gid}`;
  const progress = reportProgress(user, { system, log });
  const { given, withheld, notGiven } = await system.giveDirectories({
    own,
    installed,
    mountedFile: config,
    owner: { ...owner, groups: system.supplementaryGroups() },
    signal,
    progress: progress.update,
  });
  log.clearStatus();
  for (const { path, count } of given) {
    if (!own.includes(path)) continue;
    log.info(
      progress.isShown()
        ? `Gave ${path} to user ${user}: ${count} files and directories`
        : `Gave ${path} to user ${user}`,
    );
  }
  for (const each of withheld) {
    if (wanted.includes(each.path)) log.warn(withheldWarning(each, user));
  }
  notGiven.forEach((each) => log.warn(notGivenWarning(each, user)));
}

/**
 * Tells whether a start as root could create or give a directory safely.
 *
 * @param name The directory, which need not exist.
 * @param ownership The directories of the settings, and the server's user.
 * @param files The file system.
 * @returns Whether it would.
 */
export function canGive(
  name: string,
  ownership: { readonly own: readonly string[]; readonly user: Identity },
  files: System["files"],
): boolean {
  return trySystemCall(() =>
    resolveForRoot(name, files, ownership).isGivable
  ) ===
    true;
}

/** Reports how far a long walk is: on the status line of a terminal, or from time to time in the log. */
function reportProgress(
  user: string,
  { system: { clock, err }, log }: Pick<Context, "system" | "log">,
): {
  readonly update: (count: number) => void;
  readonly isShown: () => boolean;
} {
  let next = clock.elapsed() + FIRST_PROGRESS;
  let isShown = false;
  return {
    isShown: () => isShown,
    update(count) {
      if (clock.elapsed() < next) return;
      isShown = true;
      const text =
        `Giving the directories to user ${user}: ${count} files so far`;
      if (err.isTerminal) log.showStatus(text);
      else log.info(text);
      next = clock.elapsed() +
        (err.isTerminal ? STATUS_INTERVAL : LINE_INTERVAL);
    },
  };
}

function withheldWarning(
  { path, exposed }: WithheldDirectory,
  user: string,
): Problem {
  const word = shellWord(exposed);
  return {
    subject: "",
    message:
      `${path} was not given to user ${user}, because other users can write to ${exposed} and could replace it`,
    remedy:
      `chown root:root ${word} && chmod go-w ${word}   # or by hand: chown -R ${user} ${
        shellWord(path)
      }`,
  };
}

function notGivenWarning(
  { reason, path, count, cause }: NotGiven,
  user: string,
): Problem {
  const first = count === 1 ? path : `${path} (1 of ${count})`;
  const word = shellWord(path);
  switch (reason) {
    case "links":
      return {
        subject: "",
        message:
          `${first} was not given to user ${user}, because it has several hard links and another one may be outside of the volume's directories`,
        remedy:
          `cp -p ${word} ${word}.copy && mv ${word}.copy ${word}   # makes it a file of its own; or by hand: chown -h ${user} ${word}`,
      };
    case "mount":
      return {
        subject: "",
        message:
          `${first} was not given to user ${user}, because it is a mount of its own that no setting names`,
        remedy:
          `chown -R ${user} ${word}   # only if Mattermost has to write there`,
      };
    case "depth":
      return {
        subject: "",
        message:
          `${first} was not given to user ${user}, because it is more than 100 directories deep`,
        remedy: `chown -R -h ${user} ${word}   # if it is Mattermost's at all`,
      };
    case "refused":
      return {
        subject: "",
        message: `${first} could not be given to user ${user}: ${cause}`,
        remedy:
          `On the host: chown -R ${user} HOST_DIRECTORY   # the one that is mounted there; or docker run --cap-add CHOWN …`,
      };
  }
}

function isMissing(path: string, files: System["files"]): boolean {
  return trySystemCall(() => !files.exists(path)) === true;
}

/** Whether a directory, or an entry of it, belongs to somebody other than the server's user. */
function hasOtherOwner(
  path: string,
  files: System["files"],
  owner: Identity,
): boolean {
  const belongsToOther = (facts: FileFacts | undefined): boolean =>
    // The owner of a symbolic link has no effect.
    facts !== undefined && !facts.isSymlink &&
    (facts.uid !== owner.uid || facts.gid !== owner.gid);
  return trySystemCall(() => {
    const facts = files.stat(path);
    return facts?.isDirectory === true && (belongsToOther(facts) ||
      files.list(path).some((entry) =>
        belongsToOther(files.lstat(`${path}/${entry}`))
      ));
  }) === true;
}
