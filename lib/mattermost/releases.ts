/**
 * Facts about the releases of the server, as data.
 *
 * The last row of a fact has no upper bound, so that a release that is newer than this program has
 * the facts of the newest one.
 *
 * A fact is a list of rows with a range of releases and a value; the first row that matches
 * applies. To add a fact, add a property to {@linkcode Release}, a list of rows, and a line to
 * {@linkcode releaseFacts}. A comment marks values that could not be verified; they are safe
 * in either case. The paths of settings are in `settings/catalogue.ts`.
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../default_release.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import type { Adapter } from "../settings/adapter.ts";
import { formatVersion, inRange, parseVersion } from "../release_range.ts";

/** The command with which a release migrates its database, in addition to the migration at its start. */
export type Migration = "db migrate" | "-upgrade_db_30" | "none";

/** A request that checks the health of the server. */
export interface HealthEndpoint {
  /** Path and query, below the path of the site URL. */
  readonly path: string;
  /** Text that the response of a healthy server contains, in addition to the status 200. */
  readonly contains: string | undefined;
}

/** The versions of a database product that a release accepts. */
export interface DatabaseFacts {
  /** The oldest version that the server accepts, such as `8.0.0`; `undefined` if it does not check. */
  readonly minimum: string | undefined;
  /** The same as a {@linkcode databaseNumber}; 0 if the server does not check. */
  readonly minimumNumber: number;
  /** Whether Mattermost supports new installations of the release with this product. */
  readonly newInstallations: boolean;
}

/**
 * The meaning of `LogSettings.FileLocation`: the path of the log file, or of its directory.
 * The server appends the name of the file to a `directory with slash` without adding a slash.
 */
export type LogLocation = "file" | "directory with slash" | "directory";

/**
 * When the server rewrites config.json at its start: if it can, if keys are missing, or
 * always. With the latter two, the start fails if the file is not writable.
 */
export type ConfigWrites = "best effort" | "incomplete" | "always";

/**
 * The keys that `MM_SECTION_KEY` variables override: none, those that config.json contains, or all.
 * `all keys, any case` is the server's own reader (`config/environment.go` in its source): it reads
 * the names in any letter case, ignores values that it cannot parse, and accepts empty texts.
 */
export type EnvironmentOverrides =
  | "none"
  | "present keys"
  | "all keys"
  | "all keys, any case";

/** The facts about a release. */
export interface Release {
  /** The release, such as `11.0.0` or `11.0.0-rc1`. */
  readonly version: string;
  /** The path of the server's program, relative to the directory of the server. */
  readonly binary: string;
  /** The command that migrates the database. */
  readonly migration: Migration;
  /** Checks whether the server responds, without a query to the database. */
  readonly liveness: HealthEndpoint;
  /** Checks whether the server can handle requests; from 5.14 on with a check of the database. */
  readonly readiness: HealthEndpoint;
  /** The supported database products; `undefined` for one that is not supported. */
  readonly databases: {
    readonly mysql: DatabaseFacts | undefined;
    readonly postgres: DatabaseFacts;
  };
  /** The default of `DB_ADAPTER`. */
  readonly defaultAdapter: Adapter;
  /** The meaning of `LogSettings.FileLocation`. */
  readonly logLocation: LogLocation;
  /** When the server rewrites config.json at its start. */
  readonly configWrites: ConfigWrites;
  /** Whether the server ends if it cannot listen; if not, it keeps running without listening. */
  readonly failsOnListenError: boolean;
  /** The keys that `MM_SECTION_KEY` variables override. */
  readonly environmentOverrides: EnvironmentOverrides;
  /** Whether the server can keep its configuration in the database (`MM_CONFIG`). */
  readonly storesConfig: boolean;
  /** Whether the paths of the server are below the path of its site URL. */
  readonly subPaths: boolean;
  /** Whether the server supports plugins. */
  readonly plugins: boolean;
  /** Directories that the server writes to, relative to the directory of the server. */
  readonly writableDirectories: readonly string[];
}

type Rows<T> = readonly (readonly [range: string, fact: T])[];

const ANY = ">=0.0.0";

// From 5.0 to 5.36 there is also bin/platform. It starts bin/mattermost with an empty
// environment, so all MM_ variables are lost.
const BINARY: Rows<string> = [
  ["<5.0.0", "bin/platform"],
  [ANY, "bin/mattermost"],
];

// 3.4 and 3.5 accept -upgrade_db_30 and do nothing; 3.6 rejects it.
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

/** The requests that check the health of a server of any release from 3.1 on, the newest first. */
export const ANY_LIVENESS: readonly HealthEndpoint[] = LIVENESS.slice(1)
  .map(([, endpoint]) => endpoint).reverse();

// Up to 9.2 any value enables get_server_status, from 9.3 on only "true".
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

// The boundary 4.10 is from the source code; only 5.0 was tested.
const ENVIRONMENT_OVERRIDES: Rows<EnvironmentOverrides> = [
  ["<3.8.0", "none"],
  ["<4.10.0", "present keys"],
  ["<5.30.0", "all keys"],
  [ANY, "all keys, any case"],
];

const WRITABLE_DIRECTORIES: Rows<readonly string[]> = [
  ["<4.2.0", ["config", "data", "logs"]],
  ["<4.4.4", ["config", "data", "logs", "plugins"]],
  [ANY, ["config", "data", "logs", "plugins", "client/plugins"]],
];

/**
 * Gets the facts about a release.
 *
 * @param version The release, in a notation that {@linkcode parseVersion} accepts.
 * @returns The facts.
 * @throws {EntrypointError} With code 78 if the text is not a release, or not a supported one.
 */
export function releaseFacts(version: string): Release {
  const release = CACHE.get(version) ?? findFacts(version);
  CACHE.set(version, release);
  return release;
}

/** The facts by the text of the release; most callers use the same one. */
const CACHE = new Map<string, Release>();

function findFacts(version: string): Release {
  const parsed = parseVersion(version);
  if (parsed === undefined) {
    throw unsupported(`"${version}" is not a release of Mattermost`);
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
    binary: pick(BINARY),
    migration: pick(MIGRATION),
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
    configWrites: pick(CONFIG_WRITES),
    // 4.1 to 5.36 were not tested. It changes only the words of a message.
    failsOnListenError: fits(">=5.37.0"),
    environmentOverrides: pick(ENVIRONMENT_OVERRIDES),
    storesConfig: fits(">=5.10.0"),
    subPaths: fits(">=5.1.0"),
    plugins: fits(">=4.2.0"),
    writableDirectories: pick(WRITABLE_DIRECTORIES),
  };
}

/** The paths of the server and its configuration. */
export interface ServerPaths {
  /** The absolute path of the server's directory. */
  readonly home: string;
  /** The absolute path of config.json, since the server searches for a relative one in several directories; `undefined` if `MM_CONFIG` names the configuration. */
  readonly config: string | undefined;
}

/**
 * Gets the command that starts the server. All releases from 3.0 on accept
 * `BINARY --config PATH`. The subcommand `server` is not used, because 3.6.1 to 3.7.6 silently
 * ignore its option `--config`.
 *
 * @param release The release.
 * @param paths The paths of the server.
 * @returns Program and arguments.
 */
export function serverCommand(
  release: Release,
  paths: ServerPaths,
): readonly [string, ...string[]] {
  return [`${paths.home}/${release.binary}`, ...configOption(paths)];
}

function configOption({ config }: ServerPaths): readonly string[] {
  return config === undefined ? [] : ["--config", config];
}

/**
 * Gets the command that migrates the database. `-upgrade_db_30` reads two lines from standard
 * input: `YES`, and the name of the primary team.
 *
 * @param release The release.
 * @param paths The paths of the server.
 * @returns Program and arguments; `undefined` if the release migrates only at its start.
 */
export function migrationCommand(
  release: Release,
  paths: ServerPaths,
): readonly [string, ...string[]] | undefined {
  const program = `${paths.home}/${release.binary}`;
  switch (release.migration) {
    case "db migrate":
      return [program, "db", "migrate", ...configOption(paths)];
    case "-upgrade_db_30":
      return [program, ...configOption(paths), "-upgrade_db_30"];
    case "none":
      return undefined;
  }
}

/**
 * Gets the variables that the server needs in its environment, in addition to settings.
 *
 * @param release The release.
 * @param logDirectory The absolute path of the log directory.
 * @returns Names and values; those of the operator take precedence.
 */
export function serverEnvironment(
  release: Release,
  logDirectory: string,
): Readonly<Record<string, string>> {
  return {
    // From 10.11.11, 11.2.3, 11.3.1 and 11.4.0 on, the server rejects log files outside of this
    // directory. Other releases ignore the variable.
    ...(inRange(release.version, ">=10.11.0")
      ? { MM_LOG_PATH: logDirectory }
      : {}),
    ...(inRange(release.version, ">=11.2.0")
      ? { MM_INSTALL_TYPE: "docker" }
      : {}),
  };
}

/**
 * Gets the value of `LogSettings.FileLocation` for a log directory.
 *
 * @param release The release.
 * @param logDirectory The absolute path of the log directory.
 * @returns The value in the form that the release expects.
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
 * Converts the version of a database to the number that the server compares:
 * `server_version_num` of PostgreSQL (15.4 is 150004, 9.6.24 is 90624), and
 * major · 1000 + minor · 100 + patch for MySQL (5.7.12 is 5712).
 *
 * @param adapter The product.
 * @param text The version that the database reports: `15.4 (Debian 15.4-2)`, `8.0.36`, `10.11.6-MariaDB`.
 * @returns The number; `undefined` if the text does not begin with a version.
 */
export function databaseNumber(
  adapter: Adapter,
  text: string,
): number | undefined {
  // MariaDB prepends 5.5.5- for old clients: https://mariadb.com/kb/en/version/
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
    `${message}: the entrypoint supports Mattermost 3.0.0 and later`,
    {
      code: ExitCode.settings,
      remedy:
        `MATTERMOST_VERSION=${DEFAULT_RELEASE}   # the release in the image, set when the image is built`,
    },
  );
}
