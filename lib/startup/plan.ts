/**
 * What config.json should be: settled settings merged into what is on disk, in memory only.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { isJsonObject, valueAt } from "../json.ts";
import type { Assignment } from "../config/assignment.ts";
import { assignments } from "../config/assignments.ts";
import type { ConfigPlace, ConfigState } from "../config/file.ts";
import { readConfig } from "../config/file.ts";
import { merge, type MergeInput, type MergeResult } from "../config/merge.ts";
import { makeSecret } from "../config/secret.ts";
import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import { formatDsn, parseDsn } from "../database/dsn.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { HIDDEN } from "../hidden.ts";
import { withOverrides } from "../mattermost/config_keys.ts";
import { findUnsafeLink, type UnsafeLink } from "./directories/unsafe_links.ts";
import { logFileLocation } from "../mattermost/releases.ts";
import {
  checkConfig,
  configWarnings,
  mustHave,
} from "../mattermost/requirements.ts";
import { rewrittenFrom } from "../mattermost/rewrites.ts";
import type { Settings } from "../settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import { describeOrigin } from "../settings/origin.ts";
import type { FileFacts, Identity, System } from "../os/system.ts";
import type { Context } from "./context.ts";
import type { FoundSource, LoadedSettings } from "./load_settings.ts";
import { loadSettings, pathsOf, serverIdentity } from "./load_settings.ts";

/** What a start would do to config.json. */
export interface Plan extends LoadedSettings {
  /** Where config.json is. */
  readonly place: ConfigPlace;
  /** What is on disk. */
  readonly state: ConfigState;
  /** The configuration of the server's own package, the base of a first start. */
  readonly shipped: string;
  /** The values that the settings want to have there. */
  readonly wanted: readonly Assignment[];
  /** What config.json becomes. */
  readonly merged: MergeResult;
}

/**
 * Where config.json is, and who the server is.
 *
 * @param settings The settings.
 * @param system Who we are, and the files.
 * @returns The place.
 */
export function placeOf(
  settings: Settings,
  system: Pick<System, "uid" | "gid" | "files">,
): ConfigPlace {
  const { config, data } = pathsOf(settings);
  const user = serverIdentity(settings, system);
  return {
    path: config,
    fallback: data,
    user,
    distrust(facts) {
      const trespass = unsafeLinkAt(config, facts, { settings, system });
      return trespass && unsafeLinkError(config, trespass, { system, user });
    },
  };
}

/** Only root can read more through a link than the server's user could read itself. */
function unsafeLinkAt(
  path: string,
  facts: FileFacts,
  { settings, system }: {
    readonly settings: Settings;
    readonly system: Pick<System, "uid" | "gid" | "files">;
  },
): UnsafeLink | undefined {
  const identity = serverIdentity(settings, system);
  return system.uid === identity.uid
    ? undefined
    : findUnsafeLink(path, facts, { files: system.files, identity });
}

function unsafeLinkError(
  path: string,
  { link, target, closed }: UnsafeLink,
  { system: { files }, user }: {
    readonly system: Pick<System, "files">;
    readonly user: Identity;
  },
): EntrypointError {
  const facts = files.stat(closed);
  const why = facts === undefined
    ? ""
    : `: ${closed} belongs to ${facts.uid}:${facts.gid} with mode ${
      facts.mode.toString(8).padStart(4, "0")
    }`;
  return new EntrypointError(
    `${path} leads by the symbolic link ${link} to ${target}, which user ${user.uid}:${user.gid} may not read${why}`,
    {
      code: ExitCode.badConfig,
      remedy:
        `rm ${link}   # unless it is yours: then make its target readable for that user`,
    },
  );
}

/**
 * Settles the settings and plans config.json; changes nothing.
 *
 * @param context The world.
 * @param options `assume` is the release to go on with where none can be found out.
 * @returns The plan.
 * @throws {EntrypointError} With code 78 or 66 for settings, 65 for an unusable config.json.
 */
export async function makePlan(
  context: Context,
  options: PlanOptions & { readonly assume?: string } = {},
): Promise<Plan> {
  const settled = await loadSettingsAndDisk(context, options);
  return planConfig(settled, context, options);
}

/**
 * Settles the settings where the config.json that is there may name the database.
 *
 * @param context The world.
 * @param options `assume` is the release to go on with where none can be found out.
 * @returns Settings, release and data source.
 * @throws {EntrypointError} With code 78 or 66 for settings, 65 for an unusable config.json.
 */
export function loadSettingsAndDisk(
  context: Context,
  options: { readonly assume?: string } = {},
): Promise<LoadedSettings> {
  return loadSettings(context, {
    ...options,
    diskSource: (settings) =>
      diskSource(readConfig(context.system, placeOf(settings, context.system))),
  });
}

/** What the plan is made for. */
export interface PlanOptions {
  /** Whether the upgrade rules will be asked, which know the way off a product that is gone. */
  readonly guarded?: boolean;
}

/**
 * Says what is about to start, and what is unwise about it.
 *
 * @param settled The settings, release and data source.
 * @param context The world.
 */
export function logSummary(
  { release, database: { source }, warnings, origins, settings }:
    LoadedSettings,
  { log }: Context,
): void {
  warnings.forEach((warning) => log.warn(warning));
  const where = source.socket ?? `${source.host}:${source.port}`;
  log.info(
    `Mattermost ${release.version} on ${
      PRODUCTS[source.adapter]
    } at ${where}, database ${source.database}, user ${source.user}`,
  );
  if (!log.isDebug) return;
  for (const name of SETTING_NAMES) {
    const shown = rowOf(name).secret === true ? HIDDEN : settings[name];
    log.debug(`${name}=${shown ?? ""} (${describeOrigin(origins[name])})`);
  }
}

/**
 * Plans config.json for settings that are settled.
 *
 * @param settled The settings, release and data source.
 * @param context The world.
 * @param options What the plan is made for.
 * @returns The plan.
 * @throws {EntrypointError} With code 65 for an unusable config.json, 78 for one that the server would refuse.
 */
export function planConfig(
  settled: LoadedSettings,
  { system, log }: Context,
  { guarded = false }: PlanOptions,
): Plan {
  const { settings, release } = settled;
  const place = placeOf(settings, system);
  const state = readConfig(system, place);
  const shipped = shippedConfig(settled, system);
  const wish = desiredConfig(state, settled, shipped);
  const merged = applyDesired(wish, state, system);
  // The server's own variables win over the file, so they are judged in its place.
  const effective = withOverrides(
    merged.document,
    settled.serverVariables.values,
    release,
  );
  const problems = checkConfig(effective, release.version)
    .filter(({ subject }) => !guarded || subject !== "SqlSettings.DriverName");
  if (problems.length > 0) {
    throw new EntrypointError(
      `Mattermost ${release.version} would refuse this configuration`,
      { code: ExitCode.settings, problems },
    );
  }
  const idle = configWarnings(effective, {
    version: release.version,
    edition: settings.MATTERMOST_EDITION,
  });
  log.step("Configuration planned");
  return {
    ...settled,
    warnings: [...settled.warnings, ...idle],
    place,
    state,
    shipped,
    wanted: wish.wanted,
    merged,
  };
}

/**
 * Merges the settings into what is on disk now.
 *
 * @param state What is on disk.
 * @param plan What was planned before.
 * @param system Randomness.
 * @returns What was wanted, and the merge.
 */
export function mergeInto(
  state: ConfigState,
  plan: Plan,
  system: Pick<System, "random">,
): Pick<Plan, "wanted" | "merged"> {
  const wish = desiredConfig(state, plan, plan.shipped);
  return { wanted: wish.wanted, merged: applyDesired(wish, state, system) };
}

/** The half of a merge that does not come from the disk's config.json. */
type DesiredConfig = Required<
  Pick<MergeInput, "shipped" | "wanted" | "rewrittenFrom">
>;

function desiredConfig(
  { text }: ConfigState,
  settled: LoadedSettings,
  shipped: string,
): DesiredConfig {
  const { version } = settled.release;
  return {
    shipped,
    wanted: wantedValues(settled, text ?? shipped),
    rewrittenFrom: (path, value) => rewrittenFrom(version, path, value),
  };
}

function applyDesired(
  wish: DesiredConfig,
  { text, memory, digest }: ConfigState,
  { random }: Pick<System, "random">,
): MergeResult {
  const generate = (): string => makeSecret(random);
  return merge({ ...wish, disk: text, memory, generate, digest });
}

function wantedValues(settled: LoadedSettings, base: string): Assignment[] {
  const { release, database, paths } = settled;
  const own = assignments(settled, {
    release: release.version,
    dataSource: database.dsn,
    adapter: database.source.adapter,
    logLocation: logFileLocation(release, paths.log),
  });
  const written = new Set(own.map(({ path }) => path));
  const document: Json = JSON.parse(base);
  const needed = mustHave(release.version)
    .filter(({ path }) =>
      !written.has(path) && valueAt(document, path) === undefined
    )
    .map(({ path, value }): Assignment => ({
      path,
      value,
      variables: ["MATTERMOST_VERSION"],
      origin: { kind: "default" },
      secret: false,
    }));
  return [...own, ...needed];
}

/** The configuration that the server's own package holds, the base of a first start. */
function shippedConfig(
  { paths, settings }: LoadedSettings,
  system: Pick<System, "uid" | "gid" | "files">,
): string {
  const { files } = system;
  let bytes: Uint8Array | undefined;
  for (const name of ["default.json", "config.json"]) {
    const path = `${paths.install}/config/${name}`;
    if (path === paths.config || !files.exists(path)) continue;
    const found = files.read(path, { follow: true });
    if (found?.bytes === undefined) continue;
    if (unsafeLinkAt(path, found.facts, { settings, system })) continue;
    bytes = found.bytes;
    break;
  }
  const text = new TextDecoder().decode(bytes);
  try {
    return isJsonObject(JSON.parse(text)) ? text : "{}";
  } catch {
    return "{}";
  }
}

/** Logins that packages ship as an example, and that lead nowhere. */
const EXAMPLE_REGEXP = /^(postgres:\/\/)?mmuser:mostest@/;

/** The data source of a config.json that was made without us. */
function diskSource({ text }: ConfigState): FoundSource | undefined {
  if (text === undefined) return undefined;
  const document: Json = JSON.parse(text);
  const adapter = valueAt(document, "SqlSettings.DriverName");
  const dsn = valueAt(document, "SqlSettings.DataSource");
  if (adapter !== "mysql" && adapter !== "postgres") return undefined;
  if (typeof dsn !== "string" || dsn === "" || EXAMPLE_REGEXP.test(dsn)) {
    return undefined;
  }
  return readable(adapter, dsn);
}

function readable(adapter: Adapter, dsn: string): FoundSource | undefined {
  try {
    const source = parseDsn(adapter, dsn);
    formatDsn(source);
    return { source, dsn: undefined };
  } catch {
    return undefined;
  }
}
