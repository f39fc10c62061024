import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../lib/default_release.ts";
import {
  filesWithRelease,
  IMAGE,
  withRelease,
} from "../../tools/default_release.ts";

const OTHER = { release: "99.98.97", image: "somebody/mattermost" };

/** Sources that name it for another reason, which stays when the image gets another release. */
const OWN_REASONS = [
  "lib/default_release.ts",
  // Facts about upgrades.
  "lib/upgrade/path.ts",
];

function* sourcesIn(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) yield* sourcesIn(path);
    else yield path;
  }
}

Deno.test("deno task generate reaches every mention of the default release in documents and samples", () => {
  const files = filesWithRelease(".");
  for (const name of ["Dockerfile", "README.md", ".github/workflows/ci.yml"]) {
    assert.ok(files.includes(name), name);
  }
  // It is generated from the catalogue of settings.
  const left = files.filter((name) => name !== "docs/settings.md")
    .filter((name) =>
      withRelease(Deno.readTextFileSync(name), OTHER).includes(DEFAULT_RELEASE)
    );
  assert.deepEqual(left, []);
});

Deno.test("deno task generate reaches every mention of the image", () => {
  let count = 0;
  for (const name of filesWithRelease(".")) {
    const text = Deno.readTextFileSync(name);
    count += text.split(IMAGE).length - 1;
    assert.ok(!withRelease(text, OTHER).includes(IMAGE), name);
  }
  assert.ok(count >= 15, `${count} mentions`);
});

Deno.test("the workflow publishes the image that README.md, docker-compose.yml and samples pull", () => {
  const workflow = Deno.readTextFileSync(".github/workflows/release.yml");
  assert.ok(workflow.includes(`\n  IMAGE: ${IMAGE}\n`));
  for (
    const name of [
      "README.md",
      "docker-compose.yml",
      ...filesWithRelease(".").filter((name) => /^samples.*yml$/.test(name)),
    ]
  ) {
    const text = Deno.readTextFileSync(name);
    const [, image] = /[ /-]([\w.-]+\/mattermost):[\d$]/.exec(text) ??
      assert.fail(name);
    assert.equal(image, IMAGE, name);
  }
});

Deno.test("a name that is not the image's stays", () => {
  for (
    const text of [
      "cd /opt/mattermost/mattermost: it has bin/mattermost",
      "- /opt/mattermost/data:/data",
      "  bin/mattermost",
      "`bin/mattermost`, `/opt/mattermost`",
      "https://github.com/mattermost/mattermost",
    ]
  ) {
    assert.equal(withRelease(text, OTHER), text);
  }
});

Deno.test("a release of another purpose stays", () => {
  for (
    const text of [
      "image: ${MATTERMOST_IMAGE:-somebody/mattermost:10.11.23}",
      "--build-arg MATTERMOST_VERSION=10.11.20",
      "from 9.11.18 to 11.7.9",
    ]
  ) {
    assert.equal(withRelease(text, OTHER), text);
  }
});

Deno.test("the sources name the default release only where it is declared", () => {
  const named = [...sourcesIn("lib")].filter((path) =>
    Deno.readTextFileSync(path).includes(DEFAULT_RELEASE)
  );
  assert.deepEqual(named.filter((path) => !OWN_REASONS.includes(path)), []);
});

Deno.test("the checksum of the default release is known", () => {
  assert.match(
    Deno.readTextFileSync("docker/mattermost-releases.sha256"),
    new RegExp(
      `  mattermost-team-${DEFAULT_RELEASE.replaceAll(".", "\\.")}-linux-`,
    ),
  );
});
