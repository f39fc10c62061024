/**
 * Which release a database was last migrated by, from what it says itself and
 * from the VERSION file.
 *
 * `Systems.Version` is kept from 3.0 to 7.0 and frozen after that; the numbers
 * in `db_migrations` tell from 6.4 on, roughly; the file is exact and may be
 * wrong: copied from elsewhere, or left behind when the database was restored.
 * So the database counts, and the file refines it.
 *
 * @module
 */

import {
  canHaveLeft,
  FIRST_MORPH_MIGRATION,
  releasesWith,
} from "../mattermost/migrations.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  type Version,
} from "../release_range.ts";

/** What was read of the database; nothing of it is secret. */
export interface SchemaFacts {
  /** Whether it holds Mattermost's own tables. Tables of others do not count. */
  readonly installed: boolean;
  /** The value of the row `Version` in the table `Systems`. */
  readonly systemsVersion?: string | undefined;
  /** The highest `Version` in the table `db_migrations`. */
  readonly lastMigration?: number | undefined;
  /** Whether the table `Users` has a column `TeamId`, which the migration to 3.0 drops. */
  readonly usersHaveTeamId?: boolean | undefined;
}

/** The release that a database was last migrated by, as well as it can be told. */
export interface Installed {
  /** The oldest release that it can be. */
  readonly low: string;
  /** The newest one; patches after it are possible unless {@linkcode exact}. */
  readonly high: string;
  /** Whether the patch is certain. */
  readonly exact: boolean;
  /** Who said so. */
  readonly witness: "VERSION" | "Systems.Version" | "db_migrations";
  /** The highest number in `db_migrations`, of the tool that 6.4.0 brought. */
  readonly migration: number | undefined;
}

/** The finding, and what was odd on the way to it. */
export interface Inference {
  /** `undefined` where no witness says anything. */
  readonly installed: Installed | undefined;
  /** Sentences for the operator. */
  readonly notices: readonly string[];
}

/**
 * Infers the installed release of a database that holds Mattermost's tables.
 *
 * @param schema What the database says.
 * @param versionFile The content of `data/VERSION`, `undefined` where there is none.
 * @returns The release, and notices about witnesses that disagree.
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
      `data/VERSION says ${file.version}, but the database was last migrated by ${
        describeInstalled(database)
      } (${database.witness}): the database counts. One of the two comes from another installation or from a backup, or a start was interrupted`,
    ],
  };
}

/**
 * Puts the finding into words.
 *
 * @param installed The finding.
 * @returns `Mattermost 5.37.10`, `Mattermost 5.37.x`, `Mattermost 7.1.5 to 7.5.2`.
 */
export function describeInstalled(installed: Installed): string {
  const { low, high, witness } = installed;
  if (witness === "Systems.Version") {
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
      notices: ["data/VERSION holds no release, it is ignored"],
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
    witness: "VERSION",
    migration,
  };
}

function fromDatabase(schema: SchemaFacts): Installed | undefined {
  const { lastMigration } = schema;
  if (lastMigration !== undefined && lastMigration >= FIRST_MORPH_MIGRATION) {
    return {
      ...releasesWith(lastMigration),
      exact: false,
      witness: "db_migrations",
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
    witness: "Systems.Version",
    migration: undefined,
  };
}

function agrees(file: string, database: Installed): boolean {
  if (database.migration !== undefined) {
    return canHaveLeft(file, database.migration);
  }
  // Frozen: without the migrations it says no more than "not older than this".
  if (inRange(database.low, ">=6.4.0")) {
    return compareVersions(file, database.low) >= 0;
  }
  const [a, b] = [parseVersion(file), parseVersion(database.low)];
  return a !== undefined && b !== undefined && sameMinor(a, b);
}

function sameMinor(a: Version, b: Version): boolean {
  return a.major === b.major && a.minor === b.minor;
}
