/**
 * Everything outside the program as one interface.
 *
 * Functions ask for the part that they use, and tests pass a system of their own.
 * `real_system.ts` is the one that this process runs on.
 *
 * @module
 */

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
