/**
 * The samples, each started as its first lines say.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { attemptSync, must, pause } from "../../../tools/image/command.ts";
import {
  assertHas,
  type Case,
  getJson,
  type Lab,
  LAST_MYSQL,
  readConfig,
} from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "secrets-sample",
  what: "compose secrets arrive through the _FILE variables",
  run: async (lab) => {
    const directory = await sampleCopy(lab, "secrets");
    await must(["./make_secrets.sh"], { directory });
    const compose = lab.docker.compose(join(directory, "docker-compose.yml"), {
      MATTERMOST_IMAGE: await lab.image(),
    });
    await compose("up", "--detach", "--wait");
    const server = await lab.docker.service("mattermost");
    const { FileSettings, SqlSettings } = await readConfig(server);
    const secret = async (name: string) =>
      await Deno.readTextFile(join(directory, "secrets", name));
    assert.equal(
      FileSettings.PublicLinkSalt,
      await secret("mattermost_link_salt"),
    );
    assert.equal(
      SqlSettings.AtRestEncryptKey,
      await secret("mattermost_secret_key"),
    );
    const password = await secret("db_pass");
    assertHas(SqlSettings.DataSource, password);
    assert.ok(!(await server.logs()).includes(password));
  },
}, {
  name: "mysql-sample",
  what: "Mattermost 10.11 starts with MySQL 9 and caching_sha2_password",
  run: async (lab) => {
    const directory = await sampleCopy(lab, "mysql");
    const compose = lab.docker.compose(join(directory, "docker-compose.yml"), {
      MATTERMOST_IMAGE: await lab.image(LAST_MYSQL),
      DB_PASS: "it's 50% $ecure\\",
      MYSQL_ROOT_PASSWORD: "of-root",
    });
    await compose("up", "--detach", "--wait");
    await getJson("http://127.0.0.1:8080/api/v4/system/ping");
    const database = await lab.docker.service("mysql");
    const plugin = await database.exec([
      ...["mysql", "--host=127.0.0.1", "--user=root", "--password=of-root"],
      ...["--silent", "--skip-column-names", "--execute"],
      "SELECT plugin FROM mysql.user WHERE user = 'mattermost'",
    ]);
    assert.equal(plugin, "caching_sha2_password");
  },
}, {
  name: "swarm-sample",
  what: "a swarm stack with Docker secrets starts, and updates without a gap",
  run: async (lab) => {
    const directory = await sampleCopy(lab, "swarm");
    const environment = {
      ...lab.docker.environment,
      MATTERMOST_IMAGE: await lab.image(),
    };
    await lab.docker.must([
      ...["swarm", "init", "--advertise-addr", "127.0.0.1"],
    ]);
    lab.atEnd(() => leaveSwarm(lab));
    await must(["./make_secrets.sh"], { directory, environment });
    await lab.docker.must([
      ...["stack", "deploy", "--resolve-image=never", "--compose-file"],
      ...[join(directory, "docker-stack.yml"), STACK],
    ], { environment });
    const ping = "http://127.0.0.1:8080/api/v4/system/ping";
    await until("the stack answers", () => answers(ping));

    const newer = await lab.image("11.8.5");
    const update = lab.docker.must([
      ...["service", "update", "--quiet", "--no-resolve-image"],
      ...["--image", newer, `${STACK}_mattermost`],
    ]);
    let misses = 0;
    let isOver = false;
    const watch = (async () => {
      for (; !isOver; await pause(200)) {
        if (!await answers(ping)) misses++;
      }
    })();
    await update.finally(() => isOver = true);
    await watch;
    const state = await lab.docker.must([
      ...["service", "inspect", "--format", "{{.UpdateStatus.State}}"],
      `${STACK}_mattermost`,
    ]);
    assert.equal(state, "completed");
    assert.equal(misses, 0, "an update must leave no gap");
  },
}];

const STACK = "mattermost-test";

/** A sample's files in the case's directory. */
export async function sampleCopy(lab: Lab, name: string): Promise<string> {
  await must(["cp", "-a", join(lab.root, "samples", name), lab.directory]);
  return join(lab.directory, name);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function until(
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`Not in time: ${what}`);
    await pause(500);
  }
}

/** Takes the engine out of its swarm, with all that the stack had. */
function leaveSwarm(lab: Lab): void {
  const script = `
    docker stack rm "$0"
    docker swarm leave --force
    label="label=com.docker.stack.namespace=$0"
    docker ps --all --quiet --filter "$label" | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter "$label" | xargs -r docker volume rm
    docker network rm docker_gwbridge`;
  attemptSync(["sh", "-c", script, STACK], lab.docker.environment);
}
