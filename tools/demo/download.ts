/**
 * A release of Mattermost from its makers' site, checked and kept in the private
 * cache. Which release, where from and with which SHA-256 the files of the image
 * say, so that the demo runs what the image holds.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { cached } from "../shared/cache.ts";
import { run } from "../shared/process.ts";

/** How long the site may take to answer, and to go on after a pause, in milliseconds. */
const PATIENCE = { answer: 5_000, stall: 30_000 };

/** The vendor's names of processor architectures. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;

/** A release that can be downloaded. */
export interface Release {
  readonly version: string;
  readonly url: string;
  readonly sha256: string;
}

/** What {@linkcode download} takes besides the release. */
export interface DownloadOptions {
  /** Ends the download. */
  readonly signal: AbortSignal;
  /**
   * Told now and then how far it is.
   *
   * @param received bytes so far
   * @param total bytes in all, where the site says so
   */
  readonly progress: (received: number, total: number | undefined) => void;
}

/**
 * The release of the image, from the Dockerfile and its neighbours.
 *
 * @param root the project's directory
 * @returns the release; nothing where no SHA-256 is known for this machine
 */
export async function releaseOfImage(
  root: string,
): Promise<Release | undefined> {
  const dockerfile = await Deno.readTextFile(join(root, "Dockerfile"));
  const script = await Deno.readTextFile(
    join(root, "docker/fetch_mattermost.sh"),
  );
  const sums = await Deno.readTextFile(
    join(root, "docker/mattermost-releases.sha256"),
  );
  const version = only(dockerfile, /^ARG MATTERMOST_VERSION=(\S+)$/m);
  const address = only(script, /"(https:\/\/\S+\/\$\{name\})"/);
  const name = `mattermost-team-${version}-linux-${
    ARCHITECTURES[Deno.build.arch]
  }.tar.gz`;
  const line = sums.split("\n").find((line) => line.endsWith(`  ${name}`));
  const sha256 = line?.split(" ")[0];
  return sha256 === undefined ? undefined : {
    version,
    sha256,
    url: address.replace("${MATTERMOST_VERSION}", version)
      .replace("${name}", name),
  };
}

/**
 * Downloads and unpacks a release, unless the cache has it.
 *
 * @returns the directory of the server
 * @throws {Error} when the site cannot be reached, breaks off, or delivers something else
 */
export async function download(
  release: Release,
  options: DownloadOptions,
): Promise<string> {
  return await cached(`mattermost-${release.version}`, async (draft) => {
    const tarball = join(draft, "tarball");
    const sha256 = await fetchFile(release.url, tarball, options);
    if (sha256 !== release.sha256) {
      throw new Error(
        `${release.url} has the SHA-256 sum ${sha256}, expected ${release.sha256}`,
      );
    }
    await run([
      ...["tar", "-xzf", tarball, "-C", draft],
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
    const length = Number(response.headers.get("content-length"));
    const total = length > 0 ? length : undefined;
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
  throw new Error(`The files of the image no longer hold ${pattern}`);
}
