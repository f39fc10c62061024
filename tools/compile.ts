/**
 * Makes the one binary: bundles the program into one script, tries it out for its
 * code caches, and compiles both with a small module that loads them.
 *
 * The bundle keeps only what is used of npm, a fifth of the size of the packages
 * as they are. The permissions are those of `compile.permissions` in deno.json,
 * and nothing is ever asked.
 *
 *     deno task compile [--output FILE] [--config deno.json] [--entry FILE]
 *
 * `--entry` compiles another program, as it is.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  asScript,
  cachePath,
  CACHES,
  PACKAGES,
  REHEARSALS,
  scriptPath,
} from "./compile/embedded.ts";
import { REPLACEMENTS } from "./compile/replacements.ts";
import { elfSize, fetchToolchain } from "./denort.ts";
import { cacheDirectory, locked } from "./servers/cache.ts";
import { guard } from "./servers/process.ts";
import { createScratch } from "./servers/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
const SOURCES = join(ROOT, "tools/compile");
/** The promise of the project: this much over the bare runtime, in bytes. */
const SIZE_LIMIT = 1_500_000;
/** How long it is remembered that the vendor's site did not answer, in milliseconds. */
const MEMORY = 24 * 60 * 60 * 1000;
/** How long the running Deno may try before npm's has its turn, in milliseconds. */
const PATIENCE = 3 * 60 * 1000;
/** The keys of a permission set whose values are paths. */
const PATH_KEYS = ["read", "write", "ffi"] as const;

/**
 * How V8 runs a program that is over before any of it is warm: without compilers
 * for what runs often, without threads to help, and with room for young objects
 * (in MB) that outlasts it. A code cache fits only the flags that it was made with.
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
  /** The deno.json with the permissions. */
  readonly config: string;
  /** A directory of our own. */
  readonly staging: string;
}

/** What goes into a binary. */
interface Parts {
  /** The first module, bundled. */
  readonly entry: string;
  /** Files that it reads. */
  readonly files?: readonly string[];
  /** The permissions, as options. */
  readonly permissions: readonly string[];
}

interface Compilation extends RunOptions {
  readonly output: string;
  readonly parts: Parts;
}

interface RunOptions {
  /** Variables to add to the environment. */
  readonly env?: Record<string, string>;
  /** Ends the program. */
  readonly signal?: AbortSignal;
}

/** Ends the child process that is running when this program is interrupted. */
const interrupt = new AbortController();

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
  const unguard = guard(() => interrupt.abort());
  await using scratch = await createScratch({
    prefix: "mattermost-entrypoint-",
  });
  const staging = scratch.path;
  try {
    const job: Job = {
      output: resolve(values.output),
      config: resolve(values.config),
      staging,
    };
    await Deno.chmod(staging, 0o755);
    await Deno.mkdir(dirname(job.output), { recursive: true });
    const config = join(staging, "deno.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify(stagedConfig(await readJson(job.config))),
    );
    const parts = values.entry === undefined
      ? await prepareProgram(job)
      : await prepareOther(job, resolve(values.entry));
    await compile(job.output, {
      ...parts,
      permissions: ["--config", config, "-P"],
    });
    return await report(job.output);
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error];
    for (const { message } of errors) console.error(message);
    return 1;
  } finally {
    unguard();
  }
}

async function prepareOther(
  { staging, config }: Job,
  entry: string,
): Promise<Omit<Parts, "permissions">> {
  const bundled = join(staging, "main.js");
  await check(config, entry);
  await bundle(config, { entry, output: bundled });
  return { entry: bundled };
}

async function prepareProgram(
  { staging, config, output }: Job,
): Promise<Omit<Parts, "permissions">> {
  const entry = join(staging, "start.js");
  const warmUp = join(staging, "warm_up.js");
  const program = scriptPath(staging, "program");
  const packages = Object.values(PACKAGES).map((name) => ({
    source: join(SOURCES, `${name}_package.ts`),
    script: scriptPath(staging, name),
  }));
  const asModule = [
    "--format=cjs",
    ...Object.keys(REPLACEMENTS).map((name) => `--external=${name}`),
  ];
  await check(config, join(ROOT, "main.ts"), join(SOURCES, "start.ts"));
  await bundle(
    config,
    { entry: join(SOURCES, "start.ts"), output: entry },
    { entry: join(SOURCES, "warm_up.ts"), output: warmUp },
    ...packages.map(({ source, script }) => ({
      entry: source,
      output: script,
      options: asModule,
    })),
    {
      entry: join(ROOT, "lib/program.ts"),
      output: program,
      options: [
        ...asModule,
        ...Object.keys(PACKAGES).map((name) => `--external=${name}`),
        "--sourcemap=external",
      ],
    },
  );
  const scripts = [program, ...packages.map(({ script }) => script)];
  for (const script of scripts) {
    const text = await Deno.readTextFile(script);
    await Deno.writeTextFile(script, asScript(text));
  }
  // For stack traces.
  await Deno.copyFile(`${program}.map`, `${output}.map`);
  const trial = join(staging, "warm_up");
  await compile(trial, { entry: warmUp, permissions: ["--allow-all"] });
  for (const rehearsal of REHEARSALS) {
    await run(trial, ["try", rehearsal, staging]);
    await run(trial, ["check", rehearsal, staging]);
  }
  const caches = CACHES.map((name) => cachePath(staging, name));
  return { entry, files: [...scripts, ...caches] };
}

async function check(config: string, ...modules: string[]): Promise<void> {
  await run(Deno.execPath(), [
    "check",
    "--quiet",
    "--config",
    config,
    ...modules,
  ]);
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
async function bundle(config: string, ...bundles: Bundle[]): Promise<void> {
  await locked("bundler", async () => {
    for (const { entry, output, options = [] } of bundles) {
      await run(Deno.execPath(), [
        ...["bundle", "--quiet", "--config", config, "--platform=deno"],
        ...["--minify", ...options, "--output", output, entry],
      ]);
    }
  });
}

/**
 * Reduces a deno.json to the permissions, which both Denos understand.
 *
 * @param config The content of deno.json.
 * @returns The config for the bundle, which needs no imports and no lock.
 * @throws {Error} when there is no permission set, or it holds a relative path:
 * that would be baked in as a path of the machine that compiles.
 */
export function stagedConfig(config: DenoConfig): DenoConfig {
  const named = config.compile?.permissions;
  const set = typeof named === "string" ? config.permissions?.[named] : named;
  if (set === undefined) {
    throw new Error("Cannot compile: deno.json has no compile.permissions");
  }
  const relative = PATH_KEYS.flatMap((key) => pathsOf(set[key]))
    .filter((path) => !isAbsolute(path));
  if (relative.length > 0) {
    throw new Error(
      `Cannot compile: paths in compile.permissions must be absolute: ${
        relative.join(", ")
      }`,
    );
  }
  return { compile: { permissions: set } };
}

/** The part of deno.json that concerns us. */
export interface DenoConfig {
  /** Permission sets by name. */
  readonly permissions?: Readonly<Record<string, PermissionSet>>;
  /** Settings of `deno compile`. */
  readonly compile?: { readonly permissions?: string | PermissionSet };
}

/** What a permission set allows, by kind. */
export type PermissionSet = Readonly<Record<string, unknown>>;

function pathsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((part) => pathsOf(part));
}

/** The running Deno compiles if it gets its runtime; else the one from npm does. */
async function compile(output: string, parts: Parts): Promise<void> {
  const memory = join(
    await cacheDirectory(),
    `no-runtime-for-${Deno.version.deno}`,
  );
  let refusal: unknown;
  if (!await isFresh(memory)) {
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      return await compileWith(Deno.execPath(), { output, parts, signal });
    } catch (error) {
      refusal = error;
    }
  }
  const { deno, denort } = await fetchToolchain();
  try {
    await compileWith(deno, { output, parts, env: { DENORT_BIN: denort } });
  } catch (error) {
    throw new AggregateError(
      refusal === undefined ? [error] : [refusal, error],
      "Cannot compile with any Deno",
    );
  }
  // Only now is it sure that the first refusal was not about the program.
  if (refusal !== undefined) await Deno.writeTextFile(memory, "");
}

async function compileWith(
  deno: string,
  { output, parts, env = {}, ...options }: Compilation,
): Promise<void> {
  const { entry, files = [], permissions } = parts;
  await run(deno, [
    ...["compile", "--quiet", ...permissions],
    // Deno's own code cache would be a file with a foreseeable name in /tmp.
    ...["--no-lock", "--no-check", "--no-code-cache", "--no-prompt"],
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...files.map((file) => `--include=${file}`),
    ...["--output", output, entry],
  ], {
    // Behind a proxy that re-signs, the system knows the certificate, Deno's own list does not.
    env: { DENO_TLS_CA_STORE: "system", NO_COLOR: "1", ...env },
    ...options,
  });
}

async function report(path: string): Promise<number> {
  using file = await Deno.open(path);
  const header = new Uint8Array(64);
  await file.read(header);
  const { size } = await file.stat();
  const stub = elfSize(header);
  const difference = size - stub;
  console.log(`size ${size}, stub ${stub}, difference ${difference}  ${path}`);
  if (difference <= SIZE_LIMIT) return 0;
  console.error(
    `Too large: the difference must be at most ${SIZE_LIMIT} bytes`,
  );
  return 1;
}

async function readJson(path: string): Promise<DenoConfig> {
  return JSON.parse(await Deno.readTextFile(path));
}

async function isFresh(path: string): Promise<boolean> {
  try {
    const { mtime } = await Deno.stat(path);
    return mtime !== null && Date.now() - mtime.getTime() < MEMORY;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function run(
  program: string,
  args: string[],
  options: RunOptions = {},
): Promise<void> {
  const { signal = interrupt.signal } = options;
  const { code, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    ...options,
    signal: AbortSignal.any([signal, interrupt.signal]),
  }).output();
  if (code === 0) return;
  throw new Error(
    `Cannot run ${basename(program)} ${args[0]}: ${
      new TextDecoder().decode(stderr).trim()
    }`,
  );
}
