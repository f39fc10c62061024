/**
 * The schema migrations that a server contains, and those of a database, compared as sets.
 *
 * From 6.4 on the server migrates its database with morph. Its program contains a file
 * `postgres/000142_create_content_flagging_tables.up.sql` for each migration; when it has been
 * applied, the table db_migrations has a row with the number 142 and the name
 * `create_content_flagging_tables`.
 *
 * @see https://github.com/mattermost/morph
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";

/** A migration, as db_migrations stores it. */
export interface Migration {
  /** The number: 142. */
  readonly number: number;
  /** The name, without number and extension: `create_content_flagging_tables`. */
  readonly name: string;
}

/** The releases that migrate with morph. */
export const MORPH_RELEASES = ">=6.4.0";

/** Characters of the longest file name that is looked for. */
export const LONGEST_FILE_NAME = 200;

/** In programs the file names follow each other without a separator. */
const FILE_REGEXP = /(postgres|mysql)\/(\d{6})_([\w.-]+?)\.up\.sql/g;

/** The first three migrations of the configuration store, which belong to `db_config_migrations`. */
const CONFIGURATION_STORE_REGEXP = /^00000[123]_\w*configuration/;

/**
 * Finds the file names of migrations.
 *
 * @param text A part of a program, one character for each byte; or a list of file names.
 * @returns The names, with their directory and in their order; the same name may occur twice.
 */
export function findFileNames(text: string): string[] {
  return [...text.matchAll(FILE_REGEXP)].map(([name]) => name);
}

/**
 * Parses the file names of the migrations that a server contains.
 *
 * @param text A list of file names, in which other lines are ignored.
 * @param adapter The database product, which has files of its own.
 * @returns The migrations of the product, without those of the configuration store.
 */
export function parseFileNames(text: string, adapter: Adapter): Migration[] {
  return [...text.matchAll(FILE_REGEXP)].flatMap(
    ([, product, number = "", name = ""]) =>
      product !== adapter ||
        CONFIGURATION_STORE_REGEXP.test(`${number}_${name}`)
        ? []
        : [{ number: Number(number), name }],
  );
}

/**
 * Parses the rows of db_migrations.
 *
 * @param text The rows, each with number and name, such as `1 create_teams,2 create_team_members`.
 * @returns The migrations by number; rows of another form are ignored.
 */
export function parseRows(text: string): Migration[] {
  return [...text.matchAll(/(?<=^|,)(\d+) ([^,]+)/g)]
    .map(([, number, name = ""]) => ({ number: Number(number), name }))
    .sort((a, b) => a.number - b.number);
}

/** How the migrations of a database differ from those of a server. */
export interface MigrationDifference {
  /** Applied, but the server has neither the name nor the number. */
  readonly unknown: readonly Migration[];
  /** Applied, but the number belongs to another migration of the server, which cannot be recorded. */
  readonly conflicts: readonly Migration[];
  /** Not applied: the server will do it at its start. */
  readonly pending: readonly Migration[];
}

/**
 * Compares the migrations of a database with those of a server, as the server does: by name.
 *
 * @param applied The rows of db_migrations.
 * @param contained The migrations that the server contains.
 * @returns The differences.
 */
export function compareMigrations(
  applied: readonly Migration[],
  contained: readonly Migration[],
): MigrationDifference {
  const names = new Set(contained.map(({ name }) => name));
  const numbers = new Set(contained.map(({ number }) => number));
  // A name under another number counts: servers from 11.7.3 on give the rows that 10.11.17 added
  // their new numbers (https://github.com/mattermost/mattermost/pull/36870).
  const foreign = applied.filter(({ name }) => !names.has(name));
  const keys = new Set(contained.map(keyOf));
  const appliedNames = new Set(applied.map(({ name }) => name));
  const done = new Set(
    applied.filter((row) => keys.has(keyOf(row))).map(({ number }) => number),
  );
  return {
    unknown: foreign.filter(({ number }) => !numbers.has(number)),
    conflicts: foreign.filter(({ number }) => numbers.has(number)),
    // By number too: the program of a release with built-in plugins may contain their
    // migrations, which have the same numbers, and a table of their own.
    pending: contained.filter(({ name, number }) =>
      !appliedNames.has(name) && !done.has(number)
    ),
  };
}

function keyOf({ number, name }: Migration): string {
  return `${number} ${name}`;
}

/**
 * Describes migrations for a message.
 *
 * @param migrations At least one.
 * @returns `migration 155 create_index and 4 more`.
 */
export function describeMigrations(migrations: readonly Migration[]): string {
  const [first] = migrations;
  const more = migrations.length - 1;
  return `migration ${first?.number} ${first?.name}${
    more > 0 ? ` and ${more} more` : ""
  }`;
}

/** The first of the migrations that 10.11.17 took over from 11.5, under a number of 11.1. */
const BACKPORT: Migration = { number: 142, name: "add_schemeid_to_roles" };

/** The release with {@linkcode BACKPORT}. */
const BACKPORT_RELEASE = "10.11.17";

/**
 * The last migration of the first release of each line that an upgrade may have to stop at, and
 * of 11.1, the first after 10.11 that has more. They serve messages and the order of stops only.
 */
const MILESTONES: readonly (readonly [number: number, release: string])[] = [
  [75, "6.4.0"],
  [89, "7.1.0"],
  [101, "7.8.0"],
  [109, "8.1.0"],
  [119, "9.5.0"],
  [124, "9.11.0"],
  [129, "10.5.0"],
  [141, "10.11.0"],
  [143, "11.1.0"],
  [167, "11.7.0"],
];

/** A release whose migrations a database has, and the next one that is known. */
export interface Milestone {
  /** The release. */
  readonly release: string;
  /** The next release, whose migrations the database does not have; `undefined` after the last one. */
  readonly next: string | undefined;
}

/**
 * Finds the newest release that is known to have no more migrations than a database.
 *
 * @param applied The rows of db_migrations.
 * @returns The release; `undefined` if even the migrations of 6.4.0 are not complete.
 */
export function findMilestone(
  applied: readonly Migration[],
): Milestone | undefined {
  if (applied.some((row) => keyOf(row) === keyOf(BACKPORT))) {
    return { release: BACKPORT_RELEASE, next: "10.12.0" };
  }
  const last = Math.max(...applied.map(({ number }) => number));
  const index = MILESTONES.findLastIndex(([number]) => number <= last);
  const release = MILESTONES[index]?.[1];
  return release === undefined
    ? undefined
    : { release, next: MILESTONES[index + 1]?.[1] };
}
