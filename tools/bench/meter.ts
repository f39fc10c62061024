/**
 * Measures one run of a program as the kernel counts it, through Perl, which
 * every Debian has: neither Deno nor a shell tells the peak memory of a child.
 *
 * @module
 */

import { run } from "../shared/process.ts";

/** What one run took. */
export interface Reading {
  /** From the fork to the end, in milliseconds. */
  readonly wall: number;
  /** Processor time in the program, in milliseconds. */
  readonly user: number;
  /** Processor time in the kernel, in milliseconds. */
  readonly system: number;
  /** The most memory that was resident, in bytes; what it executes counts too. */
  readonly peak: number;
  /** When it was started: milliseconds since the epoch. */
  readonly started: number;
  /** What it wrote to standard error. */
  readonly messages: string;
}

/** A program to run. */
export interface Job {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Numbers of `wait4` and `clock_gettime`, which core Perl has no names for. */
const CALLS: Readonly<Record<string, readonly [number, number]>> = {
  x86_64: [61, 228],
  aarch64: [260, 113],
};

/** The measured program's standard error becomes ours; its other streams are empty. */
const SCRIPT = `
my ($wait4, $gettime) = splice @ARGV, 0, 2;
sub now {
  my $time = pack 'q2', 0, 0;
  syscall $gettime, $_[0] + 0, $time;
  my ($seconds, $nanoseconds) = unpack 'q2', $time;
  return $seconds * 1e3 + $nanoseconds / 1e6;
}
my $epoch = now(0);
my $start = now(1);
my $pid = fork;
if (!$pid) {
  open STDIN, '<', '/dev/null';
  open STDOUT, '>', '/dev/null';
  alarm 30; # outlives the exec, and ends what hangs
  exec { $ARGV[0] } @ARGV or exit 127;
}
my $status = pack 'i', 0;
my $usage = pack 'q18', (0) x 18;
syscall $wait4 + 0, $pid, $status, 0, $usage;
my $wall = now(1) - $start;
my ($us, $uu, $ss, $su, $peak) = unpack 'q5', $usage;
my $code = unpack 'i', $status;
printf '[%.3f,%.3f,%.3f,%d,%.3f,%d]',
  $wall, $us * 1e3 + $uu / 1e3, $ss * 1e3 + $su / 1e3, $peak * 1024, $epoch, $code;
`;

/**
 * Runs a program once and measures it; after 30 seconds it is killed.
 *
 * @param job The program.
 * @returns What it took.
 * @throws {Error} with what it said, when it ends with another code than 0
 */
export async function measure({ command, env }: Job): Promise<Reading> {
  const calls = CALLS[Deno.build.arch];
  if (calls === undefined) {
    throw new Error(`Cannot measure on ${Deno.build.arch}`);
  }
  const { stdout, stderr } = await new Deno.Command("perl", {
    args: ["-e", SCRIPT, ...calls.map(String), ...command],
    env: { ...env },
    clearEnv: true,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const messages = decoder.decode(stderr);
  const [wall, user, system, peak, started, status] = JSON.parse(
    decoder.decode(stdout) || "[]",
  );
  if (status !== 0) {
    throw new Error(`${command.join(" ")} failed (${status}): ${messages}`);
  }
  return { wall, user, system, peak, started, messages };
}

/**
 * Finds out why nothing can be measured here.
 *
 * @returns The reason; nothing when all is well.
 */
export async function meterTrouble(): Promise<string | undefined> {
  return await run(["perl", "-v"]).then(
    () => undefined,
    () => "Perl is not there, which counts time and memory",
  );
}
