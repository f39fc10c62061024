/**
 * A world of one's own for tests: nothing in it touches the machine.
 *
 * Files are in memory, the clock moves only when somebody sleeps, random bytes
 * are the same in every run, and what would end the process throws.
 *
 * @module
 */

import type { ExecPlan } from "../../lib/server/exec.ts";
import type {
  ChildPlan,
  ChildResult,
  EndingSignal,
  Output,
  System,
} from "../../lib/system.ts";
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
  /** How a child process ends; by default at once, well, and in silence. */
  readonly runChild?: (plan: ChildPlan) => ChildResult | Promise<ChildResult>;
}

/** A system whose effects can be looked at. */
export interface FakeSystem extends System {
  readonly files: MemoryFiles;
  readonly out: Recorder;
  readonly err: Recorder;
  /** The child processes that were run. */
  readonly children: readonly ChildPlan[];
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
  const handlers = new Set<(signal: EndingSignal) => void>();
  let elapsed = 0;
  let seed = 1;
  return {
    env: world.env ?? {},
    uid: world.uid ?? 0,
    gid: world.gid ?? 0,
    pid: 1,
    programName: world.programName ?? "mattermost-entrypoint",
    files: world.files ?? new MemoryFiles(),
    clock: {
      now: () => (world.now ?? Date.UTC(2030, 0, 1)) + elapsed,
      elapsed: () => elapsed,
      sleep(milliseconds, signal) {
        if (signal?.aborted) return Promise.reject(signal.reason);
        elapsed += milliseconds;
        return Promise.resolve();
      },
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
    dial: () => Promise.resolve(undefined),
    random: (length) =>
      Uint8Array.from({ length }, () => {
        // A linear congruence is random enough to tell two secrets apart.
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        return seed >>> 24;
      }),
    giveWay: () => Promise.resolve(),
    async runChild(plan) {
      children.push(plan);
      return await world.runChild?.(plan) ??
        { code: 0, stdout: "", stderr: "" };
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
    send: (signal) => handlers.forEach((handler) => handler(signal)),
  };
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
