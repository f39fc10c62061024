import { deepEqual, equal, match } from "node:assert/strict";
import {
  findMigrationFailure,
  isLastMigration,
  isNewerMigration,
  mayHaveMigratedTo,
  releasesWithMigration,
  shippedMigration,
} from "../../../lib/mattermost/migrations.ts";

/** Samples of the list from which the table was made. */
const SHIPPED: readonly [version: string, last: number, quality: string][] = [
  ["6.4.0", 75, "exact"],
  ["6.5.2", 77, "exact"],
  ["6.6.0", 78, "exact"],
  ["6.6.1", 82, "exact"],
  ["6.7.2", 82, "exact"],
  ["7.0.2", 85, "exact"],
  ["7.1.4", 89, "exact"],
  ["7.1.5", 95, "exact"],
  ["7.2.0", 90, "exact"],
  ["7.4.0", 93, "exact"],
  ["7.4.1", 95, "exact"],
  ["7.8.4", 101, "exact"],
  ["7.8.10", 107, "exact"],
  ["7.8.15", 113, "exact"],
  ["7.10.0", 105, "exact"],
  ["8.1.1", 109, "exact"],
  ["8.1.2", 113, "exact"],
  ["9.0.5", 111, "exact"],
  ["9.5.6", 119, "exact"],
  ["9.5.7", 122, "exact"],
  ["9.6.0", 119, "exact"],
  ["9.10.0", 121, "exact"],
  ["10.10.3", 141, "exact"],
  // Patch releases that were not examined, and releases with numbers from the main branch.
  ["9.5.14", 122, "about"],
  ["9.9.3", 121, "about"],
  ["9.10.3", 121, "about"],
  ["9.11.0", 124, "about"],
  ["10.5.14", 129, "about"],
  ["10.11.10", 141, "about"],
  ["10.11.23", 144, "about"],
  ["10.12.4", 141, "about"],
  ["11.0.7", 141, "about"],
  ["11.2.4", 146, "about"],
  ["11.4.5", 148, "about"],
  // 7.6 was never released.
  ["7.6.0", 95, "about"],
  ["11.3.0", 148, "about"],
  ["11.5.0", 148, "unknown"],
  ["11.10.0", 148, "unknown"],
  ["12.0.0", 148, "unknown"],
  ["12.4.0", 148, "unknown"],
];

Deno.test("shippedMigration() returns the number and its reliability", () => {
  for (const [version, last, quality] of SHIPPED) {
    deepEqual(shippedMigration(version), { last, quality }, version);
  }
  equal(shippedMigration("6.3.10"), undefined);
  equal(shippedMigration("3.6.0"), undefined);
});

Deno.test("releasesWithMigration() returns the oldest and the newest release with a number", () => {
  const cases: readonly [number, string, string][] = [
    [75, "6.4.0", "6.4.3"],
    [82, "6.6.1", "6.7.2"],
    [95, "7.1.5", "7.5.2"],
    [113, "7.8.11", "9.2.6"],
    [119, "9.5.0", "9.7.6"],
    [121, "9.9.0", "9.10.0"],
    // Numbers that are not the last one of any known release.
    [80, "6.6.0", "6.7.2"],
    [123, "9.5.7", "9.11.0"],
    [145, "10.11.17", "11.2.0"],
    [200, "11.3.0", "11.4.0"],
  ];
  for (const [number, low, high] of cases) {
    deepEqual(releasesWithMigration(number), { low, high }, String(number));
  }
});

Deno.test("mayHaveMigratedTo(), isLastMigration() and isNewerMigration() tolerate deviations of numbers that are not exact", () => {
  const cases: readonly [string, number, boolean, boolean, boolean][] = [
    ["7.8.15", 113, true, true, false],
    ["7.8.15", 112, false, false, false],
    ["7.8.15", 114, false, false, true],
    ["7.2.1", 95, false, false, false],
    ["9.11.18", 121, true, false, false],
    ["9.11.18", 124, true, true, false],
    ["9.11.18", 136, true, true, false],
    ["9.11.18", 137, false, false, true],
    ["11.10.0", 145, true, false, false],
    ["11.10.0", 148, true, false, false],
    ["11.10.0", 149, true, true, false],
    ["11.10.0", 170, true, true, false],
    ["11.10.0", 144, false, false, false],
    ["5.37.10", 75, false, false, true],
    ["5.37.10", 1, true, false, false],
  ];
  for (const [version, number, left, ends, beyond] of cases) {
    const about = `${version} ${number}`;
    equal(mayHaveMigratedTo(version, number), left, about);
    equal(isLastMigration(version, number), ends, about);
    equal(isNewerMigration(version, number), beyond, about);
  }
});

/** A release, the numbers before and after its migration, and the message. */
const MIGRATED: readonly [
  version: string,
  before: number | undefined,
  after: number | undefined,
  wrong?: RegExp,
][] = [
  // No row, whatever the reliability of the number.
  ["6.7.2", undefined, undefined, /is missing or empty.*6\.7\.2 is number 82$/],
  [
    "10.5.14",
    undefined,
    undefined,
    /is missing or empty.*is about number 129$/,
  ],
  [
    "11.10.0",
    undefined,
    undefined,
    /is missing or empty.*is number 148 or a later/,
  ],
  ["12.0.0", 148, undefined, /is missing or empty/],
  // Exact numbers.
  ["6.7.2", undefined, 82],
  ["6.7.2", 82, 82],
  ["6.7.2", undefined, 81, /row of db_migrations is number 81, but .* 82$/],
  ["6.7.2", 78, 80, /number 80, but/],
  ["7.8.4", 95, 95, /number 95, but .* number 101$/],
  // A newer database, opened with an older release.
  ["6.7.2", 101, 101],
  ["9.5.0", 148, 148],
  ["10.5.14", 148, 148],
  // Approximate numbers: any progress is accepted, and so is a small deviation.
  ["9.5.14", 119, 122],
  ["9.5.14", 122, 122],
  ["10.5.14", 126, 126],
  ["10.5.14", 125, 125, /number 125, but .* about number 129$/],
  ["10.5.14", 111, 120],
  // Releases that hide failures: some progress is not enough.
  ["7.6.0", 85, 86, /number 86, but .* about number \d+$/],
  ["7.6.0", undefined, 50, /number 50, but/],
  ["7.10.6", undefined, 1, /number 1, but/],
  ["7.6.0", 85, 95],
  ["10.11.23", 141, 141],
  ["11.10.0", 148, 148],
  ["11.10.0", 141, 155],
  ["11.10.0", 141, 141, /number 141, but .* number 148 or a later one$/],
  ["11.10.0", undefined, 201],
  // The number must not decrease.
  [
    "11.10.0",
    201,
    199,
    /is number 199, but it was number 201 before the migration$/,
  ],
  [
    "6.7.2",
    101,
    89,
    /is number 89, but it was number 101 before the migration$/,
  ],
  // Before 6.4 there is no such table.
  ["6.3.10", undefined, undefined],
];

Deno.test("findMigrationFailure() reports only what is certain", () => {
  for (const [version, before, after, wrong] of MIGRATED) {
    const message = findMigrationFailure(version, { before, after });
    const label = `${version}: ${before} to ${after}: ${message}`;
    if (wrong === undefined) equal(message, undefined, label);
    else match(message ?? "", wrong, label);
  }
});
