/**
 * A world of one's own for tests: nothing in it touches the machine.
 *
 * Files are in memory, the clock moves only when somebody sleeps, random bytes
 * are the same in every run, and what would end the process throws.
 *
 * @module
 */

import type {
  ChildPlan,
  ChildResult,
  EndingSignal,
  ExecPlan,
  Identity,
  Output,
  System,
} from "../../lib/os/system.ts";

import { MemoryFiles } from "./memory_files.ts";

/** Thrown by `exec`: the process is another program from here on. */
export class Handoff extends Error {
  readonly plan: ExecPlan;

  constructor(plan: ExecPlan) {
    super(`became ${plan.path}`);
    this.plan = plan;
  }
}

/** Thrown by `exit`. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** A stream that remembers what was written. */
export interface Recorder extends Output {
  isTerminal: boolean;
  text: string;
}

/** What a test decides about its world; the defaults are those of a container. */
export interface World {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: MemoryFiles;
  readonly uid?: number;
  readonly gid?: number;
  readonly programName?: string;
  /** Addresses by host name; other names are not found. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds since the epoch at the start. */
  readonly now?: number;
  /** Whether standard output and error are terminals. */
  readonly isTerminal?: boolean;
  /**
   * How a child process ends; by default at once and well, the server says that it is of the
   * stated release, and chown(1) does its work.
   */
  readonly runChild?: (plan: ChildPlan) => ChildResult | Promise<ChildResult>;
}

/** A system whose effects can be looked at. */
export interface FakeSystem extends System {
  readonly files: MemoryFiles;
  readonly out: Recorder;
  readonly err: Recorder;
  /** The child processes that were run. */
  readonly children: readonly ChildPlan[];
  /** Whose identity the process has taken. */
  readonly identities: readonly Identity[];
  /** What the process was to become, in case somebody catches the {@linkcode Handoff}. */
  readonly handoffs: readonly ExecPlan[];
  /** Sends a signal. */
  readonly send: (signal: EndingSignal) => void;
}

/**
 * Makes a world.
 *
 * @param world What is special about it.
 * @returns The system.
 */
export function fakeSystem(world: World = {}): FakeSystem {
  const { hosts = {}, isTerminal = false } = world;
  const children: ChildPlan[] = [];
  const handoffs: ExecPlan[] = [];
  const identities: Identity[] = [];
  const files = world.files ?? new MemoryFiles();
  const handlers = new Set<(signal: EndingSignal) => void>();
  files.user = { uid: world.uid ?? 0, gid: world.gid ?? 0 };
  let elapsed = 0;
  let seed = 1;
  return {
    env: world.env ?? {},
    uid: world.uid ?? 0,
    gid: world.gid ?? 0,
    startedAs: world.uid ?? 0,
    runtime: { deno: "2.9.6", v8: "14.2" },
    programName: world.programName ?? "mattermost-entrypoint",
    files,
    clock: {
      now: () => (world.now ?? Date.UTC(2030, 0, 1)) + elapsed,
      elapsed: () => elapsed,
      sleep(milliseconds, signal) {
        if (signal?.aborted) return Promise.reject(signal.reason);
        elapsed += milliseconds;
        return Promise.resolve();
      },
      // In real time: some tests ask servers that are real.
      timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
    },
    out: recorder(isTerminal),
    err: recorder(isTerminal),
    inputIsTerminal: isTerminal,
    resolveHost(name) {
      const addresses = hosts[name];
      return addresses === undefined
        ? Promise.reject(
          Object.assign(new Error(`no host ${name}`), { code: "ENOTFOUND" }),
        )
        : Promise.resolve(addresses);
    },
    random: (length) =>
      Uint8Array.from({ length }, () => {
        // A linear congruence is random enough to tell two secrets apart.
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        return seed >>> 24;
      }),
    async runChild(plan) {
      children.push(plan);
      if (world.runChild !== undefined) return await world.runChild(plan);
      chown(plan, files);
      const stdout = plan.command[1] === "version"
        ? `Version: ${world.env?.["MATTERMOST_VERSION"]}\n`
        : "";
      return { code: 0, stdout, stderr: "" };
    },
    becomeUser(identity) {
      identities.push(identity);
      files.user = identity;
    },
    prepareExec: () => () => Promise.resolve(),
    exec(plan) {
      handoffs.push(plan);
      throw new Handoff(plan);
    },
    exit(code) {
      throw new Exit(code);
    },
    onSignal(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    children,
    handoffs,
    identities,
    send: (signal) => handlers.forEach((handler) => handler(signal)),
  };
}

/** What `chown -R -h -P -- UID:GID PATH…` does. */
function chown({ command }: ChildPlan, files: MemoryFiles): void {
  if (command[0] !== "chown") return;
  const [owner = "", ...paths] = command.slice(command.indexOf("--") + 1);
  const [uid = 0, gid = 0] = owner.split(":").map(Number);
  for (const path of paths) {
    files.chown(path, { uid, gid }, { recursive: true });
  }
}

function recorder(isTerminal: boolean): Recorder {
  return {
    isTerminal,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}
