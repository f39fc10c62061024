/**
 * Measures how fast the program starts, compared with a minimal compiled program (the floor)
 * and with a shell script that does the same job.
 *
 *     deno task bench [--rounds N] [--binary FILE] [--against FILE] [--dry]
 *
 * Each round runs every case once, so that other load on the machine affects all of them.
 * `--binary` measures this build, `--against` measures another one beside it, and `--dry`
 * writes no files. All connections are on the loopback interface. It takes up to three
 * minutes.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { chart } from "./bench/chart.ts";
import type { Readings } from "./bench/figures.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import { measure, meterProblem, type Reading } from "./bench/meter.ts";
import { readAgain } from "./bench/page_cache.ts";
import { type Breakdown, breakDown } from "./bench/phases.ts";
import { report, type Results } from "./bench/report.ts";
import { binarySizes } from "./denort.ts";
import { requireOpenPath } from "./shared/cache.ts";
import { run } from "./shared/process.ts";
import { createScratch } from "./shared/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
/** Rounds before those that count. */
const WARM_UP_ROUNDS = 2;
/** The fewest rounds of a published result. */
const MIN_ROUNDS = 20;
/** After so many rounds all files are read into the page cache again (`page_cache.ts`). */
const READ_AGAIN_AFTER = 5;
/** Time limit for all rounds, in milliseconds. */
const TIMEOUT = 120_000;
/** The cases that are broken down into phases. */
const BROKEN_DOWN = ["start, PostgreSQL", "start, MariaDB"];

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "25" },
      binary: { type: "string" },
      against: { type: "string" },
      dry: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) {
    console.error(
      `--rounds must be a number from 1 to 1000: it is ${values.rounds}`,
    );
    return 64;
  }
  const problem = await meterProblem();
  if (problem !== undefined) {
    console.error(problem);
    return 1;
  }
  await using scratch = await createScratch({ prefix: "mattermost-bench-" });
  const home = scratch.path;
  await Deno.chmod(home, 0o755);
  await requireOpenPath(home);
  const results = await measureIn({
    home,
    rounds,
    binary: values.binary ??
      await compile(join(home, "bin-program")),
    floor: await compile(join(home, "bin-floor"), "tools/bench/floor.ts"),
    against: values.against,
  });
  const text = report(results);
  console.log(text);
  if (!values.dry) await publish(results, text);
  return 0;
}

interface BenchOptions {
  readonly home: string;
  readonly rounds: number;
  readonly binary: string;
  readonly floor: string;
  readonly against: string | undefined;
}

async function measureIn(options: BenchOptions): Promise<Results> {
  // With a high load, only the processor times are meaningful.
  const loadBefore = Deno.loadavg()[0]?.toFixed(1);
  await using lab = await openLab(options);
  const { readings, breakdowns } = await measureAll(lab, options.rounds);
  return {
    readings,
    breakdowns,
    products: [...lab.products, `load average ${loadBefore}`],
    rounds: readings.get("floor")?.length ?? 0,
    sizes: await binarySizes(options.binary),
  };
}

async function measureAll(
  { cases, files }: Pick<Lab, "cases" | "files">,
  rounds: number,
): Promise<{ readings: Readings; breakdowns: Map<string, Breakdown[]> }> {
  const readings = new Map(cases.map(({ name }) => [name, [] as Reading[]]));
  const breakdowns = new Map<string, Breakdown[]>();
  const deadline = Date.now() + TIMEOUT;
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    if (round % READ_AGAIN_AFTER === 0) await readAgain(files);
    // In the next round each case runs after another case.
    const order = round % 2 === 0 ? cases : cases.toReversed();
    const floor = { wall: 0 };
    const broken: [string, Reading][] = [];
    for (const { name, job, prepare } of order) {
      await prepare?.();
      // Data that another case wrote must not be written to the disk in this run.
      await run(["sync"]);
      const reading = await measure(job);
      if (name === "floor") floor.wall = reading.wall;
      if (round >= 0) readings.get(name)?.push(reading);
      if (!BROKEN_DOWN.includes(name)) continue;
      const debug = { DEBUG: "true", ENTRYPOINT_LOG_FORMAT: "json" };
      const env = { ...job.env, ...debug };
      broken.push([name, await measure({ ...job, env })]);
    }
    if (round < 0) continue;
    for (const [name, reading] of broken) {
      const list = breakdowns.get(name) ?? [];
      breakdowns.set(name, [...list, breakDown(reading, floor.wall)]);
    }
    if (Date.now() > deadline) {
      console.error(
        `The time limit ended the measurement after ${
          round + 1
        } of ${rounds} rounds`,
      );
      break;
    }
  }
  return { readings, breakdowns };
}

/** Compiles the program, or another one. */
async function compile(output: string, entry?: string): Promise<string> {
  await run([
    Deno.execPath(),
    ...["run", "-A", join(ROOT, "tools/compile.ts")],
    ...["--output", output],
    ...(entry === undefined ? [] : ["--entry", join(ROOT, entry)]),
  ], { cwd: ROOT });
  return output;
}

async function publish(results: Results, text: string): Promise<void> {
  if (results.rounds < MIN_ROUNDS) {
    throw new Error(
      `The results are not written, because at least ${MIN_ROUNDS} rounds are needed: use --dry`,
    );
  }
  await Deno.mkdir(join(ROOT, "docs"), { recursive: true });
  await Deno.writeTextFile(join(ROOT, "docs/benchmarks.svg"), chart(results));
  await Deno.writeTextFile(join(ROOT, "docs/benchmarks.md"), text);
}
