/**
 * Downloads the release of Mattermost that the image holds, checks it, and keeps
 * it in the cache. Release, address and SHA-256 sum come from the files of the
 * image.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { cached } from "../shared/cache.ts";
import { MORTAL, run } from "../shared/process.ts";

/** How long the site may take to answer, and between two pieces, in milliseconds. */
const PATIENCE = { answer: 5_000, stall: 30_000 };

/** The vendor's names of processor architectures. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** A release that can be downloaded. */
export interface Release {
  readonly version: string;
  readonly url: string;
  /** Undefined where the image has none for this kind of processor. */
  readonly sha256: string | undefined;
}

/** What {@linkcode download} takes besides the release. */
export interface DownloadOptions {
  /** Ends the download. */
  readonly signal: AbortSignal;
  /**
   * Called when the site answers, and then with each piece.
   *
   * @param received bytes so far
   * @param total bytes in all; `NaN` where the site does not say it
   */
  readonly progress: (received: number, total: number) => void;
}

/**
 * The release that the Dockerfile names.
 *
 * @param root the project's directory
 */
export async function releaseOfImage(root: string): Promise<Release> {
  const [dockerfile, script, sums] = await Promise.all([
    Deno.readTextFile(join(root, "Dockerfile")),
    Deno.readTextFile(join(root, "docker/fetch_mattermost.sh")),
    Deno.readTextFile(join(root, "docker/mattermost-releases.sha256")),
  ]);
  const version = only(dockerfile, /^ARG MATTERMOST_VERSION=(\S+)$/m);
  const address = only(script, /"(https:\/\/\S+\/\$\{name\})"/);
  const name = `mattermost-team-${version}-linux-${
    ARCHITECTURES[Deno.build.arch]
  }.tar.gz`;
  const line = sums.split("\n").find((line) => line.endsWith(`  ${name}`));
  return {
    version,
    sha256: line?.split(" ")[0],
    url: address.replace("${MATTERMOST_VERSION}", version)
      .replace("${name}", name),
  };
}

/**
 * Downloads and unpacks a release, unless the cache has it.
 *
 * @returns the directory of the server
 * @throws {Error} when the site cannot be reached, stops sending, or sends
 * something else
 */
export async function download(
  { version, url, sha256 }: Release,
  options: DownloadOptions,
): Promise<string> {
  if (sha256 === undefined) {
    throw new Error(`no checksum is known for ${Deno.build.arch}`);
  }
  return await cached(`mattermost-${version}`, async (draft) => {
    const tarball = join(draft, "tarball");
    const found = await fetchFile(url, tarball, options);
    if (found !== sha256) {
      throw new Error(
        `${url} has the SHA-256 sum ${found}, expected ${sha256}`,
      );
    }
    await run([
      ...[...MORTAL, "tar", "-xzf", tarball, "-C", draft],
      ...["--strip-components=1", "--no-same-owner"],
    ]);
    await Deno.remove(tarball);
  });
}

/** Returns the SHA-256 sum of what came. */
async function fetchFile(
  url: string,
  path: string,
  { signal, progress }: DownloadOptions,
): Promise<string> {
  const patience = new AbortController();
  const wait = (milliseconds: number) =>
    setTimeout(
      () => patience.abort(new Error(`${new URL(url).host} does not answer`)),
      milliseconds,
    );
  let timer = wait(PATIENCE.answer);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, patience.signal]),
    }).catch((error) => {
      // Deno says no more than "fetch failed".
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
      timer = wait(PATIENCE.stall);
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

function only(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found !== undefined) return found;
  throw new Error(`The files of the image do not contain ${pattern}`);
}
