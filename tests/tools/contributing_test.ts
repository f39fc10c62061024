import assert from "node:assert/strict";

const DOCUMENT = Deno.readTextFileSync("CONTRIBUTING.md");

/** Paths of the project in backticks. */
const PATH_REGEXP =
  /`((?:\.ci|docker|docs|lib|samples|tests|tools)\/[\w./-]*|[\w-]+\.(?:md|json|example))`/g;

/** Test files in commands. */
const TEST_REGEXP = /\btests\/[\w./-]+_test\.ts\b/g;

Deno.test("every path that CONTRIBUTING.md names exists", () => {
  const paths = [
    ...[...DOCUMENT.matchAll(PATH_REGEXP)].map(([, path = ""]) => path),
    ...[...DOCUMENT.matchAll(TEST_REGEXP)].map(([path]) => path),
  ];
  assert.ok(paths.length > 20, `${paths.length} paths`);
  const missing = new Set(paths).values().filter((path) => {
    try {
      return !Deno.statSync(path);
    } catch {
      return true;
    }
  });
  assert.deepEqual([...missing], []);
});

Deno.test("every task that CONTRIBUTING.md names exists, and every table and type of a recipe", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const named = [...DOCUMENT.matchAll(/`deno task ([\w:]+)/g)]
    .map(([, name = ""]) => name);
  assert.ok(named.length > 10, `${named.length} tasks`);
  assert.deepEqual(named.filter((name) => !Object.hasOwn(tasks, name)), []);
  for (
    const [name, path] of [
      ["GROUPS", "lib/settings/setting.ts"],
      ["RULES", "lib/settings/rules.ts"],
      ["CHECKS", "lib/commands/check.ts"],
      ["REASONS", "lib/database/reasons.ts"],
      ["COMMANDS", "lib/run.ts"],
      ["COMMANDS", "lib/commands/help.ts"],
      ["EXPECTED", "tests/unit/database/reasons_test.ts"],
      ["DEFAULT_RELEASE", "lib/default_release.ts"],
      ["STOPS", "lib/upgrade/path.ts"],
      ["RELEASES", "tests/contract/golden_test.ts"],
    ] as const
  ) {
    assert.ok(DOCUMENT.includes(`\`${name}\``), name);
    assert.match(await Deno.readTextFile(path), new RegExp(`const ${name}\\b`));
  }
});
