/**
 * Replaces this process by another program, with the same PID (execve(2)). Deno has no such
 * function, so this module calls the C library.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import { shellWord } from "../shell.ts";
import { isUtf8 } from "node:buffer";
import { ERRNO_SYMBOLS, errnoOf, loadLibc } from "./libc.ts";
import type { ExecPlan, RawVariable } from "./system.ts";
import {
  type Attempt,
  candidates,
  continuesSearch,
  describeErrno,
  Errno,
  errnoFromError,
  execFailure,
} from "./execvp.ts";

/** The functions of the C library that replace the process. */
const SYMBOLS = {
  ...ERRNO_SYMBOLS,
  environ: { type: "u64" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  sigaction: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  signal: { parameters: ["i32", "u64"], result: "u64" },
  sigprocmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  strlen: { parameters: ["u64"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const SIGPIPE = 13;
const SIG_DFL = 0n;
const SIG_IGN = 1n;
/** A signal that is ignored by default, and whose number is above those of {@linkcode TERMINATION_SIGNALS}. */
const PROBE_SIGNAL = "SIGWINCH";
/** Milliseconds to wait for {@linkcode PROBE_SIGNAL}. */
const PROBE_TIMEOUT = 100;
/** Deno may deliver the first probe before a signal that came together with it, but not the second. */
const PROBES = 2;
/** SIGHUP, SIGINT, SIGQUIT and SIGTERM. A signal that Deno has caught, but not yet delivered, is lost by `execve`. */
const TERMINATION_SIGNALS = [1, 2, 3, 15];
const SIG_SETMASK = 2;
/** An empty set of signals; glibc's `sigset_t` has 128 bytes. */
const NO_SIGNALS = new Uint8Array(128);

const ENCODER = new TextEncoder();

/**
 * Replaces this process by another program. If that fails, the changes that it has made to
 * signals and working directory stay. File descriptors that Deno opened are close-on-exec;
 * the program inherits all others.
 *
 * @param plan The program.
 * @returns Never.
 * @throws {EntrypointError} With exit code 127 if the program does not exist, and with 126
 * if it cannot be executed.
 */
export function exec(plan: ExecPlan): never {
  const argv = plan.args.map((text) => cString(text));
  const envp = [
    ...Object.entries(plan.env).map(([name, value]) =>
      cString(`${name}=${value}`)
    ),
    ...(plan.raw ?? []).map(({ bytes }) => Uint8Array.from([...bytes, 0])),
  ];
  const libc = openLibc();
  try {
    // First, because a signal that Deno catches from here on is lost.
    resetSignals(libc);
    if (plan.cwd !== undefined) changeDirectory(plan.cwd);
    throw execute(libc, { plan, argv, envp });
  } finally {
    library?.close();
    library = undefined;
  }
}

/**
 * Loads the C library before {@linkcode exec} needs it: that takes milliseconds, in which
 * Deno delivers no signal.
 *
 * @returns A function that makes termination signals end this process directly, because a
 * signal that Deno catches just before `execve` would be lost, and then waits until Deno has
 * delivered the earlier ones. PID 1 keeps its handlers: the kernel drops a signal for which
 * PID 1 has none (pid_namespaces(7)).
 */
export function prepareExec(): () => Promise<void> {
  const libc = openLibc();
  return async () => {
    if (Deno.pid !== 1) removeSignalHandlers(libc);
    await deliverPendingSignals();
  };
}

/**
 * Finds the variables that Deno leaves out of the environment, because they are not UTF-8.
 *
 * @returns The variables; none if the C library cannot be loaded.
 */
export function rawVariables(): readonly RawVariable[] {
  const libc = tryLibc();
  const found: RawVariable[] = [];
  const cell = new BigUint64Array(1);
  let at = libc === undefined ? 0n : BigInt(libc.environ);
  for (; libc !== undefined && at !== 0n; at += BigInt(cell.byteLength)) {
    libc.memcpy(cell, at, BigInt(cell.byteLength));
    const [address = 0n] = cell;
    if (address === 0n) break;
    const length = libc.strlen(address);
    const bytes = new Uint8Array(Number(length));
    libc.memcpy(bytes, address, BigInt(length));
    if (isUtf8(bytes)) continue;
    const [name = ""] = new TextDecoder("latin1").decode(bytes).split("=");
    found.push({ name, bytes });
  }
  return found;
}

/** The signals that {@linkcode findIgnoredSignals} has found. */
let ignoredSignals: readonly number[] = [];

/**
 * Finds the termination signals that the parent process ignored, as nohup(1) does. It has to be
 * called before the first signal listener: with that, Deno handles SIGHUP, SIGINT and SIGTERM,
 * whatever it listens to.
 *
 * @returns The numbers; none if the C library cannot be loaded.
 */
export function findIgnoredSignals(): readonly number[] {
  const libc = tryLibc();
  // The handler is the first member of glibc's `struct sigaction`, which has 152 bytes.
  const action = new BigUint64Array(19);
  ignoredSignals = TERMINATION_SIGNALS.filter((number) =>
    libc?.sigaction(number, 0n, action) === 0 && action[0] === SIG_IGN
  );
  return ignoredSignals;
}

/** Ignores the signals again that {@linkcode findIgnoredSignals} has found. */
export function keepIgnoredSignals(): void {
  for (const number of ignoredSignals) tryLibc()?.signal(number, SIG_IGN);
}

/** Resolves when Deno has delivered all pending signals: the probe, which it sends to itself, comes after them. */
async function deliverPendingSignals(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // A sandbox may forbid sending signals; then waiting a moment has to do.
  const timer = setTimeout(resolve, PROBE_TIMEOUT);
  let received = 0;
  const listener = (): void => ++received < PROBES ? sendProbe() : resolve();
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
    // The timer resolves the promise.
  }
}

/** Elsewhere than in an image the C library may have another path. Then {@linkcode exec} fails, and nothing else. */
function tryLibc(): Libc | undefined {
  try {
    return openLibc();
  } catch {
    return undefined;
  }
}

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

function openLibc(): Libc {
  library ??= loadLibc(SYMBOLS);
  return library.symbols;
}

/**
 * Restores the signals as this process got them. `execve` keeps ignored signals ignored, and
 * Rust's runtime ignores SIGPIPE: https://doc.rust-lang.org/unstable-book/language-features/unix-sigpipe.html
 */
function resetSignals(libc: Libc): void {
  libc.signal(SIGPIPE, SIG_DFL);
  removeSignalHandlers(libc);
  libc.sigprocmask(SIG_SETMASK, NO_SIGNALS, null);
}

/** Restores the default action of the termination signals; one that the parent process ignored stays ignored. */
function removeSignalHandlers(libc: Libc): void {
  for (const number of TERMINATION_SIGNALS) {
    const old = libc.signal(number, SIG_DFL);
    if (old === SIG_IGN || ignoredSignals.includes(number)) {
      libc.signal(number, SIG_IGN);
    }
  }
}

function changeDirectory(directory: string): void {
  try {
    Deno.chdir(directory);
  } catch (error) {
    throw new EntrypointError(
      `Cannot change to the directory ${directory}: ${
        describeErrno(errnoFromError(error) ?? Errno.EINVAL)
      }`,
      {
        code: ExitCode.cannotExecute,
        remedy: `ls -ld ${shellWord(directory)}`,
        cause: error,
      },
    );
  }
}

/** A plan with its texts as C strings. */
interface EncodedPlan {
  readonly plan: ExecPlan;
  readonly argv: readonly Uint8Array<ArrayBuffer>[];
  readonly envp: readonly Uint8Array<ArrayBuffer>[];
}

/** Tries each candidate. It returns only if all of them fail. */
function execute(
  libc: Libc,
  { plan, argv, envp }: EncodedPlan,
): EntrypointError {
  const args = stringArray(libc, argv);
  const variables = stringArray(libc, envp);
  const attempts: Attempt[] = [];
  for (const path of candidates(plan.path, plan.env["PATH"])) {
    libc.execve(cString(path), args.pointers, variables.pointers);
    const errno = errnoOf(libc);
    const attempt: Attempt = { path, errno, ...inspect(path) };
    attempts.push(attempt);
    if (!continuesSearch(attempt)) break;
  }
  return execFailure(plan.path, attempts);
}

function inspect(
  path: string,
): Pick<Attempt, "exists" | "isDirectory" | "mode"> {
  try {
    const { isDirectory, mode } = Deno.statSync(path);
    return { exists: true, isDirectory, mode: mode ?? 0 };
  } catch {
    return { exists: false, isDirectory: false };
  }
}

/** A NULL-terminated array of C strings, and the strings, which must live as long as the array. */
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

/** Finds the address of a buffer: `memcpy` returns its destination, even if it copies no bytes. */
function addressOf(libc: Libc, bytes: Uint8Array<ArrayBuffer>): bigint {
  const anySource = BigInt(libc.__errno_location());
  return BigInt(libc.memcpy(bytes, anySource, 0n));
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new EntrypointError(
      "An argument, variable or path of the program contains a NUL character, where the system would cut it off",
      {
        code: ExitCode.cannotExecute,
        remedy: "Remove the NUL character from the argument, variable or path",
      },
    );
  }
  return ENCODER.encode(`${text}\0`);
}
