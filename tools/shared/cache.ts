/**
 * The private cache of downloaded servers, outside the project's tree. Entries
 * appear whole or not at all, and two runs may fill the same entry at once.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { run } from "./process.ts";
import { createScratch } from "./scratch.ts";

/** Where the cache is when root's home is closed to the servers' own user. */
const SHARED_CACHE = "/var/cache/mattermost-entrypoint";

/**
 * The cache's directory: `ENTRYPOINT_CACHE_DIR`, or `mattermost-entrypoint` in
 * `XDG_CACHE_HOME` or `~/.cache`. Database servers refuse to run as root, so for
 * root a home that other users cannot enter is passed over for `/var/cache`.
 *
 * @throws {Error} when the directory is closed to the servers' user
 */
export async function cacheDirectory(): Promise<string> {
  const chosen = Deno.env.get("ENTRYPOINT_CACHE_DIR") || await usualCache();
  await requireOpenPath(chosen);
  return resolve(chosen);
}

async function usualCache(): Promise<string> {
  const home = Deno.env.get("XDG_CACHE_HOME") ||
    join(Deno.env.get("HOME") || "/", ".cache");
  const usual = join(home, "mattermost-entrypoint");
  return await closedParent(usual) === undefined ? usual : SHARED_CACHE;
}

/**
 * The directory `name` in the cache, filled on first use.
 *
 * @param fill puts the content into the empty directory that it is given; when
 * it throws, nothing stays behind
 */
export async function cached(
  name: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const cache = await cacheDirectory();
  const entry = join(cache, name);
  if (await exists(entry)) return entry;
  await locked(name, async () => {
    if (await exists(entry)) return;
    await using draft = await createScratch({
      parent: cache,
      prefix: `.${name}-`,
    });
    await fill(draft.path);
    await openToAll(draft.path);
    await Deno.rename(draft.path, entry);
  });
  return entry;
}

/**
 * Does some work while no other program that uses this cache does the same.
 *
 * @param name what the work is called
 */
export async function locked(
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  const cache = await cacheDirectory();
  // Open to the servers' user, with all parents that are made, whatever the umask is.
  await run(["sh", "-c", 'umask 022 && exec mkdir -p -- "$0"', cache])
    .catch((cause) => {
      throw new Error(
        `The directory ${cache} cannot be made. Choose another one with ENTRYPOINT_CACHE_DIR.`,
        { cause },
      );
    });
  const path = join(cache, `${name}.lock`);
  using lock = await Deno.open(path, { create: true, write: true });
  await lock.lock(true);
  await work();
}

/**
 * Refuses a path that the servers' own user could not reach.
 *
 * @throws {Error} naming the closed directory and what opens it
 */
export async function requireOpenPath(path: string): Promise<void> {
  const closed = await closedParent(path);
  if (closed === undefined) return;
  throw new Error(
    `${closed} is closed to other users, but database servers refuse to run as root ` +
      "and have to enter it as another user. Choose other directories with " +
      `ENTRYPOINT_CACHE_DIR and TMPDIR, or run: chmod o+x ${closed}`,
  );
}

/** Whether a file or directory is there. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * The first directory on the way to `path` that keeps other users out; only root
 * switches user, so for others there is none.
 */
export async function closedParent(path: string): Promise<string | undefined> {
  if (Deno.uid() !== 0) return undefined;
  for (let at = resolve(path); at !== dirname(at); at = dirname(at)) {
    const mode = await Deno.stat(at).then((info) => info.mode, () => null);
    if (mode !== null && (mode & 0o001) === 0) return at;
  }
  return undefined;
}

/** Lets every user read the entry, whatever the umask of this run is. */
async function openToAll(directory: string): Promise<void> {
  await new Deno.Command("chmod", { args: ["-R", "u+w,a+rX", directory] })
    .output();
}
