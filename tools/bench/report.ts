/**
 * The figures as a page.
 *
 * @module
 */

import {
  median,
  middle,
  processor,
  type Quantity,
  ratio,
  type Readings,
} from "./figures.ts";
import { type Breakdown, PHASES } from "./phases.ts";

/** All that was measured. */
export interface Results {
  /** Readings by case; the floor is the first. */
  readonly readings: Readings;
  /** The parts of starts, by case. */
  readonly breakdowns: ReadonlyMap<string, readonly Breakdown[]>;
  /** What it was measured with. */
  readonly products: readonly string[];
  /** How many runs of each case counted. */
  readonly rounds: number;
  /** Bytes of the program, and of the runtime in it. */
  readonly sizes: { readonly size: number; readonly runtime: number };
}

/** A promise of the project. */
interface Target {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

/**
 * Writes the page.
 *
 * @param results What was measured.
 * @returns Markdown.
 */
export function report(results: Results): string {
  const { rounds, products } = results;
  return `# Benchmarks

Written by \`deno task bench\`: medians over ${rounds} runs of each case after warm-up,
the cases taking turns. Ratios are medians of the ratios of each round. ${
    products.join(", ")
  }.

![Time of a start by case](benchmarks.svg)

The **floor** is a compiled program that does nothing but execute \`/bin/true\`.
\`app:start\` is measured up to \`/bin/true\` in the place of the server, on a database
that is ready and holds the tables of a release, with a config.json of an earlier
start; the first start has none. The **shell script** (\`tools/bench/classic.sh\`) does
the same job with bash, jq, and psql or mariadb, as lean as that can be: all
settings in one run of jq, all questions in one run of the client. It merges nothing,
knows one release, and checks types only. All programs are read anew from the disk
every few rounds, since where a file lies in memory changes its start by up to a tenth.

${table(results)}

## Targets

${targets(results)}

## Where the time goes

Milliseconds, by the steps of \`DEBUG=true ENTRYPOINT_LOG_FORMAT=json\`. What is done
while something else is awaited counts there.

${breakdownTable(results)}
`;
}

function table({ readings }: Results): string {
  const rows = [...readings.keys()].map((name) => {
    const milliseconds = (quantity: Quantity): string =>
      middle(readings, name, quantity).toFixed(1);
    const script = scriptFor(name);
    return [
      name,
      milliseconds("wall"),
      milliseconds("user"),
      milliseconds("system"),
      (middle(readings, name, "peak") / 1e6).toFixed(0),
      ratio(readings, { name, base: "floor" }).toFixed(2),
      ratio(readings, { name, base: "floor" }, processor).toFixed(2),
      script === undefined
        ? ""
        : ratio(readings, { name, base: script }).toFixed(2),
    ];
  });
  return markdown([
    "Case",
    "Wall, ms",
    "User, ms",
    "System, ms",
    "Peak, MB",
    "Wall ÷ floor",
    "Processor ÷ floor",
    "Wall ÷ script",
  ], rows);
}

/** The shell script that does the job of a case. */
function scriptFor(name: string): string | undefined {
  const product = /^(?:first )?start, (\w+)/.exec(name)?.[1];
  return product === undefined ? undefined : `shell script, ${product}`;
}

/**
 * The promises, with what was measured.
 *
 * @param results What was measured.
 * @returns One for each promise.
 */
function targetsOf({ readings, sizes }: Results): Target[] {
  const toFloor = (name: string, limit: number): Target => ({
    name: `${name} ÷ floor`,
    value: ratio(readings, { name, base: "floor" }),
    limit,
    unit: "",
  });
  const toScript = (product: string): Target => ({
    name: `start, ${product} ÷ shell script`,
    value: ratio(readings, {
      name: `start, ${product}`,
      base: `shell script, ${product}`,
    }),
    limit: 1,
    unit: "",
  });
  const starts = ["start, PostgreSQL", "start, MariaDB"];
  return [
    toFloor("start, PostgreSQL", 1.8),
    toFloor("start, MariaDB", 2.2),
    toScript("PostgreSQL"),
    toScript("MariaDB"),
    toFloor("app:health", 1.3),
    {
      name: "peak memory of a start",
      value: Math.max(
        ...starts.map((name) => middle(readings, name, "peak") / 1e6),
      ),
      limit: 75,
      unit: " MB",
    },
    {
      name: "program − runtime in it",
      value: (sizes.size - sizes.runtime) / 1e6,
      limit: 1.5,
      unit: " MB",
    },
  ];
}

function targets(results: Results): string {
  const rows = targetsOf(results).map(({ name, value, limit, unit }) => [
    name,
    `${value.toFixed(2)}${unit}`,
    `≤ ${limit}${unit}`,
    value <= limit ? "met" : "missed",
  ]);
  return markdown(["Target", "Measured", "Limit", ""], rows);
}

function breakdownTable({ breakdowns }: Results): string {
  const rows = [...breakdowns].map(([name, list]) => [
    name,
    ...PHASES.map((phase) =>
      median(list.map((each) => each[phase])).toFixed(1)
    ),
  ]);
  return markdown(["Case", ...PHASES], rows);
}

/** As `deno fmt` would have it: the first column is text, the others are figures. */
function markdown(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string =>
    `| ${
      cells.map((cell, column) =>
        column === 0
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0)
      ).join(" | ")
    } |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
