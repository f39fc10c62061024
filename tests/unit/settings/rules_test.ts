import assert from "node:assert/strict";
import type { Findings } from "../../../lib/settings/rules.ts";
import {
  checkSettings,
  PLACEHOLDER_SECRET,
} from "../../../lib/settings/rules.ts";
import { resolved } from "./support.ts";

const DATABASE = { DB_HOST: "db.example.com" };

function check(
  env: Record<string, string>,
  { release = "11.7.9", hasDataSource = false }: {
    readonly release?: string;
    readonly hasDataSource?: boolean;
  } = {},
): Findings {
  const resolution = resolved(env);
  assert.deepEqual(resolution.problems, []);
  return checkSettings(resolution, {
    hasDataSource,
    release,
  });
}

function subjects(findings: readonly { readonly subject: string }[]): string[] {
  return findings.map(({ subject }) => subject);
}

const FOUR_SECRETS = {
  MATTERMOST_SECRET_KEY: "k".repeat(32),
  MATTERMOST_LINK_SALT: "l".repeat(32),
  MATTERMOST_RESET_SALT: "r".repeat(32),
  MATTERMOST_INVITE_SALT: "i".repeat(32),
};

Deno.test("a database alone is enough", () => {
  assert.deepEqual(check(DATABASE), { problems: [], warnings: [] });
});

Deno.test("DB_HOST is required, unless the server has a data source", () => {
  assert.deepEqual(subjects(check({}).problems), ["DB_HOST"]);
  assert.deepEqual(check({}, { hasDataSource: true }).problems, []);
});

/** Settings that break one rule, the subject of the finding, and settings that mend it. */
const BROKEN: readonly (readonly [
  level: "problems" | "warnings",
  subject: string,
  env: Record<string, string>,
  mended: Record<string, string>,
])[] = [
  ["problems", "DB_USER", { DB_ADAPTER: "mysql", DB_USER: "a:b" }, {
    DB_ADAPTER: "postgres",
  }],
  [
    "problems",
    "MATTERMOST_ENABLE_EMAIL_BATCHING",
    { MATTERMOST_ENABLE_EMAIL_BATCHING: "true" },
    { MATTERMOST_SITE_URL: "https://a.example.com" },
  ],
  [
    "problems",
    "MATTERMOST_ENABLE_EMAIL_BATCHING",
    {
      MATTERMOST_ENABLE_EMAIL_BATCHING: "true",
      MATTERMOST_SITE_URL: "https://a.example.com",
      MATTERMOST_ENABLE_CLUSTER: "true",
      ...FOUR_SECRETS,
    },
    { MATTERMOST_ENABLE_EMAIL_BATCHING: "false" },
  ],
  [
    "problems",
    "MATTERMOST_LOCALES",
    { MATTERMOST_LOCALES: "en,fr", MATTERMOST_CLIENT_LOCALE: "de" },
    { MATTERMOST_LOCALES: "en,de" },
  ],
  ["problems", "S3_BUCKET", { MATTERMOST_FILE_DRIVER: "amazons3" }, {
    S3_BUCKET: "bucket",
  }],
  [
    "problems",
    "MATTERMOST_FILE_DRIVER",
    { MATTERMOST_FILE_DRIVER: "azureblob" },
    { MATTERMOST_FILE_DRIVER: "local" },
  ],
  ["problems", "S3_SECRET_KEY", { S3_ACCESS_KEY: "id" }, {
    S3_SECRET_KEY: "key",
  }],
  ["problems", "S3_SECRET_KEY", { S3_SECRET_KEY: "key" }, {
    S3_ACCESS_KEY: "id",
  }],
  [
    "problems",
    "MATTERMOST_INVITE_SALT",
    {
      ...FOUR_SECRETS,
      MATTERMOST_INVITE_SALT: "",
      MATTERMOST_ENABLE_CLUSTER: "true",
    },
    FOUR_SECRETS,
  ],
  [
    "warnings",
    "MATTERMOST_SECRET_KEY",
    { MATTERMOST_SECRET_KEY: PLACEHOLDER_SECRET },
    FOUR_SECRETS,
  ],
  [
    "warnings",
    "MATTERMOST_ENABLE_PUSH_NOTIFICATIONS",
    { MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: "true" },
    { MATTERMOST_PUSH_SERVER: "https://push.example.com" },
  ],
  [
    "warnings",
    "MATTERMOST_EMAIL_NOTIFICATIONS",
    { MATTERMOST_EMAIL_NOTIFICATIONS: "true" },
    { SMTP_HOST: "smtp.example.com" },
  ],
  [
    "warnings",
    "MATTERMOST_EMAIL_VERIFICATION",
    { MATTERMOST_EMAIL_VERIFICATION: "true" },
    { SMTP_HOST: "smtp.example.com" },
  ],
  [
    "warnings",
    "MATTERMOST_RATE_LIMIT_HEADERS",
    { MATTERMOST_RATE_LIMIT_HEADERS: "X-Real-IP, X-Forwarded-For" },
    { MATTERMOST_RATE_LIMIT_HEADERS: "X-Real-IP" },
  ],
  ["warnings", "SMTP_PASS", { SMTP_PASS: "pass" }, { SMTP_USER: "user" }],
  [
    "warnings",
    "DB_SSL_CA",
    { DB_SSL_CA: "/ca.pem", DB_SSL_MODE: "require" },
    { DB_SSL_MODE: "verify-full" },
  ],
  ["warnings", "MATTERMOST_UID", { MATTERMOST_UID: "0" }, {
    MATTERMOST_UID: "2000",
  }],
  [
    "warnings",
    "MATTERMOST_ENABLE_ADMIN_INTEGRATIONS",
    { MATTERMOST_ENABLE_ADMIN_INTEGRATIONS: "false" },
    { MATTERMOST_ENABLE_ADMIN_INTEGRATIONS: "" },
  ],
  ["warnings", "SMTP_DOMAIN", { SMTP_DOMAIN: "www.gmail.com" }, {
    SMTP_DOMAIN: "",
  }],
];

for (const [level, subject, env, mended] of BROKEN) {
  Deno.test(`${Object.keys(env).join(", ")} can break a rule about ${subject}`, () => {
    const { [level]: found } = check({ ...DATABASE, ...env });
    assert.deepEqual(subjects(found), [subject]);
    const { problems, warnings } = check({ ...DATABASE, ...env, ...mended });
    assert.deepEqual(subjects([...problems, ...warnings]), []);
  });
}

Deno.test("a cluster needs all four secrets", () => {
  const { problems } = check({
    ...DATABASE,
    MATTERMOST_ENABLE_CLUSTER: "true",
  });
  assert.deepEqual(subjects(problems).sort(), Object.keys(FOUR_SECRETS).sort());
});

Deno.test("the placeholder has the length of a secret, and is reported for each one", () => {
  const env = Object.fromEntries(
    Object.keys(FOUR_SECRETS).map((name) => [name, PLACEHOLDER_SECRET]),
  );
  const { problems, warnings } = check({ ...DATABASE, ...env }, {
    release: "3.6.0",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(subjects(warnings).sort(), Object.keys(FOUR_SECRETS).sort());
});

Deno.test("signing in with GitLab needs five settings, and a licence from 11 on", () => {
  const gitlab = {
    GITLAB_ID: "id",
    GITLAB_SECRET: "secret",
    GITLAB_AUTH_ENDPOINT: "https://git.example.com/a",
    GITLAB_TOKEN_ENDPOINT: "https://git.example.com/b",
    GITLAB_API_ENDPOINT: "https://git.example.com/c",
  };
  const warnings = (
    env: Record<string, string>,
    release: string,
  ): string[] => subjects(check({ ...DATABASE, ...env }, { release }).warnings);
  assert.deepEqual(warnings(gitlab, "10.11.0"), []);
  assert.deepEqual(warnings({ ...gitlab, GITLAB_SECRET: "" }, "10.11.0"), [
    "GITLAB_ENABLE",
  ]);
  assert.deepEqual(warnings(gitlab, "11.7.9"), ["GITLAB_ID"]);
  assert.deepEqual(
    warnings({ ...gitlab, MATTERMOST_EDITION: "enterprise" }, "11.7.9"),
    [],
  );
});

Deno.test("Azure Blob Storage is refused before the first release that has it, and not later", () => {
  const env = { ...DATABASE, MATTERMOST_FILE_DRIVER: "azureblob" };
  const subjectsOf = (release: string): string[] =>
    subjects(check(env, { release }).problems);
  for (const release of ["3.6.0", "10.11.23", "11.8.5"]) {
    assert.deepEqual(subjectsOf(release), ["MATTERMOST_FILE_DRIVER"], release);
  }
  for (const release of ["11.9.0", "11.10.0", "12.0.0", "13.4.0"]) {
    assert.deepEqual(subjectsOf(release), [], release);
  }
});

Deno.test("a setting without effect is reported only for the releases without it", () => {
  const env = { ...DATABASE, MATTERMOST_SEGMENT_KEY: "key" };
  assert.deepEqual(check(env, { release: "3.6.0" }).warnings, []);
  assert.deepEqual(check(env, { release: "3.7.0" }).warnings, [{
    subject: "MATTERMOST_SEGMENT_KEY",
    message:
      "MATTERMOST_SEGMENT_KEY has no effect in Mattermost 3.7.0: removed in 3.7.0 without a replacement",
  }]);
});

Deno.test("no message contains a secret", () => {
  const { problems, warnings } = check({
    DB_ADAPTER: "mysql",
    DB_USER: "a:b",
    DB_PASS: "MARKER",
    SMTP_PASS: "MARKER",
    S3_SECRET_KEY: "MARKER",
    GITLAB_SECRET: "MARKER",
    GITLAB_ENABLE: "true",
    MATTERMOST_SEGMENT_KEY: "MARKER",
  });
  assert.ok(problems.length > 2 && warnings.length > 2);
  assert.ok(!JSON.stringify([problems, warnings]).includes("MARKER"));
});

Deno.test("a login from link variables is reported, an address from Kubernetes is not", () => {
  const link = { POSTGRES_PORT_5432_TCP_ADDR: "10.0.0.5" };
  const login = { ...link, POSTGRES_ENV_POSTGRES_PASSWORD: "secret" };
  const said = (env: Record<string, string>): boolean =>
    check(env).warnings.some(({ message }) => message.includes("Docker 29"));
  assert.equal(said(login), true);
  assert.equal(said(link), false);
});
