/**
 * The complete config.json for one realistic environment in releases of every
 * generation, the differences between these releases, and the config.json for
 * the default settings. `tests/support/golden.ts` says how to update the files.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assertGolden } from "../support/golden.ts";
import { createHome } from "../support/home.ts";
import {
  COMPILED,
  INTERPRETED,
  type Program,
  runProgram,
} from "../support/program.ts";

/** The releases by the names of their golden files, oldest first. */
const RELEASES = {
  "3.0": "3.0.3",
  "3.6": "3.6.7",
  "4.10": "4.10.10",
  "5.37": "5.37.10",
  "6.3": "6.3.10",
  "7.8": "7.8.15",
  "9.11": "9.11.18",
  "10.11": "10.11.23",
  "11.7": "11.7.9",
  "11.10": "11.10.0",
} as const;

/** The environment of an operator who uses most settings. */
const ENVIRONMENT = {
  DB_ADAPTER: "postgres",
  DB_HOST: "db.example.com",
  DB_NAME: "chat",
  DB_USER: "chat",
  DB_PASS: "p@ss:w/ord",
  DB_SSL_MODE: "verify-full",
  DB_SSL_CA: "/run/secrets/db_ca.pem",
  GITLAB_ENABLE: "true",
  GITLAB_ID: "gitlab-id",
  GITLAB_SECRET: "gitlab-secret",
  GITLAB_API_ENDPOINT: "https://gitlab.example.com/api/v4/user",
  GITLAB_AUTH_ENDPOINT: "https://gitlab.example.com/oauth/authorize",
  GITLAB_TOKEN_ENDPOINT: "https://gitlab.example.com/oauth/token",
  MATTERMOST_EMAIL: "chat@example.com",
  MATTERMOST_GOOGLE_KEY: "google-key",
  MATTERMOST_INVITE_SALT: "invite-salt-0123456789abcdefghijkl",
  MATTERMOST_LINK_SALT: "link-salt-0123456789abcdefghijklmn",
  MATTERMOST_LOG_LEVEL: "debug",
  MATTERMOST_MAX_FILE_SIZE: "104857600",
  MATTERMOST_MAX_USERS: "500",
  MATTERMOST_NAME: "Example Chat",
  MATTERMOST_OPEN_SERVER: "true",
  MATTERMOST_PORT: "8065",
  MATTERMOST_PUSH_SERVER: "https://push.example.com",
  MATTERMOST_RESET_SALT: "reset-salt-0123456789abcdefghijklm",
  MATTERMOST_SECRET_KEY: "secret-key-0123456789abcdefghijklm",
  MATTERMOST_SEGMENT_KEY: "segment-key",
  MATTERMOST_SITE_URL: "https://chat.example.com",
  MATTERMOST_TRUSTED_PROXY_HEADERS: "X-Forwarded-For",
  MATTERMOST_WEB_SESSION_DAYS: "7",
  S3_BUCKET: "chat-files",
  S3_REGION: "eu-central-1",
  S3_ACCESS_KEY: "s3-access-key",
  S3_SECRET_KEY: "s3-secret-key",
  S3_SSE: "true",
  SMTP_HOST: "smtp.example.com",
  SMTP_PORT: "587",
  SMTP_USER: "chat@example.com",
  SMTP_PASS: "smtp-pass",
};

/** The environment of an operator who accepts the defaults. */
const DATABASE_ALONE = { DB_HOST: "db.example.com", MATTERMOST_PORT: "" };

/** The config.json for a release. */
async function make(
  version: string,
  { program = COMPILED, env = ENVIRONMENT }: {
    readonly program?: Program;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<string> {
  await using home = await createHome();
  const { code, stdout, stderr } = await runProgram(
    program,
    ["app:config", "--show-secrets"],
    { env: { ...home.env, ...env, MATTERMOST_VERSION: version } },
  );
  assert.equal(code, 0, stderr);
  return stdout.replaceAll(home.path, "/opt/mattermost");
}

/** Maps `Section.Key` to the value as JSON. */
function flatten(text: string): Map<string, string> {
  const sections: Record<string, Record<string, unknown>> = JSON.parse(text);
  return new Map(
    Object.entries(sections).flatMap(([section, keys]) =>
      Object.entries(keys).map(([key, value]) =>
        [`${section}.${key}`, JSON.stringify(value)] as const
      )
    ).sort(([a], [b]) => a < b ? -1 : 1),
  );
}

/** The differences between two files, one key per line. */
function difference(before: string, after: string): string {
  const [old, now] = [flatten(before), flatten(after)];
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), now.get(path)];
    if (was === is) return [];
    if (was === undefined) return [`+ ${path}: ${is}\n`];
    if (is === undefined) return [`- ${path}: ${was}\n`];
    return [`~ ${path}: ${was} → ${is}\n`];
  }).join("");
}

for (const [index, [name, version]] of Object.entries(RELEASES).entries()) {
  Deno.test(`config.json for ${name} equals its golden file`, async () => {
    const text = await make(version);
    await assertGolden(`config/${name}.json`, text);
    const [previous, older] = Object.entries(RELEASES)[index - 1] ?? [];
    if (previous === undefined || older === undefined) return;
    const changes = difference(await make(older), text);
    await assertGolden(
      `config/${name}.diff`,
      `# The differences between Mattermost ${previous} and ${name}\n${changes}`,
    );
  });
}

for (const name of ["3.6", "11.7"] as const) {
  Deno.test(`config.json for ${name} with default settings equals its golden file`, async () => {
    const text = await make(RELEASES[name], { env: DATABASE_ALONE });
    await assertGolden(`config/${name}-defaults.json`, text, {
      volatile: [[/"[A-Za-z0-9]{64}"/g, '"(made at the first start)"']],
    });
  });
}

Deno.test("the program run from source prints the same config.json as the binary", async () => {
  for (const version of ["3.6.7", "11.7.9"]) {
    assert.equal(
      await make(version, { program: INTERPRETED }),
      await make(version),
    );
  }
});

Deno.test("without --show-secrets only the values of secrets differ", async () => {
  await using home = await createHome();
  const { stdout } = await runProgram(COMPILED, ["app:config"], {
    env: { ...ENVIRONMENT, ...home.env, MATTERMOST_VERSION: "11.7.9" },
  });
  const changed = difference(
    await make("11.7.9"),
    stdout.replaceAll(home.path, "/opt/mattermost"),
  );
  const paths = [...changed.matchAll(/^~ (\S+): .* → (.*)$/gm)]
    .map(([, path, value]) => [path, value]);
  assert.equal(paths.length, changed.trimEnd().split("\n").length, changed);
  assert.deepEqual(paths, [
    ["EmailSettings.SMTPPassword", '"(hidden)"'],
    ["FileSettings.AmazonS3AccessKeyId", '"(hidden)"'],
    ["FileSettings.AmazonS3SecretAccessKey", '"(hidden)"'],
    ["FileSettings.PublicLinkSalt", '"(hidden)"'],
    ["GitLabSettings.Secret", '"(hidden)"'],
    ["ServiceSettings.GoogleDeveloperKey", '"(hidden)"'],
    ["SqlSettings.AtRestEncryptKey", '"(hidden)"'],
    ["SqlSettings.DataSource", '"(hidden)"'],
  ]);
});
