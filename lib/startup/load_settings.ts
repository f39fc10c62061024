/**
 * The first half of every command that knows the server: from the environment
 * to settings, release and data source, with all problems at once.
 *
 * @module
 */

import type { Authorities } from "./authorities.ts";
import { BUNDLE_VARIABLE, findAuthorities } from "./authorities.ts";
import { formatDsn, parseDsn } from "../database/dsn.ts";
import type { DataSource } from "../database/data_source.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { HIDDEN } from "../hidden.ts";
import { releaseFacts } from "../mattermost/releases.ts";
import type { Release } from "../mattermost/releases.ts";
import {
  findRelease,
  type Installation,
} from "../mattermost/installed_release.ts";
import type { Settings } from "../settings/catalogue.ts";
import { SERVICE_NAMES } from "../settings/links.ts";
import type { Resolution, SettingProblem } from "../settings/resolve.ts";
import { readSettings, resolve } from "../settings/resolve.ts";
import { checkRules } from "../settings/rules.ts";
import type { ServerVariables } from "../settings/server_variables.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import { findUnknown } from "../settings/spelling.ts";
import type { Identity, System } from "../os/system.ts";
import type { Context } from "./context.ts";
import { once } from "./once.ts";
import { sourcesOf } from "./setting_sources.ts";

/** Where everything is. */
export interface Paths {
  /** The directory of the installed server. */
  readonly install: string;
  /** The directory of uploaded files. */
  readonly data: string;
  /** The directory of config.json. */
  readonly conf: string;
  /** The directory of the server's log files. */
  readonly log: string;
  /** The config.json. */
  readonly config: string;
  /** The file that remembers the release that last ran on the data. */
  readonly version: string;
}

/** The data source: of `DB_*`, of the server's own variables, or of the config.json that is there. */
export interface FoundSource {
  /** The database and the login. */
  readonly source: DataSource;
  /** The text for config.json; `undefined` leaves the one there as it is. */
  readonly dsn: string | undefined;
}

/** What is settled before anything is looked at. */
export interface LoadedSettings extends Resolution {
  /** The installed release. */
  readonly release: Release;
  /** What the release was found by. */
  readonly installation: Installation;
  /** Where everything is. */
  readonly paths: Paths;
  /** The database. */
  readonly database: FoundSource;
  /** The server's own variables, those from files among them. */
  readonly serverVariables: ServerVariables;
  /** What has no effect, or is unwise. */
  readonly warnings: readonly Problem[];
  /** Whom the server will trust; looked up once. */
  readonly authorities: () => Authorities;
}

/** The server's own variables for the database; they win over config.json. */
const OWN_SOURCE = "MM_SQLSETTINGS_DATASOURCE";
const OWN_DRIVER = "MM_SQLSETTINGS_DRIVERNAME";

/** Milliseconds that looking up service names may take. */
const LOOKUP_TIMEOUT = 3000;

/**
 * Settles what the operator wants.
 *
 * @param context The world.
 * @param options `diskSource` gives the data source of the config.json on disk, for installations that are configured there alone; `assume` is the release to go on with where none can be found out.
 * @returns Settings, release and data source.
 * @throws {EntrypointError} With code 78, or 66 for unreadable files, with every problem.
 */
export async function loadSettings(
  { system, log }: Context,
  options: {
    readonly diskSource: (settings: Settings) => FoundSource | undefined;
    readonly assume?: string;
  },
): Promise<LoadedSettings> {
  const sources = sourcesOf(system);
  const reading = readSettings(sources);
  const first = resolve(sources, reading);
  const installation = installationOf(first.settings, system);
  const release = await findReleaseOr(installation, system, options.assume);
  const serverVariables = readServerVariables(sources);
  const variables = serverVariables.values;
  const services = first.settings.DB_HOST !== undefined ||
      OWN_SOURCE in variables
    ? []
    : await resolvableServices(system);
  const resolution = resolve({
    ...sources,
    services,
    adapter: release.defaultAdapter,
  }, reading);
  log.step("Settings resolved");

  const { settings } = resolution;
  const paths = pathsOf(settings);
  const problems: SettingProblem[] = [
    ...resolution.problems,
    ...serverVariables.problems,
  ];
  const own = ownSource(resolution, variables, problems);
  const disk = own === undefined && settings.DB_HOST === undefined
    ? options.diskSource(settings)
    : undefined;
  const hasDataSource = disk !== undefined || OWN_SOURCE in variables;
  const findings = checkRules(resolution, {
    hasDataSource,
    release: release.version,
  });
  problems.push(...findings.problems.map(asSettingProblem));
  const database = own ?? disk ??
    (problems.length === 0 ? settingsSource(settings) : undefined);
  const unknown = findUnknown(system.env);
  if (problems.length > 0 || database === undefined) {
    throw problemsError(problems, unknown);
  }
  const notices = release.warning === undefined
    ? []
    : [{ subject: "MATTERMOST_VERSION", message: release.warning }];
  return {
    ...resolution,
    release,
    installation,
    paths,
    database,
    serverVariables,
    warnings: [...notices, ...findings.warnings, ...unknown],
    authorities: once(() => authoritiesOf(settings, system)),
  };
}

/**
 * Whom the server will run as: the settings' user if we are root, else ourselves.
 *
 * @param settings The settings.
 * @param system Who we are.
 * @returns User and group.
 */
export function serverIdentity(
  settings: Settings,
  { uid, gid }: Pick<System, "uid" | "gid">,
): Identity {
  return uid === 0
    ? { uid: settings.MATTERMOST_UID, gid: settings.MATTERMOST_GID }
    : { uid, gid };
}

function authoritiesOf(settings: Settings, system: System): Authorities {
  const whole = system.env[BUNDLE_VARIABLE] ?? "";
  return findAuthorities(system, {
    directory: settings.MATTERMOST_CA_DIR,
    databaseFile: settings.DB_SSL_CA,
    wholeBundle: whole === "" ? undefined : whole,
  });
}

function installationOf(settings: Settings, system: System): Installation {
  return {
    stated: settings.MATTERMOST_VERSION,
    home: settings.MATTERMOST_INSTALL_DIR,
    ...(system.uid === 0 ? { identity: serverIdentity(settings, system) } : {}),
  };
}

async function findReleaseOr(
  installation: Installation,
  system: System,
  assume: string | undefined,
): Promise<Release> {
  try {
    return await findRelease(installation, system);
  } catch (error) {
    if (assume === undefined || installation.stated !== undefined) throw error;
    return releaseFacts(assume);
  }
}

/** To be asked only where nothing else names the database: looking up a missing name can take seconds. */
async function resolvableServices(system: System): Promise<string[]> {
  const names = Object.keys(SERVICE_NAMES);
  const patience = new AbortController();
  const timeout = system.clock.sleep(LOOKUP_TIMEOUT, patience.signal)
    .then(() => false, () => false);
  const found = await Promise.all(
    names.map((name) =>
      Promise.race([
        system.resolveHost(name).then(() => true, () => false),
        timeout,
      ])
    ),
  );
  patience.abort();
  return names.filter((_, index) => found[index]);
}

/**
 * Where everything is.
 *
 * @param settings The settings.
 * @returns The paths.
 */
export function pathsOf(settings: Settings): Paths {
  return {
    install: settings.MATTERMOST_INSTALL_DIR,
    data: settings.MATTERMOST_DATA_DIR,
    conf: settings.MATTERMOST_CONF_DIR,
    log: settings.MATTERMOST_LOG_DIR,
    config: `${settings.MATTERMOST_CONF_DIR}/config.json`,
    version: `${settings.MATTERMOST_DATA_DIR}/VERSION`,
  };
}

/**
 * The directories that a start makes where they are missing.
 *
 * @param settled Where everything is.
 * @returns The paths.
 */
export function ownDirectories(
  { paths, settings }: Pick<LoadedSettings, "paths" | "settings">,
): readonly string[] {
  const { data, conf, log } = paths;
  return [data, conf, ...settings.MATTERMOST_LOG_FILES ? [log] : []];
}

function ownSource(
  { settings }: Resolution,
  variables: Readonly<Record<string, string>>,
  problems: SettingProblem[],
): FoundSource | undefined {
  const dsn = variables[OWN_SOURCE];
  if (dsn === undefined || dsn === "") return undefined;
  const driver = variables[OWN_DRIVER];
  const adapter = driver === "mysql" || driver === "postgres"
    ? driver
    : /^postgres(ql)?:\/\//.test(dsn)
    ? "postgres"
    : settings.DB_ADAPTER ?? "mysql";
  try {
    return { source: parseDsn(adapter, dsn), dsn };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.push({
      subject: OWN_SOURCE,
      message:
        `${OWN_SOURCE} must be a data source that the server's ${adapter} driver can read: it is ${HIDDEN}`,
      remedy: adapter === "postgres"
        ? "postgres://user:password@host:5432/mattermost, with the password percent-encoded; or remove it and set DB_HOST, DB_USER and DB_PASS"
        : "user:password@tcp(host:3306)/mattermost; or remove it and set DB_HOST, DB_USER and DB_PASS",
      code: ExitCode.settings,
    });
    return undefined;
  }
}

function settingsSource(settings: Settings): FoundSource | undefined {
  const { DB_ADAPTER: adapter, DB_HOST: host } = settings;
  if (adapter === undefined || host === undefined) return undefined;
  const source: DataSource = {
    adapter,
    host: host.startsWith("/") ? "" : host.replace(/^\[|\]$/g, ""),
    port: settings.DB_PORT,
    ...(host.startsWith("/") ? { socket: host } : {}),
    user: settings.DB_USER,
    password: settings.DB_PASS,
    database: settings.DB_NAME,
    sslMode: settings.DB_SSL_MODE,
    ...(settings.DB_SSL_CA === "" ? {} : { sslCa: settings.DB_SSL_CA }),
    ...(adapter === "mysql" ? { encoding: settings.DB_ENCODING } : {}),
  };
  return { source, dsn: formatDsn(source) };
}

function asSettingProblem(problem: Problem): SettingProblem {
  return { ...problem, code: ExitCode.settings };
}

/** What is misspelt is told too: it may be why another setting is missing. */
function problemsError(
  problems: readonly SettingProblem[],
  unknown: readonly Problem[],
): EntrypointError {
  const onlyFiles = problems.length > 0 &&
    problems.every(({ code }) => code === ExitCode.unreadable);
  const count = problems.length === 1
    ? "1 setting is"
    : `${problems.length} settings are`;
  return new EntrypointError(`${count} missing or wrong`, {
    code: onlyFiles ? ExitCode.unreadable : ExitCode.settings,
    problems: [...problems, ...unknown],
  });
}
