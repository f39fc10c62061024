/**
 * Commands of the image tests: run to their end, with what they printed.
 *
 * @module
 */

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams, for messages that may be in either. */
  readonly text: string;
}

/** How to run a command. */
export interface CommandOptions {
  /** Added to our own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly input?: string;
  /** When it is killed, in milliseconds. */
  readonly patience?: number;
}

/** The process groups of the commands that run now. */
const running = new Set<number>();

/** Ends all commands that run now, with their children: for cleaning up. */
export function endRunning(): void {
  const groups = [...running].map((pid) => `-${pid}`);
  if (groups.length > 0) attemptSync(["kill", "-KILL", "--", ...groups]);
}

/** Runs a command to its end, whatever that is. */
export async function attempt(
  command: readonly string[],
  { environment = {}, directory, input = "", patience = 600_000 }:
    CommandOptions = {},
): Promise<Outcome> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    env: environment,
    ...directory === undefined ? {} : { cwd: directory },
    // Its own process group, which endRunning() ends as a whole.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  running.add(child.pid);
  const overdue = setTimeout(() => child.kill("SIGKILL"), patience);
  const writing = new Blob([input]).stream().pipeTo(child.stdin)
    .catch(() => {}); // a command may end before it has read everything
  const { code, stdout, stderr } = await child.output();
  running.delete(child.pid);
  clearTimeout(overdue);
  await writing;
  return outcome(code, stdout, stderr);
}

/**
 * Runs a command that must succeed, and returns its standard output, trimmed.
 *
 * @throws {Error} with what it printed, when it fails
 */
export async function must(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, text } = await attempt(command, options);
  if (code === 0) return stdout.trim();
  throw new Error(
    `${command.join(" ")} ended with status ${code}:\n${text.slice(-3000)}`,
  );
}

/** Runs a command to its end without giving way to anything else: for cleaning up. */
export function attemptSync(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Outcome {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = new Deno.Command(program, {
    args,
    env: environment,
    // Its own session: a second Ctrl-C must not leave it half done.
    detached: true,
    stdin: "null",
  }).outputSync();
  return outcome(code, stdout, stderr);
}

/** Waits, in milliseconds. */
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
