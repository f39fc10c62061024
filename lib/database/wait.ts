/**
 * Waits until a database accepts logins and meets Mattermost's needs, and reports why it
 * does not yet.
 *
 * The clock, the random numbers and the connections are parameters.
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
import { type DataSource, withoutLogin } from "./data_source.ts";
import { EntrypointError } from "../errors.ts";
import { ProbeError } from "./session.ts";
import { PRODUCTS } from "../settings/adapter.ts";
import { REASONS, remedyFor } from "./reasons.ts";

/** Time limit of one login with its queries, in milliseconds. */
const ATTEMPT = 5000;

/** Least time limit of the last attempt, in milliseconds, where less time is left. */
const SHORTEST_ATTEMPT = 250;

/** An attempt with a lower limit, in milliseconds, may time out on a database that works. */
const MEANINGFUL_ATTEMPT = 1000;

/** Time limit of a query of an open session, in milliseconds. */
const LATER_QUERY = 30_000;

/** The first pause between attempts and the longest one, in milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;

/**
 * Milliseconds during which attempts go on after a reason that is not temporary: the
 * images of both products create users and databases, and restart, when they initialise
 * an empty volume.
 */
const GRACE = 5000;

/** A database that Mattermost can use. */
export interface ReadyDatabase {
  /** The open login, for locks; the caller closes it. */
  readonly session: Session;
  /** What the database reports about itself. */
  readonly facts: DatabaseFacts;
}

/** A new reason for waiting. */
export interface WaitChange {
  /** The reason why the database cannot be used now. */
  readonly error: ProbeError;
  /** One line for the log, without a secret. */
  readonly message: string;
  /** Milliseconds since the wait began. */
  readonly elapsed: number;
}

/** Options of {@linkcode waitForDatabase}. Its signal ends the wait, and later the session, at once. */
export interface WaitOptions extends ConnectOptions {
  /** Logs in, once for each attempt. */
  readonly connect: Connect;
  /** The clock that the time limits use. */
  readonly clock: Pick<Clock, "elapsed" | "sleep">;
  /** Called once for each change of the reason. */
  readonly report: (change: WaitChange) => void;
  /** Called after each attempt that fails, for a progress line. */
  readonly progress?: (state: Omit<WaitChange, "message">) => void;
  /** Time limit of all attempts together, in seconds; 0 makes one attempt. */
  readonly timeout: number;
  /** A random number from 0 to 1, for the jitter of the pauses. */
  readonly random: () => number;
}

/**
 * Logs in again and again until the database is ready, or the time is over. A reason that
 * is not temporary ends the wait after 5 seconds.
 *
 * @param source The database and the login.
 * @param options How to connect, the time limit, and what to call for progress.
 * @returns The open session and what the database reports about itself.
 * @throws {EntrypointError} With the exit code and the remedy of the last reason; or the signal's reason.
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
  let permanentSince: number | undefined;
  while (true) {
    const left = deadline - clock.elapsed();
    const limit = timeout === 0
      ? ATTEMPT
      : Math.max(SHORTEST_ATTEMPT, Math.min(ATTEMPT, left));
    const result = await attempt(source, limit, options);
    // The reason of the attempt before is better than the timeout of a shortened attempt.
    const isCut = result instanceof ProbeError && result.reason === "timeout" &&
      limit < MEANINGFUL_ATTEMPT;
    const outcome = isCut && last !== undefined ? last : result;
    if (!(outcome instanceof ProbeError)) {
      const { session, facts } = outcome;
      return { session: withRemedies(session, source, options), facts };
    }
    const now = clock.elapsed();
    permanentSince = outcome.isTemporary ? undefined : permanentSince ?? now;
    const stop = Math.min(deadline, (permanentSince ?? Infinity) + GRACE);
    if (now >= stop) {
      const seconds = Math.round((now - start) / 1000);
      throw failure(outcome, source, `gave up after ${seconds} s`);
    }
    if (outcome.reason !== last?.reason) {
      const message = describeProblem(outcome, source);
      report({ error: outcome, message, elapsed: now - start });
      pause = FIRST_PAUSE;
    }
    options.progress?.({ error: outcome, elapsed: now - start });
    last = outcome;
    const jittered = pause * (0.5 + random() / 2);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    await clock.sleep(Math.min(jittered, stop - now), signal);
  }
}

/**
 * Checks what every release of Mattermost needs: a database that is writable, and tables
 * or the privilege to create them.
 *
 * @param facts What the database reports about itself.
 * @returns What is wrong; `undefined` where nothing is.
 */
export function checkRequirements(
  facts: DatabaseFacts,
): ProbeError | undefined {
  if (facts.readOnly) return new ProbeError("read-only", "");
  return facts.mayCreateTables || facts.schema.installed
    ? undefined
    : new ProbeError("forbidden", "The user may not create tables");
}

/**
 * Writes a message about a database, with the variables that name it.
 *
 * @param error The reason why it cannot be used.
 * @param source The database and the login.
 * @returns One line without a final period and without a secret.
 */
export function describeProblem(error: ProbeError, source: DataSource): string {
  const { adapter, host, port, socket, user, database } = withoutLogin(source);
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
  return new EntrypointError(`${describeProblem(error, source)} (${when})`, {
    code: REASONS[error.reason].exitCode,
    remedy: remedyFor(error.reason, source),
    cause: error,
  });
}

/** A session whose later failures read like those of the wait. Its queries have a time limit. */
function withRemedies(
  session: Session,
  source: DataSource,
  options: WaitOptions,
): Session {
  const explain = <Result>(work: Promise<Result>): Promise<Result> =>
    withLimit(work, LATER_QUERY, options).catch((error) => {
      if (!(error instanceof ProbeError)) throw error;
      throw failure(error, source, "an earlier login succeeded");
    });
  return {
    facts: () => explain(session.facts()),
    lock: (name, host) => explain(session.lock(name, host)),
    close: () => session.close(),
  };
}

async function attempt(
  source: DataSource,
  limit: number,
  options: WaitOptions,
): Promise<ReadyDatabase | ProbeError> {
  const { signal } = options;
  const late = new AbortController();
  const work = login(source, AbortSignal.any([signal, late.signal]), options);
  try {
    return await withLimit(work, limit, options);
  } catch (error) {
    late.abort(error);
    // A login that succeeds after the time limit has no other code that closes it.
    work.then(({ session }) => session.close(), () => {});
    signal.throwIfAborted();
    if (error instanceof ProbeError) return error;
    throw error;
  }
}

/** Rejects with reason `timeout` after the limit in milliseconds, or with the signal's reason. */
async function withLimit<Result>(
  work: Promise<Result>,
  limit: number,
  { clock, signal }: Pick<WaitOptions, "clock" | "signal">,
): Promise<Result> {
  const done = new AbortController();
  const alarm = clock.sleep(limit, AbortSignal.any([signal, done.signal]))
    .then(() => {
      throw new ProbeError(
        "timeout",
        `No answer within ${Math.round(limit / 100) / 10} s`,
      );
    });
  try {
    return await Promise.race([work, alarm]);
  } finally {
    alarm.catch(() => {});
    // Without a reason the runtime would create an error with a stack trace.
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
    const problem = checkRequirements(facts);
    if (problem !== undefined) throw problem;
    return { session, facts };
  } catch (error) {
    await session.close();
    throw error;
  }
}
