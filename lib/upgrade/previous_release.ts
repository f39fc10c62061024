/**
 * Finds the release that last migrated a database, from the database itself and from the
 * VERSION file.
 *
 * Releases 3.0 to 7.0 write `Systems.Version`; later ones leave it unchanged. The last
 * number in `db_migrations` narrows the release down from 6.4 on. The file names the exact
 * release, but may be wrong: copied from another installation, or older than a database
 * that was restored. So the database counts, and the file adds the patch where both agree.
 *
 * @module
 */

import type { SchemaFacts } from "../database/session.ts";
import {
  FIRST_MORPH_MIGRATION,
  mayHaveMigratedTo,
  releasesWithMigration,
} from "../mattermost/migrations.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  type Version,
} from "../release_range.ts";

/** The release that last migrated a database, as exactly as it is known. */
export interface Installed {
  /** The oldest possible release. */
  readonly low: string;
  /** The newest possible release; later patches of it are possible too unless {@linkcode Installed.exact}. */
  readonly high: string;
  /** Whether the patch is certain. */
  readonly exact: boolean;
  /** The version source. */
  readonly source: "VERSION" | "Systems.Version" | "db_migrations";
  /** The highest number in `db_migrations`, if it is of the migration tool that 6.4.0 introduced. */
  readonly migration: number | undefined;
}

/** The release, and warnings about its sources. */
export interface Inference {
  /** The release; `undefined` where no version source names one. */
  readonly installed: Installed | undefined;
  /** Warnings for the log. */
  readonly notices: readonly string[];
}

/**
 * Infers the release that last migrated a database with Mattermost's tables.
 *
 * @param schema What Mattermost has left in the database.
 * @param versionFile The content of `data/VERSION`; `undefined` where there is no file.
 * @returns The release, and warnings where the sources disagree.
 */
export function inferInstalled(
  schema: SchemaFacts,
  versionFile: string | undefined,
): Inference {
  const file = readVersionFile(versionFile);
  const database = fromDatabase(schema);
  if (file.version === undefined || database === undefined) {
    const installed = database ?? fromFile(file.version);
    return { installed, notices: file.notices };
  }
  if (agrees(file.version, database)) {
    const exact = fromFile(file.version, database.migration);
    return { installed: exact, notices: file.notices };
  }
  return {
    installed: database,
    notices: [
      ...file.notices,
      `data/VERSION names Mattermost ${file.version}, but the database was last migrated by ${
        describeInstalled(database)
      } according to ${database.source}, and the database counts; one of the two comes from another installation or from a backup, or a start was interrupted`,
    ],
  };
}

/**
 * Describes the release for a message.
 *
 * @param installed The release.
 * @returns `Mattermost 5.37.10`, `Mattermost 5.37.x`, `Mattermost 7.1.5 to 7.5.2`.
 */
export function describeInstalled(installed: Installed): string {
  const { low, high, source } = installed;
  if (source === "Systems.Version") {
    const version = parseVersion(low);
    return `Mattermost ${version?.major}.${version?.minor}.x`;
  }
  return low === high ? `Mattermost ${low}` : `Mattermost ${low} to ${high}`;
}

interface VersionFile {
  readonly version: string | undefined;
  readonly notices: readonly string[];
}

function readVersionFile(content: string | undefined): VersionFile {
  if (content === undefined || content.trim() === "") {
    return { version: undefined, notices: [] };
  }
  const version = parseVersion(content);
  return version === undefined
    ? {
      version: undefined,
      notices: ["data/VERSION does not name a release and is ignored"],
    }
    : { version: formatVersion(version), notices: [] };
}

function fromFile(version: string, migration?: number): Installed;
function fromFile(version: string | undefined): Installed | undefined;
function fromFile(
  version: string | undefined,
  migration?: number,
): Installed | undefined {
  return version === undefined ? undefined : {
    low: version,
    high: version,
    exact: true,
    source: "VERSION",
    migration,
  };
}

function fromDatabase(schema: SchemaFacts): Installed | undefined {
  const { lastMigration } = schema;
  if (lastMigration !== undefined && lastMigration >= FIRST_MORPH_MIGRATION) {
    return {
      ...releasesWithMigration(lastMigration),
      exact: false,
      source: "db_migrations",
      migration: lastMigration,
    };
  }
  const version = parseVersion(schema.systemsVersion ?? "");
  if (version === undefined) return undefined;
  const low = formatVersion(version);
  return {
    low,
    high: low,
    exact: false,
    source: "Systems.Version",
    migration: undefined,
  };
}

function agrees(file: string, database: Installed): boolean {
  if (database.migration !== undefined) {
    return mayHaveMigratedTo(file, database.migration);
  }
  // Later releases leave Systems.Version unchanged, so it is only a lower limit.
  if (inRange(database.low, ">=6.4.0")) {
    return compareVersions(file, database.low) >= 0;
  }
  const [a, b] = [parseVersion(file), parseVersion(database.low)];
  return a !== undefined && b !== undefined && sameMinor(a, b);
}

function sameMinor(a: Version, b: Version): boolean {
  return a.major === b.major && a.minor === b.minor;
}
