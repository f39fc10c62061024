/**
 * Child processes, and the signals that this process receives.
 *
 * @module
 */

import type {
  ChildPlan,
  ChildResult,
  Observation,
  TerminationSignal,
  WatchPlan,
} from "./system.ts";
import { findIgnoredSignals, keepIgnoredSignals } from "./exec.ts";
import { SIGNAL_NUMBERS } from "./system.ts";

/** Functions that end the child processes that still run. */
const children = new Set<() => void>();

/** Sends SIGTERM to the child processes that still run, and kills those that are watched. */
export function endChildren(): void {
  children.forEach((end) => end());
}

function sendSignal(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

/** Remembers how to end a child process, until it has ended. */
function remember(child: Deno.ChildProcess, end: () => void): void {
  children.add(end);
  child.status.finally(() => children.delete(end));
}

/** Deno sets no `code` on the error of ENOEXEC, a file that this machine cannot execute. */
const ENOEXEC_REGEXP = /\(os error 8\)$/;

function spawn(
  program: string,
  options: Deno.CommandOptions,
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    if (error instanceof Error && ENOEXEC_REGEXP.test(error.message)) {
      throw Object.assign(error, { code: "ENOEXEC" });
    }
    throw error;
  }
}

/**
 * Runs a child process and waits for its end.
 *
 * @param plan The program, its arguments and environment.
 * @returns Exit code and output.
 * @throws {Error} With the code of the system if the program cannot be executed.
 */
export async function runChild(plan: ChildPlan): Promise<ChildResult> {
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
  remember(child, () => sendSignal(child.pid, "SIGTERM"));
  if (typeof plan.input === "string") {
    const writer = child.stdin.getWriter();
    // A child that ends without reading its input closes the pipe. That is not an error.
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

/** Characters of both streams of a watched child process that are kept. */
const OBSERVED_LENGTH = 256 * 1024;

/** Characters of one line that are kept. */
const LONGEST_LINE = 16 * 1024;

/** Milliseconds that the streams of a watched child process may stay open after its end. */
const CLOSING_TIME = 500;

/**
 * Runs a child process in a process group of its own until it has said enough.
 *
 * @param plan The program, and what is enough.
 * @returns What it has said.
 * @throws {Error} With the code of the system if the program cannot be executed.
 */
export async function watchChild(plan: WatchPlan): Promise<Observation> {
  const { command: [program, ...args], signal, isEnough = () => false } = plan;
  signal.throwIfAborted();
  const child = spawn(program, {
    args,
    env: { ...plan.env },
    clearEnv: true,
    cwd: plan.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
    ...(plan.uid === undefined ? {} : { uid: plan.uid }),
    ...(plan.gid === undefined ? {} : { gid: plan.gid }),
  });
  // The group has the number of its first process (setsid(2)).
  const kill = (): void => sendSignal(-child.pid, "SIGKILL");
  remember(child, kill);
  const lines: string[] = [];
  let length = 0;
  let isKilled = false;
  const stop = (): void => {
    isKilled = true;
    kill();
  };
  const take = (line: string): void => {
    length += line.length;
    if (length <= OBSERVED_LENGTH) lines.push(line);
    if (!isKilled && isEnough(line)) stop();
  };
  signal.addEventListener("abort", stop, { once: true });
  const closing = new AbortController();
  const streams = Promise.all(
    [child.stdout, child.stderr].map((stream) =>
      readLines(stream, take, closing.signal)
    ),
  );
  const { code } = await child.status;
  signal.removeEventListener("abort", stop);
  // What it has started must not outlive it.
  kill();
  // Only a process that has left the group can keep the streams open for longer.
  const timer = setTimeout(() => closing.abort(), CLOSING_TIME);
  await streams;
  clearTimeout(timer);
  return { lines, code: isKilled ? undefined : code };
}

async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
  closing: AbortSignal,
): Promise<void> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  closing.addEventListener("abort", () => reader.cancel());
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = `${rest}${value}`.split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    lines.forEach((line) => take(line.slice(0, LONGEST_LINE)));
  }
  if (rest !== "") take(rest);
}

/**
 * Calls a handler for each termination signal that the parent process did not ignore.
 *
 * @param handler Gets the name of the signal.
 * @returns A function that removes the handler.
 */
export function onSignal(
  handler: (signal: TerminationSignal) => void,
): () => void {
  const ignored = findIgnoredSignals();
  const names = (Object.keys(SIGNAL_NUMBERS) as TerminationSignal[])
    .filter((name) => !ignored.includes(SIGNAL_NUMBERS[name]));
  const listeners = names.map((name) => {
    const listener = (): void => handler(name);
    Deno.addSignalListener(name, listener);
    return (): void => Deno.removeSignalListener(name, listener);
  });
  keepIgnoredSignals();
  return () => listeners.forEach((remove) => remove());
}
