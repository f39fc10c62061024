/**
 * Rules that involve several settings, or a setting and the installed release.
 *
 * A problem would prevent or break the start of the server. A warning is about a
 * setting that has no effect or is insecure.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { inRange } from "../release_range.ts";
import type { SettingName, Settings } from "./catalogue.ts";
import { GENERATED_SECRETS, rowOf, SETTING_NAMES } from "./catalogue.ts";
import { isExplicit } from "./origin.ts";
import type { Resolution } from "./resolve.ts";

/** The value of the secrets in the instructions of the old image, which users had to replace. */
export const PLACEHOLDER_SECRET = "long-and-random-alphanumeric-string";

/** The facts that the rules need besides the settings. */
export interface RuleContext {
  /** Whether `MM_SQLSETTINGS_DATASOURCE` or config.json gives the data source, so that `DB_*` is not needed. */
  readonly hasDataSource: boolean;
  /** The installed release. */
  readonly release: string;
}

/** The rules that are violated. */
export interface Findings {
  /** Problems, which prevent the start. */
  readonly problems: readonly Problem[];
  /** Warnings about settings that have no effect or are insecure. */
  readonly warnings: readonly Problem[];
}

interface Rule {
  readonly level: "problem" | "warning";
  readonly subject: SettingName;
  isViolated(facts: Facts): boolean;
  readonly message: string;
  readonly remedy: string;
}

interface Facts extends RuleContext {
  readonly settings: Settings;
  readonly origins: Resolution["origins"];
  /** Whether the operator set the setting. */
  isSet(name: SettingName): boolean;
}

const RULES: readonly Rule[] = [
  {
    level: "problem",
    subject: "DB_HOST",
    isViolated: ({ settings, hasDataSource }) =>
      settings.DB_HOST === undefined && !hasDataSource,
    message:
      "DB_HOST must name the database server: it is not set, no database is linked, and none of the host names mysql, postgres, mariadb, postgresql and db resolves",
    remedy: "Set DB_HOST, for example DB_HOST=db.example.com",
  },
  {
    level: "problem",
    subject: "DB_USER",
    isViolated: ({ settings }) =>
      settings.DB_ADAPTER === "mysql" && settings.DB_USER.includes(":"),
    message:
      "DB_USER must not contain a colon, because the server's MySQL driver takes the text after it as the password",
    remedy:
      "Create a database user without a colon in its name, and set DB_USER to that name",
  },
  {
    level: "problem",
    subject: "MATTERMOST_ENABLE_EMAIL_BATCHING",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_ENABLE_EMAIL_BATCHING &&
      settings.MATTERMOST_SITE_URL === "",
    message:
      "MATTERMOST_ENABLE_EMAIL_BATCHING is true, but the server refuses to start with email batching and without MATTERMOST_SITE_URL",
    remedy: "Set MATTERMOST_SITE_URL=https://chat.example.com",
  },
  {
    level: "problem",
    subject: "MATTERMOST_ENABLE_EMAIL_BATCHING",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_ENABLE_EMAIL_BATCHING &&
      settings.MATTERMOST_ENABLE_CLUSTER,
    message:
      "MATTERMOST_ENABLE_EMAIL_BATCHING is true, but the server refuses to start with email batching in a cluster",
    remedy: "Set MATTERMOST_ENABLE_EMAIL_BATCHING=false",
  },
  {
    level: "problem",
    subject: "MATTERMOST_LOCALES",
    isViolated: ({ settings }) =>
      !settings.MATTERMOST_LOCALES.split(",").includes(
        settings.MATTERMOST_CLIENT_LOCALE,
      ),
    message:
      "MATTERMOST_LOCALES must include the language in MATTERMOST_CLIENT_LOCALE, but does not",
    remedy: "Add that language to MATTERMOST_LOCALES, separated by a comma",
  },
  {
    level: "problem",
    subject: "S3_BUCKET",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_FILE_DRIVER === "amazons3" &&
      settings.S3_BUCKET === undefined,
    message:
      "S3_BUCKET must name a bucket, because MATTERMOST_FILE_DRIVER is amazons3",
    remedy: "Set S3_BUCKET, or set MATTERMOST_FILE_DRIVER=local",
  },
  {
    level: "problem",
    subject: "MATTERMOST_FILE_DRIVER",
    isViolated: ({ settings, release }) =>
      settings.MATTERMOST_FILE_DRIVER === "azureblob" &&
      inRange(release, "<11.9.0"),
    message:
      "MATTERMOST_FILE_DRIVER is azureblob, but only Mattermost 11.9 and later can store files in Azure Blob Storage",
    remedy:
      "MATTERMOST_FILE_DRIVER=local   # or amazons3, or an image of 11.9 or later",
  },
  {
    level: "problem",
    subject: "S3_SECRET_KEY",
    isViolated: ({ settings }) =>
      (settings.S3_ACCESS_KEY === undefined) !==
        (settings.S3_SECRET_KEY === undefined),
    message:
      "S3_SECRET_KEY and S3_ACCESS_KEY must be set together, but only one of them is set",
    remedy: "Set both, or neither to use the IAM role of the machine",
  },
  ...GENERATED_SECRETS.map((subject): Rule => ({
    level: "problem",
    subject,
    isViolated: ({ settings, isSet }) =>
      settings.MATTERMOST_ENABLE_CLUSTER && !isSet(subject) &&
      settings.MATTERMOST_CONFIG_STORE === "file",
    message:
      `${subject} is not set, but with MATTERMOST_ENABLE_CLUSTER=true it must be set, to the same value on every server`,
    remedy:
      "mattermost-entrypoint app:secrets   # prints all four; set them on every server",
  })),
  ...GENERATED_SECRETS.map((subject): Rule => ({
    level: "warning",
    subject,
    isViolated: ({ settings }) => settings[subject] === PLACEHOLDER_SECRET,
    message:
      `${subject} is the placeholder from the instructions, which is publicly known`,
    remedy: "mattermost-entrypoint app:secrets   # prints new values",
  })),
  {
    level: "warning",
    subject: "MATTERMOST_ENABLE_PUSH_NOTIFICATIONS",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_ENABLE_PUSH_NOTIFICATIONS &&
      settings.MATTERMOST_PUSH_SERVER === "",
    message:
      "MATTERMOST_ENABLE_PUSH_NOTIFICATIONS is true, but the server sends no push notifications without MATTERMOST_PUSH_SERVER",
    remedy:
      "Set MATTERMOST_PUSH_SERVER, or set MATTERMOST_ENABLE_PUSH_NOTIFICATIONS=false",
  },
  {
    level: "warning",
    subject: "MATTERMOST_EMAIL_NOTIFICATIONS",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_EMAIL_NOTIFICATIONS && settings.SMTP_HOST === "",
    message:
      "MATTERMOST_EMAIL_NOTIFICATIONS is true, but the server sends no email without SMTP_HOST",
    remedy: "Set SMTP_HOST, or set MATTERMOST_EMAIL_NOTIFICATIONS=false",
  },
  {
    level: "warning",
    subject: "MATTERMOST_EMAIL_VERIFICATION",
    isViolated: ({ settings }) =>
      settings.MATTERMOST_EMAIL_VERIFICATION && settings.SMTP_HOST === "",
    message:
      "MATTERMOST_EMAIL_VERIFICATION is true, but without SMTP_HOST the server sends no verification emails, so new users cannot sign in",
    remedy: "Set SMTP_HOST, or set MATTERMOST_EMAIL_VERIFICATION=false",
  },
  {
    level: "warning",
    subject: "MATTERMOST_RATE_LIMIT_HEADERS",
    isViolated: ({ settings, release }) =>
      inRange(release, ">=4.7.0") &&
      /[\s,]/.test(settings.MATTERMOST_RATE_LIMIT_HEADERS.trim()),
    message:
      "MATTERMOST_RATE_LIMIT_HEADERS names several headers, but releases from 4.7 on take the whole value as the name of one header",
    remedy:
      "Name one header, for example MATTERMOST_RATE_LIMIT_HEADERS=X-Real-IP",
  },
  {
    level: "warning",
    subject: "MATTERMOST_TRUSTED_PROXY_HEADERS",
    isViolated: ({ settings, release, isSet }) =>
      isSet("MATTERMOST_TRUSTED_PROXY_HEADERS") &&
      settings.MATTERMOST_CONFIG_STORE === "database" &&
      inRange(release, ">=5.12.0 <5.30.0"),
    message:
      "MATTERMOST_TRUSTED_PROXY_HEADERS has no effect with the configuration in the database, because releases before 5.30 read no lists from variables",
    remedy:
      "Upgrade to 5.30 or newer, or keep the configuration in config.json",
  },
  {
    level: "warning",
    subject: "SMTP_PASS",
    isViolated: ({ settings }) =>
      settings.SMTP_PASS !== "" && settings.SMTP_USER === "",
    message: "SMTP_PASS has no effect, because SMTP_USER is not set",
    remedy: "Set SMTP_USER, or remove SMTP_PASS",
  },
  {
    level: "warning",
    subject: "GITLAB_ENABLE",
    isViolated: ({ settings }) =>
      settings.GITLAB_ENABLE &&
      [
        settings.GITLAB_ID,
        settings.GITLAB_SECRET,
        settings.GITLAB_AUTH_ENDPOINT,
        settings.GITLAB_TOKEN_ENDPOINT,
        settings.GITLAB_API_ENDPOINT,
      ].includes(""),
    message:
      "GITLAB_ENABLE is true, but signing in with GitLab also needs GITLAB_ID, GITLAB_SECRET, GITLAB_AUTH_ENDPOINT, GITLAB_TOKEN_ENDPOINT and GITLAB_API_ENDPOINT",
    remedy: "Set all five to the values for your OAuth application in GitLab",
  },
  {
    level: "warning",
    subject: "DB_SSL_CA",
    isViolated: ({ settings }) =>
      settings.DB_SSL_CA !== "" &&
      (settings.DB_SSL_MODE === "disable" ||
        // PostgreSQL's driver then verifies the certificate, as with verify-ca.
        settings.DB_SSL_MODE === "require" && settings.DB_ADAPTER === "mysql"),
    message:
      "DB_SSL_CA has no effect, because DB_SSL_MODE does not verify the certificate",
    remedy: "Set DB_SSL_MODE=verify-full",
  },
  {
    level: "warning",
    subject: "DB_HOST",
    // Kubernetes also sets the address variables, but no credentials.
    isViolated: ({ origins }) =>
      [origins.DB_USER, origins.DB_PASS, origins.DB_NAME]
        .some(({ kind }) => kind === "link"),
    message:
      "DB_HOST and the database login come from the variables of a Docker link, which Docker 29 and later no longer set",
    remedy:
      "Set DB_HOST, DB_NAME, DB_USER and DB_PASS before you upgrade Docker",
  },
  {
    level: "warning",
    subject: "MATTERMOST_UID",
    isViolated: ({ settings }) => settings.MATTERMOST_UID === 0,
    message: "MATTERMOST_UID is 0, so the server and its plugins run as root",
    remedy: "Remove MATTERMOST_UID to use the default, 2000",
  },
];

/**
 * Checks the settings against the rules.
 *
 * @param resolution The settings with their origins.
 * @param context The facts that the rules need besides the settings.
 * @returns The problems and the warnings.
 */
export function checkSettings(
  { settings, origins }: Resolution,
  context: RuleContext,
): Findings {
  const facts: Facts = {
    ...context,
    settings,
    origins,
    isSet: (name) => isExplicit(origins[name]),
  };
  const violated = RULES.filter((rule) => rule.isViolated(facts));
  const withLevel = (level: Rule["level"]): Problem[] =>
    violated.filter((rule) => rule.level === level)
      .map(({ subject, message, remedy }) => ({ subject, message, remedy }));
  return {
    problems: withLevel("problem"),
    warnings: [...withLevel("warning"), ...settingsWithoutEffect(facts)],
  };
}

function settingsWithoutEffect(facts: Facts): Problem[] {
  return SETTING_NAMES.filter(facts.isSet).flatMap((name) =>
    reasonsForNoEffect(name, facts).map((why) => ({
      subject: name,
      message: `${name} has no effect in Mattermost ${facts.release}: ${why}`,
    }))
  );
}

/**
 * Explains why a setting has no effect in the installed release and edition.
 *
 * @param name The setting.
 * @param facts The settings, for the edition, and the installed release.
 * @returns The reasons; empty if the setting has an effect.
 */
export function reasonsForNoEffect(
  name: SettingName,
  { settings, release }: Pick<RuleContext, "release"> & {
    readonly settings: Settings;
  },
): string[] {
  return (rowOf(name).noEffect ?? [])
    .filter(({ releases, edition }) =>
      inRange(release, releases) &&
      (edition === undefined || edition === settings.MATTERMOST_EDITION)
    )
    .map(({ why }) => why);
}
