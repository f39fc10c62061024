/**
 * Finds out which release of the server is installed.
 *
 * The image states it in `MATTERMOST_VERSION`. From 5.28 on the server reports it without a
 * database; older ones would migrate the database, so what the image states counts.
 *
 * @module
 */

import { DEFAULT_RELEASE } from "../default_release.ts";
import { EntrypointError, ExitCode, trySystemCall } from "../errors.ts";
import { explainSystemError } from "../system_errors.ts";
import type { Files, Identity, Observation, System } from "../os/system.ts";
import {
  formatVersion,
  parseVersion,
  type Version,
  versionDifference,
} from "../release_range.ts";
import type { Release } from "./releases.ts";
import { releaseFacts } from "./releases.ts";

/** The installed server, and how to run it. */
export interface Installation {
  /** `MATTERMOST_VERSION`; `undefined` if it is not set. */
  readonly configuredVersion: string | undefined;
  /** The directory of the installed server. */
  readonly home: string;
  /** The user that runs the server; by default that of this process. */
  readonly identity?: Identity;
}

/** The parts of the system that this module uses. */
export type InstallationSystem = Pick<System, "files" | "watchChild" | "clock">;

/** The server's program from 5.0 on. It has the command `version`. */
const PROGRAM = "bin/mattermost";

/** The server's program before 5.0. The packages of 5.0 to 5.36 contain another one of that name. */
const OLD_PROGRAM = "bin/platform";

/** Linux's link to the executable of the running process: proc_pid_exe(5). */
const SELF = "/proc/self/exe";

/** Milliseconds after which a server that does not answer is killed. */
const TIMEOUT = 10_000;

/** A database that cannot be reached, for a server that connects to it before it answers. */
const NO_DATABASE = {
  MM_SQLSETTINGS_DRIVERNAME: "postgres",
  MM_SQLSETTINGS_DATASOURCE: "postgres://127.0.0.1:1/none?connect_timeout=1",
};

/** The lines of the command `version`. The second one ends what is needed. */
const VERSION_REGEXP = /^Version:\s*(\S+)/;
const BUILD_REGEXP = /^Build Number:\s*(\S*)/;

/** The line of a start, up to 3.x before the server connects to its database. */
const START_REGEXP = /Current version is (\S+) \(([^/)]*)/;

/** What a server logs before it connects to its database. */
const CONNECTING_REGEXP = /Pinging SQL|Failed to ping DB/;

/** The release that a server has reported. */
interface Reported {
  readonly version: Version;
  /** Whether the last number counts. Many servers say 5.37.0 for 5.37.10. */
  readonly hasPatch: boolean;
}

/**
 * What the server says about its release: `release`, `too old` if it cannot say it without its
 * database, or `silent` if it should have answered and did not.
 */
type Answer =
  | { readonly kind: "release"; readonly reported: Reported }
  | {
    readonly kind: "too old" | "silent";
    /** A clause about why it cannot be executed. */
    readonly fault?: string;
  };

/**
 * Finds the program of the installed server.
 *
 * @param home The directory of the server.
 * @param files The file system.
 * @returns The path; `undefined` if there is none, or only this program under that name.
 */
export function installedProgram(
  home: string,
  files: Pick<Files, "stat" | "realPath" | "readLink">,
): string | undefined {
  return [PROGRAM, OLD_PROGRAM].map((name) => `${home}/${name}`)
    .find((path) => isServer(path, files));
}

function isServer(
  path: string,
  files: Pick<Files, "stat" | "realPath" | "readLink">,
): boolean {
  return trySystemCall(() => files.stat(path)?.isFile) === true &&
    !isSelf(path, files);
}

/** Whether a path leads to this program, which would execute itself for ever. */
function isSelf(
  path: string,
  files: Pick<Files, "realPath" | "readLink">,
): boolean {
  try {
    return files.realPath(path) === files.readLink(SELF);
  } catch {
    // Without /proc, or the permission of `deno run` to read it, the two cannot be compared.
    return false;
  }
}

/**
 * Finds out which release is installed: that of `MATTERMOST_VERSION`, or else the one that
 * the server reports.
 *
 * @param installation The installed server.
 * @param system Files and child processes.
 * @returns The facts about the release.
 * @throws {EntrypointError} With code 78 if the release is unknown or not supported.
 */
export async function findRelease(
  installation: Installation,
  system: InstallationSystem,
): Promise<Release> {
  const { configuredVersion, home } = installation;
  if (configuredVersion !== undefined) return releaseFacts(configuredVersion);
  const program = installedProgram(home, system.files);
  const answer = program === undefined
    ? undefined
    : await askRelease(program, installation, system);
  if (answer?.kind === "release") {
    return releaseFacts(formatVersion(answer.reported.version));
  }
  const why = answer === undefined
    ? `no server is installed in ${home}`
    : answer.kind === "too old"
    ? `the server in ${home} is too old to report its release`
    : answer.fault ?? `the server in ${home} does not report its release`;
  throw new EntrypointError(
    `Cannot find out which release of Mattermost is installed: MATTERMOST_VERSION is not set, and ${why}`,
    {
      code: ExitCode.settings,
      remedy:
        `MATTERMOST_VERSION=${DEFAULT_RELEASE}   # the installed release; or set MATTERMOST_INSTALL_DIR to the directory of the server`,
    },
  );
}

/**
 * Checks that the installed server is the release of `MATTERMOST_VERSION`. A server that
 * cannot report its release passes, unless its program shows that it is another one.
 *
 * @param release The release of `MATTERMOST_VERSION`.
 * @param installation The installed server.
 * @param system Files and child processes.
 * @returns False if the server should have reported its release, but failed to: the next start
 * has to check again.
 * @throws {EntrypointError} With code 78 if the server is another release.
 */
export async function confirmRelease(
  release: Release,
  installation: Installation,
  system: InstallationSystem,
): Promise<boolean> {
  const { configuredVersion, home } = installation;
  // Without the variable, the release is already the one that the server reported.
  if (configuredVersion === undefined) return true;
  const program = installedProgram(home, system.files);
  if (program === undefined) return true;
  const answer = await askRelease(program, installation, system);
  if (answer.kind === "release") {
    requireSame(answer.reported, release, home);
    return true;
  }
  requireProgram(release, installation, system);
  return answer.kind !== "silent";
}

/**
 * Checks what a server has printed on another occasion, such as a start, for its release. Servers
 * up to 3.x can be asked in no other way.
 *
 * @param release The release of `MATTERMOST_VERSION`.
 * @param installation The installed server.
 * @param lines The lines that it has printed.
 * @throws {EntrypointError} With code 78 if they name another release.
 */
export function confirmLines(
  release: Release,
  { configuredVersion, home }: Installation,
  lines: readonly string[],
): void {
  const reported = configuredVersion === undefined
    ? undefined
    : readRelease(lines);
  if (reported !== undefined) requireSame(reported, release, home);
}

function requireSame(
  { version, hasPatch }: Reported,
  release: Release,
  home: string,
): void {
  const difference = versionDifference(version, release.version);
  const isSame = difference === "none" || difference === "prerelease" ||
    difference === "patch" && !hasPatch;
  if (isSame) return;
  throw otherRelease(
    `MATTERMOST_VERSION is ${release.version}, but the server in ${home} reports release ${
      formatVersion(version)
    }`,
    release,
  );
}

/**
 * Reads the release from what a server has printed.
 *
 * A server is built with a list of releases, which contains patches only where somebody has added
 * them, and with a build number, which is the release with its patch in packages of Mattermost:
 * https://github.com/mattermost/mattermost/issues/5287
 */
function readRelease(lines: readonly string[]): Reported | undefined {
  const find = (pattern: RegExp, group: number): Version | undefined => {
    const text = lines.map((line) => pattern.exec(line)?.[group])
      .find((found) => found !== undefined);
    return text === undefined ? undefined : parseVersion(text);
  };
  const version = find(VERSION_REGEXP, 1) ?? find(START_REGEXP, 1);
  if (version === undefined) return undefined;
  const build = find(BUILD_REGEXP, 1) ?? find(START_REGEXP, 2);
  const isPatch = build !== undefined &&
    ["patch", "prerelease", "none"].includes(versionDifference(build, version));
  return isPatch
    ? { version: { ...build, prerelease: [] }, hasPatch: true }
    : { version, hasPatch: version.patch > 0 };
}

/**
 * Checks that the installed program is the one of the release of `MATTERMOST_VERSION`.
 *
 * @param release The release of `MATTERMOST_VERSION`.
 * @param installation The installed server.
 * @param system The file system.
 * @throws {EntrypointError} With code 78 if only releases on the other side of 5.0 have that program.
 */
export function requireProgram(
  release: Release,
  { home }: Installation,
  { files }: Pick<System, "files">,
): void {
  const program = installedProgram(home, files);
  if (program === undefined || program === `${home}/${release.binary}`) return;
  const whose = program.endsWith(OLD_PROGRAM)
    ? "which only releases before 5.0 have"
    : "which only releases from 5.0 on have";
  throw otherRelease(
    `MATTERMOST_VERSION is ${release.version}, but the program of the server is ${program}, ${whose}`,
    release,
  );
}

function otherRelease(message: string, { version }: Release): EntrypointError {
  return new EntrypointError(message, {
    code: ExitCode.settings,
    remedy:
      `Remove MATTERMOST_VERSION from your settings, because the image sets it; to run ${version}, use the image with that tag`,
  });
}

async function askRelease(
  program: string,
  installation: Installation,
  system: InstallationSystem,
): Promise<Answer> {
  const { home } = installation;
  if (program.endsWith(OLD_PROGRAM)) return { kind: "too old" };
  // From 5.28 to 6.4 only this option keeps the command from migrating the database. Later releases
  // accept it without need; before 5.28 it is a usage error:
  // https://github.com/mattermost/mattermost/blob/master/server/cmd/mattermost/commands/version.go
  const offline = await runVersion(["--skip-server-start"], {
    program,
    installation,
    system,
  });
  if (offline.kind !== "unknown option") return offline;
  // The packages of releases without the option contain both programs. Otherwise it is a release that
  // has dropped the option, or an unusual installation of an old one, which is stopped in time.
  if (isServer(`${home}/${OLD_PROGRAM}`, system.files)) {
    return { kind: "too old" };
  }
  const plain = await runVersion([], { program, installation, system });
  return plain.kind === "unknown option" ? { kind: "silent" } : plain;
}

/** Runs the command `version` of the server. */
async function runVersion(
  options: readonly string[],
  { program, installation: { home, identity }, system }: {
    readonly program: string;
    readonly installation: Installation;
    readonly system: InstallationSystem;
  },
): Promise<Answer | { readonly kind: "unknown option" }> {
  let fault: string | undefined;
  const { lines, code } = await system.watchChild({
    command: [program, "version", ...options],
    env: NO_DATABASE,
    cwd: home,
    signal: system.clock.timeout(TIMEOUT),
    isEnough: (line) => BUILD_REGEXP.test(line) || CONNECTING_REGEXP.test(line),
    ...identity,
  }).catch((error): Observation => {
    // The program cannot be executed. exec() will explain why.
    const { reason } = explainSystemError(error, program);
    const user = identity === undefined
      ? ""
      : ` by user ${identity.uid}:${identity.gid}`;
    fault = `the server in ${home} cannot be executed${user}: ${reason}`;
    return { lines: [], code: undefined };
  });
  const reported = readRelease(lines);
  if (reported !== undefined) return { kind: "release", reported };
  if (lines.some((line) => CONNECTING_REGEXP.test(line))) {
    return { kind: "too old" };
  }
  return {
    kind: code === undefined || code === 0 ? "silent" : "unknown option",
    ...(fault === undefined ? {} : { fault }),
  };
}
