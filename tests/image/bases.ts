/**
 * The images that the Dockerfile and the samples are built on: the real ones, or,
 * where no registry can be reached, replacements made from Debian's packages under
 * the same names.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../../tools/shared/cache.ts";
import { attempt, attemptSync, type CommandOptions, must } from "./command.ts";
import { type AtEnd, unmountBelow } from "./engine.ts";
import { requirePrograms } from "./machine.ts";

/** The names, and how a replacement is made: a directory of `bases/`, or Debian as it is. */
const RECIPES: Readonly<Record<string, string>> = {
  "debian:bookworm-slim": "",
  [`denoland/deno:${Deno.version.deno}`]: "deno",
  "mariadb:11.8": "mariadb",
  "mysql:9": "mysql",
  "nginx:1.30": "nginx",
  "postgres:18": "postgres",
};

/** The prefix of our own names, which nobody else's images have. */
export const PREFIX = "mattermost-entrypoint-test";

/** The start of the name in the cache. */
const ENTRY = "base-images-";

/** How long a registry may take to say whether it has an image, in milliseconds. */
const REGISTRY_PATIENCE = 300_000;

/** What bases are made with. */
export interface BaseOptions {
  /** How to reach the engine. */
  readonly environment: Readonly<Record<string, string>>;
  /** Told what takes long. */
  readonly say: (line: string) => void;
  /** Takes what must not stay when the tests are interrupted. */
  readonly atEnd: AtEnd;
}

/**
 * Makes all base images present in the engine.
 *
 * @returns the names that were not there before, for the caller to remove
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
  say("No image registry: the base images are made from Debian's packages");
  const made = await replacements(options);
  for (const name of missing) {
    await must(["docker", "tag", ownName(name), name], { environment });
  }
  return [...missing, ...made];
}

async function pull(name: string, options: CommandOptions): Promise<boolean> {
  const { code } = await attempt(["docker", "pull", "--quiet", name], {
    ...options,
    patience: REGISTRY_PATIENCE,
  });
  return code === 0;
}

/** Loads the replacements from the cache, under our own names; makes them on first use. */
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
      say("Saving them in the cache");
      const file = join(draft, "images.tar");
      await must(["docker", "save", "--output", file, ...names], {
        environment,
      });
    },
  );
  if (!fresh) {
    say("Loading them from the cache");
    await must(["docker", "load", "--input", join(entry, "images.tar")], {
      environment,
    });
  }
  await dropOthers(entry);
  return names;
}

async function makeReplacements(
  recipes: string,
  { environment, directory, say }: Omit<BaseOptions, "atEnd"> & {
    directory: string;
  },
): Promise<void> {
  say("Unpacking Debian, twice");
  await requirePrograms({ debootstrap: "debootstrap" });
  await Promise.all([
    importDebian("bookworm", ownName("debian:bookworm-slim"), {
      directory,
      environment,
    }),
    importDebian("sid", SID, { directory, environment }),
  ]);
  say("Installing Deno, the databases and nginx");
  const contexts = join(directory, "recipes");
  await must(["cp", "-R", recipes, contexts]);
  await must(["cp", Deno.execPath(), join(contexts, "deno/deno")]);
  await must(["cp", "-L", AUTHORITIES, join(contexts, "deno")]);
  const builds = Object.entries(RECIPES).filter(([, recipe]) => recipe !== "");
  await Promise.all(
    builds.map(([name, recipe]) =>
      must(
        ["docker", "build", "--tag", ownName(name), join(contexts, recipe)],
        { environment: { ...environment, DOCKER_BUILDKIT: "0" } },
      )
    ),
  );
  await must(["docker", "rmi", SID], { environment });
  await Deno.remove(contexts, { recursive: true });
}

/** Whom this machine trusts, be it a proxy that signs anew what comes from a registry. */
const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

/** What the recipes are made from. */
const SID = `${PREFIX}/sid`;

/** Makes $1 as small as the slim images, imports it as $2 and removes it. */
const IMPORT = `
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/* \\
  "$1"/usr/share/man/* "$1"/usr/share/locale/*
for excluded in doc man locale; do
  echo "path-exclude /usr/share/$excluded/*"
done >"$1/etc/dpkg/dpkg.cfg.d/docker"
echo force-unsafe-io >>"$1/etc/dpkg/dpkg.cfg.d/docker"
# A mirror may lag behind with the unstable suite.
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

/** Removes an entry that did not get done, and what debootstrap mounted in it. */
function discard(draft: string): void {
  unmountBelow(draft);
  attemptSync(["rm", "-rf", "--one-file-system", draft]);
}

/** Removes what older recipes left in the cache. */
async function dropOthers(entry: string): Promise<void> {
  for await (const { name } of Deno.readDir(dirname(entry))) {
    if (!name.startsWith(ENTRY) || name === basename(entry)) continue;
    await Deno.remove(join(dirname(entry), name), { recursive: true });
  }
}

/** Names what the images are made of: another recipe makes other images. */
async function digest(recipes: string): Promise<string> {
  const { stdout } = await attempt([
    ...["sh", "-c", 'cat "$@" "$0"/*/* | sha256sum', recipes],
    ...[SELF, Deno.execPath(), AUTHORITIES],
  ]);
  return stdout.slice(0, 12);
}

const SELF = fileURLToPath(import.meta.url);

function ownName(name: string): string {
  return `${PREFIX}/${name}`;
}
