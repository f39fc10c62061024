/**
 * The cache of downloaded servers, outside the project's directory. An entry appears when it
 * is complete, and two programs may fill the cache at the same time.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { run } from "./process.ts";
import { createScratch } from "./scratch.ts";

/** The cache of root, if the servers' user has no access to root's home. */
const SHARED_CACHE = "/var/cache/mattermost-entrypoint";

/**
 * Returns the directory of the cache: `ENTRYPOINT_CACHE_DIR`, or `mattermost-entrypoint` in
 * `XDG_CACHE_HOME` or `~/.cache`. Database servers refuse to run as root, so root uses
 * `/var/cache` if other users have no access to its home.
 *
 * @throws {Error} when the servers' user has no access to the directory
 */
export async function cacheDirectory(): Promise<string> {
  const chosen = Deno.env.get("ENTRYPOINT_CACHE_DIR") || await defaultCache();
  await requireOpenPath(chosen);
  return resolve(chosen);
}

async function defaultCache(): Promise<string> {
  const home = Deno.env.get("XDG_CACHE_HOME") ||
    join(Deno.env.get("HOME") || "/", ".cache");
  const path = join(home, "mattermost-entrypoint");
  return await closedParent(path) === undefined ? path : SHARED_CACHE;
}

/**
 * Returns the path of an entry in the cache, which is filled on first use.
 *
 * @param name the name of the entry, a directory
 * @param fill writes the content into the empty directory that it gets; if it throws, the
 * directory is removed
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
 * Runs a function while no other program with the same cache runs one of the same name.
 *
 * @param name the name of the lock
 * @param work the function
 */
export async function locked(
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  const cache = await cacheDirectory();
  // The servers' user needs access to all new directories, whatever the umask is.
  await run(["sh", "-c", 'umask 022 && exec mkdir -p -- "$0"', cache])
    .catch((cause) => {
      throw new Error(
        `The directory ${cache} cannot be created. Set ENTRYPOINT_CACHE_DIR to another one.`,
        { cause },
      );
    });
  const path = join(cache, `${name}.lock`);
  using lock = await Deno.open(path, { create: true, write: true });
  await lock.lock(true);
  await work();
}

/**
 * Fails if the servers' user has no access to a path.
 *
 * @throws {Error} with the directory that denies access, and the remedy
 */
export async function requireOpenPath(path: string): Promise<void> {
  const closed = await closedParent(path);
  if (closed === undefined) return;
  throw new Error(
    `Other users have no access to ${closed}, and database servers need it, because they ` +
      "refuse to run as root. Set ENTRYPOINT_CACHE_DIR and TMPDIR to other directories, " +
      `or run: chmod o+x ${closed}`,
  );
}

/** Whether a path exists; a symbolic link does even if its target does not. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * Returns the deepest directory of a path that denies access to other users, and nothing if
 * there is none or this process is not root, because only root changes users.
 */
export async function closedParent(path: string): Promise<string | undefined> {
  if (Deno.uid() !== 0) return undefined;
  for (let at = resolve(path); at !== dirname(at); at = dirname(at)) {
    const mode = await Deno.stat(at).then((info) => info.mode, () => null);
    if (mode !== null && (mode & 0o001) === 0) return at;
  }
  return undefined;
}

/** Every user may read the entry, whatever the umask is. */
async function openToAll(directory: string): Promise<void> {
  await new Deno.Command("chmod", { args: ["-R", "u+w,a+rX", directory] })
    .output();
}
