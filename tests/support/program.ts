/**
 * Runs the program as a child process, with `deno run` and as the compiled binary.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import {
  cacheDirectory,
  closedParent,
  locked,
} from "../../tools/shared/cache.ts";
import { isRunning, killTree } from "../../tools/shared/process.ts";
import { type Need, testWith } from "./needs.ts";

/** The project's directory. */
export const ROOT = dirname(dirname(import.meta.dirname ?? "."));

/** The value of PATH for the program, independent of the caller's. */
export const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Milliseconds after which a process is killed. */
const TIMEOUT = 60_000;

const BUILT = join(ROOT, "dist/mattermost-entrypoint");

const built = await Deno.stat(BUILT).catch(() => {
  throw new Error(`${BUILT} is missing. Run: deno task compile`);
});

const BINARY = await closedParent(BUILT) === undefined
  ? BUILT
  : await openCopy();

/** A way to run the program. */
export interface Program {
  readonly name: "deno run" | "compiled";
  readonly command: readonly [string, ...string[]];
  /** Variables that this way of running needs, and that the program therefore gets. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Outcome {
  readonly pid: number;
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a process. */
export interface RunOptions {
  /** The environment. `PATH` is added, and `HOME` if it is missing. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** The compiled program. */
export const COMPILED: Program = {
  name: "compiled",
  command: [BINARY],
  env: {},
};

/** The program from its sources, with the permissions of the compiled one. */
export const INTERPRETED: Program = await interpreted();

/** Both ways to run the program. */
export const PROGRAMS: readonly Program[] = [INTERPRETED, COMPILED];

/** A running process. */
export class Running {
  readonly pid: number;
  /** Resolves when it ends. */
  readonly outcome: Promise<Outcome>;
  readonly #child: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  #stdout = "";
  #stderr = "";

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    this.outcome = this.#end();
  }

  /** Its output so far. */
  get text(): string {
    return this.#stdout + this.#stderr;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /**
   * Waits until its output matches.
   *
   * @throws {Error} with its output, when it ends before
   */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    let ended = false;
    this.outcome.then(() => ended = true);
    while (true) {
      const found = pattern.exec(this.#stderr) ?? pattern.exec(this.#stdout);
      if (found !== null) return found;
      if (ended) {
        throw new Error(
          `The process ended without ${pattern} in its output:\n${this.text}`,
        );
      }
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.add(resolve)),
        this.outcome,
      ]);
    }
  }

  async #end(): Promise<Outcome> {
    const overdue = setTimeout(() => killTree(this.pid), TIMEOUT);
    const [{ code, signal }] = await Promise.all([
      this.#child.status,
      this.#read(this.#child.stdout, (text) => this.#stdout += text),
      this.#read(this.#child.stderr, (text) => this.#stderr += text),
    ]);
    clearTimeout(overdue);
    return {
      pid: this.pid,
      code,
      signal,
      stdout: this.#stdout,
      stderr: this.#stderr,
    };
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    add: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#waiting.forEach((resolve) => resolve());
      this.#waiting.clear();
    }
  }
}

/**
 * Starts a command with a new environment.
 *
 * @param command The program and its arguments.
 * @param options Environment, directory, input and user.
 * @returns The process.
 */
export function launch(
  command: readonly string[],
  { env = {}, input, ...options }: RunOptions = {},
): Running {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { PATH, HOME: "/", ...env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    // Another user may not have access to the working directory of the tests.
    ...options.uid === undefined ? {} : { cwd: "/" },
    ...options,
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    writer.write(new TextEncoder().encode(input))
      .then(() => writer.close()).catch(() => {});
  }
  return new Running(child);
}

/** Starts the program. */
export function start(
  program: Program,
  args: readonly string[],
  options: RunOptions = {},
): Running {
  return launch([...program.command, ...args], {
    ...options,
    env: { ...program.env, ...options.env },
  });
}

/** Runs the program and waits for its end. */
export async function runProgram(
  program: Program,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return await start(program, args, options).outcome;
}

/** Registers a test twice, for both ways to run the program. */
export function testPrograms(
  name: string,
  body: (program: Program) => void | Promise<void>,
  needs: readonly Need[] = [],
): void {
  for (const program of PROGRAMS) {
    testWith(needs, `${program.name}: ${name}`, () => body(program));
  }
}

/** Fails if the process is running. */
export function assertGone(pid: number): void {
  assert.ok(!isRunning(pid), `process ${pid} is still running`);
}

/** Fails if the output has a stack trace, the word bug, or a secret. */
export function assertClean(
  { stdout, stderr }: Outcome,
  secrets: readonly string[] = [],
): void {
  for (const text of [stdout, stderr]) {
    assert.doesNotMatch(text, /^\s+at |\bbug\b|Uncaught|panicked/m);
    for (const secret of secrets) {
      assert.ok(
        !text.includes(secret),
        `the output contains a secret:\n${text}`,
      );
    }
  }
}

/** Makes a copy for tests that run as other users, who have no access to a checkout in `/root`. */
async function openCopy(): Promise<string> {
  const copy = join(await cacheDirectory(), "tested-program");
  await locked("tested-program", async () => {
    const last = await Deno.stat(copy).catch(() => undefined);
    if (last?.mtime?.getTime() === built.mtime?.getTime()) return;
    const draft = `${copy}.draft`;
    await Deno.copyFile(BUILT, draft);
    await Deno.chmod(draft, 0o755);
    await Deno.utime(draft, built.atime ?? 0, built.mtime ?? 0);
    await Deno.rename(draft, copy);
  });
  return copy;
}

/** Makes a directory that the server's user can write; its files are moved to the given one at the end. */
async function openToAll(directory: string): Promise<string> {
  const path = await Deno.makeTempDir({ prefix: "entrypoint-coverage-" });
  await Deno.chmod(path, 0o777);
  globalThis.addEventListener("unload", () => {
    Deno.mkdirSync(directory, { recursive: true });
    for (const { name } of Deno.readDirSync(path)) {
      Deno.copyFileSync(join(path, name), join(directory, name));
    }
    Deno.removeSync(path, { recursive: true });
  });
  return path;
}

async function interpreted(): Promise<Program> {
  const config = join(ROOT, "deno.json");
  // When the tests collect coverage, the program collects its own, too.
  const coverage = Deno.env.get("DENO_COVERAGE_DIR");
  const profiles = coverage && await openToAll(coverage);
  const { compile: { permissions } } = JSON.parse(
    await Deno.readTextFile(config),
  );
  const flags = Object.entries(permissions).map(([name, value]) =>
    value === true ? `--allow-${name}` : `--allow-${name}=${value}`
  );
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  return {
    name: "deno run",
    command: [
      ...[Deno.execPath(), "run", "--quiet", "--no-prompt"] as const,
      ...["--config", config, ...flags, join(ROOT, "main.ts")],
    ],
    env: {
      DENO_DIR: denoDir,
      ...(profiles === undefined ? {} : { DENO_COVERAGE_DIR: profiles }),
    },
  };
}
