/**
 * From a path that cannot be written to the one step that repairs it.
 *
 * @module
 */

import { tolerate } from "../../errors.ts";
import type { Problem } from "../../errors.ts";
import type { Mount } from "../../os/permissions.ts";
import { hostId, mountOf } from "../../os/permissions.ts";
import { follow } from "./unsafe_links.ts";
import type { Identity, System } from "../../os/system.ts";
import type { WrittenPath } from "./written_paths.ts";

/** Why a path cannot be written. */
export interface Fault {
  /** The system's code; `EACCES` also where the bits alone forbid it. */
  readonly code: string;
  /** The file or directory whose owner, mode or mount is to blame. */
  readonly blame: string;
  /** What owner and mode do not permit there; `nothing` where something else forbids it. */
  readonly lacks: "entering" | "writing" | "nothing";
}

/** What the kernel tells about this container; texts are empty where it tells nothing. */
export interface Surroundings {
  /** `/proc/self/mounts`. */
  readonly mounts: string;
  /** `/proc/self/uid_map`. */
  readonly uidMap: string;
  /** `/proc/self/gid_map`. */
  readonly gidMap: string;
}

/** For whom a remedy is made. */
export interface CheckedPath {
  /** Whom the server runs as. */
  readonly identity: Identity;
  /** Who started the program, and the files. */
  readonly system: Pick<System, "files" | "startedAs">;
  /** What the kernel tells. */
  readonly surroundings: Surroundings;
}

/**
 * Reads what the kernel tells about this container.
 *
 * @param system Files, and child processes.
 * @returns The texts.
 */
export async function readSurroundings(
  system: Pick<System, "files" | "runChild" | "env">,
): Promise<Surroundings> {
  const [mounts, uidMap, gidMap] = await Promise.all(
    ["mounts", "uid_map", "gid_map"].map((name) =>
      readKernel(`/proc/self/${name}`, system)
    ),
  );
  return { mounts: mounts ?? "", uidMap: uidMap ?? "", gidMap: gidMap ?? "" };
}

/** The runtime opens `/proc` only to programs with all permissions; `cat`, where there is one, has them. */
async function readKernel(
  path: string,
  { files, runChild, env }: Pick<System, "files" | "runChild" | "env">,
): Promise<string> {
  try {
    return files.readText(path);
  } catch {
    const child = runChild({ command: ["cat", path], env, output: "capture" });
    return await child.then(({ stdout }) => stdout, () => "");
  }
}

/**
 * Says what is wrong with a path, and what repairs it.
 *
 * @param written The path, and what it is for.
 * @param fault Why it cannot be written.
 * @param patient Who it is for.
 * @returns Message and remedy.
 */
export function describeFault(
  written: WrittenPath,
  fault: Fault,
  patient: CheckedPath,
): Pick<Problem, "message" | "remedy"> {
  const { identity, system: { files }, surroundings } = patient;
  const mount = mountOf(surroundings.mounts, real(fault.blame, files));
  const user = `user ${identity.uid}:${identity.gid}`;
  const said =
    `${written.path}, ${written.purpose}, cannot be written by ${user}`;
  const isReadOnly = fault.code === "EROFS" || mount?.readOnly === true;
  if (isReadOnly) {
    const what = mount === undefined || mount.path === "/"
      ? "the root file system is read-only"
      : `what is mounted at ${mount.path} is read-only`;
    return {
      message: `${said}: ${what}`,
      remedy: readOnlyRemedy(written, mount),
    };
  }
  if (fault.code === "ENOSPC" || fault.code === "EDQUOT") {
    return {
      message: `${said}: the disk is full`,
      remedy: `df -h ${written.path}   # make room there`,
    };
  }
  if (fault.code === "ENOTDIR") {
    return {
      message: `${said}: ${fault.blame} is no directory`,
      remedy: `ls -l ${fault.blame}   # remove it, or choose another directory`,
    };
  }
  // What somebody else linked to is not to be given away by following our advice.
  const link = tolerate(() => follow(written.path, files).link);
  if (link !== undefined) {
    return {
      message: `${said}: the symbolic link ${link} leads to ${
        real(link, files)
      }, and ${denial(fault, patient)}`,
      remedy:
        `rm ${link}   # unless it is yours: then give ${user} what it leads to`,
    };
  }
  return {
    message: `${said}: ${denial(fault, patient)}`,
    remedy: accessRemedy(written, fault, { ...patient, mount }),
  };
}

function readOnlyRemedy(
  { path, temporary }: WrittenPath,
  mount: Mount | undefined,
): string {
  if (mount !== undefined && mount.path !== "/") {
    return `Mount it writable: remove :ro (or readOnly) from the volume at ${mount.path}`;
  }
  return temporary
    ? `docker run --tmpfs ${path} …   # in Compose: tmpfs: ["${path}"]`
    : `docker run -v mattermost${
      path.replaceAll("/", "-")
    }:${path} …   # a volume, which stays when the container goes`;
}

function denial(
  { code, blame, lacks }: Fault,
  { system: { files } }: CheckedPath,
): string {
  const facts = tolerate(() => files.stat(blame));
  if (facts === undefined) return `${blame}: ${code}`;
  const owner = `${facts.uid}:${facts.gid}`;
  const mode = facts.mode.toString(8).padStart(4, "0");
  return lacks === "nothing"
    ? `${blame} refuses with ${code}, though its owner ${owner} and mode ${mode} permit it`
    : `${blame} belongs to ${owner} with mode ${mode}`;
}

function accessRemedy(
  written: WrittenPath,
  { blame, lacks }: Fault,
  patient: CheckedPath & { readonly mount: Mount | undefined },
): string {
  const { identity, mount, surroundings, system } = patient;
  const facts = tolerate(() => system.files.stat(blame));
  if (facts?.uid === identity.uid && lacks !== "nothing") {
    return `chmod ${facts.isDirectory ? "u+rwx" : "u+rw"} ${blame}`;
  }
  const uid = hostId(surroundings.uidMap, identity.uid);
  const gid = hostId(surroundings.gidMap, identity.gid);
  if (uid === undefined || gid === undefined) {
    return `Choose a user that exists in this container's user namespace: MATTERMOST_UID=${identity.uid} has no counterpart on the host (/etc/subuid, or --userns=host)`;
  }
  const isVolume = mount !== undefined && mount.path !== "/";
  if (isVolume && lacks === "nothing") {
    return `docker run -v HOST_DIRECTORY:${mount.path}:Z …   # a label for SELinux; in Compose the same :Z`;
  }
  const mapped = uid === identity.uid
    ? ""
    : `, since user ${identity.uid} in here is user ${uid} there`;
  if (isVolume) {
    return `On the host: chown -R ${uid}:${gid} HOST_DIRECTORY   # the one that is mounted at ${mount.path}${mapped}`;
  }
  if (system.startedAs === 0 && lacks === "entering") {
    return `chmod o+x ${blame}   # so that the server's user gets to ${written.path}`;
  }
  const isMissing = tolerate(() => system.files.stat(written.path)) ===
    undefined;
  if (system.startedAs === 0 && !written.temporary) {
    const { path } = written;
    const owner = `${identity.uid}:${identity.gid}`;
    return isMissing
      ? `mkdir -p ${path} && chown ${owner} ${path}   # in the image; or mount a volume there`
      : `chown -R ${owner} ${blame}`;
  }
  if (written.temporary) {
    return `docker run --tmpfs ${written.path} …   # in Compose: tmpfs: ["${written.path}"]`;
  }
  const volume =
    `mount a volume at ${written.path} that ${identity.uid}:${identity.gid} owns`;
  if (facts === undefined || facts.uid === 0) {
    return volume.charAt(0).toUpperCase() + volume.slice(1);
  }
  const owner = `${facts.uid}:${facts.gid}`;
  return `docker run --user ${owner} …   # in Compose: user: "${owner}"; or ${volume}`;
}

function real(path: string, files: System["files"]): string {
  return tolerate(() => files.realPath(path)) ?? path;
}
