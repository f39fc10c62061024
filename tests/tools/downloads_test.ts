import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../tools/shared/process.ts";

const ROOT = join(import.meta.dirname ?? ".", "../..");
/** Packages that only tests import. */
const TEST_PACKAGES = [
  "@mattermost",
  "fast-check",
  "node-forge",
  "smtp-server",
];

for (const program of ["main.ts", "tools/compile.ts", "tools/demo.ts"]) {
  Deno.test(`${program} does not download the packages of the tests`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "downloads-" });
    try {
      await run([Deno.execPath(), "cache", "--quiet", program], {
        cwd: ROOT,
        env: { DENO_DIR: directory },
      });
      const registries = join(directory, "npm");
      const found: string[] = [];
      for await (const registry of Deno.readDir(registries)) {
        const packages = Deno.readDir(join(registries, registry.name));
        for await (const { name } of packages) found.push(name);
      }
      assert.ok(found.includes("postgres"), found.join());
      assert.deepEqual(
        found.filter((name) => TEST_PACKAGES.includes(name)),
        [],
      );
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
