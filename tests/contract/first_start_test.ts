/**
 * What a start finds on another machine: ports that it may not use, a volume that is missing or
 * that of another image, a web client that cannot be changed, a socket of the last run.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { createHome, type Home } from "../support/home.ts";
import { DATABASES, MOUNTS, ROOT_USER, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  launch,
  type Outcome,
  runProgram,
  start,
  testPrograms,
} from "../support/program.ts";
import { startSilence } from "../support/services.ts";
import { tablesOf } from "../support/release_migrations.ts";
import {
  databaseSettings,
  startServerDatabase,
} from "../support/server_database.ts";

/** A port on which nothing listens. */
function freePort(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return String(listener.addr.port);
}

/** Starts the fake server, does something beside it, and stops it. */
async function serve(
  env: Readonly<Record<string, string>>,
  beside: () => Promise<void> = () => Promise.resolve(),
): Promise<Outcome> {
  const running = start(COMPILED, ["app:start"], { env });
  await running.until(/Server is listening/);
  await beside();
  running.kill("SIGTERM");
  const outcome = await running.outcome;
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

testPrograms(
  "a port in use is refused before anything is changed, and the remedy is another port",
  async (program) => {
    await using home = await createHome();
    await using database = await startServerDatabase();
    await home.installServer("11.7.9");
    const other = await startSilence();
    const { port } = other;
    const env = {
      ...databaseSettings(home, database),
      MATTERMOST_PORT: String(port),
    };
    const before = await home.snapshot();
    const refused = await runProgram(program, ["app:start"], { env });
    assert.equal(refused.code, 78, refused.stderr);
    assert.match(
      refused.stderr,
      new RegExp(`Another program listens on port ${port} already`),
    );
    assertClean(refused);
    await home.assertUnchanged(before);
    const { stdout } = await runProgram(program, ["app:check"], { env });
    assert.match(stdout, /^failed port\.available: Another program listens/m);
    await other[Symbol.asyncDispose]();
    const started = await runProgram(program, ["app:start"], { env });
    assert.equal(started.code, 0, started.stderr);
  },
  [DATABASES],
);

/** Runs a command in a network of its own, which needs the capability that mounting needs, and where port 80 is privileged. */
async function checkPort(
  home: Home,
  prefix: readonly string[] = [],
): Promise<string> {
  const { stdout } = await launch(
    ["unshare", "--net", ...prefix, ...COMPILED.command, "app:check"],
    {
      env: {
        ...home.env,
        MATTERMOST_PORT: "",
        MATTERMOST_VERSION: "11.7.9",
        DB_HOST: "127.0.0.1",
      },
    },
  ).outcome;
  return stdout.split("\n").filter((line) => /port\.available/.test(line))
    .join("\n");
}

/** Does what `setcap cap_net_bind_service=+ep` does: the attribute is a `vfs_cap_data` of version 2. */
function permitPorts(path: string): void {
  const libc = Deno.dlopen("libc.so.6", {
    setxattr: {
      parameters: ["buffer", "buffer", "buffer", "usize", "i32"],
      result: "i32",
    },
  });
  const cString = (text: string): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(`${text}\0`);
  const value = new Uint8Array(20);
  value.set([1, 0, 0, 2, 0, 4]);
  const result = libc.symbols.setxattr(
    cString(path),
    cString("security.capability"),
    value,
    20n,
    0,
  );
  libc.close();
  assert.equal(result, 0);
}

testWith(
  [ROOT_USER, MOUNTS],
  "a privileged port is found by the server's user, and by root",
  async () => {
    await using home = await createHome();
    const program = await home.installServer("11.7.9");
    const refused =
      /^failed port\.available: User 2000:2000 may not listen on port 80, which is a privileged port here/;
    const user = ["setpriv", "--reuid=2000", "--regid=2000", "--clear-groups"];
    assert.match(await checkPort(home, user), refused);
    assert.match(await checkPort(home), refused);
    permitPorts(program);
    assert.match(await checkPort(home, user), /^ok port\.available/);
  },
);

testWith(
  [DATABASES],
  "app:check does not report the port of the running server",
  async () => {
    await using home = await createHome();
    await using database = await startServerDatabase();
    await installFakeMattermost(home.install, "11.7.9");
    const port = freePort();
    const env = {
      ...databaseSettings(home, database),
      MATTERMOST_PORT: port,
      MATTERMOST_SITE_URL: `http://localhost:${freePort()}`,
    };
    await serve(env, async () => {
      const { stdout } = await runProgram(COMPILED, ["app:check"], { env });
      assert.match(
        stdout,
        new RegExp(
          `^ok port\\.available: The server runs and listens on port ${port}$`,
          "m",
        ),
      );
      assert.match(
        stdout,
        new RegExp(
          `^ok site\\.answer: The server answers at \\S+:${port}/`,
          "m",
        ),
      );
    });
  },
);

testWith(
  [DATABASES],
  "a database in use that meets an empty data directory is a loud warning",
  async () => {
    await using home = await createHome();
    await using database = await startServerDatabase();
    await home.installServer("11.7.9");
    const env = databaseSettings(home, database);
    const messages = async (): Promise<string> => {
      const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
        env,
      });
      assert.equal(code, 0, stderr);
      return stderr;
    };
    const lost =
      /warning: The database is in use, but \S+\/data is empty, .*uploaded files\n.*→ docker volume ls/;
    assert.doesNotMatch(await messages(), /is empty/);
    await database.sql(
      `SET ROLE mattermost; ${tablesOf("11.7.9")}`,
      "mattermost",
    );
    assert.doesNotMatch(await messages(), /is empty/);
    await Deno.remove(join(home.path, "data"), { recursive: true });
    const { stdout } = await runProgram(COMPILED, ["app:check"], { env });
    assert.match(stdout, /^warning database\.volume: The database is in use/m);
    assert.match(await messages(), lost);
  },
);

testWith(
  [DATABASES],
  "the volume of another image is refused at the first start, and its files stay",
  async () => {
    await using home = await createHome();
    await using database = await startServerDatabase();
    await home.installServer("11.7.9");
    await home.write(
      "config/config.json",
      '{"TeamSettings":{"SiteName":"Old"}}',
    );
    const env = databaseSettings(home, database);
    const before = await home.snapshot();
    for (const command of ["app:start", "app:migrate"]) {
      const { code, stderr } = await runProgram(COMPILED, [command], { env });
      assert.equal(code, 78, stderr);
      assert.match(
        stderr,
        /config\/config\.json exists, as with the image for Mattermost 3\.6.*\n.*→ MATTERMOST_CONF_DIR=\S+\/config /,
      );
    }
    const { stdout } = await runProgram(COMPILED, ["app:check"], { env });
    assert.match(stdout, /^failed directories\.volumes: /m);
    await home.assertUnchanged(before);
  },
);

testWith(
  [DATABASES],
  "a socket that the last run has left is removed",
  async () => {
    await using home = await createHome();
    await using database = await startServerDatabase();
    await home.installServer("5.37.10");
    await Deno.mkdir(join(home.path, "run"), { mode: 0o777 });
    await Deno.chmod(join(home.path, "run"), 0o777);
    const path = join(home.path, "run/local.socket");
    const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
    await Deno.link(`${path}.new`, path);
    // Removes only the first name.
    listener.close();
    assert.ok((await Deno.lstat(path)).isSocket);
    const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
      env: {
        ...databaseSettings(home, database),
        MATTERMOST_VERSION: "5.37.10",
        MATTERMOST_ENABLE_LOCAL_MODE: "true",
        MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION: path,
      },
    });
    assert.equal(code, 0, stderr);
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  },
);
