/**
 * The catalogue: every setting that the operator has, one row each, and the
 * only place where a setting is declared.
 *
 * From a row are derived its `_FILE` twin, its checks, the `Settings` type,
 * config.json, redaction, spelling suggestions, `app:help`,
 * `docs/settings.md` and `env.example`. To add a setting, add a row, then run
 * `deno task generate`. Names, defaults and meaning of the first 72 variables
 * are those of the image that this one replaces; paths and ranges of releases
 * were read in the server's source.
 *
 * @module
 */

import type { Kind, Value } from "./kinds.ts";
import {
  choice,
  email,
  flag,
  host,
  integer,
  locale,
  locales,
  path,
  port,
  text,
  url,
} from "./kinds.ts";
import type { NoEffect, Place, Rule, Setting } from "./setting.ts";
import { at, rule, setting } from "./setting.ts";

/** Length, in bytes, of the shortest secret that the server accepts. */
export const SHORTEST_SECRET = 32;

const SECRET_DETAILS =
  "If it is not given, one is made at the first start and kept in config.json from then on; back it up. `app:secrets` makes all four.";

const PERMISSION_NOTE =
  "since 4.9 roles decide this (System Console, Permissions, or `mmctl permissions`); releases 4.9 to 5.39 read it once, for the first start on a new database";

/** Every setting, by the name of its variable. */
export const CATALOGUE = {
  // Server
  MATTERMOST_NAME: setting({
    group: "Server",
    summary: "The name of the Mattermost server.",
    details: "Also the sender's name in mails.",
    kind: text({ maxBytes: 30 }),
    fallback: "Mattermost",
    writes: [at("TeamSettings.SiteName"), at("EmailSettings.FeedbackName")],
  }),
  MATTERMOST_SITE_URL: setting({
    group: "Server",
    summary: "The URL of the Mattermost server, as people type it.",
    details:
      "Needed for links in mails, for batched mails, for integrations and for signing in with GitLab.",
    kind: url(),
    fallback: "",
    example: "https://chat.example.com",
    writes: [at("ServiceSettings.SiteURL", { releases: ">=3.3.0" })],
  }),
  MATTERMOST_PORT: setting({
    group: "Server",
    summary: "The port that the server listens on inside the container.",
    details:
      "A value such as tcp://10.0.0.5:80, which Docker links and Kubernetes set for a service named mattermost, is not taken for a port.",
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
    summary: "How static files are served.",
    kind: choice(["gzip", "uncompressed", "disabled"], { regular: "gzip" }),
    fallback: "gzip",
    writes: [at("ServiceSettings.WebserverMode")],
  }),
  MATTERMOST_TRUSTED_PROXY_HEADERS: setting({
    group: "Server",
    summary:
      "Headers in which a proxy in front of the server gives the client's address.",
    details:
      "Separated by commas. Set it only behind a proxy that overwrites these headers: clients can forge them otherwise. Without it, current releases see the proxy's address as everybody's.",
    kind: text(),
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
    summary: "Send administrators an email if security fixes are announced.",
    kind: flag(),
    fallback: true,
    writes: [at("ServiceSettings.EnableSecurityFixAlert")],
  }),
  MATTERMOST_ENABLE_INSECURE_CONNECTIONS: setting({
    group: "Server",
    summary: "Allow outgoing HTTPS connections to self-signed certificates.",
    details: "Does not cover mail: see `SMTP_VERIFY_CERTIFICATE`.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableInsecureOutgoingConnections")],
  }),
  MATTERMOST_CORS_DOMAINS: setting({
    group: "Server",
    summary: "Origins allowed for HTTP cross-origin requests.",
    details:
      "Full origins separated by blanks or commas, such as `https://a.example.com https://b.example.com`, or `*` for any.",
    kind: text(),
    fallback: "",
    example: "https://app.example.com",
    // The server parts them at blanks only.
    writes: [
      at("ServiceSettings.AllowCorsFrom", {
        as: (origins) => words(origins).join(" "),
      }),
    ],
  }),
  MATTERMOST_SEGMENT_KEY: setting({
    group: "Server",
    summary: "Segment API key for tracking metrics.",
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
    summary: "Google API key for embedding YouTube videos.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [
      at("ServiceSettings.GoogleDeveloperKey"),
      // From 5.12 on previews of videos need link previews, whose own default was off until 5.24.
      at("ServiceSettings.EnableLinkPreviews", {
        releases: ">=5.12.0 <5.24.0",
        as: (key) => key === "" ? undefined : true,
      }),
    ],
  }),

  // Database
  DB_ADAPTER: setting({
    group: "Database",
    summary: "The database product.",
    kind: choice(["mysql", "postgres"], {
      mariadb: "mysql",
      mysql2: "mysql",
      postgresql: "postgres",
      pgsql: "postgres",
    }),
    fallback: rule(
      "the product of a linked or named service (`mysql`, `postgres`), else `mysql` for releases up to 10 and `postgres` from 11 on",
      () => undefined,
    ),
    example: "postgres",
  }),
  DB_HOST: setting({
    group: "Database",
    summary: "The database server's host name or address.",
    details:
      "An absolute path is a unix socket: the directory of PostgreSQL's, the file of MySQL's.",
    kind: host(),
    fallback: rule(
      "the address of a link, or the service name `mysql` or `postgres` where it resolves",
      () => undefined,
    ),
    example: "db.example.com",
  }),
  DB_PORT: setting({
    group: "Database",
    summary: "The database server's port.",
    kind: port(),
    fallback: rule(
      "`3306` for MySQL, `5432` for PostgreSQL",
      ({ value }) => value("DB_ADAPTER") === "postgres" ? 5432 : 3306,
    ),
    example: "5432",
  }),
  DB_NAME: setting({
    group: "Database",
    summary: "The database's name.",
    kind: text(),
    fallback: "mattermost",
  }),
  DB_USER: setting({
    group: "Database",
    summary: "The database user.",
    kind: text(),
    fallback: rule(
      "`root` for MySQL, `mattermost` for PostgreSQL",
      ({ value }) => value("DB_ADAPTER") === "postgres" ? "mattermost" : "root",
    ),
    example: "mattermost",
  }),
  DB_PASS: setting({
    group: "Database",
    summary: "The database user's password.",
    details: "Any characters; nothing needs to be escaped.",
    kind: text(),
    fallback: "",
    secret: true,
  }),
  DB_ENCODING: setting({
    group: "Database",
    summary: "The character sets that a MySQL connection asks for.",
    kind: text({
      form: [/^[\w,]+$/, "names of character sets separated by commas"],
    }),
    fallback: "utf8mb4,utf8",
  }),
  DB_SSL_MODE: setting({
    group: "Database",
    summary: "Whether and how the connection is encrypted.",
    details:
      "`require` encrypts without checking who answers, `verify-ca` checks the certificate, `verify-full` the host name too.",
    kind: choice(["disable", "require", "verify-ca", "verify-full"]),
    fallback: "disable",
  }),
  DB_SSL_CA: setting({
    group: "Database",
    summary:
      "A file with the certificates that the database's is checked with.",
    details: "PEM. Without it the system's certificates are used.",
    kind: path(),
    fallback: "",
    example: "/run/secrets/db_ca.pem",
  }),
  DB_TIMEOUT: setting({
    group: "Database",
    summary: "Seconds to wait for the database.",
    kind: integer(0, 86_400),
    fallback: 60,
  }),

  // Secrets
  MATTERMOST_SECRET_KEY: setting({
    group: "Secrets",
    summary: "Encrypts sensitive fields in the database.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: SHORTEST_SECRET }),
    secret: true,
    generated: true,
    writes: [at("SqlSettings.AtRestEncryptKey")],
  }),
  MATTERMOST_LINK_SALT: setting({
    group: "Secrets",
    summary: "Salt used to sign public links to files.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: SHORTEST_SECRET }),
    secret: true,
    generated: true,
    writes: [at("FileSettings.PublicLinkSalt")],
  }),
  MATTERMOST_RESET_SALT: setting({
    group: "Secrets",
    summary: "Salt used to sign password reset emails.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: SHORTEST_SECRET }),
    secret: true,
    generated: true,
    writes: [at("EmailSettings.PasswordResetSalt", { releases: "<3.9.0" })],
  }),
  MATTERMOST_INVITE_SALT: setting({
    group: "Secrets",
    summary: "Salt used to sign email invites.",
    details: SECRET_DETAILS,
    kind: text({ minBytes: SHORTEST_SECRET }),
    secret: true,
    generated: true,
    writes: [at("EmailSettings.InviteSalt", { releases: "<5.10.0" })],
  }),

  // Teams and users
  MATTERMOST_MAX_USERS: setting({
    group: "Teams and users",
    summary: "Maximum number of users allowed per team.",
    kind: integer(1),
    fallback: 50,
    writes: [at("TeamSettings.MaxUsersPerTeam")],
  }),
  MATTERMOST_CREATE_TEAMS: setting({
    group: "Teams and users",
    summary: "Allow users to create teams.",
    kind: flag(),
    fallback: true,
    writes: [at("TeamSettings.EnableTeamCreation", { releases: "<6.0.0" })],
    noEffect: [{ releases: ">=4.9.0", why: PERMISSION_NOTE }],
  }),
  MATTERMOST_CREATE_USERS: setting({
    group: "Teams and users",
    summary: "Allow user signup.",
    kind: flag(),
    fallback: true,
    writes: [at("TeamSettings.EnableUserCreation")],
  }),
  MATTERMOST_OPEN_SERVER: setting({
    group: "Teams and users",
    summary: "Allow users to create accounts without being invited.",
    kind: flag(),
    fallback: false,
    writes: [at("TeamSettings.EnableOpenServer")],
  }),
  MATTERMOST_USER_DOMAINS: setting({
    group: "Teams and users",
    summary: "Restrict user signup to emails of these domains.",
    details: "Separated by commas or blanks.",
    kind: text(),
    fallback: "",
    example: "example.com,example.org",
    writes: [at("TeamSettings.RestrictCreationToDomains")],
  }),
  MATTERMOST_RESTRICT_DIRECT_MESSAGE: setting({
    group: "Teams and users",
    summary:
      "Whom users may message: `any` one on the server, or members of their `team`.",
    kind: choice(["any", "team"]),
    fallback: "any",
    writes: [at("TeamSettings.RestrictDirectMessage")],
  }),

  // Sign-in and sessions
  MATTERMOST_ENABLE_EMAIL_SIGNUP: setting({
    group: "Sign-in and sessions",
    summary: "Enable user signup via email.",
    kind: flag(),
    fallback: true,
    writes: [at("EmailSettings.EnableSignUpWithEmail")],
  }),
  MATTERMOST_EMAIL_SIGNIN: setting({
    group: "Sign-in and sessions",
    summary: "Allow users to sign in with their email.",
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
      "Number of attempts a user may enter a password before being required to reset it.",
    kind: integer(1),
    fallback: 10,
    writes: [at("ServiceSettings.MaximumLoginAttempts")],
  }),
  MATTERMOST_WEB_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary: "Session duration in days for web clients.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("Web"),
  }),
  MATTERMOST_MOBILE_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary: "Session duration in days for mobile clients.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("Mobile"),
  }),
  MATTERMOST_SSO_SESSION_DAYS: setting({
    group: "Sign-in and sessions",
    summary: "Days until an SSO session expires.",
    kind: integer(1, 36_500),
    fallback: 30,
    writes: days("SSO"),
  }),
  MATTERMOST_SESSION_CACHE: setting({
    group: "Sign-in and sessions",
    summary: "Session cache duration in minutes.",
    kind: integer(0),
    fallback: 10,
    writes: [at("ServiceSettings.SessionCacheInMinutes")],
  }),

  // Integrations
  MATTERMOST_ENABLE_CUSTOM_EMOJI: setting({
    group: "Integrations",
    summary: "Enable to allow users to create custom emoji.",
    kind: flag(),
    fallback: true,
    writes: [at("ServiceSettings.EnableCustomEmoji", { releases: ">=3.2.0" })],
    noEffect: [{ releases: "<3.2.0", why: "custom emoji came with 3.2.0" }],
  }),
  MATTERMOST_ENABLE_ADMIN_INTEGRATIONS: setting({
    group: "Integrations",
    summary:
      "Only administrators may add integrations. Disable to allow any user.",
    kind: flag(),
    fallback: true,
    writes: [
      at("ServiceSettings.EnableOnlyAdminIntegrations", { releases: "<6.0.0" }),
    ],
    noEffect: [{ releases: ">=4.9.0", why: PERMISSION_NOTE }],
  }),
  MATTERMOST_ENABLE_SLASH_COMMANDS: setting({
    group: "Integrations",
    summary: "Enable to allow users to create custom slash commands.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableCommands")],
  }),
  MATTERMOST_ENABLE_INCOMING_WEBHOOKS: setting({
    group: "Integrations",
    summary: "Enable to allow incoming webhooks.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableIncomingWebhooks")],
  }),
  MATTERMOST_ENABLE_OUTGOING_WEBHOOKS: setting({
    group: "Integrations",
    summary: "Enable to allow outgoing webhooks.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnableOutgoingWebhooks")],
  }),
  MATTERMOST_WEBHOOK_OVERRIDE_USERNAME: setting({
    group: "Integrations",
    summary: "Enable to allow webhooks to set the username for a post.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnablePostUsernameOverride")],
  }),
  MATTERMOST_WEBHOOK_OVERRIDE_ICON: setting({
    group: "Integrations",
    summary: "Enable to allow webhooks to set the icon for a post.",
    kind: flag(),
    fallback: false,
    writes: [at("ServiceSettings.EnablePostIconOverride")],
  }),

  // Notifications
  MATTERMOST_PUSH_SERVER: setting({
    group: "Notifications",
    summary: "Location of the Mattermost Push Notification Service (MPNS).",
    kind: url(),
    fallback: "",
    example: "https://push.example.com",
    writes: [at("EmailSettings.PushNotificationServer")],
  }),
  MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: setting({
    group: "Notifications",
    summary: "Enable to send push notifications.",
    kind: flag(),
    fallback: rule(
      "`true` if `MATTERMOST_PUSH_SERVER` is set",
      ({ isSet }) => isSet("MATTERMOST_PUSH_SERVER"),
    ),
    writes: [at("EmailSettings.SendPushNotifications")],
  }),
  MATTERMOST_PUSH_FULL_MESSAGE: setting({
    group: "Notifications",
    summary: "Enable to send the full message in push notifications.",
    details: "Otherwise only names and channels are sent.",
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
    summary: "Enable to batch multiple user notifications into a single email.",
    kind: flag(),
    fallback: rule(
      "`true` if `MATTERMOST_SITE_URL` and `MATTERMOST_EMAIL_NOTIFICATIONS` are set",
      ({ value, isSet }) =>
        isSet("MATTERMOST_SITE_URL") &&
        value("MATTERMOST_EMAIL_NOTIFICATIONS") === true &&
        value("MATTERMOST_ENABLE_CLUSTER") !== true,
    ),
    writes: [at("EmailSettings.EnableEmailBatching", { releases: ">=3.4.0" })],
    noEffect: [{ releases: "<3.4.0", why: "batched mails came with 3.4.0" }],
  }),

  // Files
  MATTERMOST_MAX_FILE_SIZE: setting({
    group: "Files",
    summary: "Maximum file size for uploads, in bytes.",
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    fallback: 52_428_800,
    writes: [at("FileSettings.MaxFileSize", { releases: ">=3.1.0" })],
    noEffect: [{ releases: "<3.1.0", why: "the limit came with 3.1.0" }],
  }),
  MATTERMOST_ENABLE_PUBLIC_LINKS: setting({
    group: "Files",
    summary: "Enable to allow public links to files.",
    kind: flag(),
    fallback: rule(
      "`true` if `MATTERMOST_LINK_SALT` is set",
      ({ isSet }) => isSet("MATTERMOST_LINK_SALT"),
    ),
    writes: [at("FileSettings.EnablePublicLink")],
  }),
  MATTERMOST_FILE_DRIVER: setting({
    group: "Files",
    summary: "Where uploaded files are kept: `local` or `amazons3`.",
    kind: choice(["local", "amazons3"], { s3: "amazons3" }),
    fallback: rule(
      "`amazons3` if `S3_BUCKET` is set, else `local`",
      ({ isSet }) => isSet("S3_BUCKET") ? "amazons3" : "local",
    ),
    writes: [at("FileSettings.DriverName")],
  }),
  S3_BUCKET: setting({
    group: "Files",
    summary: "The bucket for uploaded files.",
    kind: text({ form: [/^\S+$/, "a bucket's name"] }),
    example: "mattermost",
    writes: [at("FileSettings.AmazonS3Bucket")],
  }),
  S3_PATH_PREFIX: setting({
    group: "Files",
    summary: "A folder inside the bucket.",
    kind: text(),
    example: "chat",
    writes: [at("FileSettings.AmazonS3PathPrefix", { releases: ">=5.10.0" })],
  }),
  S3_REGION: setting({
    group: "Files",
    summary: "The bucket's region.",
    kind: text(),
    example: "eu-central-1",
    writes: [at("FileSettings.AmazonS3Region")],
  }),
  S3_ENDPOINT: setting({
    group: "Files",
    summary: "Host name, and port if need be, of the S3 service.",
    kind: text({
      form: [/^[^\s/:]+(:\d+)?$/, "a host name or host:port, without https://"],
    }),
    example: "s3.amazonaws.com",
    writes: [at("FileSettings.AmazonS3Endpoint")],
  }),
  S3_ACCESS_KEY: setting({
    group: "Files",
    summary: "The access key's id; empty where the machine's role is used.",
    kind: text(),
    secret: true,
    writes: [at("FileSettings.AmazonS3AccessKeyId")],
  }),
  S3_SECRET_KEY: setting({
    group: "Files",
    summary: "The secret access key.",
    kind: text(),
    secret: true,
    writes: [at("FileSettings.AmazonS3SecretAccessKey")],
  }),
  S3_SSL: setting({
    group: "Files",
    summary: "Whether the S3 service is asked over TLS.",
    kind: flag(),
    writes: [at("FileSettings.AmazonS3SSL", { releases: ">=3.6.0" })],
  }),
  S3_SSE: setting({
    group: "Files",
    summary: "Whether the bucket encrypts what it stores.",
    kind: flag(),
    writes: [at("FileSettings.AmazonS3SSE", { releases: ">=4.10.0" })],
  }),

  // Mail
  SMTP_HOST: setting({
    group: "Mail",
    summary: "SMTP hostname.",
    kind: text({ form: [/^[^\s/:]+$/, "a host name or an address"] }),
    fallback: "",
    example: "smtp.example.com",
    writes: [at("EmailSettings.SMTPServer")],
  }),
  SMTP_PORT: setting({
    group: "Mail",
    summary: "SMTP port.",
    kind: port(),
    fallback: 25,
    // The server reads this number from a JSON string.
    writes: [at("EmailSettings.SMTPPort", { as: String })],
  }),
  SMTP_USER: setting({
    group: "Mail",
    summary: "SMTP username.",
    kind: text(),
    fallback: "",
    example: "chat@example.com",
    writes: [
      at("EmailSettings.SMTPUsername"),
      // Without this switch current releases never send the credentials.
      at("EmailSettings.EnableSMTPAuth", {
        releases: ">=4.1.0",
        as: (user) => user !== "",
      }),
    ],
  }),
  SMTP_PASS: setting({
    group: "Mail",
    summary: "SMTP password.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [at("EmailSettings.SMTPPassword")],
  }),
  SMTP_SECURITY: setting({
    group: "Mail",
    summary: "SMTP connection security: `TLS`, `STARTTLS` or `NONE`.",
    details:
      "The ports 465 and 587 are by definition those of TLS and STARTTLS; the old image sent nothing through them unless this was set too.",
    kind: choice(["NONE", "TLS", "STARTTLS"], { plain: "NONE", ssl: "TLS" }),
    fallback: rule(
      "`STARTTLS` on port 587, `TLS` on port 465, else `NONE`",
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
    summary: "Check the certificate of the SMTP server.",
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
      why: "releases up to 3.7 never check the certificate",
    }],
  }),
  SMTP_DOMAIN: setting({
    group: "Mail",
    summary: "Read by no release; accepted because old instructions name it.",
    kind: text(),
    fallback: "",
    example: "www.example.com",
    noEffect: [{
      releases: ">=3.0.0",
      why: "no release of Mattermost has such a setting; remove it",
    }],
  }),
  MATTERMOST_EMAIL: setting({
    group: "Mail",
    summary: "The email address for the Mattermost server.",
    kind: email(),
    fallback: rule(
      "`SMTP_USER` if it is an address, else `example@example.com`",
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
    summary: "The email address listed for feedback or support requests.",
    kind: email(),
    fallback: "support@example.com",
    writes: [at("SupportSettings.SupportEmail")],
  }),
  MATTERMOST_EMAIL_NOTIFICATIONS: setting({
    group: "Mail",
    summary: "Send email notifications.",
    kind: flag(),
    fallback: rule(
      "`true` if `SMTP_HOST` is set",
      ({ isSet }) => isSet("SMTP_HOST"),
    ),
    writes: [at("EmailSettings.SendEmailNotifications")],
  }),
  MATTERMOST_EMAIL_VERIFICATION: setting({
    group: "Mail",
    summary: "Enable to require email verification prior to logging in.",
    kind: flag(),
    fallback: rule(
      "`true` if `SMTP_HOST` is set",
      ({ isSet }) => isSet("SMTP_HOST"),
    ),
    writes: [at("EmailSettings.RequireEmailVerification")],
  }),

  // GitLab
  GITLAB_ENABLE: setting({
    group: "GitLab",
    summary: "Let users sign in with GitLab.",
    kind: flag(),
    fallback: rule(
      "`true` if `GITLAB_ID` is set",
      ({ isSet }) => isSet("GITLAB_ID"),
    ),
    writes: [at("GitLabSettings.Enable")],
    noEffect: [gitlabNeedsLicence()],
  }),
  GITLAB_SECRET: setting({
    group: "GitLab",
    summary: "GitLab API secret.",
    kind: text(),
    fallback: "",
    secret: true,
    writes: [at("GitLabSettings.Secret")],
  }),
  GITLAB_ID: setting({
    group: "GitLab",
    summary: "GitLab API ID.",
    kind: text(),
    fallback: "",
    example: "2f8c5a1e90b7",
    writes: [at("GitLabSettings.Id")],
    noEffect: [gitlabNeedsLicence()],
  }),
  GITLAB_SCOPE: setting({
    group: "GitLab",
    summary: "GitLab API scope.",
    kind: text(),
    fallback: "",
    example: "read_user",
    writes: [at("GitLabSettings.Scope")],
  }),
  GITLAB_AUTH_ENDPOINT: setting({
    group: "GitLab",
    summary: "GitLab API authentication endpoint.",
    kind: url(),
    fallback: "",
    example: "https://gitlab.example.com/oauth/authorize",
    writes: [at("GitLabSettings.AuthEndpoint")],
  }),
  GITLAB_TOKEN_ENDPOINT: setting({
    group: "GitLab",
    summary: "GitLab API token endpoint.",
    kind: url(),
    fallback: "",
    example: "https://gitlab.example.com/oauth/token",
    writes: [at("GitLabSettings.TokenEndpoint")],
  }),
  GITLAB_API_ENDPOINT: setting({
    group: "GitLab",
    summary: "GitLab API endpoint.",
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
    summary: "Throttle API access.",
    kind: flag(),
    fallback: true,
    writes: [
      at("RateLimitSettings.EnableRateLimiter", { releases: "<3.5.0" }),
      at("RateLimitSettings.Enable", { releases: ">=3.5.0" }),
    ],
  }),
  MATTERMOST_RATE_LIMIT_QPS: setting({
    group: "Rate limiting",
    summary: "Queries per second allowed by the rate limiter.",
    kind: integer(1),
    fallback: 10,
    writes: [at("RateLimitSettings.PerSec")],
  }),
  MATTERMOST_RATE_LIMIT_SESSIONS: setting({
    group: "Rate limiting",
    summary: "Maximum number of sessions that the rate limiter remembers.",
    kind: integer(1),
    fallback: 10_000,
    writes: [at("RateLimitSettings.MemoryStoreSize")],
  }),
  MATTERMOST_RATE_LIMIT_BY_IP: setting({
    group: "Rate limiting",
    summary: "Enforce the rate limit by IP address.",
    kind: flag(),
    fallback: true,
    writes: [at("RateLimitSettings.VaryByRemoteAddr")],
    noEffect: [{
      releases: ">=3.5.0 <4.7.0",
      why: "releases 3.5 to 4.6 always limit by the client's address",
    }],
  }),
  MATTERMOST_RATE_LIMIT_HEADERS: setting({
    group: "Rate limiting",
    summary: "Enforce the rate limit by an HTTP header.",
    details:
      "Up to 3.4 a list separated by blanks, from 4.7 on one header's name.",
    kind: text(),
    fallback: "",
    example: "X-Forwarded-For",
    writes: [at("RateLimitSettings.VaryByHeader")],
    noEffect: [{
      releases: ">=3.5.0 <4.7.0",
      why: "releases 3.5 to 4.6 always limit by the client's address",
    }],
  }),

  // Privacy
  MATTERMOST_SHOW_EMAIL: setting({
    group: "Privacy",
    summary: "Show user email addresses.",
    kind: flag(),
    fallback: true,
    writes: [at("PrivacySettings.ShowEmailAddress")],
  }),
  MATTERMOST_SHOW_NAME: setting({
    group: "Privacy",
    summary: "Show full name of users.",
    kind: flag(),
    fallback: true,
    writes: [at("PrivacySettings.ShowFullName")],
  }),

  // Languages
  MATTERMOST_SERVER_LOCALE: setting({
    group: "Languages",
    summary: "Default server locale.",
    kind: locale(),
    fallback: "en",
    writes: localeWrites("DefaultServerLocale"),
  }),
  MATTERMOST_CLIENT_LOCALE: setting({
    group: "Languages",
    summary: "Default client locale.",
    kind: locale(),
    fallback: "en",
    writes: localeWrites("DefaultClientLocale"),
  }),
  MATTERMOST_LOCALES: setting({
    group: "Languages",
    summary:
      "Available locales. Must include at least `MATTERMOST_CLIENT_LOCALE`.",
    kind: locales(),
    fallback: "en,es,fr,ja,pt-BR",
    writes: localeWrites("AvailableLocales"),
  }),

  // Logging
  MATTERMOST_LOG_LEVEL: setting({
    group: "Logging",
    summary: "The least important messages that the server logs.",
    kind: choice(["DEBUG", "INFO", "WARN", "ERROR"], { warning: "WARN" }),
    fallback: "INFO",
    writes: [at("LogSettings.ConsoleLevel"), at("LogSettings.FileLevel")],
  }),
  MATTERMOST_LOG_CONSOLE: setting({
    group: "Logging",
    summary: "Let the server log to the console, for `docker logs`.",
    kind: flag(),
    fallback: true,
    writes: [at("LogSettings.EnableConsole")],
  }),
  MATTERMOST_LOG_FILES: setting({
    group: "Logging",
    summary: "Let the server log to files in `MATTERMOST_LOG_DIR`.",
    kind: flag(),
    fallback: true,
    writes: [at("LogSettings.EnableFile")],
  }),
  MATTERMOST_LOG_FORMAT: setting({
    group: "Logging",
    summary: "The form of the server's log, `json` or `text`.",
    kind: choice(["json", "text"], { plain: "text" }),
    writes: [
      at("LogSettings.ConsoleJson", { releases: ">=4.10.0", as: isJson }),
      at("LogSettings.FileJson", { releases: ">=4.10.0", as: isJson }),
    ],
    noEffect: [{
      releases: "<4.10.0",
      why: "releases up to 4.9 only write text",
    }],
  }),
  DEBUG: setting({
    group: "Logging",
    summary: "Set this to `true` to see each step of the entrypoint.",
    kind: flag(),
    fallback: rule(
      "`DEBUG_ENTRYPOINT`",
      ({ value }) => value("DEBUG_ENTRYPOINT") === true,
    ),
  }),
  DEBUG_ENTRYPOINT: setting({
    group: "Logging",
    summary: "Another name of `DEBUG`.",
    kind: flag(),
    fallback: false,
  }),
  ENTRYPOINT_LOG_FORMAT: setting({
    group: "Logging",
    summary: "The form of the entrypoint's own messages.",
    details: "`json` writes one object a line.",
    kind: choice(["text", "json"]),
    fallback: "text",
  }),

  // High availability
  MATTERMOST_ENABLE_CLUSTER: setting({
    group: "High availability",
    summary: "Run as one of several servers on one database.",
    details:
      "Needs an Enterprise licence. The four secrets must be given then, the same to each server.",
    kind: flag(),
    fallback: false,
    writes: [at("ClusterSettings.Enable", { releases: ">=3.2.0" })],
  }),
  MATTERMOST_CLUSTER_NAME: setting({
    group: "High availability",
    summary: "The cluster's name, the same on each of its servers.",
    kind: text(),
    example: "production",
    writes: [at("ClusterSettings.ClusterName", { releases: ">=4.0.0" })],
  }),

  // Upgrades
  MATTERMOST_MIGRATION_DEFAULT_TEAM: setting({
    group: "Upgrades",
    summary: "The primary team for the migration to Mattermost 3.0.",
    details:
      "Only releases 3.0.0 to 3.3.0 can migrate a database of Mattermost 2. Back it up first: the migration cannot be undone.",
    kind: text(),
    example: "myteam",
  }),
  MATTERMOST_FORCE_UPGRADE: setting({
    group: "Upgrades",
    summary: "Go on where the upgrade rules advise against it.",
    details: "Does not go on where the server itself would refuse.",
    kind: flag(),
    fallback: false,
  }),

  // Image
  MATTERMOST_VERSION: setting({
    group: "Image",
    summary: "The installed server's release. Set by the image.",
    details: "If unset, servers from 6.5 on are asked.",
    kind: text({
      form: [/^v?\d+(\.\d+){1,2}([-.+][\w.+-]+)?$/, "a release such as 11.7.9"],
    }),
    example: "11.7.9",
  }),
  MATTERMOST_EDITION: setting({
    group: "Image",
    summary: "The installed server's edition. Set by the image.",
    kind: choice(["team", "enterprise"]),
    fallback: "team",
  }),
  MATTERMOST_HOME: setting({
    group: "Image",
    summary: "The directory that the others are below of.",
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
    summary: "The directory for uploaded files, and for what must be kept.",
    kind: path(),
    fallback: below("MATTERMOST_HOME", "data"),
    example: "/opt/mattermost/data",
    // The slash is what the server itself puts there.
    writes: [at("FileSettings.Directory", { as: (path) => `${path}/` })],
  }),
  MATTERMOST_CONF_DIR: setting({
    group: "Image",
    summary: "The directory of config.json.",
    kind: path(),
    fallback: below("MATTERMOST_DATA_DIR", "config"),
    example: "/opt/mattermost/data/config",
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
      "A directory with certificates of authorities to trust, in files named `*.crt`.",
    details:
      "PEM. They are trusted besides the system's own, by the server and by the checks before its start; no root and no other image is needed.",
    kind: path(),
    fallback: "/etc/mattermost/ca.d",
  }),
  MATTERMOST_UID: setting({
    group: "Image",
    summary:
      "The user that the server runs as if the container starts as root.",
    kind: integer(0, 2 ** 32 - 2),
    fallback: 2000,
  }),
  MATTERMOST_GID: setting({
    group: "Image",
    summary:
      "The group that the server runs as if the container starts as root.",
    kind: integer(0, 2 ** 32 - 2),
    fallback: 2000,
  }),
};

/** The name of a setting's variable. */
export type SettingName = keyof typeof CATALOGUE;

/** The type of a row's value: with a default it is always there. */
export type ValueOf<S extends Setting> = S["kind"] extends Kind<infer T>
  ? S extends { fallback: infer F }
    ? F extends Rule<infer R> ? undefined extends R ? T | undefined : T
    : T
  : T | undefined
  : never;

/** The resolved settings. */
export type Settings = {
  readonly [N in SettingName]: ValueOf<typeof CATALOGUE[N]>;
};

/** The names of all settings, in the order of the catalogue. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(
  CATALOGUE,
) as SettingName[];

/** The secrets that are made at the first start where they are not given. */
export const GENERATED_NAMES: readonly SettingName[] = SETTING_NAMES.filter(
  (name) => "generated" in CATALOGUE[name],
);

/**
 * The row of a setting, with the type that all rows have in common.
 *
 * @param name The setting's variable.
 * @returns Its row.
 */
export function rowOf(name: SettingName): Setting {
  return CATALOGUE[name];
}

/**
 * Tells the name of a setting from other names.
 *
 * @param name Any name.
 * @returns Whether the catalogue has it.
 */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(CATALOGUE, name);
}

/** From 7.0 on the server counts sessions in hours and reads days only where hours are missing. */
function days<const P extends string>(
  client: P,
): readonly [
  Place<`ServiceSettings.SessionLength${P}InDays`, "<7.0.0">,
  Place<`ServiceSettings.SessionLength${P}InHours`, ">=7.0.0">,
] {
  return [
    at(`ServiceSettings.SessionLength${client}InDays`, { releases: "<7.0.0" }),
    at(`ServiceSettings.SessionLength${client}InHours`, {
      releases: ">=7.0.0",
      as: (days: Value) => Number(days) * 24,
    }),
  ];
}

/** Up to 3.6 the server names the Chinese languages with an underscore; 3.0 has no such settings. */
function localeWrites<const P extends string>(
  key: P,
): readonly [
  Place<`LocalizationSettings.${P}`, ">=3.1.0 <3.7.0">,
  Place<`LocalizationSettings.${P}`, ">=3.7.0">,
] {
  return [
    at(`LocalizationSettings.${key}`, {
      releases: ">=3.1.0 <3.7.0",
      as: (names: Value) => String(names).replaceAll("zh-", "zh_"),
    }),
    at(`LocalizationSettings.${key}`, { releases: ">=3.7.0" }),
  ];
}

function below(parent: string, name: string): Rule<string> {
  return rule(
    `\`$${parent}/${name}\``,
    ({ value }) => `${value(parent)}/${name}`,
  );
}

function words(value: Value): string[] {
  return String(value).split(/[\s,]+/).filter((word) => word !== "");
}

function isJson(value: Value): boolean {
  return value === "json";
}

function gitlabNeedsLicence(): NoEffect {
  return {
    releases: ">=11.0.0",
    edition: "team",
    why:
      "since 11.0 signing in with GitLab needs a licence; Team Edition hides the button",
  };
}
