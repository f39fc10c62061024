/**
 * Temporary directories with processes. When the program ends, even by SIGKILL, the processes
 * are killed and the directory is removed.
 *
 * @module
 */

import { join, resolve } from "node:path";

/** The shell script that waits for the end of the program and cleans up. */
const SCRIPT = join(import.meta.dirname ?? ".", "scratch.sh");

/** Options of {@linkcode createScratch}. */
export interface ScratchOptions {
  /** The start of the directory's name. */
  readonly prefix: string;
  /** The directory to create it in; `TMPDIR` or `/tmp` by default. */
  readonly parent?: string;
}

/** A temporary directory with processes; `await using` kills them and removes it. */
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
    // The script does not keep the program running; it cleans up afterwards.
    shell.unref();
  }

  /**
   * Starts a long-running command in its own session, so that Ctrl-C in the terminal does not
   * reach it. Its standard input is empty.
   */
  async launch(
    command: readonly string[],
    options: Omit<Deno.CommandOptions, "args" | "detached" | "stdin"> = {},
  ): Promise<Deno.ChildProcess> {
    // The command starts when the script knows its id: if the program is killed before, the
    // input ends without a line, and the command does not start.
    const child = new Deno.Command("sh", {
      ...options,
      args: ["-c", 'read -r _ && exec "$@" </dev/null', "sh", ...command],
      detached: true,
      stdin: "piped",
    }).spawn();
    await this.#input.write(new TextEncoder().encode(`${child.pid}\n`));
    // The child may have been killed meanwhile.
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
        text.trim() || "the script that removes it was killed"
      }). Remove it with: rm -rf --one-file-system ${this.path}`,
    );
  }
}

/**
 * Creates a temporary directory with mode 0700.
 *
 * @throws {Error} when it cannot be created
 */
export async function createScratch(
  { prefix, parent = Deno.env.get("TMPDIR") || "/tmp" }: ScratchOptions,
): Promise<ScratchDirectory> {
  const shell = new Deno.Command("sh", {
    args: [SCRIPT, join(resolve(parent), prefix)],
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    // In its own session, signals from the terminal do not reach it.
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
  throw new Error(
    `No directory can be created in ${parent}: ${path}. Set TMPDIR to another directory.`,
  );
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
