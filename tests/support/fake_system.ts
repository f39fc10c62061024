/**
 * A fake `System` for tests, without effects on the machine.
 *
 * Files are in memory, the clock advances only when the program sleeps, random bytes are the
 * same in every run, and functions that would end the process throw.
 *
 * @module
 */

import type {
  ChildPlan,
  ChildResult,
  ExecPlan,
  Identity,
  Observation,
  Output,
  RawVariable,
  System,
  TerminationSignal,
  WatchPlan,
} from "../../lib/os/system.ts";

import { MemoryFiles } from "./memory_files.ts";

/** Thrown by `exec`, which would replace the process. */
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

/** A stream that collects its output. */
export interface Recorder extends Output {
  isTerminal: boolean;
  text: string;
}

/** Options of a fake system; the defaults are those of a container. */
export interface World {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: MemoryFiles;
  /** The variables that are not UTF-8 text. */
  readonly raw?: readonly RawVariable[];
  readonly uid?: number;
  readonly gid?: number;
  readonly programName?: string;
  /** Addresses by host name; other names do not resolve. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** The time at the start, in milliseconds since the epoch. */
  readonly now?: number;
  /** Whether standard output and error are terminals. */
  readonly isTerminal?: boolean;
  /**
   * Runs a child process. By default it succeeds at once: the server prints the release in
   * `MATTERMOST_VERSION`, and chown(1) changes the owners of files.
   */
  readonly runChild?: (plan: ChildPlan) => ChildResult | Promise<ChildResult>;
  /**
   * Runs a child process that is watched. By default the server accepts every configuration, and
   * prints the release in `MATTERMOST_VERSION`.
   */
  readonly watchChild?: (plan: WatchPlan) => Observation | Promise<Observation>;
}

/** A fake system, with the effects that it recorded. */
export interface FakeSystem extends System {
  readonly files: MemoryFiles;
  readonly out: Recorder;
  readonly err: Recorder;
  /** The child processes that were run. */
  readonly children: readonly ChildPlan[];
  /** The child processes that were watched. */
  readonly watched: readonly WatchPlan[];
  /** The users that the process has become. */
  readonly identities: readonly Identity[];
  /** The programs that `exec` was called for, even if {@linkcode Handoff} was caught. */
  readonly handoffs: readonly ExecPlan[];
  /** Sends a signal. */
  readonly send: (signal: TerminationSignal) => void;
}

/**
 * Makes a fake system.
 *
 * @param world Options that differ from the defaults.
 * @returns The system.
 */
export function fakeSystem(world: World = {}): FakeSystem {
  const { hosts = {}, isTerminal = false } = world;
  const children: ChildPlan[] = [];
  const watched: WatchPlan[] = [];
  const handoffs: ExecPlan[] = [];
  const identities: Identity[] = [];
  const files = world.files ?? new MemoryFiles();
  const handlers = new Set<(signal: TerminationSignal) => void>();
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
      // In real time, because some tests use real servers.
      timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
    },
    out: recorder(isTerminal),
    err: recorder(isTerminal),
    inputIsTerminal: isTerminal,
    rawVariables: () => world.raw ?? [],
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
        // A linear congruential generator is enough to make secrets differ.
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
    async watchChild(plan) {
      watched.push(plan);
      if (world.watchChild !== undefined) return await world.watchChild(plan);
      return plan.command.includes("version")
        ? {
          lines: [`Version: ${world.env?.["MATTERMOST_VERSION"]}`],
          code: 0,
        }
        : {
          lines: [
            'Failed to ping DB err:pq: unrecognized configuration parameter "x"',
          ],
          code: undefined,
        };
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
    watched,
    handoffs,
    identities,
    send: (signal) => handlers.forEach((handler) => handler(signal)),
  };
}

/** Simulates `chown -R -h -P -- UID:GID PATH…`. */
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
