/**
 * Tests the script of the image's build that downloads and verifies Mattermost, with the real
 * curl and gpgv, and a site on this machine in place of Mattermost's.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { run } from "../../tools/shared/process.ts";
import { createAuthority } from "../servers/certificates.ts";
import { type Need, testWith } from "../support/needs.ts";

const ROOT = dirname(dirname(import.meta.dirname ?? "."));
const VERSION = "99.1.2";
const TEAM = `mattermost-team-${VERSION}-linux-amd64.tar.gz`;
const KEY_FILE = "mattermost-signing-key.asc";

/** The programs of the script, and the one that makes keys and signatures for the tests. */
const PROGRAMS: Need = {
  what: "curl, gpg and gpgv",
  isMet: await run(["sh", "-c", "curl -V && gpg --version && gpgv --version"])
    .then(() => true, () => false),
};

/** Files of the site by their path, with the query. */
type Site = Record<string, Uint8Array>;

interface Lab {
  readonly site: Site;
  /** The directory docker/ of the build context. */
  readonly docker: string;
  readonly tarball: Uint8Array;
  /** Runs the script; `offline` takes the site off the network. */
  readonly fetch: (
    variables?: Readonly<Record<string, string>>,
    options?: { readonly offline?: boolean },
  ) => Promise<{ readonly isGood: boolean; readonly text: string }>;
  /** Makes a key. */
  readonly key: (name: string) => Promise<Key>;
}

interface Key {
  readonly fingerprint: string;
  /** The public key, in ASCII. */
  readonly text: Uint8Array;
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>;
}

function test(name: string, body: (lab: Lab) => Promise<void>): void {
  testWith([PROGRAMS], name, async () => {
    // gpg's agent needs a short path for its socket.
    const home = await Deno.makeTempDir({ prefix: "fetch-" });
    const gpg = ["gpg", "--homedir", home, "--batch", "--quiet"];
    const docker = join(home, "docker");
    const site: Site = {};
    const authority = createAuthority();
    const server = Deno.serve({
      ...{ port: 0, hostname: "127.0.0.1", onListen() {} },
      ...pem(authority.issue({
        names: ["releases.mattermost.com", "keyserver.ubuntu.com"],
      })),
    }, ({ url }) => {
      const { pathname, search } = new URL(url);
      const body = site[`${pathname}${search}`];
      return new Response(body?.slice(), { status: body ? 200 : 404 });
    });
    try {
      await Deno.mkdir(join(docker, "prebuilt"), { recursive: true });
      await Deno.copyFile(
        join(ROOT, "docker/fetch_mattermost.sh"),
        join(docker, "fetch_mattermost.sh"),
      );
      await Deno.writeTextFile(join(docker, "mattermost-releases.sha256"), "");
      await Deno.writeTextFile(join(home, "ca.pem"), authority.certificate);
      await body({
        site,
        docker,
        tarball: await makeTarball(home),
        fetch: async (variables = {}, { offline = false } = {}) => {
          const to = offline ? "127.0.0.1:1" : `127.0.0.1:${server.addr.port}`;
          await Deno.writeTextFile(
            join(home, ".curlrc"),
            `connect-to = "::${to}"\ncacert = "${home}/ca.pem"\n`,
          );
          const { success, stdout, stderr } = await new Deno.Command("sh", {
            args: [join(docker, "fetch_mattermost.sh"), join(home, "out")],
            clearEnv: true,
            env: {
              PATH: Deno.env.get("PATH") ?? "",
              CURL_HOME: home,
              MATTERMOST_VERSION: VERSION,
              MATTERMOST_EDITION: "team",
              TARGETARCH: "amd64",
              ...variables,
            },
          }).output();
          const isGood = await Deno.stat(
            join(home, "out/server/bin/mattermost"),
          )
            .then(() => true, () => false);
          assert.equal(isGood, success);
          await Deno.remove(join(home, "out"), { recursive: true })
            .catch(() => {});
          const decoder = new TextDecoder();
          return {
            isGood,
            text: decoder.decode(stdout) + decoder.decode(stderr),
          };
        },
        key: async (name) => {
          const user = `${name} <${name}@localhost>`;
          const generate = [...gpg, "--passphrase", ""];
          await run([...generate, "--quick-gen-key", user, "rsa2048", "sign"]);
          const listed = await run([...gpg, "--with-colons", "-K", user]);
          const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "";
          // A second key that signs for the first, as vendors often have.
          await run([
            ...generate,
            "--quick-add-key",
            fingerprint,
            "rsa2048",
            "sign",
          ]);
          const text = join(home, `${name}.asc`);
          await run([...gpg, "--armor", "--output", text, "--export", user]);
          return {
            fingerprint,
            text: await Deno.readFile(text),
            sign: async (data) => {
              const file = join(home, "signed");
              await Deno.writeFile(file, data);
              await run([...gpg, "--yes", "-u", user, "--detach-sign", file]);
              return await Deno.readFile(`${file}.sig`);
            },
          };
        },
      });
    } finally {
      await server.shutdown();
      await run(["gpgconf", "--homedir", home, "--kill", "all"]);
      await Deno.remove(home, { recursive: true });
    }
  });
}

function pem({ certificate, key }: { certificate: string; key: string }) {
  return { cert: certificate, key };
}

/** A tarball with the layout of Mattermost's. */
async function makeTarball(directory: string): Promise<Uint8Array> {
  const server = join(directory, "mattermost");
  await Deno.mkdir(join(server, "bin"), { recursive: true });
  await Deno.mkdir(join(server, "client"));
  const program = join(server, "bin/mattermost");
  await Deno.writeTextFile(program, "postgres/000001_a.up.sql");
  await Deno.chmod(program, 0o755);
  const path = join(directory, "server.tar.gz");
  await run(["tar", "-czf", path, "-C", directory, "mattermost"]);
  return await Deno.readFile(path);
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function assertHas(text: string, ...parts: readonly string[]): void {
  for (const part of parts) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
}

/** Puts a tarball on the site. */
function publish({ site, tarball }: Lab, name = TEAM, data = tarball): void {
  site[`/${VERSION}/${name}`] = data;
}

/** Writes the list of sums. */
async function list(
  { docker }: Lab,
  sums: Readonly<Record<string, Uint8Array>>,
) {
  const lines = Object.entries(sums).map(([name, data]) =>
    `${sha256(data)}  ${name}\n`
  );
  const path = join(docker, "mattermost-releases.sha256");
  await Deno.writeTextFile(path, lines.join(""));
}

test("a release with a known sum is verified, for both architectures and all names", async (lab) => {
  for (
    const [MATTERMOST_EDITION, TARGETARCH, name] of [
      ["team", "amd64", TEAM],
      ["team", "arm64", `mattermost-team-${VERSION}-linux-arm64.tar.gz`],
      ["enterprise", "amd64", `mattermost-${VERSION}-linux-amd64.tar.gz`],
      [
        ...["enterprise", "arm64"] as const,
        `mattermost-enterprise-${VERSION}-linux-arm64.tar.gz`,
      ],
    ] as const
  ) {
    for (const path of Object.keys(lab.site)) delete lab.site[path];
    publish(lab, name);
    await list(lab, { [name]: lab.tarball });
    const variables = { MATTERMOST_EDITION, TARGETARCH };
    const { isGood, text } = await lab.fetch(variables);
    assert.ok(isGood, text);
    assertHas(text, `Verified: the SHA-256 sum of ${name}`);
    // The same tarball is refused without its sum.
    await list(lab, {});
    const unknown = await lab.fetch(variables);
    assert.ok(!unknown.isGood);
    assertHas(unknown.text, `${name} cannot be verified`);
  }
});

test("a tarball with another sum than the known one is refused, also with MATTERMOST_UNVERIFIED=true", async (lab) => {
  publish(lab);
  await list(lab, { [TEAM]: new Uint8Array(1), "other.tar.gz": lab.tarball });
  for (const MATTERMOST_UNVERIFIED of ["", "true"]) {
    const { isGood, text } = await lab.fetch({ MATTERMOST_UNVERIFIED });
    assert.ok(!isGood, text);
    assertHas(
      text,
      `must be ${sha256(new Uint8Array(1))}: it is ${sha256(lab.tarball)}`,
      "which is that of other.tar.gz",
    );
  }
});

test("a tarball that nothing is known about is refused, with the arguments that allow it", async (lab) => {
  publish(lab);
  const { isGood, text } = await lab.fetch();
  assert.ok(!isGood, text);
  const sum = sha256(lab.tarball);
  assertHas(
    text,
    `--build-arg MATTERMOST_SHA256=${sum}`,
    "--build-arg MATTERMOST_KEY_FINGERPRINT=",
    "--build-arg MATTERMOST_UNVERIFIED=true",
  );
  const named = await lab.fetch({ MATTERMOST_SHA256: sum });
  assert.ok(named.isGood, named.text);
  const wrong = await lab.fetch({ MATTERMOST_SHA256: "0".repeat(64) });
  assert.ok(!wrong.isGood);
  const unverified = await lab.fetch({ MATTERMOST_UNVERIFIED: "true" });
  assert.ok(unverified.isGood);
  assertHas(unverified.text, `NOT VERIFIED: ${TEAM}`, sum);
  assert.ok(!(await lab.fetch({ MATTERMOST_UNVERIFIED: "false" })).isGood);
});

test("the signature of the named key counts, which comes from a key server or from a file", async (lab) => {
  const key = await lab.key("vendor");
  const { fingerprint } = key;
  publish(lab);
  publish(lab, `${TEAM}.sig`, await key.sign(lab.tarball));
  const keyPath = `/pks/lookup?op=get&options=mr&search=0x${fingerprint}`;
  lab.site[keyPath] = key.text;
  const spaced = fingerprint.toLowerCase().replace(/(.{4})/g, "$1 ").trim();
  for (const MATTERMOST_KEY_FINGERPRINT of [fingerprint, spaced]) {
    const { isGood, text } = await lab.fetch({ MATTERMOST_KEY_FINGERPRINT });
    assert.ok(isGood, text);
    assertHas(text, "Verified: the signature of", fingerprint);
  }
  delete lab.site[keyPath];
  const missing = await lab.fetch({ MATTERMOST_KEY_FINGERPRINT: fingerprint });
  assert.ok(!missing.isGood);
  assertHas(missing.text, `does not give the key ${fingerprint}`, KEY_FILE);

  await Deno.writeFile(join(lab.docker, KEY_FILE), key.text);
  const file = join(lab.docker, "prebuilt", TEAM);
  await Deno.writeFile(file, lab.tarball);
  const MATTERMOST_TARBALL = `docker/prebuilt/${TEAM}`;
  const unsigned = await lab.fetch({ MATTERMOST_TARBALL }, { offline: true });
  assert.ok(!unsigned.isGood);
  assertHas(unsigned.text, `${MATTERMOST_TARBALL}.sig`);
  await Deno.writeFile(`${file}.sig`, await key.sign(lab.tarball));
  for (
    const variables of [{}, {
      MATTERMOST_KEY_FINGERPRINT: fingerprint,
    }] as const
  ) {
    const given = { MATTERMOST_TARBALL, ...variables };
    const { isGood, text } = await lab.fetch(given, { offline: true });
    assert.ok(isGood, text);
  }
});

test("a wrong or missing signature and that of another key are refused", async (lab) => {
  const key = await lab.key("vendor");
  const other = await lab.key("other");
  publish(lab);
  await Deno.writeFile(join(lab.docker, KEY_FILE), key.text);
  const missing = await lab.fetch();
  assert.ok(!missing.isGood);
  assertHas(missing.text, `has no signature of ${TEAM}`, "MATTERMOST_SHA256=");
  for (
    const signature of [
      await other.sign(lab.tarball),
      await key.sign(lab.tarball.slice(1)),
      new Uint8Array(0),
      new TextEncoder().encode("<html>Not found</html>"),
    ]
  ) {
    publish(lab, `${TEAM}.sig`, signature);
    const { isGood, text } = await lab.fetch();
    assert.ok(!isGood, text);
    assertHas(text, `the signature of ${TEAM} is wrong`);
  }
  // The site and the key server both belong to somebody else.
  await Deno.remove(join(lab.docker, KEY_FILE));
  publish(lab, `${TEAM}.sig`, await other.sign(lab.tarball));
  const path = `/pks/lookup?op=get&options=mr&search=0x${key.fingerprint}`;
  lab.site[path] = other.text;
  const { isGood, text } = await lab.fetch({
    MATTERMOST_KEY_FINGERPRINT: key.fingerprint,
  });
  assert.ok(!isGood, text);
  assertHas(text, `must be made by the key ${key.fingerprint}`);
});

test("a build that downloads nothing says how to build without a network", async (lab) => {
  const { isGood, text } = await lab.fetch({}, { offline: true });
  assert.ok(!isGood);
  assertHas(
    text,
    "curl: (7)",
    `--build-arg MATTERMOST_TARBALL=docker/prebuilt/${TEAM}`,
  );
  const unknown = await lab.fetch();
  assertHas(unknown.text, `has no Mattermost ${VERSION} (team) for amd64`);
  const absent = await lab.fetch({
    MATTERMOST_TARBALL: "docker/prebuilt/absent.tar.gz",
  });
  assertHas(
    absent.text,
    "MATTERMOST_TARBALL is docker/prebuilt/absent.tar.gz, which is not in the build context",
  );
});

test("wrong arguments of the build are refused", async (lab) => {
  publish(lab);
  await list(lab, { [TEAM]: lab.tarball });
  for (
    const [name, value] of [
      ["MATTERMOST_VERSION", "99.1"],
      ["MATTERMOST_VERSION", "99.1.2-1"],
      ["MATTERMOST_EDITION", "Team"],
      ["MATTERMOST_UNVERIFIED", "yes"],
      ["MATTERMOST_KEY_FINGERPRINT", "4477 4B28"],
    ] as const
  ) {
    const { isGood, text } = await lab.fetch({ [name]: value });
    assert.ok(!isGood, text);
    assertHas(text, name, value);
  }
});

test("an image that Compose builds does not get the name of another release", async (lab) => {
  publish(lab);
  await list(lab, { [TEAM]: lab.tarball });
  for (
    const tag of ["", ":99.1.2", ":99.1.2-3", ":99.1", ":latest", ":mine-1.0"]
  ) {
    const MATTERMOST_IMAGE = `localhost:5000/mattermost${tag}`;
    const { isGood, text } = await lab.fetch({ MATTERMOST_IMAGE });
    assert.ok(isGood, text);
  }
  for (const tag of ["99.1.3", "99.1.20", "99.1.3-1", "99.2", "9"]) {
    const MATTERMOST_IMAGE = `jasl8r/mattermost:${tag}`;
    const { isGood, text } = await lab.fetch({ MATTERMOST_IMAGE });
    assert.ok(!isGood, text);
    assertHas(text, MATTERMOST_IMAGE, "set MATTERMOST_VERSION instead");
  }
});

Deno.test("the list of sums has tarballs of both editions for both architectures, and no name twice with different sums", async () => {
  const sums = new Map<string, string>();
  const path = join(ROOT, "docker/mattermost-releases.sha256");
  for (const line of (await Deno.readTextFile(path)).trim().split("\n")) {
    const [, sum, name] =
      /^([0-9a-f]{64}) {2}(mattermost-(?:team-|enterprise-)?\d+\.\d+\.\d+-linux-(?:amd64|arm64)\.tar\.gz)$/
        .exec(line) ?? assert.fail(line);
    assert.ok(sum !== undefined && name !== undefined);
    assert.equal(sums.get(name) ?? sum, sum, name);
    sums.set(name, sum);
  }
  for (const part of ["team-", "enterprise-"]) {
    for (const architecture of ["amd64", "arm64"]) {
      const count = sums.keys().filter((name) =>
        name.startsWith(`mattermost-${part}`) && name.includes(architecture)
      ).toArray().length;
      assert.ok(count > 50, `${part} ${architecture}: ${basename(path)}`);
    }
  }
});
