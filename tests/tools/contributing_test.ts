import assert from "node:assert/strict";
import { join } from "node:path";

/** A row of the tables in "What each rule is proven by". */
interface Row {
  readonly rule: string;
  readonly tests: readonly string[];
}

const FOLDERS = ["commands", "config", "server"].map((room) =>
  `tests/unit/${room}`
);
const NAME_REGEXP =
  /\bDeno\.test\(\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;

function proofs(markdown: string): readonly Row[] {
  const section =
    markdown.split(/^## /m).find((each) =>
      each.startsWith("What each rule is proven by\n")
    ) ?? "";
  return [...section.matchAll(/^\| (.+) \| (.+) \|$/gm)]
    .map(([, rule = "", tests = ""]) => ({
      rule: rule.trim(),
      tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
    }))
    .filter(({ rule }) => rule !== "Rule" && !rule.startsWith("---"));
}

/** Whether a source has a test of this name; what is put into a template must be in the source as well. */
function hasTest(source: string, name: string): boolean {
  return [...source.matchAll(NAME_REGEXP)].some(([, plain, template = ""]) => {
    if (plain !== undefined) return JSON.parse(`"${plain}"`) === name;
    const parts = template.split(/\$\{[^}]*\}/).map((part) =>
      part.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")
    );
    const match = new RegExp(`^${parts.join("(.+)")}$`).exec(name);
    return match !== null &&
      match.slice(1).every((part) => source.includes(part));
  });
}

function readSources(): readonly string[] {
  return FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(folder)]
      .filter(({ name }) => name.endsWith("_test.ts"))
      .map(({ name }) => Deno.readTextFileSync(join(folder, name)))
  );
}

Deno.test("every test that CONTRIBUTING.md names as a proof exists", () => {
  const rows = proofs(Deno.readTextFileSync("CONTRIBUTING.md"));
  assert.ok(rows.length > 40, `${rows.length} rows`);
  const sources = readSources();
  for (const { rule, tests } of rows) {
    assert.ok(tests.length > 0, `${rule}: no test is named`);
    for (const name of tests) {
      assert.ok(sources.some((source) => hasTest(source, name)), name);
    }
  }
});

Deno.test("a test that does not exist is found out", () => {
  const source = [
    'const NAMES = ["one"];',
    'Deno.test("plain: it\'s \\"so\\"", () => {});',
    "Deno.test(`each ${name} of (them)`, () => {});",
  ].join("\n");
  assert.ok(hasTest(source, 'plain: it\'s "so"'));
  assert.ok(hasTest(source, "each one of (them)"));
  assert.ok(!hasTest(source, "plain"));
  assert.ok(!hasTest(source, "each two of (them)"));
});
