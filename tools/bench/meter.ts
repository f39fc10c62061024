/**
 * Measures one run of a program with wait4(2). It uses Perl, which every Debian has, because
 * neither Deno nor a shell returns the peak memory of a child process.
 *
 * @module
 */

import { run } from "../shared/process.ts";

/** The measurement of one run. */
export interface Reading {
  /** Time from fork to exit, in milliseconds. */
  readonly wall: number;
  /** Processor time in user mode, in milliseconds. */
  readonly user: number;
  /** Processor time in kernel mode, in milliseconds. */
  readonly system: number;
  /** Peak resident memory in bytes, of the program and of the one that it executes. */
  readonly peak: number;
  /** Start time, in milliseconds since the epoch. */
  readonly started: number;
  /** Its standard error. */
  readonly messages: string;
}

/** A program to run. */
export interface Job {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it starts as the user that measures, root, and not as {@linkcode IMAGE_USER}. */
  readonly isRoot?: boolean;
}

/** The system call numbers of `wait4` and `clock_gettime`, which core Perl does not have. */
const CALLS: Readonly<Record<string, readonly [number, number]>> = {
  x86_64: [61, 228],
  aarch64: [260, 113],
};

/** The user that the image starts as. Only root can measure as this user; others measure as themselves. */
export const IMAGE_USER = Deno.uid() === 0
  ? { uid: 2000, gid: 2000 }
  : undefined;

/** The program inherits standard error; its other streams are /dev/null. */
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
  alarm 30; # stays set after the exec, and kills a program that hangs
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
 * Runs a program once and measures it. After 30 seconds it is killed.
 *
 * @param job The program and its environment.
 * @returns The measurement.
 * @throws {Error} with its standard error, when its exit code is not 0
 */
export async function measure(
  { command, env, isRoot = false }: Job,
): Promise<Reading> {
  const calls = CALLS[Deno.build.arch];
  if (calls === undefined) {
    throw new Error(
      `The benchmark runs on ${
        Object.keys(CALLS).join(" and ")
      } only, not on ${Deno.build.arch}`,
    );
  }
  const { stdout, stderr } = await new Deno.Command("perl", {
    args: ["-e", SCRIPT, ...calls.map(String), ...command],
    env: { ...env },
    clearEnv: true,
    stdin: "null",
    cwd: "/",
    ...(isRoot ? {} : IMAGE_USER),
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
 * Checks whether this machine can measure.
 *
 * @returns The reason if it cannot.
 */
export async function meterProblem(): Promise<string | undefined> {
  return await run(["perl", "-v"]).then(
    () => undefined,
    () =>
      "The benchmark needs Perl to measure time and memory. Run: apt-get install perl-base",
  );
}
