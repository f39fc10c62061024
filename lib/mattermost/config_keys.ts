/**
 * The types of the keys of config.json, and how strictly a release checks them.
 *
 * @module
 */

import {
  isJsonObject,
  type Json,
  type JsonObject,
  matchingKeys,
  valueAt,
} from "../json.ts";
import { isOverridable, variableOf } from "./effective_value.ts";
import type { Release } from "./releases.ts";

/** The type of the value of a key. */
export type KeyType = "flag" | "integer" | "text" | "list";

/** Reads the value at a path; `undefined` if it is absent or `null`. */
export type Lookup = (path: string) => Json | undefined;

/** The keys whose types are checked, by section: those that settings write, and those that can stop a server. */
const KEYS: Readonly<Record<KeyType, Readonly<Record<string, string>>>> = {
  flag: {
    ServiceSettings:
      "EnableOnlyAdminIntegrations EnableCommands EnableIncomingWebhooks EnableOutgoingWebhooks EnablePostUsernameOverride EnablePostIconOverride EnableSecurityFixAlert EnableInsecureOutgoingConnections EnableCustomEmoji EnableLinkPreviews EnableEmailInvitations",
    TeamSettings:
      "EnableTeamCreation EnableUserCreation EnableOpenServer ExperimentalViewArchivedChannels",
    SqlSettings: "Trace DisableDatabaseSearch",
    LogSettings:
      "EnableConsole EnableFile ConsoleJson FileJson EnableWebhookDebugging EnableDiagnostics",
    FileSettings: "EnablePublicLink AmazonS3SSL",
    EmailSettings:
      "EnableSignUpWithEmail EnableSignInWithEmail EnableSignInWithUsername SendEmailNotifications RequireEmailVerification EnableSMTPAuth SkipServerCertificateVerification SendPushNotifications EnableEmailBatching",
    RateLimitSettings: "Enable VaryByRemoteAddr VaryByUser",
    PrivacySettings: "ShowEmailAddress ShowFullName",
    GitLabSettings: "Enable",
    ClusterSettings: "Enable",
    PluginSettings: "Enable EnableUploads",
    ExperimentalSettings: "ClientSideCertEnable",
    ImageProxySettings: "Enable",
    BleveSettings: "EnableIndexing EnableSearching",
  },
  integer: {
    ServiceSettings:
      "MaximumLoginAttempts SessionLengthWebInDays SessionLengthMobileInDays SessionLengthSSOInDays SessionLengthWebInHours SessionLengthMobileInHours SessionLengthSSOInHours SessionCacheInMinutes WebsocketPort WebsocketSecurePort ReadTimeout WriteTimeout",
    TeamSettings:
      "MaxUsersPerTeam MaxChannelsPerTeam MaxNotificationsPerChannel",
    SqlSettings: "MaxIdleConns MaxOpenConns",
    FileSettings:
      "MaxFileSize ThumbnailWidth ThumbnailHeight PreviewWidth PreviewHeight ProfileWidth ProfileHeight",
    EmailSettings: "EmailBatchingBufferSize EmailBatchingInterval",
    RateLimitSettings: "PerSec MaxBurst MemoryStoreSize",
    PasswordSettings: "MinimumLength",
  },
  text: {
    ServiceSettings:
      "SiteURL ListenAddress WebserverMode AllowCorsFrom GoogleDeveloperKey ConnectionSecurity RestrictCustomEmojiCreation AllowedUntrustedInternalConnections",
    TeamSettings: "SiteName RestrictDirectMessage RestrictCreationToDomains",
    SqlSettings: "DriverName DataSource AtRestEncryptKey",
    LogSettings: "ConsoleLevel FileLevel FileLocation",
    FileSettings:
      "DriverName Directory PublicLinkSalt AmazonS3AccessKeyId AmazonS3SecretAccessKey AmazonS3Bucket AmazonS3Region AmazonS3Endpoint",
    EmailSettings:
      "FeedbackName FeedbackEmail SMTPServer SMTPPort SMTPUsername SMTPPassword ConnectionSecurity InviteSalt PasswordResetSalt PushNotificationServer PushNotificationContents",
    RateLimitSettings: "VaryByHeader",
    SupportSettings: "SupportEmail",
    GitLabSettings:
      "Secret Id Scope AuthEndpoint TokenEndpoint UserApiEndpoint",
    LocalizationSettings:
      "DefaultServerLocale DefaultClientLocale AvailableLocales",
    PluginSettings: "Directory ClientDirectory",
    ImageProxySettings: "ImageProxyType",
    BleveSettings: "IndexDir",
  },
  list: {
    ServiceSettings: "TrustedProxyIPHeader",
    SqlSettings: "DataSourceReplicas",
  },
};

/** The type of each checked key, by section and key. */
export const KEY_TYPES: ReadonlyMap<string, ReadonlyMap<string, KeyType>> =
  keyTypes();

function keyTypes(): Map<string, Map<string, KeyType>> {
  const types = new Map<string, Map<string, KeyType>>();
  for (const type of ["flag", "integer", "text", "list"] as const) {
    for (const [section, names] of Object.entries(KEYS[type])) {
      const keys = types.get(section) ?? new Map<string, KeyType>();
      for (const name of names.split(" ")) keys.set(name, type);
      types.set(section, keys);
    }
  }
  return types;
}

/**
 * Gets the type of a key.
 *
 * @param path Section and key.
 * @returns The type; `undefined` if the key is not checked.
 */
export function keyTypeOf(path: string): KeyType | undefined {
  const dot = path.indexOf(".");
  return KEY_TYPES.get(path.slice(0, dot))?.get(path.slice(dot + 1));
}

// The texts that Go accepts: https://pkg.go.dev/strconv#ParseBool, https://pkg.go.dev/strconv#ParseInt.
const FLAG_REGEXP = /^(?:|1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/;
const TRUE_REGEXP = /^(?:1|t|T|TRUE|true|True)$/;
const INTEGER_REGEXP = /^[+-]?\d+$/;

/** How a release reads a key. */
export interface KeyReading {
  /** The type of the key. */
  readonly type: KeyType;
  /** Whether the release rejects values of another type, rather than converting them. */
  readonly strict: boolean;
}

/**
 * Checks whether the server can read a value.
 *
 * @param value The value, not `null`.
 * @param reading How the release reads the key.
 * @returns Whether it can.
 */
export function fitsType(value: Json, reading: KeyReading): boolean {
  const { type, strict } = reading;
  if (type === "list") {
    return Array.isArray(value) || (!strict && typeof value === "string");
  }
  if (typeof value === "object") return false;
  switch (type) {
    case "flag":
      return typeof value === "boolean" || (!strict &&
        (typeof value === "number" || FLAG_REGEXP.test(value)));
    case "integer":
      return typeof value === "number"
        ? Number.isInteger(value) || !strict
        : !strict &&
          (typeof value === "boolean" || INTEGER_REGEXP.test(value));
    case "text":
      return typeof value === "string" || !strict;
  }
}

/**
 * Converts a value to the type of its key, as the server does.
 *
 * @param value A value that {@linkcode fitsType}.
 * @param type The type of the key; `undefined` if the key is not checked.
 * @returns The converted value.
 */
export function convertToType(value: Json, type: KeyType | undefined): Json {
  if (typeof value === "object") return value;
  switch (type) {
    case "flag":
      return typeof value === "string"
        ? TRUE_REGEXP.test(value)
        : value === true || (typeof value === "number" && value !== 0);
    case "integer":
      return Math.trunc(Number(value));
    case "text":
      return String(value);
    default:
      return value;
  }
}

/**
 * Applies the `MM_SECTION_KEY` variables to a configuration, as the server does. Variables of
 * keys that are not checked are not applied, nor values that the server ignores silently.
 *
 * @param config The configuration on disk.
 * @param env The environment of the server.
 * @param release The release.
 * @returns The configuration with the values of the variables. Do not write it to the disk:
 * it may contain secrets of the environment.
 */
export function withOverrides(
  config: JsonObject,
  env: Readonly<Record<string, string>>,
  release: Pick<Release, "environmentOverrides" | "strictTypes">,
): JsonObject {
  if (release.environmentOverrides === "none") return config;
  // Usually there are none, and the loop over all keys is not needed.
  if (Object.keys(env).length === 0) return config;
  let result = config;
  for (const [section, keys] of KEY_TYPES) {
    for (const [key, type] of keys) {
      const path = `${section}.${key}`;
      const text = env[variableOf(path)];
      if (text === undefined) continue;
      const current = valueAt(config, path);
      if (!isOverridable(release.environmentOverrides, current)) continue;
      const value = parseVariable(text, { type, strict: release.strictTypes });
      if (value !== undefined) result = replaceKey(result, [path, value]);
    }
  }
  return result;
}

function parseVariable(text: string, reading: KeyReading): Json | undefined {
  const { type, strict } = reading;
  if (!strict || type === "text") return text;
  if (type === "list") return text.split(" ");
  return text !== "" && fitsType(text, { type, strict: false })
    ? convertToType(text, type)
    : undefined;
}

function replaceKey(
  config: JsonObject,
  [path, value]: readonly [path: string, value: Json],
): JsonObject {
  const [section = "", key = ""] = path.split(".");
  const name = matchingKeys(config, section).at(-1) ?? section;
  const current = config[name];
  const keys = isJsonObject(current) ? current : {};
  return {
    ...config,
    [name]: { ...keys, [matchingKeys(keys, key).at(-1) ?? key]: value },
  };
}
