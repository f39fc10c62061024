/**
 * Whole starts of the compiled program that are killed at random moments, and several starts on
 * one volume at the same time: config.json is the old or the new one, and the secrets stay.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createHome, type Home } from "../support/home.ts";
import {
  assertClean,
  COMPILED,
  runProgram,
  start,
} from "../support/program.ts";
import {
  createOwnDatabase,
  ownDatabaseSettings,
  startServerDatabase,
} from "../support/server_database.ts";

const KILLS = 500;
/** Kills in one home before it is replaced by a new one. */
const KILLS_IN_A_HOME = 32;
/** Homes in parallel, each with one start at a time. */
const LANES = 4;
/** Bytes, more than one block of any file system. */
const PADDING = 9000;
const VERSION = "11.7.9";

const SECRETS = [
  "FileSettings.PublicLinkSalt",
  "SqlSettings.AtRestEncryptKey",
] as const;

/** A server that prints the config.json that it finds. */
const SHOW_CONFIG =
  'while [ $# -gt 1 ] && [ "$1" != --config ]; do shift; done; cat "$2"';

type Document = Record<string, Record<string, unknown>>;

const database = await startServerDatabase();

async function makeHome(script = "exit 0"): Promise<Home> {
  const home = await createHome();
  await home.installServer(VERSION, script);
  await createOwnDatabase(home, database);
  return home;
}

/** The settings of one start; each number has a content and a length of its own. */
function startSettings(home: Home, number: number): Record<string, string> {
  const mark = markOf(number);
  return {
    ...ownDatabaseSettings(home, database),
    // In the first section and in one of the last, to detect a truncated file.
    MATTERMOST_SITE_URL: `https://${mark}.example.com`,
    MATTERMOST_NAME: mark,
    SMTP_USER: mark + "x".repeat(number * 397 % PADDING),
    // Only in every second start, so that the others return to the default.
    ...(number % 2 === 0 ? { MATTERMOST_MAX_USERS: String(number) } : {}),
    DEBUG: "true",
  };
}

function markOf(number: number): string {
  return `start-${number}`;
}

/** Makes sure that all parts of the document come from the same start. */
function assertWanted(document: Document, number: number): void {
  const mark = markOf(number);
  const { ServiceSettings, TeamSettings, EmailSettings } = document;
  assert.deepEqual({
    url: ServiceSettings?.["SiteURL"],
    name: TeamSettings?.["SiteName"],
    sender: EmailSettings?.["FeedbackName"],
    login: EmailSettings?.["SMTPUsername"],
    users: TeamSettings?.["MaxUsersPerTeam"],
  }, {
    url: `https://${mark}.example.com`,
    name: mark,
    sender: mark,
    login: mark + "x".repeat(number * 397 % PADDING),
    users: number % 2 === 0 ? number : 50,
  });
}

function secretsOf(document: Document): string {
  const values = SECRETS.map((path) => {
    const [section = "", key = ""] = path.split(".");
    return String(document[section]?.[key]);
  });
  for (const value of values) assert.match(value, /^[A-Za-z0-9]{64}$/);
  assert.equal(new Set(values).size, values.length);
  return values.join(" ");
}

/** The steps before the most critical parts of a start; the first entry stands for any moment. */
const STEPS = [
  undefined,
  /accepts the login/,
  /Directories prepared/,
  /Paths checked/,
  /Wrote .*config\.json/,
] as const;

/** The longest time from such a step to the kill, as a fraction of a start. */
const LONGEST_PAUSE = 0.15;

/** The measured duration of a start, in milliseconds. */
interface Pace {
  length: number;
}

/** Counts of the results of all kills. */
const tally = {
  kills: 0,
  old: 0,
  none: 0,
  new: 0,
  ended: 0,
  /** Kills during a write. */
  amid: 0,
};

Deno.test("a start that is killed 500 times leaves the old or the new config.json, and the same secrets", async () => {
  const began = performance.now();
  const pace = { length: await startLength() };
  let failed = false;
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    const share = KILLS / LANES;
    for (
      let first = 0;
      first < share && !failed;
      first += KILLS_IN_A_HOME
    ) {
      const count = Math.min(KILLS_IN_A_HOME, share - first);
      const numbers = { first: 1 + lane * share + first, count, pace };
      await killInOneHome(numbers).catch((error) => {
        failed = true;
        throw error;
      });
    }
  }));
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    JSON.stringify({ ...tally, length: Math.round(pace.length), seconds }),
  );
  assert.equal(tally.kills, KILLS);
  // Otherwise the kills did not cover the whole start.
  for (const outcome of ["old", "none", "new", "amid"] as const) {
    assert.ok(tally[outcome] >= 5, `${outcome}: ${tally[outcome]}`);
  }
  assert.ok(tally.ended < KILLS / 3, `${tally.ended} starts were not killed`);
});

/** Measures a start in milliseconds, under the load of the test. */
async function startLength(): Promise<number> {
  const lengths = await Promise.all(
    Array.from({ length: LANES }, async () => {
      await using home = await makeHome();
      const began = performance.now();
      const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
        env: startSettings(home, KILLS + 1),
      });
      assert.equal(code, 0, stderr);
      return performance.now() - began;
    }),
  );
  return Math.max(...lengths);
}

async function killInOneHome(
  { first, count, pace }: { first: number; count: number; pace: Pace },
): Promise<void> {
  await using home = await makeHome();
  let disk = await readConfig(home);
  let current = 0;
  let secrets: string | undefined;
  for (let number = first; number < first + count; number++) {
    // Without VERSION the start queries the server again, and writes the file.
    if (number % 3 === 0) await Deno.remove(home.version).catch(() => {});
    const hadVersion = await readIfThere(home.version) !== undefined;
    const before = await remainsOf(home);
    await killOneStart(home, number, pace);
    const text = await readConfig(home);
    if (text === disk) {
      tally[text === undefined ? "none" : "old"]++;
      assert.ok(
        hadVersion || await readIfThere(home.version) === undefined,
        "VERSION is written after config.json",
      );
    } else {
      tally.new++;
      const document: Document = JSON.parse(text ?? "");
      assertWanted(document, number);
      secrets ??= secretsOf(document);
      assert.equal(secretsOf(document), secrets);
      disk = text;
      current = number;
    }
    if (disk !== undefined) assertWanted(JSON.parse(disk), current);
    const version = await readIfThere(home.version);
    assert.ok(
      version === undefined || version === `${VERSION}\n`,
      version ?? "",
    );
    for (const number of [1, 2, 3]) {
      const copy = await readIfThere(`${home.config}.${number}`);
      if (copy !== undefined) {
        assert.equal(secretsOf(JSON.parse(copy)), secrets);
      }
    }
    const remains = await remainsOf(home);
    if (remains.some((name) => !before.includes(name))) tally.amid++;
  }
  // Neither a set nor a removed setting counts as an edit, whatever was killed before.
  for (const number of [first + count, first + count + 1]) {
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: startSettings(home, number),
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    assertClean(outcome);
    assert.doesNotMatch(
      outcome.stderr,
      / takes precedence$|warning: .*(copy|locked)/m,
    );
    const document: Document = JSON.parse(await readConfig(home) ?? "");
    assertWanted(document, number);
    secrets ??= secretsOf(document);
    assert.equal(secretsOf(document), secrets);
    assert.equal(await readIfThere(home.version), `${VERSION}\n`);
    assert.deepEqual(await remainsOf(home), []);
  }
}

/** Kills a start at a random moment of the whole start, or of the part that writes. */
async function killOneStart(
  home: Home,
  number: number,
  pace: Pace,
): Promise<void> {
  const began = performance.now();
  const running = start(COMPILED, ["app:start"], {
    env: startSettings(home, number),
  });
  const ended = running.outcome.then(() => performance.now());
  const step = STEPS[number % STEPS.length];
  if (step !== undefined) await running.until(step);
  await pause(
    step === undefined
      ? Math.random() * pace.length
      : Math.random() ** 2 * LONGEST_PAUSE * pace.length,
  );
  try {
    running.kill("SIGKILL");
  } catch (error) {
    // The start had become the server, which has ended.
    assert.ok(error instanceof TypeError, String(error));
  }
  const { signal, code, stderr } = await running.outcome;
  tally.kills++;
  if (signal === null) {
    assert.equal(code, 0, stderr);
    tally.ended++;
    // The machine may be faster now than when the start was measured.
    pace.length = (3 * pace.length + await ended - began) / 4;
  } else assert.equal(signal, "SIGKILL", stderr);
}

for (const [count, rounds] of [[2, 4], [5, 4], [50, 1]] as const) {
  Deno.test(`${count} starts at the same time on one volume end with one set of secrets`, async () => {
    for (let round = 0; round < rounds; round++) {
      await using home = await makeHome(SHOW_CONFIG);
      const outcomes = await Promise.all(
        Array.from(
          { length: count },
          (_, index) =>
            runProgram(COMPILED, ["app:start"], {
              // The same settings in half of the rounds, different ones in the others.
              env: startSettings(home, round % 2 === 0 ? 7 : 10 + index),
            }),
        ),
      );
      const disk: Document = JSON.parse(await readConfig(home) ?? "");
      const secrets = secretsOf(disk);
      const makers = outcomes.filter(({ stderr }) =>
        /: Generated /.test(stderr)
      );
      assert.equal(makers.length, 1, "one of them made the secrets");
      for (const outcome of outcomes) {
        assert.equal(outcome.code, 0, outcome.stderr);
        assertClean({ ...outcome, stdout: "" }, secrets.split(" "));
        // The config.json that each server found.
        assert.equal(secretsOf(JSON.parse(outcome.stdout)), secrets);
      }
      const last = Number(String(disk["TeamSettings"]?.["SiteName"]).slice(6));
      assertWanted(disk, last);
      assert.equal(await readIfThere(home.version), `${VERSION}\n`);
      assert.deepEqual(await remainsOf(home), []);
    }
  });
}

Deno.test("a config.json that another server is rewriting is read when it is complete", async () => {
  await using home = await makeHome();
  const env = startSettings(home, 1);
  const first = await runProgram(COMPILED, ["app:start"], { env });
  assert.equal(first.code, 0, first.stderr);
  // As the server does: truncate, then write.
  const rewriter = new Deno.Command("sh", {
    args: [
      "-c",
      'cp "$1" "$2"; while :; do : >"$1"; sleep 0.06; cat "$2" >"$1"; sleep 0.1; done',
      ...["sh", home.config, join(home.path, "whole.json")],
    ],
  }).spawn();
  try {
    for (let round = 0; round < 30; round++) {
      const { code, stderr } = await runProgram(COMPILED, ["app:config"], {
        env,
      });
      assert.equal(code, 0, stderr);
    }
  } finally {
    rewriter.kill("SIGKILL");
    await rewriter.status;
  }
});

Deno.test.afterAll(() => database.stop());

async function readConfig(home: Home): Promise<string | undefined> {
  return await readIfThere(home.config);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    assert.ok(error instanceof Deno.errors.NotFound, String(error));
    return undefined;
  }
}

/** The files that exist only during a write. */
async function remainsOf(home: Home): Promise<string[]> {
  const found = await Promise.all(
    [join(home.path, "data"), home.conf].map(async (directory) => {
      try {
        return await Array.fromAsync(Deno.readDir(directory));
      } catch (error) {
        assert.ok(error instanceof Deno.errors.NotFound, String(error));
        return [];
      }
    }),
  );
  return found.flat().map(({ name }) => name)
    .filter((name) => /\.(tmp|writing|new)$/.test(name));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
