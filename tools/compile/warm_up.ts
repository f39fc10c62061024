/**
 * Tries the program out, so that V8 compiles what a start or a health check needs,
 * and writes what it made as a code cache. It is compiled with the very runtime
 * that the cache is for.
 *
 *     warm_up try|check health|start DIRECTORY
 *
 * DIRECTORY holds the scripts, and then their caches. `check` makes sure that V8
 * takes them. Everything is on the loopback interface.
 *
 * @module
 */

import { join } from "node:path";
import type { Script } from "node:vm";
import { ExitCode } from "../../lib/errors.ts";
import type { System } from "../../lib/system.ts";
import { closedParent } from "../servers/cache.ts";
import {
  type CacheName,
  cacheOf,
  cachePath,
  loadProgram,
  type Rehearsal,
  REHEARSALS,
} from "./embedded.ts";
import {
  type Conversation,
  mysqlPartner,
  postgresPartner,
  serve,
} from "./partners.ts";

/** Any release will do: the code for all of them is the same. */
const TOLD = { release: "10.5.0", migration: 129, password: "password" };

type Env = Readonly<Record<string, string>>;

/** Uses the program once. */
type Use = (args: readonly string[], env: Env) => Promise<void>;

/** What is tried. */
const PLAYS: Readonly<
  Record<Rehearsal, (home: string, use: Use) => Promise<void>>
> = { health: rehearseHealth, start: rehearseStarts };

if (import.meta.main) {
  const [task, name, directory = "."] = Deno.args;
  const rehearsal = REHEARSALS.find((each) => each === name);
  if (rehearsal === undefined) throw new Error("There is no such rehearsal");
  try {
    await rehearse(rehearsal, directory, task === "check");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
  // What the drivers left behind does not matter.
  Deno.exit(0);
}

/** The first time writes the caches, the second one checks them. */
async function rehearse(
  name: Rehearsal,
  directory: string,
  isCheck: boolean,
): Promise<void> {
  const scripts = new Map<CacheName, Script>();
  const { main } = loadProgram(directory, {
    ...(isCheck ? { rehearsal: name } : {}),
    onScript: (script, value) => {
      const cache = cacheOf(script, name);
      if (cache !== undefined) scripts.set(cache, value);
    },
  });
  const home = await Deno.makeTempDir({ dir: directory });
  await Deno.chmod(home, 0o755);
  await PLAYS[name](home, async (args, env) => {
    const said: string[] = [];
    const code = await main(args, (system) => rehearsed(system, env, said));
    // A start comes as far as the hand-off, which finds nothing.
    const wanted = args[0] === "app:start" ? ExitCode.notFound : ExitCode.ok;
    if (code !== wanted) {
      throw new Error(
        `${args.join(" ")} ended with ${code}:\n${said.join("")}`,
      );
    }
  });
  for (const [cache, script] of scripts) {
    if (!isCheck) {
      await Deno.writeFile(
        cachePath(directory, cache),
        script.createCachedData(),
      );
    } else if (script.cachedDataRejected !== false) {
      throw new Error(`V8 does not take the code cache ${cache} that it made`);
    }
  }
}

/** The real world, but it is quiet, and there is no server to become. */
function rehearsed(system: System, env: Env, said: string[]): System {
  const output = {
    isTerminal: false,
    write: (text: string) => void said.push(text),
  };
  const { uid, gid } = system;
  return {
    ...system,
    env,
    out: output,
    err: output,
    becomeUser() {
      try {
        // Root stays root for the next use.
        system.becomeUser({ uid, gid });
      } catch {
        // Root without capabilities may not even do that.
      }
    },
    exec: (plan) => system.exec({ ...plan, path: "/nowhere" }),
  };
}

async function rehearseHealth(home: string, use: Use): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => Response.json({ status: "OK", database_status: "OK" }),
  );
  await Deno.writeTextFile(
    join(home, "config.json"),
    JSON.stringify({
      ServiceSettings: { ListenAddress: `:${server.addr.port}` },
    }),
  );
  const env = {
    MATTERMOST_VERSION: TOLD.release,
    MATTERMOST_CONF_DIR: home,
    MATTERMOST_DATA_DIR: home,
  };
  await use(["app:health"], env);
  await use(["app:health", "--ready"], env);
}

/** The first start and a later one, with each login; and what may be asked instead of a start. */
async function rehearseStarts(home: string, use: Use): Promise<void> {
  const install = join(home, "mattermost");
  await Deno.mkdir(join(install, "bin"), { recursive: true });
  // It can be asked for its release, and no more.
  await Deno.writeTextFile(
    join(install, "bin/mattermost"),
    `#!/bin/sh\necho Version: ${TOLD.release}\n`,
    { mode: 0o755 },
  );
  const partners: readonly (readonly [string, Conversation])[] = [
    ["postgres", postgresPartner(TOLD)],
    ["mysql", mysqlPartner(TOLD, "caching_sha2_password")],
    ["mysql", mysqlPartner(TOLD, "mysql_native_password")],
  ];
  for (const [index, [adapter, conversation]] of partners.entries()) {
    using partner = serve(conversation);
    const env = {
      ...await identity(home),
      DB_ADAPTER: adapter,
      DB_HOST: "127.0.0.1",
      DB_PORT: String(partner.port),
      DB_PASS: TOLD.password,
      MATTERMOST_VERSION: TOLD.release,
      MATTERMOST_SITE_URL: "https://chat.example.com",
      MATTERMOST_INSTALL_DIR: install,
      MATTERMOST_CONF_DIR: join(home, `conf${index}`),
      MATTERMOST_DATA_DIR: join(home, `data${index}`),
      MATTERMOST_LOG_DIR: join(home, `log${index}`),
    };
    await use(["app:start"], env);
    await use(["app:start"], env);
    await use(["app:config"], env);
  }
}

/** The server's own user, where that one could come in at all. */
async function identity(home: string): Promise<Env> {
  if (await closedParent(home) === undefined) return {};
  return {
    MATTERMOST_UID: String(Deno.uid()),
    MATTERMOST_GID: String(Deno.gid()),
  };
}
