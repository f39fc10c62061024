/**
 * What a configuration needs that the installed server cannot be asked, and values that it
 * accepts although they have no effect or an unexpected one, as data.
 *
 * Whether a server accepts a configuration is asked of the server itself
 * (`startup/verdict/judge.ts`). A rule is here only if that is not possible: where no server is
 * installed, for what is switched off for the question, and for what a server notices too late.
 *
 * To add a rule or a warning, add a row here, and a valid and an invalid value to its test.
 *
 * @module
 */

import { isJsonObject, type Json } from "../json.ts";
import { isFalse, isTrue } from "./effective_value.ts";

/** The edition of the server; `undefined` if it is unknown. */
export type Edition = "team" | "enterprise" | undefined;

/** Reads the value of a key that the server will use, the text of a variable included; `undefined` if it is absent. */
export type Lookup = (path: string) => Json | undefined;

/** A rule by which releases refuse a value. */
export interface Rule {
  /** The name of the rule in its test. */
  readonly name: string;
  /** Section and key. */
  readonly path: string;
  /** The range of the releases that have the rule. */
  readonly releases: string;
  /** Checks whether the releases accept a value. */
  holds(value: Json, config: Lookup): boolean;
  /** What they accept, to follow "must". */
  readonly must: string;
  /** The variable to set, or the step to take. */
  readonly remedy: string;
  /** Whether the value is not shown, because it is long or can contain secrets. */
  readonly isHidden?: true;
}

/** A warning about a value that has no effect, or an unexpected one. */
export interface Warning {
  /** The name of the warning in its test. */
  readonly name: string;
  /** Section and key. */
  readonly path: string;
  /** The range of the affected releases. */
  readonly releases: string;
  /** The affected edition, by default all. An unknown edition counts as Team Edition. */
  readonly edition?: "team";
  /** Checks whether the warning applies to a value. */
  applies(value: Json, config: Lookup): boolean;
  /** The actual effect, to follow a colon. */
  readonly message: string;
  /** The variable to set, or the step to take. */
  readonly remedy?: string;
}

// The levels of https://github.com/mattermost/logr, in any letter case.
const LEVELS = [
  "panic",
  "fatal",
  "error",
  "warn",
  "info",
  "debug",
  "trace",
  "stdlog",
];

/** The kinds of targets of an advanced log: https://docs.mattermost.com/manage/logging.html */
const LOG_TARGETS = ["console", "file", "syslog", "tcp", "none"];

/** The rules by which releases refuse a value. */
export const RULES: readonly Rule[] = [
  {
    // For a machine without a server. Where there is one, the upgrade rules know the way.
    name: "driver without MySQL",
    path: "SqlSettings.DriverName",
    releases: ">=11.0.0",
    holds: (value) => value !== "mysql",
    must: 'be "postgres"',
    remedy:
      "DB_ADAPTER=postgres   # after you have migrated the data to PostgreSQL",
  },
  ...(["ConsoleLevel", "FileLevel"] as const).map((key): Rule => ({
    // Replaced for the question. Releases 6.x lose their log, and later ones do not start.
    name: key,
    path: `LogSettings.${key}`,
    releases: ">=6.0.0",
    holds: (value) => LEVELS.includes(String(value).toLowerCase()),
    must: `be one of ${LEVELS.join(", ")}`,
    remedy: `MM_LOGSETTINGS_${key.toUpperCase()}=INFO`,
  })),
  ...(["LogSettings", "ExperimentalAuditSettings"] as const).map((
    section,
  ): Rule => ({
    // Switched off for the question, because its targets are other systems.
    name: `advanced log of ${section}`,
    path: `${section}.AdvancedLoggingJSON`,
    releases: ">=8.0.0",
    holds: isAdvancedLog,
    must: `be a JSON object of targets with a type, one of ${
      LOG_TARGETS.join(", ")
    }`,
    remedy: `Correct ${section}.AdvancedLoggingJSON, or remove it`,
    isHidden: true,
  })),
  {
    // A cluster is switched off for the question.
    name: "batched mails in a cluster",
    path: "EmailSettings.EnableEmailBatching",
    releases: ">=3.4.0",
    holds: (value, config) =>
      !isTrue(value) || !isTrue(config("ClusterSettings.Enable")),
    must: "be false when ClusterSettings.Enable is true",
    remedy: "MATTERMOST_ENABLE_EMAIL_BATCHING=false",
  },
];

/** Warnings about values that have no effect, or an unexpected one. */
export const WARNINGS: readonly Warning[] = [
  {
    name: "GitLab sign-on",
    path: "GitLabSettings.Enable",
    releases: ">=11.0.0",
    edition: "team",
    applies: isTrue,
    message:
      "from 11.0 on, signing in with GitLab needs a licence, and Team Edition does not offer it",
    remedy: "Stay with 10.11, or use the Enterprise Edition with a licence",
  },
  ...(["EnableIndexing", "EnableSearching"] as const).map((key): Warning => ({
    name: `Bleve ${key}`,
    path: `BleveSettings.${key}`,
    releases: ">=11.0.0",
    applies: isTrue,
    message: "release 11.0 removed the Bleve search",
    remedy: "Remove BleveSettings from config.json",
  })),
  {
    name: "no search left",
    path: "SqlSettings.DisableDatabaseSearch",
    releases: ">=11.0.0",
    applies: (value, config) =>
      isTrue(value) && !isTrue(config("ElasticsearchSettings.EnableSearching")),
    message:
      "without Bleve, which 11.0 removed, and without Elasticsearch, searches find nothing",
    remedy: "Set SqlSettings.DisableDatabaseSearch to false in config.json",
  },
  {
    name: "rate limit by header, ignored",
    path: "RateLimitSettings.VaryByHeader",
    releases: ">=3.5.0 <4.7.0",
    applies: isFilled,
    message: "releases 3.5 to 4.6 ignore it and limit by the client's address",
  },
  {
    name: "rate limit by address, ignored",
    path: "RateLimitSettings.VaryByRemoteAddr",
    releases: ">=3.5.0 <4.7.0",
    applies: isFalse,
    message: "releases 3.5 to 4.6 ignore it and limit by the client's address",
  },
  {
    name: "rate limit by several headers",
    path: "RateLimitSettings.VaryByHeader",
    releases: ">=4.7.0",
    applies: (value) => typeof value === "string" && /[\s,]/.test(value.trim()),
    message: "from 4.7 on, it must be the name of a single header",
    remedy: "MATTERMOST_RATE_LIMIT_HEADERS=X-Forwarded-For",
  },
  {
    name: "rate limit behind a proxy",
    path: "RateLimitSettings.Enable",
    releases: ">=5.12.0",
    applies: (value, config) =>
      isTrue(value) && !isFalse(config("RateLimitSettings.VaryByRemoteAddr")) &&
      String(config("ServiceSettings.SiteURL")).startsWith("https:") &&
      config("ServiceSettings.ConnectionSecurity") !== "TLS" &&
      [config("ServiceSettings.TrustedProxyIPHeader") ?? ""].flat().join("") ===
        "",
    message:
      "all users share one limit, because the server sees only the address of the proxy that encrypts the connections to the site URL",
    remedy:
      "MATTERMOST_TRUSTED_PROXY_HEADERS=X-Forwarded-For   # or MATTERMOST_ENABLE_RATE_LIMIT=false",
  },
  {
    name: "rate limit, old name",
    path: "RateLimitSettings.EnableRateLimiter",
    releases: ">=3.5.0",
    applies: () => true,
    message: "from 3.5 on, the name of the key is RateLimitSettings.Enable",
    remedy: "Remove RateLimitSettings.EnableRateLimiter from config.json",
  },
  {
    name: "mail credentials unused",
    path: "EmailSettings.SMTPUsername",
    releases: ">=4.1.0",
    applies: (value, config) =>
      isFilled(value) &&
      (isFalse(config("EmailSettings.EnableSMTPAuth")) ||
        (config("EmailSettings.EnableSMTPAuth") === undefined &&
          !isFilled(config("EmailSettings.ConnectionSecurity")))),
    message:
      "the server does not use it unless EmailSettings.EnableSMTPAuth is true",
    remedy: "Set EmailSettings.EnableSMTPAuth to true in config.json",
  },
  {
    name: "mail credentials unused, early",
    path: "EmailSettings.SMTPUsername",
    releases: "<4.1.0",
    applies: (value, config) =>
      isFilled(value) &&
      !isFilled(config("EmailSettings.ConnectionSecurity")),
    message:
      "the server does not use it unless EmailSettings.ConnectionSecurity is set",
    remedy:
      "SMTP_SECURITY=STARTTLS   # or on 3.4 to 4.0, for a connection without TLS, PLAIN",
  },
  {
    name: "log file instead of a directory",
    path: "LogSettings.FileLocation",
    releases: ">=3.8.0",
    applies: (value) => typeof value === "string" && value.endsWith(".log"),
    message:
      "from 3.8 on, it must be a directory, and from 4.2 on, the server does not start if it is a file",
    remedy:
      "Set LogSettings.FileLocation to the directory of the file in config.json",
  },
  {
    name: "log directory without slash",
    path: "LogSettings.FileLocation",
    releases: ">=3.8.0 <4.2.0",
    applies: (value) =>
      typeof value === "string" && value !== "" && !value.endsWith("/") &&
      !value.endsWith(".log"),
    message:
      "releases 3.8 to 4.1 append the name of the file without adding a slash",
    remedy: "Add a slash to the end of LogSettings.FileLocation in config.json",
  },
  {
    name: "emoji restriction",
    path: "ServiceSettings.RestrictCustomEmojiCreation",
    releases: ">=3.2.0 <6.0.0",
    applies: (value) => value === "",
    message: "an empty value is invalid, and releases 5.x log an error",
    remedy:
      'Set ServiceSettings.RestrictCustomEmojiCreation to "all" in config.json',
  },
  {
    name: "image proxy, soon refused",
    path: "ImageProxySettings.ImageProxyType",
    releases: ">=11.0.0",
    applies: (value) => value === "atmos/camo",
    message: "12.0 and later do not start with atmos/camo",
    remedy: 'Set ImageProxySettings.ImageProxyType to "local" in config.json',
  },
];

/** A key that old releases need in config.json. */
export interface NeededKey {
  /** Section and key. */
  readonly path: string;
  /** The value in the releases' own default configuration. */
  readonly value: Json;
  /** The range of the releases that need it. */
  readonly releases: string;
}

/** Keys that no setting writes, for releases without a default configuration. */
export const NEEDED_KEYS: readonly NeededKey[] = [
  { path: "SqlSettings.MaxIdleConns", value: 10, releases: "<3.2.0" },
  { path: "SqlSettings.MaxOpenConns", value: 10, releases: "<3.2.0" },
  { path: "SqlSettings.MaxIdleConns", value: 20, releases: ">=3.2.0 <4.2.0" },
  { path: "SqlSettings.MaxOpenConns", value: 300, releases: ">=3.2.0 <4.2.0" },
  { path: "FileSettings.DriverName", value: "local", releases: "<5.10.0" },
  { path: "FileSettings.Directory", value: "./data/", releases: "<5.10.0" },
  // With an empty value, the server generates one; without the key, it does not start.
  {
    path: "FileSettings.PublicLinkSalt",
    value: "",
    releases: ">=3.4.0 <5.10.0",
  },
  { path: "FileSettings.ThumbnailWidth", value: 120, releases: "<4.0.0" },
  { path: "FileSettings.ThumbnailHeight", value: 100, releases: "<4.0.0" },
  { path: "FileSettings.PreviewWidth", value: 1024, releases: "<4.0.0" },
  { path: "FileSettings.PreviewHeight", value: 0, releases: "<4.0.0" },
  { path: "FileSettings.ProfileWidth", value: 128, releases: "<4.0.0" },
  { path: "FileSettings.ProfileHeight", value: 128, releases: "<4.0.0" },
  {
    path: "ServiceSettings.RestrictCustomEmojiCreation",
    value: "all",
    releases: ">=3.2.0 <6.0.0",
  },
  { path: "LogSettings.EnableConsole", value: true, releases: "<5.10.0" },
  { path: "LogSettings.ConsoleLevel", value: "INFO", releases: "<5.10.0" },
  { path: "LogSettings.EnableFile", value: true, releases: "<5.10.0" },
  { path: "LogSettings.FileLevel", value: "INFO", releases: "<5.10.0" },
];

function isFilled(value: Json | undefined): boolean {
  return typeof value === "string" && value !== "";
}

/** Checks an advanced log, an object in config.json or a JSON text in a variable. */
function isAdvancedLog(value: Json): boolean {
  if (value === "") return true;
  let targets: unknown = value;
  try {
    if (typeof value === "string") targets = JSON.parse(value);
  } catch {
    return false;
  }
  return isJsonObject(targets) &&
    Object.values(targets).every((target) =>
      isJsonObject(target) && LOG_TARGETS.includes(String(target["type"]))
    );
}
