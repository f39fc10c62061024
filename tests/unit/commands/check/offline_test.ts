/**
 * What the checks say where there is nobody to ask.
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
import { checkS3 } from "../../../../lib/commands/check/s3.ts";
import { checkSecrets } from "../../../../lib/commands/check/secrets.ts";
import { checkSettings } from "../../../../lib/commands/check/settings.ts";
import { checkSite } from "../../../../lib/commands/check/site.ts";
import { writePlan } from "../../../../lib/startup/handoff.ts";
import { makePlan } from "../../../../lib/startup/plan.ts";
import type { World } from "../../../support/fake_system.ts";
import {
  CONFIG,
  ENOUGH,
  installed,
  stage,
} from "../../../support/installation.ts";

async function carryOut(
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

Deno.test("what is not used is said to be so, with the setting that would use it", async () => {
  const silent: readonly (readonly [Check, string])[] = [
    [checkCluster, "Not used: MATTERMOST_ENABLE_CLUSTER is not true"],
    [checkGitlab, "Not used: GITLAB_ID is not set"],
    [checkMail, "Not used: SMTP_HOST is not set"],
    [checkPush, "Not used: push notifications are off"],
    [checkS3, "Not used: uploaded files are kept in a directory"],
  ];
  for (const [check, message] of silent) {
    const found = await carryOut(check);
    assert.deepEqual(found.map(({ level, message }) => [level, message]), [
      ["ok", message],
    ]);
  }
});

Deno.test("a cluster needs its edition, shared files and a name, and the remedies say so", async () => {
  const bare = await carryOut(checkCluster, {
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
  assert.match(bare[1]?.message ?? "", /are kept in \/opt\/mattermost\/data,/);
  assert.ok(bare.every(({ remedy }) => remedy !== undefined));

  const whole = await carryOut(checkCluster, {
    ...CLUSTER,
    MATTERMOST_EDITION: "enterprise",
    MATTERMOST_CLUSTER_NAME: "production",
    S3_BUCKET: "chat",
  });
  assert.deepEqual(whole, [{
    check: "cluster",
    level: "ok",
    message: "Shared files, a name and the secrets are there",
  }]);
});

Deno.test("a site without an address is a warning, one that is no web address a failure", async () => {
  const [unset] = await carryOut(checkSite);
  assert.deepEqual([unset?.check, unset?.level, unset?.remedy], [
    "site.url",
    "warning",
    "MATTERMOST_SITE_URL=https://chat.example.com",
  ]);
  const [wrong] = await carryOut(checkSite, {
    MM_SERVICESETTINGS_SITEURL: "ftp://chat.example.com",
  });
  assert.deepEqual([wrong?.check, wrong?.level, wrong?.message], [
    "site.url",
    "failed",
    "The site's URL is no web address: ftp://chat.example.com",
  ]);
});

Deno.test("a site whose name is not found is a failure that names it", async () => {
  const found = await carryOut(checkSite, {
    MATTERMOST_SITE_URL: "https://chat.example.com",
  });
  assert.deepEqual(found, [{
    check: "site.name",
    level: "failed",
    message: "chat.example.com, the site's name: the name does not resolve",
    remedy:
      "Enter chat.example.com in DNS with the address of the server or its proxy, or correct MATTERMOST_SITE_URL",
  }]);
});

Deno.test("a database whose name is not found is not asked", async () => {
  const found = await carryOut(checkDatabase);
  assert.deepEqual(
    found.map(({ check, level, message }) => ({
      check,
      level,
      message,
    })),
    [{
      check: "database.name",
      level: "failed",
      message: "DB_HOST=db.example.com: the name does not resolve",
    }],
  );
});

Deno.test("push notifications without a server are a failure", async () => {
  for (const address of ["", "push"]) {
    const found = await carryOut(checkPush, {
      MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS: "true",
      MM_EMAILSETTINGS_PUSHNOTIFICATIONSERVER: address,
    });
    assert.deepEqual(
      found.map(({ level, message }) => [level, message]),
      [["failed", "Push notifications are on, but their server is not set"]],
    );
  }
});

Deno.test("GitLab's endpoints are named by variable where they are missing or no addresses", async () => {
  const found = await carryOut(checkGitlab, {
    MM_GITLABSETTINGS_ENABLE: "true",
    MM_GITLABSETTINGS_AUTHENDPOINT: "gitlab",
  });
  assert.deepEqual(found.map(({ level, message }) => `${level}: ${message}`), [
    "failed: GITLAB_AUTH_ENDPOINT is no web address: gitlab",
    "failed: GITLAB_TOKEN_ENDPOINT is not set",
    "failed: GITLAB_API_ENDPOINT is not set",
  ]);
  assert.ok(found.every(({ check }) => check === "gitlab.answer"));
});

Deno.test("settings: what the next start does to config.json is counted", async () => {
  const files = installed();
  const last = async (env: Record<string, string> = {}): Promise<string> => {
    const found = await carryOut(checkSettings, env, { files });
    return found.find(({ check }) => check === "settings.config")?.message ??
      "";
  };
  assert.equal(await last(), `The next start makes ${CONFIG}`);
  const { context } = stage({ files, env: ENOUGH });
  await writePlan(await makePlan(context), context);
  assert.equal(await last(), `${CONFIG} is as the settings want it`);
  assert.equal(
    await last({ MATTERMOST_MAX_USERS: "70" }),
    `The next start changes 1 value in ${CONFIG} (app:config --diff shows them)`,
  );
});

Deno.test("settings: an edit that a variable overrides, and what is given in vain, are warnings", async () => {
  const files = installed();
  const env = { ...ENOUGH, MATTERMOST_MAX_USERS: "70" };
  const { context, system } = stage({ files, env });
  await writePlan(await makePlan(context), context);
  const text = system.files.readText(CONFIG);
  system.files.place(CONFIG, text.replace(/: ?70\b/, ": 71"));
  const found = await carryOut(checkSettings, {
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

Deno.test("secrets: given, to be made, kept, short, regular and shared ones are told apart", async () => {
  const files = installed();
  const said = async (env: Record<string, string>): Promise<string[]> => {
    const found = await carryOut(checkSecrets, env, { files });
    return found.map(({ level, message }) => `${level}: ${message}`);
  };
  const fresh = await said({});
  assert.ok(fresh.length >= 2);
  assert.ok(
    fresh.every((line) => /^ok: \w+ is not given: the first start/.test(line)),
    fresh.join("\n"),
  );
  const { context } = stage({ files, env: ENOUGH });
  await writePlan(await makePlan(context), context);
  assert.ok(
    (await said({})).every((line) => /^ok: \w+ is kept in config/.test(line)),
  );
  const given = await said({
    MATTERMOST_SECRET_KEY: CLUSTER.MATTERMOST_SECRET_KEY,
  });
  assert.ok(given.includes("ok: MATTERMOST_SECRET_KEY is given"));
  const regular = await said({ MATTERMOST_SECRET_KEY: "ab".repeat(16) });
  assert.ok(
    regular.includes(
      "warning: MATTERMOST_SECRET_KEY is too regular to be random",
    ),
    regular.join("\n"),
  );
  const shared = await said({
    MATTERMOST_SECRET_KEY: CLUSTER.MATTERMOST_SECRET_KEY,
    MATTERMOST_LINK_SALT: CLUSTER.MATTERMOST_SECRET_KEY,
  });
  assert.equal(
    shared.filter((line) => /each secret needs its own$/.test(line)).length,
    2,
  );
});
