import assert from "node:assert/strict";
import { config } from "../../../lib/commands/config.ts";
import { writePlan } from "../../../lib/startup/write_plan.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { MemoryFiles } from "../../support/memory_files.ts";
import {
  CONFIG,
  ENOUGH,
  installed,
  stage,
} from "../../support/installation.ts";

const PASSWORD = "a password nobody may see";

async function written(env: Record<string, string> = {}): Promise<MemoryFiles> {
  const files = installed();
  const { context } = stage({ files, env: { ...ENOUGH, ...env } });
  await writePlan(await makePlan(context), context);
  return files;
}

async function answer(
  args: readonly string[],
  { files = installed(), env = {} }: {
    readonly files?: MemoryFiles;
    readonly env?: Record<string, string>;
  } = {},
): Promise<{ code: number; text: string; messages: string }> {
  const { system, context } = stage({ files, env: { ...ENOUGH, ...env } });
  const code = await config(args, context);
  return { code, text: system.out.text, messages: system.err.text };
}

Deno.test("app:config prints the file that a start would write, with hidden secrets unless --show-secrets is given", async () => {
  const hidden = await answer([]);
  assert.equal(hidden.code, 0);
  assert.equal(JSON.parse(hidden.text).SqlSettings.DataSource, "(hidden)");
  assert.ok(!hidden.text.includes("password"));
  const shown = await answer(["--show-secrets"]);
  assert.match(
    JSON.parse(shown.text).SqlSettings.DataSource,
    /a%20password%20nobody%20may%20see/,
  );
});

Deno.test("credentials inside a value are hidden, and ordinary words are not", async () => {
  const env = {
    DB_PASS: "mattermost",
    DB_USER: "mattermost",
    MATTERMOST_SITE_URL: "https://ann:S3CRET@chat.example.com",
    MATTERMOST_PUSH_SERVER: "https://push.example.com/?token=S3CRET",
    DEBUG: "true",
  };
  for (const args of [[], ["--explain"], ["--explain", "--json"], ["--diff"]]) {
    const { text } = await answer(args, { env });
    assert.doesNotMatch(text, /S3CRET/, args.join(" "));
    assert.match(text, /https:\/\/\(hidden\)@chat\.example\.com/);
    assert.match(text, /mattermost/);
  }
  const { text } = await answer(["--show-secrets"], { env });
  assert.match(text, /https:\/\/ann:S3CRET@chat/);
});

Deno.test("app:config changes nothing", async () => {
  const files = installed();
  await answer(["--explain"], { files });
  await answer(["--diff"], { files });
  await answer([], { files });
  assert.equal(files.stat(CONFIG), undefined);
});

Deno.test("--diff lists the values that the first start writes, and nothing after it", async () => {
  const first = await answer(["--diff"]);
  assert.equal(first.code, 1);
  assert.match(
    first.text,
    /^ServiceSettings\.ListenAddress: \(not set\) → ":80" {3}# default$/m,
  );
  assert.match(
    first.text,
    /^SqlSettings\.DataSource: \(not set\) → "\(hidden\)" {3}# set by you$/m,
  );
  assert.match(first.text, /^FileSettings\.PublicLinkSalt: .*# generated$/m);
  assert.ok(!first.text.includes("nobody"));
  const second = await answer(["--diff"], { files: await written() });
  assert.deepEqual([second.code, second.text], [0, ""]);
});

Deno.test("--diff lists the effects of a changed and a removed variable", async () => {
  const files = await written({ MATTERMOST_MAX_USERS: "70" });
  const changed = await answer(["--diff"], {
    files,
    env: { MATTERMOST_MAX_USERS: "80" },
  });
  assert.equal(
    changed.text,
    "TeamSettings.MaxUsersPerTeam: 70 → 80   # set by you\n",
  );
  const removed = await answer(["--diff", "--json"], { files });
  assert.equal(removed.code, 1);
  assert.deepEqual(JSON.parse(removed.text), {
    changes: [{
      path: "TeamSettings.MaxUsersPerTeam",
      before: 70,
      after: 50,
      reason: "withdrawn",
    }],
  });
});

Deno.test("--explain lists the source of each value", async () => {
  const files = await written();
  files.place("/run/secrets/user", "mail@example.com\n");
  const edited = files.readText(CONFIG).replace(
    '"SiteName": "Mattermost"',
    '"SiteName": "Edited"',
  );
  files.overwrite(CONFIG, edited);
  const { code, text } = await answer(["--explain"], {
    files,
    env: { SMTP_USER_FILE: "/run/secrets/user", MATTERMOST_SEGMENT_KEY: "x" },
  });
  assert.equal(code, 0);
  assert.match(text, /^DB_HOST=db\.example\.com {3}# variable DB_HOST$/m);
  assert.match(
    text,
    /^SMTP_USER=mail@example\.com {3}# SMTP_USER_FILE \(\/run\/secrets\/user\)$/m,
  );
  assert.match(
    text,
    /^ {4}TeamSettings\.SiteName = "Edited" {3}# kept from config\.json$/m,
  );
  assert.match(text, /^DB_PASS=\(hidden\) /m);
  assert.match(text, /^MATTERMOST_LINK_SALT= {3}# generated$/m);
  assert.match(text, /^ {4}no effect: removed in 3\.7\.0/m);
  assert.ok(!text.includes(PASSWORD));
});

Deno.test("--explain --json prints the same as JSON", async () => {
  const { text } = await answer(["--explain", "--json"]);
  const { settings } = JSON.parse(text);
  const found = settings.find(({ name }: { name: string }) =>
    name === "MATTERMOST_WEB_SESSION_DAYS"
  );
  assert.deepEqual(found, {
    name: "MATTERMOST_WEB_SESSION_DAYS",
    value: 30,
    origin: "default",
    paths: [{
      path: "ServiceSettings.SessionLengthWebInHours",
      value: 720,
      origin: "default",
    }],
  });
});

Deno.test("--restore gives up root before it touches a file, and refuses a link among the copies", async () => {
  const files = await written();
  const { system, context } = stage({ files });
  const { steps } = files;
  const before: number[] = [];
  system.becomeUser = () => void before.push(files.steps);
  assert.equal(await config(["--restore"], context), 0);
  assert.deepEqual(before, [steps]);
  files.link(`${CONFIG}.2`, "/etc/shadow");
  const after = files.steps;
  await assert.rejects(
    config(["--restore"], context),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message.startsWith(`${CONFIG}.2 is a symbolic link, `),
  );
  assert.equal(files.steps, after);
});

Deno.test("--restore restores a copy, and refuses numbers of copies that do not exist", async () => {
  const files = await written();
  const good = files.readText(CONFIG);
  files.overwrite(CONFIG, "");
  await assert.rejects(
    answer([], { files }),
    (error) => error instanceof EntrypointError && error.code === 65,
  );
  const { code, messages } = await answer(["--restore"], { files });
  assert.equal(code, 0);
  assert.equal(files.readText(CONFIG), good);
  assert.match(messages, /Restored .* from copy 1/);
  for (const number of ["0", "9", "first"]) {
    await assert.rejects(
      answer(["--restore", number], { files }),
      (error) => error instanceof EntrypointError && error.code === 64,
    );
  }
});

Deno.test("--explain and --diff cannot be combined", async () => {
  await assert.rejects(
    answer(["--explain", "--diff"]),
    (error) => error instanceof EntrypointError && error.code === 64,
  );
});
