/**
 * The build of the image, and its content.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import { PREFIX } from "../bases.ts";
import { type Builder, copyTree } from "../build.ts";
import { must, type Outcome } from "../command.ts";
import { assertHas, type Case, type Lab } from "../lab.ts";
import { requirePrograms } from "../machine.ts";

/** The largest size of the build context without prebuilt files, in bytes. */
const CONTEXT_LIMIT = 2_000_000;

/** A release whose sums the project has for both architectures. */
const KNOWN = "11.7.0";

/** A release whose sums nobody knows. */
const UNKNOWN = "99.1.2";

/** The place of a prebuilt program. */
const BINARY = "docker/prebuilt/mattermost-entrypoint";

/** The layers before the program: Debian, its packages, the server and its web client. */
const KEPT = 4;

/** Whether a builder is the classic one. */
const BUILDERS = [false, true] as const;

/** Makes a key, and signs the file $0 with it. */
const SIGN = `
gpg="gpg --batch --quiet"
$gpg --passphrase '' --quick-gen-key vendor rsa2048 sign
$gpg --armor --output docker/mattermost-signing-key.asc --export vendor
$gpg --detach-sign "$0"
gpgconf --kill all
rm -rf "$GNUPGHOME"`;

/** The cases of this file. */
export const CASES: readonly Case[] = [
  {
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
      assert.equal(config.Healthcheck.StartPeriod, 12 * 3600 * 1e9);
      const label = (name: string) =>
        config.Labels[`org.opencontainers.image.${name}`];
      assert.equal(label("version"), DEFAULT_RELEASE);
      assert.equal(label("revision"), "unknown");
      assert.match(label("source"), /^https:/);
      assert.ok(config.Env.includes(`MATTERMOST_VERSION=${DEFAULT_RELEASE}`));

      const absent =
        "node deno psql mysql mariadb mysqladmin curl wget jq python3";
      const found = await inside(lab, `command -v ${absent} || true`);
      assert.equal(found, "");
      await checkOwners(lab, image);
    },
  },
  {
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
  },
  {
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
  },
  {
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
  },
  {
    name: "checksum",
    what:
      "a tarball with a wrong SHA-256 sum is refused, and so is one without any",
    run: async (lab) => {
      const build = (MATTERMOST_SHA256: string, MATTERMOST_UNVERIFIED = "") =>
        buildServer(lab, lab.builder, {
          version: KNOWN,
          args: { MATTERMOST_SHA256, MATTERMOST_UNVERIFIED },
        });
      const wrong = await build("0".repeat(64));
      assert.notEqual(wrong.code, 0);
      assertHas(wrong.text, "must be 0000000000");
      // The fake Mattermost is not the one whose sum the project has.
      const other = await build("", "true");
      assert.notEqual(other.code, 0);
      assertHas(other.text, "the SHA-256 sum of", "must be");
    },
  },
  {
    name: "signature",
    what:
      "a tarball without a known sum needs a signature, or MATTERMOST_UNVERIFIED=true",
    run: async (lab) => {
      await requirePrograms({ gpg: "gpg" });
      const builder = await lab.ownBuilder();
      const build = (args: Readonly<Record<string, string>> = {}) =>
        buildServer(lab, builder, {
          version: UNKNOWN,
          args: { MATTERMOST_SHA256: "", ...args },
          options: ["--network=none"],
        });
      const refused = await build();
      assert.notEqual(refused.code, 0);
      assertHas(refused.text, "--build-arg MATTERMOST_UNVERIFIED=true");
      const anyway = await build({ MATTERMOST_UNVERIFIED: "true" });
      assert.equal(anyway.code, 0, anyway.text);

      const { MATTERMOST_TARBALL = "" } = await builder.arguments(UNKNOWN);
      await must(["sh", "-euc", SIGN, MATTERMOST_TARBALL], {
        directory: builder.directory,
        environment: { GNUPGHOME: await Deno.makeTempDir({ dir: "/tmp" }) },
      });
      const signed = await build();
      assert.equal(signed.code, 0, signed.text);
    },
  },
  ...BUILDERS.map((classic): Case => ({
    name: classic ? "rebuild-classic" : "rebuild",
    what: `${
      classic ? "the classic builder" : "BuildKit"
    } repeats neither the server's stage nor Debian's packages for a change in lib/ or a new binary`,
    run: async (lab) => {
      const builder = await lab.ownBuilder();
      const tag = `${PREFIX}/rebuild`;
      lab.atEnd(() => lab.docker.removeImage(tag));
      const build = async (binary: string) => {
        await Deno.writeTextFile(join(builder.directory, BINARY), binary);
        await Deno.writeTextFile(
          join(builder.directory, "lib/program.ts"),
          `// ${binary}\n`,
          { append: true },
        );
        const args = { ENTRYPOINT_BINARY: BINARY };
        const inspected = async (template: string, options: string[] = []) => {
          const { code, text } = await builder.build(DEFAULT_RELEASE, {
            ...{ tag, args, options, classic },
          });
          assert.equal(code, 0, text);
          return await lab.docker.must([
            ...["image", "inspect", "--format", template, tag],
          ]);
        };
        return {
          server: await inspected("{{.Id}}", ["--target=mattermost"]),
          layers: JSON.parse(await inspected("{{json .RootFS.Layers}}")),
        };
      };
      const first = await build("one");
      const second = await build("two");
      assert.equal(second.server, first.server);
      assert.deepEqual(
        second.layers.slice(0, KEPT),
        first.layers.slice(0, KEPT),
      );
      assert.notDeepEqual(second.layers, first.layers);
    },
  })),
  ...BUILDERS.map((classic): Case => ({
    name: classic ? "offline-classic" : "offline",
    what: `${
      classic ? "the classic builder" : "BuildKit"
    } needs no network for the first two stages if everything is prebuilt, and otherwise a remedy is named`,
    run: async (lab) => {
      const builder = await lab.ownBuilder();
      await Deno.writeTextFile(join(builder.directory, BINARY), "prebuilt");
      for (const stage of ["entrypoint", "mattermost"]) {
        const { code, text } = await buildServer(lab, builder, {
          args: { ENTRYPOINT_BINARY: BINARY },
          options: ["--network=none", "--no-cache", `--target=${stage}`],
          classic,
        });
        assert.equal(code, 0, text);
      }
      for (
        const [MATTERMOST_TARBALL, words] of [
          [
            "",
            "--build-arg MATTERMOST_TARBALL=docker/prebuilt/mattermost-team-",
          ],
          ["docker/prebuilt/absent.tar.gz", "is not in the build context"],
        ] as const
      ) {
        const { code, text } = await buildServer(lab, builder, {
          args: { ENTRYPOINT_BINARY: BINARY, MATTERMOST_TARBALL },
          options: ["--network=none"],
          classic,
        });
        assert.notEqual(code, 0);
        assertHas(text, words);
      }
    },
  })),
  {
    name: "fresh-clone",
    what:
      "where the image cannot be pulled, docker compose up builds it, and refuses to give it the name of another release",
    run: async (lab) => {
      const builder = await lab.ownBuilder();
      const file = join(builder.directory, "docker-compose.yml");
      const args = await builder.arguments(DEFAULT_RELEASE);
      // Nothing listens on this port.
      const image = (tag: string) => `localhost:1/jasl8r/mattermost:${tag}`;
      const other = lab.docker.compose(file, {
        ...args,
        MATTERMOST_IMAGE: image("99.1.2"),
      });
      await assert.rejects(other("up", "--detach"), /set MATTERMOST_VERSION/);

      const name = image(DEFAULT_RELEASE);
      lab.atEnd(() => lab.docker.removeImage(name));
      const compose = lab.docker.compose(file, {
        ...args,
        MATTERMOST_IMAGE: name,
      });
      await compose("up", "--detach", "--wait");
      const server = await lab.docker.service("mattermost");
      assert.equal(await server.inspect("{{.State.Health.Status}}"), "healthy");
      assert.equal(await server.inspect("{{.Config.Image}}"), name);
    },
  },
];

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
       for path in bin bin/mattermost config /etc/mattermost/ca.d /usr/local/bin/mattermost-entrypoint; do
         test -e "$path" || { echo "no $path"; exit 1; }
         test ! -w "$path" || { echo "can write $path"; exit 1; }
       done`,
    ],
  });
  assert.equal(code, 0, text);
}

/** Builds the server's stage, or another; the build may fail. */
async function buildServer(
  lab: Lab,
  builder: Builder,
  { version = DEFAULT_RELEASE, args, options = [], classic = false }: {
    version?: string;
    args: Readonly<Record<string, string>>;
    options?: readonly string[];
    classic?: boolean;
  },
): Promise<Outcome> {
  const tag = `${PREFIX}/stage`;
  lab.atEnd(() => lab.docker.removeImage(tag));
  return await builder.build(version, {
    ...{ tag, args, classic },
    options: ["--target=mattermost", ...options],
  });
}

async function inside(lab: Lab, script: string): Promise<string> {
  const command = ["bash", "-c", script];
  const { stdout } = await lab.docker.run(await lab.image(), { command });
  return stdout.trim();
}
