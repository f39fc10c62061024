/**
 * What a decision depends on, and what it can be.
 *
 * @module
 */

import type { SchemaFacts } from "../database/session.ts";
import type { Problem } from "../errors.ts";
import type {
  Migration,
  MigrationDifference,
} from "../mattermost/migrations.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { Installed } from "./previous_release.ts";

/** The facts that a decision depends on. */
export interface UpgradeFacts {
  /** The release that is to start. */
  readonly target: string;
  /** The product of the database. */
  readonly adapter: Adapter;
  /** What Mattermost has left in the database. */
  readonly schema: SchemaFacts;
  /** The migrations that the server contains; absent before 6.4, and where they cannot be read. */
  readonly contained?: readonly Migration[] | undefined;
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
  /** The change of the release, for the log; absent where the release stays the same, and for a new installation. */
  readonly change?: string;
  /** A reminder of the backup, where the change brings migrations, which cannot be undone. */
  readonly reminder?: Problem;
  /** The number of migrations that the server will apply; absent before 6.4, and where they cannot be read. */
  readonly pending?: number;
  /** Warnings for the log. */
  readonly notices: readonly string[];
}

/** The decision that the server must not start. */
export interface Refusal {
  /**
   * `stops`: other releases must run first; `downgrade`: the database has migrations
   * that the release does not contain, or belongs to a newer release; `mysql-gone`: the release does not support MySQL; `database-too-old`: the
   * release does not support this version of the database product; `collision`: migrations
   * of the database have the numbers of other migrations of the release; `unknown`: the state
   * of the database is not known.
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

/** The facts, and what follows from them. */
export interface Upgrade extends UpgradeFacts {
  /** The release that last migrated the database; `undefined` where it is not known. */
  readonly from: Installed | undefined;
  /** The migrations that differ; `undefined` where those of the server are not known. */
  readonly difference: MigrationDifference | undefined;
}

/** An upgrade from a known release. */
export interface KnownUpgrade extends Upgrade {
  /** The release that last migrated the database. */
  readonly from: Installed;
}

/** A decision without its notices. */
export type Verdict =
  | Pick<Permit, "kind">
  | Pick<Refusal, "kind" | "path" | "isAdvice" | "problem">;

/** The beginning of a remedy that changes the database. */
export const BACKUP = "Back up the database and the data directory; then";

/**
 * Makes a refusal.
 *
 * @param kind Why the server must not start.
 * @param problem The message and its remedy.
 * @param options The tags to run, none by default, and whether the operator can override it; by default not.
 * @returns The refusal, without notices.
 */
export function refuse(
  kind: Refusal["kind"],
  problem: Problem,
  options: Partial<Pick<Refusal, "path" | "isAdvice">> = {},
): Verdict {
  const { path = [], isAdvice = false } = options;
  return { kind, path, isAdvice, problem };
}

/**
 * Lists tags for a message.
 *
 * @param path The tags.
 * @returns `9.5.14, 10.5.14`.
 */
export function listTags(path: readonly string[]): string {
  return path.join(", ");
}
