/**
 * The findings of the checks that need no service.
 *
 * @module
 */

import assert from "node:assert/strict";
import { checkCluster } from "../../../../lib/commands/check/cluster.ts";
import { checkDatabase } from "../../../../lib/commands/check/database.ts";
import type { Check, Finding } from "../../../../lib/commands/check/finding.ts";
import { checkGitlab } from "../../../../lib/commands/check/gitlab.ts";
import { checkMail } from "../../../../lib/commands/check/mail.ts";
import { checkPush } from "../../../../lib/commands/check/push.ts";
import { checkRelease } from "../../../../lib/commands/check/release.ts";
import { checkS3 } from "../../../../lib/commands/check/s3.ts";
import { checkSecrets } from "../../../../lib/commands/check/secrets.ts";
import { checkSettings } from "../../../../lib/commands/check/settings.ts";
import { checkSite } from "../../../../lib/commands/check/site.ts";
import { FOUND_BY_NAME } from "../../../../lib/database/data_source.ts";
import { writePlan } from "../../../../lib/startup/write_plan.ts";
import { makePlan } from "../../../../lib/startup/plan.ts";
import type { World } from "../../../support/fake_system.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../../support/installation.ts";

async function runCheck(
  check: Check,
  env: Readonly<Record<string, string>> = {},
  world: Omit<World, "env"> = {},
): Promise<readonly Finding[]> {
  const { system, context } = stage({ ...world, env: { ...ENOUGH, ...env } });
  const plan = await makePlan(context);
  return await check({
    plan,
    system,
    signal: context.signal,
    trusted: () => undefined,
  });
}

const CLUSTER = {
  MATTERMOST_ENABLE_CLUSTER: "true",
  MATTERMOST_SECRET_KEY: "GHRtwKbmXJmHnbVjVWnVvhjfxtTCmZfy",
  MATTERMOST_LINK_SALT: "DmtDNcJDNzJvRrfnrkCnDBjRFmhqVLNk",
  MATTERMOST_RESET_SALT: "ksddgtwCLjCPqKNVRqwpnVpjHvTFPJhD",
  MATTERMOST_INVITE_SALT: "zNtvtcjXjqfMJkJLVdnkbBTmTXCgTkRF",
};

Deno.test("a subject that is turned off has one finding that names its setting", async () => {
  const off: readonly (readonly [Check, string])[] = [
    [checkCluster, "Clustering is turned off (MATTERMOST_ENABLE_CLUSTER)"],
    [checkGitlab, "GitLab sign-in is turned off (GITLAB_ENABLE)"],
    [checkMail, "Mail is turned off: SMTP_HOST is not set"],
    [
      checkPush,
      "Push notifications are turned off (MATTERMOST_ENABLE_PUSH_NOTIFICATIONS)",
    ],
    [
      checkS3,
      "S3 is not used: uploaded files are stored in a directory (MATTERMOST_FILE_DRIVER)",
    ],
  ];
  for (const [check, message] of off) {
    const found = await runCheck(check);
    assert.deepEqual(found.map(({ level, message }) => [level, message]), [
      ["ok", message],
    ]);
  }
});

Deno.test("a cluster requires the Enterprise edition, shared files and a name", async () => {
  const bare = await runCheck(checkCluster, {
    ...CLUSTER,
    MATTERMOST_EDITION: "team",
  });
  assert.deepEqual(
    bare.map(({ check, level }) => `${level} ${check}`),
    [
      "warning cluster.edition",
      "warning cluster.files",
      "warning cluster.name",
    ],
  );
  assert.match(
    bare[1]?.message ?? "",
    /are stored in \/opt\/mattermost\/data,/,
  );
  assert.ok(bare.every(({ remedy }) => remedy !== undefined));

  const whole = await runCheck(checkCluster, {
    ...CLUSTER,
    MATTERMOST_EDITION: "enterprise",
    MATTERMOST_CLUSTER_NAME: "production",
    S3_BUCKET: "chat",
  });
  assert.deepEqual(whole, [{
    check: "cluster",
    level: "ok",
    message: "The cluster has a name, shared file storage and common secrets",
  }]);
});

Deno.test("files in Azure Blob Storage are no directory, and its missing settings are named", async () => {
  const AZURE = {
    MATTERMOST_VERSION: "11.9.1",
    MATTERMOST_FILE_DRIVER: "azureblob",
    MM_FILESETTINGS_AZURESTORAGEACCOUNT: "acme",
    MM_FILESETTINGS_AZURECONTAINER: "chat",
  };
  const stored = {
    check: "s3",
    level: "ok",
    message:
      "S3 is not used: uploaded files are stored in Azure Blob Storage, which app:check does not test (MATTERMOST_FILE_DRIVER)",
  };
  const { MM_FILESETTINGS_AZURECONTAINER: _, ...incomplete } = AZURE;
  assert.deepEqual(await runCheck(checkS3, incomplete), [
    stored,
    {
      check: "azure",
      level: "warning",
      message:
        "Azure Blob Storage cannot be used without FileSettings.AzureContainer",
      remedy: "Set MM_FILESETTINGS_AZURECONTAINER",
    },
    {
      check: "azure",
      level: "warning",
      message:
        "Azure Blob Storage cannot be used without FileSettings.AzureAccessKey",
      remedy: "Set MM_FILESETTINGS_AZUREACCESSKEY",
    },
  ]);
  for (
    const login of [
      { MM_FILESETTINGS_AZUREACCESSKEY: "key" },
      { MM_FILESETTINGS_AZUREAUTHMODE: "default_credential" },
    ]
  ) {
    assert.deepEqual(await runCheck(checkS3, { ...AZURE, ...login }), [stored]);
  }
  const shared = await runCheck(checkCluster, {
    ...CLUSTER,
    ...AZURE,
    MATTERMOST_EDITION: "enterprise",
    MATTERMOST_CLUSTER_NAME: "production",
  });
  assert.deepEqual(shared.map(({ level }) => level), ["ok"]);
});

Deno.test("a server that does not report its release is a warning, one of another release a failure", async () => {
  const reply = (...lines: string[]): Omit<World, "env"> => ({
    watchChild: () => ({ lines, code: 0 }),
  });
  assert.deepEqual(await runCheck(checkRelease), []);
  assert.deepEqual(await runCheck(checkRelease, {}, reply("something else")), [{
    check: "settings.release",
    level: "warning",
    message:
      `The server in ${INSTALL} does not report its release, so the checks assume 11.7.9, as MATTERMOST_VERSION says`,
    remedy: `${INSTALL}/bin/mattermost version`,
  }]);
  await assert.rejects(
    runCheck(checkRelease, {}, reply("Version: 11.6.0")),
    /reports release 11\.6\.0/,
  );
});

Deno.test("a missing site URL is a warning, a wrong one a failure", async () => {
  const [unset] = await runCheck(checkSite);
  assert.deepEqual([unset?.check, unset?.level, unset?.remedy], [
    "site.url",
    "warning",
    "MATTERMOST_SITE_URL=https://chat.example.com",
  ]);
  const [wrong] = await runCheck(checkSite, {
    MM_SERVICESETTINGS_SITEURL: "ftp://chat.example.com",
  });
  assert.deepEqual([wrong?.check, wrong?.level, wrong?.message], [
    "site.url",
    "failed",
    'MATTERMOST_SITE_URL must be a URL that begins with http:// or https://: it is "ftp://chat.example.com"',
  ]);
});

Deno.test("a site URL whose host name does not resolve is a failure", async () => {
  const found = await runCheck(checkSite, {
    MATTERMOST_SITE_URL: "https://chat.example.com",
  });
  assert.deepEqual(found, [{
    check: "site.name",
    level: "failed",
    message:
      "chat.example.com, the host name of MATTERMOST_SITE_URL, does not resolve: the host name is unknown",
    remedy:
      "Add chat.example.com to DNS with the address of the server or of its proxy, or correct MATTERMOST_SITE_URL",
  }]);
});

Deno.test("a database host that does not resolve is a failure, and the only finding about the database", async () => {
  const found = await runCheck(checkDatabase);
  assert.deepEqual(
    found.map(({ check, level, message }) => ({
      check,
      level,
      message,
    })),
    [{
      check: "database.name",
      level: "failed",
      message:
        "DB_HOST=db.example.com does not resolve: the host name is unknown",
    }],
  );
});

Deno.test("a database that was found by its name says so, and what a search domain made of the name", async () => {
  const files = installed();
  files.place(
    "/etc/resolv.conf",
    "nameserver 10.0.0.1\nsearch a.test b.test\n",
  );
  const hosts = {
    db: ["10.0.0.5"],
    "db.a.test": ["10.0.0.9"],
    "db.b.test": ["10.0.0.5"],
  };
  const { system, context } = stage({ files, hosts });
  const made = await makePlan(context);
  const source = {
    ...made.database.source,
    host: "db",
    givenBy: { DB_HOST: FOUND_BY_NAME },
  };
  const plan = { ...made, database: { ...made.database, source } };
  const [name, login] = await checkDatabase({
    plan,
    system,
    // Without a connection.
    signal: AbortSignal.abort(new Error("no time")),
    trusted: () => undefined,
  });
  assert.equal(
    name?.message,
    "host db found as a service name resolves to 10.0.0.5, as db.b.test",
  );
  assert.match(
    login?.message ?? "",
    /^The PostgreSQL database \(host db found as a service name, DB_PORT=5432, .* does not answer$/,
  );
});

Deno.test("push notifications without the URL of a server are a failure", async () => {
  for (const address of ["", "push"]) {
    const found = await runCheck(checkPush, {
      MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS: "true",
      MM_EMAILSETTINGS_PUSHNOTIFICATIONSERVER: address,
    });
    assert.deepEqual(
      found.map(({ level, message }) => [level, message]),
      [[
        "failed",
        `MATTERMOST_PUSH_SERVER must be a URL if push notifications are turned on: it is "${address}"`,
      ]],
    );
  }
});

Deno.test("missing and wrong endpoints of GitLab are named by their variables", async () => {
  const found = await runCheck(checkGitlab, {
    MM_GITLABSETTINGS_ENABLE: "true",
    MM_GITLABSETTINGS_AUTHENDPOINT: "gitlab",
  });
  assert.deepEqual(found.map(({ level, message }) => `${level}: ${message}`), [
    'failed: GITLAB_AUTH_ENDPOINT must be a URL: it is "gitlab"',
    'failed: GITLAB_TOKEN_ENDPOINT must be a URL: it is ""',
    'failed: GITLAB_API_ENDPOINT must be a URL: it is ""',
  ]);
  assert.ok(found.every(({ check }) => check === "gitlab.answer"));
});

Deno.test("credentials inside the URL of a service are in no finding", async () => {
  const url = "https://ann:S3CRET@nowhere.example.com";
  const found = await runCheck(async (context) =>
    (await Promise.all(
      [checkSite, checkPush, checkGitlab, checkS3].map((check) =>
        check(context)
      ),
    )).flat(), {
    MM_SERVICESETTINGS_SITEURL: url,
    MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS: "true",
    MM_EMAILSETTINGS_PUSHNOTIFICATIONSERVER: "https://ann:S3CRET@:1",
    MM_GITLABSETTINGS_ENABLE: "true",
    MM_GITLABSETTINGS_AUTHENDPOINT: "https://ann:S3CRET@:1:1",
    MM_FILESETTINGS_DRIVERNAME: "amazons3",
    MM_FILESETTINGS_AMAZONS3ENDPOINT: "key:S3CRET@minio:9000",
  });
  const checks = new Set(found.map(({ check }) => check.replace(/\..*/, "")));
  assert.deepEqual([...checks], ["site", "push", "gitlab", "s3"]);
  assert.doesNotMatch(JSON.stringify(found), /S3CRET/);
});

Deno.test("settings: the report says how many values of config.json the next start changes", async () => {
  const files = installed();
  const last = async (env: Record<string, string> = {}): Promise<string> => {
    const found = await runCheck(checkSettings, env, { files });
    return found.find(({ check }) => check === "settings.config")?.message ??
      "";
  };
  assert.equal(await last(), `The next start creates ${CONFIG}`);
  const { context } = stage({ files, env: ENOUGH });
  await writePlan(await makePlan(context), context);
  assert.equal(await last(), `${CONFIG} already matches the settings`);
  assert.equal(
    await last({ MATTERMOST_MAX_USERS: "70" }),
    `The next start changes 1 value in ${CONFIG} (see app:config --diff)`,
  );
});

Deno.test("settings: an overridden edit and an unknown variable are warnings", async () => {
  const files = installed();
  const env = { ...ENOUGH, MATTERMOST_MAX_USERS: "70" };
  const { context, system } = stage({ files, env });
  await writePlan(await makePlan(context), context);
  const text = system.files.readText(CONFIG);
  system.files.place(CONFIG, text.replace(/: ?70\b/, ": 71"));
  const found = await runCheck(checkSettings, {
    MATTERMOST_MAX_USERS: "70",
    MATTERMOST_MAX_USER: "80",
  }, { files });
  const warnings = found.filter(({ level }) => level === "warning");
  assert.deepEqual(warnings.map(({ check }) => check), [
    "settings.values",
    "settings.config",
  ]);
  assert.match(warnings[0]?.message ?? "", /MATTERMOST_MAX_USER\b/);
  assert.match(warnings[1]?.message ?? "", /MATTERMOST_MAX_USERS/);
});

Deno.test("secrets: set, missing, stored, predictable and repeated ones have different findings", async () => {
  const files = installed();
  const lines = async (env: Record<string, string>): Promise<string[]> => {
    const found = await runCheck(checkSecrets, env, { files });
    return found.map(({ level, message }) => `${level}: ${message}`);
  };
  const fresh = await lines({});
  assert.ok(fresh.length >= 2);
  assert.ok(
    fresh.every((line) => /^ok: \w+ is not set, so the first start/.test(line)),
    fresh.join("\n"),
  );
  const { context } = stage({ files, env: ENOUGH });
  await writePlan(await makePlan(context), context);
  assert.ok(
    (await lines({})).every((line) =>
      /^ok: \w+ is stored in config/.test(line)
    ),
  );
  const explicit = await lines({
    MATTERMOST_SECRET_KEY: CLUSTER.MATTERMOST_SECRET_KEY,
  });
  assert.ok(explicit.includes("ok: MATTERMOST_SECRET_KEY is set"));
  const predictable = await lines({ MATTERMOST_SECRET_KEY: "ab".repeat(16) });
  assert.ok(
    predictable.includes(
      "warning: MATTERMOST_SECRET_KEY has only 2 different characters, so it is not random",
    ),
    predictable.join("\n"),
  );
  const repeated = await lines({
    MATTERMOST_SECRET_KEY: CLUSTER.MATTERMOST_SECRET_KEY,
    MATTERMOST_LINK_SALT: CLUSTER.MATTERMOST_SECRET_KEY,
  });
  assert.equal(
    repeated.filter((line) =>
      /each secret needs a value of its own$/.test(line)
    ).length,
    2,
  );
});
