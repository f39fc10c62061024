import assert from "node:assert/strict";
import { join } from "node:path";
import { CATALOGUE } from "../../lib/settings/catalogue.ts";

const ROOT = join(import.meta.dirname ?? ".", "../..");

/** Variables of other programs, and of the compose files themselves. */
const FOREIGN_REGEXP =
  /^(CADDY|POSTGRES|MYSQL|NGINX)_|^(MATTERMOST_IMAGE|MATTERMOST_PUBLISH|HTTP_PORT|HTTPS_PORT)$/;

/** The forms of variables in samples: `NAME: value`, `NAME=value`, `- name: NAME`, `Environment=NAME=value`. */
const NAME_REGEXP =
  /^\s*(?:- name: |--env '|Environment=)?([A-Z][A-Z0-9]*_[A-Z0-9_]+|DEBUG)(?:: |=|$)|--env '([A-Z][A-Z0-9_]+)=|\$\{([A-Z][A-Z0-9_]+)/gm;

Deno.test("every variable in a sample is in the catalogue", async () => {
  const found = await sampleVariables();
  assert.ok(found.size > 20, `only ${found.size} variables found`);
  for (const [name, file] of found) {
    if (FOREIGN_REGEXP.test(name)) continue;
    const setting = name.replace(/_FILE$/, "");
    assert.ok(
      setting in CATALOGUE,
      `${file} sets ${name}, which is not a setting`,
    );
  }
});

Deno.test("every action in a workflow is pinned by its hash, and a comment has its version", async () => {
  const directory = join(ROOT, ".github/workflows");
  for await (const { name } of Deno.readDir(directory)) {
    const text = await Deno.readTextFile(join(directory, name));
    const uses = text.match(/^.*\buses: (?!\.\/).*$/gm) ?? [];
    assert.ok(uses.length > 0, name);
    for (const line of uses) {
      assert.match(line, /@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
    }
  }
});

Deno.test("every argument that Compose and the workflows give to the build exists in the Dockerfile", async () => {
  const read = (name: string) => Deno.readTextFile(join(ROOT, name));
  const dockerfile = await read("Dockerfile");
  const given = new Set(
    [
      ...(await read("docker-compose.yml")).split("args:\n")[1]?.split(
        "\n\n",
      )[0]
        ?.matchAll(/^ +([A-Z_]+):/gm) ?? [],
      ...(await read(".github/workflows/release.yml"))
        .matchAll(/^ +echo "([A-Z_]+)=/gm),
      ...(await read(".github/workflows/ci.yml"))
        .matchAll(/--build-arg ([A-Z_]+)/g),
      ...(await read("docker/fetch_mattermost.sh"))
        .matchAll(/--build-arg ([A-Z_0-9]+)=/g),
    ].map(([, name = ""]) => name),
  );
  assert.ok(given.size >= 10, [...given].join());
  for (const name of given) {
    assert.match(dockerfile, new RegExp(`^ARG ${name}(=|$)`, "m"));
  }
});

Deno.test("every Compose file with PostgreSQL names the data of another major version in the same way", async () => {
  const files = [
    join(ROOT, "docker-compose.yml"),
    ...await filesBelow(join(ROOT, "samples")),
  ];
  const starts: string[] = [];
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    const [, service] =
      /^ {2}postgres:\n(.*?)^ {4}(?:environment|depends_on):$/ms
        .exec(text) ?? [];
    if (service === undefined) continue;
    starts.push(service.replace("    restart: unless-stopped\n", ""));
  }
  assert.ok(starts.length >= 5, `${starts.length}`);
  assert.deepEqual([...new Set(starts)], [starts[0]]);
  assert.match(starts[0] ?? "", /which PostgreSQL \$\$PG_MAJOR cannot read/);
});

async function sampleVariables(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const files = [
    join(ROOT, "docker-compose.yml"),
    ...await filesBelow(join(ROOT, "samples")),
  ];
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    for (const [, first, second, third] of text.matchAll(NAME_REGEXP)) {
      const name = first ?? second ?? third;
      if (name !== undefined) found.set(name, file);
    }
  }
  return found;
}

async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    // Shell scripts also have local variables.
    if (isDirectory) files.push(...await filesBelow(path));
    else if (/\.(container|env|md|template|yaml|yml)$/.test(name)) {
      files.push(path);
    }
  }
  return files;
}
