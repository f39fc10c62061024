/**
 * Waits until a database is there and good enough for the server, and says why
 * while it is not.
 *
 * Its clock, its chance and its connections come in; it writes nothing itself.
 *
 * @module
 */

import type { Clock } from "../os/system.ts";
import type {
  Connect,
  ConnectOptions,
  DatabaseFacts,
  Session,
} from "./session.ts";
import type { DataSource } from "./data_source.ts";
import { EntrypointError } from "../errors.ts";
import { ProbeError } from "./session.ts";
import { PRODUCTS } from "../settings/adapter.ts";
import { REASONS, remedyFor } from "./reasons.ts";

/** Milliseconds that one login with its questions may take. */
const ATTEMPT = 5000;

/** Milliseconds for the last attempt, when the end of all is nearer than that. */
const SHORTEST_ATTEMPT = 250;

/** Milliseconds below which silence says nothing of the database. */
const FAIR_ATTEMPT = 1000;

/** Milliseconds between attempts: first, and at most. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;

/**
 * Milliseconds during which even what cannot heal is tried again: images of both
 * products restart once and create their users while they are initialised.
 */
const GRACE = 5000;

/** A database that takes the server. */
export interface ReadyDatabase {
  /** The open login, for locks; its owner closes it. */
  readonly session: Session;
  /** What the database says about itself. */
  readonly facts: DatabaseFacts;
}

/** A new reason for waiting. */
export interface WaitChange {
  /** Why the database cannot be used now. */
  readonly error: ProbeError;
  /** One line for people, without a secret. */
  readonly message: string;
  /** Milliseconds since the wait began. */
  readonly elapsed: number;
}

/** Options of {@linkcode waitForDatabase}. Its signal ends the wait, and the session that came of it, at once. */
export interface WaitOptions extends ConnectOptions {
  /** Logs in, once for each attempt. */
  readonly connect: Connect;
  /** Measures and passes the time. */
  readonly clock: Pick<Clock, "elapsed" | "sleep">;
  /** Called once for each change of the reason. */
  readonly report: (change: WaitChange) => void;
  /** Called after every attempt in vain, for a line that moves. */
  readonly tick?: (state: Omit<WaitChange, "message">) => void;
  /** Seconds for all attempts together; 0 makes one attempt. */
  readonly timeout: number;
  /** A number from 0 to 1, for the jitter. */
  readonly random: () => number;
}

/**
 * Tries until the database is ready, its time is up, or nothing can help.
 *
 * @param source The database and the login.
 * @param options How to connect, for how long, and whom to tell.
 * @returns The open session and what the database says about itself.
 * @throws {EntrypointError} Why not, with a remedy; or the signal's reason.
 */
export async function waitForDatabase(
  source: DataSource,
  options: WaitOptions,
): Promise<ReadyDatabase> {
  const { clock, random, report, signal, timeout } = options;
  const start = clock.elapsed();
  const deadline = start + 1000 * timeout;
  let last: ProbeError | undefined;
  let pause = FIRST_PAUSE;
  let hopelessSince: number | undefined;
  while (true) {
    const left = deadline - clock.elapsed();
    const limit = timeout === 0
      ? ATTEMPT
      : Math.max(SHORTEST_ATTEMPT, Math.min(ATTEMPT, left));
    const told = await attempt(source, limit, options);
    // An attempt that was cut short knows less than the one before it.
    const isCut = told instanceof ProbeError && told.reason === "timeout" &&
      limit < FAIR_ATTEMPT;
    const outcome = isCut && last !== undefined ? last : told;
    if (!(outcome instanceof ProbeError)) {
      const { session, facts } = outcome;
      return { session: explained(session, source), facts };
    }
    const now = clock.elapsed();
    hopelessSince = outcome.healable ? undefined : hopelessSince ?? now;
    const stop = Math.min(deadline, (hopelessSince ?? Infinity) + GRACE);
    if (now >= stop) {
      const seconds = Math.round((now - start) / 1000);
      throw failure(outcome, source, `gave up after ${seconds} s`);
    }
    if (outcome.reason !== last?.reason) {
      const message = describe(outcome, source);
      report({ error: outcome, message, elapsed: now - start });
      pause = FIRST_PAUSE;
    }
    options.tick?.({ error: outcome, elapsed: now - start });
    last = outcome;
    const jittered = pause * (0.5 + random() / 2);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    await clock.sleep(Math.min(jittered, stop - now), signal);
  }
}

/**
 * Judges a database by what every Mattermost needs.
 *
 * @param facts What the database says about itself.
 * @returns What is wrong, `undefined` for a good one.
 */
export function judge(facts: DatabaseFacts): ProbeError | undefined {
  if (facts.readOnly) return new ProbeError("read-only", "");
  return facts.mayCreateTables || facts.schema.installed
    ? undefined
    : new ProbeError("forbidden", "The user may not create tables");
}

/**
 * Says what is wrong with which database, naming the variables.
 *
 * @param error Why it cannot be used.
 * @param source The database and the login.
 * @returns One line without a final period and without a secret.
 */
export function describe(error: ProbeError, source: DataSource): string {
  const { adapter, host, port, socket, user, database } = source;
  const where = socket === undefined
    ? `DB_HOST=${host}, DB_PORT=${port}`
    : `socket ${socket}`;
  const detail = error.message === "" ? "" : `: ${error.message}`;
  return `The ${
    PRODUCTS[adapter]
  } database (${where}, DB_NAME=${database}, DB_USER=${user}) ${
    REASONS[error.reason].phrase
  }${detail}`;
}

function failure(
  error: ProbeError,
  source: DataSource,
  when: string,
): EntrypointError {
  return new EntrypointError(`${describe(error, source)} (${when})`, {
    code: REASONS[error.reason].exitCode,
    remedy: remedyFor(error.reason, source),
    cause: error,
  });
}

/** A session whose later failures are told to the operator as those of the wait are. */
function explained(session: Session, source: DataSource): Session {
  const told = <Result>(work: Promise<Result>): Promise<Result> =>
    work.catch((error) => {
      if (!(error instanceof ProbeError)) throw error;
      throw failure(error, source, "it was ready before");
    });
  return {
    facts: () => told(session.facts()),
    lock: (name, seconds) => told(session.lock(name, seconds)),
    close: () => session.close(),
  };
}

async function attempt(
  source: DataSource,
  limit: number,
  options: WaitOptions,
): Promise<ReadyDatabase | ProbeError> {
  const { clock, signal } = options;
  const late = new AbortController();
  const done = new AbortController();
  const work = login(source, AbortSignal.any([signal, late.signal]), options);
  const alarm = clock.sleep(limit, AbortSignal.any([signal, done.signal]))
    .then(() => {
      throw new ProbeError(
        "timeout",
        `No answer within ${Math.round(limit / 100) / 10} s`,
      );
    });
  try {
    return await Promise.race([work, alarm]);
  } catch (error) {
    late.abort(error);
    // A login that succeeds after all has nobody who would close it.
    work.then(({ session }) => session.close(), () => {});
    signal.throwIfAborted();
    if (error instanceof ProbeError) return error;
    throw error;
  } finally {
    alarm.catch(() => {});
    // Without a reason the runtime would make an error with a stack trace for it.
    done.abort("done");
  }
}

async function login(
  source: DataSource,
  signal: AbortSignal,
  options: WaitOptions,
): Promise<ReadyDatabase> {
  const session = await options.connect(source, { ...options, signal });
  try {
    const facts = await session.facts();
    const refusal = judge(facts);
    if (refusal !== undefined) throw refusal;
    return { session, facts };
  } catch (error) {
    await session.close();
    throw error;
  }
}
