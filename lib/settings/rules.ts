/**
 * Rules over several settings: what cannot work together, and what does nothing.
 *
 * A problem would stop or hurt the server; a warning names a setting that has
 * no effect, or that is unwise.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { inRange } from "../release_range.ts";
import type { SettingName, Settings } from "./catalogue.ts";
import { GENERATED_NAMES, rowOf, SETTING_NAMES } from "./catalogue.ts";
import { isExplicit } from "./origin.ts";
import type { Resolution } from "./resolve.ts";

/** What the old instructions told people to replace. */
export const PLACEHOLDER = "long-and-random-alphanumeric-string";

/** What the rules know besides the settings. */
export interface RuleContext {
  /** Whether the database is given in the server's own way, so that `DB_*` is not needed. */
  readonly hasDataSource: boolean;
  /** The installed release. */
  readonly release: string;
}

/** What the rules found. */
export interface Findings {
  /** What stops the start. */
  readonly problems: readonly Problem[];
  /** What has no effect, or is unwise. */
  readonly warnings: readonly Problem[];
}

interface Rule {
  readonly level: "problem" | "warning";
  readonly subject: SettingName;
  /** Whether the rule is broken. */
  broken(facts: Facts): boolean;
  readonly message: string;
  readonly remedy: string;
}

interface Facts extends RuleContext {
  readonly settings: Settings;
  readonly origins: Resolution["origins"];
  /** Whether the operator gave the setting. */
  given(name: SettingName): boolean;
}

const RULES: readonly Rule[] = [
  {
    level: "problem",
    subject: "DB_HOST",
    broken: ({ settings, hasDataSource }) =>
      settings.DB_HOST === undefined && !hasDataSource,
    message:
      "DB_HOST must name the database server: it is not set, no database is linked, and no host named mysql, postgres or db answers to its name",
    remedy: "Set DB_HOST, for example DB_HOST=db.example.com",
  },
  {
    level: "problem",
    subject: "DB_USER",
    broken: ({ settings }) =>
      settings.DB_ADAPTER === "mysql" && settings.DB_USER.includes(":"),
    message:
      "DB_USER must not contain a colon: the server's MySQL driver takes what follows for the password",
    remedy: "Create a user without a colon in its name",
  },
  {
    level: "problem",
    subject: "MATTERMOST_ENABLE_EMAIL_BATCHING",
    broken: ({ settings }) =>
      settings.MATTERMOST_ENABLE_EMAIL_BATCHING &&
      settings.MATTERMOST_SITE_URL === "",
    message:
      "MATTERMOST_ENABLE_EMAIL_BATCHING is true, but mails cannot be batched without MATTERMOST_SITE_URL: the server would refuse to start",
    remedy: "Set MATTERMOST_SITE_URL=https://chat.example.com",
  },
  {
    level: "problem",
    subject: "MATTERMOST_ENABLE_EMAIL_BATCHING",
    broken: ({ settings }) =>
      settings.MATTERMOST_ENABLE_EMAIL_BATCHING &&
      settings.MATTERMOST_ENABLE_CLUSTER,
    message:
      "MATTERMOST_ENABLE_EMAIL_BATCHING is true, but mails cannot be batched in a cluster: the server would refuse to start",
    remedy: "Set MATTERMOST_ENABLE_EMAIL_BATCHING=false",
  },
  {
    level: "problem",
    subject: "MATTERMOST_LOCALES",
    broken: ({ settings }) =>
      !settings.MATTERMOST_LOCALES.split(",").includes(
        settings.MATTERMOST_CLIENT_LOCALE,
      ),
    message:
      "MATTERMOST_LOCALES must include the value of MATTERMOST_CLIENT_LOCALE",
    remedy: "Add that language to MATTERMOST_LOCALES, separated by a comma",
  },
  {
    level: "problem",
    subject: "S3_BUCKET",
    broken: ({ settings }) =>
      settings.MATTERMOST_FILE_DRIVER === "amazons3" &&
      settings.S3_BUCKET === undefined,
    message: "S3_BUCKET must name a bucket: MATTERMOST_FILE_DRIVER is amazons3",
    remedy: "Set S3_BUCKET, or MATTERMOST_FILE_DRIVER=local",
  },
  {
    level: "problem",
    subject: "S3_SECRET_KEY",
    broken: ({ settings }) =>
      (settings.S3_ACCESS_KEY === undefined) !==
        (settings.S3_SECRET_KEY === undefined),
    message:
      "S3_SECRET_KEY must be set together with S3_ACCESS_KEY: only one of the two is set",
    remedy: "Set both, or neither where the machine's role is used",
  },
  ...GENERATED_NAMES.map((subject): Rule => ({
    level: "problem",
    subject,
    broken: ({ settings, given }) =>
      settings.MATTERMOST_ENABLE_CLUSTER && !given(subject),
    message:
      `${subject} must be set, the same on each server: MATTERMOST_ENABLE_CLUSTER is true`,
    remedy: "Make all four once with app:secrets, and give them to each server",
  })),
  ...GENERATED_NAMES.map((subject): Rule => ({
    level: "warning",
    subject,
    broken: ({ settings }) => settings[subject] === PLACEHOLDER,
    message:
      `${subject} is the placeholder of the instructions, which everybody knows`,
    remedy: "Make a value of your own with app:secrets",
  })),
  {
    level: "warning",
    subject: "MATTERMOST_ENABLE_PUSH_NOTIFICATIONS",
    broken: ({ settings }) =>
      settings.MATTERMOST_ENABLE_PUSH_NOTIFICATIONS &&
      settings.MATTERMOST_PUSH_SERVER === "",
    message:
      "MATTERMOST_ENABLE_PUSH_NOTIFICATIONS is true, but nothing is sent without MATTERMOST_PUSH_SERVER",
    remedy: "Set MATTERMOST_PUSH_SERVER",
  },
  {
    level: "warning",
    subject: "MATTERMOST_EMAIL_NOTIFICATIONS",
    broken: ({ settings }) =>
      settings.MATTERMOST_EMAIL_NOTIFICATIONS && settings.SMTP_HOST === "",
    message:
      "MATTERMOST_EMAIL_NOTIFICATIONS is true, but no mail is sent without SMTP_HOST",
    remedy: "Set SMTP_HOST",
  },
  {
    level: "warning",
    subject: "MATTERMOST_EMAIL_VERIFICATION",
    broken: ({ settings }) =>
      settings.MATTERMOST_EMAIL_VERIFICATION && settings.SMTP_HOST === "",
    message:
      "MATTERMOST_EMAIL_VERIFICATION is true, but without SMTP_HOST no verification mail is sent and nobody new can log in",
    remedy: "Set SMTP_HOST, or MATTERMOST_EMAIL_VERIFICATION=false",
  },
  {
    level: "warning",
    subject: "MATTERMOST_RATE_LIMIT_HEADERS",
    broken: ({ settings, release }) =>
      inRange(release, ">=4.7.0") &&
      /[\s,]/.test(settings.MATTERMOST_RATE_LIMIT_HEADERS.trim()),
    message:
      "MATTERMOST_RATE_LIMIT_HEADERS names several headers, but from 4.7 on the server takes it for the name of one",
    remedy: "Name one header, such as MATTERMOST_RATE_LIMIT_HEADERS=X-Real-IP",
  },
  {
    level: "warning",
    subject: "SMTP_PASS",
    broken: ({ settings }) =>
      settings.SMTP_PASS !== "" && settings.SMTP_USER === "",
    message: "SMTP_PASS is not used without SMTP_USER",
    remedy: "Set SMTP_USER",
  },
  {
    level: "warning",
    subject: "GITLAB_ENABLE",
    broken: ({ settings }) =>
      settings.GITLAB_ENABLE &&
      [
        settings.GITLAB_ID,
        settings.GITLAB_SECRET,
        settings.GITLAB_AUTH_ENDPOINT,
        settings.GITLAB_TOKEN_ENDPOINT,
        settings.GITLAB_API_ENDPOINT,
      ].includes(""),
    message:
      "GITLAB_ENABLE is true, but signing in needs GITLAB_ID, GITLAB_SECRET, GITLAB_AUTH_ENDPOINT, GITLAB_TOKEN_ENDPOINT and GITLAB_API_ENDPOINT",
    remedy: "Set all five, as the application's page in GitLab shows them",
  },
  {
    level: "warning",
    subject: "DB_SSL_CA",
    broken: ({ settings }) =>
      settings.DB_SSL_CA !== "" &&
      ["disable", "require"].includes(settings.DB_SSL_MODE),
    message: "DB_SSL_CA is not used: DB_SSL_MODE does not check certificates",
    remedy: "Set DB_SSL_MODE=verify-full",
  },
  {
    level: "warning",
    subject: "DB_HOST",
    // Kubernetes sets the same variables for a host, but never credentials.
    broken: ({ origins }) =>
      [origins.DB_USER, origins.DB_PASS, origins.DB_NAME]
        .some(({ kind }) => kind === "link"),
    message:
      "DB_HOST and the login come from the variables of a Docker link, which Docker 29 and later do not set any more",
    remedy:
      "Set DB_HOST, DB_NAME, DB_USER and DB_PASS before you upgrade Docker, or move to Compose",
  },
  {
    level: "warning",
    subject: "MATTERMOST_UID",
    broken: ({ settings }) => settings.MATTERMOST_UID === 0,
    message:
      "MATTERMOST_UID is 0, so the server and its plugins would run as root",
    remedy: "Remove it: the default user 2000 owns everything that it needs",
  },
];

/**
 * Checks the rules over several settings.
 *
 * @param resolution The settings with their origins.
 * @param context What else the rules need to know.
 * @returns What is wrong, and what has no effect.
 */
export function checkRules(
  { settings, origins }: Resolution,
  context: RuleContext,
): Findings {
  const facts: Facts = {
    ...context,
    settings,
    origins,
    given: (name) => isExplicit(origins[name]),
  };
  const broken = RULES.filter((rule) => rule.broken(facts));
  const of = (level: Rule["level"]): Problem[] =>
    broken.filter((rule) => rule.level === level)
      .map(({ subject, message, remedy }) => ({ subject, message, remedy }));
  return {
    problems: of("problem"),
    warnings: [...of("warning"), ...settingsWithoutEffect(facts)],
  };
}

function settingsWithoutEffect(facts: Facts): Problem[] {
  return SETTING_NAMES.filter(facts.given).flatMap((name) =>
    reasonsForNoEffect(name, facts).map((why) => ({
      subject: name,
      message: `${name} has no effect in Mattermost ${facts.release}: ${why}`,
    }))
  );
}

/**
 * Tells why a setting has no effect in the installed release and edition.
 *
 * @param name The setting.
 * @param facts The settings, for the edition, and the installed release.
 * @returns Since when, and what replaces it; empty where it has its effect.
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
