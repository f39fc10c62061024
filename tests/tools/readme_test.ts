import assert from "node:assert/strict";
import { COMMANDS } from "../../lib/commands/help.ts";
import { REASONS } from "../../lib/database/reasons.ts";
import { isSettingName, SETTING_NAMES } from "../../lib/settings/catalogue.ts";

const README = await Deno.readTextFile("README.md");
/** Line breaks are of no meaning in prose. */
const PROSE = README.replace(/\s+/g, " ");
const TROUBLESHOOTING = PROSE.slice(
  PROSE.indexOf("## Troubleshooting"),
  PROSE.indexOf("## Coming from the old image"),
);

for (const [reason, { phrase }] of Object.entries(REASONS)) {
  Deno.test(`the README's troubleshooting is found by what is said for "${reason}"`, () => {
    assert.ok(TROUBLESHOOTING.includes(phrase), phrase);
  });
}

Deno.test("the README names no variable that the catalogue does not have", () => {
  const named = README.matchAll(
    /\b(?:MATTERMOST|DB|SMTP|GITLAB|S3)_[A-Z0-9_]+\b/g,
  );
  const unknown = [...named].map(([name]) => name).filter((name) =>
    !isSettingName(name.replace(/_FILE$/, "")) && !name.endsWith("_")
  );
  assert.deepEqual([...new Set(unknown)], []);
});

Deno.test("the README names every setting, and every command that it names exists", () => {
  const missing = SETTING_NAMES.filter((name) =>
    !README.includes(`\`${name}\``)
  );
  assert.deepEqual(missing, []);
  const commands = [...README.matchAll(/app:[a-z]+/g)].map(([name]) => name);
  const unknown = commands.filter((name) => !Object.hasOwn(COMMANDS, name));
  assert.deepEqual(unknown, []);
});
