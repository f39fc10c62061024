import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import type { SchemaFacts } from "../../../lib/database/session.ts";
import { shippedMigration } from "../../../lib/mattermost/migrations.ts";
import {
  decideUpgrade,
  type Decision,
  type UpgradeFacts,
} from "../../../lib/upgrade/decision.ts";
import { compareVersions, inRange } from "../../../lib/release_range.ts";

/**
 * Parses the notation of a database: `-` is empty, `tables` has Mattermost's tables and no
 * version, `3.6.0` is Systems.Version, `#113` the last migration, and a final `T` means
 * that the table Users has the column TeamId.
 */
function schema(text: string): SchemaFacts {
  if (text === "-") return { installed: false, usersHaveTeamId: false };
  if (text === "tables") return { installed: true, usersHaveTeamId: false };
  const match = /^([^#T]*)(?:#(\d+))?(T)?$/.exec(text);
  ok(match, text);
  const [, systemsVersion, migration, team] = match;
  return {
    installed: true,
    ...(systemsVersion ? { systemsVersion } : {}),
    ...(migration ? { lastMigration: Number(migration) } : {}),
    usersHaveTeamId: team !== undefined,
  };
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
    ["9.11.18", PG, "#40", "9.11.18", "same"],
    ["3.6.0", MY, "tables", "3.6.0", "same"],
  ],
  "tables without any version are refused": [
    ["3.6.0", MY, "tables", NO, "unknown?"],
    ["3.6.0", MY, "tables", "rubbish", "unknown?"],
    ["3.6.0", MY, "rubbish", NO, "unknown?"],
    ["9.11.18", PG, "tables", NO, "unknown?"],
    ["5.37.10", PG, "#1", NO, "unknown?"],
    ["6.3.10", PG, "#40", NO, "unknown?"],
  ],
  "the same release starts, with or without a VERSION file": [
    ["3.6.0", MY, "3.6.0", "3.6.0", "same"],
    ["3.6.0", MY, "3.6.0", NO, "same"],
    ["3.6.7", MY, "3.6.0", NO, "same"],
    ["3.6.0", MY, "3.6.5", NO, "same"],
    ["5.37.0-rc1", PG, "5.37.0", NO, "same"],
    ["6.4.3", PG, "#75", NO, "same"],
    ["7.8.15", PG, "6.4.0", "7.8.15", "same"],
    ["5.37.10", PG, "5.37.0#1", NO, "same"],
    ["5.37.10", PG, "5.37.0", "5.37.10\n", "same"],
    ["6.3.10", PG, "6.3.0#3", "6.3.10", "same"],
    ["7.8.15", PG, "6.4.0#113", "7.8.15", "same"],
    ["7.8.15", PG, "6.4.0#113", NO, "same"],
    ["9.2.6", MY, "#113", NO, "same"],
    ["9.5.14", PG, "#124", "9.5.14", "same"],
    ["9.5.14", PG, "#124", NO, "same"],
    ["10.11.23", PG, "#144", "10.11.23", "same"],
    ["11.1.3", PG, "#143", NO, "same"],
    ["11.10.0", PG, "#170", "11.10.0", "same"],
    ["11.10.0", PG, "#170", NO, "same"],
    ["11.7.9", PG, "#160", "rubbish", "same"],
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
    ["7.1.9", MY, "5.37.0", "5.37.10", "upgrade"],
    ["7.1.9", MY, "5.39.0#1", NO, "upgrade"],
    ["7.8.15", PG, "6.4.0#95", "7.1.9", "upgrade"],
    ["8.1.13", PG, "6.4.0#113", "7.8.15", "upgrade"],
    ["9.10.3", PG, "#113", "9.2.6", "upgrade"],
    ["10.6.6", PG, "#128", "10.4.5", "upgrade"],
    ["11.7.9", PG, "#144", "10.11.23", "upgrade"],
    ["11.7.9", PG, "#141", "10.11.0", "upgrade"],
    ["11.10.0", PG, "#160", "11.7.9", "upgrade"],
    ["11.0.7", PG, "#141", "10.11.10", "upgrade"],
    ["6.5.2", PG, "6.5.0", "6.5.0", "upgrade"],
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
    ["7.8.15", PG, "6.4.0#82", "6.7.2", "stops? 7.1.9 7.8.15"],
    ["8.1.13", PG, "6.4.0#95", "7.1.9", "stops? 7.8.15 8.1.13"],
    ["9.5.14", PG, "#107", "7.8.10", "stops? 8.1.13 9.5.14"],
    ["9.11.18", PG, "#113", "8.1.13", "stops? 9.5.14 9.11.18"],
    ["10.5.14", PG, "#122", "9.5.7", "stops? 9.11.18 10.5.14"],
    ["10.11.23", PG, "#124", "9.11.18", "stops? 10.5.14 10.11.23"],
    ["11.7.9", PG, "#129", "10.5.14", "stops? 10.11.23 11.7.9"],
    ["11.7.2", PG, "#129", "10.5.14", "stops? 10.12.4 11.7.2"],
    ["12.0.0", PG, "#148", "11.3.3", "stops? 11.7.9 12.0.0"],
    // 7.8.11 to 9.2.6 end at 113: advice is not given where the release is uncertain.
    ["9.5.14", PG, "#113", NO, "upgrade"],
    ["10.5.14", PG, "#113", NO, "stops? 9.5.14 9.11.18 10.5.14"],
  ],
  "a downgrade that the server itself refuses cannot be forced": [
    ["3.4.0", MY, "3.6.0", NO, "downgrade! 3.6.0"],
    ["3.0.3", MY, "3.3.0", NO, "downgrade! 3.3.0"],
    ["5.10.2", PG, "5.37.0", "5.37.10", "downgrade! 5.37.10"],
    ["4.10.10", PG, "5.0.0", NO, "downgrade! 5.0.0"],
    ["5.39.3", PG, "6.3.0#3", NO, "downgrade! 6.3.0"],
    ["5.37.10", PG, "6.4.0#113", "7.8.15", "downgrade! 7.8.15"],
    ["6.3.10", PG, "6.4.0#113", "7.8.15", "downgrade! 7.8.15"],
    ["6.7.2", PG, "7.0.0#85", NO, "downgrade! 7.0.2"],
    ["7.0.2", PG, "8.0.0#109", "8.0.0", "downgrade! 8.0.0"],
    ["3.6.0", MY, "tables", "5.37.10", "downgrade! 5.37.10"],
    ["6.3.10", PG, "#148", NO, "downgrade! 11.4.0"],
    ["3.6.0", PG, "#148", "11.4.0", "downgrade! 11.4.0"],
  ],
  "the refusal of any other downgrade is advice": [
    ["5.11.0", PG, "5.37.0", "5.37.10", "downgrade? 5.37.10"],
    ["6.4.0", PG, "6.4.0#113", "7.8.15", "downgrade? 7.8.15"],
    ["7.1.0", PG, "8.0.0#109", "8.0.0", "downgrade? 8.0.0"],
    ["3.6.0", MY, "3.6.0", "3.6.7", "downgrade? 3.6.7"],
    ["6.0.4", PG, "6.3.0#3", NO, "downgrade? 6.3.0"],
    ["7.0.2", PG, "6.4.0#95", "7.1.9", "downgrade? 7.1.9"],
    ["9.5.14", PG, "#148", NO, "downgrade? 11.4.0"],
    ["9.0.5", PG, "#119", NO, "downgrade? 9.7.6"],
    ["11.6.6", PG, "#170", "11.9.0", "downgrade? 11.9.0"],
    ["10.11.20", PG, "#144", "10.11.23", "downgrade? 10.11.23"],
    ["11.7.0", PG, "#160", "11.7.9", "downgrade? 11.7.9"],
  ],
  "a migration that patches may have backported is not a downgrade": [
    // 7.1.5 and later end at 95, as 7.4.1 does.
    ["7.2.1", PG, "#95", NO, "upgrade"],
    ["6.6.0", PG, "#80", NO, "upgrade"],
    ["7.8.15", PG, "#113", "7.8.15", "same"],
    ["10.5.14", PG, "#136", NO, "same"],
    ["10.11.23", PG, "#143", NO, "same"],
    ["11.4.5", PG, "#155", NO, "same"],
  ],
  "the database counts where the VERSION file disagrees": [
    // The database was restored from a backup, or a start failed after it wrote VERSION.
    ["3.6.0", MY, "3.5.0", "3.6.0", "upgrade"],
    ["7.8.15", PG, "6.4.0#95", "7.8.15", "upgrade"],
    ["9.5.14", PG, "6.4.0#95", "9.5.14", "stops? 7.8.15 8.1.13 9.5.14"],
    ["5.37.10", MY, "3.6.0", "5.37.10", "stops! 5.31.9 5.37.10"],
    // The file comes from another installation, or is older than the database.
    ["7.8.15", PG, "#148", "7.8.15", "downgrade? 11.4.0"],
    ["3.6.0", MY, "4.10.0", "3.6.0", "downgrade! 4.10.0"],
    ["11.7.9", PG, "#160", "2.0.0", "same"],
    ["3.6.0", MY, "3.6.0", "5.6.5", "same"],
    ["6.4.3", PG, "6.3.0", "6.4.3", "upgrade"],
    ["6.5.2", PG, "6.5.0", "6.4.0", "same"],
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
    ["11.7.9", MY, "#141", "10.11.5", "mysql-gone! 11.7.9"],
    ["11.0.7", MY, "#129", "10.5.14", "mysql-gone! 10.12.4 11.0.7"],
    ["11.7.0", MY, "#144", "10.11.23", "mysql-gone! 11.7.9"],
    // 7.8.11 to 9.2.6 end at 113: the path from the oldest of them is safe for all.
    [
      "11.7.9",
      MY,
      "#113",
      NO,
      "mysql-gone! 8.1.13 9.5.14 9.11.18 10.5.14 10.11.23 11.7.9",
    ],
    ["12.0.0", MY, "#129", "10.5.14", "mysql-gone! 10.11.23 11.7.9 12.0.0"],
  ],
  "the migrations of 10.11.17 and later collide with 11.x before 11.7.3": [
    ["11.7.2", PG, "#144", "10.11.17", "collision! 11.7.9"],
    ["11.0.7", PG, "#144", "10.11.23", "collision! 11.7.9"],
    ["11.7.3", PG, "#144", "10.11.17", "upgrade"],
    ["11.7.2", PG, "#141", "10.11.16", "upgrade"],
    ["11.0.0", PG, "#144", "10.11.17", "collision! 11.7.9"],
    ["11.7.2", PG, "#143", NO, "collision? 11.7.9"],
    ["11.7.2", PG, "#144", NO, "collision? 11.7.9"],
    ["11.7.2", PG, "#141", NO, "upgrade"],
    ["11.7.2", PG, "#145", NO, "upgrade"],
    // 10.12 never got the migrations that 10.11.17 took from 11.x.
    ["11.7.2", PG, "#141", "10.12.4", "upgrade"],
    ["11.0.7", PG, "#141", "10.12.0", "upgrade"],
    ["10.12.4", PG, "#144", "10.11.17", "upgrade"],
    ["11.0.7", PG, "#142", NO, "collision? 11.7.9"],
    ["11.7.2", PG, "#143", "11.1.3", "upgrade"],
    ["11.7.9", PG, "#143", NO, "upgrade"],
  ],
};

function decide(row: Row, more: Partial<UpgradeFacts> = {}): Decision {
  const [target, adapter, database, versionFile] = row;
  return decideUpgrade({
    target,
    adapter,
    schema: schema(database),
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
      ["7.0.2", "postgres", "6.4.0#95", "7.1.9", ""],
      /by Mattermost 7\.1\.9, but Mattermost 7\.0\.2 is older/,
      /^Run the image tag 7\.1\.9, or restore/,
    ],
    [
      ["9.0.5", "postgres", "#119", undefined, ""],
      /by Mattermost 9\.5\.0 to 9\.7\.6, but /,
      /^Run the image tag 9\.5\.0 or newer, or restore/,
    ],
    [
      ["11.7.2", "postgres", "#144", "10.11.17", ""],
      /by Mattermost 10\.11\.17: Mattermost 11\.7\.2 has other migrations with/,
      /run the image tag 11\.7\.9/,
    ],
    [
      ["11.7.2", "postgres", "#142", undefined, ""],
      /is number 142, which comes from 11\.1, or from 10\.11\.17/,
      /run the image tag 11\.7\.9/,
    ],
  ];
  for (const [row, message, remedy] of cases) {
    const decision = decide(row);
    ok(!decision.allowed);
    match(decision.problem.message, message);
    match(decision.problem.remedy ?? "", remedy);
  }
});

Deno.test("version sources that disagree and useless VERSION files are reported", () => {
  const notices = (row: Row): string => decide(row).notices.join("\n");
  match(
    notices(["3.6.0", "mysql", "3.5.0", "3.6.0", ""]),
    /data\/VERSION names Mattermost 3\.6\.0, but .* by Mattermost 3\.5\.x according to Systems\.Version/,
  );
  match(
    notices(["7.8.15", "postgres", "#95", "7.8.15", ""]),
    /by Mattermost 7\.1\.5 to 7\.5\.2 according to db_migrations, and the database counts/,
  );
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
  // Refusals have notices too.
  match(
    notices(["5.37.10", "mysql", "3.6.0", "5.37.10", ""]),
    /data\/VERSION names Mattermost 5\.37\.10/,
  );
  match(
    notices(["10.11.23", "mysql", "-", "5.37.10", ""]),
    /holds no Mattermost tables.*\n.*installations on MySQL/,
  );
  equal(notices(["10.11.23", "mysql", "#144", "10.11.23", ""]), "");
  equal(notices(["9.11.18", "mysql", "-", undefined, ""]), "");
  equal(notices(["10.11.23", "postgres", "-", "rubbish", ""]), "");
  equal(notices(["3.6.0", "mysql", "3.6.0", "3.6.0", ""]), "");
  equal(notices(["3.6.0", "mysql", "3.6.0", "", ""]), "");
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

/** What a release leaves in its database. */
function schemaOf(release: string): SchemaFacts {
  const [major, minor] = release.split(".");
  const last = shippedMigration(release)?.last;
  return {
    installed: true,
    usersHaveTeamId: false,
    ...(inRange(release, "<7.1.0")
      ? { systemsVersion: `${major}.${minor}.0` }
      : {}),
    ...(last === undefined ? {} : { lastMigration: last }),
  };
}

Deno.test("no release is refused on its own database, with or without VERSION", () => {
  for (const target of PATCHES) {
    const facts = { target, schema: schemaOf(target), adapter: PG } as const;
    for (const versionFile of [undefined, target, "rubbish"]) {
      const decision = decideUpgrade({ ...facts, versionFile });
      ok(decision.allowed, `${target} ${versionFile}: ${short(decision)}`);
    }
    equal(decideUpgrade({ ...facts, versionFile: target }).kind, "same");
  }
});

Deno.test("no release opens the database of a newer release that VERSION names", () => {
  for (const from of PATCHES) {
    for (const target of PATCHES) {
      if (compareVersions(from, target) <= 0) continue;
      const decision = decideUpgrade({
        target,
        schema: schemaOf(from),
        adapter: PG,
        versionFile: from,
      });
      ok(!decision.allowed, `${from} to ${target}`);
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
      const first = decideUpgrade({
        target,
        schema: schemaOf(from),
        adapter: PG,
        versionFile: from,
      });
      if (first.allowed || first.kind !== "stops") continue;
      let at = from;
      for (const stop of first.path) {
        const leg = decideUpgrade({
          target: stop,
          schema: schemaOf(at),
          adapter: PG,
          versionFile: at,
        });
        ok(leg.allowed, `${from} to ${target}: ${at} to ${stop}`);
        at = stop;
      }
      equal(at, target);
    }
  }
});

Deno.test("decideUpgrade() throws for a release that is not supported", () => {
  throws(() => decide(["2.2.0", "mysql", "-", undefined, ""]), EntrypointError);
});
