/**
 * Temporary directories that do not outlive the program, nor do the processes
 * that were started for them, even if the program is killed with SIGKILL.
 *
 * @module
 */

import { join, resolve } from "node:path";

/** The shell script that waits for the end of the program. */
const SCRIPT = join(import.meta.dirname ?? ".", "scratch.sh");

/** What {@linkcode createScratch} takes. */
export interface ScratchOptions {
  /** How the directory's name begins. */
  readonly prefix: string;
  /** Where to make it; `TMPDIR`, or `/tmp`, when not given. */
  readonly parent?: string;
}

/** A temporary directory with processes; `await using` ends them and removes it. */
export class ScratchDirectory implements AsyncDisposable {
  readonly path: string;
  readonly #shell: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #removal: Promise<void> | undefined;

  constructor(
    path: string,
    shell: Deno.ChildProcess,
    output: ReadableStreamDefaultReader<string>,
  ) {
    this.path = path;
    this.#shell = shell;
    this.#input = shell.stdin.getWriter();
    this.#output = output;
    // A program that forgets the directory may end, and then it is removed.
    shell.unref();
  }

  /**
   * Starts a long-running command in a session of its own, so that Ctrl-C in the
   * terminal does not reach it. It has no input.
   */
  async launch(
    command: readonly string[],
    options: Omit<Deno.CommandOptions, "args" | "detached" | "stdin"> = {},
  ): Promise<Deno.ChildProcess> {
    // The command starts once its id is known to the script: if the program is
    // killed before, the input ends without a line, and nothing starts.
    const child = new Deno.Command("sh", {
      ...options,
      args: ["-c", 'read -r _ && exec "$@" </dev/null', "sh", ...command],
      detached: true,
      stdin: "piped",
    }).spawn();
    await this.#input.write(new TextEncoder().encode(`${child.pid}\n`));
    // A child that was killed meanwhile does not read.
    await new Blob(["\n"]).stream().pipeTo(child.stdin).catch(() => {});
    return child;
  }

  /**
   * Kills the processes, with their children, and removes the directory.
   *
   * @throws {Error} when the directory cannot be removed
   */
  remove(): Promise<void> {
    return this.#removal ??= this.#remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  async #remove(): Promise<void> {
    this.#shell.ref();
    await this.#input.close().catch(() => {}); // the script was killed
    const text = await readUntil(this.#output, () => false);
    const { success } = await this.#shell.status;
    if (success) return;
    throw new Error(
      `${this.path} could not be removed (${
        text.trim() || "the script for that was killed"
      }). Remove it with: rm -rf --one-file-system ${this.path}`,
    );
  }
}

/**
 * Makes a temporary directory that only the caller's user can enter.
 *
 * @throws {Error} when it cannot be made
 */
export async function createScratch(
  { prefix, parent = Deno.env.get("TMPDIR") || "/tmp" }: ScratchOptions,
): Promise<ScratchDirectory> {
  const shell = new Deno.Command("sh", {
    args: [SCRIPT, join(resolve(parent), prefix)],
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    // Its own session: what the terminal sends to the program does not reach it.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = shell.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const text = await readUntil(output, (text) => text.endsWith("\n"));
  const path = text.trimEnd();
  if (path.startsWith("/")) return new ScratchDirectory(path, shell, output);
  await shell.stdin.close();
  await readUntil(output, () => false);
  await shell.status;
  throw new Error(`No directory can be made in ${parent}: ${path}`);
}

async function readUntil(
  reader: ReadableStreamDefaultReader<string>,
  isEnough: (text: string) => boolean,
): Promise<string> {
  let text = "";
  while (!isEnough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  return text;
}
