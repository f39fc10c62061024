import assert from "node:assert/strict";
import { parseEnv } from "node:util";
import { COMMANDS, EXIT_CODES } from "../../../lib/commands/help.ts";
import { ExitCode } from "../../../lib/errors.ts";
import { rowOf, SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import {
  commandTable,
  envExample,
  exitCodeTable,
  fillSections,
  settingsIndex,
  settingsReference,
} from "../../../tools/generate.ts";
import { resolved } from "../settings/support.ts";

/** The cells of a table, without its head. */
function rows(table: string): string[][] {
  return table.split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("| ---"))
    .slice(1)
    .map((line) => line.slice(2, -2).split(" | ").map((cell) => cell.trim()));
}

Deno.test("settingsReference() describes each setting once, and settingsIndex() links to it", () => {
  const names = [...settingsReference().matchAll(/^### (\w+)$/gm)]
    .map(([, name]) => name);
  assert.deepEqual(names.sort(), [...SETTING_NAMES].sort());
  const links = [...settingsIndex().matchAll(/\[(\w+)\]\(#(\w+)\)/g)]
    .filter(([, name = ""]) => names.includes(name));
  assert.equal(links.length, SETTING_NAMES.length);
  for (const [, name = "", anchor] of links) {
    assert.equal(anchor, name.toLowerCase());
  }
});

Deno.test("settingsReference() has allowed values, places in config.json, and releases without an effect", () => {
  const reference = (name: string): string =>
    settingsReference().split(/^#+ /m).find((part) =>
      part.startsWith(`${name}\n`)
    ) ?? "";
  const proxies = reference("MATTERMOST_TRUSTED_PROXY_HEADERS");
  assert.match(
    proxies,
    /^- \*\*Example:\*\* `MATTERMOST_TRUSTED_PROXY_HEADERS=X-/m,
  );
  assert.match(
    proxies,
    /^- \*\*config\.json:\*\* `ServiceSettings\.\w+` \(5\.12\.0 and later\)$/m,
  );
  assert.match(
    proxies,
    /^- \*\*No effect:\*\* in Mattermost before 5\.12\.0: /m,
  );
  const password = reference("DB_PASS");
  assert.match(password, /^- \*\*Secret:\*\*/m);
  assert.match(password, /^- \*\*From a file:\*\* `DB_PASS_FILE`$/m);
  assert.match(password, /^- \*\*config\.json:\*\* `SqlSettings\.DataSource`/m);
  assert.match(
    reference("DB_TIMEOUT"),
    /^- \*\*Value:\*\* a whole number from 0 to 86400\n- \*\*Default:\*\* `60`$/m,
  );
});

Deno.test("the tables of commands and exit codes are complete", () => {
  const commands = rows(commandTable()).map(([cell]) => cell);
  for (const name of Object.keys(COMMANDS)) {
    assert.ok(commands.some((cell) => cell?.startsWith(`\`${name}`)), name);
  }
  const codes = rows(exitCodeTable()).map(([cell]) => cell);
  for (const code of Object.values(ExitCode)) {
    assert.ok(codes.includes(`${code}`), `${code}`);
  }
  assert.equal(codes.length, Object.keys(EXIT_CODES).length + 2);
});

Deno.test("env.example sets no variable", () => {
  assert.deepEqual({ ...parseEnv(envExample()) }, {});
});

Deno.test("env.example without the # sets all defaults and no secret", () => {
  const text = envExample().replaceAll(/^#(?=[A-Z])/gm, "");
  const env = { ...parseEnv(text) };
  assert.deepEqual(Object.keys(env).sort(), [...SETTING_NAMES].sort());
  const { settings, problems } = resolved(env as Record<string, string>);
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, resolved({}).settings);
  for (const name of SETTING_NAMES) {
    if (rowOf(name).secret === true) assert.equal(env[name], "");
  }
});

Deno.test("fillSections() changes only the sections, and a second call changes nothing", () => {
  const sections = { one: () => "1\n", two: () => "2\n" };
  const once = fillSections(
    "# Title\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two --><!-- /two -->\nend",
    sections,
  );
  assert.equal(
    once,
    "# Title\n<!-- one -->\n\n1\n\n<!-- /one -->\nbetween\n<!-- two -->\n\n2\n\n<!-- /two -->\nend",
  );
  assert.equal(fillSections(once, sections), once);
});

Deno.test("a missing mark is named", () => {
  assert.throws(
    () => fillSections("<!-- one -->", { one: () => "" }),
    /<!-- \/one -->/,
  );
});
