import { deepEqual, equal, ok } from "node:assert/strict";
import { releaseFacts } from "../../../lib/server/releases.ts";
import {
  pathOffMysql,
  upgradeStops,
} from "../../../lib/server/upgrade_path.ts";
import { compareVersions } from "../../../lib/server/version.ts";

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
  "11.0.7",
  "11.7.2",
  "11.7.9",
  "11.10.0",
];

Deno.test("upgradeStops() is a way upwards on which every leg is free", () => {
  for (const adapter of ["mysql", "postgres"] as const) {
    for (const from of RELEASES) {
      for (const to of RELEASES) {
        if (compareVersions(from, to) >= 0) continue;
        const stops = upgradeStops({ from, to, adapter });
        const way = [from, ...stops.map(({ release }) => release), to];
        for (const [i, start] of way.slice(0, -1).entries()) {
          const end = way[i + 1] ?? "";
          ok(compareVersions(start, end) < 0, way.join(" "));
          deepEqual(
            upgradeStops({ from: start, to: end, adapter }),
            [],
            way.join(" "),
          );
        }
      }
    }
  }
});

Deno.test("upgradeStops() says of each stop whether it is policy, and why", () => {
  const stops = upgradeStops({ from: "2.2.0", to: "7.8.15", adapter: "mysql" });
  deepEqual(stops.map(({ release, policy }) => [release, policy]), [
    ["3.3.0", false],
    ["5.31.9", false],
    ["5.37.10", true],
    ["7.1.9", true],
  ]);
  for (const { reason } of stops) ok(reason.length > 20);
});

Deno.test("pathOffMysql() stays on releases that know MySQL until the move", () => {
  for (
    const from of RELEASES.filter((from) => compareVersions(from, "3.0.0") >= 0)
  ) {
    for (const to of ["11.0.7", "11.7.2", "11.7.9", "11.10.0"]) {
      const { mysql, postgres } = pathOffMysql({ from, to });
      for (const release of mysql) {
        ok(releaseFacts(release).databases.mysql, `${from} ${to}`);
      }
      const collides = compareVersions(from, "10.11.17") >= 0 &&
        compareVersions(to, "11.7.3") < 0 &&
        compareVersions(from, "11.0.0") < 0;
      equal(postgres.at(-1), collides ? "11.7.9" : to, `${from} ${to}`);
    }
  }
});
