import { deepEqual, equal, ok } from "node:assert/strict";
import {
  compareMigrations,
  describeMigrations,
  findFileNames,
  findMilestone,
  type Migration,
  type MigrationDifference,
  parseFileNames,
  parseRows,
} from "../../../lib/mattermost/migrations.ts";
import names6 from "../../fixtures/migration_names/6.7.0.txt" with {
  type: "text",
};
import names10 from "../../fixtures/migration_names/10.11.0.txt" with {
  type: "text",
};
import names11 from "../../fixtures/migration_names/11.6.0.txt" with {
  type: "text",
};
import { migrationsOf } from "../../support/release_migrations.ts";

/** The file names in the programs of releases, as grep(1) found them. */
const RECORDED: Readonly<Record<string, string>> = {
  "6.7.0": names6,
  "10.11.0": names10,
  "11.6.0": names11,
};

function recorded(release: string): string {
  return RECORDED[release] ?? "";
}

/** The numbers of each part of a difference. */
function numbersOf(
  difference: MigrationDifference,
): Record<keyof MigrationDifference, readonly number[]> {
  const { unknown, conflicts, pending } = difference;
  const numbers = (list: readonly Migration[]): number[] =>
    list.map(({ number }) => number);
  return {
    unknown: numbers(unknown),
    conflicts: numbers(conflicts),
    pending: numbers(pending),
  };
}

Deno.test("the recorded programs contain each migration of both products once, and not the configuration store's", () => {
  const counts: readonly (readonly [string, number, number])[] = [
    ["6.7.0", 81, 81],
    ["10.11.0", 140, 140],
    ["11.6.0", 158, 0],
  ];
  for (const [release, postgres, mysql] of counts) {
    const text = recorded(release);
    const sets = [
      parseFileNames(text, "postgres"),
      parseFileNames(text, "mysql"),
    ];
    deepEqual(sets.map(({ length }) => length), [postgres, mysql], release);
    for (const set of sets) {
      equal(new Set(set.map(({ number }) => number)).size, set.length);
      equal(new Set(set.map(({ name }) => name)).size, set.length);
      ok(set.every(({ name }) => !/configuration/.test(name)));
    }
  }
  deepEqual(parseFileNames(recorded("6.7.0"), "postgres").slice(0, 2), [
    { number: 1, name: "create_teams" },
    { number: 2, name: "create_team_members" },
  ]);
});

Deno.test("file names are found without a prefix and without separators", () => {
  const bytes =
    "\0\x01mysql/000001_a.up.sqlmysql/000001_a.down.sqlpostgres/000074_upgrade_users_v6.3.up.sqlx.up.sql000075_b.up.sql" +
    "\xffmigrations/postgres/000142_c-d.up.sqlmigrations/postgres/00143_e.up.sql";
  deepEqual(findFileNames(bytes), [
    "mysql/000001_a.up.sql",
    "postgres/000074_upgrade_users_v6.3.up.sql",
    "postgres/000142_c-d.up.sql",
  ]);
  deepEqual(parseFileNames(bytes, "postgres"), [
    { number: 74, name: "upgrade_users_v6.3" },
    { number: 142, name: "c-d" },
  ]);
});

Deno.test("parseRows() sorts the rows, and ignores those of other forms", () => {
  deepEqual(parseRows(""), []);
  deepEqual(parseRows("75 b,1 upgrade_users_v6.3,x y,20230101 two words"), [
    { number: 1, name: "upgrade_users_v6.3" },
    { number: 75, name: "b" },
    { number: 20230101, name: "two words" },
  ]);
});

Deno.test("recorded releases only add migrations", () => {
  const releases = ["6.7.0", "10.11.0", "11.6.0"];
  for (const adapter of ["postgres", "mysql"] as const) {
    for (const [index, to] of releases.entries()) {
      for (const from of releases.slice(0, index)) {
        if (adapter === "mysql" && to === "11.6.0") continue;
        const applied = parseFileNames(recorded(from), adapter);
        const contained = parseFileNames(recorded(to), adapter);
        const forward = compareMigrations(applied, contained);
        deepEqual([forward.unknown, forward.conflicts], [[], []]);
        equal(forward.pending.length, contained.length - applied.length);
        const back = compareMigrations(contained, applied);
        equal(back.unknown.length, contained.length - applied.length);
        deepEqual([back.pending, back.conflicts], [[], []]);
      }
    }
  }
});

Deno.test("the sets of MySQL and PostgreSQL differ in one name", () => {
  const text = recorded("10.11.0");
  const { unknown, conflicts, pending } = compareMigrations(
    parseFileNames(text, "mysql"),
    parseFileNames(text, "postgres"),
  );
  deepEqual(unknown, []);
  deepEqual(conflicts, [{ number: 92, name: "add_createat_to_teammembers" }]);
  deepEqual(pending, [{ number: 92, name: "add_createat_to_teamembers" }]);
});

Deno.test("a name under another number counts, and a number under another name does not", () => {
  const after = compareMigrations(
    migrationsOf("10.11.17"),
    migrationsOf("11.7.0"),
  );
  deepEqual(numbersOf(after), {
    unknown: [],
    conflicts: [],
    pending: [142, 143, 144, ...range(145, 155), ...range(159, 167)],
  });
  deepEqual(
    numbersOf(
      compareMigrations(migrationsOf("10.11.17"), migrationsOf("11.1.0")),
    ),
    { unknown: [144], conflicts: [142, 143], pending: [142, 143] },
  );
});

Deno.test("a second migration with a number, of a built-in plugin, is not pending", () => {
  const core = [{ number: 1, name: "a" }, { number: 2, name: "b" }];
  const plugin = { number: 1, name: "of_a_plugin" };
  deepEqual(compareMigrations(core, [...core, plugin]).pending, []);
  deepEqual(numbersOf(compareMigrations([], [...core, plugin])).pending, [
    1,
    2,
    1,
  ]);
});

Deno.test("describeMigrations() names the first, and counts the others", () => {
  const [first, second] = migrationsOf("6.4.0");
  ok(first && second);
  equal(describeMigrations([first]), "migration 1 migration_1");
  equal(
    describeMigrations([first, second]),
    "migration 1 migration_1 and 1 more",
  );
});

Deno.test("findMilestone() finds a release whose migrations the database has, and no newer one", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["6.4.0", "6.4.0"],
    ["7.0.2", "6.4.0"],
    ["7.1.9", "7.1.0"],
    ["7.8.10", "7.8.0"],
    ["7.8.15", "8.1.0"],
    ["9.5.14", "9.5.0"],
    ["10.11.16", "10.11.0"],
    ["10.11.17", "10.11.17"],
    ["11.0.7", "10.11.0"],
    ["11.6.0", "11.1.0"],
    ["11.10.0", "11.7.0"],
    ["13.4.0", "11.7.0"],
  ];
  for (const [release, milestone] of cases) {
    equal(findMilestone(migrationsOf(release))?.release, milestone, release);
  }
  equal(findMilestone(migrationsOf("6.4.0").slice(0, 74)), undefined);
  equal(findMilestone([]), undefined);
  equal(findMilestone(migrationsOf("9.5.0"))?.next, "9.11.0");
  equal(findMilestone(migrationsOf("13.4.0"))?.next, undefined);
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
