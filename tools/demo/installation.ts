/**
 * The Mattermost that the demo hands over to: the operator's own, the image's
 * release, or a stand-in. Whatever it is, the demo runs a copy of its directories
 * that the server writes to, so that nothing of it changes.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { requireOpenPath } from "../shared/cache.ts";
import { run } from "../shared/process.ts";
import { download, type Release } from "./download.ts";

/** A server that is ready to be started. */
export interface Installation {
  /** Which one it is, for people. */
  readonly what: string;
  /** The release, where it is known. */
  readonly version: string | undefined;
}

/** What {@linkcode install} takes besides the directory. */
export interface InstallOptions {
  /** The server that the operator has. */
  readonly own: string | undefined;
  /** The release to download otherwise. */
  readonly release: Release | undefined;
  /** Whether to do with a stand-in instead. */
  readonly isStandIn?: boolean;
  /** Ends the download. */
  readonly signal: AbortSignal;
  /** Tells people what goes on. */
  readonly say: (message: string) => void;
}

/** The release that a stand-in says it is, where there is none to take its place. */
const STAND_IN_VERSION = "11.7.9";

/** Directories that the server writes to. */
const WRITABLE: ReadonlySet<string> = new Set([
  ...["client", "config", "data", "logs", "plugins"],
]);

/** A sixteenth of the whole is said at a time. */
const STEPS = 16;

/**
 * Puts a server into a directory.
 *
 * @param directory does not exist yet
 * @throws {Error} when the operator's own is not there; a download that fails is
 * said, and gives way to the stand-in
 */
export async function install(
  directory: string,
  options: InstallOptions,
): Promise<Installation> {
  const { own, release, say } = options;
  if (own !== undefined) {
    await overlay(own, directory);
    return { what: `the Mattermost in ${own}`, version: undefined };
  }
  const source = await tryDownload(release, options);
  if (source !== undefined && release !== undefined) {
    await overlay(source, directory);
    return { what: `Mattermost ${release.version}`, version: release.version };
  }
  say("A stand-in takes its place: it shows what it is given, and no messages");
  const version = release?.version ?? STAND_IN_VERSION;
  await installStandIn(directory, version);
  return { what: `a stand-in for Mattermost ${version}`, version };
}

async function tryDownload(
  release: Release | undefined,
  { isStandIn = false, signal, say }: InstallOptions,
): Promise<string | undefined> {
  if (isStandIn) return undefined;
  if (release === undefined) {
    say(`No sum is known of a Mattermost for ${Deno.build.arch}`);
    return undefined;
  }
  say(`Looking for Mattermost ${release.version}`);
  let said = 0;
  const progress = (received: number, total: number | undefined): void => {
    const step = Math.floor(STEPS * received / (total ?? Infinity));
    if (step === said) return;
    said = step;
    say(`Downloaded ${millions(received)} of ${millions(total ?? 0)} MB`);
  };
  try {
    return await download(release, { signal, progress });
  } catch (error) {
    signal.throwIfAborted();
    say(
      `Mattermost ${release.version} cannot be downloaded: ${
        error instanceof Error ? error.message : error
      }`,
    );
    return undefined;
  }
}

/** Links to what the server reads, copies of what it writes to. */
async function overlay(source: string, directory: string): Promise<void> {
  await Deno.mkdir(directory);
  for await (const { name } of Deno.readDir(source)) {
    const from = join(await Deno.realPath(source), name);
    if (WRITABLE.has(name)) {
      await run(["cp", "-R", from, directory]);
    } else {
      await Deno.symlink(from, join(directory, name));
    }
  }
  await makePluginDirectories(directory);
}

/** As the image has them: the server makes them itself, but not in a directory that is not its own. */
async function makePluginDirectories(directory: string): Promise<void> {
  for (const name of ["plugins", "client/plugins"]) {
    await Deno.mkdir(join(directory, name), { recursive: true });
  }
}

/** The stand-in is a script, run by this very Deno. */
async function installStandIn(
  directory: string,
  version: string,
): Promise<void> {
  const bin = join(directory, "bin");
  await Deno.mkdir(bin, { recursive: true });
  await makePluginDirectories(directory);
  const deno = await reachable(Deno.execPath(), join(bin, "deno"));
  await Deno.copyFile(
    join(import.meta.dirname ?? ".", "stand_in.ts"),
    join(bin, "stand_in.ts"),
  );
  const program = join(bin, "mattermost");
  await Deno.writeTextFile(
    program,
    [
      "#!/bin/sh",
      `export STAND_IN_VERSION=${version} DENO_NO_UPDATE_CHECK=1 DENO_DIR=/dev/null`,
      `exec '${deno}' run --quiet --no-prompt --no-config --no-lock --allow-all '${
        join(bin, "stand_in.ts")
      }' "$@"`,
      "",
    ].join("\n"),
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

function millions(bytes: number): number {
  return Math.round(bytes / 1_000_000);
}
