import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { envExample, fillSections } from "../../tools/generate.ts";

const ROOT = dirname(dirname(import.meta.dirname ?? "."));

Deno.test("README.md and env.example are those of the catalogue", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  assert.equal(fillSections(readme), readme, "run deno task generate");
  const sample = await Deno.readTextFile(join(ROOT, "env.example"));
  assert.equal(sample, envExample(), "run deno task generate");
});

Deno.test("what is generated is as the formatter wants it", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--check", "README.md"],
    cwd: ROOT,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
