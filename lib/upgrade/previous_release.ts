/**
 * Finds the release that last migrated a database.
 *
 * Releases 3.0 to 7.0 write `Systems.Version`; later ones leave it unchanged. From 6.4 on
 * db_migrations names the migrations. The VERSION file names the exact release, but each node has
 * its own file, and a start writes it before the server migrates. So it decides only on the
 * patch of a release before 6.4, and where the database names no release.
 *
 * @module
 */

import type { SchemaFacts } from "../database/session.ts";
import { findMilestone } from "../mattermost/migrations.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  versionDifference,
} from "../release_range.ts";

/** The release that last migrated a database, as exactly as it is known. */
export interface Installed {
  /** The oldest possible release. */
  readonly release: string;
  /** Whether the patch is certain. */
  readonly exact: boolean;
  /** The release with its patch, where VERSION confirms what the database says. */
  readonly patch?: string;
  /** Where it was found. */
  readonly source: "VERSION" | "Systems.Version" | "db_migrations";
  /** What is known, for a message: `was last migrated by Mattermost 5.37.x`, `has the migrations of Mattermost 9.5.0`. */
  readonly description: string;
}

/**
 * Infers the release that last migrated a database with Mattermost's tables.
 *
 * @param schema What Mattermost has left in the database.
 * @param versionFile The content of `data/VERSION`; `undefined` where there is no file.
 * @returns The release; `undefined` where none is named.
 */
export function inferInstalled(
  { migrations, systemsVersion }: SchemaFacts,
  versionFile: string | undefined,
): Installed | undefined {
  const file = releaseIn(versionFile);
  const milestone = findMilestone(migrations);
  if (milestone !== undefined) {
    const { release, next } = milestone;
    const isPossible = file !== undefined &&
      compareVersions(file, release) >= 0 &&
      (next === undefined || compareVersions(file, next) < 0);
    return {
      release,
      exact: false,
      source: "db_migrations",
      ...(isPossible ? { patch: file } : {}),
      description: isPossible
        ? `was last migrated by Mattermost ${file}`
        : `has the migrations of Mattermost ${release}`,
    };
  }
  const release = releaseIn(systemsVersion);
  if (release === undefined) {
    return file === undefined || migrations.length > 0
      ? undefined
      : fromFile(file);
  }
  const isSame = file !== undefined && migrations.length === 0 &&
    inRange(release, "<6.4.0") &&
    !["major", "minor"].includes(versionDifference(file, release));
  return isSame ? fromFile(file) : {
    release,
    exact: false,
    source: "Systems.Version",
    description: migrations.length > 0
      ? "has some of the migrations of Mattermost 6.4.0"
      : `was last migrated by Mattermost ${release.replace(/\.\d+$/, ".x")}`,
  };
}

function releaseIn(text: string | undefined): string | undefined {
  const version = parseVersion(text ?? "");
  return version && formatVersion(version);
}

function fromFile(release: string): Installed {
  return {
    release,
    exact: true,
    patch: release,
    source: "VERSION",
    description: `was last migrated by Mattermost ${release}`,
  };
}
