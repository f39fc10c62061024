/**
 * A container from start to stop: processes, restarts, health checks and other commands.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import { must } from "../command.ts";
import {
  assertHas,
  type Case,
  CONFIG,
  identity,
  leaveMigrations,
  PASSWORD,
  readConfig,
} from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "one-process",
  what: "the server is PID 1 and the only process, and inherits no secrets",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const server = await lab.server("server", {
      options,
      environment: { ...environment, MM_TEAMSETTINGS_SITENAME: "Passed on" },
    });
    const who = await identity(server);
    assert.equal(who["pid"], "1");
    assert.equal(`${who["uid"]}:${who["gid"]}`, "2000:2000");
    assert.equal(who["directory"], "/opt/mattermost/mattermost");
    assert.equal(who["arguments"], `--config ${CONFIG}`);
    const names = who["environment"]?.split(" ") ?? [];
    assert.ok(names.includes("MM_TEAMSETTINGS_SITENAME"));
    assert.ok(!names.includes("DB_PASS"), "DB_PASS must not be inherited");
    const top = await server.container.command("top");
    // A health check may be running.
    const processes = top.trim().split("\n").slice(1)
      .filter((line) => !line.trimEnd().endsWith(" app:health"));
    assert.equal(processes.length, 1, `one process only:\n${top}`);
    assert.ok(!top.includes(PASSWORD), "no secret in argv");
    const program = await server.container.exec(["readlink", "/proc/1/exe"]);
    assert.match(program, /^\/usr\/bin\/perl/);
    const mode = await server.container.exec([
      "stat",
      "-c",
      "%a %u:%g",
      CONFIG,
    ]);
    assert.equal(mode, "600 2000:2000");
  },
}, {
  name: "restart",
  what:
    "a restart keeps config.json, the secrets and edits of the System Console",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const server = await lab.server("server", { options, environment });
    const { container } = server;
    await identity(server);
    const before = await readConfig(container);
    assert.match(before.FileSettings.PublicLinkSalt, /^\w{32,}$/);
    assert.match(before.SqlSettings.AtRestEncryptKey, /^\w{32,}$/);
    before.TeamSettings.MaxUsersPerTeam = 77;
    before.TeamSettings.CustomDescriptionText = "as the console wrote it";
    await container.exec(["tee", CONFIG], {
      input: JSON.stringify(before, null, 4),
    });
    await container.command("restart");
    await identity(server);
    assert.deepEqual(await readConfig(container), before);
  },
}, {
  name: "stop",
  what: "docker stop takes less than 2 s and returns the server's exit code",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const server = await lab.server("server", { options, environment });
    const { container } = server;
    await identity(server);
    const started = performance.now();
    await container.command("stop");
    const took = performance.now() - started;
    assert.ok(took < 2000, `docker stop took ${took} ms`);
    assert.equal(await container.inspect("{{.State.ExitCode}}"), "0");
    assert.match(await container.logs(), /Server stopped/);
    const other = await lab.docker.run(await lab.image(), {
      command: ["sh", "-c", "exit 7"],
    });
    assert.equal(other.code, 7);
  },
}, {
  name: "stop-while-waiting",
  what:
    "docker stop takes less than 2 s while the program waits for the database",
  run: async (lab) => {
    const { database, options, environment } = await lab.network();
    // The kernel still accepts connections, but nothing answers.
    await database.command("pause");
    const { container } = await lab.server("server", { options, environment });
    await container.until("waiting", async () => {
      return (await container.logs()).includes("on PostgreSQL");
    });
    const started = performance.now();
    await container.command("stop");
    const took = performance.now() - started;
    assert.ok(took < 2000, `docker stop took ${took} ms`);
    assert.equal(await container.inspect("{{.State.ExitCode}}"), "143");
  },
}, {
  name: "health",
  what: "the health check fails when the server hangs",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const { container } = await lab.server("server", {
      options: [...options, "--health-retries=2", "--health-timeout=10s"],
      environment,
    });
    await container.health("healthy");
    await container.command("kill", "--signal=USR1");
    await container.health("unhealthy");
    const log = await container.inspect(
      "{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}|{{end}}",
    );
    const last = log.split("|").filter((part) => part.trim() !== "").at(-1);
    assert.match(last ?? "", /^\s*1 \S/, "one line that says why");
  },
}, {
  name: "other-commands",
  what: "bash, app:help, app:version and the server's own commands run",
  run: async (lab) => {
    const image = await lab.image();
    const run = (...command: string[]) => lab.docker.run(image, { command });
    const bash = await run("bash", "-c", 'echo "$0 $$ $(id -u)"', "it-is-bash");
    assert.equal(bash.stdout, "it-is-bash 1 2000\n");
    const help = await run("app:help");
    assert.equal(help.code, 0, help.text);
    assertHas(help.stdout, "app:start", "app:check");
    const version = await run("app:version");
    assert.equal(version.code, 0, version.text);
    assertHas((await run("mattermost", "version")).stdout, DEFAULT_RELEASE);
    assert.equal((await run("no-such-program")).code, 127);
    assert.equal((await run("/etc/passwd")).code, 126);
    assert.equal((await run("app:strat")).code, 64);

    const { options, environment } = await lab.network();
    const server = await lab.server("server", { options, environment });
    const { container } = server;
    await identity(server);
    // With a terminal, as for a user.
    const shell = await must([
      ...["script", "--quiet", "--return", "--command"],
      `docker exec -it ${container.id} bash -c 'tty; cat /proc/1/comm'`,
      "/dev/null",
    ], { environment: lab.docker.environment });
    // `script` may echo the end of its own input.
    const printed = shell.replaceAll(/\^[@D]|[\b\r]/g, "").trim();
    assert.match(printed, /^\/dev\/pts\/\d+\nmattermost$/);
  },
}, {
  name: "migrate",
  what:
    "app:migrate runs the server's migration, and fails if the database was not migrated",
  run: async (lab) => {
    const { database, options, environment } = await lab.network();
    const image = await lab.image();
    const migrate = () =>
      lab.docker.run(image, { options, environment, command: ["app:migrate"] });
    // The fake Mattermost does not change the database.
    const nothing = await migrate();
    assert.equal(nothing.code, 78, nothing.text);
    assertHas(
      nothing.text,
      "The migration failed although it ended with code 0",
    );
    await leaveMigrations(database, DEFAULT_RELEASE);
    const done = await migrate();
    assert.equal(done.code, 0, done.text);
    assertHas(
      done.text,
      "A fake Mattermost has nothing to migrate",
      "The migration is complete",
    );
  },
}];
