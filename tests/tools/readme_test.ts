/**
 * Checks that the files, links, variables and commands in the documents exist.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMANDS } from "../../lib/commands/help.ts";
import { isSettingName } from "../../lib/settings/catalogue.ts";

const DOCUMENTS = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "samples/README.md"],
  ...[...Deno.readDirSync("samples")].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `samples/${name}/README.md`).sort(),
  ...[...Deno.readDirSync("docs")].map(({ name }) => `docs/${name}`)
    .filter((name) => name.endsWith(".md")).sort(),
];

/** Variables of the tools and the image's build, which are not settings. */
const OTHER_VARIABLES = [
  "MATTERMOST_IMAGE",
  "MATTERMOST_KEY_FINGERPRINT",
  "MATTERMOST_PUBLISH",
  "MATTERMOST_SHA256",
  "MATTERMOST_TARBALL",
  "MATTERMOST_UNVERIFIED",
];

/** The targets of the links in a document, without links to other sites. */
function linksIn(text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = ""]) => to)
    .filter((to) => !/^\w+:/.test(to));
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
  );
}

for (const path of DOCUMENTS) {
  const text = Deno.readTextFileSync(path);

  Deno.test(`the links in ${path} point to files and headings that exist`, () => {
    for (const link of linksIn(text)) {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : join(path, "..", file);
      const isThere = Deno.statSync(target).isFile || file.endsWith("/");
      assert.ok(isThere, link);
      if (anchor === undefined) continue;
      const anchors = anchorsOf(Deno.readTextFileSync(target));
      assert.ok(anchors.includes(anchor), link);
    }
  });

  Deno.test(`the variables and commands in ${path} exist`, () => {
    const variables = text.matchAll(
      /\b(?:MATTERMOST|DB|SMTP|GITLAB|S3)_[A-Z0-9_]*[A-Z0-9]\b/g,
    );
    const unknown = [...variables].map(([name]) => name.replace(/_FILE$/, ""))
      .filter((name) =>
        !isSettingName(name) && !OTHER_VARIABLES.includes(name)
      );
    assert.deepEqual([...new Set(unknown)], []);
    const commands = [...text.matchAll(/app:[a-z]+/g)].map(([name]) => name);
    assert.deepEqual(
      commands.filter((name) => !Object.hasOwn(COMMANDS, name)),
      [],
    );
  });
}

Deno.test("README.md has a link to every document", () => {
  const links = linksIn(Deno.readTextFileSync("README.md"));
  for (const path of [...DOCUMENTS, "CHANGELOG.md", "docs/check.svg"]) {
    if (path === "README.md" || path.startsWith("samples/")) continue;
    assert.ok(links.includes(path), path);
  }
});
