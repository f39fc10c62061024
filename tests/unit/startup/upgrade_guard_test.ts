import assert from "node:assert/strict";
import {
  guardUpgrade,
  type UpgradeSides,
} from "../../../lib/startup/upgrade_guard.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import type { SchemaFacts } from "../../../lib/database/session.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Permit } from "../../../lib/upgrade/verdict.ts";
import { FACTS } from "../../support/database_facts.ts";
import { ENOUGH, installed, stage } from "../../support/installation.ts";
import { migrationsOf } from "../../support/release_migrations.ts";

const OWN = migrationsOf("11.7.9");
const NEWER = migrationsOf("11.10.0");

/** A database, and a server of 11.7.9. */
function sides(schema: Partial<SchemaFacts>): UpgradeSides {
  return {
    facts: { ...FACTS, schema: { ...FACTS.schema, ...schema } },
    migrations: { contained: OWN },
  };
}

async function guard(
  schema: Partial<SchemaFacts>,
  { env = {}, versionFile }: {
    readonly env?: Record<string, string>;
    readonly versionFile?: string;
  } = {},
): Promise<{ permit: Permit; stderr: string }> {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data");
  if (versionFile !== undefined) {
    files.place("/opt/mattermost/data/VERSION", versionFile);
  }
  const { system, context } = stage({ files, env: { ...ENOUGH, ...env } });
  const plan = await makePlan(context);
  const permit = guardUpgrade(plan, sides(schema), context);
  return { permit, stderr: system.err.text };
}

Deno.test("an empty database is a new installation, even with a VERSION file", async () => {
  assert.equal((await guard({ installed: false })).permit.kind, "new");
  const withFile = await guard({ installed: false }, {
    versionFile: "11.7.9\n",
  });
  assert.equal(withFile.permit.kind, "new");
  assert.match(withFile.stderr, /check DB_HOST and DB_NAME/);
});

Deno.test("a complete database without a VERSION file is allowed", async () => {
  const { permit } = await guard({ migrations: OWN });
  assert.equal(permit.kind, "same");
});

Deno.test("a refusal ends with 78, and names MATTERMOST_FORCE_UPGRADE if it is advice", async () => {
  const downgrade = guard({ migrations: NEWER }, {
    versionFile: "11.10.0\n",
  });
  await assert.rejects(
    downgrade,
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      error.problems.some(({ subject, message }) =>
        subject === "MATTERMOST_FORCE_UPGRADE" &&
        /for a step back to an earlier patch, or for a replica/.test(message)
      ),
  );
  const forced = await guard({ migrations: NEWER }, {
    versionFile: "11.10.0\n",
    env: { MATTERMOST_FORCE_UPGRADE: "true" },
  });
  assert.ok(forced.permit.allowed);
  assert.match(forced.stderr, /overrides this refusal/);
});

Deno.test("an upgrade that the server itself cannot do cannot be forced", async () => {
  await assert.rejects(
    guard({ systemsVersion: "3.6.0" }, {
      env: { MATTERMOST_FORCE_UPGRADE: "true" },
    }),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      !error.problems.some(({ subject }) =>
        subject === "MATTERMOST_FORCE_UPGRADE"
      ),
  );
});

Deno.test("a VERSION file that cannot be read ends with 73, and does not count as missing", async () => {
  const files = installed();
  const { context } = stage({ files, uid: 1234, gid: 1234 });
  const plan = await makePlan(context);
  files.read = () => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  assert.throws(
    () => guardUpgrade(plan, sides({ migrations: NEWER }), context),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        "/opt/mattermost/data/VERSION, which records the release that last ran, cannot be read: permission denied (EACCES)" &&
      error.remedy ===
        "On the host: chown -R 1234:1234 HOST_DIRECTORY   # the one that is mounted at /opt/mattermost/data",
  );
});

Deno.test("a migration of tables that belong to another role is refused with 77, and a start without one is not", async () => {
  const { context } = stage({ files: installed() });
  const plan = await makePlan(context);
  const place = { schema: "public", searchPath: "public", owner: "postgres" };
  const foreign = (schema: Partial<SchemaFacts>): UpgradeSides => {
    const { facts, migrations } = sides(schema);
    return { facts: { ...facts, place }, migrations };
  };
  assert.throws(
    () =>
      guardUpgrade(plan, foreign({ migrations: OWN.slice(0, -1) }), context),
    (error) =>
      error instanceof EntrypointError && error.code === 77 &&
      /belong to the role postgres, so the migration would fail$/.test(
        error.message,
      ) && error.remedy?.includes("OWNER TO") === true,
  );
  const same = guardUpgrade(plan, foreign({ migrations: OWN }), context);
  assert.equal(same.kind, "same");
});

Deno.test("a VERSION that is not a regular file ends with 73 and its kind", async () => {
  const path = "/opt/mattermost/data/VERSION";
  const files = installed();
  files.place("/elsewhere", "11.7.9");
  const { context } = stage({ files });
  const plan = await makePlan(context);
  const things: readonly (readonly [string, () => void])[] = [
    ["a symbolic link", () => files.link(path, "/elsewhere")],
    ["a directory", () => files.makeDirectory(path)],
    ["a FIFO, a socket or a device", () => files.fifo(path)],
  ];
  for (const [what, put] of things) {
    files.nodes.delete(path);
    put();
    assert.throws(
      () => guardUpgrade(plan, sides({ migrations: NEWER }), context),
      (error) =>
        error instanceof EntrypointError && error.code === 73 &&
        error.message.startsWith(`${path} is ${what}, but must be`) &&
        error.remedy?.includes(` ${path} `) === true,
    );
  }
});
