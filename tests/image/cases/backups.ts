/**
 * Backups of a Compose installation, and the move to a newer PostgreSQL, with the commands of the
 * documents.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { attempt, must, type Outcome } from "../command.ts";
import { assertHas, type Case, CONFIG, type Lab } from "../lab.ts";

/** How long a restore may take until it has renamed the database, in milliseconds. */
const PATIENCE = 60_000;

const SCRIPT = "samples/backup/backup.sh";
const DATA = "/opt/mattermost/data";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "backup",
  what:
    "a backup while users write can be restored elsewhere, with its users and every file that they have",
  run: async (lab) => {
    const old = await start(lab);
    await old.sh(await scriptIn(lab, `${SCRIPT} create`));
    const first = await old.lastBackup();
    const secrets = await old.secrets();
    const before = await old.rows();
    const stop = startWriting(old);
    await old.sh(`BACKUP_KEEP=1 ${SCRIPT} create`);
    await stop();
    const after = await old.rows();
    const backup = await old.lastBackup();
    await assert.rejects(Deno.stat(join(old.directory, first)));
    await old.sh("docker compose down");

    const copy = await old.beside();
    await copy.sh(
      (await scriptIn(lab, `${SCRIPT} restore`))
        .replace(/backups\/\S+/, backup),
    );
    const rows = await copy.rows();
    assert.ok(rows.length >= before.length, "what was there before");
    assert.ok(rows.length < after.length, "the last row came after the dump");
    assert.deepEqual(rows, after.slice(0, rows.length));
    await copy.sh("docker compose up --detach --wait");
    await copy.checkFiles();
    const restored = await copy.secrets();
    assert.equal(restored.key, secrets.key);
    assert.notEqual(restored.password, secrets.password);
    assertHas(restored.source, restored.password);
  },
}, {
  name: "backup-refused",
  what:
    "a backup that is damaged, or for an installation that is not empty, is refused, and half a restore does not start",
  run: async (lab) => {
    const old = await start(lab);
    // As on a full disk.
    const full = await old.attempt(`ulimit -f 1; ${SCRIPT} create`);
    assert.notEqual(full.code, 0, full.text);
    await old.sh(`${SCRIPT} create`);
    const backup = await old.lastBackup();
    const copy = await old.beside();
    for (const damage of ["truncate --size=-1", "sed -i s/PGDMP/PGDMQ/"]) {
      await old.sh(`cp -a ${backup} damaged; ${damage} damaged/database.dump`);
      for (const command of ["check", "restore"]) {
        const { code, text } = await copy.attempt(
          `${SCRIPT} ${command} damaged`,
        );
        assert.equal(code, 1, text);
        assertHas(text, "damaged is damaged: ");
      }
      await old.sh("rm -r damaged");
    }
    await old.sql("CREATE TABLE db_migrations AS SELECT 9999 AS version");
    await old.sh(`${SCRIPT} create`);
    const newer = await copy.attempt(
      `${SCRIPT} restore ${await old.lastBackup()}`,
    );
    assert.equal(newer.code, 1, newer.text);
    assertHas(newer.text, "which is older", "echo MATTERMOST_VERSION=");
    await isNotEmpty(old, backup, "the service mattermost is running");
    await old.sh("docker compose stop mattermost");
    await isNotEmpty(old, backup, "the database mattermost holds tables");
    await old.sh("docker compose down");

    const restoring = copy.attempt(
      `${SCRIPT} restore ${backup} & echo $! >pid; wait $!`,
    );
    const unfinished = "SELECT datname FROM pg_database";
    const deadline = Date.now() + PATIENCE;
    while (
      !(await copy.sql(unfinished, "template1").catch(() => ""))
        .includes("unfinished")
    ) {
      assert.ok(Date.now() < deadline, "the database must get another name");
    }
    await old.sh("kill $(cat pid)");
    assertHas((await restoring).text, "was not restored completely");
    const { code, text } = await copy.attempt(
      "docker compose run --rm -T mattermost",
    );
    assert.equal(code, 78, text);
    assertHas(text, "does not exist");
    await isNotEmpty(copy, backup, "was interrupted");
  },
}, {
  name: "newer-postgresql",
  what:
    "PostgreSQL 18 names the data of 15, and a backup moves them, each with its own dump tools",
  run: async (lab) => {
    const old = await start(lab, "POSTGRES_VERSION=15\n");
    const rows = await old.rows();
    assertHas(await old.sql("SHOW server_version"), "15.");
    const refused = await old.attempt(
      "POSTGRES_VERSION=18 docker compose up --detach --wait",
    );
    assert.notEqual(refused.code, 0, refused.text);
    assertHas(
      await old.sh("docker compose logs postgres"),
      "The volume is of PostgreSQL 15, which PostgreSQL 18 cannot read",
      "echo POSTGRES_VERSION=15 >>.env",
    );
    await old.sh("docker compose up --detach --wait postgres");
    const move = (await Deno.readTextFile(join(lab.root, "docs/upgrading.md")))
      .split("## A newer PostgreSQL")[1]?.split("```")[1]?.slice(2) ?? "";
    const copy = await old.beside();
    await old.sh(
      move.replace("mattermost-2", copy.project)
        .replace("BACKUP", "backups/*/*"),
      // As in a shell where only .env has the name.
      "unset COMPOSE_PROJECT_NAME; ",
    );
    assertHas(await copy.sql("SHOW server_version"), "18.");
    assert.deepEqual(await copy.rows(), rows);
  },
}];

/** A Compose project with the files of a clone. */
interface Installation {
  readonly directory: string;
  readonly project: string;
  /** Runs a script, which may fail. */
  readonly attempt: (script: string) => Promise<Outcome>;
  /** Runs a script, which must succeed. */
  readonly sh: (script: string, before?: string) => Promise<string>;
  readonly sql: (statement: string, database?: string) => Promise<string>;
  /** Users and files, in the order in which they were made. */
  readonly rows: () => Promise<string[]>;
  /** Compares the files that the database names with their SHA-256 sums. */
  readonly checkFiles: () => Promise<void>;
  readonly lastBackup: () => Promise<string>;
  readonly secrets: () => Promise<
    Record<"key" | "source" | "password", string>
  >;
  /** Another project with the same files and volumes of its own. */
  readonly beside: () => Promise<Installation>;
}

/** Starts the quick start, with a user and a file. */
async function start(lab: Lab, variables = ""): Promise<Installation> {
  const files = ["docker-compose.yml", "samples/backup"];
  await must(["cp", "-a", "--parents", ...files, lab.directory], {
    directory: lab.root,
  });
  await Deno.writeTextFile(
    join(lab.directory, ".env"),
    `MATTERMOST_IMAGE=${await lab.image()}\nCOMPOSE_PROJECT_NAME=${
      lab.docker.name("project")
    }\nCOMPOSE_FILE=docker-compose.yml:fast.yml\nMATTERMOST_PUBLISH=127.0.0.1:0\n${variables}`,
  );
  await Deno.writeTextFile(join(lab.directory, "fast.yml"), FAST);
  const made = installation(lab, "project");
  await made.sh("docker compose up --detach --wait");
  await made.sql(`
    CREATE TABLE users (number serial, id text, password text);
    CREATE TABLE fileinfo (number serial, path text, sum text);`);
  await write(made, "first");
  return made;
}

/** Saves most of the time until the first health check. */
const FAST = `services:
  mattermost: { healthcheck: { interval: 500ms } }
  postgres: { healthcheck: { interval: 300ms, retries: 100 } }
`;

function installation(
  lab: Lab,
  name: "project" | "project-2",
): Installation {
  const { directory } = lab;
  const project = lab.docker.name(name);
  const options = {
    directory,
    environment: { ...lab.docker.environment, COMPOSE_PROJECT_NAME: project },
  };
  const shell = ["bash", "-euo", "pipefail", "-c"];
  const sh = (script: string, before = "") =>
    must([...shell, before + script], options);
  const exec = (service: string, ...command: string[]) =>
    must(["docker", "compose", "exec", "-T", service, ...command], options);
  const sql = (statement: string, database = "mattermost") =>
    exec("postgres", ...[
      ...["psql", "--username=mattermost", `--dbname=${database}`],
      ...["--quiet", "--tuples-only", "--no-align", "--command", statement],
    ]);
  return {
    directory,
    project,
    attempt: (script) => attempt([...shell, script], options),
    sh,
    sql,
    rows: async () =>
      (await sql(`SELECT * FROM users JOIN fileinfo USING (number)
        ORDER BY number`)).split("\n"),
    checkFiles: async () => {
      const sums = await sql("SELECT sum || '  ' || path FROM fileinfo");
      const check = `cd ${DATA} && sha256sum --check --strict --quiet`;
      await must(
        ["docker", "compose", "exec", "-T", "mattermost", "sh", "-c", check],
        { ...options, input: sums },
      );
    },
    lastBackup: async () => await sh("ls -d backups/*/* | tail -n 1"),
    secrets: async () => {
      const config = JSON.parse(await exec("mattermost", "cat", CONFIG));
      return {
        key: config.SqlSettings.AtRestEncryptKey,
        source: config.SqlSettings.DataSource,
        password: await exec("mattermost", "cat", "/run/database/password"),
      };
    },
    beside: () => Promise.resolve(installation(lab, "project-2")),
  };
}

/** Writes a file and then the rows that name it, as Mattermost does. */
async function write(installed: Installation, id: string): Promise<void> {
  const sum = await installed.sh(`
    docker compose exec -T mattermost sh -euc 'cd ${DATA}; mkdir -p files
      head -c 100000 /dev/urandom >files/${id}; sha256sum <files/${id}'`);
  await installed.sql(`
    INSERT INTO users (id, password) VALUES ('${id}', 'hash of ${id}');
    INSERT INTO fileinfo (path, sum)
      VALUES ('files/${id}', '${sum.slice(0, 64)}');`);
}

/** Writes until the returned function is called, which writes once more. */
function startWriting(installed: Installation): () => Promise<void> {
  let isOver = false;
  const writing = (async () => {
    for (let number = 1; !isOver; number++) {
      await write(installed, `user-${number}`);
    }
    await write(installed, "last");
  })();
  return async () => {
    isOver = true;
    await writing;
  };
}

async function isNotEmpty(
  installed: Installation,
  backup: string,
  reason: string,
): Promise<void> {
  const { code, text } = await installed.attempt(`${SCRIPT} restore ${backup}`);
  assert.equal(code, 1, text);
  assertHas(text, `This installation is not empty: `, reason);
}

/** The first script of the sample's README with a command. */
async function scriptIn(lab: Lab, command: string): Promise<string> {
  const path = join(lab.root, "samples/backup/README.md");
  const scripts = [
    ...(await Deno.readTextFile(path)).matchAll(/^```(?:ba)?sh\n(.*?)^```$/gms),
  ].map(([, script = ""]) => script);
  const found = scripts.find((script) => script.includes(command));
  assert.ok(found !== undefined, `the README must have ${command}`);
  return found;
}
