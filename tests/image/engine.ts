/**
 * A Docker engine for the image tests: the running one, or a private one that uses its own
 * files and is stopped at the end.
 *
 * @module
 */

import { join } from "node:path";
import { cached } from "../../tools/shared/cache.ts";
import { unpackDebian } from "../../tools/shared/packages.ts";
import { attempt, attemptSync, must, pause } from "./command.ts";
import { requirePrograms } from "./machine.ts";

/** Time limit for the start and the stop of the engine, in milliseconds. */
const TIMEOUT = 60_000;

/** The programs that a private engine needs, and their Debian packages. */
const PROGRAMS = {
  dockerd: "docker.io",
  docker: "docker.io",
  iptables: "iptables",
} as const;

/** Waits for the end of a child, which is then a zombie. */
const AWAIT_END =
  'while grep -q "^State:.[^Z]" "/proc/$0/status" 2>/dev/null; do sleep 0.1; done';

/** Unmounts everything in a directory: network namespaces, and sometimes a file system. */
const UNMOUNT =
  'cut -d " " -f 2 /proc/mounts | grep -F "$0/" | sort -r | xargs -r umount -l';

/** A Docker engine. */
export interface Engine {
  /** The variables that `docker` needs to reach it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether only these tests use it. */
  readonly isPrivate: boolean;
}

/** Registers a synchronous function that cleans up when the tests end. */
export type AtEnd = (cleanUp: () => void) => void;

/**
 * Finds or starts an engine with Compose and BuildKit.
 *
 * @param home an empty directory for it
 * @param atEnd registers the function that stops a private engine
 * @throws {Error} when none is running and none can be started
 */
export async function openEngine(home: string, atEnd: AtEnd): Promise<Engine> {
  const reachable = await attempt([
    ...["docker", "info", "--format", "{{.ServerVersion}}"],
  ]).then(({ code }) => code === 0, () => false);
  const engine = reachable
    ? { environment: {}, isPrivate: false }
    : await privateEngine(home, atEnd);
  return { ...engine, environment: await withPlugins(engine, home) };
}

async function privateEngine(home: string, atEnd: AtEnd): Promise<Engine> {
  await requirePrograms(PROGRAMS);
  const socket = join(home, "docker.sock");
  const network = networkState();
  const log = join(home, "engine.log");
  const daemon = new Deno.Command("sh", {
    args: [
      ...["-c", 'exec "$@" >"$0" 2>&1', log],
      // The engine ends with this process, even after SIGKILL.
      ...["setpriv", "--pdeathsig=TERM", "--", "dockerd"],
      ...["--data-root", join(home, "data"), "--exec-root", join(home, "exec")],
      ...["--pidfile", join(home, "docker.pid"), "--host", `unix://${socket}`],
    ],
    // Its own session: Ctrl-C must not reach it before the containers are removed.
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  daemon.unref();
  let ended = false;
  daemon.status.then(() => ended = true);
  const environment = { DOCKER_HOST: `unix://${socket}` };
  atEnd(() => {
    if (!ended) stopDaemon(daemon.pid);
    unmountBelow(home);
    // Another engine has rules in the same tables.
    if (attemptSync(["pidof", "dockerd"]).code !== 0) restoreNetwork(network);
  });
  const deadline = Date.now() + TIMEOUT;
  while (true) {
    const ready = await attempt(["docker", "version"], { environment });
    if (ready.code === 0) return { environment, isPrivate: true };
    if (ended || Date.now() > deadline) {
      const text = await Deno.readTextFile(log);
      throw new Error(`The Docker engine did not start:\n${text.slice(-2000)}`);
    }
    await pause(200);
  }
}

/** Finds the plugins for Compose and BuildKit, or unpacks Debian's into the cache. */
async function withPlugins(
  { environment }: Engine,
  home: string,
): Promise<Record<string, string>> {
  const missing: string[] = [];
  for (const plugin of ["compose", "buildx"]) {
    const found = await attempt(["docker", plugin, "version"], { environment });
    if (found.code !== 0) missing.push(`docker-${plugin}`);
  }
  if (missing.length === 0) return { ...environment };
  // Debian has them in releases after bookworm; both need only libc.
  const unpacked = await cached(
    `docker-plugins-${Deno.build.arch}`,
    (directory) =>
      unpackDebian(directory, {
        suite: "sid",
        packages: ["docker-compose", "docker-buildx"],
      }),
  );
  const config = join(home, "config");
  const plugins = join(config, "cli-plugins");
  await Deno.mkdir(plugins, { recursive: true });
  for (const name of missing) {
    await Deno.symlink(
      join(unpacked, "usr/libexec/docker/cli-plugins", name),
      join(plugins, name),
    );
  }
  // The new configuration does not contain the engine's address.
  const host = environment["DOCKER_HOST"] ?? Deno.env.get("DOCKER_HOST") ??
    await must([
      ...["docker", "context", "inspect", "--format"],
      "{{.Endpoints.docker.Host}}",
    ]);
  return { ...environment, DOCKER_HOST: host, DOCKER_CONFIG: config };
}

/** Unmounts everything in a directory. */
export function unmountBelow(directory: string): void {
  attemptSync(["sh", "-c", UNMOUNT, directory]);
}

function stopDaemon(pid: number): void {
  Deno.kill(pid, "SIGTERM");
  const seconds = String(TIMEOUT / 1000);
  const wait = ["timeout", seconds, "sh", "-c", AWAIT_END, String(pid)];
  if (attemptSync(wait).code === 0) return;
  Deno.kill(pid, "SIGKILL");
}

/** The state of the network that an engine changes. */
interface NetworkState {
  readonly rules: string;
  readonly bridges: ReadonlySet<string>;
  readonly forwarding: string;
}

function networkState(): NetworkState {
  return {
    rules: attemptSync(["iptables-save"]).stdout,
    bridges: dockerLinks(),
    forwarding: attemptSync(["cat", FORWARDING]).stdout.trim(),
  };
}

const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

function restoreNetwork({ rules, bridges, forwarding }: NetworkState): void {
  for (const link of dockerLinks().difference(bridges)) {
    attemptSync(["ip", "link", "delete", link]);
  }
  // Tables that are not in the input would keep the engine's rules.
  const empty = "*filter\nCOMMIT\n*nat\nCOMMIT\n*mangle\nCOMMIT\n";
  attemptSync([
    ...["sh", "-c", 'printf %s "$0" | iptables-restore', empty + rules],
  ]);
  attemptSync(["sh", "-c", `echo "$0" >${FORWARDING}`, forwarding]);
}

function dockerLinks(): Set<string> {
  const { stdout } = attemptSync(["ls", "/sys/class/net"]);
  return new Set(stdout.split(/\s+/).filter((name) => /^docker/.test(name)));
}
