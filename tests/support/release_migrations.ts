/**
 * The migrations of each release, for tests. Numbers that were read from a real
 * release are its own; the names are made up, except those that were given to two numbers.
 *
 * @module
 */

import type { SchemaFacts } from "../../lib/database/session.ts";
import type { Migration } from "../../lib/mattermost/migrations.ts";
import {
  compareVersions,
  inRange,
  parseVersion,
} from "../../lib/release_range.ts";

/** First releases with a last migration, in the order of releases; 12.0 and 13.4 are made up. */
const LAST: readonly (readonly [release: string, last: number])[] = [
  ["6.4.0", 75],
  ["6.5.0", 77],
  ["6.6.0", 78],
  ["6.6.1", 82],
  ["7.0.0", 85],
  ["7.1.0", 89],
  ["7.1.5", 95],
  ["7.2.0", 90],
  ["7.3.0", 92],
  ["7.4.0", 93],
  ["7.4.1", 95],
  ["7.7.0", 100],
  ["7.8.0", 101],
  ["7.8.5", 107],
  ["7.8.11", 113],
  ["7.9.0", 104],
  ["7.9.4", 107],
  ["7.10.0", 105],
  ["7.10.1", 108],
  ["8.0.0", 109],
  ["8.1.2", 113],
  ["9.0.0", 111],
  ["9.1.0", 113],
  ["9.3.0", 114],
  ["9.4.0", 117],
  ["9.5.0", 119],
  ["9.5.7", 122],
  ["9.6.0", 119],
  ["9.8.0", 120],
  ["9.9.0", 121],
  ["9.11.0", 124],
  ["10.0.0", 125],
  ["10.1.0", 126],
  ["10.2.0", 127],
  ["10.3.0", 128],
  ["10.5.0", 129],
  ["10.6.0", 132],
  ["10.7.0", 133],
  ["10.8.0", 134],
  ["10.9.0", 136],
  ["10.10.0", 139],
  ["10.10.3", 141],
  ["10.11.17", 144],
  ["10.12.0", 141],
  ["11.1.0", 143],
  ["11.2.0", 146],
  ["11.3.0", 148],
  ["11.4.0", 149],
  ["11.5.0", 155],
  ["11.5.5", 158],
  ["11.6.0", 159],
  ["11.7.0", 167],
  ["11.7.5", 171],
  ["11.8.0", 183],
  ["11.9.0", 199],
  ["11.10.0", 201],
  ["12.0.0", 210],
  ["13.4.0", 300],
];

/** The names that 10.11.17 took over as 142 to 144; their own numbers are 156 to 158. */
const BACKPORTED = [
  "add_schemeid_to_roles",
  "backfill_roles_schemeid",
  "add_roles_schemeid_index",
];

/**
 * The migrations that a release contains.
 *
 * @param release The release.
 * @returns The migrations; none before 6.4.
 */
export function migrationsOf(release: string): Migration[] {
  const last = LAST.findLast(([first]) => compareVersions(first, release) <= 0)
    ?.[1] ?? 0;
  const shift = inRange(release, ">=10.11.17 <10.12.0") ? 142 : 156;
  return Array.from({ length: last }, (_, index) => index + 1)
    // 110 was withdrawn.
    .filter((number) => number !== 110)
    .map((number) => ({
      number,
      name: BACKPORTED[number - shift] ?? `migration_${number}`,
    }));
}

/**
 * The files of the migrations in the program of a release.
 *
 * @param release The release; none for a text that is not one.
 * @returns The names, for both database products.
 */
export function fileNamesOf(release: string): string[] {
  if (parseVersion(release) === undefined) return [];
  return migrationsOf(release).flatMap(({ number, name }) =>
    ["mysql", "postgres"].map((product) =>
      `migrations/${product}/${String(number).padStart(6, "0")}_${name}.up.sql`
    )
  );
}

/**
 * The statements that make the tables that a release from 7.1 on leaves.
 *
 * @param release The release.
 * @returns The statements, separated by semicolons.
 */
export function tablesOf(release: string): string {
  return `CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value varchar(1024));
    CREATE TABLE Users (Id varchar(26) PRIMARY KEY, Username varchar(64));
    CREATE TABLE db_migrations (Version bigint NOT NULL PRIMARY KEY, Name varchar(64) NOT NULL);
    INSERT INTO db_migrations VALUES ${rowsOf(release)}`;
}

/**
 * The rows of db_migrations that a release leaves.
 *
 * @param release The release.
 * @returns The values of an INSERT statement.
 */
export function rowsOf(release: string): string {
  return migrationsOf(release)
    .map(({ number, name }) => `(${number}, '${name}')`).join(", ");
}

/**
 * What a release leaves in its database.
 *
 * @param release The release.
 * @param systemsVersion `Systems.Version`; by default that of a database that was created by the release.
 * @returns The schema.
 */
export function schemaOf(
  release: string,
  systemsVersion: string | undefined = inRange(release, "<7.1.0")
    ? release.replace(/\.\d+$/, ".0")
    : undefined,
): SchemaFacts {
  return {
    installed: true,
    usersHaveTeamId: false,
    migrations: migrationsOf(release),
    ...(systemsVersion === undefined ? {} : { systemsVersion }),
  };
}
