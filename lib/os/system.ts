/**
 * The interface to everything outside the program. Functions take the parts that they use;
 * `real_system.ts` implements all of it, and tests use a fake.
 *
 * @module
 */

/** A user and its groups. */
export interface Identity {
  /** The user id. */
  readonly uid: number;
  /** The group id. */
  readonly gid: number;
  /** The ids of supplementary groups; none by default. */
  readonly groups?: readonly number[];
}

/** Directories to give to a user. */
export interface GivePlan {
  /** The directories of the settings, the outer ones first; they are created if they are missing. */
  readonly own: readonly string[];
  /** Directories of the installed server; missing ones are left alone. */
  readonly installed: readonly string[];
  /** A file in them that may be a mount of its own. */
  readonly mountedFile: string;
  /** The user. */
  readonly owner: Identity;
  /** Ends the walk. */
  readonly signal: AbortSignal;
  /** Is called many times a second with the number of files and directories that were given. */
  progress(count: number): void;
}

/** A directory that changed its owner, or something in it did. */
export interface GivenDirectory {
  /** The path, as the plan has it. */
  readonly path: string;
  /** The number of files and directories that were given. */
  readonly count: number;
}

/** A directory of the settings that root cannot give safely. */
export interface WithheldDirectory {
  /** The path, as the plan has it. */
  readonly path: string;
  /** The parent directory in which somebody else can replace it. */
  readonly exposed: string;
}

/** Files and directories that were not given. */
export interface NotGiven {
  /** Several hard links, another mount, too deep, or refused by the system. */
  readonly reason: "links" | "mount" | "depth" | "refused";
  /** The first one. */
  readonly path: string;
  /** The number of them. */
  readonly count: number;
  /** The error of the system, if it refused. */
  readonly cause: string;
}

/** The result of giving directories. */
export interface GiveReport {
  /** The directories that existed and were given. */
  readonly given: readonly GivenDirectory[];
  /** The directories that were not given, because somebody else could replace them. */
  readonly withheld: readonly WithheldDirectory[];
  /** What was not given in them; nothing that the user can write to anyway. */
  readonly notGiven: readonly NotGiven[];
}

/** A capability of Linux that changing the user needs: capabilities(7). */
export type Capability = "SETGID" | "SETUID";

/** The metadata of a file that the program uses (stat(2)). */
export interface FileFacts {
  /** Whether it is a regular file. */
  readonly isFile: boolean;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** Whether it is a symbolic link; only {@linkcode Files.lstat} and {@linkcode Files.read} find any. */
  readonly isSymlink: boolean;
  /** The size in bytes. */
  readonly size: number;
  /** Permission bits, without the file type. */
  readonly mode: number;
  /** The user id of the owner. */
  readonly uid: number;
  /** The group id. */
  readonly gid: number;
  /** The id of the device that contains the file. */
  readonly device: number;
  /** `mtime`: when the content last changed, in milliseconds since the epoch. */
  readonly modified: number;
  /**
   * `ctime`: when content, owner, mode or name last changed, in milliseconds since the epoch.
   * For a file of an image it is not before the image was unpacked on this machine.
   */
  readonly changed: number;
}

/** A file that was opened and read. */
export interface OpenedFile {
  /** The metadata of the file that was opened. */
  readonly facts: FileFacts;
  /** The content; `undefined` if it is not a regular file, or too large. */
  readonly bytes: Uint8Array | undefined;
}

/** A directory that {@linkcode Files.makePrivateDirectory} creates. */
export interface PrivateDirectoryPlan {
  /** The beginning of its path; random letters follow. */
  readonly prefix: string;
  /** The name of the file in it, and its text, which may contain the path of the directory. */
  readonly file: {
    readonly name: string;
    readonly text: (directory: string) => string;
  };
  /** The user to give both to; by default they stay with the user of this process. */
  readonly owner?: Identity;
}

/** A lock on a file. It ends at the latest when the process ends (flock(2)). */
export interface FileLock {
  /** Releases the lock. */
  release(): void;
}

/** File operations. They throw errors with the `code` of the system (`ENOENT`, `EACCES`). */
export interface Files {
  /**
   * Reads a regular file of up to 64 MiB, without waiting for the writer of a FIFO.
   * `undefined` if the file does not exist. If `follow` is false, a symbolic link at the end
   * of the path is not followed; one in place of a directory is.
   */
  read(
    path: string,
    options: { readonly follow: boolean },
  ): OpenedFile | undefined;
  /**
   * Reads a regular file of up to 4 GiB in parts of up to `size` bytes, symbolic links followed.
   * Each part but the first begins with the last `overlap` bytes of the one before, and is valid
   * until the next one is read. Anything else has no parts.
   */
  readParts(
    path: string,
    limits: { readonly size: number; readonly overlap: number },
  ): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Checks whether a path exists, symbolic links followed. */
  exists(path: string): boolean;
  /** Gets the metadata of a file, symbolic links followed; `undefined` if it does not exist. */
  stat(path: string): FileFacts | undefined;
  /** Like {@linkcode Files.stat}, but gets the metadata of a symbolic link itself. */
  lstat(path: string): FileFacts | undefined;
  /** Reads the target of a symbolic link. */
  readLink(path: string): string;
  /** Resolves all symbolic links of a path. */
  realPath(path: string): string;
  /** Lists the names in a directory, sorted; none if the directory does not exist. */
  list(path: string): readonly string[];
  /** Creates a file, which must not exist, writes it and flushes it to the disk (fsync(2)). */
  create(path: string, text: string, mode: number): void;
  /** Replaces the content of an existing regular file in place, and flushes it to the disk (fsync(2)). Follows no symbolic link. */
  overwrite(path: string, text: string): void;
  /** Creates a directory and its parents. Existing ones stay as they are. */
  makeDirectory(path: string, mode?: number): void;
  /** Renames a file, and replaces an existing one of the new name. */
  rename(from: string, to: string): void;
  /** Removes a file or an empty directory. */
  remove(path: string): void;
  /**
   * Creates a directory with a random name that only its owner can enter, with one file in it
   * that only its owner can read, and gives both to a user if that is another one.
   */
  makePrivateDirectory(plan: PrivateDirectoryPlan): string;
  /** Removes a directory and the files in it, with the rights of its owner if that is not this user. No symbolic link is followed. */
  removeDirectory(path: string, owner?: Identity): void;
  /** Changes the permission bits. */
  chmod(path: string, mode: number): void;
  /** Sets `mtime`, in milliseconds since the epoch. */
  setModified(path: string, time: number): void;
  /** Creates an empty file, which must not exist, and removes it. */
  tryCreating(path: string): void;
  /** Opens an existing file for writing and closes it, without waiting for the reader of a FIFO. */
  tryWriting(path: string): void;
  /** Flushes the entries of a directory to the disk (fsync(2)). */
  syncDirectory(path: string): void;
  /**
   * Takes the exclusive lock of a regular file, and creates the file if necessary. `undefined`
   * if another process holds the lock. Never waits, and never follows a symbolic link.
   */
  tryLock(path: string): FileLock | undefined;
  /** Gets the free bytes of the file system that contains a path, without those reserved for root. */
  freeSpace(path: string): number;
}

/** Clocks and timers. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a monotonic clock. */
  elapsed(): number;
  /** Resolves after the given milliseconds; rejects with the signal's reason if the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Creates a signal that aborts after the given milliseconds with a `TimeoutError`. It does not keep the program running. */
  timeout(milliseconds: number): AbortSignal;
}

/** Standard output or standard error. */
export interface Output {
  /** Whether it is a terminal. */
  readonly isTerminal: boolean;
  /** Writes the whole text. */
  write(text: string): void;
}

/** A child process to run. */
export interface ChildPlan {
  /** The path of the program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The working directory; by default that of this process. */
  readonly cwd?: string;
  /** The user to run as; by default that of this process. */
  readonly uid?: number;
  /** The group to run as; by default that of this process. */
  readonly gid?: number;
  /** The text of its standard input, or that of this process with `inherit`; by default empty. */
  readonly input?: string | { readonly inherit: true };
  /** `capture` returns the output, `inherit` passes it through. */
  readonly output: "capture" | "inherit";
  /** Ends the child process with SIGTERM. */
  readonly signal?: AbortSignal;
}

/** A child process to watch: it has no input, and runs in a process group of its own. */
export interface WatchPlan {
  /** The path of the program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The working directory. */
  readonly cwd: string;
  /** The user to run as; by default that of this process. */
  readonly uid?: number;
  /** The group to run as; by default that of this process. */
  readonly gid?: number;
  /** Kills the process group. */
  readonly signal: AbortSignal;
  /** Tells for each line of either stream whether the child has said enough; it is then killed. */
  readonly isEnough?: (line: string) => boolean;
}

/** What a watched child process has said. */
export interface Observation {
  /** The lines of standard output and standard error, in the order in which they arrived; the first 256 KiB. */
  readonly lines: readonly string[];
  /** The exit code, 128+n after signal n; `undefined` if the child was killed because it had said enough, or by the signal of its plan. */
  readonly code: number | undefined;
}

/** The result of a child process. */
export interface ChildResult {
  /** The exit code; 128+n after signal n. */
  readonly code: number;
  /** Its standard output; empty unless captured. */
  readonly stdout: string;
  /** Its standard error; empty unless captured. */
  readonly stderr: string;
}

/** Where a server listens. */
export interface ListenAddress {
  /** The IP address or host name; `undefined` for all addresses of the machine. */
  readonly host: string | undefined;
  /** The TCP port. */
  readonly port: number;
}

/** A variable of the environment that is not UTF-8 text. */
export interface RawVariable {
  /** The name, decoded as Latin-1. */
  readonly name: string;
  /** The bytes `NAME=value`. */
  readonly bytes: Uint8Array;
}

/** A program that replaces this process. */
export interface ExecPlan {
  /** A path, or a name to search in the `PATH` of `env`. */
  readonly path: string;
  /** The arguments, beginning with `argv[0]`. */
  readonly args: readonly string[];
  /** The environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables in addition to `env`; by default none. */
  readonly raw?: readonly RawVariable[];
  /** The working directory; by default that of this process. */
  readonly cwd?: string;
}

/** The signals that terminate the program. */
export type TerminationSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT";

/** Everything that the program can observe and do outside itself. */
export interface System {
  /** The environment of this process, without {@linkcode System.rawVariables}. */
  readonly env: Readonly<Record<string, string>>;
  /** The effective user id; 0 is root. */
  readonly uid: number;
  /** The effective group id. */
  readonly gid: number;
  /** The user id at the start of the program, before a change by {@linkcode System.becomeUser}. */
  readonly startedAs: number;
  /** The versions of the runtime. */
  readonly runtime: { readonly deno: string; readonly v8: string };
  /** The name under which the program was started: `argv[0]`. */
  readonly programName: string;
  /** The file system. */
  readonly files: Files;
  /** Clocks and timers. */
  readonly clock: Clock;
  /** Standard output, for results. */
  readonly out: Output;
  /** Standard error, for messages. */
  readonly err: Output;
  /** Whether standard input is a terminal. */
  readonly inputIsTerminal: boolean;
  /** Resolves a host name to its addresses, with DNS and /etc/hosts. Rejects with a code such as `ENOTFOUND`. */
  resolveHost(name: string): Promise<readonly string[]>;
  /** Generates cryptographically strong random bytes. */
  random(length: number): Uint8Array;
  /** Runs a child process and waits for its end. Rejects with the `code` of the system if it cannot be executed. */
  runChild(plan: ChildPlan): Promise<ChildResult>;
  /**
   * Runs a child process until it has said enough, and reads both of its streams. It has ended
   * when the promise resolves. Rejects with the `code` of the system if it cannot be executed.
   */
  watchChild(plan: WatchPlan): Promise<Observation>;
  /**
   * Loads what {@linkcode System.exec} needs. The returned function makes termination signals
   * end the process directly, and resolves when the handlers of the earlier ones have run.
   */
  prepareExec(): () => Promise<void>;
  /**
   * Listens on a TCP port for a moment. `EACCES`, `EADDRINUSE` or `EADDRNOTAVAIL`; `undefined` if
   * nothing is known against it.
   */
  tryPort(address: ListenAddress): string | undefined;
  /** Tells whether a program has capabilities of its own (setcap(8)). */
  hasCapabilities(path: string): boolean;
  /** Gets the supplementary groups of this process, without group 0. */
  supplementaryGroups(): readonly number[];
  /** Finds the capabilities that this process lacks to become a user. */
  missingCapabilities(identity: Identity): readonly Capability[];
  /**
   * Makes file operations that read with the rights of a user, for root: no link leads to what that
   * user cannot read. They also read what only root can read in directories of the settings, if these
   * are named, and if it could be given to the user.
   */
  filesFor(user: Identity, own?: readonly string[]): Files;
  /** Creates directories and gives them to a user with everything in them. Only root can do that. */
  giveDirectories(plan: GivePlan): Promise<GiveReport>;
  /**
   * Changes user and group of this process irrevocably, for all threads, and removes group 0 from
   * the supplementary groups. Only root can do that.
   */
  becomeUser(identity: Identity): void;
  /** Replaces this process by another program; returns only by throwing. */
  exec(plan: ExecPlan): never;
  /** Finds the variables of the environment that are not UTF-8 text. */
  rawVariables(): readonly RawVariable[];
  /** Ends this process and its child processes at once. */
  exit(code: number): never;
  /** Calls the handler for each termination signal that the parent process did not ignore. The returned function removes the handler. */
  onSignal(handler: (signal: TerminationSignal) => void): () => void;
}

/** The signal numbers, for the exit code 128+n. */
export const SIGNAL_NUMBERS: Readonly<Record<TerminationSignal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGTERM: 15,
};
