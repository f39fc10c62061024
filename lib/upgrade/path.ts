/**
 * The releases that must run between two releases, as data.
 *
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";
import { inRange } from "../release_range.ts";

/** A release that must migrate the database before the next one starts. */
export interface Stop {
  /** The release, which is also the tag of the image. */
  readonly release: string;
  /** Whether an upgrade without the stop may work, though Mattermost advises against it. */
  readonly isAdvice: boolean;
  /** The reason, in lower case: the message puts a colon before it. */
  readonly reason: string;
}

interface StopRule extends Stop {
  /** The releases that an upgrade starts from. */
  readonly from: string;
  /** The releases that it leads to. */
  readonly to: string;
  /** The only adapter that the rule applies to; both where absent. */
  readonly adapter?: Adapter;
}

const ESR =
  "Mattermost guarantees compatible migrations only from one extended support release to the next";

/**
 * The rules, ordered by release. An upgrade may skip an extended support release only if
 * it ends before the next one.
 *
 * @see https://docs.mattermost.com/upgrade/prepare-to-upgrade-mattermost.html
 * @see https://docs.mattermost.com/administration-guide/upgrade/important-upgrade-notes.html
 */
const STOPS: readonly StopRule[] = [
  {
    release: "3.3.0",
    from: "<3.0.0",
    to: ">=3.4.0",
    isAdvice: false,
    reason: "later releases cannot migrate the users to 3.0",
  },
  {
    // Any release from 5.0 to 5.33 is sufficient. This one is the last patch of an extended
    // support release, and 5.31.0 was tested with both products.
    release: "5.31.9",
    from: "<5.0.0",
    to: ">=5.34.0",
    isAdvice: false,
    reason:
      "later releases index a column that only 5.0 to 5.33 add, and fail in the middle of the migration",
  },
  {
    release: "5.37.10",
    from: "<5.37.0",
    to: ">=6.0.0 <6.1.0",
    adapter: "postgres",
    isAdvice: true,
    reason: "6.0 fails on PostgreSQL databases that were created before 5.0",
  },
  {
    release: "5.37.10",
    from: "<5.37.0",
    to: ">=7.0.0",
    isAdvice: true,
    reason: "Mattermost documents upgrades to 7.0 and later only from 5.37",
  },
  {
    release: "7.1.9",
    from: "<7.1.0",
    to: ">=7.2.0",
    isAdvice: true,
    reason:
      "Mattermost documents upgrades from older releases only through 7.1",
  },
  {
    release: "7.8.15",
    from: "<7.8.0",
    to: ">=8.1.0",
    isAdvice: true,
    reason: ESR,
  },
  {
    release: "8.1.13",
    from: "<8.1.0",
    to: ">=9.5.0",
    isAdvice: true,
    reason: ESR,
  },
  {
    release: "9.5.14",
    from: "<9.5.0",
    to: ">=9.11.0",
    isAdvice: true,
    reason: ESR,
  },
  {
    release: "9.11.18",
    from: "<9.11.0",
    to: ">=10.5.0",
    isAdvice: true,
    reason: ESR,
  },
  {
    release: "10.5.14",
    from: "<10.5.0",
    to: ">=10.11.0",
    isAdvice: true,
    reason: ESR,
  },
  {
    // Not 10.11.23, whose migrations collide with these releases.
    release: "10.12.4",
    from: "<10.11.0",
    to: ">=11.7.0 <11.7.3",
    isAdvice: true,
    reason: ESR,
  },
  {
    release: "10.11.23",
    from: "<10.11.0",
    to: ">=11.7.3",
    isAdvice: true,
    reason: ESR,
  },
  {
    // A database of 11.1 or later has the migrations of 10.11, and continues without a stop.
    release: "11.7.9",
    from: "<11.0.0",
    to: ">=12.0.0",
    isAdvice: true,
    reason: ESR,
  },
];

/** Releases whose last migrations have the numbers of other migrations of 11.x. */
export const COLLIDING_FROM = ">=10.11.17 <10.12.0";
/**
 * Releases that fail on those databases, as Mattermost documents. From 11.7.3 on the server first
 * changes the numbers (https://github.com/mattermost/mattermost/pull/36870). The last patches of
 * 11.5 and 11.6 do so too, but which ones is not documented.
 */
export const COLLIDING_TO = ">=11.0.0 <11.7.3";
/** The release to run instead. */
export const AFTER_COLLISION = "11.7.9";

/** An upgrade from one release to another. */
export interface UpgradeStep {
  /** The release that last migrated the database. */
  readonly from: string;
  /** The release that is to start. */
  readonly to: string;
  /** The product of the database. */
  readonly adapter: Adapter;
}

/**
 * Finds the releases that must run between two releases.
 *
 * @param upgrade The two releases and the product.
 * @returns The stops in their order; empty where none is needed.
 */
export function upgradeStops(upgrade: UpgradeStep): readonly Stop[] {
  const { from, to, adapter } = upgrade;
  const rule = STOPS.find((stop) =>
    inRange(from, stop.from) && inRange(to, stop.to) &&
    (stop.adapter ?? adapter) === adapter
  );
  if (rule === undefined) return [];
  const { release, isAdvice, reason } = rule;
  return [
    { release, isAdvice, reason },
    ...upgradeStops({ ...upgrade, from: release }),
  ];
}

/**
 * Finds the releases to run on MySQL, and then on PostgreSQL, for a release that does not
 * support MySQL.
 *
 * @param upgrade The release that last ran on MySQL, and the one that is to start.
 * @returns The releases on MySQL, after the last of which the data moves to PostgreSQL, and those after that.
 */
export function pathFromMysql(
  { from, to }: Pick<UpgradeStep, "from" | "to">,
): { readonly mysql: readonly string[]; readonly postgres: readonly string[] } {
  const target = inRange(from, COLLIDING_FROM) && inRange(to, COLLIDING_TO)
    ? AFTER_COLLISION
    : to;
  const last = inRange(target, COLLIDING_TO) ? "10.12.4" : "10.11.23";
  if (inRange(from, ">=10.11.0")) {
    return { mysql: [], postgres: [target] };
  }
  const before = upgradeStops({ from, to: last, adapter: "mysql" });
  const after = upgradeStops({ from: last, to: target, adapter: "postgres" });
  return {
    mysql: [...before.map(({ release }) => release), last],
    postgres: [...after.map(({ release }) => release), target],
  };
}
