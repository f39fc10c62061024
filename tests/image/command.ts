/**
 * Runs commands for the image tests, and returns their output.
 *
 * @module
 */

/** The result of a command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams. */
  readonly text: string;
}

/** How to run a command. */
export interface CommandOptions {
  /** Variables to add to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly input?: string;
  /** The time after which it is killed, in milliseconds. */
  readonly timeout?: number;
}

/** The process groups of running commands. */
const running = new Set<number>();

/** Kills all running commands with their children. */
export function endRunning(): void {
  const groups = [...running].map((pid) => `-${pid}`);
  if (groups.length > 0) attemptSync(["kill", "-KILL", "--", ...groups]);
}

/** Runs a command, which may fail. */
export async function attempt(
  command: readonly string[],
  { environment = {}, directory, input = "", timeout = 600_000 }:
    CommandOptions = {},
): Promise<Outcome> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    env: environment,
    ...directory === undefined ? {} : { cwd: directory },
    // Its own process group, which endRunning() kills.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  running.add(child.pid);
  const overdue = setTimeout(() => child.kill("SIGKILL"), timeout);
  const writing = new Blob([input]).stream().pipeTo(child.stdin)
    .catch(() => {}); // A command may end before it has read everything.
  const { code, stdout, stderr } = await child.output();
  running.delete(child.pid);
  clearTimeout(overdue);
  await writing;
  return outcome(code, stdout, stderr);
}

/**
 * Runs a command that must succeed.
 *
 * @returns its standard output without surrounding whitespace
 * @throws {Error} with its output, when it fails
 */
export async function must(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, text } = await attempt(command, options);
  if (code === 0) return stdout.trim();
  throw new Error(
    `${command.join(" ")} ended with code ${code}:\n${text.slice(-3000)}`,
  );
}

/** Runs a command synchronously, to clean up. */
export function attemptSync(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Outcome {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = new Deno.Command(program, {
    args,
    env: environment,
    // Its own session, so that a second Ctrl-C does not interrupt it.
    detached: true,
    stdin: "null",
  }).outputSync();
  return outcome(code, stdout, stderr);
}

/** Waits for some milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function outcome(
  code: number,
  standard: Uint8Array,
  error: Uint8Array,
): Outcome {
  const stdout = new TextDecoder().decode(standard);
  const stderr = new TextDecoder().decode(error);
  return { code, stdout, stderr, text: stderr + stdout };
}
