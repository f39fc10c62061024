import assert from "node:assert/strict";

Deno.test("the generated files are up to date and formatted", async () => {
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
