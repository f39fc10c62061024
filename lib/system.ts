/**
 * The world outside the program as one interface, and the real one.
 *
 * Functions ask for the slice that they use, tests pass a world of their own.
 * Besides this module only `server/exec.ts` names `Deno`.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statfsSync,
  type Stats,
} from "node:fs";
import { argv0 } from "node:process";
import { errorCode } from "./errors.ts";

/** A user and its only group. */
export interface Identity {
  /** The user id. */
  readonly uid: number;
  /** The group id. */
  readonly gid: number;
}

/** What the program asks of a file's metadata. */
export interface FileFacts {
  /** Whether it is a regular file. */
  readonly isFile: boolean;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** Whether it is a symbolic link itself. */
  readonly isSymlink: boolean;
  /** Bytes. */
  readonly size: number;
  /** Permission bits, without the file type. */
  readonly mode: number;
  /** The user. */
  readonly uid: number;
  /** The group. */
  readonly gid: number;
  /** The device that it is on. */
  readonly device: number;
  /** When the content was last written; milliseconds since the epoch. */
  readonly modified: number;
  /** When content, owner or name last changed here, so when an image's layer was unpacked; milliseconds since the epoch. */
  readonly changed: number;
}

/** What a path led to when it was opened. */
export interface Content {
  /** Its facts, of the very file that was opened. */
  readonly facts: FileFacts;
  /** Its bytes; `undefined` for what is no regular file, or too large. */
  readonly bytes: Uint8Array | undefined;
}

/** Bytes that a file may have that is read as a whole, 64 MiB; a config.json has some ten thousand. */
const LARGEST = 64 * 1024 ** 2;

/** A held lock; it also ends with the process, however that ends. */
export interface FileLock {
  /** Gives the lock back. */
  release(): void;
}

/** File operations. All of them throw errors with the system's `code` (`ENOENT`, `EACCES`, …). */
export interface Files {
  /** Reads a file as UTF-8. */
  readText(path: string): string;
  /**
   * Reads a regular file, and waits for nothing, not even for the writer of a FIFO.
   * `undefined` where there is nothing. What is larger than 64 MiB has no bytes.
   * With `follow` false, a symbolic link at the path
   * itself is not followed, and has no bytes; directories on the way may still be links.
   */
  read(
    path: string,
    options: { readonly follow: boolean },
  ): Content | undefined;
  /** Whether a path leads to anything; a link that leads nowhere does not. */
  exists(path: string): boolean;
  /** Facts of what a path leads to, `undefined` where there is nothing. */
  stat(path: string): FileFacts | undefined;
  /** As {@linkcode Files.stat}, of a symbolic link itself. */
  lstat(path: string): FileFacts | undefined;
  /** The target of a symbolic link, as it is written there. */
  readLink(path: string): string;
  /** The absolute path without symbolic links. */
  realPath(path: string): string;
  /** Names in a directory, sorted; empty where the directory does not exist. */
  list(path: string): readonly string[];
  /** Creates a file that must not exist, writes it, and waits until it is on the disk. */
  create(path: string, text: string, mode: number): void;
  /** Replaces the content of an existing file in place, and waits until it is on the disk. */
  overwrite(path: string, text: string): void;
  /** Creates a directory and its parents; an existing one is left as it is. */
  makeDirectory(path: string, mode?: number): void;
  /** Gives a file another name, whose former file is gone then. */
  rename(from: string, to: string): void;
  /** Removes a file or an empty directory. */
  remove(path: string): void;
  /** Changes the permission bits. */
  chmod(path: string, mode: number): void;
  /** Sets when the content was last written; milliseconds since the epoch. */
  setModified(path: string, time: number): void;
  /** Makes an empty file that must not exist, and does not wait for the disk. */
  make(path: string, mode: number): void;
  /** Opens an existing file for writing and closes it, without waiting for a reader of a FIFO. */
  tryWriting(path: string): void;
  /** Waits until the entries of a directory are on the disk. */
  syncDirectory(path: string): void;
  /** Takes an exclusive lock on a file, which is created if absent; waits for another holder, deaf to signals. */
  lock(path: string): FileLock;
  /** Resolves as soon as nobody holds the lock on a file, at once where there is none, and hears signals meanwhile. */
  unlocked(path: string): Promise<void>;
  /** Bytes that may still be written to the file system of a path. */
  freeSpace(path: string): number;
}

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never jumps. */
  elapsed(): number;
  /** Resolves after the milliseconds, rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts after the milliseconds with a `TimeoutError`, and keeps nobody waiting. */
  timeout(milliseconds: number): AbortSignal;
}

/** A stream for people or programs. */
export interface Output {
  /** Whether a person is likely to look at it. */
  readonly isTerminal: boolean;
  /** Writes all of a text. */
  write(text: string): void;
}

/** A child process to run to its end. */
export interface ChildPlan {
  /** Path of the program, then its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its working directory; ours if absent. */
  readonly cwd?: string;
  /** The user to run as; ours if absent. */
  readonly uid?: number;
  /** The group to run as; ours if absent. */
  readonly gid?: number;
  /** Text for its standard input; `inherit` passes ours on; otherwise it is empty. */
  readonly input?: string | { readonly inherit: true };
  /** `capture` collects the output, `inherit` shows it as it comes. */
  readonly output: "capture" | "inherit";
  /** Ends it with SIGTERM. */
  readonly signal?: AbortSignal;
}

/** How a child process ended. */
export interface ChildResult {
  /** Exit code, 128+n for a signal. */
  readonly code: number;
  /** What it wrote to standard output, empty unless captured. */
  readonly stdout: string;
  /** What it wrote to standard error, empty unless captured. */
  readonly stderr: string;
}

/** The program to become. */
export interface ExecPlan {
  /** An absolute path, or a name to search in the `PATH` of `env`. */
  readonly path: string;
  /** The arguments, `argv[0]` first. */
  readonly args: readonly string[];
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** The working directory; the present one if absent. */
  readonly cwd?: string;
}

/** Signals that end the program while it still is itself. */
export type EndingSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT";

/** Everything that the program can see and do. */
export interface System {
  /** The environment as the process got it. */
  readonly env: Readonly<Record<string, string>>;
  /** Effective user and group; 0 is root. */
  readonly uid: number;
  /** The group. */
  readonly gid: number;
  /** The user that the program was started as, who may have given up being root since. */
  readonly startedAs: number;
  /** The versions of the runtime. */
  readonly runtime: { readonly deno: string; readonly v8: string };
  /** The name that the program was called by: `argv[0]`. */
  readonly programName: string;
  /** The file system. */
  readonly files: Files;
  /** Time. */
  readonly clock: Clock;
  /** Standard output, for answers. */
  readonly out: Output;
  /** Standard error, for messages. */
  readonly err: Output;
  /** Whether standard input is a terminal. */
  readonly inputIsTerminal: boolean;
  /** Addresses of a host name, from DNS and /etc/hosts. Rejects with `ENOTFOUND` and the like. */
  resolveHost(name: string): Promise<readonly string[]>;
  /** Cryptographically strong random bytes. */
  random(length: number): Uint8Array;
  /** Runs a child process to its end. Rejects with the system's `code` where it cannot be executed. */
  runChild(plan: ChildPlan): Promise<ChildResult>;
  /** Loads what {@linkcode System.exec} needs; the result lets signals end the process by themselves, once those before were heard. */
  prepareExec(): () => Promise<void>;
  /** Takes another user's identity for all threads of this process and for good, which only root can. */
  becomeUser(identity: Identity): void;
  /** Replaces this process; comes back only by throwing. */
  exec(plan: ExecPlan): never;
  /** Ends the process at once, and its child processes with it. */
  exit(code: number): never;
  /** Calls the handler for each of the ending signals; the result removes it. */
  onSignal(handler: (signal: EndingSignal) => void): () => void;
}

/** Numbers of the signals, for the exit code 128+n. */
export const SIGNAL_NUMBERS: Readonly<Record<EndingSignal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGTERM: 15,
};

/** What needs the C library. */
export type Handoff = Pick<System, "becomeUser" | "exec" | "prepareExec">;

/**
 * The real world.
 *
 * @param handoff The functions of `server/exec.ts`.
 * @returns The system that this process runs on.
 */
export function realSystem(handoff: Handoff): System {
  const uid = Deno.uid() ?? 0;
  return {
    ...handoff,
    env: Deno.env.toObject(),
    uid,
    gid: Deno.gid() ?? 0,
    startedAs: uid,
    runtime: Deno.version,
    // Not Deno.execPath(): that is the file behind a link, not the name that was called.
    programName: argv0,
    files: realFiles,
    clock: realClock,
    out: output(Deno.stdout),
    err: output(Deno.stderr),
    inputIsTerminal: Deno.stdin.isTerminal(),
    resolveHost,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    runChild,
    exit(code) {
      children.forEach(endChild);
      return Deno.exit(code);
    },
    onSignal,
  };
}

async function resolveHost(name: string): Promise<readonly string[]> {
  const addresses = await lookup(name, { all: true });
  return addresses.map(({ address }) => address);
}

const realFiles: Files = {
  readText: (path) => Deno.readTextFileSync(path),
  read,
  exists,
  stat: (path) => factsOf(() => Deno.statSync(path)),
  lstat: (path) => factsOf(() => Deno.lstatSync(path)),
  readLink: (path) => Deno.readLinkSync(path),
  realPath: (path) => Deno.realPathSync(path),
  list(path) {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  },
  create(path, text, mode) {
    writeDurably(path, text, { createNew: true, write: true, mode });
  },
  overwrite(path, text) {
    writeDurably(path, text, { write: true, truncate: true });
  },
  makeDirectory: (path, mode) =>
    Deno.mkdirSync(path, {
      recursive: true,
      ...(mode === undefined ? {} : { mode }),
    }),
  rename: (from, to) => Deno.renameSync(from, to),
  remove: (path) => Deno.removeSync(path),
  chmod: (path, mode) => Deno.chmodSync(path, mode),
  setModified: (path, time) =>
    Deno.utimeSync(path, new Date(time), new Date(time)),
  make: (path, mode) =>
    Deno.openSync(path, { createNew: true, write: true, mode }).close(),
  tryWriting: (path) =>
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)),
  syncDirectory(path) {
    using directory = Deno.openSync(path, { read: true });
    directory.syncSync();
  },
  lock(path) {
    const file = Deno.openSync(path, {
      create: true,
      write: true,
      mode: 0o600,
    });
    file.lockSync(true);
    return { release: () => file.close() };
  },
  async unlocked(path) {
    if (!exists(path)) return;
    using file = Deno.openSync(path, { write: true });
    // Mostly nobody holds it, and then there is nothing to wait for.
    if (!file.tryLockSync(true)) await file.lock(true);
    // A thread may keep it open a little longer than we do.
    file.unlockSync();
  },
  freeSpace(path) {
    const { bsize, bavail } = statfsSync(path);
    return bsize * bavail;
  },
};

/** Devices and FIFOs are opened too, to see that they are none of ours: that takes no time and changes nothing. */
function read(
  path: string,
  { follow }: { readonly follow: boolean },
): Content | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(
      path,
      constants.O_RDONLY | constants.O_NONBLOCK |
        (follow ? 0 : constants.O_NOFOLLOW),
    );
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (["ENOENT", "ENOTDIR"].includes(code)) return undefined;
    // A link that is not followed, or a socket.
    const facts = ["ELOOP", "ENXIO"].includes(code)
      ? factsOf(() => follow ? Deno.statSync(path) : Deno.lstatSync(path))
      : undefined;
    if (facts === undefined || facts.isFile) throw error;
    return { facts, bytes: undefined };
  }
  try {
    const facts = factsOfOpen(fstatSync(descriptor));
    const isReadable = facts.isFile && facts.size <= LARGEST;
    return {
      facts,
      bytes: isReadable ? readAll(descriptor, facts) : undefined,
    };
  } finally {
    closeSync(descriptor);
  }
}

/** No more than there was when it was opened, however fast it grows. */
function readAll(descriptor: number, { size }: FileFacts): Uint8Array {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const count = readSync(descriptor, bytes, { offset: length });
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function factsOfOpen(stats: Stats): FileFacts {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymlink: false,
    size: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    device: stats.dev,
    modified: stats.mtimeMs,
    changed: stats.ctimeMs,
  };
}

function exists(path: string): boolean {
  try {
    return factsOf(() => Deno.statSync(path)) !== undefined;
  } catch (error) {
    // A link that leads to itself leads nowhere.
    if (errorCode(error) === "ELOOP") return false;
    throw error;
  }
}

function factsOf(stat: () => Deno.FileInfo): FileFacts | undefined {
  try {
    const info = stat();
    return {
      isFile: info.isFile,
      isDirectory: info.isDirectory,
      isSymlink: info.isSymlink,
      size: info.size,
      mode: (info.mode ?? 0) & 0o7777,
      uid: info.uid ?? 0,
      gid: info.gid ?? 0,
      device: info.dev,
      modified: info.mtime?.getTime() ?? 0,
      changed: info.ctime?.getTime() ?? 0,
    };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) {
      return undefined;
    }
    throw error;
  }
}

function writeDurably(
  path: string,
  text: string,
  options: Deno.OpenOptions,
): void {
  using file = Deno.openSync(path, options);
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  file.syncSync();
}

const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(finish, milliseconds);
      signal?.addEventListener("abort", abort, { once: true });
      function finish(): void {
        signal?.removeEventListener("abort", abort);
        resolve();
      }
      function abort(): void {
        clearTimeout(timer);
        reject(signal?.reason);
      }
    });
  },
  timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
};

function output(stream: typeof Deno.stdout): Output {
  const encoder = new TextEncoder();
  return {
    isTerminal: stream.isTerminal(),
    write(text) {
      let rest = encoder.encode(text);
      try {
        while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
      } catch (error) {
        // A reader that went away (`… | head`) is no reason to fail a start.
        if (errorCode(error) !== "EPIPE") throw error;
      }
    },
  };
}

/** Those that run, so that none is left behind. */
const children = new Set<Deno.ChildProcess>();

function endChild(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended.
  }
}

/** The runtime has no code for a file that is no program of this machine's. */
const NO_PROGRAM_REGEXP = /\(os error 8\)$/;

function spawn(
  program: string,
  options: Deno.CommandOptions,
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    if (error instanceof Error && NO_PROGRAM_REGEXP.test(error.message)) {
      throw Object.assign(error, { code: "ENOEXEC" });
    }
    throw error;
  }
}

async function runChild(plan: ChildPlan): Promise<ChildResult> {
  const [program, ...args] = plan.command;
  const stream = plan.output === "capture" ? "piped" : "inherit";
  const child = spawn(program, {
    args,
    env: { ...plan.env },
    clearEnv: true,
    stdin: plan.input === undefined
      ? "null"
      : typeof plan.input === "string"
      ? "piped"
      : "inherit",
    stdout: stream,
    stderr: stream,
    ...(plan.cwd === undefined ? {} : { cwd: plan.cwd }),
    ...(plan.uid === undefined ? {} : { uid: plan.uid }),
    ...(plan.gid === undefined ? {} : { gid: plan.gid }),
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
  });
  children.add(child);
  child.status.finally(() => children.delete(child));
  if (typeof plan.input === "string") {
    const writer = child.stdin.getWriter();
    // A child that ends without reading closes the pipe; its exit code tells.
    await writer.write(new TextEncoder().encode(plan.input)).catch(() => {});
    await writer.close().catch(() => {});
  }
  if (stream === "inherit") {
    return { code: (await child.status).code, stdout: "", stderr: "" };
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

function onSignal(handler: (signal: EndingSignal) => void): () => void {
  const names = Object.keys(SIGNAL_NUMBERS) as EndingSignal[];
  const listeners = names.map((name) => {
    const listener = (): void => handler(name);
    Deno.addSignalListener(name, listener);
    return (): void => Deno.removeSignalListener(name, listener);
  });
  return () => listeners.forEach((remove) => remove());
}
