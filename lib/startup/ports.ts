/**
 * The ports on which the server will listen, and whether it may.
 *
 * The server itself notices this only after it has opened the database, and old releases then
 * keep running without listening, so it cannot be asked before.
 *
 * @module
 */

import { EntrypointError, ExitCode, type Problem } from "../errors.ts";
import { parseListener } from "../mattermost/listen_address.ts";
import type { System } from "../os/system.ts";
import { inRange } from "../release_range.ts";
import { serverIdentity } from "./become_user.ts";
import type { Context } from "./context.ts";
import { effectiveFlag, effectiveText } from "./effective_config.ts";
import type { Plan } from "./plan.ts";
import { readProcFile } from "./proc_file.ts";

/** A port on which the server cannot listen. */
export interface PortProblem extends Problem {
  /** Whether it is in use, perhaps by the server itself. */
  readonly isInUse: boolean;
}

/** The ports of a server, and what is known against them. */
export interface PortReport {
  /** The port of `ServiceSettings.ListenAddress`; `undefined` if that names none. */
  readonly port: number | undefined;
  /** The ports on which the server cannot listen. */
  readonly problems: readonly PortProblem[];
}

const LISTEN_ADDRESS = "ServiceSettings.ListenAddress";
const LISTEN_VARIABLE = "MM_SERVICESETTINGS_LISTENADDRESS";
const FORWARD = "ServiceSettings.Forward80To443";

/** A port, and why the server listens on it. */
interface Listener {
  readonly host: string | undefined;
  readonly port: number;
  /** The key in config.json. */
  readonly key: string;
  /** What the server does if it cannot listen. */
  readonly effect: string;
  /** A line to paste that selects another port. */
  readonly otherPort: string;
}

/**
 * Tries the ports on which the server will listen. As root, the privileges of the server's user
 * are calculated.
 *
 * @param plan The plan of the next start.
 * @param system The ports, and the user of this process.
 * @returns The report.
 */
export async function checkPorts(
  plan: Plan,
  system: System,
): Promise<PortReport> {
  const main = mainListener(plan);
  if (main === undefined) return { port: undefined, problems: [] };
  const isForwarding = effectiveFlag(plan, FORWARD);
  if (
    isForwarding && main.port !== 443 &&
    inRange(plan.release.version, ">=5.0.0")
  ) {
    return { port: main.port, problems: [wrongForward(main.port)] };
  }
  const listeners = isForwarding ? [main, forwardListener(main, plan)] : [main];
  const problems: PortProblem[] = [];
  for (const listener of listeners) {
    const code = await tryListener(listener, plan, system);
    if (code !== undefined) {
      problems.push(describe(code, listener, plan, system));
    }
  }
  return { port: main.port, problems };
}

/**
 * Makes sure that the server can listen. It has to be called before anything is changed.
 *
 * @param plan The plan of the next start.
 * @param context The ports, and the user of this process.
 * @throws {EntrypointError} With code 78 if it cannot.
 */
export async function requirePorts(
  plan: Plan,
  { system, log }: Context,
): Promise<void> {
  const { problems } = await checkPorts(plan, system);
  log.step("Ports checked");
  if (problems.length === 0) return;
  throw new EntrypointError(
    `Mattermost ${plan.release.version} cannot listen for connections`,
    {
      code: ExitCode.settings,
      problems: problems.map(({ isInUse: _, ...problem }) => problem),
    },
  );
}

function mainListener(plan: Plan): Listener | undefined {
  const { release, serverVariables } = plan;
  const place = parseListener(effectiveText(plan, LISTEN_ADDRESS));
  return place && {
    ...place,
    key: LISTEN_ADDRESS,
    effect: release.failsOnListenError
      ? "the server would end as soon as it had opened the database"
      : `Mattermost ${release.version} would keep running without answering`,
    otherPort: serverVariables.values[LISTEN_VARIABLE] === undefined
      ? "MATTERMOST_PORT=8065"
      : `${LISTEN_VARIABLE}=:8065`,
  };
}

function forwardListener({ host }: Listener, { release }: Plan): Listener {
  return {
    host,
    port: 80,
    key: FORWARD,
    effect: "the server would not redirect HTTP to HTTPS",
    otherPort: release.environmentOverrides === "none"
      ? `Set ${FORWARD} to false in config.json`
      : "MM_SERVICESETTINGS_FORWARD80TO443=false",
  };
}

/** The file with the first port that needs no privilege (ip(7)). */
const FIRST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/** Milliseconds between two attempts at a port that is in use: another start may just be trying it. */
const RETRY_DELAY = 50;

async function tryListener(
  { host, port }: Listener,
  { settings, paths, release }: Plan,
  system: System,
): Promise<string | undefined> {
  const isPrivileged = system.uid === 0 &&
    serverIdentity(settings, system).uid !== 0 &&
    port < Number(await readProcFile(FIRST_PORT, system));
  let code = isPrivileged ? "EACCES" : system.tryPort({ host, port });
  if (code === "EADDRINUSE") {
    await system.clock.sleep(RETRY_DELAY);
    code = system.tryPort({ host, port });
  }
  return code === "EACCES" &&
      system.hasCapabilities(`${paths.install}/${release.binary}`)
    ? undefined
    : code;
}

function describe(
  code: string,
  { host, port, key, effect, otherPort }: Listener,
  plan: Plan,
  system: System,
): PortProblem {
  const { uid, gid } = serverIdentity(plan.settings, system);
  const isInUse = code === "EADDRINUSE";
  const end = `(${key}), and ${effect}`;
  switch (code) {
    case "EACCES":
      return {
        subject: key,
        isInUse,
        message:
          `User ${uid}:${gid} may not listen on port ${port}, which is a privileged port here ${end}`,
        remedy:
          `${otherPort}   # and publish that port; or docker run --sysctl net.ipv4.ip_unprivileged_port_start=0 …`,
      };
    case "EADDRINUSE":
      return {
        subject: key,
        isInUse,
        message: `Another program listens on port ${port} already ${end}`,
        remedy:
          `ss -ltnp 'sport = :${port}'   # end that program, or set another port: ${otherPort}`,
      };
    default:
      return {
        subject: key,
        isInUse,
        message:
          `The server is to listen on ${host}, which is no address of this machine or container ${end}`,
        remedy: `${LISTEN_VARIABLE}=:${port}   # listens on all addresses`,
      };
  }
}

function wrongForward(port: number): PortProblem {
  return {
    subject: FORWARD,
    isInUse: false,
    message:
      `${FORWARD} is true, but the server listens on port ${port} instead of 443, and would not start`,
    remedy: "MM_SERVICESETTINGS_FORWARD80TO443=false",
  };
}
