import assert from "node:assert/strict";
import { moveFindings } from "../../../../lib/commands/check/move.ts";
import type { Session, Survey } from "../../../../lib/database/session.ts";
import { releaseFacts } from "../../../../lib/mattermost/releases.ts";
import { FACTS } from "../../../support/database_facts.ts";

const MYSQL = { ...FACTS, product: "MySQL", version: "8.0.41" } as const;
const CLEAN: Survey = {
  plugin: "mysql_native_password",
  columns: [{ table: "Users", name: "Id", charset: "utf8mb4" }],
  values: [],
  unread: [],
};

/** A session of which only the survey is asked. */
function sessionWith(survey: Partial<Survey>): Session {
  const found = { ...CLEAN, ...survey };
  return { survey: () => Promise.resolve(found) } as unknown as Session;
}

const PLAN = {
  release: releaseFacts("10.11.23"),
  store: { kind: "file" },
} as const;

async function messages(
  survey: Partial<Survey>,
  facts: typeof FACTS = MYSQL,
): Promise<string[]> {
  const found = await moveFindings(facts, PLAN, sessionWith(survey));
  return found.map(({ level, message }) => `${level}: ${message}`);
}

Deno.test("app:check says that nothing is known to be in the way of a move", async () => {
  const nothing = [
    "ok: Nothing was found that a move to PostgreSQL would stumble over (docs/from-mysql.md)",
  ];
  assert.deepEqual(await messages({}), nothing);
  const { plugin: _, ...unknown } = CLEAN;
  const session = { survey: () => Promise.resolve(unknown) };
  const found = await moveFindings(
    MYSQL,
    { ...PLAN, release: releaseFacts("11.7.9") },
    session as unknown as Session,
  );
  assert.deepEqual(found.map(({ level }) => level), ["ok"]);
});

Deno.test("app:check names the plugin of a login that pgloader does not know", async () => {
  for (const plugin of ["caching_sha2_password", "ed25519"]) {
    const [first = "", ...others] = await messages({ plugin });
    assert.ok(first.includes(` plugin ${plugin}, `), first);
    assert.deepEqual(others, []);
  }
});

Deno.test("app:check names eight tables at most", async () => {
  const tables = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
  const [first] = await messages({
    columns: tables.map((table) => ({ table, name: "t", charset: "latin1" })),
  });
  assert.match(
    first ?? "",
    /^warning: a \(latin1\), .* h \(latin1\) and 2 more:/,
  );
});

Deno.test("app:check knows other programs' tables only by the names of migrations", async () => {
  const columns = ["Users", "TeamMembers", "wp_posts", "db_lock"]
    .map((table) => ({ table, name: "id", charset: "" }));
  const facts = (names: readonly string[]): typeof FACTS => {
    const migrations = names.map((name, number) => ({ number, name }));
    return { ...MYSQL, schema: { ...MYSQL.schema, migrations } };
  };
  const nothing = await messages({});
  assert.deepEqual(await messages({ columns }), nothing);
  // The first start was interrupted.
  assert.deepEqual(
    await messages({ columns }, facts(["create_teams"])),
    nothing,
  );
  const all = ["create_users", "create_team_members", "create_channels"];
  assert.deepEqual(await messages({ columns }, facts(all)), [
    "warning: wp_posts: tables that are not Mattermost's stay behind",
  ]);
});

Deno.test("app:check asks nothing about a move on PostgreSQL, and without Mattermost's tables", async () => {
  assert.deepEqual(await moveFindings(FACTS, PLAN, {} as Session), []);
  const schema = { ...MYSQL.schema, installed: false };
  assert.deepEqual(await messages({}, { ...MYSQL, schema }), []);
});
