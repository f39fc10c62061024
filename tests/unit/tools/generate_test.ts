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
  settingsTables,
} from "../../../tools/generate.ts";
import { resolved } from "../settings/support.ts";

/** The cells of a table's rows, head and rule left out. */
function rows(table: string): string[][] {
  return table.split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("| ---"))
    .slice(1)
    .map((line) => line.slice(2, -2).split(" | ").map((cell) => cell.trim()));
}

Deno.test("the tables of the settings hold each of them once", () => {
  const names = [...settingsTables().matchAll(/^\| `(\w+)`/gm)]
    .map(([, name]) => name);
  assert.deepEqual([...names].sort(), [...SETTING_NAMES].sort());
});

Deno.test("every line of a table is as long as its head, as the formatter wants it", () => {
  for (const table of settingsTables().split(/^####.*\n\n/m).slice(1)) {
    const lines = table.trim().split("\n");
    assert.equal(new Set(lines.map((line) => [...line].length)).size, 1);
  }
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

Deno.test("env.example sets nothing as it is", () => {
  assert.deepEqual({ ...parseEnv(envExample()) }, {});
});

Deno.test("env.example, put into force, is the defaults and no secret", () => {
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

Deno.test("only what stands between the marks is written, and writing again changes nothing", () => {
  const document = [
    "# Title",
    "<!-- settings -->",
    "old",
    "<!-- /settings -->",
    "between",
    "<!-- commands -->",
    "<!-- /commands -->",
    "<!-- exit-codes --><!-- /exit-codes -->",
    "end",
  ].join("\n");
  const once = fillSections(document);
  assert.ok(once.startsWith("# Title\n<!-- settings -->\n\n#### Server\n"));
  assert.ok(once.includes("<!-- /settings -->\nbetween\n<!-- commands -->\n"));
  assert.ok(once.endsWith("<!-- /exit-codes -->\nend"));
  assert.ok(!once.includes("old\n"));
  assert.equal(fillSections(once), once);
});

Deno.test("a missing mark is named", () => {
  assert.throws(
    () => fillSections("<!-- settings --> <!-- /settings -->"),
    /<!-- commands -->/,
  );
});
