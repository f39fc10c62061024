/**
 * Decides before every start whether the release may open the database.
 *
 * The decision changes nothing. The caller writes the VERSION file when the start
 * continues.
 *
 * @module
 */

import type { SchemaFacts } from "../database/session.ts";
import type { Problem } from "../errors.ts";
import {
  describeInstalled,
  inferInstalled,
  type Installed,
} from "./previous_release.ts";
import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import { databaseNumber, releaseFacts } from "../mattermost/releases.ts";
import {
  isLastMigration,
  isNewerMigration,
  shippedMigration,
} from "../mattermost/migrations.ts";
import {
  AFTER_COLLISION,
  COLLIDING_FROM,
  COLLIDING_NUMBERS,
  COLLIDING_TO,
  pathFromMysql,
  upgradeStops,
} from "./path.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  versionDifference,
} from "../release_range.ts";

/** The facts that a decision depends on. */
export interface UpgradeFacts {
  /** The release that is to start. */
  readonly target: string;
  /** The product of the database. */
  readonly adapter: Adapter;
  /** What Mattermost has left in the database. */
  readonly schema: SchemaFacts;
  /** The content of `data/VERSION`; absent where there is no file. */
  readonly versionFile?: string | undefined;
  /** The version that the database reports: `15.4 (Debian …)`, `10.11.6-MariaDB`. */
  readonly databaseVersion?: string | undefined;
  /** `MATTERMOST_FORCE_UPGRADE`, which overrides refusals that are only advice. */
  readonly force?: boolean | undefined;
}

/** The decision that the start continues. */
export interface Permit {
  /**
   * `new`: the database is empty, or a first start was interrupted; `same`: there is
   * nothing to migrate; `upgrade`: the server migrates the database when it starts;
   * `migrate-3.0`: the server's migration to 3.0 must run first; `forced`: a refusal was
   * overridden.
   */
  readonly kind: "new" | "same" | "upgrade" | "migrate-3.0" | "forced";
  /** The server may start. */
  readonly allowed: true;
  /** Warnings for the log. */
  readonly notices: readonly string[];
}

/** The decision that the server must not start. */
export interface Refusal {
  /**
   * `stops`: other releases must run first; `downgrade`: the database is newer than the
   * release; `mysql-gone`: the release does not support MySQL; `database-too-old`: the
   * release does not support this version of the database product; `collision`: the last
   * migrations of the previous release have the numbers of other migrations of this one;
   * `unknown`: the state of the database is not known.
   */
  readonly kind:
    | "stops"
    | "downgrade"
    | "mysql-gone"
    | "database-too-old"
    | "collision"
    | "unknown";
  /** The server must not start. */
  readonly allowed: false;
  /** Tags of the image to run in this order; the last one is the one to keep. Empty where there is no path. */
  readonly path: readonly string[];
  /** Whether the operator can override the refusal; otherwise the server itself would fail, or damage the data. */
  readonly isAdvice: boolean;
  /** The message and its remedy. */
  readonly problem: Problem;
  /** Warnings for the log. */
  readonly notices: readonly string[];
}

/** Whether the server may start. */
export type Decision = Permit | Refusal;

/** The facts, and the release that last migrated the database, `undefined` where it is not known. */
interface Upgrade extends UpgradeFacts {
  readonly from: Installed | undefined;
}

/** An upgrade from a known release. */
interface KnownUpgrade extends Upgrade {
  readonly from: Installed;
}

type Verdict =
  | Pick<Permit, "kind">
  | Pick<Refusal, "kind" | "path" | "isAdvice" | "problem">;

const BACKUP = "Back up the database and the data directory; then";

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
  const { adapter, schema, versionFile } = facts;
  const { installed: from, notices } = schema.installed
    ? inferInstalled(schema, versionFile)
    : { installed: undefined, notices: emptyNotices(versionFile) };
  const upgrade = { ...facts, target, from };
  const verdict = mysqlGone(upgrade) ?? databaseTooOld(upgrade) ??
    (from === undefined
      ? withoutVersion(upgrade)
      : withVersion({ ...upgrade, from }));
  const warnings = release.databases[adapter]?.newInstallations === false &&
      verdict.kind === "new"
    ? [
      ...notices,
      `Mattermost ${target} does not support new installations on MySQL: use PostgreSQL`,
    ]
    : notices;
  if (!("path" in verdict)) {
    return { ...verdict, allowed: true, notices: warnings };
  }
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

function emptyNotices(versionFile: string | undefined): readonly string[] {
  const version = parseVersion(versionFile ?? "");
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
  const { mysql, postgres } = pathFromMysql({ from: from.low, to: target });
  const before = mysql.length === 0
    ? ""
    : `run the image tags ${listTags(mysql)} on MySQL; then `;
  return refuse("mysql-gone", {
    subject: "DB_ADAPTER",
    message: `${gone}, but the database is MySQL, last migrated by ${
      describeInstalled(from)
    }`,
    remedy:
      `${BACKUP} ${before}migrate the data to ${replacement} ("Migrate from MySQL to PostgreSQL" in Mattermost's documentation), set DB_ADAPTER=postgres, and run the image tags ${
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

function withoutVersion({ target, schema }: Upgrade): Verdict {
  if (!schema.installed) return { kind: "new" };
  // The first start was interrupted before the first migration whose number names a
  // release. The migration tool continues where it stopped.
  if (schema.lastMigration !== undefined && inRange(target, ">=6.4.0")) {
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

function withVersion(upgrade: KnownUpgrade): Verdict {
  return migrationTo3(upgrade) ?? downgrade(upgrade) ?? collision(upgrade) ??
    stops(upgrade) ?? { kind: isSame(upgrade) ? "same" : "upgrade" };
}

/** The migration to 3.0: before it, each user belongs to one team, whose column is TeamId. */
function migrationTo3(
  { target, adapter, schema: { usersHaveTeamId }, from }: KnownUpgrade,
): Verdict | undefined {
  const isBefore3 = inRange(from.low, "<3.0.0");
  if (isBefore3 !== usersHaveTeamId) {
    return refuse("unknown", {
      subject: "database",
      message: `The database was last migrated by ${
        describeInstalled(from)
      }, but its table Users ${
        usersHaveTeamId ? "still" : "no longer"
      } has the column TeamId: the migration to 3.0 was interrupted`,
      remedy: "Restore the backup that was made before the migration",
    }, { isAdvice: true });
  }
  if (!isBefore3) return undefined;
  const isReady = inRange(from.low, ">=2.0.0");
  if (isReady && inRange(target, "<3.4.0")) return { kind: "migrate-3.0" };
  const path = [
    ...(isReady ? [] : ["2.2.0"]),
    ...tags(upgradeStops({ from: from.low, to: target, adapter })),
    target,
  ];
  const reason = isReady
    ? `only Mattermost 3.0.0 to 3.3.0 can migrate it to 3.0, and ${target} cannot`
    : "only a database of 2.0.0 to 2.2.0 can be migrated to 3.0";
  return refuse("stops", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    }: ${reason}`,
    remedy: `${BACKUP} run the image tags ${
      listTags(path)
    } in this order, 3.3.0 with MATTERMOST_MIGRATION_DEFAULT_TEAM=<team> or app:migrate`,
  }, { path });
}

function downgrade(upgrade: KnownUpgrade): Verdict | undefined {
  const { target, from } = upgrade;
  const isDowngrade = from.exact || from.migration === undefined
    ? isNewer(from, target)
    : isNewerMigration(target, from.migration);
  if (!isDowngrade) return undefined;
  const previous = from.exact ? from.high : `${from.low} or newer`;
  return refuse("downgrade", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    }, but Mattermost ${target} is older, and Mattermost does not support downgrades`,
    remedy:
      `Run the image tag ${previous}, or restore a backup of the database that was made with ${target}`,
  }, { path: [from.high], isAdvice: !serverRefuses(upgrade) });
}

/** The table Systems names the minor release only. */
function isNewer(from: Installed, target: string): boolean {
  const step = versionDifference(from.low, target);
  return compareVersions(from.low, target) > 0 &&
    (from.exact || step === "major" || step === "minor");
}

/** Whether the server itself would refuse this newer database, or damage it. */
function serverRefuses({ target, schema, from }: KnownUpgrade): boolean {
  // Releases before 6.4 ignore db_migrations. Where the row Version is absent, they
  // treat the database as a new installation.
  if (from.migration !== undefined && inRange(target, "<6.4.0")) return true;
  const version = parseVersion(schema.systemsVersion ?? "");
  if (version === undefined) return inRange(target, "<6.4.0");
  const step = versionDifference(version, target);
  if (compareVersions(version, target) < 0) return false;
  if (inRange(target, "<5.11.0")) return step === "major" || step === "minor";
  return inRange(target, "<7.1.0") && step === "major";
}

function collision({ target, from }: KnownUpgrade): Verdict | undefined {
  if (!inRange(target, COLLIDING_TO)) return undefined;
  const certain = from.exact && inRange(from.low, COLLIDING_FROM);
  const possible = !from.exact && from.migration !== undefined &&
    COLLIDING_NUMBERS.includes(from.migration) &&
    shippedMigration(target)?.last !== from.migration;
  if (!certain && !possible) return undefined;
  return refuse("collision", {
    subject: "database",
    message: certain
      ? `The database was last migrated by ${
        describeInstalled(from)
      }: Mattermost ${target} has other migrations with the same numbers, and would skip them`
      : `The last migration of the database is number ${from.migration}, which comes from 11.1, or from 10.11.17 or a later 10.11: in the second case Mattermost ${target} would skip its own migrations`,
    remedy:
      `${BACKUP} run the image tag ${AFTER_COLLISION}, which is safe in both cases`,
  }, { path: [AFTER_COLLISION], isAdvice: !certain });
}

function stops({ target, adapter, from }: KnownUpgrade): Verdict | undefined {
  // The newest possible release counts, so that no good database is refused where the
  // release is uncertain. That begins with 6.4, and from 6.4 on all stops are advice.
  const needed = upgradeStops({ from: from.high, to: target, adapter });
  const isAdvice = needed.every((stop) => stop.isAdvice);
  const [first] = needed;
  if (first === undefined) return undefined;
  const path = [...tags(needed), target];
  return refuse("stops", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    } and must be migrated by ${first.release} before Mattermost ${target} can start: ${first.reason}`,
    remedy: `${BACKUP} run the image tags ${
      listTags(path)
    } in this order, each until Mattermost answers`,
  }, { path, isAdvice });
}

function isSame({ target, from }: KnownUpgrade): boolean {
  if (from.exact) return compareVersions(from.low, target) === 0;
  if (from.migration === undefined) {
    return ["none", "patch", "prerelease"].includes(
      versionDifference(from.low, target),
    );
  }
  return isLastMigration(target, from.migration) ||
    compareVersions(from.low, target) > 0;
}

function refuse(
  kind: Refusal["kind"],
  problem: Problem,
  options: Partial<Pick<Refusal, "path" | "isAdvice">> = {},
): Verdict {
  const { path = [], isAdvice = false } = options;
  return { kind, path, isAdvice, problem };
}

function tags(stops: readonly { readonly release: string }[]): string[] {
  return stops.map(({ release }) => release);
}

function listTags(path: readonly string[]): string {
  return path.join(", ");
}
