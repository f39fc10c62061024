/**
 * The rules about the migrations of a database that a server does not contain, and about numbers
 * that two servers use for different migrations.
 *
 * @module
 */

import { describeMigrations } from "../mattermost/migrations.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  versionDifference,
} from "../release_range.ts";
import { AFTER_COLLISION, COLLIDING_FROM, COLLIDING_TO } from "./path.ts";
import {
  BACKUP,
  type KnownUpgrade,
  refuse,
  type Upgrade,
  type Verdict,
} from "./verdict.ts";

/**
 * Refuses a database with migrations that the server does not contain.
 *
 * @param upgrade The two sides.
 * @returns The refusal; `undefined` if there are none.
 */
export function newerMigrations(upgrade: Upgrade): Verdict | undefined {
  const { target, from, difference, versionFile = "" } = upgrade;
  const unknown = difference?.unknown ?? [];
  if (unknown.length === 0) return undefined;
  const file = parseVersion(versionFile);
  const newer = [file && formatVersion(file), from?.release]
    .find((release) => release && compareVersions(release, target) > 0);
  return refuse("downgrade", {
    subject: "database",
    message: `The database has ${
      describeMigrations(unknown)
    }, which Mattermost ${target} does not contain: a newer release, or a later patch of an older one, has migrated it`,
    remedy: `Run the image tag ${
      newer === undefined ? "that ran last" : `${newer} or newer`
    }, or restore a backup of the database that was made with ${target}`,
  }, { isAdvice: !serverRefuses(upgrade) });
}

/**
 * Tells whether the server itself would refuse this newer database, or damage it.
 *
 * @param upgrade The two sides.
 * @returns Whether nobody can override the refusal.
 */
export function serverRefuses({ target, schema, from }: Upgrade): boolean {
  const isBeforeMorph = inRange(target, "<6.4.0");
  const version = parseVersion(schema.systemsVersion ?? "");
  // Releases before 6.4 ignore db_migrations. Where the row Version is absent, they
  // treat the database as a new installation.
  if (
    version === undefined || from?.source === "db_migrations" && isBeforeMorph
  ) {
    return isBeforeMorph;
  }
  const step = versionDifference(version, target);
  if (compareVersions(version, target) < 0) return false;
  if (inRange(target, "<5.11.0")) return step === "major" || step === "minor";
  return inRange(target, "<7.1.0") && step === "major";
}

/** The name of migration 92 on MySQL; on PostgreSQL it has one letter less. */
const MYSQL_NAME = "add_createat_to_teammembers";

/**
 * The migrations of 10.11.17 and later, on a server that neither has them nor corrects their
 * numbers. It would fail, because it cannot record a number twice.
 *
 * @param upgrade The two sides.
 * @returns The refusal; `undefined` if the database has no such migrations.
 * @see https://github.com/mattermost/mattermost/issues/36594
 */
export function backportCollision(
  { target, from }: KnownUpgrade,
): Verdict | undefined {
  if (
    !inRange(from.release, COLLIDING_FROM) || !inRange(target, COLLIDING_TO)
  ) return undefined;
  return refuse("collision", {
    subject: "database",
    message:
      `The database ${from.description}, whose last migrations have numbers that Mattermost 11 uses for others: the migration to ${target} would fail`,
    remedy:
      `${BACKUP} run the image tag ${AFTER_COLLISION}, which corrects the numbers`,
  }, { path: [AFTER_COLLISION], isAdvice: true });
}

/**
 * Refuses migrations whose number belongs to another one of the server.
 *
 * @param upgrade The two sides.
 * @returns The refusal; `undefined` if there are none.
 */
export function collision(
  { target, adapter, difference, contained = [] }: Upgrade,
): Verdict | undefined {
  const conflicts = difference?.conflicts ?? [];
  const [first] = conflicts;
  if (first === undefined) return undefined;
  const other = contained.find(({ number }) => number === first.number)?.name;
  if (adapter === "postgres" && first.name === MYSQL_NAME) {
    return refuse("collision", {
      subject: "database",
      message:
        `The table db_migrations was copied from MySQL: migration ${first.number} is ${first.name}, and ${other} on PostgreSQL, so the migration of Mattermost ${target} would fail`,
      remedy:
        "Move the data again without the table db_migrations (docs/from-mysql.md)",
    }, { isAdvice: true });
  }
  return refuse("collision", {
    subject: "database",
    message: `The database has ${
      describeMigrations(conflicts)
    }, but migration ${first.number} of Mattermost ${target} is ${other}, so its migration would fail: the two servers come from different release lines`,
    remedy:
      `Run the newest patch of the release that ran last, or of a later one: ${target} cannot continue its migrations`,
  }, { isAdvice: true });
}
