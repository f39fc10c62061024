/**
 * Child processes of the tools: database servers run as an unprivileged user, and are
 * signalled together with their children. {@linkcode ScratchDirectory.launch} starts those
 * that keep running, and makes sure that they end with the program.
 *
 * @module
 */

import type { ScratchDirectory } from "./scratch.ts";

/** Debian's user `nobody`, which runs every server if this process is root. */
const UNPRIVILEGED = 65_534;

/** Nothing from the caller's environment (`PGDATA`, `LD_PRELOAD` …) reaches a server. */
const ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

/** Prefix of a command that the kernel kills when this program ends, even by SIGKILL. */
export const KILL_WITH_PARENT = ["setpriv", "--pdeathsig=KILL", "--"];

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const guards = new Set<() => void>();

/** Starts a long-running command as the servers' user, and appends its output to `log`. */
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
 * Runs a command as the servers' user, and waits for its end.
 *
 * @returns its standard output
 * @throws {Error} with its output, when it fails
 */
export async function runAsServer(
  command: readonly string[],
  { directory, input = "" }: { directory: string; input?: string },
): Promise<string> {
  return await run(asServer([...KILL_WITH_PARENT, ...command]), {
    cwd: directory,
    clearEnv: true,
    env: ENVIRONMENT,
    input,
  });
}

/**
 * Runs a command, and waits for its end.
 *
 * @returns its standard output
 * @throws {Error} with its output when it fails, or when it does not exist
 */
export async function run(
  command: readonly string[],
  { input = "", ...options }: Deno.CommandOptions & { input?: string } = {},
): Promise<string> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    // Another user may not have access to the working directory, and exec would fail.
    ...options.uid === undefined ? {} : { cwd: "/" },
    ...options,
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writing = new Blob([input]).stream().pipeTo(child.stdin)
    .catch(() => {}); // A command may end before it has read everything.
  const { code, stdout, stderr } = await child.output();
  await writing;
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(
    `${program} ended with code ${code}: ${
      (text.decode(stderr) || text.decode(stdout)).trim().slice(-2000)
    }`,
  );
}

/**
 * Gives a directory and everything in it to the servers' user. Only root has to.
 *
 * @throws {Error} when root lacks the capability
 */
export async function giveToServer(directory: string): Promise<void> {
  if (Deno.uid() !== 0) return;
  const owner = `${UNPRIVILEGED}:${UNPRIVILEGED}`;
  await run(["chown", "-R", owner, directory]).catch((cause) => {
    throw new Error(
      "Database servers refuse to run as root, and root cannot start them as another user here. " +
        "Run this as an ordinary user, or as root with the capabilities CHOWN, SETGID and SETUID.",
      { cause },
    );
  });
}

/** Signals a process and all its descendants, parents first, so that a stopped one starts no more. */
export function signalTree(pid: number, signal: Deno.Signal): number[] {
  signalOne(pid, signal);
  const children = shell('cat "/proc/$1/task/"*/children', pid)
    .split(/\s+/).filter(Boolean).map(Number);
  return [pid, ...children.flatMap((child) => signalTree(child, signal))];
}

/** Kills a process and all its descendants, and returns their ids. */
export function killTree(pid: number): number[] {
  const tree = signalTree(pid, "SIGSTOP");
  for (const each of tree) signalOne(each, "SIGKILL");
  return tree;
}

/** Signals a process group, whose leader may have ended. */
export function signalGroup(leader: number, signal: Deno.Signal): void {
  signalOne(-leader, signal);
}

/** Whether a process is running; a zombie is not. */
export function isRunning(pid: number): boolean {
  const state = shell('cat "/proc/$1/stat"', pid).split(") ").at(-1) ?? "";
  return state !== "" && !/^[ZX]/.test(state);
}

/**
 * Registers a function that is called when this program ends or is interrupted.
 *
 * @param cleanUp must be synchronous
 * @returns a function that removes the registration
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

/** Cleans up, and then lets the signal take its default effect. */
function interrupted(signal: Deno.Signal): void {
  cleanUpAll();
  watch("removeSignalListener");
  Deno.kill(Deno.pid, signal);
}

/** In reverse order of registration. */
function cleanUpAll(): void {
  for (const cleanUp of [...guards].reverse()) cleanUp();
  guards.clear();
}

/** Prefixes a command so that it runs as the servers' user. */
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

/** Uses a shell, because Deno reads `/proc` only with all permissions. */
function shell(script: string, pid: number): string {
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", script, "sh", String(pid)],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}
