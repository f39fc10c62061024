/**
 * Measures how fast the program starts: against the least that a compiled
 * program can do, and against a shell script that does the same job.
 *
 *     deno task bench [--rounds N] [--binary FILE] [--against FILE] [--dry]
 *
 * The runs of all cases take turns, so that what else the machine does hits
 * them alike. `--against` measures another build beside, `--dry` writes nothing.
 * Everything is on this machine's loopback interface; three minutes at most.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { chart } from "./bench/chart.ts";
import type { Readings } from "./bench/figures.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import { measure, meterTrouble, type Reading } from "./bench/meter.ts";
import { readAnew } from "./bench/page_cache.ts";
import { type Breakdown, breakDown } from "./bench/phases.ts";
import { report, type Results } from "./bench/report.ts";
import { binarySizes } from "./denort.ts";
import { requireOpenPath } from "./shared/cache.ts";
import { run } from "./shared/process.ts";
import { createScratch } from "./shared/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
/** Runs before those that count. */
const WARM_UP = 2;
/** The fewest rounds of a published result. */
const FEWEST = 20;
/** Rounds after which all programs are read anew: where in memory they come to lie is chance. */
const PLACEMENT = 5;
/** How long all rounds together may take, in milliseconds. */
const PATIENCE = 120_000;
/** The cases that are taken apart. */
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
    console.error("--rounds takes a number from 1 to 1000");
    return 64;
  }
  const trouble = await meterTrouble();
  if (trouble !== undefined) {
    console.error(trouble);
    return 1;
  }
  await using scratch = await createScratch({ prefix: "mattermost-bench-" });
  const home = scratch.path;
  await Deno.chmod(home, 0o755);
  await requireOpenPath(home);
  const results = await examine({
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

interface Examination {
  readonly home: string;
  readonly rounds: number;
  readonly binary: string;
  readonly floor: string;
  readonly against: string | undefined;
}

async function examine(options: Examination): Promise<Results> {
  // On a busy machine processor time tells more than wall time.
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
  const deadline = Date.now() + PATIENCE;
  for (let round = -WARM_UP; round < rounds; round++) {
    if (round % PLACEMENT === 0) await readAnew(files);
    // Each case follows another one in each round.
    const turns = round % 2 === 0 ? cases : cases.toReversed();
    const floor = { wall: 0 };
    const broken: [string, Reading][] = [];
    for (const { name, job, prepare } of turns) {
      await prepare?.();
      // Nobody pays for what others have left to be written.
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
      console.error(`Out of time after ${round + 1} of ${rounds} rounds`);
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
  if (results.rounds < FEWEST) {
    throw new Error(`Nothing is written for less than ${FEWEST} rounds`);
  }
  await Deno.mkdir(join(ROOT, "docs"), { recursive: true });
  await Deno.writeTextFile(join(ROOT, "docs/benchmarks.svg"), chart(results));
  await Deno.writeTextFile(join(ROOT, "docs/benchmarks.md"), text);
}
