/**
 * Downloads the Mattermost release that the image contains, checks it, and keeps it in the
 * cache. The release, the address and the SHA-256 sum come from the image's own files.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { cached } from "../shared/cache.ts";
import { KILL_WITH_PARENT, run } from "../shared/process.ts";

/** Time limits for the answer of the site and between two chunks, in milliseconds. */
const TIMEOUTS = { answer: 5_000, stall: 30_000 };

/** Mattermost's names of processor architectures. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** A release that can be downloaded. */
export interface Release {
  readonly version: string;
  readonly url: string;
  /** `undefined` if the image has no sum for this architecture. */
  readonly sha256: string | undefined;
}

/** Options of {@linkcode download}. */
export interface DownloadOptions {
  /** Stops the download. */
  readonly signal: AbortSignal;
  /**
   * Called when the site answers, and for each chunk.
   *
   * @param received bytes so far
   * @param total all bytes; `NaN` if the site does not send the length
   */
  readonly progress: (received: number, total: number) => void;
}

/**
 * Reads the release and its SHA-256 sum from the Dockerfile and the files in docker/.
 *
 * @param root the project's directory
 */
export async function releaseOfImage(root: string): Promise<Release> {
  const [dockerfile, script, sums] = await Promise.all([
    Deno.readTextFile(join(root, "Dockerfile")),
    Deno.readTextFile(join(root, "docker/fetch_mattermost.sh")),
    Deno.readTextFile(join(root, "docker/mattermost-releases.sha256")),
  ]);
  const version = findOne(dockerfile, /^ARG MATTERMOST_VERSION=(\S+)$/m);
  const site = findOne(script, /^site=(https:\/\/\S+)$/m);
  const name = `mattermost-team-${version}-linux-${
    ARCHITECTURES[Deno.build.arch]
  }.tar.gz`;
  const line = sums.split("\n").find((line) => line.endsWith(`  ${name}`));
  return {
    version,
    sha256: line?.split(" ")[0],
    url: `${site}/${version}/${name}`,
  };
}

/**
 * Downloads and unpacks a release, unless the cache has it.
 *
 * @returns the directory of the server
 * @throws {Error} when the site cannot be reached or stops sending, or the SHA-256 sum differs
 */
export async function download(
  { version, url, sha256 }: Release,
  options: DownloadOptions,
): Promise<string> {
  if (sha256 === undefined) {
    throw new Error(
      `docker/mattermost-releases.sha256 has no sum for ${Deno.build.arch}`,
    );
  }
  return await cached(`mattermost-${version}`, async (draft) => {
    const tarball = join(draft, "tarball");
    const found = await fetchFile(url, tarball, options);
    if (found !== sha256) {
      throw new Error(
        `the SHA-256 sum of ${url} must be ${sha256}: it is ${found}`,
      );
    }
    await run([
      ...[...KILL_WITH_PARENT, "tar", "-xzf", tarball, "-C", draft],
      ...["--strip-components=1", "--no-same-owner"],
    ]);
    await Deno.remove(tarball);
  });
}

/** Returns the SHA-256 sum of the file. */
async function fetchFile(
  url: string,
  path: string,
  { signal, progress }: DownloadOptions,
): Promise<string> {
  const timeout = new AbortController();
  const wait = (milliseconds: number) =>
    setTimeout(
      () => timeout.abort(new Error(`${new URL(url).host} does not answer`)),
      milliseconds,
    );
  let timer = wait(TIMEOUTS.answer);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, timeout.signal]),
    }).catch((error) => {
      // The message of Deno names no host.
      throw error instanceof TypeError
        ? new Error(`${new URL(url).host} cannot be reached`, { cause: error })
        : error;
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`${url} answers ${response.status}`);
    }
    const total = Number(response.headers.get("content-length") ?? NaN);
    progress(0, total);
    const hash = createHash("sha256");
    using file = await Deno.open(path, { write: true, createNew: true });
    let received = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = wait(TIMEOUTS.stall);
      hash.update(chunk);
      for (let rest = chunk; rest.length > 0;) {
        rest = rest.subarray(await file.write(rest));
      }
      received += chunk.length;
      progress(received, total);
    }
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
  }
}

function findOne(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found !== undefined) return found;
  throw new Error(
    `Dockerfile or docker/fetch_mattermost.sh must contain ${pattern}`,
  );
}
