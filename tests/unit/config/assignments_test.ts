import assert from "node:assert/strict";
import { assignments, isObsolete } from "../../../lib/config/assignments.ts";
import type { Assignment } from "../../../lib/config/assignment.ts";
import { resolved, written } from "../settings/support.ts";

function valueAt(
  path: string,
  { release, env }: {
    readonly release: string;
    readonly env: Readonly<Record<string, string>>;
  },
): unknown {
  return written(resolved(env), release)
    .find((entry) => entry.path === path)?.value;
}

function entryAt(
  path: string,
  env: Readonly<Record<string, string>>,
): Assignment | undefined {
  return written(resolved(env), "3.6.0").find((entry) => entry.path === path);
}

Deno.test("a key is written only for the releases that have it", () => {
  const table: [release: string, path: string, isThere: boolean][] = [
    ["3.2.0", "ServiceSettings.SiteURL", false],
    ["3.3.0", "ServiceSettings.SiteURL", true],
    ["3.4.0", "RateLimitSettings.EnableRateLimiter", true],
    ["3.5.0", "RateLimitSettings.EnableRateLimiter", false],
    ["3.4.0", "RateLimitSettings.Enable", false],
    ["3.5.0", "RateLimitSettings.Enable", true],
    ["3.6.7", "ServiceSettings.SegmentDeveloperKey", true],
    ["3.7.0", "ServiceSettings.SegmentDeveloperKey", false],
    ["3.8.3", "EmailSettings.PasswordResetSalt", true],
    ["3.9.0", "EmailSettings.PasswordResetSalt", false],
    ["5.9.8", "EmailSettings.InviteSalt", true],
    ["5.10.0", "EmailSettings.InviteSalt", false],
    ["5.39.3", "TeamSettings.EnableTeamCreation", true],
    ["6.0.0", "TeamSettings.EnableTeamCreation", false],
    ["5.39.3", "GitLabSettings.UserApiEndpoint", true],
    ["6.0.0", "GitLabSettings.UserApiEndpoint", false],
    ["6.0.0", "GitLabSettings.UserAPIEndpoint", true],
    ["6.7.2", "ServiceSettings.SessionLengthWebInDays", true],
    ["7.0.0", "ServiceSettings.SessionLengthWebInDays", false],
    ["7.0.0", "ServiceSettings.SessionLengthWebInHours", true],
    ["4.0.5", "EmailSettings.EnableSMTPAuth", false],
    ["4.1.0", "EmailSettings.EnableSMTPAuth", true],
  ];
  for (const [release, path, isThere] of table) {
    const paths = written(resolved({}), release).map((entry) => entry.path);
    assert.equal(paths.includes(path), isThere, `${path} in ${release}`);
    assert.equal(isObsolete(path, release), !isThere, `${path} in ${release}`);
  }
});

Deno.test("a key that no setting writes by itself is not obsolete in any release", () => {
  for (const path of ["SqlSettings.DataSource", "ClusterSettings.Unknown"]) {
    assert.ok(!isObsolete(path, "3.0.0") && !isObsolete(path, "12.0.0"), path);
  }
});

Deno.test("mail without encryption still authenticates in every release", () => {
  const security = (release: string, env: Record<string, string>): unknown =>
    valueAt("EmailSettings.ConnectionSecurity", { release, env });
  const user = { SMTP_USER: "ann" };
  assert.equal(security("3.3.0", user), "");
  assert.equal(security("3.4.0", user), "PLAIN");
  assert.equal(security("4.0.5", user), "PLAIN");
  assert.equal(security("4.1.0", user), "");
  assert.equal(security("3.6.0", {}), "");
  assert.equal(security("3.6.0", { ...user, SMTP_SECURITY: "TLS" }), "TLS");
  assert.equal(
    valueAt("EmailSettings.EnableSMTPAuth", { release: "4.1.0", env: user }),
    true,
  );
});

Deno.test("video previews are enabled in the releases where they are off by default", () => {
  const previews = (release: string, env: Record<string, string>): unknown =>
    valueAt("ServiceSettings.EnableLinkPreviews", { release, env });
  const key = { MATTERMOST_GOOGLE_KEY: "key" };
  assert.equal(previews("5.11.0", key), undefined);
  assert.equal(previews("5.12.0", key), true);
  assert.equal(previews("5.12.0", {}), undefined);
  assert.equal(previews("5.24.0", key), undefined);
});

Deno.test("a secret is generated only if it is not set", () => {
  const path = "FileSettings.PublicLinkSalt";
  const made = entryAt(path, {});
  assert.equal(made?.value, undefined);
  assert.deepEqual(made?.origin, { kind: "generated" });
  const salt = "l".repeat(32);
  const given = entryAt(path, { MATTERMOST_LINK_SALT: salt });
  assert.equal(given?.value, salt);
  assert.deepEqual(given?.origin, {
    kind: "variable",
    name: "MATTERMOST_LINK_SALT",
  });
});

Deno.test("settings without a value and without a default write nothing", () => {
  for (
    const path of ["FileSettings.AmazonS3Bucket", "ClusterSettings.ClusterName"]
  ) {
    assert.equal(entryAt(path, {}), undefined);
  }
});

Deno.test("a value of several settings is explicit if one of them is", () => {
  const path = "SqlSettings.DataSource";
  assert.deepEqual(entryAt(path, {})?.origin, { kind: "default" });
  assert.deepEqual(entryAt(path, { DB_PASS: "secret" })?.origin, {
    kind: "variable",
    name: "DB_PASS",
  });
});

Deno.test("without a data source, driver and data source of config.json stay", () => {
  const { settings, origins } = resolved({});
  const paths = assignments({ settings, origins }, {
    release: "11.7.9",
    dataSource: undefined,
    adapter: "postgres",
    logLocation: "/var/log/mattermost",
  }).map(({ path }) => path);
  assert.ok(!paths.includes("SqlSettings.DataSource"));
  assert.ok(!paths.includes("SqlSettings.DriverName"));
});

Deno.test("values without secrets are not marked as secret", () => {
  assert.equal(entryAt("TeamSettings.SiteName", {})?.secret, false);
});
