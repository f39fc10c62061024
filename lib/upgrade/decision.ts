/**
 * The guard before every start: whether this release may open this database.
 *
 * It decides from facts and changes nothing; the VERSION file is written by
 * the caller, when the start goes ahead.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import {
  describeInstalled,
  inferInstalled,
  type Installed,
  type SchemaFacts,
} from "./previous_release.ts";
import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import { databaseNumber, releaseFacts } from "../mattermost/releases.ts";
import {
  endsAt,
  isBeyond,
  shippedMigration,
} from "../mattermost/migrations.ts";
import {
  AFTER_COLLISION,
  COLLIDING_FROM,
  COLLIDING_NUMBERS,
  COLLIDING_TO,
  pathOffMysql,
  upgradeStops,
} from "./path.ts";
import {
  compareVersions,
  formatVersion,
  inRange,
  parseVersion,
  versionStep,
} from "../release_range.ts";

/** What the guard is asked. */
export interface UpgradeFacts {
  /** The release that is to start. */
  readonly target: string;
  /** The product of the database. */
  readonly adapter: Adapter;
  /** What was read of the database. */
  readonly schema: SchemaFacts;
  /** The content of `data/VERSION`; absent where there is no file. */
  readonly versionFile?: string | undefined;
  /** What the database says of its own version: `15.4 (Debian …)`, `10.11.6-MariaDB`. */
  readonly databaseVersion?: string | undefined;
  /** `MATTERMOST_FORCE_UPGRADE`: overrides the refusals that are policy. */
  readonly force?: boolean | undefined;
}

/** A start that goes ahead. */
export interface Permit {
  /**
   * `new`: the database is empty or a first start was interrupted; `same`:
   * there is nothing to migrate; `upgrade`: the server migrates when it starts;
   * `migrate-3.0`: the server's migration to 3.0 has to run before; `forced`:
   * a refusal was overridden.
   */
  readonly kind: "new" | "same" | "upgrade" | "migrate-3.0" | "forced";
  /** The server may start. */
  readonly allowed: true;
  /** Things to tell the operator. */
  readonly notices: readonly string[];
}

/** A start that is refused. */
export interface Refusal {
  /**
   * `stops`: other releases have to run first; `downgrade`: the database is
   * newer; `mysql-gone`: the release knows no MySQL; `database-too-old`: the
   * release refuses this version of the database product; `collision`: the
   * migrations of the two releases have the same numbers; `unknown`: the
   * database cannot be understood.
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
  /** Tags of the image to run in order, the last one being the one to stay with; empty where there is no path. */
  readonly path: readonly string[];
  /** Whether the operator can override it; otherwise the server itself refuses, or destroys something. */
  readonly policy: boolean;
  /** State, wanted state and remedy. */
  readonly problem: Problem;
  /** Things to tell the operator. */
  readonly notices: readonly string[];
}

/** What the guard answers. */
export type Decision = Permit | Refusal;

/** The question, and what was inferred. */
interface Opening extends UpgradeFacts {
  readonly from: Installed | undefined;
}

/** The facts that the rules below share. */
interface Case {
  readonly target: string;
  readonly adapter: Adapter;
  readonly schema: SchemaFacts;
  readonly from: Installed;
}

type Verdict =
  | Pick<Permit, "kind">
  | Pick<Refusal, "kind" | "path" | "policy" | "problem">;

const BACKUP = "back up the database and the data directory first";

/**
 * Decides whether a release may open a database.
 *
 * @param question Release, database and VERSION file.
 * @returns A permit, or a refusal with its remedy.
 * @throws {EntrypointError} with code 78 when the target is no supported release.
 */
export function decideUpgrade(question: UpgradeFacts): Decision {
  const release = releaseFacts(question.target);
  const target = release.version;
  const { adapter, schema, versionFile } = question;
  const { installed: from, notices } = schema.installed
    ? inferInstalled(schema, versionFile)
    : { installed: undefined, notices: emptyNotices(versionFile) };
  const opening = { ...question, target, from };
  const verdict = mysqlGone(opening) ?? databaseTooOld(opening) ??
    (from === undefined
      ? withoutVersion(target, schema)
      : withVersion({ target, adapter, schema, from }));
  const warnings = release.databases[adapter]?.newInstallations === false &&
      verdict.kind === "new"
    ? [
      ...notices,
      `New installations of Mattermost ${target} on MySQL are not supported by its makers, use PostgreSQL`,
    ]
    : notices;
  if (!("path" in verdict)) {
    return { ...verdict, allowed: true, notices: warnings };
  }
  const refusal: Refusal = { ...verdict, allowed: false, notices };
  if (!refusal.policy || question.force !== true) return refusal;
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
    `data/VERSION says ${
      formatVersion(version)
    }, but the database holds no Mattermost tables: it becomes a new installation. If it should not, check DB_HOST and DB_NAME`,
  ];
}

function mysqlGone({ target, adapter, from }: Opening): Verdict | undefined {
  if (adapter !== "mysql" || releaseFacts(target).databases.mysql) {
    return undefined;
  }
  const gone = `Mattermost ${target} runs only on PostgreSQL`;
  if (from === undefined) {
    return refuse("mysql-gone", {
      subject: "DB_ADAPTER",
      message: `${gone}, but mysql is chosen`,
      remedy: "DB_ADAPTER=postgres, and a PostgreSQL 14 or newer",
    });
  }
  const { mysql, postgres } = pathOffMysql({ from: from.low, to: target });
  const before = mysql.length === 0
    ? ""
    : `on MySQL run the image tags ${listTags(mysql)}; then `;
  return refuse("mysql-gone", {
    subject: "DB_ADAPTER",
    message: `${gone}, but the database is MySQL, last migrated by ${
      describeInstalled(from)
    }`,
    remedy:
      `${BACKUP}; ${before}migrate the data to PostgreSQL 14 or newer ("Migrate from MySQL to PostgreSQL" in Mattermost's documentation), set DB_ADAPTER=postgres, and run ${
        listTags(postgres)
      }`,
  }, { path: [...mysql, ...postgres] });
}

function databaseTooOld(opening: Opening): Verdict | undefined {
  const { target, adapter, databaseVersion: version } = opening;
  const facts = releaseFacts(target).databases[adapter];
  const number = databaseNumber(adapter, version ?? "");
  if (facts?.minimum === undefined || number === undefined) return undefined;
  if (number >= facts.minimumNumber) return undefined;
  const product = PRODUCTS[adapter];
  return refuse("database-too-old", {
    subject: product,
    message:
      `The database is ${product} ${version?.trim()}, Mattermost ${target} needs ${facts.minimum} or newer`,
    remedy:
      `${BACKUP}; upgrade the database to ${product} ${facts.minimum} or newer, or run an older image`,
  });
}

function withoutVersion(target: string, schema: SchemaFacts): Verdict {
  if (!schema.installed) return { kind: "new" };
  // Migrations were started and did not get to the first one that tells a
  // release: the first start was interrupted, and the tool goes on with it.
  if (schema.lastMigration !== undefined && inRange(target, ">=6.4.0")) {
    return { kind: "new" };
  }
  return refuse("unknown", {
    subject: "database",
    message:
      "The database holds Mattermost's tables, but neither Systems.Version nor db_migrations nor data/VERSION says of which release",
    remedy:
      "write the release that last ran on it to VERSION in the data directory, for example: echo 3.6.0 > VERSION",
  }, { policy: true });
}

function withVersion(facts: Case): Verdict {
  return usersOf2(facts) ?? downgrade(facts) ?? collision(facts) ??
    stops(facts) ?? { kind: isSame(facts) ? "same" : "upgrade" };
}

/** Databases of 2.x, whose users belong to one team each. */
function usersOf2(
  { target, adapter, schema, from }: Case,
): Verdict | undefined {
  const old = inRange(from.low, "<3.0.0");
  const { usersHaveTeamId = old } = schema;
  if (old !== usersHaveTeamId) {
    return refuse("unknown", {
      subject: "database",
      message: `The database says ${
        describeInstalled(from)
      }, but its table Users ${
        usersHaveTeamId ? "still has" : "no longer has"
      } the column TeamId: the migration to 3.0 was interrupted`,
      remedy: "restore the backup that was made before the migration",
    }, { policy: true });
  }
  if (!old) return undefined;
  const able = inRange(from.low, ">=2.0.0");
  if (able && inRange(target, "<3.4.0")) return { kind: "migrate-3.0" };
  const path = [
    ...(able ? [] : ["2.2.0"]),
    ...tags(upgradeStops({ from: from.low, to: target, adapter })),
    target,
  ];
  const wanted = able
    ? `Mattermost ${target} cannot do the migration to 3.0, only 3.0.0 to 3.3.0 can`
    : "the migration to 3.0 needs a database of 2.0.0 to 2.2.0";
  return refuse("stops", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    }: ${wanted}`,
    remedy: `${BACKUP}; run the image tags ${
      listTags(path)
    } in this order, 3.3.0 with MATTERMOST_MIGRATION_DEFAULT_TEAM=<team> or app:migrate`,
  }, { path });
}

function downgrade(facts: Case): Verdict | undefined {
  const { target, from } = facts;
  const newer = from.exact || from.migration === undefined
    ? isNewer(from, target)
    : isBeyond(target, from.migration);
  if (!newer) return undefined;
  const own = from.exact ? from.high : `${from.low} or newer`;
  return refuse("downgrade", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    }, Mattermost ${target} is older: downgrades are not supported`,
    remedy:
      `run the image tag ${own}, or restore a backup of the database that ${target} made`,
  }, { path: [from.high], policy: !serverRefuses(facts) });
}

/** An inexact version of the table Systems names the minor release only. */
function isNewer(from: Installed, target: string): boolean {
  const step = versionStep(from.low, target);
  return compareVersions(from.low, target) > 0 &&
    (from.exact || step === "major" || step === "minor");
}

/** Whether the server itself would not open this newer database, or ruin it. */
function serverRefuses({ target, schema, from }: Case): boolean {
  // Its migrations are kept in another form, and the row Version may be absent,
  // which these releases take for a new installation.
  if (from.migration !== undefined && inRange(target, "<6.4.0")) return true;
  const version = parseVersion(schema.systemsVersion ?? "");
  if (version === undefined) return inRange(target, "<6.4.0");
  const step = versionStep(version, target);
  if (compareVersions(version, target) < 0) return false;
  if (inRange(target, "<5.11.0")) return step === "major" || step === "minor";
  return inRange(target, "<7.1.0") && step === "major";
}

function collision({ target, from }: Case): Verdict | undefined {
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
      }, whose migrations have the numbers of others in Mattermost ${target}: it would skip its own`
      : `The database ends at migration ${from.migration}, which is of 10.11.17 and later or of 11.1: after the former Mattermost ${target} would skip its own migrations`,
    remedy:
      `${BACKUP}; run the image tag ${AFTER_COLLISION}, which is safe after both`,
  }, { path: [AFTER_COLLISION], policy: !certain });
}

function stops({ target, adapter, from }: Case): Verdict | undefined {
  // Asked of the newest release that it may be: no healthy database is refused
  // for a doubt. What cannot work ends where the doubt begins, with 6.4.
  const needed = upgradeStops({ from: from.high, to: target, adapter });
  const policy = needed.every((stop) => stop.policy);
  const [first] = needed;
  if (first === undefined) return undefined;
  const path = [...tags(needed), target];
  return refuse("stops", {
    subject: "database",
    message: `The database was last migrated by ${
      describeInstalled(from)
    }, on the way to Mattermost ${target} it needs ${first.release} first: ${first.reason}`,
    remedy: `${BACKUP}; run the image tags ${
      listTags(path)
    } in this order, each until it answers`,
  }, { path, policy });
}

function isSame({ target, from }: Case): boolean {
  if (from.exact) return compareVersions(from.low, target) === 0;
  if (from.migration === undefined) {
    return ["none", "patch", "prerelease"].includes(
      versionStep(from.low, target),
    );
  }
  return endsAt(target, from.migration) ||
    compareVersions(from.low, target) > 0;
}

function refuse(
  kind: Refusal["kind"],
  problem: Problem,
  options: { path?: readonly string[]; policy?: boolean } = {},
): Verdict {
  const { path = [], policy = false } = options;
  return { kind, path, policy, problem };
}

function tags(stops: readonly { readonly release: string }[]): string[] {
  return stops.map(({ release }) => release);
}

function listTags(path: readonly string[]): string {
  return path.join(", ");
}
