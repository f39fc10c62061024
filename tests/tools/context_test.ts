import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../tools/shared/process.ts";

const ROOT = join(import.meta.dirname ?? ".", "../..");

Deno.test("the program compiles with the files that .dockerignore lets into the build context", async () => {
  const text = await Deno.readTextFile(join(ROOT, ".dockerignore"));
  const [all, ...kept] = text.split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  assert.equal(all, "*");
  const patterns = kept.map((line) => {
    assert.match(line, /^![\w./*]+$/);
    return line.slice(1);
  });
  const context = await Deno.makeTempDir({ prefix: "context-" });
  try {
    // For these patterns, with one star at most, the shell and Docker find the same files.
    const copy = `cp -R --parents -t "$0" ${patterns.join(" ")}`;
    await run(["sh", "-euc", copy, context], { cwd: ROOT });
    const program = join(context, "dist/mattermost-entrypoint");
    const printed = await run([
      Deno.execPath(),
      ...["run", "-A", "tools/compile.ts"],
    ], { cwd: context });
    assert.match(printed, /mattermost-entrypoint: \d+ bytes/);
    assert.match(await run([program, "app:version"]), /./);
  } finally {
    await Deno.remove(context, { recursive: true });
  }
});
