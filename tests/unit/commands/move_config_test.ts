import assert from "node:assert/strict";
import { config } from "../../../lib/commands/config.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import {
  CONFIG,
  ENOUGH,
  installed,
  stage,
} from "../../support/installation.ts";

async function refusal(
  args: readonly string[],
  { text, ...env }: Readonly<Record<string, string>> = {},
): Promise<EntrypointError> {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  if (text !== undefined) files.place(CONFIG, text);
  const { system, context } = stage({ files, env: { ...ENOUGH, ...env } });
  const { steps } = system.files;
  try {
    await config(args, context);
  } catch (error) {
    assert.ok(error instanceof EntrypointError, String(error));
    assert.equal(system.files.steps, steps);
    return error;
  }
  assert.fail("nothing was thrown");
}

Deno.test("a move is refused before anything is changed, and before the database is asked", async () => {
  const missing = await refusal(["--to-database"]);
  assert.equal(missing.code, 78);
  assert.match(missing.message, /^There is no .*config\.json to move/);
  const old = await refusal(
    ["--to-database"],
    { MATTERMOST_VERSION: "5.31.9", text: "{}" },
  );
  assert.equal(old.code, 78);
  assert.match(old.message, /5\.31\.9 has no command that stores/);
  assert.match(old.remedy ?? "", / MM_CUSTOM_DEFAULTS_PATH=.*config\.json /);
  const present = await refusal(["--to-file"], { text: "{}" });
  assert.equal(present.code, 78);
  assert.match(present.message, /exists, and nothing is overwritten/);
  assert.match(present.remedy ?? "", /^mv /);
});

Deno.test("options that ask for different things are refused", async () => {
  for (
    const args of [
      ["--to-file", "--to-database"],
      ["--restore", "--to-file"],
      ["--explain", "--to-database"],
    ]
  ) {
    assert.equal((await refusal(args)).code, 64, args.join(" "));
  }
  const error = await refusal(
    ["--restore"],
    { MATTERMOST_CONFIG_STORE: "database" },
  );
  assert.equal(error.code, 64);
  assert.match(error.remedy ?? "", /SET active = true/);
});
