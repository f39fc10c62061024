/**
 * One case for each row of the catalogue: a valid value, an invalid one, and the keys that it writes.
 *
 * No other test asserts what a setting writes; tests/contract/golden/config
 * records whole files. Paths and types were read in the server's source of the two
 * releases, not in the program.
 *
 * @module
 */

import type { SettingName } from "../../../lib/settings/catalogue.ts";
import type { Value } from "../../../lib/settings/kinds.ts";

/** The data source in the cases. */
export const DATA_SOURCE = "(the data source)";

/** The location of the log in the cases. */
export const LOG_LOCATION = "(the log)";

/** The values of a setting, and what it writes. */
export interface Case {
  /** A text that is no default, and its value. */
  readonly good: readonly [text: string, value: Value];
  /** A text that is refused; absent where any text is good. */
  readonly bad?: string;
  /** The keys that the valid value writes, in both 3.6.0 and 11.7.9; none if absent. */
  readonly always?: Readonly<Record<string, unknown>>;
  /** The keys for 3.6.0, if they differ. */
  readonly in36?: Readonly<Record<string, unknown>>;
  /** The keys for 11.7.9, if they differ. */
  readonly in117?: Readonly<Record<string, unknown>>;
}

/** The cases. */
export const CASES: Readonly<Record<SettingName, Case>> = {
  MATTERMOST_NAME: {
    good: ["Chat", "Chat"],
    bad: "a name of more than thirty bytes",
    always: {
      "TeamSettings.SiteName": "Chat",
      "EmailSettings.FeedbackName": "Chat",
    },
  },
  MATTERMOST_SITE_URL: {
    good: ["https://chat.example.com/team", "https://chat.example.com/team"],
    bad: "chat.example.com",
    always: { "ServiceSettings.SiteURL": "https://chat.example.com/team" },
  },
  MATTERMOST_PORT: {
    good: ["8065", 8065],
    bad: "65536",
    always: { "ServiceSettings.ListenAddress": ":8065" },
  },
  MATTERMOST_WEBSERVER_MODE: {
    good: ["disabled", "disabled"],
    bad: "zip",
    always: { "ServiceSettings.WebserverMode": "disabled" },
  },
  MATTERMOST_ENABLE_LOCAL_MODE: {
    good: ["true", true],
    bad: "maybe",
    in36: {},
    in117: { "ServiceSettings.EnableLocalMode": true },
  },
  MATTERMOST_TRUSTED_PROXY_HEADERS: {
    good: ["X-Forwarded-For, X-Real-IP", "X-Forwarded-For, X-Real-IP"],
    bad: " , ",
    in36: {},
    in117: {
      "ServiceSettings.TrustedProxyIPHeader": ["X-Forwarded-For", "X-Real-IP"],
    },
  },
  MATTERMOST_ENABLE_ALERTS: {
    good: ["false", false],
    bad: "maybe",
    always: { "ServiceSettings.EnableSecurityFixAlert": false },
  },
  MATTERMOST_ENABLE_INSECURE_CONNECTIONS: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnableInsecureOutgoingConnections": true },
  },
  MATTERMOST_CORS_DOMAINS: {
    good: [
      "https://a.example.com, http://b:80",
      "https://a.example.com, http://b:80",
    ],
    always: {
      "ServiceSettings.AllowCorsFrom": "https://a.example.com http://b:80",
    },
  },
  MATTERMOST_SEGMENT_KEY: {
    good: ["segment", "segment"],
    in36: { "ServiceSettings.SegmentDeveloperKey": "segment" },
    in117: {},
  },
  MATTERMOST_GOOGLE_KEY: {
    good: ["google", "google"],
    always: { "ServiceSettings.GoogleDeveloperKey": "google" },
  },
  DB_ADAPTER: {
    good: ["PostgreSQL", "postgres"],
    bad: "oracle",
    always: { "SqlSettings.DriverName": "postgres" },
  },
  DB_HOST: {
    good: ["db.example.com", "db.example.com"],
    bad: "db.example.com:5432",
    always: {
      "SqlSettings.DriverName": "mysql",
      "SqlSettings.DataSource": DATA_SOURCE,
    },
  },
  DB_PORT: {
    good: ["6543", 6543],
    bad: "0",
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_NAME: {
    good: ["chat", "chat"],
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_USER: {
    good: ["ann", "ann"],
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_PASS: {
    good: ['p@ss: w"rd', 'p@ss: w"rd'],
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_ENCODING: {
    good: ["utf8mb4", "utf8mb4"],
    bad: "utf8;x",
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_SSL_MODE: {
    good: ["verify-full", "verify-full"],
    bad: "maybe",
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_SSL_CA: {
    good: ["/run/ca.pem", "/run/ca.pem"],
    bad: "ca.pem",
    always: { "SqlSettings.DataSource": DATA_SOURCE },
  },
  DB_TIMEOUT: {
    good: ["5", 5],
    bad: "soon",
  },
  DB_MIGRATION_TIMEOUT: {
    good: ["0", 0],
    bad: "604801",
  },
  MATTERMOST_SECRET_KEY: {
    good: ["k".repeat(32), "k".repeat(32)],
    bad: "short",
    always: { "SqlSettings.AtRestEncryptKey": "k".repeat(32) },
  },
  MATTERMOST_LINK_SALT: {
    good: ["l".repeat(32), "l".repeat(32)],
    bad: "short",
    always: { "FileSettings.PublicLinkSalt": "l".repeat(32) },
  },
  MATTERMOST_RESET_SALT: {
    good: ["r".repeat(32), "r".repeat(32)],
    bad: "short",
    in36: { "EmailSettings.PasswordResetSalt": "r".repeat(32) },
    in117: {},
  },
  MATTERMOST_INVITE_SALT: {
    good: ["i".repeat(32), "i".repeat(32)],
    bad: "short",
    in36: { "EmailSettings.InviteSalt": "i".repeat(32) },
    in117: {},
  },
  MATTERMOST_MAX_USERS: {
    good: ["1000", 1000],
    bad: "0",
    always: { "TeamSettings.MaxUsersPerTeam": 1000 },
  },
  MATTERMOST_CREATE_TEAMS: {
    good: ["false", false],
    bad: "maybe",
    in36: { "TeamSettings.EnableTeamCreation": false },
    in117: {},
  },
  MATTERMOST_CREATE_USERS: {
    good: ["false", false],
    bad: "maybe",
    always: { "TeamSettings.EnableUserCreation": false },
  },
  MATTERMOST_OPEN_SERVER: {
    good: ["true", true],
    bad: "maybe",
    always: { "TeamSettings.EnableOpenServer": true },
  },
  MATTERMOST_USER_DOMAINS: {
    good: ["example.com", "example.com"],
    always: { "TeamSettings.RestrictCreationToDomains": "example.com" },
  },
  MATTERMOST_RESTRICT_DIRECT_MESSAGE: {
    good: ["team", "team"],
    bad: "nobody",
    always: { "TeamSettings.RestrictDirectMessage": "team" },
  },
  MATTERMOST_ENABLE_EMAIL_SIGNUP: {
    good: ["false", false],
    bad: "maybe",
    always: { "EmailSettings.EnableSignUpWithEmail": false },
  },
  MATTERMOST_EMAIL_SIGNIN: {
    good: ["false", false],
    bad: "maybe",
    always: { "EmailSettings.EnableSignInWithEmail": false },
  },
  MATTERMOST_USERNAME_SIGNIN: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.EnableSignInWithUsername": true },
  },
  MATTERMOST_MAX_LOGIN_ATTEMPTS: {
    good: ["3", 3],
    bad: "0",
    always: { "ServiceSettings.MaximumLoginAttempts": 3 },
  },
  MATTERMOST_WEB_SESSION_DAYS: {
    good: ["7", 7],
    bad: "0",
    in36: { "ServiceSettings.SessionLengthWebInDays": 7 },
    in117: { "ServiceSettings.SessionLengthWebInHours": 168 },
  },
  MATTERMOST_MOBILE_SESSION_DAYS: {
    good: ["14", 14],
    bad: "1.5",
    in36: { "ServiceSettings.SessionLengthMobileInDays": 14 },
    in117: { "ServiceSettings.SessionLengthMobileInHours": 336 },
  },
  MATTERMOST_SSO_SESSION_DAYS: {
    good: ["1", 1],
    bad: "-1",
    in36: { "ServiceSettings.SessionLengthSSOInDays": 1 },
    in117: { "ServiceSettings.SessionLengthSSOInHours": 24 },
  },
  MATTERMOST_SESSION_CACHE: {
    good: ["0", 0],
    bad: "-1",
    always: { "ServiceSettings.SessionCacheInMinutes": 0 },
  },
  MATTERMOST_ENABLE_CUSTOM_EMOJI: {
    good: ["false", false],
    bad: "maybe",
    always: { "ServiceSettings.EnableCustomEmoji": false },
  },
  MATTERMOST_ENABLE_ADMIN_INTEGRATIONS: {
    good: ["false", false],
    bad: "maybe",
    in36: { "ServiceSettings.EnableOnlyAdminIntegrations": false },
    in117: {},
  },
  MATTERMOST_ENABLE_SLASH_COMMANDS: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnableCommands": true },
  },
  MATTERMOST_ENABLE_INCOMING_WEBHOOKS: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnableIncomingWebhooks": true },
  },
  MATTERMOST_ENABLE_OUTGOING_WEBHOOKS: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnableOutgoingWebhooks": true },
  },
  MATTERMOST_WEBHOOK_OVERRIDE_USERNAME: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnablePostUsernameOverride": true },
  },
  MATTERMOST_WEBHOOK_OVERRIDE_ICON: {
    good: ["true", true],
    bad: "maybe",
    always: { "ServiceSettings.EnablePostIconOverride": true },
  },
  MATTERMOST_PUSH_SERVER: {
    good: ["https://push.example.com", "https://push.example.com"],
    bad: "ftp://push.example.com",
    always: {
      "EmailSettings.PushNotificationServer": "https://push.example.com",
    },
  },
  MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.SendPushNotifications": true },
  },
  MATTERMOST_PUSH_FULL_MESSAGE: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.PushNotificationContents": "full" },
  },
  MATTERMOST_ENABLE_EMAIL_BATCHING: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.EnableEmailBatching": true },
  },
  MATTERMOST_MAX_FILE_SIZE: {
    good: ["104857600", 104857600],
    bad: "50MB",
    always: { "FileSettings.MaxFileSize": 104857600 },
  },
  MATTERMOST_ENABLE_PUBLIC_LINKS: {
    good: ["true", true],
    bad: "maybe",
    always: { "FileSettings.EnablePublicLink": true },
  },
  MATTERMOST_FILE_DRIVER: {
    good: ["S3", "amazons3"],
    bad: "ftp",
    always: { "FileSettings.DriverName": "amazons3" },
  },
  S3_BUCKET: {
    good: ["bucket", "bucket"],
    bad: "two words",
    always: { "FileSettings.AmazonS3Bucket": "bucket" },
  },
  S3_PATH_PREFIX: {
    good: ["chat", "chat"],
    in36: {},
    in117: { "FileSettings.AmazonS3PathPrefix": "chat" },
  },
  S3_REGION: {
    good: ["eu-central-1", "eu-central-1"],
    always: { "FileSettings.AmazonS3Region": "eu-central-1" },
  },
  S3_ENDPOINT: {
    good: ["s3.example.com:9000", "s3.example.com:9000"],
    bad: "https://s3.example.com",
    always: { "FileSettings.AmazonS3Endpoint": "s3.example.com:9000" },
  },
  S3_ACCESS_KEY: {
    good: ["id", "id"],
    always: { "FileSettings.AmazonS3AccessKeyId": "id" },
  },
  S3_SECRET_KEY: {
    good: ["key", "key"],
    always: { "FileSettings.AmazonS3SecretAccessKey": "key" },
  },
  S3_SSL: {
    good: ["true", true],
    bad: "maybe",
    always: { "FileSettings.AmazonS3SSL": true },
  },
  S3_SSE: {
    good: ["true", true],
    bad: "maybe",
    in36: {},
    in117: { "FileSettings.AmazonS3SSE": true },
  },
  SMTP_HOST: {
    good: ["smtp.example.com", "smtp.example.com"],
    bad: "smtp.example.com:25",
    always: { "EmailSettings.SMTPServer": "smtp.example.com" },
  },
  SMTP_PORT: {
    good: ["2525", 2525],
    bad: "smtp",
    always: { "EmailSettings.SMTPPort": "2525" },
  },
  SMTP_USER: {
    good: ["chat@example.com", "chat@example.com"],
    in36: {
      "EmailSettings.SMTPUsername": "chat@example.com",
      "EmailSettings.ConnectionSecurity": "PLAIN",
    },
    in117: {
      "EmailSettings.SMTPUsername": "chat@example.com",
      "EmailSettings.EnableSMTPAuth": true,
      "EmailSettings.ConnectionSecurity": "",
    },
  },
  SMTP_PASS: {
    good: ["pass", "pass"],
    always: { "EmailSettings.SMTPPassword": "pass" },
  },
  SMTP_SECURITY: {
    good: ["starttls", "STARTTLS"],
    bad: "SSH",
    always: { "EmailSettings.ConnectionSecurity": "STARTTLS" },
  },
  SMTP_VERIFY_CERTIFICATE: {
    good: ["false", false],
    bad: "maybe",
    in36: {},
    in117: { "EmailSettings.SkipServerCertificateVerification": true },
  },
  SMTP_DOMAIN: {
    good: ["www.example.com", "www.example.com"],
  },
  MATTERMOST_EMAIL: {
    good: ["chat@example.com", "chat@example.com"],
    bad: "chat",
    always: { "EmailSettings.FeedbackEmail": "chat@example.com" },
  },
  MATTERMOST_SUPPORT_EMAIL: {
    good: ["help@example.com", "help@example.com"],
    bad: "help@",
    always: { "SupportSettings.SupportEmail": "help@example.com" },
  },
  MATTERMOST_EMAIL_NOTIFICATIONS: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.SendEmailNotifications": true },
  },
  MATTERMOST_EMAIL_VERIFICATION: {
    good: ["true", true],
    bad: "maybe",
    always: { "EmailSettings.RequireEmailVerification": true },
  },
  GITLAB_ENABLE: {
    good: ["true", true],
    bad: "maybe",
    always: { "GitLabSettings.Enable": true },
  },
  GITLAB_SECRET: {
    good: ["secret", "secret"],
    always: { "GitLabSettings.Secret": "secret" },
  },
  GITLAB_ID: {
    good: ["id", "id"],
    always: { "GitLabSettings.Id": "id" },
  },
  GITLAB_SCOPE: {
    good: ["read_user", "read_user"],
    always: { "GitLabSettings.Scope": "read_user" },
  },
  GITLAB_AUTH_ENDPOINT: {
    good: [
      "https://git.example.com/oauth/authorize",
      "https://git.example.com/oauth/authorize",
    ],
    bad: "/oauth/authorize",
    always: {
      "GitLabSettings.AuthEndpoint": "https://git.example.com/oauth/authorize",
    },
  },
  GITLAB_TOKEN_ENDPOINT: {
    good: [
      "https://git.example.com/oauth/token",
      "https://git.example.com/oauth/token",
    ],
    bad: "https:git",
    always: {
      "GitLabSettings.TokenEndpoint": "https://git.example.com/oauth/token",
    },
  },
  GITLAB_API_ENDPOINT: {
    good: [
      "https://git.example.com/api/v4/user",
      "https://git.example.com/api/v4/user",
    ],
    bad: "none",
    in36: {
      "GitLabSettings.UserApiEndpoint": "https://git.example.com/api/v4/user",
    },
    in117: {
      "GitLabSettings.UserAPIEndpoint": "https://git.example.com/api/v4/user",
    },
  },
  MATTERMOST_ENABLE_RATE_LIMIT: {
    good: ["true", true],
    bad: "maybe",
    always: { "RateLimitSettings.Enable": true },
  },
  MATTERMOST_RATE_LIMIT_QPS: {
    good: ["20", 20],
    bad: "0",
    always: { "RateLimitSettings.PerSec": 20 },
  },
  MATTERMOST_RATE_LIMIT_SESSIONS: {
    good: ["500", 500],
    bad: "many",
    always: { "RateLimitSettings.MemoryStoreSize": 500 },
  },
  MATTERMOST_RATE_LIMIT_BY_IP: {
    good: ["false", false],
    bad: "maybe",
    always: { "RateLimitSettings.VaryByRemoteAddr": false },
  },
  MATTERMOST_RATE_LIMIT_HEADERS: {
    good: ["X-Client", "X-Client"],
    always: { "RateLimitSettings.VaryByHeader": "X-Client" },
  },
  MATTERMOST_SHOW_EMAIL: {
    good: ["false", false],
    bad: "maybe",
    always: { "PrivacySettings.ShowEmailAddress": false },
  },
  MATTERMOST_SHOW_NAME: {
    good: ["false", false],
    bad: "maybe",
    always: { "PrivacySettings.ShowFullName": false },
  },
  MATTERMOST_SERVER_LOCALE: {
    good: ["zh_CN", "zh-CN"],
    bad: "en,de",
    in36: { "LocalizationSettings.DefaultServerLocale": "zh_CN" },
    in117: { "LocalizationSettings.DefaultServerLocale": "zh-CN" },
  },
  MATTERMOST_CLIENT_LOCALE: {
    good: ["pt-BR", "pt-BR"],
    bad: "english",
    always: { "LocalizationSettings.DefaultClientLocale": "pt-BR" },
  },
  MATTERMOST_LOCALES: {
    good: ["en, zh-TW ,de", "en,zh-TW,de"],
    bad: "en,,de",
    in36: { "LocalizationSettings.AvailableLocales": "en,zh_TW,de" },
    in117: { "LocalizationSettings.AvailableLocales": "en,zh-TW,de" },
  },
  MATTERMOST_LOG_LEVEL: {
    good: ["debug", "DEBUG"],
    bad: "loud",
    always: {
      "LogSettings.ConsoleLevel": "DEBUG",
      "LogSettings.FileLevel": "DEBUG",
    },
  },
  MATTERMOST_LOG_CONSOLE: {
    good: ["false", false],
    bad: "maybe",
    always: { "LogSettings.EnableConsole": false },
  },
  MATTERMOST_LOG_FILES: {
    good: ["false", false],
    bad: "maybe",
    always: { "LogSettings.EnableFile": false },
  },
  MATTERMOST_LOG_FORMAT: {
    good: ["json", "json"],
    bad: "xml",
    in36: {},
    in117: { "LogSettings.ConsoleJson": true, "LogSettings.FileJson": true },
  },
  DEBUG: {
    good: ["true", true],
    bad: "maybe",
  },
  DEBUG_ENTRYPOINT: {
    good: ["true", true],
    bad: "maybe",
  },
  ENTRYPOINT_LOG_FORMAT: {
    good: ["json", "json"],
    bad: "xml",
  },
  MATTERMOST_ENABLE_CLUSTER: {
    good: ["true", true],
    bad: "maybe",
    always: { "ClusterSettings.Enable": true },
  },
  MATTERMOST_CLUSTER_NAME: {
    good: ["production", "production"],
    in36: {},
    in117: { "ClusterSettings.ClusterName": "production" },
  },
  MATTERMOST_MIGRATION_DEFAULT_TEAM: {
    good: ["myteam", "myteam"],
  },
  MATTERMOST_FORCE_UPGRADE: {
    good: ["true", true],
    bad: "maybe",
  },
  MATTERMOST_VERSION: {
    good: ["10.11.3", "10.11.3"],
    bad: "latest",
  },
  MATTERMOST_EDITION: {
    good: ["enterprise", "enterprise"],
    bad: "community",
  },
  MATTERMOST_HOME: {
    good: ["/srv/", "/srv"],
    bad: "srv",
  },
  MATTERMOST_INSTALL_DIR: {
    good: ["/srv/server", "/srv/server"],
    bad: "./server",
  },
  MATTERMOST_DATA_DIR: {
    good: ["/srv/data", "/srv/data"],
    bad: "data",
    always: { "FileSettings.Directory": "/srv/data/" },
  },
  MATTERMOST_CONFIG_STORE: {
    good: ["database", "database"],
    bad: "volume",
  },
  MATTERMOST_CONF_DIR: {
    good: ["/etc/mattermost", "/etc/mattermost"],
    bad: "etc",
  },
  MATTERMOST_LOG_DIR: {
    good: ["/srv/log", "/srv/log"],
    bad: "log",
    always: { "LogSettings.FileLocation": LOG_LOCATION },
  },
  MATTERMOST_CA_DIR: {
    good: ["/srv/ca.d/", "/srv/ca.d"],
    bad: "ca.d",
  },
  MATTERMOST_UID: {
    good: ["1000", 1000],
    bad: "root",
  },
  MATTERMOST_GID: {
    good: ["1000", 1000],
    bad: "-1",
  },
};

/** The defaults of the 72 variables that the instructions of the replaced image list, in their order. */
export const SEED_DEFAULTS:
  readonly (readonly [SettingName, Value | undefined])[] = [
    ["DEBUG", false],
    ["MATTERMOST_NAME", "Mattermost"],
    ["MATTERMOST_SITE_URL", ""],
    ["MATTERMOST_WEBSERVER_MODE", "gzip"],
    ["MATTERMOST_ENABLE_EMAIL_SIGNUP", true],
    ["MATTERMOST_SECRET_KEY", undefined],
    ["MATTERMOST_RESET_SALT", undefined],
    ["MATTERMOST_INVITE_SALT", undefined],
    ["MATTERMOST_MAX_LOGIN_ATTEMPTS", 10],
    ["MATTERMOST_SEGMENT_KEY", ""],
    ["MATTERMOST_GOOGLE_KEY", ""],
    ["MATTERMOST_RESTRICT_DIRECT_MESSAGE", "any"],
    ["MATTERMOST_ENABLE_CUSTOM_EMOJI", true],
    ["MATTERMOST_ENABLE_ADMIN_INTEGRATIONS", true],
    ["MATTERMOST_ENABLE_SLASH_COMMANDS", false],
    ["MATTERMOST_ENABLE_INCOMING_WEBHOOKS", false],
    ["MATTERMOST_ENABLE_OUTGOING_WEBHOOKS", false],
    ["MATTERMOST_WEBHOOK_OVERRIDE_USERNAME", false],
    ["MATTERMOST_WEBHOOK_OVERRIDE_ICON", false],
    ["MATTERMOST_ENABLE_ALERTS", true],
    ["MATTERMOST_ENABLE_INSECURE_CONNECTIONS", false],
    ["MATTERMOST_CORS_DOMAINS", ""],
    ["MATTERMOST_WEB_SESSION_DAYS", 30],
    ["MATTERMOST_MOBILE_SESSION_DAYS", 30],
    ["MATTERMOST_SSO_SESSION_DAYS", 30],
    ["MATTERMOST_SESSION_CACHE", 10],
    ["MATTERMOST_MAX_USERS", 50],
    ["MATTERMOST_CREATE_TEAMS", true],
    ["MATTERMOST_CREATE_USERS", true],
    ["MATTERMOST_OPEN_SERVER", false],
    ["MATTERMOST_USER_DOMAINS", ""],
    ["MATTERMOST_EMAIL_SIGNIN", true],
    ["MATTERMOST_USERNAME_SIGNIN", false],
    ["MATTERMOST_ENABLE_EMAIL_BATCHING", false],
    ["MATTERMOST_PUSH_SERVER", ""],
    ["MATTERMOST_ENABLE_PUSH_NOTIFICATIONS", false],
    ["MATTERMOST_PUSH_FULL_MESSAGE", false],
    ["MATTERMOST_MAX_FILE_SIZE", 52_428_800],
    ["MATTERMOST_LINK_SALT", undefined],
    ["MATTERMOST_ENABLE_PUBLIC_LINKS", false],
    ["MATTERMOST_ENABLE_RATE_LIMIT", true],
    ["MATTERMOST_RATE_LIMIT_QPS", 10],
    ["MATTERMOST_RATE_LIMIT_SESSIONS", 10_000],
    ["MATTERMOST_RATE_LIMIT_BY_IP", true],
    ["MATTERMOST_RATE_LIMIT_HEADERS", ""],
    ["MATTERMOST_SHOW_EMAIL", true],
    ["MATTERMOST_SHOW_NAME", true],
    ["MATTERMOST_SERVER_LOCALE", "en"],
    ["MATTERMOST_CLIENT_LOCALE", "en"],
    ["MATTERMOST_LOCALES", "en,es,fr,ja,pt-BR"],
    ["DB_ADAPTER", "mysql"],
    ["DB_HOST", undefined],
    ["DB_PORT", 3306],
    ["DB_NAME", "mattermost"],
    ["DB_USER", "root"],
    ["DB_PASS", ""],
    ["SMTP_HOST", ""],
    // The instructions say "no defaults", the image had this one.
    ["SMTP_PORT", 25],
    ["SMTP_USER", ""],
    ["SMTP_PASS", ""],
    ["SMTP_SECURITY", "NONE"],
    ["MATTERMOST_EMAIL", "example@example.com"],
    ["MATTERMOST_SUPPORT_EMAIL", "support@example.com"],
    ["MATTERMOST_EMAIL_NOTIFICATIONS", false],
    ["MATTERMOST_EMAIL_VERIFICATION", false],
    ["GITLAB_SECRET", ""],
    ["GITLAB_ID", ""],
    ["GITLAB_SCOPE", ""],
    ["GITLAB_AUTH_ENDPOINT", ""],
    ["GITLAB_TOKEN_ENDPOINT", ""],
    ["GITLAB_API_ENDPOINT", ""],
    ["MATTERMOST_MIGRATION_DEFAULT_TEAM", undefined],
  ];
