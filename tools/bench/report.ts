/**
 * Writes docs/benchmarks.md.
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

/** The results of a benchmark. */
export interface Results {
  /** Readings by case; the floor is the first. */
  readonly readings: Readings;
  /** The phases of starts, by case. */
  readonly breakdowns: ReadonlyMap<string, readonly Breakdown[]>;
  /** The versions of the databases, and the machine. */
  readonly products: readonly string[];
  /** How many rounds counted. */
  readonly rounds: number;
  /** The size of the binary, and of the runtime in it, in bytes. */
  readonly sizes: { readonly size: number; readonly runtime: number };
}

/** A target of the project. */
interface Target {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

/**
 * Writes the page.
 *
 * @param results The results.
 * @returns Markdown.
 */
export function report(results: Results): string {
  const { rounds, products } = results;
  return `# Benchmarks

Written by \`deno task bench\`: medians of ${rounds} rounds after warm-up. Each round runs
every case once. Ratios are medians of the ratios in each round. ${
    products.join(", ")
  }.

![Time of a start by case](benchmarks.svg)

The **floor** is a compiled program that only executes \`/bin/true\`. \`app:start\` is
measured as the server's user, unless it says otherwise, with a server that ends at once, with a database that accepts logins and has the
tables of a release, and with the config.json of an earlier start; the first start has
none. The **shell script** (\`tools/bench/classic.sh\`) does the same job with bash, jq, and
psql or mariadb. It runs jq once for all settings and the client once for all queries. It
merges no edits, knows one release, and checks only types. All files are read from the disk
again every few rounds, because their place in memory changes a start by up to 10 %.

${table(results)}

## Targets

${targets(results)}

## Where the time goes

Milliseconds, from the messages of \`DEBUG=true ENTRYPOINT_LOG_FORMAT=json\`. Work that is
done while the program waits for something counts as waiting.

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

/** The shell script that does the same job as a case. */
function scriptFor(name: string): string | undefined {
  const product = /^(?:first )?start, (\w+)/.exec(name)?.[1];
  return product === undefined ? undefined : `shell script, ${product}`;
}

function targetsOf({ readings, sizes }: Results): Target[] {
  const toFloor = (name: string, limit: number): Target => ({
    name: `${name} ÷ floor`,
    value: ratio(readings, { name, base: "floor" }),
    limit,
    unit: "",
  });
  const toScript = (product: string, limit: number): Target => ({
    name: `start, ${product} ÷ shell script`,
    value: ratio(readings, {
      name: `start, ${product}`,
      base: `shell script, ${product}`,
    }),
    limit,
    unit: "",
  });
  const starts = ["start, PostgreSQL", "start, MariaDB"];
  const asRoot = {
    name: "start as root, PostgreSQL",
    base: "start, PostgreSQL",
  };
  return [
    toFloor("start, PostgreSQL", 1.9),
    toFloor("start, MariaDB", 2),
    toScript("PostgreSQL", 1),
    toScript("MariaDB", 1.1),
    toFloor("app:health", 1.3),
    {
      name: "start as root ÷ start as the server's user",
      value: ratio(readings, asRoot),
      limit: 1.1,
      unit: "",
    },
    {
      name: "peak memory of a start",
      value: Math.max(
        ...starts.map((name) => middle(readings, name, "peak") / 1e6),
      ),
      limit: 75,
      unit: " MB",
    },
    {
      name: "binary − runtime",
      value: (sizes.size - sizes.runtime) / 1e6,
      limit: 3,
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

/** A table in the format of `deno fmt`; all columns but the first are numbers. */
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
