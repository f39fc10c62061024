/**
 * What each release of the server needs and does, as data.
 *
 * A fact is a list of rows, a range of releases and what is true in it; the
 * first row that fits answers. To add a fact: a field in {@linkcode Release}
 * with its meaning, a list of rows, a line in {@linkcode releaseFacts}. Where a
 * release could not be verified the row holds what is safe on both sides, and
 * says so. Paths of settings live in the catalogue, not here.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";
import type { Adapter } from "../settings/adapter.ts";
import { formatVersion, inRange, parseVersion } from "../release_range.ts";

/** How a release migrates its database, besides doing it when it starts. */
export type Migration = "db migrate" | "-upgrade_db_30" | "none";

/** A request that tells whether the server is well. */
export interface HealthEndpoint {
  /** Path and query, below the sub-path of the site. */
  readonly path: string;
  /** Text that the reply holds when all is well, besides the status 200. */
  readonly contains: string | undefined;
}

/** A database product as a release accepts it. */
export interface DatabaseFacts {
  /** Oldest version that the server starts on, as people write it; `undefined` where it does not look. */
  readonly minimum: string | undefined;
  /** The same in the unit that the product counts in, see {@linkcode databaseNumber}; 0 where it does not look. */
  readonly minimumNumber: number;
  /** Whether the release is meant for new installations on this product. */
  readonly newInstallations: boolean;
}

/**
 * What `LogSettings.FileLocation` is: the file itself, a directory that has to
 * end in a slash (it is joined by concatenation), or a directory.
 */
export type LogLocation = "file" | "directory with slash" | "directory";

/** When the server rewrites its config.json at start; from `incomplete` on an unwritable file stops it. */
export type ConfigWrites = "best effort" | "incomplete" | "always";

/** Which keys `MM_SECTION_KEY` variables override: none, those that config.json holds, or all. */
export type EnvironmentOverrides = "none" | "present keys" | "all keys";

/** All that the entrypoint knows of one release. */
export interface Release {
  /** The release, `major.minor.patch` and perhaps a candidate's suffix. */
  readonly version: string;
  /** Something to tell the operator: the release is newer than those known. */
  readonly warning: string | undefined;
  /** The server's program, relative to its home. */
  readonly binary: string;
  /** How the database is migrated apart from a start. */
  readonly migration: Migration;
  /** Whether `version` works without configuration and database; before, it migrates the database. */
  readonly offlineVersion: boolean;
  /** Tells whether the server answers; touches no database. */
  readonly liveness: HealthEndpoint;
  /** Tells whether the server can serve, its database included where the release can tell. */
  readonly readiness: HealthEndpoint;
  /** The products that the release accepts; `undefined` for one that it does not. */
  readonly databases: {
    readonly mysql: DatabaseFacts | undefined;
    readonly postgres: DatabaseFacts;
  };
  /** The adapter where the operator names none. */
  readonly defaultAdapter: Adapter;
  /** What `LogSettings.FileLocation` is. */
  readonly logLocation: LogLocation;
  /** Whether a JSON text is refused where a flag or a number belongs. */
  readonly strictTypes: boolean;
  /** When the server rewrites its config.json at start. */
  readonly configWrites: ConfigWrites;
  /** Whether the server ends when it cannot listen; otherwise it stays alive and deaf. */
  readonly failsOnListenError: boolean;
  /** Which keys `MM_SECTION_KEY` variables override. */
  readonly environmentOverrides: EnvironmentOverrides;
  /** Whether the server knows plugins. */
  readonly plugins: boolean;
  /** Directories below the home that the server's user must be able to write, created where missing. */
  readonly writableDirectories: readonly string[];
}

/** The releases that the entrypoint knows, as a range. */
const KNOWN_RELEASES = ">=3.0.0 <12.0.0";

type Rows<T> = readonly (readonly [range: string, fact: T])[];

const ANY = ">=0.0.0";

// bin/platform of 5.0-5.36 is a stub that starts bin/mattermost with an empty
// environment, so that all MM_ variables are lost.
const BINARY: Rows<string> = [
  ["<5.0.0", "bin/platform"],
  [ANY, "bin/mattermost"],
];

// -upgrade_db_30 of 3.4 and 3.5 does nothing and exits 0; 3.6 refuses it.
const MIGRATION: Rows<Migration> = [
  ["<3.4.0", "-upgrade_db_30"],
  ["<6.5.0", "none"],
  [ANY, "db migrate"],
];

const LIVENESS: Rows<HealthEndpoint> = [
  ["<3.1.0", { path: "/", contains: undefined }],
  ["<3.7.0", { path: "/api/v3/general/ping", contains: '"version"' }],
  [ANY, { path: "/api/v4/system/ping", contains: '"status":"OK"' }],
];

// From 9.3 on the value must be exactly "true"; before, anything but nothing.
const READINESS: Rows<HealthEndpoint> = [
  [">=5.14.0", {
    path: "/api/v4/system/ping?get_server_status=true",
    contains: '"status":"OK"',
  }],
  ...LIVENESS,
];

const MYSQL_MINIMUM: Rows<string | undefined> = [
  ["<6.0.0", undefined],
  ["<9.5.0", "5.7.12"],
  [ANY, "8.0.0"],
];

const POSTGRES_MINIMUM: Rows<string | undefined> = [
  ["<5.32.0", undefined],
  ["<8.0.0", "10.0"],
  ["<10.6.0", "11.0"],
  ["<11.0.0", "13.0"],
  [ANY, "14.0"],
];

const LOG_LOCATION: Rows<LogLocation> = [
  ["<3.8.0", "file"],
  ["<4.2.0", "directory with slash"],
  [ANY, "directory"],
];

const CONFIG_WRITES: Rows<ConfigWrites> = [
  ["<5.10.0", "best effort"],
  ["<5.30.0", "incomplete"],
  [ANY, "always"],
];

// The source of 4.10 takes all keys, only 5.0 was run.
const ENVIRONMENT_OVERRIDES: Rows<EnvironmentOverrides> = [
  ["<3.8.0", "none"],
  ["<4.10.0", "present keys"],
  [ANY, "all keys"],
];

const WRITABLE_DIRECTORIES: Rows<readonly string[]> = [
  ["<4.2.0", ["config", "data", "logs"]],
  ["<4.4.4", ["config", "data", "logs", "plugins"]],
  [ANY, ["config", "data", "logs", "plugins", "client/plugins"]],
];

/**
 * All that is known of a release. One that is newer than those known is taken
 * for the newest, with a warning.
 *
 * @param version The release, as {@linkcode parseVersion} reads it.
 * @returns The facts.
 * @throws {EntrypointError} with code 78 when the text is no release, or an unsupported one.
 */
export function releaseFacts(version: string): Release {
  const known = KNOWN.get(version) ?? findFacts(version);
  KNOWN.set(version, known);
  return known;
}

/** One release is asked for again and again. */
const KNOWN = new Map<string, Release>();

function findFacts(version: string): Release {
  const parsed = parseVersion(version);
  if (parsed === undefined) {
    throw unsupported(
      `Cannot tell the release of the server from "${version}"`,
    );
  }
  if (inRange(parsed, "<3.0.0")) {
    throw unsupported(
      `Mattermost ${formatVersion(parsed)} is not supported`,
    );
  }
  const fits = (range: string): boolean => inRange(parsed, range);
  const pick = <T>(rows: Rows<T>): T => pickRow(rows, fits);
  return {
    version: formatVersion(parsed),
    warning: fits(KNOWN_RELEASES)
      ? undefined
      : `Mattermost ${
        formatVersion(parsed)
      } is newer than the releases that this entrypoint knows (3.0 to 11.x), it is treated like the newest of them`,
    binary: pick(BINARY),
    migration: pick(MIGRATION),
    offlineVersion: fits(">=6.5.0"),
    liveness: pick(LIVENESS),
    readiness: pick(READINESS),
    databases: {
      mysql: fits("<11.0.0")
        ? databaseFacts("mysql", pick(MYSQL_MINIMUM), fits("<10.0.0"))
        : undefined,
      postgres: databaseFacts("postgres", pick(POSTGRES_MINIMUM), true),
    },
    defaultAdapter: fits("<11.0.0") ? "mysql" : "postgres",
    logLocation: pick(LOG_LOCATION),
    strictTypes: fits("<3.8.0 || >=5.30.0"),
    configWrites: pick(CONFIG_WRITES),
    // 4.1-5.36 were not run: taken for deaf, which only means that the port is
    // looked at before.
    failsOnListenError: fits(">=5.37.0"),
    environmentOverrides: pick(ENVIRONMENT_OVERRIDES),
    plugins: fits(">=4.2.0"),
    writableDirectories: pick(WRITABLE_DIRECTORIES),
  };
}

/** Where the server and its configuration are. */
export interface ServerPaths {
  /** The server's home, absolute. */
  readonly home: string;
  /** Its config.json, absolute: relative names are searched in several places. */
  readonly config: string;
}

/**
 * The command that starts the server. `BINARY --config PATH` is the one form
 * that all releases from 3.0 on understand; the subcommand `server` is not:
 * 3.6.1-3.7.6 ignore its `--config` silently.
 *
 * @param release The release.
 * @param paths Where it is.
 * @returns Program and arguments.
 */
export function serverCommand(
  release: Release,
  paths: ServerPaths,
): readonly [string, ...string[]] {
  return [`${paths.home}/${release.binary}`, "--config", paths.config];
}

/**
 * The command that migrates the database. The migration to 3.0 reads two lines:
 * `YES`, and the name of the primary team.
 *
 * @param release The release.
 * @param paths Where it is.
 * @returns Program and arguments, `undefined` for a release that migrates only when it starts.
 */
export function migrationCommand(
  release: Release,
  paths: ServerPaths,
): readonly [string, ...string[]] | undefined {
  const program = `${paths.home}/${release.binary}`;
  switch (release.migration) {
    case "db migrate":
      return [program, "db", "migrate", "--config", paths.config];
    case "-upgrade_db_30":
      return [program, "--config", paths.config, "-upgrade_db_30"];
    case "none":
      return undefined;
  }
}

/**
 * The command that prints `Version: X.Y.Z` and touches nothing.
 *
 * @param release The release.
 * @param paths Where it is.
 * @returns Program and arguments, `undefined` for a release whose `version` migrates the database.
 */
export function versionCommand(
  release: Release,
  paths: Pick<ServerPaths, "home">,
): readonly [string, ...string[]] | undefined {
  return release.offlineVersion
    ? [`${paths.home}/${release.binary}`, "version"]
    : undefined;
}

/**
 * Variables that the server reads and that are no settings.
 *
 * @param release The release.
 * @param logDirectory The directory of the log files, absolute.
 * @returns Names and values to hand over, unless the operator set them.
 */
export function serverEnvironment(
  release: Release,
  logDirectory: string,
): Readonly<Record<string, string>> {
  return {
    // 10.11.11 and later of 10.11, and 11.2 and later, refuse log files outside of it. Which
    // patches of 11.2 and 11.3 do is not known; it does no harm where it is not read.
    ...(inRange(release.version, ">=10.11.0")
      ? { MM_LOG_PATH: logDirectory }
      : {}),
    ...(inRange(release.version, ">=11.2.0")
      ? { MM_INSTALL_TYPE: "docker" }
      : {}),
  };
}

/**
 * The value of `LogSettings.FileLocation` for a log directory.
 *
 * @param release The release.
 * @param logDirectory The directory of the log files, absolute.
 * @returns The file in it, or the directory, as the release wants it.
 */
export function logFileLocation(
  release: Release,
  logDirectory: string,
): string {
  const directory = logDirectory.replace(/\/+$/, "");
  switch (release.logLocation) {
    case "file":
      return `${directory}/mattermost.log`;
    case "directory with slash":
      return `${directory}/`;
    case "directory":
      return directory === "" ? "/" : directory;
  }
}

/**
 * A database product's version in the unit that it counts in itself:
 * `server_version_num` of PostgreSQL (15.4 is 150004, 9.6.24 is 90624), and
 * major · 1000 + minor · 100 + patch for MySQL (5.7.12 is 5712), which is how
 * the server compares them.
 *
 * @param adapter The product.
 * @param text What the database says of itself: `15.4 (Debian 15.4-2)`, `8.0.36`, `10.11.6-MariaDB`.
 * @returns The number, `undefined` where the text starts with no version.
 */
export function databaseNumber(
  adapter: Adapter,
  text: string,
): number | undefined {
  // MariaDB puts 5.5.5- before its version when it introduces itself.
  const version = text.trim().replace(/^5\.5\.5-(?=.*mariadb)/i, "");
  const match = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version);
  if (match === null) return undefined;
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map((part) =>
    Number(part ?? 0)
  );
  if (adapter === "mysql") return major * 1000 + minor * 100 + patch;
  return major >= 10
    ? major * 10_000 + minor
    : major * 10_000 + minor * 100 + patch;
}

function databaseFacts(
  adapter: Adapter,
  minimum: string | undefined,
  newInstallations: boolean,
): DatabaseFacts {
  const minimumNumber = minimum === undefined
    ? 0
    : databaseNumber(adapter, minimum) ?? 0;
  return { minimum, minimumNumber, newInstallations };
}

function pickRow<T>(rows: Rows<T>, fits: (range: string) => boolean): T {
  const row = rows.find(([range]) => fits(range));
  if (row === undefined) throw new RangeError("No row fits the release");
  return row[1];
}

function unsupported(message: string): EntrypointError {
  return new EntrypointError(
    `${message}: releases from 3.0.0 to the newest 11.x are supported`,
    {
      code: ExitCode.settings,
      remedy:
        "MATTERMOST_VERSION=11.7.9   # the release that the image holds, recorded when it is built",
    },
  );
}
