/**
 * The last schema migration that each release ships: the highest number in the
 * table `db_migrations` after that release started.
 *
 * A second witness, not proof: patch releases bring migrations of later
 * releases back, and what is marked as {@linkcode ABOUT} was read from the main
 * branch at about the time when the release was cut.
 *
 * @module
 */

import { compareVersions, inRange, parseVersion } from "../release_range.ts";

const ABOUT = "about";

type Run = readonly [
  first: string,
  last: string,
  number: number,
  about?: typeof ABOUT,
];

/**
 * Runs of releases that ship the same last migration, in the order of releases.
 * Numbers below 75 are of another tool, whose releases still keep
 * `Systems.Version`.
 */
const RUNS: readonly Run[] = [
  ["6.0.0", "6.0.4", 2],
  ["6.1.0", "6.3.10", 3],
  ["6.4.0", "6.4.3", 75],
  ["6.5.0", "6.5.2", 77],
  ["6.6.0", "6.6.0", 78],
  ["6.6.1", "6.7.2", 82],
  ["7.0.0", "7.0.2", 85],
  ["7.1.0", "7.1.4", 89],
  ["7.1.5", "7.1.9", 95],
  ["7.2.0", "7.2.1", 90],
  ["7.3.0", "7.3.1", 92],
  ["7.4.0", "7.4.0", 93],
  ["7.4.1", "7.5.2", 95],
  ["7.7.0", "7.7.4", 100],
  ["7.8.0", "7.8.4", 101],
  ["7.8.5", "7.8.10", 107],
  ["7.8.11", "7.8.15", 113],
  ["7.9.0", "7.9.3", 104],
  ["7.9.4", "7.9.6", 107],
  ["7.10.0", "7.10.0", 105],
  ["7.10.1", "7.10.5", 108],
  ["8.0.0", "8.1.1", 109],
  ["8.1.2", "8.1.13", 113],
  ["9.0.0", "9.0.5", 111],
  ["9.1.0", "9.2.6", 113],
  ["9.3.0", "9.3.3", 114],
  ["9.4.0", "9.4.5", 117],
  ["9.5.0", "9.5.6", 119],
  ["9.5.7", "9.5.7", 122],
  ["9.6.0", "9.7.6", 119],
  ["9.8.0", "9.8.2", 120],
  ["9.9.0", "9.9.1", 121],
  ["9.10.0", "9.10.0", 121],
  ["9.11.0", "9.11.0", 124, ABOUT],
  ["10.0.0", "10.0.0", 125, ABOUT],
  ["10.1.0", "10.1.0", 126, ABOUT],
  ["10.2.0", "10.2.0", 127, ABOUT],
  ["10.3.0", "10.4.0", 128, ABOUT],
  ["10.5.0", "10.5.0", 129, ABOUT],
  ["10.6.0", "10.6.0", 132, ABOUT],
  ["10.7.0", "10.7.0", 133, ABOUT],
  ["10.8.0", "10.8.0", 134, ABOUT],
  ["10.9.0", "10.9.0", 136, ABOUT],
  ["10.10.0", "10.10.0", 139, ABOUT],
  ["10.10.3", "10.10.3", 141],
  ["10.11.0", "10.11.0", 141, ABOUT],
  // The patch that took the numbers 142-144, which mean something else in 11.x.
  ["10.11.17", "10.11.17", 144, ABOUT],
  ["10.12.0", "11.0.0", 141, ABOUT],
  ["11.1.0", "11.1.0", 143, ABOUT],
  ["11.2.0", "11.2.0", 146, ABOUT],
  ["11.3.0", "11.4.0", 148, ABOUT],
];

/** The first number of the present migration tool; it came with 6.4.0. */
export const FIRST_MORPH_MIGRATION = 75;

// 7.8.0 to 7.8.11 went from 101 to 113: the most that patches of one release
// brought back.
const BROUGHT_BACK = 12;

// How far a number may be off that was read at about the cut of the release.
const READ_TOO_LATE = 3;

/** The last migration that a release ships. */
export interface ShippedMigration {
  /** Its number. */
  readonly last: number;
  /** `exact` as read, `about` or more for a patch that was not read, `unknown` or more for a release after those known. */
  readonly quality: "exact" | "about" | "unknown";
}

/** The oldest and the newest release that can have left a number. */
export interface ReleaseSpan {
  /** The oldest one. */
  readonly low: string;
  /** The newest one. */
  readonly high: string;
}

/**
 * The last migration that a release ships.
 *
 * @param version The release.
 * @returns The number and how well it is known, `undefined` before 6.4.0.
 */
export function shippedMigration(
  version: string,
): ShippedMigration | undefined {
  if (inRange(version, "<6.4.0")) return undefined;
  const run = RUNS.findLast(([first]) => compareVersions(first, version) <= 0);
  if (run === undefined) return undefined;
  const [, last, number, about] = run;
  const newest = RUNS.at(-1) === run && compareVersions(version, last) > 0 &&
    !sameMinor(version, last);
  const quality = newest
    ? "unknown"
    : about === undefined && compareVersions(version, last) <= 0
    ? "exact"
    : ABOUT;
  return { last: number, quality };
}

/**
 * The releases that can have left a number in the database.
 *
 * @param number The highest number in `db_migrations`, 75 or more.
 * @returns The span; its ends are releases as read, patches after them are possible.
 */
export function releasesWith(number: number): ReleaseSpan {
  const exact = RUNS.filter((run) => run[2] === number);
  const [first, last] = [exact[0], exact.at(-1)];
  if (first !== undefined && last !== undefined) {
    return { low: first[0], high: last[1] };
  }
  // Between two known numbers: a patch that was not read, or a migration that
  // was interrupted.
  const before = Math.max(
    ...RUNS.map((run) => run[2]).filter((last) => last < number),
  );
  const low = RUNS.find((run) => run[2] === before);
  const high = RUNS.find((run) => run[2] > number);
  const newest = RUNS.at(-1)?.[1] ?? "";
  return { low: low?.[0] ?? newest, high: high?.[1] ?? newest };
}

/**
 * Tells whether a release, by all that is known, ends at just this number.
 *
 * @param version The release.
 * @param number The highest number in `db_migrations`.
 * @returns Whether a database with it needs nothing from the release.
 */
export function endsAt(version: string, number: number): boolean {
  const shipped = shippedMigration(version);
  if (shipped === undefined) return false;
  switch (shipped.quality) {
    case "exact":
      return number === shipped.last;
    case "about":
      return number >= shipped.last && number <= shipped.last + BROUGHT_BACK;
    case "unknown":
      return number > shipped.last;
  }
}

/**
 * Tells whether a release can have left a number, generously: used to see
 * whether another witness lies.
 *
 * @param version The release.
 * @param number The highest number in `db_migrations`.
 * @returns Whether it can.
 */
export function canHaveLeft(version: string, number: number): boolean {
  const shipped = shippedMigration(version);
  if (shipped === undefined) return number < FIRST_MORPH_MIGRATION;
  if (shipped.quality === "exact") return number === shipped.last;
  return number >= shipped.last - READ_TOO_LATE &&
    (shipped.quality === "unknown" || number <= shipped.last + BROUGHT_BACK);
}

/**
 * Tells whether a number can only come from a release newer than the given one.
 * In doubt it does not.
 *
 * @param version The release.
 * @param number The highest number in `db_migrations`.
 * @returns Whether the database is certainly newer.
 */
export function isBeyond(version: string, number: number): boolean {
  if (number < FIRST_MORPH_MIGRATION) return false;
  const shipped = shippedMigration(version);
  if (shipped === undefined) return true;
  const room = shipped.quality === "exact" ? 0 : BROUGHT_BACK;
  return number > shipped.last + room &&
    compareVersions(releasesWith(number).low, version) > 0;
}

/** The highest number in `db_migrations` on both sides of a migration; `undefined` for no row, or no table. */
export interface MigrationNumbers {
  /** Before it. */
  readonly before: number | undefined;
  /** After it. */
  readonly after: number | undefined;
}

/**
 * Tells whether a migration that is said to have succeeded has certainly not. In doubt it has:
 * a database may be newer than the release, and few releases are known exactly.
 *
 * @param version The release that migrated.
 * @param numbers What it found and what it left.
 * @returns What there is and what there should be, to follow a colon; `undefined` where nothing is certainly wrong.
 */
export function unfinished(
  version: string,
  { before, after }: MigrationNumbers,
): string | undefined {
  const shipped = shippedMigration(version);
  if (shipped === undefined) return undefined;
  const { last, quality } = shipped;
  const expected = `the last migration of Mattermost ${version} is ${
    EXPECTED[quality](last)
  }`;
  if (after === undefined) {
    return `the table db_migrations has no row, or is not there, and ${expected}`;
  }
  const found = `the last row of db_migrations is number ${after}`;
  if (before !== undefined && after < before) {
    return `${found}, it was number ${before} before`;
  }
  const isBehind = quality === "exact"
    ? after < last
    : after < last - READ_TOO_LATE &&
      (after === before || inRange(version, HIDES_FAILURES));
  return isBehind ? `${found}, and ${expected}` : undefined;
}

/** Releases that end with 0 though their migration failed; from 8.1 on it is 1. */
const HIDES_FAILURES = "<8.1.0";

const EXPECTED: Readonly<
  Record<ShippedMigration["quality"], (last: number) => string>
> = {
  exact: (last) => `number ${last}`,
  about: (last) => `about number ${last}`,
  unknown: (last) => `number ${last} or a later one`,
};

function sameMinor(left: string, right: string): boolean {
  const [a, b] = [parseVersion(left), parseVersion(right)];
  return a?.major === b?.major && a?.minor === b?.minor;
}
