/**
 * The profiling run: runs the program once in each way that has to be fast, so that V8
 * compiles what these runs need, and writes that as the code cache of each script. It is
 * compiled with the very runtime that the caches are for.
 *
 *     profile DIRECTORY
 *
 * DIRECTORY holds the scripts, and then their caches. All connections are on the loopback
 * interface. The databases are fake: without them a start on MariaDB takes 24 % longer and
 * one on PostgreSQL 7 %.
 *
 * @module
 */

import { join } from "node:path";
import { ExitCode } from "../../lib/errors.ts";
import type { System } from "../../lib/os/system.ts";
import { closedParent } from "../shared/cache.ts";
import { serveMysql, servePostgres } from "./fake_databases.ts";
import { loadProgram, scriptPath } from "./scripts.ts";

/** Any release will do: the code for all of them is the same. */
const RELEASE = "10.5.0";

type Env = Readonly<Record<string, string>>;

if (import.meta.main) {
  try {
    await profile(Deno.args[0] ?? ".");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
  // Whatever the drivers and servers still hold ends with this process.
  Deno.exit(0);
}

async function profile(directory: string): Promise<void> {
  const { main, scripts } = loadProgram(directory);
  const home = await Deno.makeTempDir({ dir: directory });
  await Deno.chmod(home, 0o755);
  for (const [args, env] of await runs(home)) {
    const messages: string[] = [];
    const code = await main(args, (system) => quiet(system, env, messages));
    // A start comes as far as the hand-off, which finds no server.
    const wanted = args[0] === "app:start" ? ExitCode.notFound : ExitCode.ok;
    if (code === wanted) continue;
    throw new Error(
      `${args.join(" ")} ended with ${code}:\n${messages.join("")}`,
    );
  }
  for (const [name, script] of scripts) {
    await Deno.writeFile(
      `${scriptPath(directory, name)}.cache`,
      script.createCachedData(),
    );
  }
}

/** Health checks, the first start and a later one with each driver, and what the next start would write. */
async function runs(
  home: string,
): Promise<(readonly [args: readonly string[], env: Env])[]> {
  const install = join(home, "mattermost");
  await Deno.mkdir(join(install, "bin"), { recursive: true });
  await Deno.writeTextFile(
    join(install, "bin/mattermost"),
    `#!/bin/sh\necho Version: ${RELEASE}\n`,
    { mode: 0o755 },
  );
  const health = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => Response.json({ status: "OK", database_status: "OK" }),
  );
  const env: Env = {
    ...await userOf(home),
    DB_HOST: "127.0.0.1",
    DB_PASS: "password",
    MATTERMOST_VERSION: RELEASE,
    MATTERMOST_SITE_URL: "https://chat.example.com",
    MATTERMOST_INSTALL_DIR: install,
    MM_SERVICESETTINGS_LISTENADDRESS: `:${health.addr.port}`,
  };
  const postgres = {
    ...env,
    ...directories(home, "postgres"),
    DB_ADAPTER: "postgres",
    DB_PORT: String(servePostgres(RELEASE)),
  };
  const mysql = {
    ...env,
    ...directories(home, "mysql"),
    DB_ADAPTER: "mysql",
    DB_PORT: String(await serveMysql(RELEASE)),
  };
  return [
    [["app:start"], postgres],
    [["app:start"], postgres],
    [["app:start"], mysql],
    [["app:start"], mysql],
    [["app:config"], postgres],
    [["app:health"], postgres],
    [["app:health", "--ready"], postgres],
  ];
}

function directories(home: string, name: string): Env {
  return {
    MATTERMOST_CONF_DIR: join(home, name, "config"),
    MATTERMOST_DATA_DIR: join(home, name, "data"),
    MATTERMOST_LOG_DIR: join(home, name, "log"),
  };
}

/** The server's own user, unless that user cannot reach the directory. */
async function userOf(home: string): Promise<Env> {
  if (await closedParent(home) === undefined) return {};
  return {
    MATTERMOST_UID: String(Deno.uid()),
    MATTERMOST_GID: String(Deno.gid()),
  };
}

/** The real world without its terminal, in which no server can be found at the hand-off. */
function quiet(system: System, env: Env, messages: string[]): System {
  const output = {
    isTerminal: false,
    write: (text: string) => void messages.push(text),
  };
  const { uid, gid } = system;
  return {
    ...system,
    env,
    out: output,
    err: output,
    becomeUser() {
      try {
        // Root stays root for the next run.
        system.becomeUser({ uid, gid });
      } catch {
        // Root without capabilities may not even do that.
      }
    },
    exec: (plan) => system.exec({ ...plan, path: "/nowhere" }),
  };
}
