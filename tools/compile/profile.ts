/**
 * The profiling run: runs the program once in each way that has to be fast, so that V8
 * compiles what these runs need, and saves that as the code cache of each script. It is
 * compiled with the same runtime as the binary, since a cache fits only one.
 *
 *     profile DIRECTORY
 *
 * DIRECTORY has the scripts and gets their caches. The databases are fake. Without them a
 * start on MariaDB takes 24 % longer and one on PostgreSQL 7 %.
 *
 * @module
 */

import { join } from "node:path";
import { ExitCode } from "../../lib/errors.ts";
import {
  MIGRATIONS,
  RELEASE,
  startFakeMariadb,
  startFakePostgres,
} from "./fake_databases.ts";
import { loadProgram, scriptPath } from "./scripts.ts";

/** A command to run, and its environment. */
type Run = readonly [
  command: readonly string[],
  env: Readonly<Record<string, string>>,
];

if (import.meta.main) {
  // Deno.exit() also ends the servers and open connections.
  Deno.exit(await profile(Deno.args[0] ?? "."));
}

async function profile(directory: string): Promise<number> {
  const { main, scripts } = loadProgram(directory);
  const home = await Deno.makeTempDir({ dir: directory });
  await Deno.chmod(home, 0o755);
  for (const [command, env] of await runs(home)) {
    let messages = "";
    const output = {
      isTerminal: false,
      write: (text: string) => void (messages += text),
    };
    const code = await main(command, (system) => ({
      ...system,
      ...{ env, out: output, err: output },
      becomeUser() {
        try {
          // Root calls the same functions, but stays root for the next run.
          system.becomeUser({ uid: system.uid, gid: system.gid });
        } catch {
          // Root without capabilities may not call them.
        }
      },
      exec: (plan) =>
        system.exec({ ...plan, path: `${directory}/nonexistent` }),
    }));
    const expected = command[0] === "app:start"
      ? ExitCode.notFound
      : ExitCode.ok;
    if (code === expected) continue;
    console.error(
      `${
        command.join(" ")
      } ended with code ${code} instead of ${expected}:\n${messages}`,
    );
    return 1;
  }
  for (const [name, script] of scripts) {
    const path = `${scriptPath(directory, name)}.cache`;
    await Deno.writeFile(path, script.createCachedData());
  }
  return 0;
}

/** The first start and a later one with each driver, a configuration, and health checks. */
async function runs(home: string): Promise<readonly Run[]> {
  const install = join(home, "mattermost");
  await Deno.mkdir(join(install, "bin"), { recursive: true });
  const files = MIGRATIONS.flatMap((row) => {
    const [number = "", name] = row.split(" ");
    const file = `${number.padStart(6, "0")}_${name}.up.sql`;
    return [`# mysql/${file}`, `# postgres/${file}`];
  });
  await Deno.writeTextFile(
    join(install, "bin/mattermost"),
    `#!/bin/sh\necho Version: ${RELEASE}\n${files.join("\n")}\n`,
    { mode: 0o755 },
  );
  const health = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => Response.json({ status: "OK", database_status: "OK" }),
  );
  const envOf = (adapter: string, port: number): Run[1] => ({
    DB_ADAPTER: adapter,
    DB_HOST: "127.0.0.1",
    DB_PORT: String(port),
    DB_PASS: "password",
    MATTERMOST_VERSION: RELEASE,
    MATTERMOST_SITE_URL: "https://chat.example.com",
    MATTERMOST_HOME: join(home, adapter),
    MATTERMOST_LOG_DIR: join(home, adapter, "log"),
    MATTERMOST_INSTALL_DIR: install,
    // Another loopback address, since a start refuses a port that is in use.
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.2:${health.addr.port}`,
  });
  const postgres = envOf("postgres", await startFakePostgres());
  const mysql = envOf("mysql", await startFakeMariadb());
  const running = {
    ...postgres,
    MM_SERVICESETTINGS_LISTENADDRESS: `:${health.addr.port}`,
  };
  return [
    [["app:start"], postgres],
    [["app:start"], postgres],
    [["app:start"], mysql],
    [["app:start"], mysql],
    [["app:config"], postgres],
    [["app:health"], running],
    [["app:health", "--ready"], running],
  ];
}
