/**
 * Makes the one binary: bundles the program and its packages into scripts, makes their code
 * caches in a profiling run, and compiles both with a small module that loads them.
 *
 * The permissions are those of `compile.permissions` in deno.json, and the program never
 * asks for more.
 *
 *     deno task compile [--output FILE] [--config deno.json] [--entry FILE]
 *
 * `--entry` compiles another program, as it is.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFacts, withBuildFacts } from "./compile/build_facts.ts";
import {
  asScript,
  PACKAGE_EXPORT,
  PACKAGES,
  PROGRAM,
  scriptPath,
} from "./compile/scripts.ts";
import { compileProgram, elfSize, runDeno } from "./denort.ts";
import { locked } from "./shared/cache.ts";
import { guard } from "./shared/process.ts";
import { createScratch } from "./shared/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
const SOURCES = join(ROOT, "tools/compile");
/** How much larger than the bare runtime the binary may be, in bytes. */
const SIZE_LIMIT = 3_000_000;

/**
 * How V8 runs a program that is over before any of it is warm: without compilers for what
 * runs often, without threads to help, and with room for young objects (in MB) that outlasts
 * it. A start takes 10 % longer without. A code cache fits only the flags that it was made with.
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
  /** The deno.json with the permissions and the packages. */
  readonly config: string;
  /** A directory of our own. */
  readonly staging: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** What goes into a binary. */
interface Parts {
  /** The first module, bundled. */
  readonly entry: string;
  /** Files that it reads. */
  readonly files?: readonly string[];
}

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
  const interrupt = new AbortController();
  const unguard = guard(() => interrupt.abort());
  await using scratch = await createScratch({
    prefix: "mattermost-entrypoint-",
  });
  try {
    await Deno.chmod(scratch.path, 0o755);
    const job: Job = {
      output: resolve(values.output),
      config: resolve(values.config),
      staging: scratch.path,
      signal: interrupt.signal,
    };
    await Deno.mkdir(dirname(job.output), { recursive: true });
    const parts = values.entry === undefined
      ? await prepareProgram(job)
      : await prepareOther(job, resolve(values.entry));
    const config = join(job.staging, "deno.json");
    const staged = stagedConfig(
      JSON.parse(await Deno.readTextFile(job.config)),
    );
    await Deno.writeTextFile(config, JSON.stringify(staged));
    const permissions = ["--config", config, "-P"];
    const runtime = await compile(job, job.output, parts, permissions);
    return await report(job.output, runtime);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    unguard();
  }
}

async function prepareOther(job: Job, entry: string): Promise<Parts> {
  const output = join(job.staging, "main.js");
  await bundle(job, { entry, output });
  return { entry: output };
}

async function prepareProgram(job: Job): Promise<Parts> {
  const { staging, output } = job;
  const entry = join(staging, "start.js");
  const profile = join(staging, "profile.js");
  const program = scriptPath(staging, PROGRAM);
  const packages = PACKAGES.map((name) => scriptPath(staging, name));
  for (const [index, script] of packages.entries()) {
    await Deno.writeTextFile(
      `${script}.ts`,
      `import ${PACKAGE_EXPORT} from "${
        PACKAGES[index]
      }"; export { ${PACKAGE_EXPORT} };`,
    );
  }
  const externals = PACKAGES.map((name) => `--external=${name}`);
  await bundle(
    job,
    { entry: join(SOURCES, "start.ts"), output: entry },
    { entry: join(SOURCES, "profile.ts"), output: profile },
    {
      entry: join(ROOT, "lib/program.ts"),
      output: program,
      options: ["--format=cjs", "--sourcemap=external", ...externals],
    },
    ...packages.map((script) => ({
      entry: `${script}.ts`,
      output: script,
      options: ["--format=cjs"],
    })),
  );
  const text = await Deno.readTextFile(program);
  await Deno.writeTextFile(
    program,
    withBuildFacts(text, await buildFacts(ROOT)),
  );
  // For stack traces.
  await Deno.copyFile(`${program}.map`, `${output}.map`);
  const scripts = [program, ...packages];
  for (const script of scripts) {
    await Deno.writeTextFile(script, asScript(await Deno.readTextFile(script)));
  }
  const profiler = join(staging, "profile");
  await compile(job, profiler, { entry: profile }, ["--allow-all"]);
  await runDeno(profiler, [staging], job);
  const caches = scripts.map((script) => `${script}.cache`).filter(existsSync);
  return { entry, files: [...scripts, ...caches] };
}

interface Bundle {
  /** The first module. */
  readonly entry: string;
  /** The script to write. */
  readonly output: string;
  /** More options. */
  readonly options?: readonly string[];
}

/**
 * One bundle after the other, and one program that makes them on this machine: the first
 * `deno bundle` downloads esbuild into Deno's cache, and fails with "failed to copy
 * esbuild binary" where another is doing the same.
 */
async function bundle(job: Job, ...bundles: Bundle[]): Promise<void> {
  await locked("bundler", async () => {
    for (const { entry, output, options = [] } of bundles) {
      await runDeno(Deno.execPath(), [
        ...["bundle", "--quiet", "--config", job.config, "--platform=deno"],
        ...["--minify", ...options, "--output", output, entry],
      ], job);
    }
  });
}

async function compile(
  job: Job,
  output: string,
  { entry, files = [] }: Parts,
  permissions: readonly string[],
): Promise<string> {
  return await compileProgram([
    ...permissions,
    // Deno's own code cache would be a file with a foreseeable name in /tmp.
    ...["--no-lock", "--no-check", "--no-code-cache", "--no-prompt"],
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...files.map((file) => `--include=${file}`),
    ...["--output", output, entry],
  ], job);
}

/** The part of deno.json that concerns us. */
interface DenoConfig {
  /** Settings of `deno compile`. */
  readonly compile?: { readonly permissions?: unknown };
}

/**
 * Reduces a deno.json to the permissions of the binary, which all Denos understand.
 *
 * @param config The content of deno.json.
 * @returns The config for `deno compile`.
 * @throws {Error} Where it has no `compile.permissions`.
 */
export function stagedConfig({ compile }: DenoConfig): DenoConfig {
  const permissions = compile?.permissions;
  if (typeof permissions !== "object" || permissions === null) {
    throw new Error("Cannot compile: deno.json has no compile.permissions");
  }
  return { compile: { permissions } };
}

async function report(path: string, name: string): Promise<number> {
  using file = await Deno.open(path);
  const header = new Uint8Array(64);
  await file.read(header);
  const { size } = await file.stat();
  const runtime = elfSize(header);
  console.log(
    `${path}: ${size} bytes, ${size - runtime} more than its runtime, ${name}`,
  );
  if (size - runtime <= SIZE_LIMIT) return 0;
  console.error(
    `The binary is too large: it may have ${SIZE_LIMIT} bytes more than the runtime`,
  );
  return 1;
}
