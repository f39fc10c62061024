/**
 * The samples, started with the commands in their first lines.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { must } from "../command.ts";
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
  what: "_FILE variables read compose secrets",
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
}];

/** Copies a sample to the directory of the case. */
export async function sampleCopy(lab: Lab, name: string): Promise<string> {
  await must(["cp", "-a", join(lab.root, "samples", name), lab.directory]);
  return join(lab.directory, name);
}
