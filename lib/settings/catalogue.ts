/**
 * The catalogue of settings, one row for each, and the only place where a setting is declared.
 *
 * Everything else follows from a row: the `_FILE` variable, the checks, the
 * `Settings` type, config.json, redaction, spelling suggestions, `app:help`,
 * `docs/settings.md` and `env.example`. To add a setting, add a row and run
 * `deno task generate`. 72 variables keep the names, defaults and meanings that
 * they have in the image that this one replaces. Paths and release ranges come
 * from the server's source (`model/config.go` of each release).
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../default_release.ts";
import { inRange } from "../release_range.ts";
import type { Kind, Value } from "./kinds.ts";
import {
  choice,
  email,
  flag,
  headers,
  host,
  integer,
  locale,
  locales,
  path,
  port,
  text,
  url,
  words,
} from "./kinds.ts";
import type { DefaultRule, NoEffect, Setting, TypedWrite } from "./setting.ts";
import { at, defaultRule, setting } from "./setting.ts";

/** The minimum length, in bytes, of a secret that the server accepts. */
export const MIN_SECRET_BYTES = 32;

const SECRET_DETAILS =
  "If it is not set, a random value is generated at the first start and kept in config.json, so back that file up. `app:secrets` generates all four secrets.";

const PERMISSION_NOTE =
  "since 4.9 roles and their permissions control this (System Console > Permissions, or `mmctl permissions`); releases 4.9 to 5.39 read the setting once, at the first start on a new database";

/** Every setting, by the name of its variable. */
export const CATALOGUE = {
  // Server
  MATTERMOST_NAME: setting({
    group: "Server",
    summary:
      "The name of the site, shown on the sign-in page and in the user interface.",
    details: "Emails from the server carry it as the sender's name.",
    kind: text({ maxBytes: 30 }),
    fallback: "Mattermost",
    writes: [at("TeamSettings.SiteName"), at("EmailSettings.FeedbackName")],
  }),
  MATTERMOST_SITE_URL: setting({
    group: "Server",
    summary: "The URL that users enter to reach the server.",
    details:
      "The server needs it for links in emails, for email batching, for integrations and for signing in with GitLab. With a path (`https://example.com/chat`) the server changes the files of its web client when it starts, so the root file system must not be read-only.",
    kind: url(),
    fallback: "",
    example: "https://chat.example.com",
    writes: [at("ServiceSettings.SiteURL", { releases: ">=3.3.0" })],
  }),
  MATTERMOST_PORT: setting({
    group: "Server",
    summary: "The TCP port that the server listens on inside the container.",
    details:
      "A value such as `tcp://10.0.0.5:80`, which Docker links and Kubernetes set for a service named mattermost, is ignored.",
    kind: port(),
    fallback: 80,
    writes: [
      at("ServiceSettings.ListenAddress", {
        as: (port) => `:${port}`,
      }),
    ],
  }),
  MATTERMOST_WEBSERVER_MODE: setting({
    group: "Server",
    summary: "How the server delivers static files.",
    details:
      "`gzip` compresses them, `uncompressed` does not, and with `disabled` the server does not deliver them at all.",
    kind: choice(["gzip", "uncompressed", "disabled"], { regular: "gzip" }),
    fallback: "gzip",
    writes: [at("ServiceSettings.WebserverMode")],
  }),
  MATTERMOST_ENABLE_LOCAL_MODE: setting({
    group: "Server",
    summary:
      "Let `mmctl --local` manage the server through a unix socket in the container.",
    details:
      "No login is needed: whoever can run commands in the container manages the server, for example with `docker compose exec mattermost mmctl --local user list`. If it is not set, the value in config.json stays, which is `false` at first.",
    kind: flag(),
    writes: [at("ServiceSettings.EnableLocalMode", { releases: ">=5.24.0" })],
    noEffect: [{
      releases: "<5.24.0",
      why: "releases up to 5.23 have no local mode",
    }],
  }),
  MATTERMOST_TRUSTED_PROXY_HEADERS: setting({
    group: "Server",
    summary:
      "HTTP headers from which the server takes the IP address of a client.",
    details:
      "Separate several names with commas. Set this only if a reverse proxy overwrites these headers, because clients can forge them. If it is not set, releases from 5.12 on take the address of the connection, which behind a proxy is the proxy's address.",
    kind: headers(),
    example: "X-Forwarded-For,X-Real-IP",
    writes: [
      at("ServiceSettings.TrustedProxyIPHeader", {
        releases: ">=5.12.0",
        as: words,
      }),
    ],
    noEffect: [{
      releases: "<5.12.0",
      why: "releases up to 5.11 always trust X-Forwarded-For and X-Real-IP",
    }],
  }),
  MATTERMOST_ENABLE_ALERTS: setting({
    group: "Server",
    summary:
      "Email the system administrators when Mattermost announces a security fix.",
    kind: flag(),
    fallback: true,
    writes: [at("ServiceSettings.EnableSecurityFixAlert")],
  }),
  MATTERMOST_ENABLE_INSECURE_CONNECTIONS: setting({
    group: "Server",
    summary:
      "Accept self-signed certificates on the server's outgoing HTTPS connections.",
    details:
      "For the mail server, use `SMTP_VERIFY_CERTIFICATE`. To trust a certificate authority of your own, use `MATTERMOST_CA_DIR`.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableInsecureOutgoingConnections")],
  }),
  MATTERMOST_CORS_DOMAINS: setting({
    group: "Server",
    summary:
      "Origins that may send cross-origin HTTP requests (CORS) to the server.",
    details:
      "Separate full origins with spaces or commas, such as `https://a.example.com https://b.example.com`. `*` allows every origin. By default no other origin is allowed.",
    kind: text(),
    fallback: "",
    example: "https://app.example.com",
    // The server splits the value at spaces only.
    writes: [
      at("ServiceSettings.AllowCorsFrom", {
        as: (origins) => words(origins).join(" "),
      }),
    ],
  }),
  MATTERMOST_SEGMENT_KEY: setting({
    group: "Server",
    summary: "The Segment API key for usage metrics.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [at("ServiceSettings.SegmentDeveloperKey", { releases: "<3.7.0" })],
    noEffect: [{
      releases: ">=3.7.0",
      why: "removed in 3.7.0 without a replacement",
    }],
  }),
  MATTERMOST_GOOGLE_KEY: setting({
    group: "Server",
    summary: "The Google API key for previews of YouTube videos.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [
      at("ServiceSettings.GoogleDeveloperKey"),
      // From 5.12 on, video previews need link previews, which are off by default before 5.24.
      at("ServiceSettings.EnableLinkPreviews", {
        releases: ">=5.12.0 <5.24.0",
        as: (key) => key === "" ? undefined : true,
      }),
    ],
  }),

  // Database
  DB_ADAPTER: setting({
    group: "Database",
    summary:
      "The database product: `mysql`, which includes MariaDB, or `postgres`.",
    kind: choice(["mysql", "postgres"], {
      mariadb: "mysql",
      mysql2: "mysql",
      postgresql: "postgres",
      pgsql: "postgres",
    }),
    fallback: defaultRule(
      "the product of a Docker link or service name, otherwise `mysql` for releases before 11 and `postgres` from 11 on",
      () => undefined,
    ),
    example: "postgres",
  }),
  DB_HOST: setting({
    group: "Database",
    summary: "The host name or IP address of the database server.",
    details:
      "An absolute path selects a Unix socket: for PostgreSQL it is the directory of the socket, for MySQL the socket itself.",
    kind: host(),
    fallback: defaultRule(
      "the address of a Docker link, otherwise a service name that resolves: `mysql`, `postgres`, `mariadb`, `postgresql` or `db`",
      () => undefined,
    ),
    example: "db.example.com",
  }),
  DB_PORT: setting({
    group: "Database",
    summary: "The TCP port of the database server.",
    kind: port(),
    fallback: defaultRule(
      "`3306` for MySQL, `5432` for PostgreSQL",
      ({ value }) => value("DB_ADAPTER") === "postgres" ? 5432 : 3306,
    ),
    example: "5432",
  }),
  DB_NAME: setting({
    group: "Database",
    summary: "The name of the database.",
    kind: text(),
    fallback: "mattermost",
  }),
  DB_USER: setting({
    group: "Database",
    summary: "The name of the database user.",
    kind: text(),
    fallback: defaultRule(
      "`root` for MySQL, `mattermost` for PostgreSQL",
      ({ value }) => value("DB_ADAPTER") === "postgres" ? "mattermost" : "root",
    ),
    example: "mattermost",
  }),
  DB_PASS: setting({
    group: "Database",
    summary: "The password of the database user.",
    details: "Every character is allowed, and none needs to be escaped.",
    kind: text(),
    fallback: "",
    secret: true,
  }),
  DB_ENCODING: setting({
    group: "Database",
    summary:
      "The character sets that a MySQL connection requests, in order of preference.",
    details: "Separate the names with commas. PostgreSQL ignores this setting.",
    kind: text({
      form: [/^[\w,]+$/, "names of character sets, separated by commas"],
    }),
    fallback: "utf8mb4,utf8",
  }),
  DB_SSL_MODE: setting({
    group: "Database",
    summary:
      "Whether the database connection is encrypted, and what is verified.",
    details:
      "`disable` does not encrypt. `require` encrypts without verifying the server. `verify-ca` also verifies the server's certificate, and `verify-full` also verifies that the certificate is for `DB_HOST`.",
    kind: choice(["disable", "require", "verify-ca", "verify-full"]),
    fallback: "disable",
  }),
  DB_SSL_CA: setting({
    group: "Database",
    summary:
      "A file with the certificate authorities that may issue the database's certificate.",
    details:
      "The file is in PEM format. By default the system's certificate authorities are used.",
    kind: path(),
    fallback: "",
    example: "/run/secrets/db_ca.pem",
  }),
  DB_TIMEOUT: setting({
    group: "Database",
    summary: "The number of seconds to wait for the database at startup.",
    details:
      "Errors that can pass by themselves, such as a refused connection, are retried until then. Wrong credentials end the wait after a few seconds.",
    kind: integer(0, 86_400),
    fallback: 60,
  }),
  DB_MIGRATION_TIMEOUT: setting({
    group: "Database",
    summary:
      "The number of seconds to wait while another container migrates the database.",
    details:
      "A container that waits says every minute which session of the database holds the lock, and ends with code 69 after that time. A migration has no time limit itself.",
    kind: integer(0, 604_800),
    fallback: 3600,
  }),

  // Secrets
  MATTERMOST_SECRET_KEY: setting({
    group: "Secrets",
    summary: "The key that encrypts sensitive fields in the database.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: MIN_SECRET_BYTES }),
    secret: true,
    generated: true,
    writes: [at("SqlSettings.AtRestEncryptKey")],
  }),
  MATTERMOST_LINK_SALT: setting({
    group: "Secrets",
    summary: "The salt that signs public links to files.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: MIN_SECRET_BYTES }),
    secret: true,
    generated: true,
    writes: [at("FileSettings.PublicLinkSalt")],
  }),
  MATTERMOST_RESET_SALT: setting({
    group: "Secrets",
    summary: "The salt that signs the links in password reset emails.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: MIN_SECRET_BYTES }),
    secret: true,
    generated: true,
    writes: [at("EmailSettings.PasswordResetSalt", { releases: "<3.9.0" })],
  }),
  MATTERMOST_INVITE_SALT: setting({
    group: "Secrets",
    summary: "The salt that signs the links in email invitations.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: MIN_SECRET_BYTES }),
    secret: true,
    generated: true,
    writes: [at("EmailSettings.InviteSalt", { releases: "<5.10.0" })],
  }),

  // Teams and users
  MATTERMOST_MAX_USERS: setting({
    group: "Teams and users",
    summary: "The maximum number of users in a team.",
    details:
      "From Mattermost 11 on, Team Edition also limits the users of the whole server to 250.",
    kind: integer(1),
    fallback: 50,
    writes: [at("TeamSettings.MaxUsersPerTeam")],
  }),
  MATTERMOST_CREATE_TEAMS: setting({
    group: "Teams and users",
    summary: "Allow all users to create teams.",
    kind: flag(),
    fallback: true,
    writes: [at("TeamSettings.EnableTeamCreation", { releases: "<6.0.0" })],
    noEffect: [{ releases: ">=4.9.0", why: PERMISSION_NOTE }],
  }),
  MATTERMOST_CREATE_USERS: setting({
    group: "Teams and users",
    summary: "Allow people to create accounts.",
    kind: flag(),
    fallback: true,
    writes: [at("TeamSettings.EnableUserCreation")],
  }),
  MATTERMOST_OPEN_SERVER: setting({
    group: "Teams and users",
    summary: "Allow people to create accounts without an invitation.",
    kind: flag(),
    fallback: false,
    writes: [at("TeamSettings.EnableOpenServer")],
  }),
  MATTERMOST_USER_DOMAINS: setting({
    group: "Teams and users",
    summary: "Allow accounts only for email addresses in these domains.",
    details:
      "Separate several domains with commas or spaces. By default every domain is allowed.",
    kind: text(),
    fallback: "",
    example: "example.com,example.org",
    writes: [at("TeamSettings.RestrictCreationToDomains")],
  }),
  MATTERMOST_RESTRICT_DIRECT_MESSAGE: setting({
    group: "Teams and users",
    summary:
      "Who can receive a direct message: `any` user of the server, or `team` members only.",
    kind: choice(["any", "team"]),
    fallback: "any",
    writes: [at("TeamSettings.RestrictDirectMessage")],
  }),

  // Sign-in and sessions
  MATTERMOST_ENABLE_EMAIL_SIGNUP: setting({
    group: "Sign-in and sessions",
    summary:
      "Allow people to create accounts with an email address and a password.",
    kind: flag(),
    fallback: true,
    writes: [at("EmailSettings.EnableSignUpWithEmail")],
  }),
  MATTERMOST_EMAIL_SIGNIN: setting({
    group: "Sign-in and sessions",
    summary: "Allow users to sign in with their email address.",
    kind: flag(),
    fallback: true,
    writes: [at("EmailSettings.EnableSignInWithEmail")],
  }),
  MATTERMOST_USERNAME_SIGNIN: setting({
    group: "Sign-in and sessions",
    summary: "Allow users to sign in with their username.",
    kind: flag(),
    fallback: false,
    writes: [at("EmailSettings.EnableSignInWithUsername")],
  }),
  MATTERMOST_MAX_LOGIN_ATTEMPTS: setting({
    group: "Sign-in and sessions",
    summary:
      "The number of failed sign-ins after which a user must reset the password.",
    kind: integer(1),
    fallback: 10,
    writes: [at("ServiceSettings.MaximumLoginAttempts")],
  }),
  MATTERMOST_WEB_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary:
      "The number of days after which a session in a web client expires.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("Web"),
  }),
  MATTERMOST_MOBILE_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary:
      "The number of days after which a session in a mobile client expires.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("Mobile"),
  }),
  MATTERMOST_SSO_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary:
      "The number of days after which a session from single sign-on expires.",
    details: "Signing in with GitLab is single sign-on.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("SSO"),
  }),
  MATTERMOST_SESSION_CACHE: setting({
    group: "Sign-in and sessions",
    summary:
      "The number of minutes for which the server caches a session in memory.",
    kind: integer(0),
    fallback: 10,
    writes: [at("ServiceSettings.SessionCacheInMinutes")],
  }),

  // Integrations
  MATTERMOST_ENABLE_CUSTOM_EMOJI: setting({
    group: "Integrations",
    summary: "Allow users to create custom emoji.",
    kind: flag(),
    fallback: true,
    writes: [at("ServiceSettings.EnableCustomEmoji", { releases: ">=3.2.0" })],
    noEffect: [{ releases: "<3.2.0", why: "custom emoji were added in 3.2.0" }],
  }),
  MATTERMOST_ENABLE_ADMIN_INTEGRATIONS: setting({
    group: "Integrations",
    summary: "Allow only administrators to add integrations.",
    details: "With `false`, every user can add them.",
    kind: flag(),
    fallback: true,
    writes: [
      at("ServiceSettings.EnableOnlyAdminIntegrations", { releases: "<6.0.0" }),
    ],
    noEffect: [{ releases: ">=4.9.0", why: PERMISSION_NOTE }],
  }),
  MATTERMOST_ENABLE_SLASH_COMMANDS: setting({
    group: "Integrations",
    summary: "Allow users to create custom slash commands.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableCommands")],
  }),
  MATTERMOST_ENABLE_INCOMING_WEBHOOKS: setting({
    group: "Integrations",
    summary:
      "Allow incoming webhooks, with which other programs post messages.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableIncomingWebhooks")],
  }),
  MATTERMOST_ENABLE_OUTGOING_WEBHOOKS: setting({
    group: "Integrations",
    summary: "Allow outgoing webhooks, which send messages to other programs.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableOutgoingWebhooks")],
  }),
  MATTERMOST_WEBHOOK_OVERRIDE_USERNAME: setting({
    group: "Integrations",
    summary: "Allow webhooks to set the username that their posts show.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnablePostUsernameOverride")],
  }),
  MATTERMOST_WEBHOOK_OVERRIDE_ICON: setting({
    group: "Integrations",
    summary: "Allow webhooks to set the profile picture that their posts show.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnablePostIconOverride")],
  }),

  // Notifications
  MATTERMOST_PUSH_SERVER: setting({
    group: "Notifications",
    summary: "The URL of the push notification service for the mobile apps.",
    kind: url(),
    fallback: "",
    example: "https://push.example.com",
    writes: [at("EmailSettings.PushNotificationServer")],
  }),
  MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: setting({
    group: "Notifications",
    summary: "Send push notifications to the mobile apps.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `MATTERMOST_PUSH_SERVER` is set",
      ({ isSet }) => isSet("MATTERMOST_PUSH_SERVER"),
    ),
    writes: [at("EmailSettings.SendPushNotifications")],
  }),
  MATTERMOST_PUSH_FULL_MESSAGE: setting({
    group: "Notifications",
    summary: "Include the text of the message in push notifications.",
    details:
      "With `false`, a notification names only the sender and the channel.",
    kind: flag(),
    fallback: false,
    writes: [
      at("EmailSettings.PushNotificationContents", {
        as: (full) => full ? "full" : "generic",
      }),
    ],
  }),
  MATTERMOST_ENABLE_EMAIL_BATCHING: setting({
    group: "Notifications",
    summary: "Combine several email notifications for a user into one email.",
    details: "It needs `MATTERMOST_SITE_URL`, and does not work in a cluster.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `MATTERMOST_SITE_URL` is set, `MATTERMOST_EMAIL_NOTIFICATIONS` is `true` and `MATTERMOST_ENABLE_CLUSTER` is `false`",
      ({ value, isSet }) =>
        isSet("MATTERMOST_SITE_URL") &&
        value("MATTERMOST_EMAIL_NOTIFICATIONS") === true &&
        value("MATTERMOST_ENABLE_CLUSTER") !== true,
    ),
    writes: [at("EmailSettings.EnableEmailBatching", { releases: ">=3.4.0" })],
    noEffect: [{
      releases: "<3.4.0",
      why: "email batching was added in 3.4.0",
    }],
  }),

  // Files
  MATTERMOST_MAX_FILE_SIZE: setting({
    group: "Files",
    summary: "The maximum size of an uploaded file, in bytes.",
    details: "The default is 50 MiB.",
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    fallback: 52_428_800,
    writes: [at("FileSettings.MaxFileSize", { releases: ">=3.1.0" })],
    noEffect: [{ releases: "<3.1.0", why: "the limit was added in 3.1.0" }],
  }),
  MATTERMOST_ENABLE_PUBLIC_LINKS: setting({
    group: "Files",
    summary: "Allow users to create public links to files.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `MATTERMOST_LINK_SALT` is set",
      ({ isSet }) => isSet("MATTERMOST_LINK_SALT"),
    ),
    writes: [at("FileSettings.EnablePublicLink")],
  }),
  MATTERMOST_FILE_DRIVER: setting({
    group: "Files",
    summary:
      "Where the server stores uploaded files: `local`, `amazons3` or `azureblob`.",
    details:
      "`local` is `MATTERMOST_DATA_DIR`, and `amazons3` is the bucket `S3_BUCKET`. `azureblob` is Azure Blob Storage, from Mattermost 11.9 on: set `MM_FILESETTINGS_AZURESTORAGEACCOUNT` and `MM_FILESETTINGS_AZURECONTAINER`, and either `MM_FILESETTINGS_AZUREACCESSKEY` or another `MM_FILESETTINGS_AZUREAUTHMODE`. Files that are already stored elsewhere are not moved.",
    kind: choice(["local", "amazons3", "azureblob"], { s3: "amazons3" }),
    fallback: defaultRule(
      "`amazons3` if `S3_BUCKET` is set, otherwise `local`",
      ({ isSet }) => isSet("S3_BUCKET") ? "amazons3" : "local",
    ),
    writes: [at("FileSettings.DriverName")],
  }),
  S3_BUCKET: setting({
    group: "Files",
    summary: "The name of the S3 bucket for uploaded files.",
    kind: text({ form: [/^\S+$/, "a bucket name without spaces"] }),
    example: "mattermost",
    writes: [at("FileSettings.AmazonS3Bucket")],
  }),
  S3_PATH_PREFIX: setting({
    group: "Files",
    summary: "The folder in the S3 bucket for uploaded files.",
    details: "By default the server stores them at the top of the bucket.",
    kind: text(),
    example: "chat",
    writes: [at("FileSettings.AmazonS3PathPrefix", { releases: ">=5.10.0" })],
  }),
  S3_REGION: setting({
    group: "Files",
    summary: "The region of the S3 bucket.",
    kind: text(),
    example: "eu-central-1",
    writes: [at("FileSettings.AmazonS3Region")],
  }),
  S3_ENDPOINT: setting({
    group: "Files",
    summary:
      "The host name of the S3 service, with the port if it is not the standard one.",
    details:
      "Set it for an S3-compatible service such as MinIO. If it is not set, the value in config.json stays, which is `s3.amazonaws.com` in a new installation.",
    kind: text({
      form: [/^[^\s/:]+(:\d+)?$/, "a host name or host:port, without https://"],
    }),
    example: "s3.amazonaws.com",
    writes: [at("FileSettings.AmazonS3Endpoint")],
  }),
  S3_ACCESS_KEY: setting({
    group: "Files",
    summary: "The ID of the S3 access key.",
    details:
      "To use the IAM role of the machine instead, set neither this nor `S3_SECRET_KEY`.",
    kind: text(),
    secret: true,
    writes: [at("FileSettings.AmazonS3AccessKeyId")],
  }),
  S3_SECRET_KEY: setting({
    group: "Files",
    summary: "The secret of the S3 access key.",
    kind: text(),
    secret: true,
    writes: [at("FileSettings.AmazonS3SecretAccessKey")],
  }),
  S3_SSL: setting({
    group: "Files",
    summary: "Connect to the S3 service with TLS.",
    details:
      "If it is not set, the value in config.json stays, which is `true` in a new installation.",
    kind: flag(),
    writes: [at("FileSettings.AmazonS3SSL", { releases: ">=3.6.0" })],
  }),
  S3_SSE: setting({
    group: "Files",
    summary: "Let the S3 service encrypt the files that it stores (SSE-S3).",
    details:
      "It needs an Enterprise licence. If it is not set, the value in config.json stays, which is `false` in a new installation.",
    kind: flag(),
    writes: [at("FileSettings.AmazonS3SSE", { releases: ">=4.10.0" })],
  }),

  // Mail
  SMTP_HOST: setting({
    group: "Mail",
    summary: "The host name or IP address of the SMTP server.",
    kind: text({ form: [/^[^\s/:]+$/, "a host name or IP address"] }),
    fallback: "",
    example: "smtp.example.com",
    writes: [at("EmailSettings.SMTPServer")],
  }),
  SMTP_PORT: setting({
    group: "Mail",
    summary: "The TCP port of the SMTP server.",
    kind: port(),
    fallback: 25,
    // The server declares the port as a string.
    writes: [at("EmailSettings.SMTPPort", { as: String })],
  }),
  SMTP_USER: setting({
    group: "Mail",
    summary: "The username for the SMTP server.",
    details: "If it is not set, the server sends mail without authentication.",
    kind: text(),
    fallback: "",
    example: "chat@example.com",
    writes: [
      at("EmailSettings.SMTPUsername"),
      // From 4.1 on the server sends the credentials only if this is true.
      at("EmailSettings.EnableSMTPAuth", {
        releases: ">=4.1.0",
        as: (user) => user !== "",
      }),
    ],
  }),
  SMTP_PASS: setting({
    group: "Mail",
    summary: "The password for the SMTP server.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [at("EmailSettings.SMTPPassword")],
  }),
  SMTP_SECURITY: setting({
    group: "Mail",
    summary:
      "The encryption of the SMTP connection: `TLS`, `STARTTLS` or `NONE`.",
    details:
      "`TLS` encrypts the connection from its start, as port 465 expects. `STARTTLS` begins without encryption and then switches to it, as port 587 expects.",
    kind: choice(["NONE", "TLS", "STARTTLS"], { plain: "NONE", ssl: "TLS" }),
    fallback: defaultRule(
      "`STARTTLS` if `SMTP_PORT` is 587, `TLS` if it is 465, otherwise `NONE`",
      ({ value }) =>
        value("SMTP_PORT") === 587
          ? "STARTTLS"
          : value("SMTP_PORT") === 465
          ? "TLS"
          : "NONE",
    ),
  }),
  SMTP_VERIFY_CERTIFICATE: setting({
    group: "Mail",
    summary: "Verify the certificate of the SMTP server.",
    kind: flag(),
    fallback: true,
    writes: [
      at("EmailSettings.SkipServerCertificateVerification", {
        releases: ">=3.8.0",
        as: (verify) => !verify,
      }),
    ],
    noEffect: [{
      releases: "<3.8.0",
      why: "releases up to 3.7 never verify the certificate",
    }],
  }),
  SMTP_DOMAIN: setting({
    group: "Mail",
    summary:
      "Has no effect; it is accepted because instructions for the old image mention it.",
    kind: text(),
    fallback: "",
    example: "www.example.com",
    noEffect: [{
      releases: ">=3.0.0",
      why: "Mattermost has no such setting; remove the variable",
    }],
  }),
  MATTERMOST_EMAIL: setting({
    group: "Mail",
    summary: "The email address from which the server sends mail.",
    kind: email(),
    fallback: defaultRule(
      "`SMTP_USER` if it is an email address, otherwise `example@example.com`",
      ({ value }) => {
        const user = value("SMTP_USER");
        return typeof user === "string" && user.includes("@")
          ? user
          : "example@example.com";
      },
    ),
    example: "chat@example.com",
    writes: [at("EmailSettings.FeedbackEmail")],
  }),
  MATTERMOST_SUPPORT_EMAIL: setting({
    group: "Mail",
    summary:
      "The email address that the server names for feedback and support.",
    kind: email(),
    fallback: "support@example.com",
    writes: [at("SupportSettings.SupportEmail")],
  }),
  MATTERMOST_EMAIL_NOTIFICATIONS: setting({
    group: "Mail",
    summary: "Send notifications by email.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `SMTP_HOST` is set",
      ({ isSet }) => isSet("SMTP_HOST"),
    ),
    writes: [at("EmailSettings.SendEmailNotifications")],
  }),
  MATTERMOST_EMAIL_VERIFICATION: setting({
    group: "Mail",
    summary:
      "Require users to verify their email address before they can sign in.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `SMTP_HOST` is set",
      ({ isSet }) => isSet("SMTP_HOST"),
    ),
    writes: [at("EmailSettings.RequireEmailVerification")],
  }),

  // GitLab
  GITLAB_ENABLE: setting({
    group: "GitLab",
    summary: "Allow users to sign in with GitLab.",
    kind: flag(),
    fallback: defaultRule(
      "`true` if `GITLAB_ID` is set",
      ({ isSet }) => isSet("GITLAB_ID"),
    ),
    writes: [at("GitLabSettings.Enable")],
    noEffect: [gitlabNeedsLicence()],
  }),
  GITLAB_SECRET: setting({
    group: "GitLab",
    summary: "The secret of the OAuth application in GitLab.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [at("GitLabSettings.Secret")],
  }),
  GITLAB_ID: setting({
    group: "GitLab",
    summary: "The application ID of the OAuth application in GitLab.",
    kind: text(),
    fallback: "",
    example: "2f8c5a1e90b7",
    writes: [at("GitLabSettings.Id")],
    noEffect: [gitlabNeedsLicence()],
  }),
  GITLAB_SCOPE: setting({
    group: "GitLab",
    summary: "The OAuth scope that the server requests from GitLab.",
    kind: text(),
    fallback: "",
    example: "read_user",
    writes: [at("GitLabSettings.Scope")],
  }),
  GITLAB_AUTH_ENDPOINT: setting({
    group: "GitLab",
    summary: "The URL of GitLab's OAuth authorization endpoint.",
    kind: url(),
    fallback: "",
    example: "https://gitlab.example.com/oauth/authorize",
    writes: [at("GitLabSettings.AuthEndpoint")],
  }),
  GITLAB_TOKEN_ENDPOINT: setting({
    group: "GitLab",
    summary: "The URL of GitLab's OAuth token endpoint.",
    kind: url(),
    fallback: "",
    example: "https://gitlab.example.com/oauth/token",
    writes: [at("GitLabSettings.TokenEndpoint")],
  }),
  GITLAB_API_ENDPOINT: setting({
    group: "GitLab",
    summary:
      "The URL of GitLab's user API, from which the server reads the user's profile.",
    kind: url(),
    fallback: "",
    example: "https://gitlab.example.com/api/v4/user",
    writes: [
      at("GitLabSettings.UserApiEndpoint", { releases: "<6.0.0" }),
      at("GitLabSettings.UserAPIEndpoint", { releases: ">=6.0.0" }),
    ],
  }),

  // Rate limiting
  MATTERMOST_ENABLE_RATE_LIMIT: setting({
    group: "Rate limiting",
    summary: "Limit the rate of HTTP requests.",
    details:
      "The files of the web client count too, so a page can exceed the limit. Behind a proxy, also set `MATTERMOST_TRUSTED_PROXY_HEADERS`, or all users share one limit.",
    kind: flag(),
    fallback: defaultRule(
      "`true` in releases up to 4.10, `false` from 5.0 on",
      ({ release }) => release !== undefined && inRange(release, "<5.0.0"),
    ),
    writes: [
      at("RateLimitSettings.EnableRateLimiter", { releases: "<3.5.0" }),
      at("RateLimitSettings.Enable", { releases: ">=3.5.0" }),
    ],
  }),
  MATTERMOST_RATE_LIMIT_QPS: setting({
    group: "Rate limiting",
    summary: "The number of API requests that a client may send per second.",
    details:
      "`MATTERMOST_RATE_LIMIT_BY_IP` and `MATTERMOST_RATE_LIMIT_HEADERS` set how clients are distinguished.",
    kind: integer(1),
    fallback: 10,
    writes: [at("RateLimitSettings.PerSec")],
  }),
  MATTERMOST_RATE_LIMIT_SESSIONS: setting({
    group: "Rate limiting",
    summary: "The maximum number of clients that the rate limiter tracks.",
    kind: integer(1),
    fallback: 10_000,
    writes: [at("RateLimitSettings.MemoryStoreSize")],
  }),
  MATTERMOST_RATE_LIMIT_BY_IP: setting({
    group: "Rate limiting",
    summary: "Apply the rate limit to each client IP address separately.",
    kind: flag(),
    fallback: true,
    writes: [at("RateLimitSettings.VaryByRemoteAddr")],
    noEffect: [{
      releases: ">=3.5.0 <4.7.0",
      why: "releases 3.5 to 4.6 always limit by client IP address",
    }],
  }),
  MATTERMOST_RATE_LIMIT_HEADERS: setting({
    group: "Rate limiting",
    summary:
      "The HTTP header that tells clients apart: each of its values has a limit of its own.",
    details:
      "Releases up to 3.4 take several names separated by spaces, and releases from 4.7 on take one name.",
    kind: text(),
    fallback: "",
    example: "X-Forwarded-For",
    writes: [at("RateLimitSettings.VaryByHeader")],
    noEffect: [{
      releases: ">=3.5.0 <4.7.0",
      why: "releases 3.5 to 4.6 always limit by client IP address",
    }],
  }),

  // Privacy
  MATTERMOST_SHOW_EMAIL: setting({
    group: "Privacy",
    summary: "Show the email addresses of users to other users.",
    details: "System administrators always see them.",
    kind: flag(),
    fallback: true,
    writes: [at("PrivacySettings.ShowEmailAddress")],
  }),
  MATTERMOST_SHOW_NAME: setting({
    group: "Privacy",
    summary: "Show the full names of users to other users.",
    details: "System administrators always see them.",
    kind: flag(),
    fallback: true,
    writes: [at("PrivacySettings.ShowFullName")],
  }),

  // Languages
  MATTERMOST_SERVER_LOCALE: setting({
    group: "Languages",
    summary: "The language of system messages.",
    kind: locale(),
    fallback: "en",
    writes: localeWrites("DefaultServerLocale"),
  }),
  MATTERMOST_CLIENT_LOCALE: setting({
    group: "Languages",
    summary:
      "The language of the sign-in page, and of the user interface for new users.",
    kind: locale(),
    fallback: "en",
    writes: localeWrites("DefaultClientLocale"),
  }),
  MATTERMOST_LOCALES: setting({
    group: "Languages",
    summary:
      "The languages that users can choose. Must include `MATTERMOST_CLIENT_LOCALE`.",
    details: "Separate the codes with commas.",
    kind: locales(),
    fallback: "en,es,fr,ja,pt-BR",
    writes: localeWrites("AvailableLocales"),
  }),

  // Logging
  MATTERMOST_LOG_LEVEL: setting({
    group: "Logging",
    summary: "The lowest severity of the messages that the server logs.",
    kind: choice(["DEBUG", "INFO", "WARN", "ERROR"], { warning: "WARN" }),
    fallback: "INFO",
    writes: [at("LogSettings.ConsoleLevel"), at("LogSettings.FileLevel")],
  }),
  MATTERMOST_LOG_CONSOLE: setting({
    group: "Logging",
    summary:
      "Write the server's log to the console, where `docker logs` shows it.",
    kind: flag(),
    fallback: true,
    writes: [at("LogSettings.EnableConsole")],
  }),
  MATTERMOST_LOG_FILES: setting({
    group: "Logging",
    summary: "Write the server's log to files in `MATTERMOST_LOG_DIR`.",
    kind: flag(),
    fallback: true,
    writes: [at("LogSettings.EnableFile")],
  }),
  MATTERMOST_LOG_FORMAT: setting({
    group: "Logging",
    summary: "The format of the server's log: `json` or `text`.",
    details: "If it is not set, the value in config.json stays.",
    kind: choice(["json", "text"], { plain: "text" }),
    writes: [
      at("LogSettings.ConsoleJson", { releases: ">=4.10.0", as: isJson }),
      at("LogSettings.FileJson", { releases: ">=4.10.0", as: isJson }),
    ],
    noEffect: [{
      releases: "<4.10.0",
      why: "releases up to 4.9 write only text",
    }],
  }),
  DEBUG: setting({
    group: "Logging",
    summary:
      "Log each step of the entrypoint, and where each setting comes from.",
    kind: flag(),
    fallback: defaultRule(
      "the value of `DEBUG_ENTRYPOINT`",
      ({ value }) => value("DEBUG_ENTRYPOINT") === true,
    ),
  }),
  DEBUG_ENTRYPOINT: setting({
    group: "Logging",
    summary: "Another name for `DEBUG`.",
    kind: flag(),
    fallback: false,
  }),
  ENTRYPOINT_LOG_FORMAT: setting({
    group: "Logging",
    summary: "The format of the entrypoint's own messages.",
    details: "`json` writes one JSON object per line.",
    kind: choice(["text", "json"]),
    fallback: "text",
  }),

  // High availability
  MATTERMOST_ENABLE_CLUSTER: setting({
    group: "High availability",
    summary:
      "Run this server as one of several in a high-availability cluster.",
    details:
      "It needs an Enterprise licence. All four secrets must be set, to the same values on every server.",
    kind: flag(),
    fallback: false,
    writes: [at("ClusterSettings.Enable", { releases: ">=3.2.0" })],
  }),
  MATTERMOST_CLUSTER_NAME: setting({
    group: "High availability",
    summary: "The name of the cluster, which must be the same on every server.",
    kind: text(),
    example: "production",
    writes: [at("ClusterSettings.ClusterName", { releases: ">=4.0.0" })],
  }),

  // Upgrades
  MATTERMOST_MIGRATION_DEFAULT_TEAM: setting({
    group: "Upgrades",
    summary:
      "The team that becomes the primary team in the migration to Mattermost 3.0.",
    details:
      "Only releases 3.0.0 to 3.3.0 can migrate a database of Mattermost 2. Back up the database first, because the migration cannot be undone.",
    kind: text(),
    example: "myteam",
  }),
  MATTERMOST_FORCE_UPGRADE: setting({
    group: "Upgrades",
    summary: "Continue with an upgrade that the upgrade rules advise against.",
    details: "It does not override the checks of the server itself.",
    kind: flag(),
    fallback: false,
  }),

  // Image
  MATTERMOST_VERSION: setting({
    group: "Image",
    summary: "The release of the installed server. The image sets it.",
    details:
      "If it is not set, the entrypoint asks the installed server, which releases from 5.28 on can answer.",
    kind: text({
      form: [
        /^v?\d+(\.\d+){1,2}([-.+][\w.+-]+)?$/,
        `a release such as ${DEFAULT_RELEASE}`,
      ],
    }),
    example: DEFAULT_RELEASE,
  }),
  MATTERMOST_EDITION: setting({
    group: "Image",
    summary: "The edition of the installed server. The image sets it.",
    kind: choice(["team", "enterprise"]),
    fallback: "team",
  }),
  MATTERMOST_HOME: setting({
    group: "Image",
    summary:
      "The parent of the default directories for the server, its data and config.json.",
    kind: path(),
    fallback: "/opt/mattermost",
  }),
  MATTERMOST_INSTALL_DIR: setting({
    group: "Image",
    summary: "The directory of the installed server.",
    kind: path(),
    fallback: below("MATTERMOST_HOME", "mattermost"),
    example: "/opt/mattermost/mattermost",
  }),
  MATTERMOST_DATA_DIR: setting({
    group: "Image",
    summary:
      "The directory for uploaded files and other data that must persist.",
    details: "Mount a volume here.",
    kind: path(),
    fallback: below("MATTERMOST_HOME", "data"),
    example: "/opt/mattermost/data",
    // The server itself adds the final slash.
    writes: [at("FileSettings.Directory", { as: (path) => `${path}/` })],
  }),
  MATTERMOST_CONF_DIR: setting({
    group: "Image",
    summary: "The directory of config.json and its copies.",
    kind: path(),
    fallback: below("MATTERMOST_DATA_DIR", "config"),
    example: "/opt/mattermost/data/config",
  }),
  MATTERMOST_CONFIG_STORE: setting({
    group: "Image",
    summary: "Where the configuration is: in config.json, or in the database.",
    details:
      "With `database`, releases from 5.10 on keep it in the table `configurations`, and the server gets the settings that you give as `MM_*` variables, which are not stored. `app:config --to-database` and `--to-file` move it. See docs/databases.md.",
    kind: choice(["file", "database"]),
    fallback: "file",
  }),
  MATTERMOST_LOG_DIR: setting({
    group: "Image",
    summary: "The directory for the server's log files.",
    kind: path(),
    fallback: "/var/log/mattermost",
  }),
  MATTERMOST_CA_DIR: setting({
    group: "Image",
    summary:
      "A directory of certificate authorities to trust, in files named `*.crt`.",
    details:
      "The files are in PEM format. The server and the entrypoint trust these authorities in addition to the system's. Neither root nor a custom image is needed.",
    kind: path(),
    fallback: "/etc/mattermost/ca.d",
  }),
  MATTERMOST_UID: setting({
    group: "Image",
    summary: "The user ID of the server if the container starts as root.",
    kind: integer(0, 2 ** 32 - 2),
    fallback: 2000,
  }),
  MATTERMOST_GID: setting({
    group: "Image",
    summary: "The group ID of the server if the container starts as root.",
    kind: integer(0, 2 ** 32 - 2),
    fallback: 2000,
  }),
};

/** The name of a setting's variable. */
export type SettingName = keyof typeof CATALOGUE;

/** The type of a row's value; it includes `undefined` only if the row has no default. */
export type ValueOf<S extends Setting> = S["kind"] extends Kind<infer T>
  ? S extends { fallback: infer F }
    ? F extends DefaultRule<infer R> ? undefined extends R ? T | undefined : T
    : T
  : T | undefined
  : never;

/** The value of every setting, by the name of its variable. */
export type Settings = {
  readonly [N in SettingName]: ValueOf<typeof CATALOGUE[N]>;
};

/** The names of all settings, in catalogue order. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(
  CATALOGUE,
) as SettingName[];

/** The secrets that are generated at the first start if the operator sets none. */
export const GENERATED_SECRETS: readonly SettingName[] = SETTING_NAMES.filter(
  (name) => "generated" in CATALOGUE[name],
);

/**
 * Returns the row of a setting, typed as {@linkcode Setting} instead of its literal type.
 *
 * @param name The name of the setting's variable.
 * @returns The row.
 */
export function rowOf(name: SettingName): Setting {
  return CATALOGUE[name];
}

/**
 * Checks whether the catalogue has a setting of a name.
 *
 * @param name Any name.
 * @returns Whether it is the name of a setting.
 */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(CATALOGUE, name);
}

/** From 7.0 on the server reads hours, and falls back to days only if the hours are missing. */
function days<const P extends string>(
  client: P,
): readonly [
  TypedWrite<`ServiceSettings.SessionLength${P}InDays`, "<7.0.0">,
  TypedWrite<`ServiceSettings.SessionLength${P}InHours`, ">=7.0.0">,
] {
  return [
    at(`ServiceSettings.SessionLength${client}InDays`, { releases: "<7.0.0" }),
    at(`ServiceSettings.SessionLength${client}InHours`, {
      releases: ">=7.0.0",
      as: (days: Value) => Number(days) * 24,
    }),
  ];
}

/** Before 3.7 the server writes the Chinese languages with an underscore; 3.0 has no such settings. */
function localeWrites<const P extends string>(
  key: P,
): readonly [
  TypedWrite<`LocalizationSettings.${P}`, ">=3.1.0 <3.7.0">,
  TypedWrite<`LocalizationSettings.${P}`, ">=3.7.0">,
] {
  return [
    at(`LocalizationSettings.${key}`, {
      releases: ">=3.1.0 <3.7.0",
      as: (names: Value) => String(names).replaceAll("zh-", "zh_"),
    }),
    at(`LocalizationSettings.${key}`, { releases: ">=3.7.0" }),
  ];
}

function below(parent: string, name: string): DefaultRule<string> {
  return defaultRule(
    `\`$${parent}/${name}\``,
    ({ value }) => `${value(parent)}/${name}`,
  );
}

function isJson(value: Value): boolean {
  return value === "json";
}

function gitlabNeedsLicence(): NoEffect {
  return {
    releases: ">=11.0.0",
    edition: "team",
    why:
      "from 11.0 on, signing in with GitLab needs a licence, and Team Edition does not offer it",
  };
}
