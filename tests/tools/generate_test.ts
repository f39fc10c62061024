import assert from "node:assert/strict";

Deno.test("what is generated is up to date, and as the formatter wants it", async () => {
  for (
    const args of [
      ["run", "--allow-all", "tools/generate.ts", "--check"],
      ["fmt", "--check", "README.md", "docs"],
    ]
  ) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args })
      .output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  }
});
