/**
 * Child processes, and the signals that this process gets.
 *
 * @module
 */

import type { ChildPlan, ChildResult, EndingSignal } from "./system.ts";
import { SIGNAL_NUMBERS } from "./system.ts";

/** The child processes that run. */
const children = new Set<Deno.ChildProcess>();

/** Sends SIGTERM to all child processes that still run. */
export function endChildren(): void {
  children.forEach(endChild);
}

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

/**
 * Runs a child process to its end.
 *
 * @param plan The program and all that it gets.
 * @returns How it ended.
 * @throws {Error} With the system's code where it cannot be executed.
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

/**
 * Calls a handler for each signal that ends the program.
 *
 * @param handler It gets the signal's name.
 * @returns What removes the handler.
 */
export function onSignal(handler: (signal: EndingSignal) => void): () => void {
  const names = Object.keys(SIGNAL_NUMBERS) as EndingSignal[];
  const listeners = names.map((name) => {
    const listener = (): void => handler(name);
    Deno.addSignalListener(name, listener);
    return (): void => Deno.removeSignalListener(name, listener);
  });
  return () => listeners.forEach((remove) => remove());
}
