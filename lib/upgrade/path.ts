/**
 * The releases that an upgrade has to stop at, as data.
 *
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";
import { inRange } from "../release_range.ts";

/** A release to run, until it has migrated the database, before going on. */
export interface Stop {
  /** The release, which is also the tag of the image. */
  readonly release: string;
  /** Whether the jump over it is only advised against; otherwise it cannot work. */
  readonly policy: boolean;
  /** Why, to be read after "Mattermost X is needed: ". */
  readonly reason: string;
}

interface StopRule extends Stop {
  /** Releases that must not jump over it. */
  readonly from: string;
  /** Releases that must not be reached from them. */
  readonly to: string;
  /** The adapter that it is about; both where absent. */
  readonly adapter?: Adapter;
}

const ESR = "upgrades lead from one extended support release to the next";

/**
 * Ordered by release. An extended support release is needed by jumps that also
 * pass, or reach, the next one: a single one may be passed, as who takes every
 * release does.
 */
const STOPS: readonly StopRule[] = [
  {
    release: "3.3.0",
    from: "<3.0.0",
    to: ">=3.4.0",
    policy: false,
    reason: "later releases cannot do the migration of the users to 3.0",
  },
  {
    // Any of 5.0-5.33 would do; this is the last of an extended support
    // release, and 5.31.0 was run on both databases.
    release: "5.31.9",
    from: "<5.0.0",
    to: ">=5.34.0",
    policy: false,
    reason:
      "later releases index a column that only 5.0 to 5.33 add, and leave the database half-way",
  },
  {
    release: "5.37.10",
    from: "<5.37.0",
    to: ">=6.0.0 <6.1.0",
    adapter: "postgres",
    policy: true,
    reason: "6.0 fails on PostgreSQL databases that were born before 5.0",
  },
  {
    release: "5.37.10",
    from: "<5.37.0",
    to: ">=7.0.0",
    policy: true,
    reason: "7.0 and later are documented to follow 5.37",
  },
  {
    release: "7.1.9",
    from: "<7.1.0",
    to: ">=7.2.0",
    policy: true,
    reason: "anything older is documented to pass 7.1",
  },
  {
    release: "7.8.15",
    from: "<7.8.0",
    to: ">=8.1.0",
    policy: true,
    reason: ESR,
  },
  {
    release: "8.1.13",
    from: "<8.1.0",
    to: ">=9.5.0",
    policy: true,
    reason: ESR,
  },
  {
    release: "9.5.14",
    from: "<9.5.0",
    to: ">=9.11.0",
    policy: true,
    reason: ESR,
  },
  {
    release: "9.11.18",
    from: "<9.11.0",
    to: ">=10.5.0",
    policy: true,
    reason: ESR,
  },
  {
    release: "10.5.14",
    from: "<10.5.0",
    to: ">=10.11.0",
    policy: true,
    reason: ESR,
  },
  {
    // 10.11.23 would collide with these.
    release: "10.12.4",
    from: "<10.11.0",
    to: ">=11.7.0 <11.7.3",
    policy: true,
    reason: ESR,
  },
  {
    release: "10.11.23",
    from: "<10.11.0",
    to: ">=11.7.3",
    policy: true,
    reason: ESR,
  },
  {
    release: "11.7.9",
    from: "<11.7.0",
    to: ">=12.0.0",
    policy: true,
    reason: ESR,
  },
];

/** Releases whose last migrations have the numbers that others in 11.x have. */
export const COLLIDING_FROM = ">=10.11.17 <10.12.0";
/** Releases that would take those for their own; fixed in 11.7.3. */
export const COLLIDING_TO = ">=11.0.0 <11.7.3";
/** The numbers. */
export const COLLIDING_NUMBERS: readonly number[] = [142, 143, 144];
/** The release to run instead. */
export const AFTER_COLLISION = "11.7.9";

/** Where an upgrade starts and ends. */
export interface UpgradeStep {
  /** The release that last migrated the database. */
  readonly from: string;
  /** The release to reach. */
  readonly to: string;
  /** The product of the database. */
  readonly adapter: Adapter;
}

/**
 * The releases to run between two releases, in their order.
 *
 * @param journey Where the upgrade starts and ends.
 * @returns The stops, empty where the way is free.
 */
export function upgradeStops(journey: UpgradeStep): readonly Stop[] {
  const { from, to, adapter } = journey;
  const rule = STOPS.find((stop) =>
    inRange(from, stop.from) && inRange(to, stop.to) &&
    (stop.adapter ?? adapter) === adapter
  );
  if (rule === undefined) return [];
  const { release, policy, reason } = rule;
  return [
    { release, policy, reason },
    ...upgradeStops({ ...journey, from: release }),
  ];
}

/**
 * The releases to run on MySQL before the data moves to PostgreSQL for a
 * release that knows no MySQL.
 *
 * @param journey Where the upgrade starts and ends.
 * @returns The releases on MySQL, the last of them being the one to leave MySQL from, and those after the move.
 */
export function pathOffMysql(
  journey: Pick<UpgradeStep, "from" | "to">,
): { readonly mysql: readonly string[]; readonly postgres: readonly string[] } {
  const { from, to } = journey;
  const to117 = inRange(from, COLLIDING_FROM) && inRange(to, COLLIDING_TO)
    ? AFTER_COLLISION
    : to;
  const last = inRange(to117, COLLIDING_TO) ? "10.12.4" : "10.11.23";
  if (inRange(from, ">=10.11.0")) {
    return { mysql: [], postgres: [to117] };
  }
  const before = upgradeStops({ from, to: last, adapter: "mysql" });
  const after = upgradeStops({ from: last, to: to117, adapter: "postgres" });
  return {
    mysql: [...before.map(({ release }) => release), last],
    postgres: [...after.map(({ release }) => release), to117],
  };
}
