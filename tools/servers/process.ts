/**
 * Processes of the test servers: started as an unprivileged user, signalled
 * together with their children, and never left behind.
 *
 * The kernel kills a server whose starter dies (`setpriv --pdeathsig`), so not
 * even a SIGKILL of the test run leaves one running; the handlers here add the
 * removal of its temporary directory on SIGINT, SIGTERM and the end of the program.
 *
 * @module
 */

/** Debian's `nobody`, which every server runs as when we are root. */
const UNPRIVILEGED = 65_534;

/** Nothing from the caller's environment (`PGDATA`, `LD_PRELOAD` …) reaches a server. */
const ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const guards = new Set<() => void>();

/** What a program does about interrupts that has an order of its own. */
let answer: (() => void) | undefined;

/** When that was done, on the clock of `performance.now()`. */
let answered = -Infinity;

/** Task runners pass on what the terminal sends to all: that counts once, within these milliseconds. */
const SAME_INTERRUPT = 1000;

/** Starts a long-running command as the servers' user, with its output added to `log`. */
export function launch(
  command: readonly string[],
  { log, directory }: { log: string; directory: string },
): Deno.ChildProcess {
  const script = 'exec "$@" >>"$0" 2>&1';
  return new Deno.Command("sh", {
    args: ["-c", script, log, ...lower(command)],
    cwd: directory,
    clearEnv: true,
    env: ENVIRONMENT,
    // Its own session: Ctrl-C is for us to answer, in our order.
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
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
  return await run(lower(command), {
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

/** Gives a directory and all in it to the servers' user; nothing to do unless we are root. */
export async function giveToServer(directory: string): Promise<void> {
  if (Deno.uid() !== 0) return;
  await run(["chown", "-R", `${UNPRIVILEGED}:${UNPRIVILEGED}`, directory]);
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

/**
 * Has the first interrupt answered in an order of one's own; one that comes
 * a second later or more cleans up at once. Only while something is guarded.
 *
 * @param first what to do instead of cleaning up
 */
export function answerInterrupt(first: () => void): void {
  answer = first;
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
  const first = answer;
  answer = undefined;
  if (first !== undefined) {
    answered = performance.now();
    return first();
  }
  if (performance.now() - answered < SAME_INTERRUPT) return;
  cleanUpAll();
  watch("removeSignalListener");
  Deno.kill(Deno.pid, signal);
}

/** The last that was started goes first. */
function cleanUpAll(): void {
  for (const cleanUp of [...guards].reverse()) cleanUp();
  guards.clear();
}

/** The command as the servers' user, killed by the kernel when we end. */
function lower(command: readonly string[]): string[] {
  const user = Deno.uid() === 0
    ? [`--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, "--clear-groups"]
    : [];
  return ["setpriv", "--pdeathsig=KILL", ...user, "--", ...command];
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
