/**
 * The base images of the Dockerfile and the samples: the real ones, or, if no registry can be
 * reached, replacements with the same names from Debian's packages.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../../tools/shared/cache.ts";
import { attempt, attemptSync, type CommandOptions, must } from "./command.ts";
import { type AtEnd, unmountBelow } from "./engine.ts";
import { requirePrograms } from "./machine.ts";

/** The prefix of names that no other images have. */
export const PREFIX = "mattermost-entrypoint-test";

/**
 * The names, and for each replacement its directory in `bases/` and options of its build; nothing
 * for Debian itself.
 */
const RECIPES: Readonly<Record<string, readonly string[]>> = {
  "caddy:2.11": ["caddy"],
  "debian:bookworm-slim": [],
  [`denoland/deno:${Deno.version.deno}`]: ["deno"],
  "mariadb:11.8": ["mariadb"],
  "mysql:9": ["mysql"],
  "nginx:1.30": ["nginx"],
  "postgres:15": [
    "postgres",
    ...["--build-arg", `BASE=${PREFIX}/debian:bookworm-slim`],
    ...["--build-arg", "MAJOR=15"],
    // Before 18, images have another data directory.
    ...["--build-arg", "VOLUME=/var/lib/postgresql/data"],
    ...["--build-arg", "DATA=/var/lib/postgresql/data"],
  ],
  "postgres:18": ["postgres"],
};

/** The start of the name in the cache. */
const ENTRY = "base-images-";

/** Time limit for a pull, in milliseconds. */
const PULL_TIMEOUT = 300_000;

/** Options of {@linkcode provideBases}. */
export interface BaseOptions {
  /** The environment of `docker`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Prints a line about a long step. */
  readonly say: (line: string) => void;
  /** Registers a function that cleans up. */
  readonly atEnd: AtEnd;
}

/**
 * Pulls or makes all missing base images.
 *
 * @returns the names of the new images, which the caller must remove
 */
export async function provideBases(options: BaseOptions): Promise<string[]> {
  const { environment, say } = options;
  const missing: string[] = [];
  for (const name of Object.keys(RECIPES)) {
    const image = await attempt(["docker", "image", "inspect", name], {
      environment,
    });
    if (image.code !== 0) missing.push(name);
  }
  const [first, ...rest] = missing;
  if (first === undefined) return [];
  if (await pull(first, { environment })) {
    for (const name of rest) await pull(name, { environment });
    return missing;
  }
  say(
    "No registry can be reached: the base images are made from Debian's packages",
  );
  const made = await replacements(options);
  for (const name of missing) {
    await must(["docker", "tag", ownName(name), name], { environment });
  }
  return [...missing, ...made];
}

async function pull(name: string, options: CommandOptions): Promise<boolean> {
  const { code } = await attempt(["docker", "pull", "--quiet", name], {
    ...options,
    timeout: PULL_TIMEOUT,
  });
  return code === 0;
}

/** Loads the replacements from the cache with their own names, and makes them on first use. */
async function replacements(options: BaseOptions): Promise<string[]> {
  const { environment, say, atEnd } = options;
  const recipes = join(import.meta.dirname ?? ".", "bases");
  const names = Object.keys(RECIPES).map(ownName);
  let fresh = false;
  const entry = await cached(
    `${ENTRY}${await digest(recipes)}`,
    async (draft) => {
      fresh = true;
      atEnd(() => discard(draft));
      await makeReplacements(recipes, { directory: draft, ...options });
      say("Saving the base images in the cache");
      const file = join(draft, "images.tar");
      await must(["docker", "save", "--output", file, ...names], {
        environment,
      });
    },
  );
  if (!fresh) {
    say("Loading the base images from the cache");
    await must(["docker", "load", "--input", join(entry, "images.tar")], {
      environment,
    });
  }
  await removeOthers(entry);
  return names;
}

async function makeReplacements(
  recipes: string,
  { environment, directory, say }: Omit<BaseOptions, "atEnd"> & {
    directory: string;
  },
): Promise<void> {
  say("Unpacking two releases of Debian");
  await requirePrograms({ debootstrap: "debootstrap" });
  await Promise.all([
    importDebian("bookworm", ownName("debian:bookworm-slim"), {
      directory,
      environment,
    }),
    importDebian("sid", SID, { directory, environment }),
  ]);
  say("Installing Deno, the databases and the proxies");
  const contexts = join(directory, "recipes");
  await must(["cp", "-R", recipes, contexts]);
  await must(["cp", Deno.execPath(), join(contexts, "deno/deno")]);
  await must(["cp", "-L", CA_BUNDLE, join(contexts, "deno")]);
  const builds = Object.entries(RECIPES).map(
    async ([name, [recipe, ...options]]) => {
      if (recipe === undefined) return;
      const build = ["docker", "build", "--tag", ownName(name), ...options];
      await must([...build, join(contexts, recipe)], {
        environment: { ...environment, DOCKER_BUILDKIT: "0" },
      });
    },
  );
  await Promise.all(builds);
  await must(["docker", "rmi", SID], { environment });
  await Deno.remove(contexts, { recursive: true });
}

/** The CA certificates of this machine, which may include one of a proxy that re-signs TLS. */
const CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";

/** The base of the replacements. */
const SID = `${PREFIX}/sid`;

/** Reduces the directory $1 like the slim images, imports it as the image $2, and removes it. */
const IMPORT = `
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/* \\
  "$1"/usr/share/man/* "$1"/usr/share/locale/*
for excluded in doc man locale; do
  echo "path-exclude /usr/share/$excluded/*"
done >"$1/etc/dpkg/dpkg.cfg.d/docker"
echo force-unsafe-io >>"$1/etc/dpkg/dpkg.cfg.d/docker"
# A mirror may be late with the unstable suite.
echo 'Acquire::Check-Valid-Until "false";' >"$1/etc/apt/apt.conf.d/docker"
tar --directory="$1" --create . | docker import - "$2"
rm -rf "$1"`;

async function importDebian(
  suite: string,
  name: string,
  { directory, environment }: Pick<BaseOptions, "environment"> & {
    directory: string;
  },
): Promise<void> {
  const root = join(directory, suite);
  await must(["debootstrap", "--variant=minbase", suite, root]);
  await must(["sh", "-euc", IMPORT, "sh", root, name], { environment });
}

/** Removes an unfinished cache entry, and unmounts what debootstrap mounted in it. */
function discard(draft: string): void {
  unmountBelow(draft);
  attemptSync(["rm", "-rf", "--one-file-system", draft]);
}

/** Removes the images of older recipes from the cache. */
async function removeOthers(entry: string): Promise<void> {
  for await (const { name } of Deno.readDir(dirname(entry))) {
    if (!name.startsWith(ENTRY) || name === basename(entry)) continue;
    await Deno.remove(join(dirname(entry), name), { recursive: true });
  }
}

/** A digest of everything that the images depend on. */
async function digest(recipes: string): Promise<string> {
  const { stdout } = await attempt([
    ...["sh", "-c", 'cat "$@" "$0"/*/* | sha256sum', recipes],
    ...[SELF, Deno.execPath(), CA_BUNDLE],
  ]);
  return stdout.slice(0, 12);
}

const SELF = fileURLToPath(import.meta.url);

function ownName(name: string): string {
  return `${PREFIX}/${name}`;
}
