/**
 * The server that the demo starts: the Mattermost that the user has, the release
 * of the image, or a fake Mattermost. The demo runs a copy of the directories that
 * a server writes to, so the original stays as it is.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { requireOpenPath } from "../shared/cache.ts";
import { run } from "../shared/process.ts";
import { download, type Release } from "./download.ts";
import type { Screen } from "./screen.ts";

/** A server that is ready to be started. */
export interface Installation {
  /** What the user is told that it is. */
  readonly what: string;
  /** Its release; undefined for the user's own, which says so itself. */
  readonly version: string | undefined;
}

/** What {@linkcode install} takes besides the directory. */
export interface InstallOptions {
  /** Directory of the Mattermost that the user has. */
  readonly own: string | undefined;
  /** The release to download, or to pretend. */
  readonly release: Release;
  /** Whether the fake Mattermost is wanted, without a download. */
  readonly isFake: boolean;
  /** Ends the download. */
  readonly signal: AbortSignal;
  readonly screen: Pick<Screen, "say" | "progress">;
}

/** Directories that the server writes to. */
const WRITABLE: ReadonlySet<string> = new Set([
  ...["client", "config", "data", "logs", "plugins"],
]);

/** Directories that the server needs, and makes only where it owns their parent. */
const PLUGINS = ["plugins", "client/plugins"];

/**
 * Puts a server into a directory. Where Mattermost cannot be downloaded, the
 * reason is shown and the fake Mattermost is installed.
 *
 * @param directory does not exist yet
 * @throws {Error} when the user's own cannot be read
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

/** Returns the directory of the server; nothing where the fake one has to do. */
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
      `${name} cannot be downloaded here (${reason}), so a small fake server ` +
        "answers and shows what it was given.",
    );
    return undefined;
  }
}

/** Links to what the server reads, copies of what it writes to. */
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

/** The fake Mattermost is a script that this Deno runs, as the server's user. */
async function installFake(directory: string, version: string): Promise<void> {
  const bin = join(directory, "bin");
  const cache = join(directory, "cache");
  await Deno.mkdir(bin, { recursive: true });
  await Deno.mkdir(cache);
  await Deno.chmod(cache, 0o777);
  const deno = await reachable(Deno.execPath(), join(bin, "deno"));
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

/** The program, or a copy of it where the server's user cannot reach it. */
async function reachable(program: string, copy: string): Promise<string> {
  try {
    await requireOpenPath(dirname(program));
    return program;
  } catch {
    await Deno.copyFile(program, copy);
    await Deno.chmod(copy, 0o755);
    return copy;
  }
}
