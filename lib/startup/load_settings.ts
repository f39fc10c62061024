/**
 * Loads what a command has to know before it looks at config.json or at the database: the
 * settings, the installed release and the data source. All problems are reported at once.
 *
 * @module
 */

import type { Authorities } from "./authorities.ts";
import { BUNDLE_VARIABLE, findAuthorities } from "./authorities.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { readsAnyCase } from "../mattermost/effective_value.ts";
import { releaseFacts } from "../mattermost/releases.ts";
import type { Release } from "../mattermost/releases.ts";
import {
  findRelease,
  type Installation,
  installedProgram,
} from "../mattermost/installed_release.ts";
import type { Adapter } from "../settings/adapter.ts";
import type { Settings } from "../settings/catalogue.ts";
import { variableOfOrigin } from "../settings/origin.ts";
import {
  CONFIG_VARIABLE,
  productOfConfig,
} from "../settings/config_variable.ts";
import { SERVICE_NAMES } from "../settings/links.ts";
import { findOddValues, findUndecodable } from "../settings/odd_values.ts";
import type { Resolution } from "../settings/resolve.ts";
import { readSettings, resolve } from "../settings/resolve.ts";
import { checkSettings } from "../settings/rules.ts";
import type { SettingProblem } from "../settings/setting_problem.ts";
import type { ServerVariables } from "../settings/server_variables.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import { findUnknownVariables } from "../settings/spelling.ts";
import type { System } from "../os/system.ts";
import { FOUND_BY_NAME } from "../database/data_source.ts";
import type {
  ConfiguredDatabase,
  GivenDatabase,
  ReaderOf,
} from "./configured_database.ts";
import {
  applyDriver,
  DATA_SOURCE_KEY,
  DATA_SOURCE_VARIABLE,
  databaseFromConfigVariable,
  databaseFromSettings,
  databaseFromVariables,
  findFatalVariables,
  isSameDatabase,
} from "./configured_database.ts";
import type { Context } from "./context.ts";
import { serverIdentity } from "./become_user.ts";
import { once } from "./once.ts";
import { type Paths, pathsOf } from "./paths.ts";
import { dsnReaders } from "./dsn_readers.ts";
import { readServedFile } from "./served_file.ts";
import { sourcesOf } from "./setting_sources.ts";

/** The settings, with the release and the database that follow from them. */
export interface LoadedSettings extends Resolution {
  /** The installed release. */
  readonly release: Release;
  /** How the release was found, to confirm it with the installed server. */
  readonly installation: Installation;
  /** The directories and files. */
  readonly paths: Paths;
  /** The database. */
  readonly database: ConfiguredDatabase;
  /** The server's own `MM_*` variables, including those from `_FILE` variables. */
  readonly serverVariables: ServerVariables;
  /** Settings that have no effect or that should be changed. */
  readonly warnings: readonly Problem[];
  /** Reads the certificate authorities that the server will trust, once. */
  readonly authorities: () => Authorities;
}

/** Milliseconds that the lookup of service names may take. */
const LOOKUP_TIMEOUT = 3000;

/**
 * Loads the settings.
 *
 * @param context The environment and the files, and the log.
 * @param options `fromConfig` reads the database from the config.json on disk, for installations that set it only there, with the product that overrides the one there; `assume` is the release to use if none is stated and no server is installed.
 * @returns The settings with release and database.
 * @throws {EntrypointError} With every problem and code 78, or 66 if all of them are unreadable files.
 */
export async function loadSettings(
  { system, log }: Context,
  options: {
    readonly fromConfig: (
      settings: Settings,
      driver: Adapter | undefined,
      readerOf: ReaderOf,
    ) => Promise<GivenDatabase>;
    readonly assume?: string;
  },
): Promise<LoadedSettings> {
  const sources = sourcesOf(system);
  const reading = readSettings(sources);
  // The release decides on defaults, and some settings decide on the release.
  const first = resolve(sources, reading);
  const installation = installationOf(first.settings, system);
  const release = await findReleaseOr(installation, system, options.assume);
  const overrides = release.environmentOverrides;
  const anyCase = readsAnyCase(overrides);
  const serverVariables = readServerVariables(sources, { anyCase });
  const variables = serverVariables.values;
  const configText = variables[CONFIG_VARIABLE] ?? "";
  const namesDataSource = (variables[DATA_SOURCE_VARIABLE] ?? "") !== "" ||
    productOfConfig(configText) !== undefined;
  const services = first.settings.DB_HOST !== undefined || namesDataSource
    ? []
    : await resolvableServices(system);
  const product = applyDriver(reading, variables);
  const resolution = resolve({
    ...sources,
    services,
    adapter: release.defaultAdapter,
    release: release.version,
  }, product.reading);
  log.step("Settings resolved");

  const { settings } = resolution;
  const paths = pathsOf(settings);
  const undecodable = system.rawVariables().map(({ name }) => name);
  const problems: SettingProblem[] = [
    ...findUndecodable(undecodable).map(asSettingProblem),
    ...resolution.problems,
    ...serverVariables.problems,
  ];
  if (product.problem !== undefined) problems.push(product.problem);
  const readerOf = dsnReaders({ settings, release, paths }, system);
  const variable = serverVariables.givenBy[DATA_SOURCE_VARIABLE] ??
    DATA_SOURCE_VARIABLE;
  const own = databaseFromVariables(variables, {
    DB_ADAPTER: settings.DB_ADAPTER,
    acceptsEmpty: anyCase,
    variable,
  }, readerOf);
  if (own.problem !== undefined) problems.push(own.problem);
  const configVariable = databaseFromConfigVariable(configText, {
    subject: serverVariables.givenBy[CONFIG_VARIABLE] ?? CONFIG_VARIABLE,
    release,
  }, readerOf);
  if (configVariable.problem !== undefined) {
    problems.push(configVariable.problem);
  }
  const isStored = settings.MATTERMOST_CONFIG_STORE === "database";
  if (isStored && !release.storesConfig) {
    problems.push(noStore(release, resolution.origins));
  }
  const looksOnDisk = own.database === undefined && !namesDataSource &&
    settings.DB_HOST === undefined && !isStored;
  const onDisk = looksOnDisk
    ? await options.fromConfig(
      settings,
      overrides === "none" ? undefined : product.driver,
      readerOf,
    )
    : {};
  if (onDisk.problem !== undefined) problems.push(onDisk.problem);
  const hasDataSource = onDisk.database !== undefined ||
    onDisk.problem !== undefined || namesDataSource;
  const findings = checkSettings(resolution, {
    hasDataSource,
    release: release.version,
  });
  problems.push(...findings.problems.map(asSettingProblem));
  const database = own.database ?? onDisk.database ??
    (settings.DB_HOST === undefined ? configVariable.database : undefined) ??
    (problems.length === 0
      ? databaseFromSettings(settings, readerOf)
      : undefined);
  if (
    database !== undefined && configVariable.database !== undefined &&
    !isSameDatabase(database.source, configVariable.database.source)
  ) {
    problems.push(otherDatabase(own.database === undefined));
  }
  if ((database?.source.adapter ?? settings.DB_ADAPTER) === "postgres") {
    problems.push(...findFatalVariables(system.env, readerOf("postgres")));
  }
  const wrong = new Set(problems.map(({ subject }) => subject));
  const oddities = [
    ...resolution.warnings,
    ...serverVariables.warnings,
    ...findUnknownVariables(system.env),
    ...findOddValues(system.env).filter(({ subject }) => !wrong.has(subject)),
  ];
  if (problems.length > 0 || database === undefined) {
    throw problemsError(problems, oddities);
  }
  const givenBy = own.database !== undefined
    ? variable
    : database === configVariable.database
    ? serverVariables.givenBy[CONFIG_VARIABLE] ?? CONFIG_VARIABLE
    : onDisk.database !== undefined
    ? DATA_SOURCE_KEY
    : giversOf(resolution.origins);
  return {
    ...resolution,
    release,
    installation,
    paths,
    database: { ...database, source: { ...database.source, givenBy } },
    serverVariables,
    warnings: [...findings.warnings, ...oddities],
    authorities: once(() =>
      authoritiesOf(settings, system, database.source.adapter)
    ),
  };
}

/** What gives the parts of the login that their own variables do not give. */
function giversOf(
  origins: Resolution["origins"],
): Readonly<Record<string, string>> {
  const names = [
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_PASS",
  ] as const;
  return Object.fromEntries(names.flatMap((name) => {
    const origin = origins[name];
    const giver = origin.kind === "service"
      ? FOUND_BY_NAME
      : variableOfOrigin(origin) ?? name;
    return giver === name ? [] : [[name, giver]];
  }));
}

function noStore(
  { version }: Release,
  origins: Resolution["origins"],
): SettingProblem {
  const name = variableOfOrigin(origins.MATTERMOST_CONFIG_STORE) ??
    "MATTERMOST_CONFIG_STORE";
  return {
    subject: name,
    message:
      `Mattermost ${version} keeps its configuration in config.json, because only releases from 5.10 on can keep it in the database`,
    remedy: `Remove ${name}`,
    code: ExitCode.settings,
  };
}

function otherDatabase(isFromSettings: boolean): SettingProblem {
  const names = isFromSettings
    ? "DB_HOST, DB_PORT and DB_NAME"
    : DATA_SOURCE_VARIABLE;
  return {
    subject: CONFIG_VARIABLE,
    message:
      `${CONFIG_VARIABLE} names another database than ${names}, but this image expects the configuration in the server's own database`,
    remedy:
      `Remove ${CONFIG_VARIABLE} and set MATTERMOST_CONFIG_STORE=database, or remove ${names}`,
    code: ExitCode.settings,
  };
}

function authoritiesOf(
  settings: Settings,
  system: System,
  adapter: Adapter,
): Authorities {
  const bundle = system.env[BUNDLE_VARIABLE] ?? "";
  return findAuthorities(system, {
    directory: settings.MATTERMOST_CA_DIR,
    databaseFile: settings.DB_SSL_CA,
    // The server's driver for MySQL does not open it: it is part of the bundle.
    ...(adapter === "postgres"
      ? {
        readDatabaseFile: (path) =>
          readServedFile(path, "DB_SSL_CA", { settings, system }),
      }
      : {}),
    bundleOverride: bundle === "" ? undefined : bundle,
  });
}

/**
 * Describes the installed server.
 *
 * @param settings Its directory, its release and its user.
 * @param system The user of this process.
 * @returns The installed server.
 */
export function installationOf(
  settings: Settings,
  system: Pick<System, "uid" | "gid">,
): Installation {
  return {
    configuredVersion: settings.MATTERMOST_VERSION,
    home: settings.MATTERMOST_INSTALL_DIR,
    ...(system.uid === 0 ? { identity: serverIdentity(settings, system) } : {}),
  };
}

/** Assumes a release only if nothing is installed that could contradict. */
async function findReleaseOr(
  installation: Installation,
  system: System,
  assume: string | undefined,
): Promise<Release> {
  const { configuredVersion, home } = installation;
  const isUnknown = configuredVersion === undefined &&
    installedProgram(home, system.files) === undefined;
  return isUnknown && assume !== undefined
    ? releaseFacts(assume)
    : await findRelease(installation, system);
}

/** Finds the services that resolve. Only for when no setting names the database: the lookup of a missing name can take seconds. */
async function resolvableServices(system: System): Promise<string[]> {
  const names = Object.keys(SERVICE_NAMES);
  const finished = new AbortController();
  const timeout = system.clock.sleep(LOOKUP_TIMEOUT, finished.signal)
    .then(() => false, () => false);
  const found = await Promise.all(
    names.map((name) =>
      Promise.race([
        system.resolveHost(name).then(() => true, () => false),
        timeout,
      ])
    ),
  );
  finished.abort();
  return names.filter((_, index) => found[index]);
}

function asSettingProblem(problem: Problem): SettingProblem {
  return { ...problem, code: ExitCode.settings };
}

/** Lists misspelt variables, odd values and odd files as well, because one of them may be the cause. */
function problemsError(
  problems: readonly SettingProblem[],
  oddities: readonly Problem[],
): EntrypointError {
  const onlyFiles = problems.length > 0 &&
    problems.every(({ code }) => code === ExitCode.unreadable);
  const count = problems.length === 1
    ? "1 setting is"
    : `${problems.length} settings are`;
  return new EntrypointError(`${count} missing or wrong`, {
    code: onlyFiles ? ExitCode.unreadable : ExitCode.settings,
    problems: [...problems, ...oddities],
  });
}
