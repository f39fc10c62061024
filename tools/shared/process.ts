/**
 * Processes of the test servers: run as an unprivileged user, and signalled
 * together with their children. {@linkcode ScratchDirectory.launch} starts those
 * that keep running, and sees to it that they end with the program.
 *
 * @module
 */

import type { ScratchDirectory } from "./scratch.ts";

/** Debian's `nobody`, which every server runs as when we are root. */
const UNPRIVILEGED = 65_534;

/** Nothing from the caller's environment (`PGDATA`, `LD_PRELOAD` …) reaches a server. */
const ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

/** Before a command: the kernel kills it when this program ends, even by SIGKILL. */
export const MORTAL = ["setpriv", "--pdeathsig=KILL", "--"];

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const guards = new Set<() => void>();

/** Starts a long-running command as the servers' user, with its output added to `log`. */
export async function launch(
  command: readonly string[],
  { log, home }: { log: string; home: ScratchDirectory },
): Promise<Deno.ChildProcess> {
  const script = 'exec "$@" >>"$0" 2>&1';
  return await home.launch(["sh", "-c", script, log, ...asServer(command)], {
    cwd: home.path,
    clearEnv: true,
    env: ENVIRONMENT,
    stdout: "null",
    stderr: "null",
  });
}

/**
 * Runs a command to its end as the servers' user.
 *
 * @throws {Error} with what it printed, when it fails
 */
export async function runAsServer(
  command: readonly string[],
  { directory, input = "" }: { directory: string; input?: string },
): Promise<string> {
  return await run(asServer([...MORTAL, ...command]), {
    cwd: directory,
    clearEnv: true,
    env: ENVIRONMENT,
    input,
  });
}

/**
 * Runs a command to its end and returns its output.
 *
 * @throws {Error} with what it printed, when it fails or is not there
 */
export async function run(
  command: readonly string[],
  { input = "", ...options }: Deno.CommandOptions & { input?: string } = {},
): Promise<string> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    // Another user may not be able to enter our directory, and then nothing is executed.
    ...options.uid === undefined ? {} : { cwd: "/" },
    ...options,
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writing = new Blob([input]).stream().pipeTo(child.stdin)
    .catch(() => {}); // a command may end before it has read everything
  const { code, stdout, stderr } = await child.output();
  await writing;
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(
    `${program} ended with status ${code}: ${
      (text.decode(stderr) || text.decode(stdout)).trim().slice(-2000)
    }`,
  );
}

/**
 * Gives a directory and all in it to the servers' user; nothing to do unless we are root.
 *
 * @throws {Error} when this root may not do that
 */
export async function giveToServer(directory: string): Promise<void> {
  if (Deno.uid() !== 0) return;
  const owner = `${UNPRIVILEGED}:${UNPRIVILEGED}`;
  await run(["chown", "-R", owner, directory]).catch((cause) => {
    throw new Error(
      "Database servers refuse to run as root, and this root may not give them a user of their own: " +
        "run this as an ordinary user, or as root with the capabilities CHOWN, SETGID and SETUID",
      { cause },
    );
  });
}

/** Signals a process and all its descendants, the parent first, so that it starts no more. */
export function signalTree(pid: number, signal: Deno.Signal): number[] {
  signalOne(pid, signal);
  const children = shell('cat "/proc/$1/task/"*/children', pid)
    .split(/\s+/).filter(Boolean).map(Number);
  return [pid, ...children.flatMap((child) => signalTree(child, signal))];
}

/** Kills a process and all its descendants at once and returns their ids. */
export function killTree(pid: number): number[] {
  const tree = signalTree(pid, "SIGSTOP");
  for (const each of tree) signalOne(each, "SIGKILL");
  return tree;
}

/** Signals what is left of a process group, even after its leader has ended. */
export function signalGroup(leader: number, signal: Deno.Signal): void {
  signalOne(-leader, signal);
}

/** Whether a process still runs; one that has ended and waits to be reaped does not. */
export function isRunning(pid: number): boolean {
  const state = shell('cat "/proc/$1/stat"', pid).split(") ").at(-1) ?? "";
  return state !== "" && !/^[ZX]/.test(state);
}

/**
 * Has `cleanUp` called when this program ends or is interrupted.
 *
 * @param cleanUp must do its work synchronously
 * @returns what takes the request back
 */
export function guard(cleanUp: () => void): () => void {
  if (guards.size === 0) watch("addSignalListener");
  guards.add(cleanUp);
  return () => {
    if (guards.delete(cleanUp) && guards.size === 0) {
      watch("removeSignalListener");
    }
  };
}

function watch(change: "addSignalListener" | "removeSignalListener"): void {
  for (const signal of INTERRUPTS) Deno[change](signal, LISTENERS[signal]);
  const listen = change === "addSignalListener" ? "add" : "remove";
  globalThis[`${listen}EventListener`]("unload", cleanUpAll);
}

const LISTENERS = {
  SIGINT: () => interrupted("SIGINT"),
  SIGTERM: () => interrupted("SIGTERM"),
  SIGHUP: () => interrupted("SIGHUP"),
};

/** Cleans up, then lets the signal do what it would have done without us. */
function interrupted(signal: Deno.Signal): void {
  cleanUpAll();
  watch("removeSignalListener");
  Deno.kill(Deno.pid, signal);
}

/** The last that was started goes first. */
function cleanUpAll(): void {
  for (const cleanUp of [...guards].reverse()) cleanUp();
  guards.clear();
}

/** The command as the servers' user. */
function asServer(command: readonly string[]): string[] {
  if (Deno.uid() !== 0) return [...command];
  const user = [`--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`];
  return ["setpriv", ...user, "--clear-groups", "--", ...command];
}

function signalOne(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Through a shell, for Deno itself reads `/proc` only with all permissions. */
function shell(script: string, pid: number): string {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", script, "sh", String(pid)],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}
