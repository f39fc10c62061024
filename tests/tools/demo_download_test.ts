/**
 * Tests the demo's download with a local site.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import {
  download,
  type Release,
  releaseOfImage,
} from "../../tools/demo/download.ts";
import {
  install,
  type Installation,
  type InstallOptions,
} from "../../tools/demo/installation.ts";
import { run } from "../../tools/shared/process.ts";

const ROOT = dirname(dirname(import.meta.dirname ?? "."));
const signal = new AbortController().signal;

/** A tarball with the layout of Mattermost's. */
async function makeTarball(directory: string): Promise<Uint8Array> {
  const server = join(directory, "mattermost");
  await Deno.mkdir(join(server, "bin"), { recursive: true });
  await Deno.mkdir(join(server, "config"));
  await Deno.writeTextFile(join(server, "bin/mattermost"), "#!/bin/sh\n");
  await Deno.chmod(join(server, "bin/mattermost"), 0o755);
  await Deno.writeTextFile(join(server, "config/config.json"), "{}");
  const path = join(directory, "server.tar.gz");
  await run(["tar", "-czf", path, "-C", directory, "mattermost"]);
  return await Deno.readFile(path);
}

async function withSite(
  body: (site: {
    readonly release: Release;
    readonly scratch: string;
    readonly requests: () => number;
  }) => Promise<void>,
): Promise<void> {
  const scratch = await Deno.makeTempDir();
  await Deno.chmod(scratch, 0o755);
  const before = Deno.env.get("ENTRYPOINT_CACHE_DIR");
  Deno.env.set("ENTRYPOINT_CACHE_DIR", join(scratch, "cache"));
  const tarball = await makeTarball(scratch);
  let requests = 0;
  const site = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => {
      requests++;
      return new Response(tarball.slice());
    },
  );
  try {
    const sha256 = createHash("sha256").update(tarball).digest("hex");
    const url = `http://127.0.0.1:${site.addr.port}/server.tar.gz`;
    const release = { version: "11.0.0", url, sha256 };
    await body({ release, scratch, requests: () => requests });
  } finally {
    await site.shutdown();
    if (before === undefined) Deno.env.delete("ENTRYPOINT_CACHE_DIR");
    else Deno.env.set("ENTRYPOINT_CACHE_DIR", before);
    await Deno.remove(scratch, { recursive: true });
  }
}

Deno.test("the demo downloads the release, the address and the sum of the image", async () => {
  const release = await releaseOfImage(ROOT);
  const { version, url, sha256 } = release;
  // The sum of the default release is known for this architecture only.
  if (Deno.build.arch !== "x86_64") return assert.equal(sha256, undefined);
  const name = `mattermost-team-${version}-linux-amd64.tar.gz`;
  const sums = await Deno.readTextFile(
    join(ROOT, "docker/mattermost-releases.sha256"),
  );
  assert.ok(sums.includes(`${sha256}  ${name}\n`));
  assert.match(url, new RegExp(`^https://[^/]+/${version}/${name}$`));
});

Deno.test("a release is downloaded once, with progress, and unpacked", () =>
  withSite(async ({ release, requests }) => {
    const seen: number[] = [];
    const progress = (received: number): number => seen.push(received);
    const directory = await download(release, { signal, progress });
    assert.equal(
      await Deno.readTextFile(join(directory, "config/config.json")),
      "{}",
    );
    assert.ok((seen.at(-1) ?? 0) > 0);
    assert.equal(await download(release, { signal, progress }), directory);
    assert.equal(requests(), 1);
  }));

Deno.test("a download with another SHA-256 sum is refused and removed", () =>
  withSite(async ({ release, scratch }) => {
    const wrong = { ...release, sha256: "0".repeat(64) };
    await assert.rejects(
      download(wrong, { signal, progress() {} }),
      /the SHA-256 sum of http:\S+ must be 0{64}: it is [0-9a-f]{64}/,
    );
    const left = await Array.fromAsync(Deno.readDir(join(scratch, "cache")));
    assert.deepEqual(left.filter(({ isDirectory }) => isDirectory), []);
  }));

interface Shown {
  readonly lines: string[];
  readonly percents: number[];
}

/** Installs as the demo does, and collects its output. */
async function installInto(
  scratch: string,
  options: Pick<InstallOptions, "release"> & Partial<InstallOptions>,
): Promise<Installation & Shown & { directory: string }> {
  const directory = join(scratch, "home");
  const lines: string[] = [];
  const percents: number[] = [];
  const installation = await install(directory, {
    own: undefined,
    isFake: false,
    signal,
    screen: {
      say: (line) => lines.push(line),
      progress: (percent) => percents.push(percent),
    },
    ...options,
  });
  return { ...installation, lines, percents, directory };
}

Deno.test("files that the server reads are linked, and directories that it writes to are copied", () =>
  withSite(async ({ release, scratch, requests }) => {
    const own = join(scratch, "mattermost");
    const { what, version, directory } = await installInto(scratch, {
      release,
      own,
    });
    assert.equal(what, `the Mattermost in ${own}`);
    assert.equal(version, undefined);
    assert.equal(requests(), 0);
    assert.ok((await Deno.lstat(join(directory, "bin"))).isSymlink);
    assert.ok((await Deno.lstat(join(directory, "config"))).isDirectory);
  }));

Deno.test("a download shows its name, size and progress", () =>
  withSite(async ({ release, scratch }) => {
    const { what, lines, percents } = await installInto(scratch, { release });
    assert.equal(what, "Mattermost 11.0.0");
    assert.deepEqual(lines, [
      "Downloading Mattermost 11.0.0 (0 MB, only the first time)",
    ]);
    assert.equal(percents.at(-1), 100);
  }));

Deno.test("if Mattermost cannot be downloaded, the reason is shown and a fake Mattermost runs", () =>
  withSite(async ({ release, scratch }) => {
    const { what, version, lines, directory } = await installInto(scratch, {
      release: { ...release, url: "http://127.0.0.1:1/server.tar.gz" },
    });
    assert.equal(what, "a fake Mattermost 11.0.0");
    assert.equal(version, "11.0.0");
    assert.deepEqual(lines, [
      "Mattermost 11.0.0 cannot be downloaded (127.0.0.1:1 cannot be reached). " +
      "A small fake Mattermost runs instead, which shows its configuration.",
    ]);
    const text = await run([join(directory, "bin/mattermost"), "version"]);
    assert.equal(text, "Version: 11.0.0\nBuild Number: fake\n");
  }));

Deno.test("a fake Mattermost runs if the image has no SHA-256 sum for the architecture", () =>
  withSite(async ({ release, scratch, requests }) => {
    const { what, lines } = await installInto(scratch, {
      release: { ...release, sha256: undefined },
    });
    assert.equal(what, "a fake Mattermost 11.0.0");
    assert.match(
      lines[0] ?? "",
      /\(docker\/mattermost-releases.sha256 has no sum for \w+\)/,
    );
    assert.equal(requests(), 0);
  }));
