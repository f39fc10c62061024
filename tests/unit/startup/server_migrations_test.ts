import assert from "node:assert/strict";
import { makePlan } from "../../../lib/startup/plan.ts";
import {
  readServerMigrations,
  rememberMigrations,
} from "../../../lib/startup/server_migrations.ts";
import type { Plan } from "../../../lib/startup/plan.ts";
import {
  age,
  ENOUGH,
  INSTALL,
  installed,
  type Stage,
  stage,
} from "../../support/installation.ts";

const PROGRAM = `${INSTALL}/bin/mattermost`;
const SHIPPED = `${INSTALL}/migrations.txt`;
const REMEMBERED = "/opt/mattermost/data/MIGRATIONS";

const BINARY =
  "\x7fELF postgres/000001_create_teams.up.sqlmysql/000001_create_teams.up.sqlpostgres/000002_b.up.sql";

async function ready(
  version = "11.7.9",
): Promise<Stage & { readonly plan: Plan }> {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(PROGRAM, BINARY, 0o755);
  const staged = stage({
    files,
    env: { ...ENOUGH, MATTERMOST_VERSION: version },
  });
  return { ...staged, plan: await makePlan(staged.context) };
}

async function namesOf({ plan, system }: Stage & { readonly plan: Plan }) {
  const { contained, unsaved } = await readServerMigrations(plan, system);
  return {
    names: contained?.map(({ number, name }) => `${number} ${name}`).join(),
    isUnsaved: unsaved !== undefined,
  };
}

const FROM_PROGRAM = { names: "1 create_teams,2 b", isUnsaved: true };

Deno.test("the list of the image's build counts if it is for a program of this size", async () => {
  const staged = await ready();
  const { files } = staged.system;
  const list = "\npostgres/000007_listed.up.sql\nmysql/000007_other.up.sql\n";
  files.place(SHIPPED, `${BINARY.length}${list}`, 0o644);
  assert.deepEqual(await namesOf(staged), {
    names: "7 listed",
    isUnsaved: false,
  });
  files.place(SHIPPED, `${BINARY.length + 1}${list}`, 0o644);
  assert.deepEqual(await namesOf(staged), FROM_PROGRAM);
});

Deno.test("without a list the names are read from the program once, and remembered", async () => {
  const staged = await ready();
  const { plan, system } = staged;
  assert.deepEqual(await namesOf(staged), FROM_PROGRAM);
  const found = await readServerMigrations(plan, system);
  rememberMigrations(plan, found, system);
  assert.deepEqual(await namesOf(staged), {
    ...FROM_PROGRAM,
    isUnsaved: false,
  });
  assert.deepEqual(
    system.files.list("/opt/mattermost/data"),
    ["MIGRATIONS", "config"],
  );
  const { steps } = system.files;
  rememberMigrations(plan, await readServerMigrations(plan, system), system);
  assert.equal(system.files.steps, steps);
  // Another program.
  age(system.files, PROGRAM, 1000);
  assert.deepEqual(await namesOf(staged), FROM_PROGRAM);
  system.files.place(PROGRAM, `${BINARY} postgres/000003_c.up.sql`);
  assert.equal((await namesOf(staged)).names, "1 create_teams,2 b,3 c");
});

Deno.test("a remembered list that is damaged, foreign or cannot be written only costs time", async () => {
  const staged = await ready();
  const { plan, system } = staged;
  const { files } = system;
  for (
    const put of [
      () => files.place(REMEMBERED, ""),
      () => files.place(REMEMBERED, "1 2\npostgres/000009_x.up.sql\n"),
      () => files.link(REMEMBERED, PROGRAM),
      () => files.fifo(REMEMBERED),
    ]
  ) {
    files.nodes.delete(REMEMBERED);
    put();
    assert.deepEqual(await namesOf(staged), FROM_PROGRAM);
  }
  const found = await readServerMigrations(plan, system);
  rememberMigrations(plan, found, system);
  assert.ok(files.lstat(REMEMBERED)?.isFile);
  assert.equal(files.readText(PROGRAM), BINARY);
  files.nodes.delete(REMEMBERED);
  files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  rememberMigrations(plan, found, system);
  assert.equal(files.exists(REMEMBERED), false);
});

Deno.test("a program without names is remembered too, and its migrations are not known", async () => {
  const staged = await ready();
  const { plan, system } = staged;
  system.files.place(PROGRAM, "#!/bin/sh\n", 0o755);
  const found = await readServerMigrations(plan, system);
  assert.equal(found.contained, undefined);
  rememberMigrations(plan, found, system);
  assert.deepEqual(await namesOf(staged), {
    names: undefined,
    isUnsaved: false,
  });
});

Deno.test("nothing is read before 6.4, without a program, and from one that cannot be read", async () => {
  const nothing = { names: undefined, isUnsaved: false };
  assert.deepEqual(await namesOf(await ready("6.3.10")), nothing);
  const closed = await ready();
  closed.system.files.readParts = () => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  assert.deepEqual(await namesOf(closed), nothing);
  const missing = await ready();
  missing.system.files.nodes.delete(PROGRAM);
  assert.deepEqual(await namesOf(missing), nothing);
});

Deno.test("the versions of the drivers are remembered too, and decide what a data source means", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  const program = `${BINARY}dep\tgithub.com/lib/pq\tv1.12.3\th1:x=\n`;
  files.place(PROGRAM, program, 0o755);
  const MM_SQLSETTINGS_DATASOURCE =
    "postgres://mm:x@a,b/mm?sslmode=prefer&target_session_attrs=read-write";
  const env = {
    MATTERMOST_VERSION: "11.7.9",
    MM_SQLSETTINGS_DATASOURCE,
  };
  const { context, system } = stage({ files, env });
  const first = await makePlan(context);
  assert.equal(first.database.source.driver, undefined);
  const migrations = await readServerMigrations(first, system);
  assert.match(migrations.unsaved ?? "", /^github\.com\/lib\/pq v1\.12\.3$/m);
  rememberMigrations(first, migrations, system);
  const { source } = (await makePlan(context)).database;
  assert.equal(source.driver, "1.12.3");
  files.place(SHIPPED, `${program.length}\ngithub.com/lib/pq v1.10.9\n`, 0o644);
  await assert.rejects(makePlan(context), /1 setting is missing or wrong/);
});
