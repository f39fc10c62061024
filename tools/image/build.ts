/**
 * Builds the project's image for tests: with the compiled binary of this tree and
 * the stand-in server, brought along in a build context of its own.
 *
 * @module
 */

import { join } from "node:path";
import { installStandIn } from "../stand_in/install.ts";
import { PREFIX } from "./bases.ts";
import { must, type Outcome } from "./command.ts";
import type { Docker } from "./docker.ts";

/** What the Dockerfile takes from the tree. */
const CONTEXT = [
  ...[".dockerignore", "Dockerfile", "deno.json", "deno.lock", "main.ts"],
  ...["lib", "tools", "docker"],
];

/** Where the build context has what was brought along. */
const PREBUILT = "docker/prebuilt";

/** A build context, and the images that were built from it. */
export class Builder {
  readonly #docker: Docker;
  /** The build context's directory. */
  readonly directory: string;
  readonly #images = new Map<string, Promise<string>>();

  constructor(docker: Docker, directory: string) {
    this.#docker = docker;
    this.directory = directory;
  }

  /** The names that it gave. */
  get tags(): string[] {
    return [...this.#images.keys()].map(tagOf);
  }

  /** Copies the tree and the binary into the context. */
  async prepare(root: string, binary: string): Promise<void> {
    await copyTree(root, this.directory);
    const target = join(this.directory, PREBUILT, "mattermost-entrypoint");
    await must(["cp", binary, target]);
  }

  /** The image of a release, built on first use. */
  image(version: string): Promise<string> {
    const made = this.#images.get(version) ?? this.#buildChecked(version);
    this.#images.set(version, made);
    return made;
  }

  /** Builds the image of a release, whatever comes of it. */
  async build(
    version: string,
    { tag, args = {}, classic = false }: {
      tag: string;
      args?: Readonly<Record<string, string>>;
      classic?: boolean;
    },
  ): Promise<Outcome> {
    const { file, sum } = await this.#tarball(version);
    const all = {
      MATTERMOST_VERSION: version,
      MATTERMOST_TARBALL: file,
      MATTERMOST_SHA256: sum,
      ENTRYPOINT_BINARY: `${PREBUILT}/mattermost-entrypoint`,
      ...args,
    };
    return await this.#docker.attempt([
      ...["build", "--tag", tag],
      ...classic ? [] : ["--progress", "plain"],
      ...Object.entries(all).flatMap((
        [name, value],
      ) => ["--build-arg", `${name}=${value}`]),
      this.directory,
    ], { environment: { DOCKER_BUILDKIT: classic ? "0" : "1" } });
  }

  async #buildChecked(version: string): Promise<string> {
    const tag = tagOf(version);
    const { code, text } = await this.build(version, { tag });
    if (code === 0) return tag;
    throw new Error(`The image of ${version} did not build:\n${text}`);
  }

  async #tarball(version: string): Promise<{ file: string; sum: string }> {
    const file = `${PREBUILT}/stand-in-${version}.tar.gz`;
    const path = join(this.directory, file);
    const staging = await Deno.makeTempDir({ prefix: "stand-in-" });
    try {
      await installStandIn(join(staging, "mattermost"), version);
      // The same content makes the same file, for the builder's cache.
      await must([
        ...["tar", "--create", "--gzip", "--file", path],
        ...["--sort=name", "--mtime=@0", "--owner=0", "--group=0"],
        ...["--directory", staging, "mattermost"],
      ]);
    } finally {
      await Deno.remove(staging, { recursive: true });
    }
    const printed = await must(["sha256sum", path]);
    return { file, sum: printed.split(" ")[0] ?? "" };
  }
}

function tagOf(version: string): string {
  return `${PREFIX}/mattermost:${version}`;
}

/** Copies what the Dockerfile takes, without what somebody brought along. */
export async function copyTree(root: string, target: string): Promise<void> {
  const paths = CONTEXT.map((name) => join(root, name));
  await must(["cp", "-a", ...paths, target]);
  const prebuilt = join(target, PREBUILT);
  for await (const { name } of Deno.readDir(prebuilt)) {
    if (name !== "README.md") await Deno.remove(join(prebuilt, name));
  }
}

/**
 * The compiled program of this tree, made again when anything that it is made of
 * is newer.
 */
export async function currentBinary(root: string): Promise<string> {
  const binary = join(root, "dist/mattermost-entrypoint");
  const sources = ["main.ts", "deno.json", "lib"].map((name) =>
    join(root, name)
  );
  const isOld = await Deno.lstat(binary).then(
    async () => await must(["find", ...sources, "-newer", binary]) !== "",
    () => true,
  );
  if (isOld) {
    await must([Deno.execPath(), "task", "compile"], { directory: root });
  }
  return binary;
}
