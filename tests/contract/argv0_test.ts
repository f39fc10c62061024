/**
 * Called `mattermost`, as the operator for Kubernetes calls the image, the
 * program takes the server's own command line.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { createHome, type Home, shown } from "../support/home.ts";
import { assertClean, COMPILED, launch, PATH } from "../support/program.ts";

/** The name under which the program is called, as a link beside nothing else. */
async function linked(home: Home): Promise<string> {
  const path = join(home.path, "called/mattermost");
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.symlink(COMPILED.command[0], path);
  return path;
}

Deno.test("the server's options and its subcommand server start the server", async () => {
  await using home = await createHome();
  await using database = await startPostgres({ password: "p@ss of argv0" });
  await home.installServer("11.7.9");
  const program = await linked(home);
  const env = {
    ...home.env,
    MATTERMOST_VERSION: "11.7.9",
    MATTERMOST_UID: "65534",
    MATTERMOST_GID: "65534",
    DB_ADAPTER: "postgres",
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_USER: database.user,
    DB_PASS: database.password,
    DB_NAME: "postgres",
  };
  const cases: readonly (readonly [string[], string[]])[] = [
    [[], []],
    [["server"], []],
    [["server", "--disableconfigwatch"], ["--disableconfigwatch"]],
    [["--disableconfigwatch"], ["--disableconfigwatch"]],
  ];
  for (const [args, passed] of cases) {
    const outcome = await launch([program, ...args], { env }).outcome;
    assertClean(outcome, [database.password]);
    assert.equal(outcome.code, 0, outcome.stderr);
    const server = `${home.install}/bin/mattermost`;
    assert.deepEqual(
      shown(outcome.stdout).args.slice(1),
      [server, "--config", home.config, ...passed],
      args.join(" "),
    );
  }
});

Deno.test("any other subcommand goes to the installed server, found under its name in PATH", async () => {
  await using home = await createHome();
  await home.installServer("11.7.9");
  const program = await linked(home);
  const env = { ...home.env, PATH: `${dirname(program)}:${PATH}` };
  const version = await launch(["mattermost", "version"], { env }).outcome;
  assert.deepEqual(
    { code: version.code, stdout: version.stdout, stderr: version.stderr },
    { code: 0, stdout: "Version: 11.7.9\n", stderr: "" },
  );
  await home.write("data/config/config.json", "{}");
  const migrate = await launch(["mattermost", "db", "migrate"], { env })
    .outcome;
  const given = shown(migrate.stdout);
  assert.deepEqual(given.args.slice(1), [
    `${home.install}/bin/mattermost`,
    "db",
    "migrate",
  ]);
  assert.equal(given.cwd, home.install);
  assert.equal(given.env["MM_CONFIG"], home.config);
});

Deno.test("a subcommand that may change something needs the stated release", async () => {
  await using home = await createHome();
  await home.installServer("11.7.9");
  await linked(home);
  const call = (
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) =>
    launch(["mattermost", ...args], {
      env: {
        ...home.env,
        PATH: `${dirname(join(home.path, "called/mattermost"))}:${PATH}`,
        ...env,
      },
    }).outcome;
  for (const stated of ["10.11.0", "5.37.10"]) {
    const env = { MATTERMOST_VERSION: stated };
    const refused = await call(["db", "migrate"], env);
    assertClean(refused);
    assert.deepEqual([refused.code, refused.stdout], [78, ""]);
    assert.match(refused.stderr, /reports release 11\.7\.9/);
    // To find out what is installed.
    const version = await call(["version"], env);
    assert.deepEqual([version.code, version.stdout], [
      0,
      "Version: 11.7.9\n",
    ]);
  }
  const same = await call(["db", "migrate"], { MATTERMOST_VERSION: "11.7.9" });
  assert.equal(same.code, 0, same.stderr);
});

Deno.test("our own commands keep their names", async () => {
  await using home = await createHome();
  const program = await linked(home);
  const { code, stdout } = await launch([program, "app:version"], {
    env: home.env,
  }).outcome;
  assert.equal(code, 0);
  assert.match(stdout, /^mattermost-entrypoint \d+\.\d+\.\d+\n/);
});

Deno.test("the program does not start itself for ever in the server's place", async () => {
  await using home = await createHome();
  const program = await linked(home);
  await Deno.mkdir(join(home.install, "bin"), { recursive: true });
  await Deno.symlink(program, join(home.install, "bin/mattermost"));
  const outcome = await launch([program, "version"], { env: home.env })
    .outcome;
  assertClean(outcome);
  assert.equal(outcome.code, 127);
  assert.match(outcome.stderr, /No Mattermost server is installed in/);
});
