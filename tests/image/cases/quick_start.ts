/**
 * The quick start of the README.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Case, getJson } from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "quick-start",
  what:
    "docker compose up becomes healthy, answers on port 8080 and is hardened",
  run: async (lab) => {
    const compose = lab.docker.compose(join(lab.root, "docker-compose.yml"), {
      MATTERMOST_IMAGE: await lab.image(),
    });
    await compose("up", "--detach", "--wait", "--no-build");
    const ping = await getJson(
      "http://127.0.0.1:8080/api/v4/system/ping?get_server_status=true",
    );
    assert.equal(ping["database_status"], "OK");
    assert.equal(ping["filestore_status"], "OK");
    const page = await fetch("http://127.0.0.1:8080/");
    assert.equal(page.status, 200);
    await page.body?.cancel();

    const server = await lab.docker.service("mattermost");
    const facts = await server.inspect(
      "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}",
    );
    assert.equal(facts, "2000:2000 true [ALL] [no-new-privileges:true]");
    const capabilities = await server.exec(["grep", "Cap", "/proc/1/status"]);
    for (const line of capabilities.split("\n")) {
      assert.match(line, /^Cap\w+:\s+0+$/);
    }
    const password = await server.exec(["cat", "/run/database/password"]);
    assert.match(password, /^[0-9a-f]{64}$/);
    const database = await lab.docker.service("postgres");
    assert.equal(
      await database.inspect(
        "{{range .NetworkSettings.Ports}}{{.}}{{end}}",
      ),
      "[]",
      "the database must not be published",
    );

    await compose("down");
    await compose("up", "--detach", "--wait", "--no-build");
    const again = await lab.docker.service("mattermost");
    assert.equal(
      await again.exec(["cat", "/run/database/password"]),
      password,
      "down and up again must keep the password",
    );
  },
}];
