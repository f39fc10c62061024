import assert from "node:assert/strict";
import { mattermost } from "../../../lib/commands/mattermost.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { Handoff } from "../../support/fake_system.ts";
import {
  CONFIG,
  ENOUGH,
  installed,
  stage,
} from "../../support/installation.ts";

Deno.test("with the configuration in the database, a subcommand gets no data source", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(CONFIG, "{}");
  const env = { ...ENOUGH, MATTERMOST_CONFIG_STORE: "database" };
  const { system, context } = stage({ files, env });
  await assert.rejects(() => mattermost(["jobserver"], context), Handoff);
  const given = system.handoffs[0]?.env ?? {};
  assert.equal(given["MM_CONFIG"], undefined);
  assert.doesNotMatch(JSON.stringify(given), /nobody/);
});

Deno.test("a subcommand gets no data source that the server would print", async () => {
  const text = "mysql://ann:S3CRET@tcp(db)/chat";
  const files = installed();
  files.place("/run/secrets/config", text);
  for (
    const [name, value] of [
      ["MM_CONFIG", text],
      ["mm_config", text],
      ["MM_CONFIG_FILE", "/run/secrets/config"],
    ] as const
  ) {
    const { system, context } = stage({
      files,
      env: { ...ENOUGH, [name]: value },
    });
    await assert.rejects(
      () => mattermost(["jobserver"], context),
      (error) =>
        error instanceof EntrypointError && error.code === 78 &&
        error.message.startsWith(`${name} is a data source of MySQL`),
    );
    assert.deepEqual(system.handoffs, []);
  }
});

Deno.test("a subcommand of the server gets its variables, and no secret that only the entrypoint needs", async () => {
  const files = installed();
  files.place("/run/secrets/licence", "the licence\n");
  const { system, context } = stage({
    files,
    env: {
      ...ENOUGH,
      DB_PASSWORD: "x",
      REDIS_ENV_REDIS_PASSWORD: "x",
      MATTERMOST_SECRET_KEY_FILE: "/run/secrets/key",
      MM_LICENSE_FILE: "/run/secrets/licence",
      MM_SQLSETTINGS_DATASOURCE_FILE: "/run/secrets/none",
      MM_EMAILSETTINGS_SMTPPASSWORD: "y",
      PATH: "/bin",
    },
  });
  await assert.rejects(() => mattermost(["jobserver"], context), Handoff);
  const { DB_PASS: _, ...open } = ENOUGH as Record<string, string>;
  assert.deepEqual(system.handoffs[0]?.env, {
    ...open,
    MM_LICENSE: "the licence",
    MM_EMAILSETTINGS_SMTPPASSWORD: "y",
    PATH: "/bin",
  });
});
