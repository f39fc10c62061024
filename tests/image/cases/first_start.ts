/**
 * The first start in other environments: ports, sub-paths, volumes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  assertHas,
  type Case,
  getJson,
  identity,
  leaveMigrations,
} from "../lab.ts";

const DATA = "/opt/mattermost/data";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "privileged-port",
  what:
    "where port 80 is privileged, a start is refused with code 78, and MATTERMOST_PORT=8065 works",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const privileged = [
      ...options,
      "--sysctl=net.ipv4.ip_unprivileged_port_start=1024",
    ];
    const image = await lab.image();
    for (const user of ["2000:2000", "root"]) {
      const { code, text } = await lab.docker.run(image, {
        options: [...privileged, `--user=${user}`],
        environment,
      });
      assert.equal(code, 78, text);
      assertHas(text, "User 2000:2000 may not listen on port 80", "8065");
    }
    const { container } = await lab.server("server", {
      options: privileged,
      environment: { ...environment, MATTERMOST_PORT: "8065" },
    });
    await container.health("healthy");
    assertHas(
      await container.exec(["mattermost-entrypoint", "app:check"]),
      "ok port.available: The server runs and listens on port 8065",
    );
  },
}, {
  name: "sub-path",
  what:
    "a sub-path is refused with a read-only root file system, and works with the override of the remedy",
  run: async (lab) => {
    const compose = lab.docker.compose(join(lab.root, "docker-compose.yml"), {
      MATTERMOST_IMAGE: await lab.image(),
      MATTERMOST_SITE_URL: "http://localhost:8085/chat",
      MATTERMOST_PUBLISH: "127.0.0.1:8085",
    });
    const refusal = String(
      await compose("run", "--rm", "mattermost").catch((error) => error),
    );
    const [, override = ""] =
      /→ echo '(.*)' >docker-compose\.override\.yml/.exec(refusal) ?? [];
    assert.notEqual(override, "", refusal);
    const file = join(lab.directory, "docker-compose.override.yml");
    await Deno.writeTextFile(file, override);
    await compose("--file", file, "up", "--detach", "--wait", "--no-build");
    await getJson("http://127.0.0.1:8085/chat/api/v4/system/ping");
    const server = await lab.docker.service("mattermost");
    assertHas(await server.exec(["cat", "client/root.html"]), "/chat/static/");
    // The site is localhost, which is another machine for this container.
    assertHas(
      await compose("run", "--rm", "--no-deps", "mattermost", "app:check")
        .catch(String),
      "ok site.answer: The server answers at http://mattermost/chat/api/v4/system/ping",
    );
  },
}, {
  name: "lost-volume",
  what:
    "a database in use that meets an empty volume is a warning that says what is lost",
  run: async (lab) => {
    const { options, environment, database } = await lab.network();
    const first = await lab.server("first", { options, environment });
    await identity(first);
    await leaveMigrations(database, "11.7.9");
    const second = await lab.server("second", { options, environment });
    await identity(second);
    assertHas(
      await second.container.logs(),
      `The database is in use, but ${DATA} is empty`,
      "the generated secrets",
      "docker volume ls",
    );
  },
}, {
  name: "adoption",
  what:
    "volumes of the official image and of the one for 3.6 are refused with the variable that uses them",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const image = await lab.image();
    for (const directory of ["/mattermost/config", "/opt/mattermost/config"]) {
      const short = directory.split("/")[1] ?? "";
      const volume = await lab.docker.volume(
        `config-${short}`,
        {
          image,
          script:
            `echo '{"TeamSettings": {"SiteName": "Old"}}' >/volume/config.json && chown -R 2000:2000 /volume`,
        },
      );
      const mounted = [...options, `--volume=${volume}:${directory}`];
      const { code, text } = await lab.docker.run(image, {
        options: mounted,
        environment,
      });
      assert.equal(code, 78, text);
      assertHas(text, `MATTERMOST_CONF_DIR=${directory}`);
      const server = await lab.server(`server-${short}`, {
        options: mounted,
        environment: { ...environment, MATTERMOST_CONF_DIR: directory },
      });
      await identity(server);
      assertHas(
        await server.container.exec(["cat", `${directory}/config.json`]),
        '"Old"',
      );
    }
  },
}];
