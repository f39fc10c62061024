import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import type { SchemaFacts } from "../../../lib/database/session.ts";
import type { Migration } from "../../../lib/mattermost/migrations.ts";
import { decideUpgrade } from "../../../lib/upgrade/decision.ts";
import type {
  Decision,
  Permit,
  UpgradeFacts,
} from "../../../lib/upgrade/verdict.ts";
import { compareVersions, inRange } from "../../../lib/release_range.ts";
import { migrationsOf, schemaOf } from "../../support/release_migrations.ts";

/**
 * Parses the notation of a database: `-` is empty, `tables` has Mattermost's tables and no
 * version, `3.6.0` is Systems.Version, `@9.5.0` are the migrations of that release, `#40` the
 * first 40, and a final `T` means that the table Users has the column TeamId.
 */
function schema(text: string): SchemaFacts {
  const nothing = { usersHaveTeamId: false, migrations: [] };
  if (text === "-") return { installed: false, ...nothing };
  if (text === "tables") return { installed: true, ...nothing };
  const match = /^([^@#T]*)(?:@([\d.]+)|#(\d+))?(T)?$/.exec(text);
  ok(match, text);
  const [, systemsVersion, release = "13.4.0", count, team] = match;
  return {
    installed: true,
    ...(systemsVersion ? { systemsVersion } : {}),
    migrations: match[2] === undefined && count === undefined
      ? []
      : migrationsOf(release).slice(0, count && Number(count) || undefined),
    usersHaveTeamId: team !== undefined,
  };
}

/** The migrations of a server, as they are read from its program. */
function containedIn(release: string): readonly Migration[] | undefined {
  const migrations = migrationsOf(release);
  return migrations.length > 0 ? migrations : undefined;
}

/** The notation of a decision: its kind, for a refusal `?` if it is advice and `!` if not, and the path. */
function short(decision: Decision): string {
  if (decision.allowed) return decision.kind;
  const mark = decision.isAdvice ? "?" : "!";
  return [`${decision.kind}${mark}`, ...decision.path].join(" ");
}

type Row = readonly [
  target: string,
  adapter: "mysql" | "postgres",
  database: string,
  versionFile: string | undefined,
  decision: string,
];

const [MY, PG, NO] = ["mysql", "postgres", undefined] as const;
const FROM_5 = "5.37.10 7.1.9 7.8.15 8.1.13 9.5.14 9.11.18 10.5.14";

const TABLE: Readonly<Record<string, readonly Row[]>> = {
  "an empty database is a new installation": [
    ["3.0.0", MY, "-", NO, "new"],
    ["3.6.0", PG, "-", NO, "new"],
    ["10.11.23", MY, "-", NO, "new"],
    ["11.7.9", PG, "-", NO, "new"],
    ["11.7.9", PG, "-", "5.37.10", "new"],
    ["12.0.0", PG, "-", NO, "new"],
  ],
  "a first start that was interrupted continues": [
    ["9.11.18", PG, "#40", NO, "new"],
    ["9.11.18", PG, "#74", NO, "new"],
    ["6.4.0", PG, "#40", NO, "new"],
    ["9.11.18", PG, "#40", "9.11.18", "new"],
    ["3.6.0", MY, "tables", "3.6.0", "same"],
  ],
  "an upgrade that was interrupted continues": [
    ["6.4.3", PG, "6.3.0#40", "6.4.3", "upgrade"],
    ["7.1.9", PG, "5.37.0#40", "7.1.9", "upgrade"],
    ["9.11.18", PG, "#121", "9.11.18", "upgrade"],
    ["13.4.0", PG, "#250", NO, "upgrade"],
  ],
  "tables without any version are refused": [
    ["3.6.0", MY, "tables", NO, "unknown?"],
    ["3.6.0", MY, "tables", "rubbish", "unknown?"],
    ["3.6.0", MY, "rubbish", NO, "unknown?"],
    ["9.11.18", PG, "tables", NO, "unknown?"],
    ["5.37.10", PG, "#1", NO, "unknown?"],
    ["6.3.10", PG, "#40", "6.3.10", "unknown?"],
  ],
  "the same release starts, with or without a VERSION file": [
    ["3.6.0", MY, "3.6.0", "3.6.0", "same"],
    ["3.6.0", MY, "3.6.0", NO, "same"],
    ["3.6.7", MY, "3.6.0", NO, "same"],
    ["3.6.0", MY, "3.6.5", NO, "same"],
    ["5.37.0-rc1", PG, "5.37.0", NO, "same"],
    ["5.37.10", PG, "5.37.0", "5.37.10\n", "same"],
    ["6.3.10", PG, "6.3.0", "6.3.10", "same"],
    ["6.4.3", PG, "@6.4.3", NO, "same"],
    ["7.8.15", PG, "6.4.0@7.8.15", "7.8.15", "same"],
    ["7.8.15", PG, "6.4.0@7.8.15", NO, "same"],
    ["9.2.6", MY, "@9.2.6", NO, "same"],
    ["10.11.23", PG, "@10.11.23", "10.11.23", "same"],
    ["11.1.3", PG, "@11.1.3", NO, "same"],
    ["11.10.0", PG, "@11.10.0", "11.10.0", "same"],
    ["11.10.0", PG, "@11.10.0", NO, "same"],
    ["11.7.9", PG, "@11.7.9", "rubbish", "same"],
    ["13.4.0", PG, "@13.4.0", NO, "same"],
  ],
  "an upgrade without a stop is allowed": [
    ["3.6.7", MY, "3.6.0", "3.6.0", "upgrade"],
    ["3.6.0", MY, "3.0.0", NO, "upgrade"],
    ["5.33.5", MY, "3.6.0", "3.6.0", "upgrade"],
    ["5.31.9", PG, "4.10.0", NO, "upgrade"],
    ["5.37.10", MY, "5.31.0", "5.31.9", "upgrade"],
    ["5.37.10", PG, "5.0.0", NO, "upgrade"],
    ["6.7.2", PG, "5.31.0", NO, "upgrade"],
    ["6.0.4", MY, "5.31.0", NO, "upgrade"],
    ["6.0.4", PG, "5.37.0", NO, "upgrade"],
    ["6.4.3", PG, "6.3.0", "6.4.3", "upgrade"],
    ["6.5.2", PG, "6.4.0@6.4.3", "6.5.0", "upgrade"],
    ["7.1.9", MY, "5.37.0", "5.37.10", "upgrade"],
    ["7.8.15", PG, "6.4.0@7.1.9", "7.1.9", "upgrade"],
    ["8.1.13", PG, "6.4.0@7.8.4", "7.8.4", "upgrade"],
    ["9.10.3", PG, "@9.2.6", "9.2.6", "upgrade"],
    ["10.6.6", PG, "@10.4.5", "10.4.5", "upgrade"],
    ["11.0.7", PG, "@10.5.14", NO, "upgrade"],
    ["11.7.9", PG, "@10.11.0", "10.11.0", "upgrade"],
    ["11.10.0", PG, "@11.7.9", "11.7.9", "upgrade"],
    // The release table and Mattermost's documentation end before these.
    ["12.0.0", PG, "@11.10.0", NO, "upgrade"],
    ["12.0.0", PG, "@11.6.0", NO, "upgrade"],
    ["13.4.0", PG, "@11.6.0", "11.6.6", "upgrade"],
  ],
  "a database of 2.x needs a release that can migrate its users": [
    ["3.0.0", MY, "2.2.0T", NO, "migrate-3.0"],
    ["3.3.0", MY, "2.0.0T", "2.0.0", "migrate-3.0"],
    ["3.3.0", PG, "2.1.0T", NO, "migrate-3.0"],
    // The old image wrote VERSION before it migrated.
    ["3.3.0", MY, "2.2.0T", "3.3.0", "migrate-3.0"],
    ["3.4.0", MY, "2.2.0T", NO, "stops! 3.3.0 3.4.0"],
    ["3.6.0", MY, "2.2.0T", "2.2.0", "stops! 3.3.0 3.6.0"],
    ["5.37.10", MY, "2.1.0T", NO, "stops! 3.3.0 5.31.9 5.37.10"],
    ["3.3.0", MY, "1.4.0T", NO, "stops! 2.2.0 3.3.0"],
    ["3.6.0", MY, "1.4.0T", NO, "stops! 2.2.0 3.3.0 3.6.0"],
    ["3.3.0", MY, "2.2.0", NO, "unknown?"],
    ["3.6.0", MY, "3.6.0T", NO, "unknown?"],
    ["3.4.0", MY, "3.6.0T", NO, "unknown?"],
  ],
  "an upgrade from 3.x or 4.x cannot skip 5.0 to 5.33": [
    ["5.34.5", PG, "4.10.0", NO, "stops! 5.31.9 5.34.5"],
    ["5.37.10", MY, "3.6.0", "3.6.0", "stops! 5.31.9 5.37.10"],
    ["6.7.2", PG, "4.10.0", "4.10.10", "stops! 5.31.9 6.7.2"],
    ["6.0.4", PG, "4.10.0", NO, "stops! 5.31.9 5.37.10 6.0.4"],
    ["7.1.9", PG, "3.6.0", NO, "stops! 5.31.9 5.37.10 7.1.9"],
    ["10.11.23", MY, "3.6.0", "3.6.0", `stops! 5.31.9 ${FROM_5} 10.11.23`],
    [
      "11.7.9",
      PG,
      "3.6.0",
      "3.6.0",
      `stops! 5.31.9 ${FROM_5} 10.11.23 11.7.9`,
    ],
  ],
  "documented stops are advice": [
    ["6.0.4", PG, "5.31.0", NO, "stops? 5.37.10 6.0.4"],
    ["7.0.2", MY, "5.31.0", NO, "stops? 5.37.10 7.0.2"],
    ["7.8.15", PG, "5.37.0", NO, "stops? 7.1.9 7.8.15"],
    ["7.8.15", PG, "6.4.0", "7.8.15", "stops? 7.1.9 7.8.15"],
    ["7.8.15", PG, "6.4.0@6.7.2", "6.7.2", "stops? 7.1.9 7.8.15"],
    ["8.1.13", PG, "6.4.0@7.1.9", "7.1.9", "stops? 7.8.15 8.1.13"],
    ["9.5.14", PG, "@7.8.10", "7.8.10", "stops? 8.1.13 9.5.14"],
    ["9.11.18", PG, "@8.1.13", "8.1.13", "stops? 9.5.14 9.11.18"],
    ["10.5.14", PG, "@9.5.7", "9.5.7", "stops? 9.11.18 10.5.14"],
    ["10.11.23", PG, "@9.11.18", "9.11.18", "stops? 10.5.14 10.11.23"],
    ["11.7.9", PG, "@10.5.14", "10.5.14", "stops? 10.11.23 11.7.9"],
    ["11.7.2", PG, "@10.5.14", "10.5.14", "stops? 10.12.4 11.7.2"],
    ["12.0.0", PG, "@10.11.10", "10.11.10", "stops? 11.7.9 12.0.0"],
    ["12.0.0", PG, "@10.11.23", NO, "stops? 11.7.9 12.0.0"],
    ["13.4.0", PG, "@10.11.23", NO, "stops? 11.7.9 13.4.0"],
    // 7.8.15 has the migrations of 8.1.0, and those count.
    ["9.5.14", PG, "@7.8.15", NO, "upgrade"],
    ["10.5.14", PG, "@7.8.15", NO, "stops? 9.5.14 9.11.18 10.5.14"],
  ],
  "a downgrade that the server itself refuses cannot be forced": [
    ["3.4.0", MY, "3.6.0", NO, "downgrade! 3.6.0"],
    ["3.0.3", MY, "3.3.0", NO, "downgrade! 3.3.0"],
    ["5.10.2", PG, "5.37.0", "5.37.10", "downgrade! 5.37.10"],
    ["4.10.10", PG, "5.0.0", NO, "downgrade! 5.0.0"],
    ["5.39.3", PG, "6.3.0", NO, "downgrade! 6.3.0"],
    ["5.37.10", PG, "6.4.0@7.8.15", "7.8.15", "downgrade! 8.1.0"],
    ["6.3.10", PG, "6.4.0@7.8.4", "7.8.4", "downgrade! 7.8.0"],
    ["3.6.0", MY, "tables", "5.37.10", "downgrade! 5.37.10"],
    ["6.3.10", PG, "@11.3.3", NO, "downgrade! 11.1.0"],
    ["3.6.0", PG, "@11.10.0", "11.10.0", "downgrade! 11.7.0"],
    ["6.7.2", PG, "7.0.0@7.0.2", NO, "downgrade!"],
    ["7.0.2", PG, "8.0.0@8.0.4", "8.0.0", "downgrade!"],
  ],
  "the refusal of any other downgrade is advice": [
    ["5.11.0", PG, "5.37.0", "5.37.10", "downgrade? 5.37.10"],
    ["3.6.0", MY, "3.6.0", "3.6.7", "downgrade? 3.6.7"],
    ["6.0.4", PG, "6.3.0", NO, "downgrade? 6.3.0"],
    // The upgrade to 6.4 or later was interrupted.
    ["5.37.10", PG, "5.37.0#1", NO, "downgrade? 6.4.0"],
    ["6.3.10", PG, "6.3.0#40", "6.3.10", "downgrade? 6.4.0"],
    ["6.4.0", PG, "6.4.0@7.8.15", "7.8.15", "downgrade?"],
    ["7.0.2", PG, "6.4.0@7.1.9", "7.1.9", "downgrade?"],
    ["7.1.0", PG, "8.0.0@8.0.4", "8.0.0", "downgrade?"],
    ["9.5.14", PG, "@11.3.3", NO, "downgrade?"],
    ["9.0.5", PG, "@9.5.0", NO, "downgrade?"],
    ["11.6.6", PG, "@11.9.0", "11.9.0", "downgrade?"],
    ["11.6.6", PG, "@13.4.0", NO, "downgrade?"],
    ["12.0.0", PG, "@13.4.0", NO, "downgrade?"],
    ["10.11.16", PG, "@10.11.23", "10.11.23", "downgrade?"],
    // The table of releases ended at 11.4, and took larger numbers for those of 11.3 and 11.4.
    ["11.3.3", PG, "@11.6.0", NO, "downgrade?"],
    ["11.6.0", PG, "@11.10.0", NO, "downgrade?"],
    // The number is smaller than the last one of 7.2, but 7.1.5 has others.
    ["7.2.1", PG, "@7.1.5", NO, "downgrade?"],
  ],
  "a newer release with the same migrations is no obstacle": [
    ["9.9.3", PG, "@9.10.3", "9.10.3", "same"],
    ["10.11.20", PG, "@10.11.23", "10.11.23", "same"],
    ["11.0.7", PG, "@10.11.16", NO, "same"],
  ],
  "the database counts where the VERSION file disagrees": [
    // The database was restored from a backup, a start failed after it wrote VERSION, or another
    // node with a volume of its own migrated the database.
    ["3.6.0", MY, "3.5.0", "3.6.0", "upgrade"],
    ["7.8.15", PG, "6.4.0@7.1.9", "7.8.15", "upgrade"],
    ["9.5.14", PG, "6.4.0@7.1.9", "9.5.14", "stops? 7.8.15 8.1.13 9.5.14"],
    ["5.37.10", MY, "3.6.0", "5.37.10", "stops! 5.31.9 5.37.10"],
    ["11.6.6", PG, "@11.6.0", "11.5.7", "same"],
    ["7.8.15", PG, "@11.3.3", "7.8.15", "downgrade?"],
    ["3.6.0", MY, "4.10.0", "3.6.0", "downgrade! 4.10.0"],
    ["11.7.9", PG, "@11.7.9", "2.0.0", "same"],
    ["3.6.0", MY, "3.6.0", "5.6.5", "same"],
  ],
  "MySQL is not supported from 11 on": [
    ["11.0.7", MY, "-", NO, "mysql-gone!"],
    [
      "11.7.9",
      MY,
      "3.6.0",
      "3.6.0",
      `mysql-gone! 5.31.9 ${FROM_5} 10.11.23 11.7.9`,
    ],
    ["11.7.9", MY, "@10.11.5", "10.11.5", "mysql-gone! 11.7.9"],
    ["11.0.7", MY, "@10.5.14", "10.5.14", "mysql-gone! 10.12.4 11.0.7"],
    ["11.7.0", MY, "@10.11.23", "10.11.23", "mysql-gone! 11.7.9"],
    [
      "11.7.9",
      MY,
      "@7.8.10",
      NO,
      "mysql-gone! 8.1.13 9.5.14 9.11.18 10.5.14 10.11.23 11.7.9",
    ],
    ["12.0.0", MY, "@10.5.14", NO, "mysql-gone! 10.11.23 11.7.9 12.0.0"],
  ],
  "the migrations of 10.11.17 and later collide with 11.x before 11.7.3": [
    ["11.7.2", PG, "@10.11.17", "10.11.17", "collision? 11.7.9"],
    ["11.7.2", PG, "@10.11.17", NO, "collision? 11.7.9"],
    ["11.6.0", PG, "@10.11.23", "11.6.0", "collision? 11.7.9"],
    ["11.0.7", PG, "@10.11.23", NO, "collision? 11.7.9"],
    ["11.1.3", PG, "@10.11.23", NO, "collision? 11.7.9"],
    // The documented way: these servers correct the numbers.
    ["11.7.3", PG, "@10.11.17", "10.11.17", "upgrade"],
    ["11.7.9", PG, "@10.11.23", "10.11.23", "upgrade"],
    ["11.7.9", PG, "@10.11.23", NO, "upgrade"],
    ["11.10.0", PG, "@10.11.23", NO, "upgrade"],
    ["11.7.2", PG, "@10.11.16", "10.11.16", "upgrade"],
    ["11.7.2", PG, "@10.12.4", "10.12.4", "upgrade"],
    ["11.7.2", PG, "@11.1.3", NO, "upgrade"],
    // The other way round.
    ["10.11.23", PG, "@11.1.3", NO, "collision?"],
    ["10.11.23", PG, "@11.6.0", NO, "downgrade?"],
    ["10.12.4", PG, "@10.11.17", NO, "downgrade?"],
  ],
};

function decide(row: Row, more: Partial<UpgradeFacts> = {}): Decision {
  const [target, adapter, database, versionFile] = row;
  return decideUpgrade({
    target,
    adapter,
    schema: schema(database),
    contained: containedIn(target),
    versionFile,
    ...more,
  });
}

for (const [rule, rows] of Object.entries(TABLE)) {
  Deno.test(`decideUpgrade(): ${rule}`, () => {
    for (const row of rows) {
      equal(short(decide(row)), row[4], row.slice(0, 4).join(" "));
    }
  });
}

const ROWS = Object.values(TABLE).flat();

Deno.test("MATTERMOST_FORCE_UPGRADE overrides every refusal that is advice, and no other", () => {
  for (const row of ROWS) {
    const [plain, forced] = [decide(row), decide(row, { force: true })];
    if (plain.allowed || !plain.isAdvice) {
      deepEqual(forced, plain);
    } else {
      ok(forced.allowed);
      equal(forced.kind, "forced");
      deepEqual(forced.notices.slice(0, -1), plain.notices);
      match(forced.notices.at(-1) ?? "", /^MATTERMOST_FORCE_UPGRADE overrides/);
    }
  }
});

Deno.test("every refusal names the target release, and its remedy every tag of the path", () => {
  for (const row of ROWS) {
    const decision = decide(row);
    if (decision.allowed) continue;
    const { problem, path, kind } = decision;
    ok(problem.subject !== "");
    ok(!problem.message.endsWith("."));
    ok(problem.remedy !== undefined);
    if (kind === "unknown") continue;
    ok(problem.message.includes(row[0]) || path.includes(row[0]), row.join());
    if (kind === "downgrade") continue;
    for (const tag of path) ok(problem.remedy.includes(tag), problem.remedy);
  }
});

Deno.test("the message of a refusal gives the reason, and the remedy the image tags", () => {
  const decision = decide(["5.37.10", "mysql", "3.6.0", "3.6.0", ""]);
  ok(!decision.allowed);
  deepEqual(decision.problem, {
    subject: "database",
    message:
      "The database was last migrated by Mattermost 3.6.0 and must be migrated by 5.31.9 before Mattermost 5.37.10 can start: later releases index a column that only 5.0 to 5.33 add, and fail in the middle of the migration",
    remedy:
      "Back up the database and the data directory; then run the image tags 5.31.9, 5.37.10 in this order, each until Mattermost answers",
  });
});

Deno.test("each kind of refusal names the previous release and the image tags to run", () => {
  const cases: readonly [Row, RegExp, RegExp][] = [
    [
      ["3.6.0", "mysql", "2.2.0T", undefined, ""],
      /: only Mattermost 3\.0\.0 to 3\.3\.0 can migrate it to 3\.0, and 3\.6\.0/,
      /run the image tags 3\.3\.0, 3\.6\.0 in this order/,
    ],
    [
      ["3.6.0", "mysql", "1.4.0T", undefined, ""],
      /: only a database of 2\.0\.0 to 2\.2\.0 can be migrated to 3\.0/,
      /run the image tags 2\.2\.0, 3\.3\.0, 3\.6\.0/,
    ],
    [
      ["4.10.10", "postgres", "5.37.0", undefined, ""],
      /was last migrated by Mattermost 5\.37\.x, but Mattermost 4\.10\.10 is older/,
      /^Run the image tag 5\.37\.0 or newer, or restore/,
    ],
    [
      ["6.3.10", "postgres", "6.3.0#40", undefined, ""],
      /has some of the migrations of Mattermost 6\.4\.0, but Mattermost 6\.3\.10 is older/,
      /^Run the image tag 6\.4\.0 or newer, or restore/,
    ],
    [
      ["7.0.2", "postgres", "6.4.0@7.1.9", "7.1.9", ""],
      /has migration 86 migration_86 and 9 more, which Mattermost 7\.0\.2 does not contain/,
      /^Run the image tag 7\.1\.9 or newer, or restore/,
    ],
    [
      ["9.0.5", "postgres", "@9.5.0", "9.0.5", ""],
      /has migration 112 migration_112 and 7 more, which Mattermost 9\.0\.5/,
      /^Run the image tag 9\.5\.0 or newer, or restore/,
    ],
    [
      ["11.8.5", "postgres", "@11.10.0", undefined, ""],
      /has migration 184 migration_184 and 17 more, which/,
      /^Run the image tag that ran last, or restore/,
    ],
    [
      ["10.5.14", "postgres", "@9.5.7", "9.5.7", ""],
      /^The database was last migrated by Mattermost 9\.5\.7 and must be migrated by 9\.11\.18 before/,
      /run the image tags 9\.11\.18, 10\.5\.14 in this order/,
    ],
    [
      ["10.5.14", "postgres", "@9.5.7", "10.5.14", ""],
      /^The database has the migrations of Mattermost 9\.5\.0 and must be migrated by/,
      /run the image tags 9\.11\.18, 10\.5\.14 in this order/,
    ],
    [
      ["11.7.2", "postgres", "@10.11.17", "10.11.17", ""],
      /by Mattermost 10\.11\.17, whose last migrations have numbers that Mattermost 11 uses for others: the migration to 11\.7\.2 would fail/,
      /run the image tag 11\.7\.9, which corrects the numbers/,
    ],
    [
      ["10.11.23", "postgres", "@11.1.3", undefined, ""],
      /has migration 142 migration_142 and 1 more, but migration 142 of Mattermost 10\.11\.23 is add_schemeid_to_roles, so its migration would fail/,
      /^Run the newest patch of the release that ran last/,
    ],
  ];
  for (const [row, message, remedy] of cases) {
    const decision = decide(row);
    ok(!decision.allowed);
    match(decision.problem.message, message);
    match(decision.problem.remedy ?? "", remedy);
  }
});

Deno.test("useless VERSION files are reported, and others are no reason for an alarm", () => {
  const notices = (row: Row): string => decide(row).notices.join("\n");
  match(
    notices(["11.7.9", "postgres", "-", "5.37.10", ""]),
    /holds no Mattermost tables and becomes a new installation/,
  );
  match(
    notices(["3.6.0", "mysql", "3.6.0", "rubbish", ""]),
    /does not name a release and is ignored/,
  );
  match(
    notices(["10.11.23", "mysql", "-", undefined, ""]),
    /does not support new installations on MySQL/,
  );
  match(
    notices(["10.11.23", "mysql", "-", "5.37.10", ""]),
    /holds no Mattermost tables.*\n.*installations on MySQL/,
  );
  for (const rows of Object.values(TABLE)) {
    for (const row of rows) {
      if (row[2] === "-" || row[3] === "rubbish") continue;
      equal(notices(row), "", row.join(" "));
    }
  }
});

Deno.test("a server whose migrations cannot be read is not refused, and the notice says what is missing", () => {
  for (const database of ["@11.7.9", "@13.4.0", "@10.11.0"]) {
    const decision = decide(["11.7.9", PG, database, NO, ""], {
      contained: undefined,
    });
    ok(decision.allowed);
    equal(decision.kind, "upgrade");
    equal(decision.pending, undefined);
    deepEqual(decision.notices, [
      "The migrations of Mattermost 11.7.9 could not be read from its program, so a database of a newer release is not recognised",
    ]);
  }
  const stops = decide(["11.7.9", PG, "@10.5.14", NO, ""], {
    contained: undefined,
  });
  equal(short(stops), "stops? 10.11.23 11.7.9");
  deepEqual(
    decide(["11.7.9", PG, "-", NO, ""], { contained: undefined }).notices,
    [],
  );
});

Deno.test("a permit counts the migrations that the server will apply", () => {
  const pending = (target: string, database: string): number | undefined => {
    const decision = decide([target, PG, database, NO, ""]);
    ok(decision.allowed);
    return decision.pending;
  };
  equal(pending("11.7.9", "@11.7.9"), 0);
  equal(pending("11.7.9", "@10.11.10"), 30);
  // Three are there already, under other numbers.
  equal(pending("11.7.9", "@10.11.23"), 27);
  equal(pending("6.4.3", "6.3.0"), 75);
  equal(pending("5.37.10", "5.31.0"), undefined);
});

Deno.test("migrations that were copied from MySQL get a message of their own", () => {
  const contained: readonly Migration[] = [
    { number: 91, name: "add_something" },
    { number: 92, name: "add_createat_to_teamembers" },
  ];
  const migrations = [
    { number: 91, name: "add_something" },
    { number: 92, name: "add_createat_to_teammembers" },
  ];
  const facts = { installed: true, usersHaveTeamId: false, migrations };
  const decision = decideUpgrade({
    target: "11.7.9",
    adapter: "postgres",
    schema: facts,
    contained,
  });
  ok(!decision.allowed);
  equal(short(decision), "collision?");
  match(
    decision.problem.message,
    /was copied from MySQL: migration 92 is add_createat_to_teammembers, and add_createat_to_teamembers on PostgreSQL/,
  );
});

Deno.test("a database version that the release does not support is refused", () => {
  const cases: readonly [string, "mysql" | "postgres", string, boolean][] = [
    ["11.7.9", "postgres", "13.14", false],
    ["11.7.9", "postgres", "14.0", true],
    ["10.6.6", "postgres", "12.9 (Debian 12.9-1)", false],
    ["8.0.4", "postgres", "10.23", false],
    ["7.10.5", "postgres", "9.6.24", false],
    ["5.31.9", "postgres", "9.4.1", true],
    ["9.5.14", "mysql", "5.7.44", false],
    ["9.4.5", "mysql", "5.7.12", true],
    ["6.0.4", "mysql", "5.6.49", false],
    ["9.5.14", "mysql", "10.11.6-MariaDB", true],
    ["11.7.9", "postgres", "unreadable", true],
  ];
  for (const [target, adapter, databaseVersion, allowed] of cases) {
    const decision = decideUpgrade({
      target,
      adapter,
      schema: schema("-"),
      databaseVersion,
      force: true,
    });
    equal(decision.allowed, allowed, `${target} ${databaseVersion}`);
    if (!decision.allowed) equal(short(decision), "database-too-old!");
  }
});

/** The newest patch of every release from 3.0 on. */
const PATCHES =
  `3.0.3 3.1.0 3.2.0 3.3.0 3.4.0 3.5.1 3.6.7 3.7.5 3.8.3 3.9.2 3.10.3 4.0.5 4.1.2 4.2.2 4.3.4 4.4.5 4.5.2 4.6.3 4.7.4 4.8.2 4.9.4 4.10.10 5.0.3 5.1.2 5.2.2 5.3.1 5.4.0 5.5.3 5.6.5 5.7.3 5.8.2 5.9.8 5.10.2 5.11.1 5.12.6 5.13.3 5.14.5 5.15.5 5.16.5 5.17.3 5.18.2 5.19.3 5.20.2 5.21.0 5.22.3 5.23.2 5.24.3 5.25.7 5.26.2 5.27.2 5.28.2 5.29.2 5.30.3 5.31.9 5.32.1 5.33.5 5.34.5 5.35.5 5.36.2 5.37.10 5.38.4 5.39.3 6.0.4 6.1.3 6.2.5 6.3.10 6.4.3 6.5.2 6.6.2 6.7.2 7.0.2 7.1.9 7.2.1 7.3.1 7.4.1 7.5.2 7.7.4 7.8.15 7.9.6 7.10.5 8.0.4 8.1.13 9.0.5 9.1.5 9.2.6 9.3.3 9.4.5 9.5.14 9.6.3 9.7.6 9.8.3 9.9.3 9.10.3 9.11.18 10.0.4 10.1.7 10.2.3 10.3.4 10.4.5 10.5.14 10.6.6 10.7.4 10.8.4 10.9.5 10.10.3 10.11.23 10.12.4 11.0.7 11.1.3 11.2.4 11.3.3 11.4.5 11.5.7 11.6.6 11.7.9 11.8.5 11.9.1 11.10.0`
    .split(/\s+/);

/** The decision of a release on the database of another one. */
function decideOn(
  from: string,
  target: string,
  versionFile?: string,
): Decision {
  return decideUpgrade({
    target,
    schema: schemaOf(from),
    contained: containedIn(target),
    adapter: PG,
    versionFile,
  });
}

Deno.test("no release is refused on its own database, with or without VERSION", () => {
  for (const target of PATCHES) {
    for (const versionFile of [undefined, target, "rubbish"]) {
      const decision = decideOn(target, target, versionFile);
      equal(decision.kind, "same", `${target} ${versionFile}`);
    }
  }
});

Deno.test("no release opens a database with migrations that it does not contain", () => {
  for (const from of PATCHES) {
    for (const target of PATCHES) {
      if (compareVersions(from, target) <= 0) continue;
      const decision = decideOn(from, target, from);
      const contained = migrationsOf(target);
      const isSubset = contained.length > 0 &&
        migrationsOf(from).every(({ name }) =>
          contained.some((one) => one.name === name)
        );
      equal(decision.allowed, isSubset, `${from} to ${target}`);
    }
  }
});

Deno.test("from 6.4 on, no decision depends on VERSION", () => {
  const some = PATCHES.filter((release, index) =>
    inRange(release, ">=6.4.0") && index % 3 === 0
  );
  const files = [...PATCHES.filter((_, index) => index % 5 === 0), "x", ""];
  const databases = [
    ...some.map((release) => schemaOf(release)),
    ...some.map((release) => schemaOf(release, "6.4.0")),
    schema("6.3.0#40"),
    schema("6.4.0"),
    schema("#40"),
  ];
  for (const database of databases) {
    for (const target of some) {
      for (const contained of [containedIn(target), undefined]) {
        for (const adapter of [PG, MY]) {
          const facts = { target, schema: database, contained, adapter };
          const without = decideUpgrade(facts);
          for (const versionFile of files) {
            const decision = decideUpgrade({ ...facts, versionFile });
            equal(short(decision), short(without), `${target} ${versionFile}`);
          }
        }
      }
    }
  }
});

Deno.test("every release on the path of a refusal is allowed after the one before it", () => {
  const some = [
    ...PATCHES.filter((_, index) => index % 4 === 0),
    "10.12.4",
    "11.7.2",
  ];
  for (const from of some) {
    for (const target of some) {
      const first = decideOn(from, target, from);
      if (first.allowed || first.kind !== "stops") continue;
      let at = from;
      for (const stop of first.path) {
        const leg = decideOn(at, stop, at);
        // The last patch of a stop may have more migrations than the target: 7.1.9 and 7.2.1.
        ok(
          leg.allowed ||
            stop === target && leg.kind === "downgrade" && leg.isAdvice,
          `${from} to ${target}: ${at} to ${stop}`,
        );
        at = stop;
      }
      equal(at, target);
    }
  }
});

Deno.test("decideUpgrade() throws for a release that is not supported", () => {
  throws(() => decide(["2.2.0", "mysql", "-", undefined, ""]), EntrypointError);
});

Deno.test("the log names the release before and after", () => {
  const cases: readonly [...Parameters<typeof change>, string | undefined][] = [
    [
      "11.7.9",
      "@10.11.23",
      "10.11.23",
      "10.11.23 to 11.7.9, which brings 27 migrations",
    ],
    [
      "11.7.9",
      "@10.11.23",
      NO,
      "10.11.17 or later to 11.7.9, which brings 27 migrations",
    ],
    [
      "11.7.9",
      "@11.7.9",
      "11.7.8\n",
      "11.7.8 to 11.7.9, which needs no migration of the database",
    ],
    ["5.37.10", "5.31.0", "5.31.9", "5.31.9 to 5.37.10"],
    ["5.37.10", "5.31.0", NO, "5.31.0 or later to 5.37.10"],
    ["11.7.9", "@11.7.9", "11.7.9", undefined],
    ["11.7.9", "@11.7.9", NO, undefined],
    ["11.7.9", "-", NO, undefined],
    ["11.7.9", "@11.10.0", "11.10.0", undefined],
  ];
  for (const [target, database, versionFile, expected] of cases) {
    equal(
      change(target, database, versionFile).change,
      expected && `Upgrading from Mattermost ${expected}`,
    );
  }
});

Deno.test("an upgrade with migrations reminds of a backup, any other start does not", () => {
  const starts: readonly Parameters<typeof change>[] = [
    ["11.7.9", "@10.11.23", "10.11.23"],
    ["5.37.10", "5.31.0", NO],
    ["11.7.9", "@11.7.9", "11.7.8\n"],
    ["11.7.9", "@11.7.9", "11.7.9"],
    ["11.7.9", "-", NO],
  ];
  const reminders = starts.map((start) => change(...start).reminder?.message);
  const lead = "Only a backup from before these migrations leads back to";
  deepEqual(reminders, [
    `${lead} Mattermost 10.11.23`,
    `${lead} Mattermost 5.31.0 or later`,
    ...new Array(3).fill(undefined),
  ]);
});

Deno.test("the remedy of that reminder is the backup for the product of the database", () => {
  const upgrade = ["5.37.10", "5.31.0", NO] as const;
  match(change(...upgrade).reminder?.remedy ?? "", /backup\.sh create/);
  const mysql = changeOn(MY, ...upgrade).reminder?.remedy ?? "";
  match(mysql, /samples\/mysql\/README\.md/);
  ok(!mysql.includes("backup.sh"));
});

function change(
  target: string,
  database: string,
  versionFile: string | undefined,
): Partial<Permit> {
  return changeOn(PG, target, database, versionFile);
}

function changeOn(
  adapter: "mysql" | "postgres",
  target: string,
  database: string,
  versionFile: string | undefined,
): Partial<Permit> {
  const decision = decideUpgrade({
    target,
    adapter,
    schema: schema(database),
    contained: containedIn(target),
    versionFile,
    force: true,
  });
  return decision.allowed ? decision : {};
}
