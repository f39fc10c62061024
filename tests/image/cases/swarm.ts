/**
 * The swarm sample: a stack with Docker secrets, and its rolling update.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { attemptSync, must, pause } from "../command.ts";
import { type Case, getJson, type Lab } from "../lab.ts";
import { sampleCopy } from "./samples.ts";

/** How long the stack may take to start, in milliseconds. */
const PATIENCE = 120_000;

const STACK = "mattermost-test";
const SERVICE = `${STACK}_mattermost`;
const NEWER = "11.8.5";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "swarm-sample",
  what:
    "a swarm stack with Docker secrets starts, and an update causes no interruption",
  run: async (lab) => {
    const directory = await sampleCopy(lab, "swarm");
    const environment = {
      ...lab.docker.environment,
      MATTERMOST_IMAGE: await lab.image(),
    };
    const address = ["--advertise-addr", "127.0.0.1"];
    await lab.docker.must(["swarm", "init", ...address]);
    lab.atEnd(() => leaveSwarm(lab));
    await must(["./make_secrets.sh"], { directory, environment });
    await lab.docker.must([
      ...["stack", "deploy", "--resolve-image=never", "--compose-file"],
      ...[join(directory, "docker-stack.yml"), STACK],
    ], { environment });
    await started(lab);

    const newer = await lab.image(NEWER);
    let isOver = false;
    const update = lab.docker.must([
      ...["service", "update", "--quiet", "--detach=false"],
      ...["--no-resolve-image", "--image", newer, SERVICE],
    ]).finally(() => isOver = true);
    let gaps = 0;
    for (; !isOver; await pause(400)) {
      if ((await versions(lab)).length === 0) gaps++;
    }
    await update;
    const tasks = await lab.docker.must(["stack", "ps", "--no-trunc", STACK]);
    assert.deepEqual(await versions(lab), [NEWER], tasks);
    assert.equal(gaps, 0, "an update must leave no gap");
  },
}];

async function started(lab: Lab): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while ((await versions(lab)).length === 0) {
    if (Date.now() > deadline) {
      const { text } = await lab.docker.attempt(["service", "logs", SERVICE]);
      const tasks = await lab.docker.must(["stack", "ps", STACK]);
      throw new Error(`The stack did not start:\n${tasks}\n${text}`);
    }
    await pause(500);
  }
}

/**
 * The releases of the tasks that answer. The requests go to the tasks' own addresses, because
 * the load balancer of the published port needs IPVS, which not every kernel has.
 */
async function versions(lab: Lab): Promise<string[]> {
  const tasks = await lab.docker.must([
    ...["ps", "--quiet", "--no-trunc", "--filter"],
    `label=com.docker.swarm.service.name=${SERVICE}`,
  ]);
  const { stdout } = await lab.docker.attempt([
    ...["network", "inspect", "docker_gwbridge", "--format"],
    "{{range $id, $each := .Containers}}{{$id}} {{$each.IPv4Address}},{{end}}",
  ]);
  const addresses = stdout.split(",").map((line) => line.trim().split(/[ /]/))
    .filter(([id = ""]) => id !== "" && tasks.includes(id));
  const found = await Promise.all(addresses.map(async ([, address]) => {
    const who = await getJson(`http://${address}/fake/whoami`)
      .catch(() => undefined);
    return who?.["version"] ?? "";
  }));
  return found.filter((version) => version !== "");
}

/** Removes the stack and its objects, and leaves the swarm. */
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
