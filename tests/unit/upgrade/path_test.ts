import { deepEqual, equal, ok } from "node:assert/strict";
import { releaseFacts } from "../../../lib/mattermost/releases.ts";
import { pathFromMysql, upgradeStops } from "../../../lib/upgrade/path.ts";
import { compareVersions } from "../../../lib/release_range.ts";

const RELEASES = [
  "2.2.0",
  "3.0.3",
  "3.6.0",
  "4.10.10",
  "5.0.3",
  "5.31.9",
  "5.36.2",
  "5.37.10",
  "6.0.4",
  "6.7.2",
  "7.1.9",
  "7.8.15",
  "8.1.13",
  "9.5.14",
  "9.11.18",
  "10.5.14",
  "10.10.3",
  "10.11.23",
  "10.12.4",
  "11.0.7",
  "11.7.2",
  "11.7.9",
  "11.10.0",
];

Deno.test("upgradeStops() returns a path whose steps need no other stop", () => {
  for (const adapter of ["mysql", "postgres"] as const) {
    for (const from of RELEASES) {
      for (const to of RELEASES) {
        if (compareVersions(from, to) >= 0) continue;
        const stops = upgradeStops({ from, to, adapter });
        const path = [from, ...stops.map(({ release }) => release), to];
        for (const [i, start] of path.slice(0, -1).entries()) {
          const end = path[i + 1] ?? "";
          ok(compareVersions(start, end) < 0, path.join(" "));
          deepEqual(
            upgradeStops({ from: start, to: end, adapter }),
            [],
            path.join(" "),
          );
        }
      }
    }
  }
});

/** The upgrades that need a stop. */
interface Bounds {
  readonly stop: string;
  /** The newest release that needs it, and the next one. */
  readonly from: readonly [string, string];
  /** The oldest release that it is needed for, and the one before. */
  readonly to: readonly [string, string];
  /** The newest release that it is needed for, and the next one. */
  readonly until?: readonly [string, string];
  readonly adapter?: "mysql" | "postgres";
}

const BOUNDS: readonly Bounds[] = [
  { stop: "3.3.0", from: ["2.2.0", "3.0.0"], to: ["3.4.0", "3.3.0"] },
  { stop: "5.31.9", from: ["4.10.10", "5.0.0"], to: ["5.34.0", "5.33.5"] },
  {
    stop: "5.37.10",
    from: ["5.36.2", "5.37.0"],
    to: ["6.0.0", "5.39.3"],
    until: ["6.0.4", "6.1.0"],
    adapter: "postgres",
  },
  { stop: "5.37.10", from: ["5.36.2", "5.37.0"], to: ["7.0.0", "6.7.2"] },
  { stop: "7.1.9", from: ["7.0.2", "7.1.0"], to: ["7.2.0", "7.1.9"] },
  { stop: "7.8.15", from: ["7.7.4", "7.8.0"], to: ["8.1.0", "8.0.4"] },
  { stop: "8.1.13", from: ["8.0.4", "8.1.0"], to: ["9.5.0", "9.4.5"] },
  { stop: "9.5.14", from: ["9.4.5", "9.5.0"], to: ["9.11.0", "9.10.3"] },
  { stop: "9.11.18", from: ["9.10.3", "9.11.0"], to: ["10.5.0", "10.4.5"] },
  { stop: "10.5.14", from: ["10.4.5", "10.5.0"], to: ["10.11.0", "10.10.3"] },
  {
    stop: "10.12.4",
    from: ["10.10.3", "10.11.0"],
    to: ["11.7.0", "11.6.6"],
    until: ["11.7.2", "11.7.3"],
  },
  { stop: "10.11.23", from: ["10.10.3", "10.11.0"], to: ["11.7.3", "11.7.2"] },
  { stop: "11.7.9", from: ["10.12.4", "11.0.0"], to: ["12.0.0", "11.99.0"] },
];

Deno.test("upgradeStops() requires each stop between its bounds, and nowhere else", () => {
  for (const { stop, from, to, until, adapter = "mysql" } of BOUNDS) {
    const first = (start: string, end: string): boolean =>
      upgradeStops({ from: start, to: end, adapter })[0]?.release === stop;
    const [needs, free] = from;
    equal(first(needs, to[0]), true, `${stop}: ${needs} to ${to[0]}`);
    equal(first(needs, to[1]), false, `${stop}: ${needs} to ${to[1]}`);
    equal(first(free, to[0]), false, `${stop}: ${free} to ${to[0]}`);
    if (until === undefined) continue;
    equal(first(needs, until[0]), true, `${stop}: ${needs} to ${until[0]}`);
    equal(first(needs, until[1]), false, `${stop}: ${needs} to ${until[1]}`);
  }
});

Deno.test("upgradeStops() only advises from 6.4 on, where the release of a database may be uncertain", () => {
  for (const from of ["6.4.0", ...RELEASES]) {
    if (compareVersions(from, "6.4.0") < 0) continue;
    const stops = upgradeStops({ from, to: "12.0.0", adapter: "postgres" });
    ok(stops.every(({ isAdvice }) => isAdvice), from);
  }
});

Deno.test("upgradeStops() returns for each stop its reason, and whether it is advice", () => {
  const stops = upgradeStops({ from: "2.2.0", to: "7.8.15", adapter: "mysql" });
  deepEqual(stops.map(({ release, isAdvice }) => [release, isAdvice]), [
    ["3.3.0", false],
    ["5.31.9", false],
    ["5.37.10", true],
    ["7.1.9", true],
  ]);
  for (const { reason } of stops) ok(reason.length > 20);
});

Deno.test("pathFromMysql() leaves MySQL with 10.11 or 10.12, whichever is compatible with the target", () => {
  const cases: readonly [string, string, string, string][] = [
    ["10.11.0", "11.7.9", "", "11.7.9"],
    ["10.10.3", "11.7.9", "10.11.23", "11.7.9"],
    ["10.10.3", "11.7.2", "10.12.4", "11.7.2"],
    ["10.12.4", "11.0.0", "", "11.0.0"],
    ["10.11.17", "11.0.0", "", "11.7.9"],
    ["9.11.18", "12.0.0", "10.5.14 10.11.23", "11.7.9 12.0.0"],
  ];
  for (const [from, to, before, after] of cases) {
    const { mysql, postgres } = pathFromMysql({ from, to });
    deepEqual(
      [mysql.join(" "), postgres.join(" ")],
      [before, after],
      `${from} to ${to}`,
    );
  }
});

Deno.test("pathFromMysql() names only releases that support MySQL before the move", () => {
  for (
    const from of RELEASES.filter((from) => compareVersions(from, "3.0.0") >= 0)
  ) {
    for (const to of ["11.0.7", "11.7.2", "11.7.9", "11.10.0"]) {
      const { mysql, postgres } = pathFromMysql({ from, to });
      for (const release of mysql) {
        ok(releaseFacts(release).databases.mysql, `${from} ${to}`);
      }
      const collides = compareVersions(from, "10.11.17") >= 0 &&
        compareVersions(to, "11.7.3") < 0 &&
        compareVersions(from, "10.12.0") < 0;
      equal(postgres.at(-1), collides ? "11.7.9" : to, `${from} ${to}`);
    }
  }
});
