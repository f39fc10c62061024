/**
 * The hand-off: this process gives up its privileges, and becomes another
 * program, with the same PID and nothing of itself left.
 *
 * Deno has no `execve`, so this is the only module that calls the C library.
 * It must not decide anything: what to become is the caller's plan.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import type { ExecPlan, Identity } from "./system.ts";
import {
  type Attempt,
  candidates,
  codeNumber,
  Errno,
  execFailure,
  reasonOf,
  triesNext,
} from "./execvp.ts";

/**
 * Where the C library is, by architecture. A permission for these very paths
 * is enough; only glibc, because Deno itself runs on nothing else.
 */
const LIBC_PATHS: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"],
};

/**
 * The functions of the C library that every hand-off needs.
 *
 * Pointers travel as `u64`: `Deno.UnsafePointer` would need a permission for every library.
 */
const SYMBOLS = {
  __errno_location: { parameters: [], result: "u64" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  memcpy: { parameters: ["buffer", "u64", "usize"], result: "u64" },
  signal: { parameters: ["i32", "u64"], result: "u64" },
  sigprocmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * What changes the identity. The system calls change one thread; these functions of the C
 * library change all of them (nptl(7)), and Deno has threads that work on files.
 * They are loaded by themselves, since only root needs them.
 */
const IDENTITY_SYMBOLS = {
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
  getresgid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  getresuid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
type IdentityLibc = Deno.DynamicLibrary<typeof IDENTITY_SYMBOLS>["symbols"];

const SIGPIPE = 13;
const SIG_DFL = 0n;
const SIG_IGN = 1n;
/** Its number is above those of the ending signals, and by itself it does nothing. */
const PROBE_SIGNAL = "SIGWINCH";
/** Milliseconds that it may take. */
const SIGNAL_TIMEOUT = 100;
/** How often it is sent: what was ready together with the first one is heard before the second. */
const PROBES = 2;
/** SIGHUP, SIGINT, SIGQUIT and SIGTERM: a caught one would be lost in the moment of the exchange. */
const ENDING_SIGNALS = [1, 2, 3, 15];
const SIG_SETMASK = 2;
/** An empty set of signals; glibc's `sigset_t` has 128 bytes. */
const NO_SIGNALS = new Uint8Array(128);

const ENCODER = new TextEncoder();
/**
 * Becomes the program of the plan. It returns only by throwing, and what it
 * has changed by then (signals, working directory) stays changed. Descriptors
 * need no care: all that Deno opens are close-on-exec, the others are inherited.
 *
 * @param plan What to become.
 * @returns Never.
 * @throws {EntrypointError} with exit code 127 when the program does not exist,
 * and 126 when it cannot be executed.
 */
export function exec(plan: ExecPlan): never {
  const argv = plan.args.map((text) => cString(text));
  const envp = Object.entries(plan.env).map(([name, value]) =>
    cString(`${name}=${value}`)
  );
  const libc = openLibc();
  try {
    // First, since a signal that only Deno hears is lost from here on.
    resetSignals(libc);
    if (plan.cwd !== undefined) enter(plan.cwd);
    throw execute(libc, { plan, argv, envp });
  } finally {
    library?.close();
    library = undefined;
  }
}

/**
 * Loads what {@linkcode exec} needs, since that takes milliseconds in which no signal is heard.
 *
 * @returns What lets signals end this process without asking it, since one that only
 * Deno hears is lost when the process becomes another. The first process of a
 * container hears them to the last: the kernel would drop them.
 */
export function prepareExec(): () => Promise<void> {
  const libc = openLibc();
  return async () => {
    if (Deno.pid !== 1) releaseSignals(libc);
    await deliverPendingSignals();
  };
}

/** Resolves when all signals that came were heard: one that we send ourselves comes behind them. */
async function deliverPendingSignals(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // Without a signal of our own, as a sandbox may have it, there is only time.
  const timer = setTimeout(resolve, SIGNAL_TIMEOUT);
  let heard = 0;
  const listener = (): void => ++heard < PROBES ? sendProbe() : resolve();
  Deno.addSignalListener(PROBE_SIGNAL, listener);
  sendProbe();
  await promise;
  clearTimeout(timer);
  Deno.removeSignalListener(PROBE_SIGNAL, listener);
}

function sendProbe(): void {
  try {
    Deno.kill(Deno.pid, PROBE_SIGNAL);
  } catch {
    // The time helps.
  }
}

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

function openLibc(): Libc {
  library ??= loadLibc(SYMBOLS);
  return library.symbols;
}

function loadLibc<T extends Deno.ForeignLibraryInterface>(
  symbols: T,
): Deno.DynamicLibrary<T> {
  const paths = LIBC_PATHS[Deno.build.arch] ?? [];
  let cause: unknown;
  for (const path of paths) {
    try {
      return Deno.dlopen(path, symbols);
    } catch (error) {
      cause ??= error;
    }
  }
  throw new EntrypointError(
    `Cannot load the C library, tried: ${paths.join(", ")}`,
    {
      code: ExitCode.cannotExecute,
      remedy: "Use an image with glibc, for example one based on Debian",
      cause,
    },
  );
}

/**
 * Takes the identity of a user, for all threads of this process and for good. No
 * supplementary groups are left.
 *
 * @param identity The user, and its only group.
 * @throws {EntrypointError} with exit code 126 where it cannot be taken; it may have been
 * taken in part then, so that the process should end.
 */
export function becomeUser(identity: Identity): void {
  const libc = openLibc();
  const identities = loadLibc(IDENTITY_SYMBOLS);
  try {
    become(identities.symbols, libc, identity);
  } finally {
    identities.close();
  }
}

/** The groups go first, because only root may change them, and the user last. */
function become(
  { setgroups, setgid, setuid, ...ask }: IdentityLibc,
  libc: Libc,
  { uid, gid }: Identity,
): void {
  const steps: readonly (readonly [string, () => number])[] = [
    ["setgroups", () => setgroups(0n, null)],
    ["setgid", () => setgid(gid)],
    ["setuid", () => setuid(uid)],
  ];
  for (const [name, step] of steps) {
    if (step() !== 0) {
      throw identityError(
        { uid, gid },
        `${name} failed, ${reasonOf(errnoOf(libc))}`,
      );
    }
  }
  const isTaken = isAll(ask.getresuid, uid) && isAll(ask.getresgid, gid);
  if (!isTaken || (uid !== 0 && setuid(0) === 0)) {
    throw identityError({ uid, gid }, "the change did not take effect");
  }
}

/** Whether the real, the effective and the saved id are this one. */
function isAll(ask: IdentityLibc["getresuid"], id: number): boolean {
  const ids = [0, 0, 0].map(() => new Uint32Array(1)) as [
    Uint32Array<ArrayBuffer>,
    Uint32Array<ArrayBuffer>,
    Uint32Array<ArrayBuffer>,
  ];
  return ask(...ids) === 0 && ids.every(([found]) => found === id);
}

function identityError(
  { uid, gid }: Identity,
  reason: string,
): EntrypointError {
  return new EntrypointError(
    `Cannot become the user ${uid}:${gid}: ${reason}`,
    {
      code: ExitCode.cannotExecute,
      remedy:
        `Start the container as that user (docker run --user ${uid}:${gid} …), or let root change it (--cap-add SETUID --cap-add SETGID)`,
    },
  );
}

/**
 * The Rust runtime below Deno ignores SIGPIPE, which `execve` would hand on;
 * caught signals it resets itself. What our own parent ignored stays ignored.
 */
function resetSignals(libc: Libc): void {
  libc.signal(SIGPIPE, SIG_DFL);
  releaseSignals(libc);
  libc.sigprocmask(SIG_SETMASK, NO_SIGNALS, null);
}

function releaseSignals(libc: Libc): void {
  for (const number of ENDING_SIGNALS) {
    const old = libc.signal(number, SIG_DFL);
    if (old === SIG_IGN) libc.signal(number, SIG_IGN);
  }
}

function enter(directory: string): void {
  try {
    Deno.chdir(directory);
  } catch (error) {
    throw new EntrypointError(
      `Cannot enter the directory ${directory}: ${
        reasonOf(codeNumber(error) ?? Errno.EINVAL)
      }`,
      {
        code: ExitCode.cannotExecute,
        remedy: `ls -ld ${directory}`,
        cause: error,
      },
    );
  }
}

interface Prepared {
  readonly plan: ExecPlan;
  readonly argv: readonly Uint8Array<ArrayBuffer>[];
  readonly envp: readonly Uint8Array<ArrayBuffer>[];
}

/** Tries each candidate; coming back at all is a failure. */
function execute(libc: Libc, { plan, argv, envp }: Prepared): EntrypointError {
  const args = stringArray(libc, argv);
  const variables = stringArray(libc, envp);
  const attempts: Attempt[] = [];
  for (const path of candidates(plan.path, plan.env["PATH"])) {
    libc.execve(cString(path), args.pointers, variables.pointers);
    const errno = errnoOf(libc);
    const attempt: Attempt = { path, errno, ...lookAt(path) };
    attempts.push(attempt);
    if (!triesNext(attempt)) break;
  }
  return execFailure(plan.path, attempts);
}

function lookAt(path: string): Pick<Attempt, "exists" | "isDirectory"> {
  try {
    return { exists: true, isDirectory: Deno.statSync(path).isDirectory };
  } catch {
    return { exists: false, isDirectory: false };
  }
}

/** A NULL-terminated array of C strings, and the strings, which must not go before it does. */
interface StringArray {
  readonly pointers: BigUint64Array<ArrayBuffer>;
  readonly strings: Uint8Array<ArrayBuffer>;
}

function stringArray(
  libc: Libc,
  strings: readonly Uint8Array<ArrayBuffer>[],
): StringArray {
  const size = strings.reduce((sum, { length }) => sum + length, 0);
  const block = new Uint8Array(new ArrayBuffer(size));
  const pointers = new BigUint64Array(strings.length + 1);
  const address = addressOf(libc, block);
  let offset = 0;
  for (const [index, text] of strings.entries()) {
    block.set(text, offset);
    pointers[index] = address + BigInt(offset);
    offset += text.length;
  }
  return { pointers, strings: block };
}

/** Where some bytes are: `memcpy` gives back where it copies to, be it nothing at all. */
function addressOf(libc: Libc, bytes: Uint8Array<ArrayBuffer>): bigint {
  const anywhere = BigInt(libc.__errno_location());
  return BigInt(libc.memcpy(bytes, anywhere, 0n));
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new EntrypointError(
      "Cannot hand over a text with a NUL character: arguments, variables and paths end there",
      {
        code: ExitCode.cannotExecute,
        remedy: "Remove the NUL character from the argument or variable",
      },
    );
  }
  return ENCODER.encode(`${text}\0`);
}

function errnoOf(libc: Libc): number {
  const cell = new Int32Array(1);
  const location = BigInt(libc.__errno_location());
  libc.memcpy(cell, location, 4n);
  return cell[0] ?? Errno.EINVAL;
}
