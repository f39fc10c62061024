/**
 * Converts settings to the values of config.json, for one release of the server.
 *
 * @module
 */

import type { SettingName, Settings } from "../settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import type { Origin } from "../settings/origin.ts";
import { isExplicit } from "../settings/origin.ts";
import type { Resolution } from "../settings/resolve.ts";
import type { Write } from "../settings/setting.ts";
import type { Assignment } from "./assignment.ts";
import type { Json } from "../json.ts";
import { inRange } from "../release_range.ts";

/** The facts that the values depend on besides the settings. */
export interface AssignmentContext {
  /** The installed release. */
  readonly release: string;
  /** The data source in the form of the server's driver; `undefined` keeps the one in config.json. */
  readonly dataSource: string | undefined;
  /** The product of the database. */
  readonly adapter: "mysql" | "postgres";
  /** The value of `LogSettings.FileLocation` for the release. */
  readonly logLocation: string;
}

/** A value that depends on several settings, or on settings and the context. */
interface Derived {
  readonly path: string;
  readonly from: readonly [SettingName, ...SettingName[]];
  readonly secret?: true;
  readonly value: (
    settings: Settings,
    context: AssignmentContext,
  ) => Json | undefined;
}

const DERIVED: readonly Derived[] = [
  {
    path: "SqlSettings.DriverName",
    from: ["DB_ADAPTER", "DB_HOST"],
    value: (_settings, { adapter, dataSource }) =>
      dataSource === undefined ? undefined : adapter,
  },
  {
    path: "SqlSettings.DataSource",
    from: [
      "DB_HOST",
      "DB_PORT",
      "DB_NAME",
      "DB_USER",
      "DB_PASS",
      "DB_ENCODING",
      "DB_SSL_MODE",
      "DB_SSL_CA",
    ],
    secret: true,
    value: (_settings, { dataSource }) => dataSource,
  },
  {
    path: "LogSettings.FileLocation",
    from: ["MATTERMOST_LOG_DIR"],
    value: (_settings, { logLocation }) => logLocation,
  },
  {
    path: "EmailSettings.ConnectionSecurity",
    from: ["SMTP_SECURITY", "SMTP_USER"],
    // Releases 3.4 to 4.0 send the credentials without encryption only if the security is PLAIN.
    value: ({ SMTP_SECURITY, SMTP_USER }, { release }) =>
      SMTP_SECURITY !== "NONE"
        ? SMTP_SECURITY
        : SMTP_USER !== "" && inRange(release, ">=3.4.0 <4.1.0")
        ? "PLAIN"
        : "",
  },
];

/**
 * Computes the values of config.json.
 *
 * @param resolution The settings with their origins.
 * @param context The facts that the values depend on besides the settings.
 * @returns One assignment for each key that the release reads.
 */
export function assignments(
  { settings, origins }: Pick<Resolution, "settings" | "origins">,
  context: AssignmentContext,
): Assignment[] {
  const fromRows = SETTING_NAMES.flatMap((name) =>
    rowAssignments(name, { settings, origins }, context)
  );
  const derivedValues = DERIVED.flatMap((derived): Assignment[] => {
    const { path, from, secret = false } = derived;
    const value = derived.value(settings, context);
    if (value === undefined) return [];
    return [{
      path,
      value,
      variables: from,
      origin: firstExplicit(from.map((name) => origins[name])),
      secret,
    }];
  });
  return [...fromRows, ...derivedValues];
}

/** The keys whose values depend on several settings, or on settings and the context. */
export const DERIVED_PATHS: readonly (Write & {
  readonly from: readonly SettingName[];
})[] = DERIVED;

/**
 * Tells whether settings write a key in other releases only, because it was renamed or removed.
 *
 * @param path Section and key.
 * @param release The installed release.
 * @returns Whether some setting writes the key, but not in this release.
 */
export function isObsolete(path: string, release: string): boolean {
  const writes = SETTING_NAMES.flatMap((name) => rowOf(name).writes ?? [])
    .filter((write) => write.path === path);
  return writes.length > 0 &&
    writes.every(({ releases }) =>
      releases !== undefined && !inRange(release, releases)
    );
}

function rowAssignments(
  name: SettingName,
  { settings, origins }: Pick<Resolution, "settings" | "origins">,
  { release }: AssignmentContext,
): Assignment[] {
  const { writes = [], secret = false, generated = false } = rowOf(name);
  const setting = settings[name];
  if (setting === undefined && !generated) return [];
  return writes
    .filter(({ releases }) =>
      releases === undefined || inRange(release, releases)
    )
    .flatMap(({ path, as }): Assignment[] => {
      const value = setting === undefined || as === undefined
        ? setting
        : as(setting);
      if (value === undefined && setting !== undefined) return [];
      const origin = origins[name];
      return [{
        path,
        value,
        variables: [name],
        origin: value === undefined ? { kind: "generated" } : origin,
        secret,
      }];
    });
}

function firstExplicit(origins: readonly Origin[]): Origin {
  return origins.find(isExplicit) ?? { kind: "default" };
}
