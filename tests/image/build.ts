/**
 * Builds the image from the sources, as a user does in a fresh clone, with the fake Mattermost
 * as a prebuilt file.
 *
 * @module
 */

import { join } from "node:path";
import { exists } from "../../tools/shared/cache.ts";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { PREFIX } from "./bases.ts";
import { must, type Outcome } from "./command.ts";
import type { Docker } from "./docker.ts";

/** The directory of prebuilt files in the build context. */
const PREBUILT = "docker/prebuilt";

/** A build context, and the images built from it. */
export class Builder {
  readonly #docker: Docker;
  /** The directory of the build context. */
  readonly directory: string;
  readonly #images = new Map<string, Promise<string>>();
  #binary = "";

  constructor(docker: Docker, directory: string) {
    this.#docker = docker;
    this.directory = directory;
  }

  /** The names of the images. */
  get tags(): string[] {
    return [...this.#images.keys()].map(tagOf);
  }

  /**
   * Copies the project into the build context.
   *
   * @param root the project's directory
   * @param binary a compiled program to use instead of compiling
   */
  async prepare(root: string, binary: string | undefined): Promise<void> {
    await copyTree(root, this.directory);
    if (binary === undefined) return;
    this.#binary = `${PREBUILT}/mattermost-entrypoint`;
    await must(["cp", binary, join(this.directory, this.#binary)]);
  }

  /** Returns the image of a release, which is built on first use. */
  image(version: string): Promise<string> {
    const made = this.#images.get(version) ?? this.#buildChecked(version);
    this.#images.set(version, made);
    return made;
  }

  /** The arguments of the build that bring the release and the program, if it is not compiled. */
  async arguments(version: string): Promise<Readonly<Record<string, string>>> {
    const { file, sum } = await this.#tarball(version);
    return {
      MATTERMOST_VERSION: version,
      MATTERMOST_TARBALL: file,
      MATTERMOST_SHA256: sum,
      ENTRYPOINT_BINARY: this.#binary,
    };
  }

  /** Builds the image of a release; the build may fail. */
  async build(
    version: string,
    { tag, args = {}, options = [], classic = false }: {
      tag: string;
      args?: Readonly<Record<string, string>>;
      options?: readonly string[];
      classic?: boolean;
    },
  ): Promise<Outcome> {
    const all = { ...await this.arguments(version), ...args };
    return await this.#docker.attempt([
      ...["build", "--tag", tag, ...options],
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
    throw new Error(
      `The image of Mattermost ${version} cannot be built:\n${text}`,
    );
  }

  async #tarball(version: string): Promise<{ file: string; sum: string }> {
    const file = `${PREBUILT}/fake-mattermost-${version}.tar.gz`;
    const path = join(this.directory, file);
    const staging = await Deno.makeTempDir({ prefix: "fake-mattermost-" });
    try {
      await installFakeMattermost(join(staging, "mattermost"), version);
      // The same content makes the same file, so that the builder's cache applies.
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

/** Copies the files that a clone would have, with uncommitted changes. */
export async function copyTree(root: string, target: string): Promise<void> {
  const listed = await must([
    ...["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  ], { directory: root });
  const files: string[] = [];
  for (const path of listed.split("\0").filter(Boolean)) {
    if (await exists(join(root, path))) files.push(path);
  }
  const copy = ["cp", "--parents", "-a", "-t", target, ...files];
  await must(copy, { directory: root });
}
