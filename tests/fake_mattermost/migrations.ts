/**
 * The names of migrations that the binary of a release contains.
 *
 * @module
 */

import { inRange } from "../../lib/release_range.ts";
import { latest, readTable } from "./recorded.ts";

/** The migrations of the configuration store, which are no migrations of `db_migrations`. */
const OF_CONFIGURATIONS = [
  "000001_create_configurations",
  "000002_create_configuration_files",
  "000003_update_configurations_sha",
];

/** What no program takes for text. */
const NOISE = "\0\x01\xff\xfe\0";

/** Migrations without a name on record get an invented one. */
const RECORDED_UNTIL = 159;

/**
 * Returns the names of a release's migrations.
 *
 * @param version The release; before 6.4 there are at most three, with other meanings.
 * @param driver The database.
 * @returns Number and name, such as `000001_create_teams`; empty if it does not support the database.
 */
export async function migrationsOf(
  version: string,
  driver: "postgres" | "mysql",
): Promise<readonly string[]> {
  if (inRange(version, "<5.34.0")) return [];
  if (inRange(version, "<6.4.0")) {
    return [
      "000001_create_teams",
      "000002_create_team_members",
      "000003_another_than_of_6_4",
    ].slice(
      0,
      inRange(version, "<6.0.0") ? 1 : inRange(version, "<6.1.0") ? 2 : 3,
    );
  }
  if (driver === "mysql" && inRange(version, ">=11.0.0")) return [];
  const ends = new Map(
    (await readTable("last_migrations.tsv")).map(([release = "", last]) =>
      [release, Number(last)] as const
    ),
  );
  const last = ends.get(latest([...ends.keys()], version)) ?? 0;
  const named = (await readTable("migrations.txt")).map(([name = ""]) => name);
  for (let number = RECORDED_UNTIL + 1; number <= last; number++) {
    named.push(`${padded(number)}_invented_${number}`);
  }
  return named
    .filter((name) => numberOf(name) <= last)
    .filter((name) => version !== "6.7.0" || numberOf(name) !== 81)
    .map((name) => {
      // 10.11.17 and later have 156 to 158 of 11.x as 142 to 144.
      return inRange(version, "<11.0.0") && numberOf(name) > 141
        ? padded(numberOf(name)) +
          named.find((other) => numberOf(other) === numberOf(name) + 14)
            ?.slice(6)
        : driver === "mysql" && numberOf(name) === 92
        ? name.replace("teamembers", "teammembers")
        : name;
    });
}

/**
 * Returns a piece of a release's binary.
 *
 * @param version The release.
 * @returns The names as the Go compiler leaves them: up and down, some without a gap, and noise.
 */
export async function binaryPiece(version: string): Promise<string> {
  const prefix = inRange(version, "<6.6.0") ? "" : "migrations/";
  const pieces: string[] = [];
  for (const driver of ["mysql", "postgres"] as const) {
    const names = [
      ...inRange(version, ">=6.6.0") ? OF_CONFIGURATIONS : [],
      ...await migrationsOf(version, driver),
    ];
    names.forEach((name, index) => {
      const path = `${prefix}${driver}/${name}`;
      pieces.push(`${path}.down.sql`, `${path}.up.sql`);
      if (index % 3 === 0) pieces.push(NOISE);
    });
  }
  return pieces.join("");
}

function numberOf(name: string): number {
  return Number(name.slice(0, 6));
}

function padded(number: number): string {
  return String(number).padStart(6, "0");
}
