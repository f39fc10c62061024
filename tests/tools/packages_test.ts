import assert from "node:assert/strict";
import { join } from "node:path";

const ROOT = join(import.meta.dirname ?? ".", "../..");

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(join(ROOT, path)));
}

Deno.test("tests/deno.json adds packages to deno.json and changes nothing else", async () => {
  const { imports, ...tests } = await readJson("tests/deno.json");
  const project = await readJson("deno.json");
  for (const [name, value] of Object.entries(project.imports)) {
    assert.equal(imports[name], value, name);
  }
  for (const [name, value] of Object.entries(tests)) {
    assert.deepEqual(value, project[name], name);
  }
});

Deno.test("both lock files have the same versions of the program's packages", async () => {
  const [project, tests] = await Promise.all(
    ["deno.lock", "tests/deno.lock"].map(readJson),
  );
  for (const [name, value] of Object.entries(project.npm)) {
    assert.deepEqual(tests.npm[name], value, name);
  }
  assert.ok(Object.keys(project.npm).length > 0);
});

Deno.test("a task downloads no packages of the tests", async () => {
  const directory = await Deno.makeTempDir({ prefix: "downloads-" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "generate", "--check"],
      cwd: ROOT,
      env: { DENO_DIR: directory },
      stdout: "null",
      stderr: "null",
    }).output();
    assert.ok(success);
    const registries = join(directory, "npm");
    const found: string[] = [];
    for await (const registry of Deno.readDir(registries)) {
      const packages = Deno.readDir(join(registries, registry.name));
      for await (const { name } of packages) found.push(name);
    }
    assert.ok(found.includes("postgres"), found.join());
    for (const name of ["@mattermost", "fast-check", "node-forge"]) {
      assert.ok(!found.includes(name), found.join());
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
