/**
 * Explains why a path cannot be written, and finds the one step that corrects it.
 *
 * @module
 */

import { dirname } from "node:path";
import { trySystemCall } from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import { isArbitraryUser, ownerRemedy } from "../../arbitrary_user.ts";
import { explainCode } from "../../system_errors.ts";
import type { Mount } from "../../os/permissions.ts";
import { hostId, mountOf } from "../../os/permissions.ts";
import type { Identity, System } from "../../os/system.ts";
import { shellWord } from "../../shell.ts";
import { readProcFile } from "../proc_file.ts";
import { describeOwner, resolveForRoot } from "./unsafe_links.ts";
import type { WrittenPath } from "./written_paths.ts";

/** Why a path cannot be written. */
export interface Denial {
  /** The system's error code; also `EACCES` if owner and mode alone deny access. */
  readonly code: string;
  /** The file or directory whose owner, mode or mount denies access. */
  readonly path: string;
  /** The permission that owner and mode do not give; `none` if something else denies access. */
  readonly lacks: "entering" | "writing" | "none";
}

/** What the kernel reports about this container; a text is empty if it cannot be read. */
export interface KernelFacts {
  /** The text of `/proc/self/mounts`. */
  readonly mounts: string;
  /** The text of `/proc/self/uid_map`. */
  readonly uidMap: string;
  /** The text of `/proc/self/gid_map`. */
  readonly gidMap: string;
}

/** The user and the container for which a remedy is written. */
export interface RemedyContext {
  /** The user that the server runs as. */
  readonly identity: Identity;
  /** The user who started the program, and the file system. */
  readonly system: Pick<System, "files" | "startedAs">;
  /** What the kernel reports about this container. */
  readonly kernel: KernelFacts;
}

/**
 * Reads what the kernel reports about this container.
 *
 * @param system The file system, and child processes.
 * @returns The texts.
 */
export async function readKernelFacts(
  system: Pick<System, "files" | "runChild" | "env">,
): Promise<KernelFacts> {
  const [mounts = "", uidMap = "", gidMap = ""] = await Promise.all(
    ["mounts", "uid_map", "gid_map"].map((name) =>
      readProcFile(`/proc/self/${name}`, system)
    ),
  );
  return { mounts, uidMap, gidMap };
}

/**
 * Explains why a path cannot be written, and how to correct it.
 *
 * @param written The path.
 * @param denial Why it cannot be written.
 * @param context The user and the container.
 * @returns Message and remedy.
 */
export function describeDenial(
  written: WrittenPath,
  denial: Denial,
  context: RemedyContext,
): Pick<Problem, "message" | "remedy"> {
  const { identity, system: { files }, kernel } = context;
  const mount = mountOf(kernel.mounts, realPath(denial.path, files));
  const user = `${identity.uid}:${identity.gid}`;
  function explain(reason: string): string {
    return `User ${user} cannot write to ${written.path}, ${written.purpose}: ${reason}`;
  }
  if (denial.code === "EROFS" || mount?.readOnly === true) {
    return {
      message: explain(
        mount === undefined || mount.path === "/"
          ? "the root file system is read-only"
          : `the volume at ${mount.path} is mounted read-only`,
      ),
      remedy: readOnlyRemedy(written, mount),
    };
  }
  if (denial.code === "ENOTDIR") {
    return {
      message: explain(`${denial.path} is not a directory`),
      remedy: `ls -l ${
        shellWord(denial.path)
      }   # remove it, or choose another directory`,
    };
  }
  // Owner and mode do not explain EPERM, but attributes and the sticky bit do.
  const isByMode = denial.code === "EACCES" || denial.lacks !== "none";
  if (!isByMode) {
    const { reason, remedy } = explainCode(denial.code, denial.path);
    return { message: explain(reason), remedy };
  }
  const reason = denialReason(denial, files);
  // A remedy must not give away the target of a link that somebody else made.
  const link = trySystemCall(() => resolveForRoot(written.path, files).link);
  if (link !== undefined) {
    return {
      message: explain(
        `the symbolic link ${link} leads to ${
          realPath(link, files)
        }, and ${reason}`,
      ),
      remedy: `rm ${
        shellWord(link)
      }   # or, if you made the link, give its target to user ${user}`,
    };
  }
  return {
    message: explain(reason),
    remedy: accessRemedy(written, denial, { ...context, mount }),
  };
}

function readOnlyRemedy(
  { path, temporary, isInstalled }: WrittenPath,
  mount: Mount | undefined,
): string {
  if (mount !== undefined && mount.path !== "/") {
    return `Remove :ro (or readOnly) from the volume at ${mount.path}`;
  }
  if (isInstalled) {
    return "echo 'services: {mattermost: {read_only: false}}' >docker-compose.override.yml   # or docker run without --read-only";
  }
  if (temporary) return tmpfsRemedy(path);
  const volume = `mattermost${path.replaceAll("/", "-")}:${path}`;
  return `docker run -v ${
    shellWord(volume)
  } …   # a volume keeps its files when the container is removed`;
}

function tmpfsRemedy(path: string): string {
  return `docker run --tmpfs ${
    shellWord(path)
  } …   # in Compose: tmpfs: ["${path}"]`;
}

function denialReason(
  { code, path, lacks }: Denial,
  files: System["files"],
): string {
  const facts = trySystemCall(() => files.stat(path));
  if (facts === undefined) return `${path} cannot be examined (${code})`;
  const owner = describeOwner(path, facts);
  return lacks === "none"
    ? `the system denies access with ${code}, although ${owner}`
    : owner;
}

/** Where the permission is missing decides whether the operator changes the container, the host or the image. */
function accessRemedy(
  written: WrittenPath,
  { path: denied, lacks }: Denial,
  { identity, kernel, mount, system: { files, startedAs } }: RemedyContext & {
    readonly mount: Mount | undefined;
  },
): string {
  const { path, temporary } = written;
  const facts = trySystemCall(() => files.stat(denied));
  if (facts?.uid === identity.uid && lacks !== "none") {
    return `chmod ${facts.isDirectory ? "u+rwx" : "u+rw"} ${shellWord(denied)}`;
  }
  const host = {
    uid: hostId(kernel.uidMap, identity.uid),
    gid: hostId(kernel.gidMap, identity.gid),
  };
  if (host.uid === undefined || host.gid === undefined) {
    return `Choose a user that exists in this container's user namespace: MATTERMOST_UID=${identity.uid} has no counterpart on the host (see /etc/subuid, or use --userns=host)`;
  }
  const isVolume = mount !== undefined && mount.path !== "/";
  if (
    isArbitraryUser(identity) && lacks !== "none" && facts !== undefined &&
    facts.uid !== 0
  ) return ownerRemedy(shellWord(isVolume ? mount.path : denied), facts.uid);
  if (isVolume && lacks === "none") {
    return `docker run -v ${
      shellWord(`HOST_DIRECTORY:${mount.path}:Z`)
    } …   # :Z sets the SELinux label, in Compose too`;
  }
  if (isVolume) {
    const mapped = host.uid === identity.uid
      ? ""
      : `; user ${identity.uid} of the container is user ${host.uid} of the host`;
    return `${hostChown(`${host.uid}:${host.gid}`, mount.path)}${mapped}`;
  }
  if (startedAs === 0 && lacks === "entering") {
    return `chmod o+x ${
      shellWord(denied)
    }   # so that the server's user can reach ${path}`;
  }
  const user = `${identity.uid}:${identity.gid}`;
  if (written.isInstalled && (startedAs === 0 || facts?.uid === 0)) {
    return `RUN chown -R ${user} ${
      shellWord(dirname(path))
    }   # in the Dockerfile of the image`;
  }
  if (startedAs === 0 && !temporary) {
    const isMissing = trySystemCall(() => files.stat(path)) === undefined;
    const word = shellWord(path);
    return isMissing
      ? `mkdir -p ${word} && chown ${user} ${word}   # in the image; or mount a volume there`
      : `chown -R ${user} ${shellWord(denied)}`;
  }
  if (temporary) return tmpfsRemedy(path);
  if (facts === undefined || facts.uid === 0) {
    return `Mount a volume at ${path} that belongs to ${user}`;
  }
  const owner = `${facts.uid}:${facts.gid}`;
  const other = written.isInstalled
    ? ""
    : `; or mount a volume at ${path} that belongs to ${user}`;
  return `docker run --user ${owner} …   # in Compose: user: "${owner}"${other}`;
}

/**
 * The command that gives a volume to a user.
 *
 * @param user User and group on the host, as `2000:2000`.
 * @param mount The directory of the container at which the volume is mounted.
 * @returns A remedy, to which more can be added after a semicolon.
 */
export function hostChown(user: string, mount: string): string {
  return `On the host: chown -R ${user} HOST_DIRECTORY   # the one that is mounted at ${mount}`;
}

function realPath(path: string, files: System["files"]): string {
  return trySystemCall(() => files.realPath(path)) ?? path;
}
