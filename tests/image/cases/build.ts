/**
 * The build of the image, and its content.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import { PREFIX } from "../bases.ts";
import { copyTree } from "../build.ts";
import { assertHas, type Case, type Lab } from "../lab.ts";

/** The largest size of the build context without prebuilt files, in bytes. */
const CONTEXT_LIMIT = 2_000_000;

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "image-content",
  what: "the image contains what the server needs, and no build tools",
  run: async (lab) => {
    const image = await lab.image();
    const config = JSON.parse(
      await lab.docker.must([
        ...["image", "inspect", "--format", "{{json .Config}}", image],
      ]),
    );
    assert.equal(config.User, "2000:2000");
    assert.equal(config.StopSignal, "SIGTERM");
    assert.deepEqual(Object.keys(config.ExposedPorts), ["80/tcp"]);
    assert.deepEqual(Object.keys(config.Volumes).sort(), [
      "/opt/mattermost/data",
      "/var/log/mattermost",
    ]);
    const program = "/usr/local/bin/mattermost-entrypoint";
    assert.deepEqual(config.Entrypoint, [program]);
    assert.deepEqual(config.Cmd, ["app:start"]);
    assert.deepEqual(config.Healthcheck.Test, ["CMD", program, "app:health"]);
    assert.equal(
      config.Labels["org.opencontainers.image.version"],
      DEFAULT_RELEASE,
    );
    assert.ok(config.Env.includes(`MATTERMOST_VERSION=${DEFAULT_RELEASE}`));

    const absent =
      "node deno psql mysql mariadb mysqladmin curl wget jq python3";
    const found = await inside(lab, `command -v ${absent} || true`);
    assert.equal(found, "");
    await checkOwners(lab, image);
  },
}, {
  name: "documents",
  what: "the programs that extract text of documents work",
  run: async (lab) => {
    const text = await inside(
      lab,
      `cd /tmp
       printf '%s' '${PDF}' >a.pdf && pdftotext a.pdf - | grep -o Findable
       printf '{\\\\rtf1 Findable}' >a.rtf && unrtf --text a.rtf | grep -o Findable
       printf '<title>x</title><p>Findable' | tidy -q -utf8 2>/dev/null | grep -o Findable
       wvWare --version && command -v wvText >/dev/null && echo Findable`,
    );
    assert.equal(text.match(/Findable/g)?.length, 4, text);
  },
}, {
  name: "classic-builder",
  what: "the classic builder builds the same image",
  run: async (lab) => {
    const tag = `${PREFIX}/classic`;
    const { code, text } = await lab.builder.build(DEFAULT_RELEASE, {
      tag,
      classic: true,
    });
    lab.atEnd(() => lab.docker.removeImage(tag));
    assert.equal(code, 0, text);
    await checkOwners(lab, tag);
  },
}, {
  name: "context",
  what: "the build context of a new clone has less than 2 MB",
  run: async (lab) => {
    await copyTree(lab.root, lab.directory);
    const { text } = await lab.docker.attempt(
      ["build", "--file", "-", lab.directory],
      { input: "FROM scratch\n", environment: { DOCKER_BUILDKIT: "0" } },
    );
    const [, size, unit] =
      /Sending build context to Docker daemon\s+([\d.]+)([kMG]?)B\s+Step/
        .exec(text) ?? assert.fail(text);
    const bytes = Number(size) * 1000 ** " kMG".indexOf(unit || " ");
    assert.ok(bytes < CONTEXT_LIMIT, `the context has ${bytes} bytes`);
  },
}, {
  name: "checksum",
  what: "a wrong SHA-256 sum is refused, and a missing one causes a warning",
  run: async (lab) => {
    const tag = `${PREFIX}/checksum`;
    lab.atEnd(() => lab.docker.removeImage(tag));
    const wrong = await lab.builder.build(DEFAULT_RELEASE, {
      tag,
      args: { MATTERMOST_SHA256: "0".repeat(64) },
    });
    assert.notEqual(wrong.code, 0);
    assertHas(wrong.text, "must be 0000000000");
    const unknown = await lab.builder.build(DEFAULT_RELEASE, {
      tag,
      args: { MATTERMOST_SHA256: "" },
    });
    assert.equal(unknown.code, 0, unknown.text);
    assertHas(unknown.text, "NOT VERIFIED", "--build-arg MATTERMOST_SHA256=");
  },
}];

/** A minimal PDF with one word; readers repair the missing cross-reference table. */
const PDF = `%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>> endobj
4 0 obj <</Length 40>> stream
BT /F 12 Tf 9 99 Td (Findable) Tj ET    
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
trailer <</Root 1 0 R>>`;

/** The server's user can write to the directories that the server needs, but not to its programs. */
async function checkOwners(lab: Lab, image: string): Promise<void> {
  const { code, text } = await lab.docker.run(image, {
    command: [
      ...["bash", "-euc"],
      `cd /opt/mattermost/mattermost
       for path in ../data /var/log/mattermost logs plugins client client/plugins client/root.html; do
         test -w "$path" || { echo "cannot write $path"; exit 1; }
       done
       for path in bin bin/mattermost config /usr/local/bin/mattermost-entrypoint; do
         test ! -w "$path" || { echo "can write $path"; exit 1; }
       done`,
    ],
  });
  assert.equal(code, 0, text);
}

async function inside(lab: Lab, script: string): Promise<string> {
  const command = ["bash", "-c", script];
  const { stdout } = await lab.docker.run(await lab.image(), { command });
  return stdout.trim();
}
