/**
 * The last schema migration of each release: the highest number in the table `db_migrations`
 * after the release has started.
 *
 * The numbers are not exact for all releases: patch releases contain backported migrations,
 * and those marked {@linkcode ABOUT} are from the main branch at about the time of the release.
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
 * Ranges of releases with the same last migration, in the order of releases. Releases with
 * numbers below 75 use an older migration tool, and store their release in `Systems.Version`.
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
  // 142 to 144 are other migrations than in 11.x.
  ["10.11.17", "10.11.17", 144, ABOUT],
  ["10.12.0", "11.0.0", 141, ABOUT],
  ["11.1.0", "11.1.0", 143, ABOUT],
  ["11.2.0", "11.2.0", 146, ABOUT],
  ["11.3.0", "11.4.0", 148, ABOUT],
];

/** The first number of the current migration tool (https://github.com/mattermost/morph), introduced with 6.4.0. */
export const FIRST_MORPH_MIGRATION = 75;

/** The largest number of migrations that patches of one release backported: 7.8.0 has 101, 7.8.11 has 113. */
const MAX_BACKPORTED = 12;

/** How much too high a number of the main branch may be. */
const MAX_EXCESS = 3;

/** The last migration of a release. */
export interface ShippedMigration {
  /** The number of the migration. */
  readonly last: number;
  /**
   * How reliable the number is: `exact`; `about` for a patch release that was not examined,
   * which may have a higher number; `unknown` for a release newer than those examined.
   */
  readonly quality: "exact" | "about" | "unknown";
}

/** The releases to which a number of a migration can belong. */
export interface ReleaseSpan {
  /** The oldest release. */
  readonly low: string;
  /** The newest release. */
  readonly high: string;
}

/**
 * Gets the last migration of a release.
 *
 * @param version The release.
 * @returns The number and its reliability; `undefined` before 6.4.0.
 */
export function shippedMigration(
  version: string,
): ShippedMigration | undefined {
  if (inRange(version, "<6.4.0")) return undefined;
  const run = RUNS.findLast(([first]) => compareVersions(first, version) <= 0);
  if (run === undefined) return undefined;
  const [, last, number, about] = run;
  const newest = RUNS.at(-1) === run && compareVersions(version, last) > 0 &&
    !isSameMinor(version, last);
  const quality = newest
    ? "unknown"
    : about === undefined && compareVersions(version, last) <= 0
    ? "exact"
    : ABOUT;
  return { last: number, quality };
}

/**
 * Finds the releases that may have migrated a database up to a number.
 *
 * @param number The highest number in `db_migrations`, 75 or more.
 * @returns The oldest and the newest release that were examined; later patches are possible.
 */
export function releasesWithMigration(number: number): ReleaseSpan {
  const exact = RUNS.filter((run) => run[2] === number);
  const [first, last] = [exact[0], exact.at(-1)];
  if (first !== undefined && last !== undefined) {
    return { low: first[0], high: last[1] };
  }
  // Between two known numbers: a patch release that was not examined, or an interrupted migration.
  const before = Math.max(
    ...RUNS.map((run) => run[2]).filter((last) => last < number),
  );
  const low = RUNS.find((run) => run[2] === before);
  const high = RUNS.find((run) => run[2] > number);
  const newest = RUNS.at(-1)?.[1] ?? "";
  return { low: low?.[0] ?? newest, high: high?.[1] ?? newest };
}

/**
 * Checks whether a number can be that of the last migration of a release.
 *
 * @param version The release.
 * @param number The highest number in `db_migrations`.
 * @returns Whether the release has no migration left for the database.
 */
export function isLastMigration(version: string, number: number): boolean {
  const shipped = shippedMigration(version);
  if (shipped === undefined) return false;
  switch (shipped.quality) {
    case "exact":
      return number === shipped.last;
    case "about":
      return number >= shipped.last && number <= shipped.last + MAX_BACKPORTED;
    case "unknown":
      return number > shipped.last;
  }
}

/**
 * Checks whether a release may have migrated a database up to a number; in doubt it may.
 *
 * @param version The release, such as that of another source that is to be verified.
 * @param number The highest number in `db_migrations`.
 * @returns Whether that is possible.
 */
export function mayHaveMigratedTo(version: string, number: number): boolean {
  const shipped = shippedMigration(version);
  if (shipped === undefined) return number < FIRST_MORPH_MIGRATION;
  if (shipped.quality === "exact") return number === shipped.last;
  return number >= shipped.last - MAX_EXCESS &&
    (shipped.quality === "unknown" || number <= shipped.last + MAX_BACKPORTED);
}

/**
 * Checks whether a number certainly belongs to a newer release.
 *
 * @param version The release.
 * @param number The highest number in `db_migrations`.
 * @returns Whether the database is certainly newer than the release.
 */
export function isNewerMigration(version: string, number: number): boolean {
  if (number < FIRST_MORPH_MIGRATION) return false;
  const shipped = shippedMigration(version);
  if (shipped === undefined) return true;
  const tolerance = shipped.quality === "exact" ? 0 : MAX_BACKPORTED;
  return number > shipped.last + tolerance &&
    compareVersions(releasesWithMigration(number).low, version) > 0;
}

/** The highest number in `db_migrations` before and after a migration; `undefined` if there is no row, or no table. */
export interface MigrationNumbers {
  /** The number before the migration. */
  readonly before: number | undefined;
  /** The number after the migration. */
  readonly after: number | undefined;
}

/**
 * Detects a migration that certainly failed, although its exit code was 0. In doubt it
 * succeeded: the database may be newer than the release, and few numbers are exact.
 *
 * @param version The release that migrated the database.
 * @param numbers The numbers before and after.
 * @returns The actual and the expected state, to follow a colon; `undefined` if the migration
 * may have succeeded.
 */
export function findMigrationFailure(
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
    return `the table db_migrations is missing or empty, but ${expected}`;
  }
  const actual = `the last row of db_migrations is number ${after}`;
  if (before !== undefined && after < before) {
    return `${actual}, but it was number ${before} before the migration`;
  }
  const isBehind = quality === "exact"
    ? after < last
    : after < last - MAX_EXCESS &&
      (after === before || inRange(version, HIDES_FAILURES));
  return isBehind ? `${actual}, but ${expected}` : undefined;
}

/** Releases whose failed migration ends with exit code 0; from 8.1 on it is 1. */
const HIDES_FAILURES = "<8.1.0";

const EXPECTED: Readonly<
  Record<ShippedMigration["quality"], (last: number) => string>
> = {
  exact: (last) => `number ${last}`,
  about: (last) => `about number ${last}`,
  unknown: (last) => `number ${last} or a later one`,
};

function isSameMinor(left: string, right: string): boolean {
  const [a, b] = [parseVersion(left), parseVersion(right)];
  return a?.major === b?.major && a?.minor === b?.minor;
}
