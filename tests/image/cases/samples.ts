/**
 * The samples, with the commands of their READMEs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { must } from "../command.ts";
import {
  assertHas,
  type Case,
  CONFIG,
  getJson,
  type Lab,
  LAST_MYSQL,
  readConfig,
} from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "secrets-sample",
  what:
    "_FILE variables read compose secrets, and a backup can be restored to new volumes",
  run: async (lab) => {
    const sample = await startSample(lab, "secrets");
    const server = await lab.docker.service("mattermost");
    const { FileSettings, SqlSettings } = await readConfig(server);
    const secret = async (name: string) =>
      await Deno.readTextFile(join(sample.directory, "secrets", name));
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
    const sql = async (statement: string) =>
      await (await lab.docker.service("postgres")).exec([
        ...["psql", "--username=mattermost", "--tuples-only", "--no-align"],
        ...["--command", statement],
      ]);
    await sql("CREATE TABLE kept AS SELECT 'as it was' AS value");
    await sampleCopy(lab, "backup");
    await backUpAndRestore(lab, sample, [
      "../backup/backup.sh create",
      "../backup/backup.sh restore backups/*/*\n",
    ]);
    assert.equal(await sql("SELECT value FROM kept"), "as it was");
  },
}, {
  name: "mysql-sample",
  what:
    "Mattermost 10.11 starts with MySQL 9 and caching_sha2_password, and a backup can be restored",
  run: async (lab) => {
    const sample = await startSample(lab, "mysql", {
      MATTERMOST_IMAGE: await lab.image(LAST_MYSQL),
      DB_PASS: "it's 50% $ecure\\",
      MYSQL_ROOT_PASSWORD: "of-root",
    });
    await getJson("http://127.0.0.1:8080/api/v4/system/ping");
    const database = await lab.docker.service("mysql");
    const plugin = await database.exec([
      ...["mysql", "--host=127.0.0.1", "--user=root", "--password=of-root"],
      ...["--silent", "--skip-column-names", "--execute"],
      "SELECT plugin FROM mysql.user WHERE user = 'mattermost'",
    ]);
    assert.equal(plugin, "caching_sha2_password");
    const scripts = await scriptsIn(join(sample.directory, "README.md"));
    const commands = scripts.filter((text) => text.includes("data.tar"));
    await backUpAndRestore(lab, sample, commands);
  },
}];

/** A sample with Compose that was started. */
export interface Sample {
  /** A copy of its directory. */
  readonly directory: string;
  /** The variables of its commands. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Starts a sample with the first script of its README, and waits until it is healthy.
 *
 * @param variables Take precedence over those that the script writes to `.env`.
 */
export async function startSample(
  lab: Lab,
  name: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Sample> {
  const sample = {
    directory: await sampleCopy(lab, name),
    environment: {
      ...lab.docker.environment,
      COMPOSE_PROJECT_NAME: lab.docker.name("project"),
      MATTERMOST_IMAGE: await lab.image(),
      ...variables,
    },
  };
  const [start] = await scriptsIn(join(sample.directory, "README.md"));
  await runScript(sample, `${start}docker compose up --detach --wait`);
  return sample;
}

/** Backs up a sample, removes its volumes and restores them, with a script for each. */
export async function backUpAndRestore(
  lab: Lab,
  sample: Sample,
  [backUp, restore]: readonly string[],
): Promise<void> {
  const config = async () =>
    await (await lab.docker.service("mattermost")).exec(["cat", CONFIG]);
  const before = await config();
  await runScript(sample, backUp);
  await runScript(sample, "docker compose down --volumes");
  await runScript(sample, `${restore}docker compose up --detach --wait`);
  assert.equal(await config(), before);
}

/** The scripts in a document. */
async function scriptsIn(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path);
  return [...text.matchAll(/^```bash\n(.*?)^```$/gms)]
    .map(([, script = ""]) => script);
}

async function runScript(
  { directory, environment }: Sample,
  script: string | undefined,
): Promise<void> {
  assert.ok(script !== undefined, "the README must have this script");
  await must(["bash", "-euo", "pipefail", "-c", script], {
    directory,
    environment,
  });
}

/** Copies a sample to the directory of the case. */
export async function sampleCopy(lab: Lab, name: string): Promise<string> {
  await must(["cp", "-a", join(lab.root, "samples", name), lab.directory]);
  return join(lab.directory, name);
}
