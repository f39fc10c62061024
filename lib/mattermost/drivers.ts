/**
 * The versions of the database drivers in the server, which decide what a data source means:
 * lib/pq for PostgreSQL, go-sql-driver for MySQL.
 *
 * The installed server knows them: Go writes the versions of all modules into a program. For other
 * releases there are facts from the server's `go.mod`, which bound the version.
 *
 * @see https://pkg.go.dev/runtime/debug#BuildInfo
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";
import { compareVersions } from "../release_range.ts";

/** `dep<TAB>github.com/lib/pq<TAB>v1.10.9` in the build information, or the path of a source file. */
const MODULE_REGEXP =
  /github\.com\/(?:lib\/(pq)|go-sql-driver\/mysql)[\t @]v(\d+\.\d+\.\d+)/g;

/**
 * Finds the versions of the drivers in a server's program.
 *
 * @param text A part of the program, one character for each byte; or lines of {@linkcode driverLines}.
 * @returns The versions that the text names.
 */
export function findDrivers(text: string): Partial<Record<Adapter, string>> {
  const found: Partial<Record<Adapter, string>> = {};
  for (const [, pq, version = ""] of text.matchAll(MODULE_REGEXP)) {
    found[pq === undefined ? "mysql" : "postgres"] ??= version;
  }
  return found;
}

/**
 * Writes versions so that {@linkcode findDrivers} finds them again.
 *
 * @param drivers The versions.
 * @returns One line for each.
 */
export function driverLines(
  { postgres, mysql }: Partial<Record<Adapter, string>>,
): string[] {
  return [
    ...(postgres === undefined ? [] : [`github.com/lib/pq v${postgres}`]),
    ...(mysql === undefined
      ? []
      : [`github.com/go-sql-driver/mysql v${mysql}`]),
  ];
}

/** A version in `go.mod` of the server's main branch on some day. */
interface DriverFact {
  /** The last release that was branched off before that day: its version is the same or older. */
  readonly until: string;
  /** The first release that was branched off after that day: its version is the same or newer. */
  readonly from: string;
  /** The version of each driver. */
  readonly versions: Readonly<Record<Adapter, string>>;
}

/** From https://github.com/mattermost/mattermost (`go.mod`, later `server/go.mod`), oldest first. */
const FACTS: readonly DriverFact[] = [
  // September 2019: commit 004a550a53c1.
  {
    until: "5.15.0",
    from: "5.16.0",
    versions: { postgres: "1.2.0", mysql: "1.4.1" },
  },
  // April 2021.
  {
    until: "5.34.0",
    from: "5.36.0",
    versions: { postgres: "1.10.0", mysql: "1.5.0" },
  },
  // July 2021.
  {
    until: "5.37.0",
    from: "6.0.0",
    versions: { postgres: "1.10.2", mysql: "1.6.0" },
  },
  // March 2024: commit 00af86eda6cf.
  {
    until: "9.5.0",
    from: "9.7.0",
    versions: { postgres: "1.10.9", mysql: "1.7.1" },
  },
  // January 2025: commit 0dcc2836a341.
  {
    until: "10.4.0",
    from: "10.6.0",
    versions: { postgres: "1.10.9", mysql: "1.8.1" },
  },
  // January 2026.
  {
    until: "11.3.0",
    from: "11.5.0",
    versions: { postgres: "1.10.9", mysql: "1.9.3" },
  },
];

/** A version of each generation of a driver that reads data sources in its own way, newest first. */
const GENERATIONS: Readonly<Record<Adapter, readonly string[]>> = {
  postgres: ["1.12.3", "1.11.2", "1.10.9", "1.10.0", "1.2.0"],
  mysql: ["1.9.3", "1.8.1", "1.7.1", "1.5.0", "1.4.1"],
};

/**
 * Lists the versions that the driver of a release may have.
 *
 * @param adapter The driver.
 * @param release The release of the server; `undefined` if it is not known.
 * @param installed The version in the installed server; `undefined` if it is not known.
 * @returns One version if it is known; otherwise one of each possible generation, newest first.
 */
export function driverVersions(
  adapter: Adapter,
  release: string | undefined,
  installed?: string,
): readonly [string, ...string[]] {
  if (installed !== undefined) return [installed];
  const facts = release === undefined ? [] : FACTS;
  const oldest = facts.findLast(({ from }) =>
    compareVersions(release ?? "", from) >= 0
  )?.versions[adapter];
  const newest = facts.find(({ until }) =>
    compareVersions(release ?? "", until) <= 0
  )?.versions[adapter];
  const possible = GENERATIONS[adapter].filter((version) =>
    (oldest === undefined || compareVersions(version, oldest) > 0) &&
    (newest === undefined || compareVersions(version, newest) < 0)
  );
  const [first = GENERATIONS[adapter][0] ?? "", ...rest] = new Set([
    ...(newest === undefined ? [] : [newest]),
    ...possible,
    ...(oldest === undefined ? [] : [oldest]),
  ]);
  return [first, ...rest];
}
