/**
 * Prepares the server that the demo starts: the user's own Mattermost, the release of the
 * image, or a fake Mattermost. Directories that the server writes to are copied, so that the
 * original does not change.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { requireOpenPath } from "../shared/cache.ts";
import { run } from "../shared/process.ts";
import { download, type Release } from "./download.ts";
import type { Screen } from "./screen.ts";

/** A prepared server. */
export interface Installation {
  /** Its description for the user. */
  readonly what: string;
  /** Its release; `undefined` for the user's own server, which prints its release. */
  readonly version: string | undefined;
}

/** Options of {@linkcode install}. */
export interface InstallOptions {
  /** The directory of the user's own Mattermost. */
  readonly own: string | undefined;
  /** The release to download, or that the fake Mattermost prints. */
  readonly release: Release;
  /** Use the fake Mattermost without trying the download. */
  readonly isFake: boolean;
  /** Stops the download. */
  readonly signal: AbortSignal;
  readonly screen: Pick<Screen, "say" | "progress">;
}

/** Directories that the server writes to. */
const WRITABLE: ReadonlySet<string> = new Set([
  ...["client", "config", "data", "logs", "plugins"],
]);

/** Directories that the server needs, and can create only if it owns their parent. */
const PLUGINS = ["plugins", "client/plugins"];

/**
 * Installs a server. If Mattermost cannot be downloaded, it shows the reason and installs the
 * fake Mattermost.
 *
 * @param directory must not exist yet
 * @throws {Error} when the user's own Mattermost cannot be read
 */
export async function install(
  directory: string,
  options: InstallOptions,
): Promise<Installation> {
  const { own, release: { version } } = options;
  const source = own ?? await tryDownload(options);
  await (source === undefined
    ? installFake(directory, version)
    : overlay(source, directory));
  for (const name of PLUGINS) {
    await Deno.mkdir(join(directory, name), { recursive: true });
  }
  if (own !== undefined) {
    return { what: `the Mattermost in ${own}`, version: undefined };
  }
  const kind = source === undefined ? "a fake Mattermost" : "Mattermost";
  return { what: `${kind} ${version}`, version };
}

/** Returns the directory of the server; nothing if the fake Mattermost is to be used. */
async function tryDownload(
  { release, isFake, signal, screen }: InstallOptions,
): Promise<string | undefined> {
  if (isFake) return undefined;
  const name = `Mattermost ${release.version}`;
  const progress = (received: number, total: number): void => {
    if (received > 0) {
      return screen.progress(Math.floor(100 * received / total));
    }
    const size = total > 0 ? `${Math.round(total / 1_000_000)} MB, ` : "";
    screen.say(`Downloading ${name} (${size}only the first time)`);
  };
  try {
    return await download(release, { signal, progress });
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : error;
    screen.say(
      `${name} cannot be downloaded (${reason}). A small fake Mattermost runs ` +
        "instead, which shows its configuration.",
    );
    return undefined;
  }
}

/** Links the files that the server reads, and copies the directories that it writes to. */
async function overlay(source: string, directory: string): Promise<void> {
  const original = await Deno.realPath(source);
  await Deno.mkdir(directory);
  for await (const { name } of Deno.readDir(original)) {
    const from = join(original, name);
    await (WRITABLE.has(name)
      ? run(["cp", "-R", from, directory])
      : Deno.symlink(from, join(directory, name)));
  }
}

/** Installs the fake Mattermost, a script that the running Deno executes as the server's user. */
async function installFake(directory: string, version: string): Promise<void> {
  const bin = join(directory, "bin");
  const cache = join(directory, "cache");
  await Deno.mkdir(bin, { recursive: true });
  await Deno.mkdir(cache);
  await Deno.chmod(cache, 0o777);
  const deno = await accessible(Deno.execPath(), join(bin, "deno"));
  const script = join(bin, "fake_mattermost.ts");
  const original = join(import.meta.dirname ?? ".", "fake_mattermost.ts");
  await Deno.copyFile(original, script);
  const program = join(bin, "mattermost");
  await Deno.writeTextFile(
    program,
    `#!/bin/sh
export FAKE_VERSION='${version}' DENO_DIR='${cache}'
exec '${deno}' run --quiet --no-prompt --no-config --no-lock --allow-all '${script}' "$@"
`,
  );
  await Deno.chmod(program, 0o755);
}

/** Returns the program, or a copy of it if the server's user has no access to it. */
async function accessible(program: string, copy: string): Promise<string> {
  try {
    await requireOpenPath(dirname(program));
    return program;
  } catch {
    await Deno.copyFile(program, copy);
    await Deno.chmod(copy, 0o755);
    return copy;
  }
}
