/**
 * A fake `System` for tests, without effects on the machine.
 *
 * Files are in memory, the clock advances only when the program sleeps, random bytes are the
 * same in every run, and functions that would end the process throw.
 *
 * @module
 */

import type {
  Capability,
  ChildPlan,
  ChildResult,
  ExecPlan,
  GivenDirectory,
  GivePlan,
  GiveReport,
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
  /** The capabilities that root lacks to become another user; none by default. */
  readonly missingCapabilities?: readonly Capability[];
  /** The errors of ports that cannot be listened on, such as `EACCES`. */
  readonly ports?: Readonly<Record<number, string>>;
  /** Whether programs have capabilities of their own. */
  readonly hasCapabilities?: boolean;
  /** What differs in the report about directories that are given; by default everything is. */
  readonly giveReport?: Partial<GiveReport>;
  /** Addresses by host name; other names do not resolve. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** The time at the start, in milliseconds since the epoch. */
  readonly now?: number;
  /** Whether standard output and error are terminals. */
  readonly isTerminal?: boolean;
  /**
   * Runs a child process. By default it succeeds at once: the server prints the release in
   * `MATTERMOST_VERSION`.
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
  /** What was to be given to the server's user. */
  readonly gifts: readonly GivePlan[];
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
  const gifts: GivePlan[] = [];
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
    tryPort: ({ port }) => world.ports?.[port],
    hasCapabilities: () => world.hasCapabilities ?? false,
    supplementaryGroups: () => [],
    missingCapabilities: () => world.missingCapabilities ?? [],
    filesFor: () => files,
    giveDirectories(plan) {
      gifts.push(plan);
      return Promise.resolve({
        ...give(plan, files),
        ...world.giveReport,
      });
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
    gifts,
    watched,
    handoffs,
    identities,
    send: (signal) => handlers.forEach((handler) => handler(signal)),
  };
}

/** Gives without asking who could replace a name; what belongs to the user already is not walked. */
function give(
  { own, installed, owner }: GivePlan,
  files: MemoryFiles,
): GiveReport {
  const given: GivenDirectory[] = [];
  for (const path of [...own, ...installed]) {
    const isNested = own.some((outer) => path.startsWith(`${outer}/`));
    if (!files.exists(path)) {
      if (isNested || !own.includes(path)) continue;
      files.makeDirectory(path, 0o750);
      files.chown(path, owner);
      continue;
    }
    const isForeign = [
      path,
      ...files.list(path).map((name) => `${path}/${name}`),
    ]
      .some((each) => files.lstat(each)?.uid !== owner.uid);
    if (!isForeign) continue;
    const count = files.chown(path, owner, { recursive: true });
    if (count > 0) given.push({ path, count });
  }
  return { given, withheld: [], notGiven: [] };
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
