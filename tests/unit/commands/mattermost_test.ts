import assert from "node:assert/strict";
import { mattermost } from "../../../lib/commands/mattermost.ts";
import { Handoff } from "../../support/fake_system.ts";
import { ENOUGH, installed, stage } from "../../support/installation.ts";

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
