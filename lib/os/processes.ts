/**
 * Child processes, and the signals that this process receives.
 *
 * @module
 */

import type { ChildPlan, ChildResult, TerminationSignal } from "./system.ts";
import { SIGNAL_NUMBERS } from "./system.ts";

/** The child processes that still run. */
const children = new Set<Deno.ChildProcess>();

/** Sends SIGTERM to all child processes that still run. */
export function endChildren(): void {
  children.forEach(endChild);
}

function endChild(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended in the meantime.
  }
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
  children.add(child);
  child.status.finally(() => children.delete(child));
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

/**
 * Calls a handler for each termination signal.
 *
 * @param handler Gets the name of the signal.
 * @returns A function that removes the handler.
 */
export function onSignal(
  handler: (signal: TerminationSignal) => void,
): () => void {
  const names = Object.keys(SIGNAL_NUMBERS) as TerminationSignal[];
  const listeners = names.map((name) => {
    const listener = (): void => handler(name);
    Deno.addSignalListener(name, listener);
    return (): void => Deno.removeSignalListener(name, listener);
  });
  return () => listeners.forEach((remove) => remove());
}
