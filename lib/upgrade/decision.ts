/**
 * Decides before every start whether the release may open the database.
 *
 * The decision changes nothing. The caller writes the VERSION file when the start
 * continues.
 *
 * @module
 */

import { inferInstalled, type Installed } from "./previous_release.ts";
import { PRODUCTS } from "../settings/adapter.ts";
import { databaseNumber, releaseFacts } from "../mattermost/releases.ts";
import { compareMigrations, MORPH_RELEASES } from "../mattermost/migrations.ts";
import {
  backportCollision,
  collision,
  newerMigrations,
  serverRefuses,
} from "./migration_rules.ts";
import { pathFromMysql, upgradeStops } from "./path.ts";
import {
  BACKUP,
  type Decision,
  type KnownUpgrade,
  listTags,
  type Permit,
  type Refusal,
  refuse,
  type Upgrade,
  type UpgradeFacts,
  type Verdict,
} from "./verdict.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  versionDifference,
} from "../release_range.ts";

/**
 * Decides whether a release may open a database.
 *
 * @param facts Release, database and VERSION file.
 * @returns A permit, or a refusal with its remedy.
 * @throws {EntrypointError} With code 78 where the release is not supported.
 */
export function decideUpgrade(facts: UpgradeFacts): Decision {
  const release = releaseFacts(facts.target);
  const target = release.version;
  const { adapter, schema, versionFile, contained } = facts;
  const difference = contained &&
    compareMigrations(schema.migrations, contained);
  const from = schema.installed
    ? inferInstalled(schema, versionFile)
    : undefined;
  const upgrade = { ...facts, target, from, difference };
  const verdict = mysqlGone(upgrade) ?? databaseTooOld(upgrade) ??
    (schema.installed ? onTables(upgrade) : { kind: "new" });
  const notices = versionFileNotices(facts);
  if ("path" in verdict) {
    const refusal: Refusal = { ...verdict, allowed: false, notices };
    if (!refusal.isAdvice || facts.force !== true) return refusal;
    return {
      kind: "forced",
      allowed: true,
      notices: [
        ...notices,
        `MATTERMOST_FORCE_UPGRADE overrides this refusal: ${refusal.problem.message}`,
      ],
    };
  }
  const warnings = [
    ...notices,
    ...(release.databases[adapter]?.newInstallations === false &&
        verdict.kind === "new"
      ? [
        `Mattermost ${target} does not support new installations on MySQL: use PostgreSQL`,
      ]
      : []),
    ...(schema.installed && contained === undefined &&
        inRange(target, MORPH_RELEASES)
      ? [
        `The migrations of Mattermost ${target} could not be read from its program, so a database of a newer release is not recognised`,
      ]
      : []),
  ];
  return {
    ...verdict,
    allowed: true,
    notices: warnings,
    ...(difference ? { pending: difference.pending.length } : {}),
    ...describeChange(verdict.kind, upgrade),
  };
}

/** Describes an upgrade, also one to another patch that leaves the database as it is. */
function describeChange(
  kind: Permit["kind"],
  { from, target, difference, adapter }: Upgrade,
): Pick<Permit, "change" | "reminder"> {
  if (from === undefined || (kind === "same" && from.patch === undefined)) {
    return {};
  }
  if (compareVersions(from.patch ?? from.release, target) >= 0) return {};
  const count = kind === "same" ? 0 : difference?.pending.length;
  const migrations = count === undefined
    ? ""
    : count === 0
    ? ", which needs no migration of the database"
    : `, which brings ${count} migration${count === 1 ? "" : "s"}`;
  const previous = from.patch ?? `${from.release} or later`;
  return {
    change: `Upgrading from Mattermost ${previous} to ${target}${migrations}`,
    ...(count === 0 ? {} : {
      reminder: {
        subject: "",
        message:
          `Only a backup from before these migrations leads back to Mattermost ${previous}`,
        remedy: adapter === "postgres"
          ? "docker compose stop mattermost; samples/backup/backup.sh create   # at once, if there is no backup"
          : "docker compose stop mattermost   # at once, if there is no backup; samples/mysql/README.md has the commands to make one",
      },
    }),
  };
}

function versionFileNotices(
  { schema, versionFile = "" }: UpgradeFacts,
): readonly string[] {
  const version = parseVersion(versionFile);
  if (schema.installed) {
    return version !== undefined || versionFile.trim() === ""
      ? []
      : ["data/VERSION does not name a release and is ignored"];
  }
  return version === undefined ? [] : [
    `data/VERSION names Mattermost ${
      formatVersion(version)
    }, but the database holds no Mattermost tables and becomes a new installation; if that is not intended, check DB_HOST and DB_NAME`,
  ];
}

function mysqlGone({ target, adapter, from }: Upgrade): Verdict | undefined {
  const { databases } = releaseFacts(target);
  if (adapter !== "mysql" || databases.mysql) return undefined;
  const gone = `Mattermost ${target} runs only on PostgreSQL`;
  const replacement = `PostgreSQL ${databases.postgres.minimum} or newer`;
  if (from === undefined) {
    return refuse("mysql-gone", {
      subject: "DB_ADAPTER",
      message: `${gone}, but DB_ADAPTER is mysql`,
      remedy: `Set DB_ADAPTER=postgres, and use ${replacement}`,
    });
  }
  const { mysql, postgres } = pathFromMysql({
    from: from.release,
    to: target,
  });
  const before = mysql.length === 0
    ? ""
    : `run the image tags ${listTags(mysql)} on MySQL; then `;
  return refuse("mysql-gone", {
    subject: "DB_ADAPTER",
    message:
      `${gone}, but DB_ADAPTER is mysql, and the database ${from.description}`,
    remedy:
      `${BACKUP} ${before}move the data to ${replacement} (docs/from-mysql.md), set DB_ADAPTER=postgres, and run the image tags ${
        listTags(postgres)
      }`,
  }, { path: [...mysql, ...postgres] });
}

function databaseTooOld(
  { target, adapter, databaseVersion: version }: Upgrade,
): Verdict | undefined {
  const facts = releaseFacts(target).databases[adapter];
  const number = databaseNumber(adapter, version ?? "");
  if (facts?.minimum === undefined || number === undefined) return undefined;
  if (number >= facts.minimumNumber) return undefined;
  const product = PRODUCTS[adapter];
  return refuse("database-too-old", {
    subject: product,
    message:
      `The database is ${product} ${version?.trim()}, but Mattermost ${target} needs ${facts.minimum} or newer`,
    remedy:
      `${BACKUP} upgrade the database to ${product} ${facts.minimum} or newer, or run an older image`,
  });
}

/** Decides on a database with Mattermost's tables. */
function onTables(upgrade: Upgrade): Verdict {
  const { from } = upgrade;
  if (from === undefined) {
    return newerMigrations(upgrade) ?? collision(upgrade) ??
      withoutRelease(upgrade);
  }
  const known = { ...upgrade, from };
  return migrationTo3(known) ?? downgrade(known) ?? backportCollision(known) ??
    newerMigrations(known) ?? collision(known) ?? stops(known) ??
    { kind: isSame(known) ? "same" : "upgrade" };
}

function withoutRelease({ target, schema }: Upgrade): Verdict {
  // The first start was interrupted in the middle of the migrations of 6.4. The server
  // continues where it stopped.
  if (schema.migrations.length > 0 && inRange(target, MORPH_RELEASES)) {
    return { kind: "new" };
  }
  return refuse("unknown", {
    subject: "database",
    message:
      "The database holds Mattermost's tables, but neither Systems.Version nor db_migrations nor data/VERSION names their release",
    remedy:
      "Write the release that last ran on the database to VERSION in the data directory, for example: echo 3.6.0 > VERSION",
  }, { isAdvice: true });
}

/** The migration to 3.0: before it, each user belongs to one team, whose column is TeamId. */
function migrationTo3(
  { target, adapter, schema: { usersHaveTeamId }, from }: KnownUpgrade,
): Verdict | undefined {
  const isBefore3 = inRange(from.release, "<3.0.0");
  if (isBefore3 !== usersHaveTeamId) {
    return refuse("unknown", {
      subject: "database",
      message: `The database ${from.description}, but its table Users ${
        usersHaveTeamId ? "still" : "no longer"
      } has the column TeamId: the migration to 3.0 was interrupted`,
      remedy: "Restore the backup that was made before the migration",
    }, { isAdvice: true });
  }
  if (!isBefore3) return undefined;
  const isReady = inRange(from.release, ">=2.0.0");
  if (isReady && inRange(target, "<3.4.0")) return { kind: "migrate-3.0" };
  const path = [
    ...(isReady ? [] : ["2.2.0"]),
    ...tags(upgradeStops({ from: from.release, to: target, adapter })),
    target,
  ];
  const reason = isReady
    ? `only Mattermost 3.0.0 to 3.3.0 can migrate it to 3.0, and ${target} cannot`
    : "only a database of 2.0.0 to 2.2.0 can be migrated to 3.0";
  return refuse("stops", {
    subject: "database",
    message: `The database belongs to Mattermost ${from.release}: ${reason}`,
    remedy: `${BACKUP} run the image tags ${
      listTags(path)
    } in this order, 3.3.0 with MATTERMOST_MIGRATION_DEFAULT_TEAM=<team> or app:migrate`,
  }, { path });
}

/** A database that a newer server has migrated, by releases where one of the two is before 6.4. */
function downgrade(upgrade: KnownUpgrade): Verdict | undefined {
  const { target, from, schema } = upgrade;
  const isDowngrade = schema.migrations.length > 0
    ? inRange(target, "<6.4.0")
    : isNewer(from, target);
  if (!isDowngrade) return undefined;
  const { description, exact } = from;
  // A database whose first migration with morph was interrupted still names the release before it.
  const release =
    schema.migrations.length > 0 && compareVersions(from.release, "6.4.0") < 0
      ? "6.4.0"
      : from.release;
  return refuse("downgrade", {
    subject: "database",
    message:
      `The database ${description}, but Mattermost ${target} is older, and Mattermost does not support downgrades`,
    remedy: `Run the image tag ${release}${
      exact ? "" : " or newer"
    }, or restore a backup of the database that was made with ${target}`,
  }, { path: [release], isAdvice: !serverRefuses(upgrade) });
}

/** The table Systems names the minor release only. */
function isNewer({ release, exact }: Installed, target: string): boolean {
  const step = versionDifference(release, target);
  return compareVersions(release, target) > 0 &&
    (exact || step === "major" || step === "minor");
}

function stops({ target, adapter, from }: KnownUpgrade): Verdict | undefined {
  // From 6.4 on the migrations count, not the release: 7.8.15 has those of 8.1.0.
  const needed = upgradeStops({ from: from.release, to: target, adapter });
  const isAdvice = needed.every((stop) => stop.isAdvice);
  const [first] = needed;
  if (first === undefined) return undefined;
  const path = [...tags(needed), target];
  return refuse("stops", {
    subject: "database",
    message:
      `The database ${from.description} and must be migrated by ${first.release} before Mattermost ${target} can start: ${first.reason}`,
    remedy: `${BACKUP} run the image tags ${
      listTags(path)
    } in this order, each until Mattermost answers`,
  }, { path, isAdvice });
}

function isSame({ target, from, difference }: KnownUpgrade): boolean {
  if (inRange(target, MORPH_RELEASES)) return difference?.pending.length === 0;
  const step = versionDifference(from.release, target);
  return step === "none" ||
    !from.exact && ["patch", "prerelease"].includes(step);
}

function tags(stops: readonly { readonly release: string }[]): string[] {
  return stops.map(({ release }) => release);
}
