/**
 * Compiles the program to one binary: bundles the program and its packages to scripts,
 * makes their code caches in a profiling run, and packs both behind a small first module.
 * The binary has the permissions of `compile.permissions` in deno.json.
 *
 *     deno task compile [--output FILE] [--entry FILE] [--config FILE]
 *
 * `--entry` compiles another program instead, without code caches, and `--config` uses another
 * deno.json for the permissions.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { COMMIT } from "../lib/build.ts";
import {
  asScript,
  PACKAGE_EXPORT,
  PACKAGES,
  PROGRAM,
  scriptPath,
} from "./compile/scripts.ts";
import { binarySizes, compileProgram, runDeno } from "./denort.ts";
import { locked } from "./shared/cache.ts";
import { guard, run } from "./shared/process.ts";
import { createScratch } from "./shared/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
const SOURCES = join(ROOT, "tools/compile");
/** How much larger than its runtime the binary may be, in bytes. */
const SIZE_LIMIT = 3_000_000;

/**
 * V8 options for a program that ends before an optimizing compiler pays off: no such
 * compilers, no helper threads, and a young generation (in MB) that is never collected.
 * Without them a start takes 10 % longer. A code cache is valid only with the options that
 * it was made with.
 */
const V8_FLAGS = [
  "--no-opt",
  "--no-maglev",
  "--no-sparkplug",
  "--single-threaded",
  "--min-semi-space-size=16",
];

interface Job {
  /** The binary to write. */
  readonly output: string;
  /** A temporary directory. */
  readonly directory: string;
  /** Stops the compilation. */
  readonly signal: AbortSignal;
}

/** Arguments of `deno bundle`: the first module, the script to write, and options. */
type Bundle = readonly [entry: string, output: string, ...options: string[]];

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      entry: { type: "string" },
      output: {
        type: "string",
        default: join(ROOT, "dist/mattermost-entrypoint"),
      },
      config: { type: "string", default: join(ROOT, "deno.json") },
    },
  });
  const output = resolve(values.output);
  const interrupt = new AbortController();
  const unguard = guard(() => interrupt.abort());
  await using scratch = await createScratch({
    prefix: "mattermost-entrypoint-",
  });
  const directory = scratch.path;
  const job = { output, directory, signal: interrupt.signal };
  try {
    await Deno.chmod(directory, 0o755);
    await Deno.mkdir(dirname(output), { recursive: true });
    const main = join(directory, "main.js");
    let files: readonly string[] = [];
    if (values.entry === undefined) files = await makeScripts(job, main);
    else await bundle(job, [resolve(values.entry), main]);
    // The fallback Deno, which is older, does not understand all of deno.json.
    const staged = join(directory, "deno.json");
    const { compile: { permissions } } = JSON.parse(
      await Deno.readTextFile(values.config),
    );
    await Deno.writeTextFile(
      staged,
      JSON.stringify({ compile: { permissions } }),
    );
    const runtime = await compile(job, output, [
      ...["--config", staged, "-P"],
      ...files.map((file) => `--include=${file}`),
      main,
    ]);
    return await report(output, runtime);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    unguard();
  }
}

/** Makes the first module, the scripts and their code caches, and returns the paths of the latter two. */
async function makeScripts(job: Job, main: string): Promise<string[]> {
  const { directory, output } = job;
  const profiler = join(directory, "profile");
  const program = scriptPath(directory, PROGRAM);
  const packages = PACKAGES.map((name) => scriptPath(directory, name));
  for (const [index, script] of packages.entries()) {
    await Deno.writeTextFile(
      `${script}.ts`,
      `export { default as ${PACKAGE_EXPORT} } from "${PACKAGES[index]}";`,
    );
  }
  const externals = PACKAGES.map((name) => `--external=${name}`);
  await bundle(
    job,
    [join(SOURCES, "start.ts"), main],
    [join(SOURCES, "profile.ts"), `${profiler}.js`],
    [
      ...[join(ROOT, "lib/program.ts"), program] as const,
      ...["--format=cjs", "--sourcemap=external", ...externals],
    ],
    ...packages.map((script) =>
      [`${script}.ts`, script, "--format=cjs"] as const
    ),
  );
  // deno task trace reads it.
  await Deno.copyFile(`${program}.map`, `${output}.map`);
  const commit = await findCommit();
  const scripts = [program, ...packages];
  for (const script of scripts) {
    const text = await Deno.readTextFile(script);
    await Deno.writeTextFile(
      script,
      asScript(script === program ? withCommit(text, commit) : text),
    );
  }
  await compile(job, profiler, ["--allow-all", `${profiler}.js`]);
  await runDeno(profiler, [directory], job);
  return [...scripts, ...scripts.map((script) => `${script}.cache`)]
    .filter(existsSync);
}

/**
 * Runs `deno bundle` once for each bundle, one process at a time on this machine: the first
 * run downloads esbuild, and fails with "failed to copy esbuild binary" while another
 * process downloads it too.
 */
async function bundle(job: Job, ...bundles: readonly Bundle[]): Promise<void> {
  await locked("bundler", async () => {
    for (const [entry, output, ...options] of bundles) {
      await runDeno(Deno.execPath(), [
        ...["bundle", "--quiet", "--config", join(ROOT, "deno.json")],
        ...["--platform=deno", "--minify", ...options],
        ...["--output", output, entry],
      ], job);
    }
  });
}

/** Runs `deno compile`, and returns a description of the runtime. */
async function compile(
  job: Job,
  output: string,
  args: readonly string[],
): Promise<string> {
  return await compileProgram([
    // Deno's own code cache would be a file in /tmp with a predictable name.
    ...["--no-lock", "--no-check", "--no-code-cache", "--no-prompt"],
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...["--output", output, ...args],
  ], job);
}

/**
 * Finds the commit of the sources: `ENTRYPOINT_COMMIT`, which the image's build sets because
 * its context has no repository, or the commit that is checked out.
 *
 * @param directory The sources.
 * @returns The commit, with `-dirty` where files differ from it; `undefined` without a
 * repository or git.
 */
export async function findCommit(
  directory: string = ROOT,
): Promise<string | undefined> {
  const given = Deno.env.get("ENTRYPOINT_COMMIT");
  if (given) return given;
  // With --git-dir git does not look for a repository in the directories above.
  const describe = ["git", "--git-dir=.git", "describe", "--always", "--dirty"];
  return await run([...describe, "--abbrev=40", "--exclude=*"], {
    cwd: directory,
  }).then((text) => text.trim(), () => undefined);
}

/**
 * Writes the commit into a bundle. Its length stays, so that the positions in stack traces
 * stay right.
 *
 * @param bundle The text of the bundle.
 * @param commit The commit, if it is known.
 * @returns The text with the commit.
 * @throws {Error} when the bundle has no place for it, or it is not a commit.
 */
export function withCommit(bundle: string, commit: string = COMMIT): string {
  const isValid = /^[\w-]+$/.test(commit) && commit.length <= COMMIT.length;
  if (commit !== COMMIT && !isValid) {
    throw new Error(
      `ENTRYPOINT_COMMIT must be the name of a commit: it is ${commit}`,
    );
  }
  if (!bundle.includes(COMMIT)) {
    throw new Error(`The bundle must contain "${COMMIT}", but does not`);
  }
  return bundle.replaceAll(COMMIT, commit.padEnd(COMMIT.length));
}

async function report(path: string, description: string): Promise<number> {
  const { size, runtime } = await binarySizes(path);
  console.log(
    `${path}: ${size} bytes, ${
      size - runtime
    } more than its runtime, ${description}`,
  );
  if (size - runtime <= SIZE_LIMIT) return 0;
  console.error(
    `${path} is too large: it may have at most ${SIZE_LIMIT} bytes more than its runtime`,
  );
  return 1;
}
