/**
 * The rules by which releases validate config.json, and warnings about values that they
 * ignore, as data.
 *
 * To add a rule, add a row here, and a valid and an invalid value to its test.
 *
 * @module
 */

import type { Json } from "../json.ts";
import type { Lookup } from "./config_keys.ts";

/** The edition of the server; `undefined` if it is unknown. */
export type Edition = "team" | "enterprise" | undefined;

/** A rule by which releases reject a value. */
export interface Rule {
  /** The name of the rule in its test. */
  readonly name: string;
  /** Section and key. */
  readonly path: string;
  /** The range of the releases that have the rule. */
  readonly releases: string;
  /** The range of those that also reject a missing key. */
  readonly neededIn?: string;
  /** Checks whether the releases accept a value. */
  holds(value: Json, config: Lookup): boolean;
  /** What they accept, to follow "must". */
  readonly must: string;
  /** The variable to set, or the step to take. */
  readonly remedy: string;
  /** Whether the value is a secret. */
  readonly secret?: boolean;
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

const ALL = ">=3.0.0";
// Up to 4.1 a missing key has Go's zero value, 0 or "". Later releases have defaults.
const PLAIN = "<4.2.0";
// The locales of 3.7 to 4.0, which do not start with any other one.
const LOCALES: readonly string[] =
  "de en es fr it ja ko nl pl pt-BR ru tr zh-CN zh-TW".split(" ");

/** The rules by which releases reject a value. */
export const RULES: readonly Rule[] = [
  {
    name: "login attempts",
    path: "ServiceSettings.MaximumLoginAttempts",
    releases: ALL,
    neededIn: PLAIN,
    holds: isPositive,
    must: "be a number above 0",
    remedy: "MATTERMOST_MAX_LOGIN_ATTEMPTS=10",
  },
  {
    name: "site URL",
    path: "ServiceSettings.SiteURL",
    releases: ">=3.3.0",
    holds: (value) => value === "" || isRequestUri(value),
    must: "be a URL with a scheme",
    remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
  },
  {
    name: "listen address, early",
    path: "ServiceSettings.ListenAddress",
    releases: "<5.2.0",
    neededIn: PLAIN,
    holds: isFilled,
    must: "not be empty",
    remedy: "MATTERMOST_PORT=8065",
  },
  {
    name: "listen address",
    path: "ServiceSettings.ListenAddress",
    releases: ">=5.2.0",
    holds: isListenAddress,
    must: "be host:port or :port with a port from 0 to 65535",
    remedy: "MATTERMOST_PORT=8065",
  },
  ...(["ReadTimeout", "WriteTimeout"] as const).map((key): Rule => ({
    name: key,
    path: `ServiceSettings.${key}`,
    releases: ">=3.6.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: `MM_SERVICESETTINGS_${key.toUpperCase()}=300`,
  })),
  {
    name: "TLS of the web server",
    path: "ServiceSettings.ConnectionSecurity",
    releases: ">=3.6.0",
    holds: isOneOf("", "TLS"),
    must: 'be "" or "TLS"',
    remedy: 'Set ServiceSettings.ConnectionSecurity to "" in config.json',
  },
  {
    name: "site name",
    path: "TeamSettings.SiteName",
    releases: ">=3.3.0",
    holds: (value) => bytes(value) <= 30,
    must: "have at most 30 bytes",
    remedy: "MATTERMOST_NAME=Mattermost",
  },
  {
    name: "site name, empty",
    path: "TeamSettings.SiteName",
    releases: ">=5.10.0 <5.20.0",
    holds: isFilled,
    must: "not be empty",
    remedy: "MATTERMOST_NAME=Mattermost",
  },
  {
    name: "users per team",
    path: "TeamSettings.MaxUsersPerTeam",
    releases: ALL,
    neededIn: PLAIN,
    holds: isPositive,
    must: "be a number above 0",
    remedy: "MATTERMOST_MAX_USERS=50",
  },
  {
    name: "channels per team",
    path: "TeamSettings.MaxChannelsPerTeam",
    releases: ">=3.5.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: "Set TeamSettings.MaxChannelsPerTeam to 2000 in config.json",
  },
  {
    name: "notifications per channel",
    path: "TeamSettings.MaxNotificationsPerChannel",
    releases: ">=3.6.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy:
      "Set TeamSettings.MaxNotificationsPerChannel to 1000 in config.json",
  },
  {
    name: "direct messages",
    path: "TeamSettings.RestrictDirectMessage",
    releases: ALL,
    holds: isOneOf("any", "team"),
    must: 'be "any" or "team"',
    remedy: "MATTERMOST_RESTRICT_DIRECT_MESSAGE=any",
  },
  {
    name: "archived channels",
    path: "TeamSettings.ExperimentalViewArchivedChannels",
    releases: ">=11.0.0",
    holds: (value) => value !== false,
    must: "not be false",
    remedy:
      "Remove TeamSettings.ExperimentalViewArchivedChannels from config.json",
  },
  {
    name: "encryption key",
    path: "SqlSettings.AtRestEncryptKey",
    releases: ALL,
    holds: isSalt,
    must: "be empty or have at least 32 bytes",
    remedy: "MATTERMOST_SECRET_KEY=<64 random letters and digits>",
    secret: true,
  },
  {
    name: "driver",
    path: "SqlSettings.DriverName",
    releases: "<11.0.0",
    neededIn: PLAIN,
    holds: isOneOf("mysql", "postgres"),
    must: 'be "mysql" or "postgres"',
    remedy: "DB_ADAPTER=mysql   # or postgres",
  },
  {
    name: "driver without MySQL",
    path: "SqlSettings.DriverName",
    releases: ">=11.0.0",
    holds: isOneOf("postgres"),
    must: 'be "postgres"',
    remedy:
      "DB_ADAPTER=postgres   # after you have migrated the data to PostgreSQL",
  },
  {
    name: "data source",
    path: "SqlSettings.DataSource",
    releases: ALL,
    neededIn: PLAIN,
    holds: isFilled,
    must: "not be empty",
    remedy: "DB_HOST=<the database's host>",
    secret: true,
  },
  ...(["MaxIdleConns", "MaxOpenConns"] as const).map((key): Rule => ({
    name: key,
    path: `SqlSettings.${key}`,
    releases: ALL,
    neededIn: PLAIN,
    holds: isPositive,
    must: "be a number above 0",
    remedy: `Set SqlSettings.${key} to ${
      key === "MaxIdleConns" ? 20 : 300
    } in config.json`,
  })),
  {
    name: "file size",
    path: "FileSettings.MaxFileSize",
    releases: ">=3.1.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: "MATTERMOST_MAX_FILE_SIZE=52428800",
  },
  {
    // Later releases may have more drivers. They report an error themselves.
    name: "file driver",
    path: "FileSettings.DriverName",
    releases: "<10.0.0",
    neededIn: PLAIN,
    holds: isOneOf("local", "amazons3"),
    must: 'be "local" or "amazons3"',
    remedy: 'Set FileSettings.DriverName to "local" in config.json',
  },
  {
    name: "file directory",
    path: "FileSettings.Directory",
    releases: ">=10.10.0",
    holds: (value) => typeof value === "string" && value === value.trim(),
    must: "not begin or end with blanks",
    remedy: 'Set FileSettings.Directory to "./data/" in config.json',
  },
  {
    name: "public link salt",
    path: "FileSettings.PublicLinkSalt",
    releases: ALL,
    neededIn: ">=3.4.0 <5.10.0",
    holds: isSalt,
    must: "be empty or have at least 32 bytes",
    remedy: "MATTERMOST_LINK_SALT=<64 random letters and digits>",
    secret: true,
  },
  ...Object.entries({
    ThumbnailWidth: 120,
    ThumbnailHeight: 100,
    PreviewWidth: 1024,
    ProfileWidth: 128,
    ProfileHeight: 128,
  }).map(([key, size]): Rule => ({
    name: key,
    path: `FileSettings.${key}`,
    releases: "<4.0.0",
    neededIn: "<4.0.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: `Set FileSettings.${key} to ${size} in config.json`,
  })),
  {
    name: "PreviewHeight",
    path: "FileSettings.PreviewHeight",
    releases: "<4.0.0",
    holds: (value) => typeof value === "number" && value >= 0,
    must: "be 0 or a number above 0",
    remedy: "Set FileSettings.PreviewHeight to 0 in config.json",
  },
  {
    name: "mail security, early",
    path: "EmailSettings.ConnectionSecurity",
    releases: "<3.4.0",
    holds: isOneOf("", "TLS", "STARTTLS"),
    must: 'be "", "TLS" or "STARTTLS"',
    remedy: "SMTP_SECURITY=STARTTLS   # or leave it out",
  },
  {
    name: "mail security",
    path: "EmailSettings.ConnectionSecurity",
    releases: ">=3.4.0",
    holds: isOneOf("", "TLS", "STARTTLS", "PLAIN"),
    must: 'be "", "TLS", "STARTTLS" or "PLAIN"',
    remedy: "SMTP_SECURITY=STARTTLS   # or leave it out",
  },
  {
    name: "invite salt",
    path: "EmailSettings.InviteSalt",
    releases: "<5.10.0",
    holds: isSalt,
    must: "be empty or have at least 32 bytes",
    remedy: "MATTERMOST_INVITE_SALT=<64 random letters and digits>",
    secret: true,
  },
  {
    name: "reset salt",
    path: "EmailSettings.PasswordResetSalt",
    releases: "<3.9.0",
    holds: isSalt,
    must: "be empty or have at least 32 bytes",
    remedy: "MATTERMOST_RESET_SALT=<64 random letters and digits>",
    secret: true,
  },
  {
    name: "batched mails without site URL, absent",
    path: "EmailSettings.EnableEmailBatching",
    releases: ">=3.4.0 <5.10.0",
    holds: (value, config) =>
      value !== true || isFilled(config("ServiceSettings.SiteURL") ?? ""),
    must: "be false as long as ServiceSettings.SiteURL is empty",
    remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
  },
  {
    // In these releases a missing site URL has a default.
    name: "batched mails without site URL",
    path: "EmailSettings.EnableEmailBatching",
    releases: ">=5.10.0",
    holds: (value, config) =>
      value !== true || config("ServiceSettings.SiteURL") !== "",
    must: "be false as long as ServiceSettings.SiteURL is empty",
    remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
  },
  {
    name: "batched mails in a cluster",
    path: "EmailSettings.EnableEmailBatching",
    releases: ">=3.4.0",
    holds: (value, config) =>
      value !== true || config("ClusterSettings.Enable") !== true,
    must: "be false when ClusterSettings.Enable is true",
    remedy: "MATTERMOST_ENABLE_EMAIL_BATCHING=false",
  },
  {
    name: "mail batch size",
    path: "EmailSettings.EmailBatchingBufferSize",
    releases: ">=3.4.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: "Set EmailSettings.EmailBatchingBufferSize to 256 in config.json",
  },
  {
    name: "mail batch interval",
    path: "EmailSettings.EmailBatchingInterval",
    releases: ">=3.4.0",
    holds: (value) => typeof value === "number" && value >= 30,
    must: "be 30 or more seconds",
    remedy: "Set EmailSettings.EmailBatchingInterval to 30 in config.json",
  },
  {
    name: "rate limit",
    path: "RateLimitSettings.PerSec",
    releases: ALL,
    neededIn: PLAIN,
    holds: isPositive,
    must: "be a number above 0",
    remedy: "MATTERMOST_RATE_LIMIT_QPS=10",
  },
  {
    name: "rate limit burst",
    path: "RateLimitSettings.MaxBurst",
    releases: ">=3.5.0",
    holds: isPositive,
    must: "be a number above 0",
    remedy: "Set RateLimitSettings.MaxBurst to 100 in config.json",
  },
  {
    name: "rate limit store",
    path: "RateLimitSettings.MemoryStoreSize",
    releases: ALL,
    neededIn: PLAIN,
    holds: isPositive,
    must: "be a number above 0",
    remedy: "MATTERMOST_RATE_LIMIT_SESSIONS=10000",
  },
  {
    name: "password length",
    path: "PasswordSettings.MinimumLength",
    releases: ">=3.6.0 <7.0.0",
    holds: (value) => typeof value === "number" && value >= 5 && value <= 64,
    must: "be a number from 5 to 64",
    remedy: "Set PasswordSettings.MinimumLength to 8 in config.json",
  },
  ...(["DefaultServerLocale", "DefaultClientLocale"] as const).map((
    key,
  ): Rule => ({
    name: key,
    path: `LocalizationSettings.${key}`,
    releases: ">=3.7.0 <4.0.3",
    holds: isLocale,
    must: `be one of ${LOCALES.join(", ")}`,
    remedy: key === "DefaultServerLocale"
      ? "MATTERMOST_SERVER_LOCALE=en"
      : "MATTERMOST_CLIENT_LOCALE=en",
  })),
  {
    // The releases in between correct the value themselves.
    name: "available locales",
    path: "LocalizationSettings.AvailableLocales",
    releases: ">=3.7.0 <4.0.3 || >=4.3.0 <5.10.0",
    holds: (value, config) =>
      typeof value === "string" && (value === "" ||
        value.includes(
          String(config("LocalizationSettings.DefaultClientLocale") ?? "en"),
        )),
    must: "contain LocalizationSettings.DefaultClientLocale, or be empty",
    remedy: "MATTERMOST_LOCALES=en,es,fr,ja,pt-BR",
  },
  {
    name: "client certificates",
    path: "ExperimentalSettings.ClientSideCertEnable",
    releases: ">=11.0.0",
    holds: (value) => value !== true,
    must: "not be true",
    remedy: "Remove ExperimentalSettings.ClientSideCertEnable from config.json",
  },
  {
    name: "image proxy",
    path: "ImageProxySettings.ImageProxyType",
    releases: ">=12.0.0",
    holds: (value, config) =>
      value !== "atmos/camo" || config("ImageProxySettings.Enable") !== true,
    must: 'not be "atmos/camo"',
    remedy: 'Set ImageProxySettings.ImageProxyType to "local" in config.json',
  },
];

/** Warnings about values that have no effect, or an unexpected one. */
export const WARNINGS: readonly Warning[] = [
  {
    name: "GitLab sign-on",
    path: "GitLabSettings.Enable",
    releases: ">=11.0.0",
    edition: "team",
    applies: (value) => value === true,
    message:
      "from 11.0 on, signing in with GitLab needs a licence, and Team Edition does not offer it",
    remedy: "Stay with 10.11, or use the Enterprise Edition with a licence",
  },
  ...(["EnableIndexing", "EnableSearching"] as const).map((key): Warning => ({
    name: `Bleve ${key}`,
    path: `BleveSettings.${key}`,
    releases: ">=11.0.0",
    applies: (value) => value === true,
    message: "release 11.0 removed the Bleve search",
    remedy: "Remove BleveSettings from config.json",
  })),
  {
    name: "no search left",
    path: "SqlSettings.DisableDatabaseSearch",
    releases: ">=11.0.0",
    applies: (value, config) =>
      value === true &&
      config("ElasticsearchSettings.EnableSearching") !== true,
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
    applies: (value) => value === false,
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
      (config("EmailSettings.EnableSMTPAuth") === false ||
        (config("EmailSettings.EnableSMTPAuth") === undefined &&
          !isFilled(config("EmailSettings.ConnectionSecurity") ?? ""))),
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
      !isFilled(config("EmailSettings.ConnectionSecurity") ?? ""),
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

function isLocale(value: Json): boolean {
  return typeof value === "string" && LOCALES.includes(value);
}

function isPositive(value: Json): boolean {
  return typeof value === "number" && value > 0;
}

function isFilled(value: Json): boolean {
  return typeof value === "string" && value !== "";
}

function isOneOf(...words: readonly string[]): (value: Json) => boolean {
  return (value) => typeof value === "string" && words.includes(value);
}

function isSalt(value: Json): boolean {
  return value === "" || bytes(value) >= 32;
}

function bytes(value: Json): number {
  return typeof value === "string" ? new TextEncoder().encode(value).length : 0;
}

/** Checks a URL or an absolute path like https://pkg.go.dev/net/url#ParseRequestURI. */
function isRequestUri(value: Json): boolean {
  if (typeof value !== "string") return false;
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(value)) return false;
  const rest = /^(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(.*)$/s.exec(value)?.[1] ?? "";
  if (rest === value && !value.startsWith("/")) return false;
  const authority = /^\/\/([^/?#]*)/.exec(rest)?.[1] ?? "";
  // The user information may contain colons, and so does an IPv6 address in brackets.
  return /^(?:[^\s@]*@)?(?:\[[0-9a-fA-F:.%]+\]|[^\s:<>"\\^`{|}[\]]*)(?::\d*)?$/
    .test(authority);
}

/** Checks a listen address like https://pkg.go.dev/net#SplitHostPort, with a numeric port. */
function isListenAddress(value: Json): boolean {
  if (typeof value !== "string") return false;
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9_.-]*):(\d{1,5})$/.exec(
    value,
  );
  return match !== null && Number(match[1]) <= 65535;
}
