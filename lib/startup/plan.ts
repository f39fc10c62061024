/**
 * Plans config.json: merges the loaded settings into the file on disk, in memory only.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { isJsonObject, valueAt } from "../json.ts";
import type { Assignment } from "../config/assignment.ts";
import { assignments, isObsolete } from "../config/assignments.ts";
import type { ConfigPlace, ConfigState } from "../config/file.ts";
import { codeOfUnread } from "../os/named_file.ts";
import { explainCode, isDenied } from "../system_errors.ts";
import { readSettledConfig } from "../config/file.ts";
import { merge, type MergeInput, type MergeResult } from "../config/merge.ts";
import {
  addressText,
  FOUND_BY_NAME,
  withoutLogin,
} from "../database/data_source.ts";
import { makeSecret } from "../config/secret.ts";
import { PRODUCTS } from "../settings/adapter.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { HIDDEN, hideCredentials } from "../hidden.ts";
import { findUnsafeLink, type LinkReader } from "./directories/unsafe_links.ts";
import { logFileLocation } from "../mattermost/releases.ts";
import {
  checkConfig,
  configWarnings,
  requiredKeys,
} from "../mattermost/requirements.ts";
import { valuesBeforeRewrite } from "../mattermost/rewrites.ts";
import { rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import { describeOrigin } from "../settings/origin.ts";
import type { OpenedFile, System } from "../os/system.ts";
import { asReader } from "./become_user.ts";
import type { Context } from "./context.ts";
import {
  type ConfigStore,
  configStore,
  ownSession,
  type WithSession,
} from "./config_store.ts";
import { databaseFromConfig } from "./configured_database.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { loadSettings } from "./load_settings.ts";
import { placeOf } from "./paths.ts";
import { requireVariables } from "./variable_findings.ts";

/** The loaded settings, and the config.json that the next start would write. */
export interface Plan extends LoadedSettings {
  /** Where the configuration is. */
  readonly store: ConfigStore;
  /** Where config.json is, or would be. */
  readonly place: ConfigPlace;
  /** The present configuration. */
  readonly state: ConfigState;
  /** The text of the default configuration in the server's package, the base of a first start. */
  readonly shipped: string;
  /** The values that follow from the settings. */
  readonly wanted: readonly Assignment[];
  /** The new configuration: that of config.json, or what is stored with what the server gets in variables. */
  readonly merged: MergeResult;
  /** The variables that the server gets for its configuration in the database. They contain secrets, so only the server gets them. */
  readonly handedOver: Readonly<Record<string, string>>;
}

/**
 * Loads the settings and plans config.json, without changing anything.
 *
 * @param context The system and the log.
 * @param options What the plan is for; `assume` is the release to use if none is stated and no server is installed.
 * @returns The plan.
 * @throws {EntrypointError} With code 78 or 66 for settings, 65 for an unusable config.json.
 */
export async function makePlan(
  context: Context,
  options: PlanOptions & { readonly assume?: string } = {},
): Promise<Plan> {
  const loaded = await loadSettingsWithConfig(context, options);
  return planConfig(loaded, context, options);
}

/**
 * Loads the settings. If no setting names the database, the config.json on disk may.
 *
 * @param context The system and the log.
 * @param options `assume` is the release to use if none is stated and no server is installed.
 * @returns The settings with release and database.
 * @throws {EntrypointError} With code 78 or 66 for settings, 65 for an unusable config.json.
 */
export function loadSettingsWithConfig(
  context: Context,
  options: { readonly assume?: string } = {},
): Promise<LoadedSettings> {
  return loadSettings(context, {
    ...options,
    async fromConfig(settings, driver, readerOf) {
      const system = asReader(settings, context.system);
      const place = placeOf(settings, system);
      const { text } = await readSettledConfig(system, place);
      return databaseFromConfig(text, driver, readerOf);
    },
  });
}

/** What a plan is for. */
export interface PlanOptions {
  /**
   * Whether the upgrade rules follow. If so, a database product that the release no longer
   * supports is left to them, because they know how to migrate away from it.
   */
  readonly upgradeRulesFollow?: boolean;
  /** Whether the caller reports what is wrong with `MM_*` variables and with the database itself. */
  readonly reportsVariables?: boolean;
  /** Access to the database, if the caller has a session; else a store in the database logs in by itself. */
  readonly useSession?: WithSession;
}

/**
 * Logs which release starts on which database, the warnings, and for debugging each setting
 * with its origin.
 *
 * @param loaded The loaded settings.
 * @param context The log.
 */
export function logSummary(
  { release, database, warnings, origins, settings }: LoadedSettings,
  { log }: Context,
): void {
  warnings.forEach((warning) => log.warn(warning));
  const source = withoutLogin(database.source);
  const isFound = typeof source.givenBy === "object" &&
    source.givenBy.DB_HOST === FOUND_BY_NAME;
  const found = isFound ? ` (found as ${FOUND_BY_NAME})` : "";
  log.info(
    `Mattermost ${release.version} on ${PRODUCTS[source.adapter]} at ${
      addressText(source)
    }${found}, database ${source.database}, user ${source.user}`,
  );
  if (!log.isDebug) return;
  for (const name of SETTING_NAMES) {
    const shown = rowOf(name).secret === true
      ? HIDDEN
      : hideCredentials(String(settings[name] ?? ""));
    log.debug(`${name}=${shown} (${describeOrigin(origins[name])})`);
  }
}

/**
 * Plans the configuration from loaded settings, without changing anything.
 *
 * @param loaded The loaded settings.
 * @param context The files, random bytes for generated secrets, the log, and the signal.
 * @param options What the plan is for.
 * @returns The plan.
 * @throws {EntrypointError} With code 65 for an unusable config.json, 78 for one that the server would refuse.
 */
export async function planConfig(
  loaded: LoadedSettings,
  context: Context,
  {
    upgradeRulesFollow = false,
    reportsVariables = false,
    useSession = ownSession(loaded, context),
  }: PlanOptions,
): Promise<Plan> {
  const { settings, release } = loaded;
  const { log } = context;
  const system = asReader(settings, context.system);
  const place = placeOf(settings, system);
  const store = configStore(loaded, system, useSession);
  const state = await store.read(reportsVariables);
  requireProduct(loaded, state);
  const shipped = shippedConfig(loaded, { system, user: place.user });
  const desired = desiredConfig(state, { ...loaded, store }, shipped);
  const merged = applyDesired(desired, state, system);
  const input = {
    config: merged.document,
    variables: loaded.serverVariables.values,
    release,
  };
  const problems = checkConfig(input).filter(({ subject }) =>
    !upgradeRulesFollow || subject !== "SqlSettings.DriverName"
  );
  if (problems.length > 0) {
    throw new EntrypointError(
      `Mattermost ${release.version} would refuse this configuration`,
      { code: ExitCode.settings, problems },
    );
  }
  const warnings = configWarnings(input, settings.MATTERMOST_EDITION);
  const { wanted } = desired;
  const variables = reportsVariables
    ? []
    : requireVariables({ ...loaded, shipped, state, wanted });
  log.step("Configuration planned");
  return {
    ...loaded,
    warnings: [...loaded.warnings, ...warnings, ...variables],
    store,
    place,
    state,
    shipped,
    wanted,
    merged,
    handedOver: store.variables(wanted),
  };
}

/** From 11.0 on, PostgreSQL is the default of `DB_ADAPTER`, which is wrong for an installation on MySQL. */
function requireProduct(
  { release, database: { source, dsn }, origins }: LoadedSettings,
  { text }: ConfigState,
): void {
  const isGuess = dsn !== undefined && source.adapter === "postgres" &&
    origins.DB_ADAPTER.kind === "default";
  if (!isGuess || release.databases.mysql !== undefined) return;
  const document: Json = JSON.parse(text ?? "{}");
  if (valueAt(document, "SqlSettings.DriverName") !== "mysql") return;
  throw new EntrypointError(
    `The database in config.json is MySQL and DB_ADAPTER is not set, but Mattermost ${release.version} runs only on PostgreSQL`,
    {
      code: ExitCode.settings,
      remedy:
        "Run the image tag that ran last, and move the data to PostgreSQL with it (docs/from-mysql.md); then set DB_ADAPTER=postgres",
    },
  );
}

/**
 * Repeats the merge of a plan with a config.json that has changed since.
 *
 * @param state The config.json that is on disk now.
 * @param plan The earlier plan.
 * @param system Random bytes for generated secrets.
 * @returns The new values of the plan.
 */
export function mergeInto(
  state: ConfigState,
  plan: Plan,
  system: Pick<System, "random">,
): Pick<Plan, "wanted" | "merged"> {
  const desired = desiredConfig(state, plan, plan.shipped);
  return {
    wanted: desired.wanted,
    merged: applyDesired(desired, state, system),
  };
}

/** The inputs of a merge that do not come from the config.json on disk. */
type DesiredConfig = Required<
  Pick<
    MergeInput,
    "shipped" | "wanted" | "isObsolete" | "rewrittenFrom" | "kept"
  >
>;

function desiredConfig(
  { text }: ConfigState,
  loaded: LoadedSettings & Pick<Plan, "store">,
  shipped: string,
): DesiredConfig {
  const { version } = loaded.release;
  return {
    shipped,
    wanted: desiredValues(loaded, text ?? shipped),
    isObsolete: (path) => isObsolete(path, version),
    rewrittenFrom: (path, value) => valuesBeforeRewrite(version, path, value),
    // The database is the one on disk, which an earlier start may have written there.
    kept: loaded.database.dsn === undefined
      ? ["SqlSettings.DriverName", "SqlSettings.DataSource"]
      : [],
  };
}

function applyDesired(
  desired: DesiredConfig,
  { text, lastApplied, digest }: ConfigState,
  { random }: Pick<System, "random">,
): MergeResult {
  const generate = (): string => makeSecret(random);
  return merge({ ...desired, disk: text, lastApplied, generate, digest });
}

/** The values that follow from the settings, and those that the release cannot start without. */
function desiredValues(
  loaded: LoadedSettings & Pick<Plan, "store">,
  base: string,
): Assignment[] {
  const { release, database, paths, store } = loaded;
  const document: Json = JSON.parse(base);
  const all = assignments(loaded, {
    release: release.version,
    dataSource: database.dsn,
    adapter: database.source.adapter,
    logLocation: logFileLocation(release, paths.log),
  });
  const fromSettings = store.choose(all, document);
  const set = new Set(fromSettings.map(({ path }) => path));
  const required = requiredKeys(release.version)
    .filter(({ path }) =>
      !set.has(path) && valueAt(document, path) === undefined
    )
    .map(({ path, value }): Assignment => ({
      path,
      value,
      variables: ["MATTERMOST_VERSION"],
      origin: { kind: "default" },
      secret: false,
    }));
  return [...fromSettings, ...required];
}

/**
 * Reads the default configuration in the server's package.
 *
 * @param loaded The directory of the server, and the path of config.json, in case it is there.
 * @param reader The files, and the server's user, who must not make root read other files.
 * @returns The text; `{}` if there is none that can be used.
 */
export function shippedConfig(
  { paths }: Pick<LoadedSettings, "paths">,
  reader: LinkReader,
): string {
  for (const name of ["default.json", "config.json"]) {
    const path = `${paths.install}/config/${name}`;
    const text = path === paths.config ? undefined : readTrusted(path, reader);
    if (text !== undefined) return isObjectText(text) ? text : "{}";
  }
  return "{}";
}

function isObjectText(text: string): boolean {
  try {
    return isJsonObject(JSON.parse(text));
  } catch {
    return false;
  }
}

/** Reads a file of the server's package, unless its user may have linked it to one that only root can read. */
function readTrusted(path: string, reader: LinkReader): string | undefined {
  const { files } = reader.system;
  let found: OpenedFile | undefined;
  try {
    found = files.exists(path) ? files.read(path, { follow: true }) : undefined;
  } catch (error) {
    // The directory is closed to the server's user, so that the server cannot be executed either.
    if (!isDenied(error)) throw error;
  }
  if (
    found === undefined ||
    findUnsafeLink(path, found.facts, reader) !== undefined
  ) return undefined;
  if (found.bytes !== undefined) return new TextDecoder().decode(found.bytes);
  const { reason } = explainCode(codeOfUnread(found.facts), path);
  throw new EntrypointError(
    `${path}, the default configuration in the server's package, cannot be read: ${reason}`,
    {
      code: ExitCode.badConfig,
      remedy: "Install the server again, or pull its image again",
    },
  );
}
