/**
 * Changes the user of this process, and the rights with which it opens files.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import { describeErrno } from "./execvp.ts";
import { ERRNO_SYMBOLS, errnoOf, loadLibc } from "./libc.ts";
import type { Capability, Identity } from "./system.ts";

/**
 * Functions of the C library. The system calls of the same names change one thread; `setgroups`,
 * `setgid` and `setuid` of the C library change all threads (nptl(7)), those of Deno included.
 * `setfsuid` and `setfsgid` change only the thread that calls them (setfsuid(2)).
 */
const SYMBOLS = {
  ...ERRNO_SYMBOLS,
  getgroups: { parameters: ["i32", "buffer"], result: "i32" },
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
  setfsgid: { parameters: ["u32"], result: "i32" },
  setfsuid: { parameters: ["u32"], result: "i32" },
  getresgid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  getresuid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** An id that is never valid: `setfsuid` changes nothing then, and returns the present one. */
const NO_ID = 0xffff_ffff;

/** Group 0 gives access to files of root, so the server's user never gets it from the groups of root. */
const ROOT_GROUP = 0;

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

/** Loaded once, because a start as root needs it several times. It is not closed: `execve` ends it. */
function openLibc(): Libc {
  library ??= loadLibc(SYMBOLS);
  return library.symbols;
}

/**
 * Gets the supplementary groups of this process, without group 0.
 *
 * @returns The ids.
 */
export function supplementaryGroups(): readonly number[] {
  const libc = openLibc();
  const ids = new Uint32Array(Math.max(libc.getgroups(0, null), 0));
  libc.getgroups(ids.length, ids);
  return [...ids].filter((id) => id !== ROOT_GROUP);
}

/**
 * Finds out whether this process may change to a user, without a lasting change: the identity
 * with which this thread opens files changes and changes back.
 *
 * @param identity The user and the group.
 * @returns The capabilities that are missing; none if the change is possible.
 */
export function missingCapabilities(
  { uid, gid }: Identity,
): readonly Capability[] {
  const { setfsgid, setfsuid } = openLibc();
  const missing: Capability[] = [];
  const group = setfsgid(gid);
  if (!isId(setfsgid(NO_ID), gid)) missing.push("SETGID");
  setfsgid(group);
  const user = setfsuid(uid);
  if (!isId(setfsuid(NO_ID), uid)) missing.push("SETUID");
  setfsuid(user);
  return missing;
}

/** The result of the C library is signed, ids are not. */
function isId(result: number, id: number): boolean {
  return result >>> 0 === id >>> 0;
}

/**
 * Runs a function with the rights with which another user opens files. Only file operations of
 * this thread are affected, which are the synchronous ones.
 *
 * @param identity The user and the group.
 * @param step The function. It must not wait for anything.
 * @returns Its result.
 * @throws {Error} With the code `EPERM` if this process may not change to that user.
 */
export function actAs<T>(identity: Identity, step: () => T): T {
  const libc = openLibc();
  const { setfsgid, setfsuid } = libc;
  removeRootGroup(libc);
  const group = setfsgid(identity.gid);
  // The user last, because that ends the right to change the group.
  const user = setfsuid(identity.uid);
  try {
    const isChanged = isId(setfsuid(NO_ID), identity.uid) &&
      isId(setfsgid(NO_ID), identity.gid);
    if (!isChanged) {
      throw Object.assign(new Error("setfsuid failed"), { code: "EPERM" });
    }
    return step();
  } finally {
    setfsuid(user);
    setfsgid(group);
  }
}

/**
 * Changes user and group of this process irrevocably, for all threads. It keeps the supplementary
 * groups, which the container runtime has given, but for group 0.
 *
 * @param identity The user and the group.
 * @throws {EntrypointError} With exit code 126 if that fails. The change may be incomplete
 * then, so the process should end.
 */
export function becomeUser(identity: Identity): void {
  const libc = openLibc();
  const { setgid, setuid, getresgid, getresuid } = libc;
  const { uid, gid } = identity;
  // The user last, because only root may change the groups.
  for (
    const [name, step] of [
      ["setgroups", () => removeRootGroup(libc)],
      ["setgid", () => setgid(gid)],
      ["setuid", () => setuid(uid)],
    ] as const
  ) {
    if (step() !== 0) {
      const reason = describeErrno(errnoOf(libc));
      throw identityError(identity, `${name} failed, ${reason}`);
    }
  }
  const isChanged = hasOnlyId(getresuid, uid) && hasOnlyId(getresgid, gid);
  if (!isChanged || (uid !== 0 && setuid(0) === 0)) {
    throw identityError(identity, "the change did not take effect");
  }
}

/**
 * Removes group 0, with which the server's user would have rights of root. Needs CAP_SETGID, unless
 * there is nothing to remove.
 *
 * @returns 0, or -1 if that failed.
 */
function removeRootGroup(libc: Libc): number {
  const kept = Uint32Array.from(supplementaryGroups());
  return kept.length === libc.getgroups(0, null)
    ? 0
    : libc.setgroups(BigInt(kept.length), kept);
}

/** Checks that the real, the effective and the saved id are all the given one. */
function hasOnlyId(getIds: Libc["getresuid"], id: number): boolean {
  const ids = [0, 0, 0].map(() => new Uint32Array(1)) as [
    Uint32Array<ArrayBuffer>,
    Uint32Array<ArrayBuffer>,
    Uint32Array<ArrayBuffer>,
  ];
  return getIds(...ids) === 0 && ids.every(([actual]) => actual === id);
}

function identityError(
  { uid, gid }: Identity,
  reason: string,
): EntrypointError {
  return new EntrypointError(
    `Cannot change to the user ${uid}:${gid}: ${reason}`,
    {
      code: ExitCode.cannotExecute,
      remedy:
        `Start the container as that user (docker run --user ${uid}:${gid} …), or as root with the capabilities to change it (--cap-add SETUID --cap-add SETGID)`,
    },
  );
}
