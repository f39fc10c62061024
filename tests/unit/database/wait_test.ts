import assert from "node:assert/strict";
import type { DataSource } from "../../../lib/database/data_source.ts";
import {
  type DatabaseFacts,
  ProbeError,
  type Session,
} from "../../../lib/database/session.ts";
import type { Reason } from "../../../lib/database/reasons.ts";
import {
  describeProblem,
  waitForDatabase,
  type WaitOptions,
} from "../../../lib/database/wait.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { FACTS as GOOD } from "../../support/database_facts.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: "mmuser",
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
};

const FACTS: DatabaseFacts = {
  ...GOOD,
  version: "16.1",
  schema: { installed: false, usersHaveTeamId: false, migrations: [] },
  hasConfigurations: false,
};

/** A clock whose time passes only while a caller sleeps. */
class FakeClock {
  time = 0;
  readonly pauses: number[] = [];

  elapsed(): number {
    return this.time;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      // Everything that takes no time happens first.
      const timer = setTimeout(() => {
        this.time += milliseconds;
        this.pauses.push(milliseconds);
        resolve();
      });
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });
  }
}

/** Options with which each attempt gets the next answer, and the last one again and again. */
function optionsFor(...answers: (Reason | DatabaseFacts | "silence")[]) {
  const clock = new FakeClock();
  const seen = { attempts: 0, closed: 0, reports: [] as [string, number][] };
  const options: WaitOptions = {
    clock,
    timeout: 60,
    signal: new AbortController().signal,
    random: () => 1,
    report: ({ error, elapsed }) => {
      seen.reports.push([error.reason, elapsed]);
    },
    connect(_source, { signal }) {
      const answer = answers[Math.min(seen.attempts++, answers.length - 1)];
      if (answer === "silence") {
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      }
      if (typeof answer === "string") {
        return Promise.reject(new ProbeError(answer, "the server's message"));
      }
      const session: Session = {
        facts: () => Promise.resolve(answer ?? FACTS),
        configuration: () => Promise.resolve(undefined),
        otherClients: () => Promise.resolve([]),
        lock: () => new Promise<never>(() => {}),
        close() {
          seen.closed++;
          return Promise.resolve();
        },
      };
      return Promise.resolve(session);
    },
  };
  return { clock, seen, options };
}

async function failureOf(options: WaitOptions): Promise<EntrypointError> {
  try {
    await waitForDatabase(SOURCE, options);
  } catch (error) {
    assert(error instanceof EntrypointError, String(error));
    return error;
  }
  assert.fail("The wait should have failed");
}

Deno.test("waitForDatabase() calls tick after each failed attempt, with the time that has passed", async () => {
  const { options } = optionsFor("refused", "refused", "starting up", FACTS);
  const ticks: [string, number][] = [];
  await waitForDatabase(SOURCE, {
    ...options,
    progress: ({ error, elapsed }) => void ticks.push([error.reason, elapsed]),
  });
  assert.deepEqual(ticks, [["refused", 0], ["refused", 100], [
    "starting up",
    300,
  ]]);
});

Deno.test("waitForDatabase() returns an open session and the facts of a database that is ready", async () => {
  const { clock, seen, options } = optionsFor(FACTS);
  const { facts } = await waitForDatabase(SOURCE, options);
  assert.equal(facts, FACTS);
  assert.equal(clock.time, 0);
  assert.deepEqual(seen, { attempts: 1, closed: 0, reports: [] });
});

Deno.test("waitForDatabase() reports each change of the reason once, and shortens its pauses after it", async () => {
  const { clock, seen, options } = optionsFor(
    "dns",
    "dns",
    "refused",
    "refused",
    "starting up",
    FACTS,
  );
  await waitForDatabase(SOURCE, options);
  assert.deepEqual(seen.reports, [
    ["dns", 0],
    ["refused", 300],
    ["starting up", 600],
  ]);
  assert.deepEqual(clock.pauses, [100, 200, 100, 200, 100]);
});

Deno.test("waitForDatabase() never pauses for more than two seconds", async () => {
  const { clock, options } = optionsFor(
    ...Array<Reason>(12).fill("refused"),
    FACTS,
  );
  await waitForDatabase(SOURCE, options);
  assert.equal(Math.max(...clock.pauses), 2000);
});

Deno.test("waitForDatabase() shortens its pauses at random, at most by half", async () => {
  const { clock, options } = optionsFor("refused", "refused", FACTS);
  await waitForDatabase(SOURCE, { ...options, random: () => 0 });
  assert.deepEqual(clock.pauses, [50, 100]);
});

Deno.test("waitForDatabase() gives up on a temporary reason after the timeout, with code 69", async () => {
  const { clock, seen, options } = optionsFor("refused");
  const error = await failureOf({ ...options, timeout: 30 });
  assert.equal(clock.time, 30_000);
  assert.equal(error.code, 69);
  assert.equal(
    error.message,
    "The PostgreSQL database (DB_HOST=db, DB_PORT=5432, DB_NAME=mattermost, DB_USER=mmuser) refuses connections: the server's message (gave up after 30 s)",
  );
  assert.match(error.remedy ?? "", /listens on port 5432/);
  assert.equal(seen.reports.length, 1);
});

Deno.test("waitForDatabase() gives up at once on a reason that cannot pass, and after 5 seconds and 3 attempts on one that may", async () => {
  const codes: [Reason, number, number][] = [
    ["credentials", 77, 5000],
    ["pooler credentials", 77, 5000],
    ["forbidden", 77, 5000],
    ["no such database", 78, 5000],
    ["tls", 78, 0],
    ["locked", 77, 0],
    ["other server", 78, 0],
    ["no login", 77, 0],
  ];
  for (const [reason, code, time] of codes) {
    const { clock, seen, options } = optionsFor(reason);
    const error = await failureOf(options);
    assert.deepEqual(
      [reason, error.code, clock.time, seen.attempts],
      [reason, code, time, time === 0 ? 1 : 3],
    );
  }
});

Deno.test("waitForDatabase() starts the 5 seconds again after a temporary reason", async () => {
  const { clock, options } = optionsFor(
    "credentials",
    "refused",
    "credentials",
  );
  const error = await failureOf(options);
  assert.equal(error.code, 77);
  assert.equal(clock.time, 2500 + 100 + 5000);
});

Deno.test("waitForDatabase() does not start the 5 seconds again for another reason", async () => {
  const { clock, options } = optionsFor("no such database", "credentials");
  const error = await failureOf(options);
  assert.equal(error.code, 77);
  assert.equal(clock.time, 5000);
});

Deno.test("waitForDatabase() keeps a refusal when a pooler then makes it wait", async () => {
  const { clock, options } = optionsFor("pooler credentials", "silence");
  const error = await failureOf(options);
  assert.equal(error.code, 77);
  assert.equal(clock.time, 5000);
});

Deno.test("waitForDatabase() looks closer at each reason once, and goes on with what that finds", async () => {
  const looked: Reason[] = [];
  const explain = (error: ProbeError): Promise<ProbeError> => {
    looked.push(error.reason);
    return Promise.resolve(
      error.reason === "credentials"
        ? new ProbeError("tls demanded", error.message)
        : error,
    );
  };
  const { clock, options } = optionsFor("refused", "refused", "credentials");
  const error = await failureOf({ ...options, explain });
  assert.match(error.message, /accepts this login only with TLS/);
  assert.deepEqual([error.code, clock.time], [78, 300]);
  assert.deepEqual(looked, ["refused", "credentials"]);
});

Deno.test("waitForDatabase() says why a login cannot be used", async () => {
  const place = { schema: "public", searchPath: '"$user", public' };
  const nothing = { ...FACTS, mayCreateTables: false };
  const cases: [Partial<DatabaseFacts>, RegExp, RegExp][] = [
    [
      { ...nothing, place: { ...place, schema: "chat" } },
      /may not create tables/,
      /ON SCHEMA "chat" TO/,
    ],
    [
      { ...nothing, place: { ...place, schema: "" } },
      /has no schema for the tables: The search path is "\$user", public/,
      /CREATE SCHEMA IF NOT EXISTS "public";/,
    ],
    [
      {
        schema: { ...FACTS.schema, installed: true },
        place: { ...place, owner: "postgres", mayWrite: false },
      },
      /has tables that belong to another role: They belong to the role postgres/,
      /ALTER TABLE %s OWNER TO/,
    ],
    [
      { readOnly: true, isStandby: false },
      /is read-only for this user/,
      /RESET default_transaction_read_only/,
    ],
  ];
  for (const [facts, message, remedy] of cases) {
    const error = await failureOf(optionsFor({ ...FACTS, ...facts }).options);
    assert.equal(error.code, 77);
    assert.match(error.message, message);
    assert.match(error.remedy ?? "", remedy);
  }
});

Deno.test("waitForDatabase() does not fail while an image creates its users", async () => {
  const { options } = optionsFor("credentials", "no such database", FACTS);
  assert.equal((await waitForDatabase(SOURCE, options)).facts, FACTS);
});

Deno.test("waitForDatabase() limits the first attempt to 3 seconds, and each later one to 5", async () => {
  const { clock, seen, options } = optionsFor("silence", "silence", FACTS);
  await waitForDatabase(SOURCE, options);
  assert.deepEqual(seen.reports, [["timeout", 3000]]);
  assert.equal(clock.time, 3000 + 100 + 5000 + 200);
});

Deno.test("waitForDatabase() shortens the last attempt so that the wait ends in time", async () => {
  const { clock, options } = optionsFor("silence");
  const error = await failureOf({ ...options, timeout: 7 });
  assert.equal(error.code, 69);
  assert.match(error.message, /does not answer: No answer within 3\.9 s/);
  assert.equal(clock.time, 7000);
});

Deno.test("waitForDatabase() fails with the previous reason where the last attempt was too short", async () => {
  const { options } = optionsFor("credentials", "silence");
  const error = await failureOf({ ...options, timeout: 0.3 });
  assert.equal(error.code, 77);
  assert.match(error.message, /refuses the credentials/);
});

Deno.test("waitForDatabase() makes one attempt when the timeout is 0", async () => {
  const { clock, seen, options } = optionsFor("refused");
  const error = await failureOf({ ...options, timeout: 0 });
  assert.equal(error.code, 69);
  assert.equal(seen.attempts, 1);
  assert.equal(clock.time, 0);
});

Deno.test("waitForDatabase() waits for a standby to be promoted, and closes the earlier sessions", async () => {
  const { seen, options } = optionsFor(
    { ...FACTS, readOnly: true, isStandby: true },
    FACTS,
  );
  await waitForDatabase(SOURCE, options);
  assert.deepEqual(seen, {
    attempts: 2,
    closed: 1,
    reports: [["standby", 0]],
  });
});

Deno.test("waitForDatabase() requires the privilege to create tables only for a first start", async () => {
  const reader = { ...FACTS, mayCreateTables: false };
  const error = await failureOf(optionsFor(reader).options);
  assert.equal(error.code, 77);
  assert.match(error.remedy ?? "", /GRANT USAGE, CREATE ON SCHEMA "public"/);
  const { options } = optionsFor({
    ...reader,
    schema: { installed: true, usersHaveTeamId: false, migrations: [] },
  });
  assert(await waitForDatabase(SOURCE, options));
});

Deno.test("waitForDatabase() rejects with the signal's reason when the signal aborts", async () => {
  for (const answer of ["silence", "refused"] as const) {
    const { options } = optionsFor(answer);
    const controller = new AbortController();
    const reason = new Error("SIGTERM");
    const waiting = waitForDatabase(SOURCE, {
      ...options,
      signal: controller.signal,
      report: () => controller.abort(reason),
      timeout: 1,
    });
    if (answer === "silence") controller.abort(reason);
    await assert.rejects(waiting, reason);
  }
});

Deno.test("a database that freezes later ends the query of the open session after 30 seconds", async () => {
  const { options, clock } = optionsFor(FACTS);
  const { session } = await waitForDatabase(SOURCE, options);
  const start = clock.time;
  await assert.rejects(
    session.lock("migration", ""),
    (error) =>
      error instanceof EntrypointError && error.code === 69 &&
      /does not answer: No answer within 30 s \(an earlier login succeeded\)$/
        .test(error.message),
  );
  assert.equal(clock.time - start, 30_000);
});

Deno.test("waitForDatabase() does not catch the program's own bugs", async () => {
  const { options } = optionsFor(FACTS);
  const bug = new TypeError("bug");
  await assert.rejects(
    waitForDatabase(SOURCE, { ...options, connect: () => Promise.reject(bug) }),
    bug,
  );
});

Deno.test("describe() names the unix socket instead of host and port", () => {
  assert.equal(
    describeProblem(new ProbeError("refused", ""), {
      ...SOURCE,
      socket: "/run/postgresql",
    }),
    "The PostgreSQL database (socket /run/postgresql, DB_NAME=mattermost, DB_USER=mmuser) refuses connections",
  );
});
