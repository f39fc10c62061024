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
import { type DataSource, describeLogin } from "./data_source.ts";
import { EntrypointError } from "../errors.ts";
import { foreignTables, ProbeError } from "./session.ts";
import { PRODUCTS } from "../settings/adapter.ts";
import { isBrief, type Reason, REASONS, remedyFor } from "./reasons.ts";

/** Time limit of one login with its queries, in milliseconds. */
export const ATTEMPT = 5000;

/** The same for the first attempt, after which a silent server is looked at closer. */
const FIRST_ATTEMPT = 3000;

/** Least time limit of the last attempt, in milliseconds, where less time is left. */
const SHORTEST_ATTEMPT = 250;

/** An attempt with a lower limit, in milliseconds, may time out on a database that works. */
const MEANINGFUL_ATTEMPT = 1000;

/** Time limit of a query of an open session, in milliseconds. */
const LATER_QUERY = 30_000;

/** The first pause between attempts and the longest one, in milliseconds. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;

/** Milliseconds during which attempts go on after a reason that may pass within seconds. */
const GRACE = 5000;

/** The pause during that time: a server may lock an account after a few wrong passwords. */
const GRACE_PAUSE = 2500;

/** The SQLSTATE of PgBouncer's errors, `protocol_violation`. */
const POOLER_ERROR = "08P01";

/**
 * Looks closer at a failure whose error does not tell the reason.
 *
 * @returns The better error; the same one if there is none.
 */
export type Explain = (
  error: ProbeError,
  source: DataSource,
  options: ConnectOptions,
) => Promise<ProbeError>;

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
  /** Looks closer at a failure, once for each reason. */
  readonly explain?: Explain;
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
 * cannot pass ends the wait at once, and one that may pass within seconds after 5 seconds.
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
  const explained = new Set<Reason>();
  let last: ProbeError | undefined;
  let pause = FIRST_PAUSE;
  let stop = deadline;
  while (true) {
    const left = stop - clock.elapsed();
    const limit = timeout === 0 ? ATTEMPT : Math.max(
      SHORTEST_ATTEMPT,
      Math.min(last === undefined ? FIRST_ATTEMPT : ATTEMPT, left),
    );
    const result = await attempt(source, limit, options);
    if (!(result instanceof ProbeError)) {
      const { session, facts } = result;
      return { session: withRemedies(session, source, options), facts };
    }
    let outcome = last !== undefined && isWorse(result, last, limit)
      ? last
      : result;
    if (!explained.has(outcome.reason)) {
      explained.add(outcome.reason);
      outcome = await options.explain?.(outcome, source, options) ?? outcome;
    }
    const now = clock.elapsed();
    const end = now + graceOf(outcome);
    stop = outcome.isTemporary
      ? deadline
      : Math.min(deadline, last?.isTemporary === false ? stop : end, end);
    if (now >= stop) {
      const seconds = Math.round((now - start) / 1000);
      const hasWaited = outcome.isTemporary || graceOf(outcome) > 0;
      throw failure(
        outcome,
        source,
        hasWaited ? ` (gave up after ${seconds} s)` : "",
      );
    }
    if (outcome.reason !== last?.reason) {
      const message = describeProblem(outcome, source);
      report({ error: outcome, message, elapsed: now - start });
      pause = FIRST_PAUSE;
    }
    options.progress?.({ error: outcome, elapsed: now - start });
    last = outcome;
    const next = outcome.isTemporary
      ? pause * (0.5 + random() / 2)
      : GRACE_PAUSE;
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    await clock.sleep(Math.min(next, stop - now), signal);
  }
}

/** How long attempts go on after a reason that is not temporary, in milliseconds. */
function graceOf({ reason }: ProbeError): number {
  return isBrief(reason) ? GRACE : 0;
}

/**
 * Whether an attempt that ended without an answer says less than the one before: its time was
 * short, or a pooler makes its clients wait before it tries a refused login again.
 */
function isWorse(error: ProbeError, last: ProbeError, limit: number): boolean {
  return error.reason === "timeout" &&
    (limit < MEANINGFUL_ATTEMPT || !last.isTemporary ||
      last.code === POOLER_ERROR);
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
  const { product, readOnly, isStandby, place } = facts;
  if (readOnly) {
    const isOwn = product === "PostgreSQL" && isStandby !== true;
    return new ProbeError(isOwn ? "read-only" : "standby", "");
  }
  if (facts.schema.installed) {
    return place?.owner !== undefined && place.mayWrite === false
      ? foreignTables(place.owner)
      : undefined;
  }
  if (facts.mayCreateTables) return undefined;
  return place?.schema === ""
    ? new ProbeError(
      "no schema",
      `The search path is ${place.searchPath}`,
      undefined,
      firstSchema(place.searchPath),
    )
    : new ProbeError(
      "forbidden",
      "The user may not create tables",
      undefined,
      place?.schema,
    );
}

/** The first name in a search path that is not the user's. */
function firstSchema(path: string): string | undefined {
  return path.split(",").map((name) => name.trim().replace(/^"(.*)"$/, "$1"))
    .find((name) => name !== "" && name !== "$user");
}

/**
 * Writes a message about a database, with the variables that name it.
 *
 * @param error The reason why it cannot be used.
 * @param source The database and the login.
 * @returns One line without a final period and without a secret.
 */
export function describeProblem(error: ProbeError, source: DataSource): string {
  const detail = error.message === "" ? "" : `: ${error.message}`;
  return `The ${PRODUCTS[source.adapter]} database (${describeLogin(source)}) ${
    REASONS[error.reason].phrase
  }${detail}`;
}

function failure(
  error: ProbeError,
  source: DataSource,
  when: string,
): EntrypointError {
  return new EntrypointError(`${describeProblem(error, source)}${when}`, {
    code: REASONS[error.reason].exitCode,
    remedy: remedyFor(error, source),
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
      throw failure(error, source, " (an earlier login succeeded)");
    });
  return {
    facts: () => explain(session.facts()),
    configuration: () => explain(session.configuration()),
    otherClients: () => explain(session.otherClients()),
    lock: (name, host) => explain(session.lock(name, host)),
    close: () => session.close(),
  };
}

/** Logs in once; a database that does not meet the requirements is a failure too. */
async function attempt(
  source: DataSource,
  limit: number,
  options: WaitOptions,
): Promise<ReadyDatabase | ProbeError> {
  const result = await tryLogin(source, limit, options);
  if (result instanceof ProbeError) return result;
  const problem = checkRequirements(result.facts);
  if (problem === undefined) return result;
  await result.session.close();
  return problem;
}

/**
 * Logs in once and queries the facts.
 *
 * @param source The database and the login.
 * @param limit The time limit, in milliseconds.
 * @param options How to connect, the clock, and the signal that ends the attempt, and later the session.
 * @returns The open session and the facts, or why there are none.
 * @throws The signal's reason.
 */
export async function tryLogin(
  source: DataSource,
  limit: number,
  options: ConnectOptions & Pick<WaitOptions, "connect" | "clock">,
): Promise<ReadyDatabase | ProbeError> {
  const { signal } = options;
  const late = new AbortController();
  const work = login(source, {
    ...options,
    signal: AbortSignal.any([signal, late.signal]),
  });
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
  options: ConnectOptions & Pick<WaitOptions, "connect">,
): Promise<ReadyDatabase> {
  const session = await options.connect(source, options);
  try {
    return { session, facts: await session.facts() };
  } catch (error) {
    await session.close();
    throw error;
  }
}
