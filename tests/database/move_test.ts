/**
 * What `app:check` says before a move from MySQL to PostgreSQL.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createConnection } from "mysql/promise";
import type { Finding } from "../../lib/commands/check/finding.ts";
import { moveFindings } from "../../lib/commands/check/move.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import { releaseFacts } from "../../lib/mattermost/releases.ts";
import { parseFileNames } from "../../lib/mattermost/migrations.ts";
import { products, startWithUser, withSession } from "./support.ts";

const MIGRATIONS = parseFileNames(
  Deno.readTextFileSync("tests/fixtures/migration_names/10.11.0.txt"),
  "mysql",
);

/** Tables of 10.11 with the columns that matter, and values that PostgreSQL takes. */
const TABLES = [
  "CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value text)",
  "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, Props json, NotifyProps json, Timezone json)",
  "CREATE TABLE Posts (Id varchar(26) PRIMARY KEY, Message text, Props json)",
  "CREATE TABLE Channels (Id varchar(26) PRIMARY KEY, Name varchar(64))",
  "CREATE TABLE FileInfo (Id varchar(26) PRIMARY KEY, Path text, Name text, Content longblob)",
  "CREATE TABLE Threads (PostId varchar(26) PRIMARY KEY, Participants json)",
  "CREATE TABLE PostReminders (PostId varchar(26) PRIMARY KEY)",
  "CREATE TABLE RetentionPoliciesTeams (PolicyId varchar(26) PRIMARY KEY)",
  "CREATE TABLE db_migrations (Version bigint PRIMARY KEY, Name varchar(64))",
  "CREATE TABLE db_lock (Id varchar(64) PRIMARY KEY)",
  `INSERT INTO db_migrations VALUES ${
    MIGRATIONS.map(({ number, name }) => `(${number}, '${name}')`).join(", ")
  }`,
  // 200 characters in 400 bytes.
  `INSERT INTO FileInfo VALUES ('short', 'path', REPEAT('ü', 200), NULL)`,
  String
    .raw`INSERT INTO Posts VALUES ('p', 'text', '{"a": "a backslash: \\\\u0000"}')`,
  "INSERT INTO Channels VALUES ('c', 'town-square')",
  "CREATE VIEW Anything AS SELECT Id FROM Posts",
];

interface Case {
  readonly title: string;
  readonly change: readonly string[];
  /** The messages and remedies that the change adds. */
  readonly expected: readonly (readonly [message: RegExp, remedy: RegExp])[];
}

const CASES: readonly Case[] = [
  {
    title: "a table in latin1",
    change: ["CREATE TABLE Bots (Description text) CHARACTER SET latin1"],
    expected: [[
      /^Bots \(latin1\): pgloader damages characters/,
      /^ALTER TABLE `Bots` CONVERT TO CHARACTER SET utf8mb4;/,
    ]],
  },
  {
    title: "utf8mb3",
    change: ["CREATE TABLE Bots (Description text) CHARACTER SET utf8mb3"],
    expected: [],
  },
  {
    title: "columns of older releases",
    change: [
      "ALTER TABLE Threads ADD COLUMN TeamId varchar(26)",
      "CREATE TABLE SharedChannelRemotes (Description text)",
    ],
    expected: [
      [
        /^The column SharedChannelRemotes\.Description was left/,
        /^ALTER TABLE `SharedChannelRemotes` DROP COLUMN `Description`;$/,
      ],
      [
        /^The column Threads\.TeamId was left/,
        /^ALTER TABLE `Threads` DROP COLUMN `TeamId`;$/,
      ],
    ],
  },
  {
    title: "tables of plugins and of other programs",
    change: [
      "CREATE TABLE focalboard_blocks (id int)",
      "CREATE TABLE focalboard_teams (id int)",
      "CREATE TABLE IR_Incident (id int)",
      "CREATE TABLE calls_sessions (id int)",
      "CREATE TABLE wp_posts (id int)",
    ],
    expected: [
      [
        /^focalboard_blocks, focalboard_teams: .*plugin boards/,
        /^migration-assist pgloader boards .* > boards\.load/,
      ],
      [/^IR_Incident: .*plugin playbooks/, /pgloader playbooks /],
      [/^calls_sessions: .*plugin calls/, /pgloader calls /],
      [/^wp_posts: tables that are not Mattermost's stay behind$/, /^Keep/],
    ],
  },
  {
    title: "long texts",
    change: [
      "INSERT INTO FileInfo VALUES ('long', 'path', REPEAT('ü', 257), NULL)",
      "INSERT INTO Systems VALUES ('one', REPEAT('x', 1025)), ('two', REPEAT('x', 1025))",
    ],
    expected: [
      [
        /^FileInfo\.Name: 1 value with more than 256 characters/,
        /^SELECT \* FROM `FileInfo` WHERE CHAR_LENGTH\(`Name`\) > 256;/,
      ],
      [/^Systems\.Value: 2 values with more than 1024 characters/, /^SELECT/],
    ],
  },
  {
    title: "JSON with the character 0",
    change: [
      String
        .raw`INSERT INTO Posts VALUES ('q', 'text', '{"a": "zero: \\u0000"}'), ('r', 'text', '{"a": "both: \\\\\\u0000"}')`,
    ],
    expected: [[
      /^Posts\.Props: 2 values with the character \\u0000/,
      /^UPDATE `Posts` SET `Props` = REPLACE/,
    ]],
  },
  {
    title: "capitals in the name of a channel",
    change: ["INSERT INTO Channels VALUES ('d', 'Tech-Talk')"],
    expected: [[
      /^Channels\.Name: 1 value with capitals/,
      /^UPDATE `Channels`/,
    ]],
  },
];

/** Findings that each database of the product has. */
const ALWAYS: Readonly<Record<string, RegExp>> = {
  MariaDB: /^The database is MariaDB/,
  MySQL:
    /^The database's user has the authentication plugin caching_sha2_password/,
};

async function findings(
  source: DataSource,
  { release = "10.11.23", store = "file" as "file" | "database" } = {},
): Promise<Finding[]> {
  return await withSession(source, async (session) => {
    const facts = await session.facts();
    return await moveFindings(facts, {
      release: releaseFacts(release),
      store: { kind: store },
    }, session);
  });
}

for (const product of products()) {
  if (product.adapter !== "mysql") continue;
  Deno.test(`${product.name}: app:check finds what a move to PostgreSQL stumbles over`, async (test) => {
    const { server, source } = await startWithUser(product);
    await using _ = server;
    let number = 0;
    const make = async (change: readonly string[]): Promise<DataSource> => {
      const database = `move${++number}`;
      await server.sql(
        `CREATE DATABASE ${database} CHARACTER SET utf8mb4; GRANT ALL PRIVILEGES ON ${database}.* TO ${source.user}`,
      );
      for (const text of [...TABLES, ...change]) {
        await server.sql(text, database);
      }
      return { ...source, database };
    };
    const always = ALWAYS[product.name] ?? /^$/;
    for (const { title, change, expected } of CASES) {
      await test.step(title, async () => {
        const [first, ...found] = await findings(await make(change));
        assert.match(first?.message ?? "", always);
        assert.deepEqual(
          found.map(({ check, level }) => `${level} ${check}`),
          expected.map(() => "warning database.move"),
          JSON.stringify(found, null, 2),
        );
        expected.forEach(([message, remedy], index) => {
          assert.match(found[index]?.message ?? "", message);
          assert.match(found[index]?.remedy ?? "", remedy);
        });
      });
    }
    await test.step("statements that correct values do so", async () => {
      const changed = await make(
        CASES.flatMap(({ title, change }) =>
          /JSON|capitals/.test(title) ? change : []
        ),
      );
      const statements = (await findings(changed))
        .map(({ remedy = "" }) => remedy)
        .filter((remedy) => remedy.startsWith("UPDATE"));
      assert.equal(statements.length, 2);
      for (const text of statements) {
        // The one with an escaped backslash would no longer be JSON.
        await server.sql("DELETE FROM Posts WHERE Id = 'r'", changed.database);
        await server.sql(text, changed.database);
      }
      assert.equal((await findings(changed)).length, 1);
    });
    await test.step("a configuration in the database", async () => {
      const found = await findings(await make([]), { store: "database" });
      assert.match(found.at(-1)?.message ?? "", /^The configuration is in/);
    });
    await test.step("a release for which MySQL is not the past", async () => {
      const [found, ...others] = await findings(await make([]), {
        release: "9.11.18",
      });
      assert.equal(found?.level, "ok");
      assert.match(found?.message ?? "", /docs\/from-mysql\.md/);
      assert.deepEqual(others, []);
    });
    await test.step("without Mattermost's tables", async () => {
      assert.deepEqual(await findings(source), []);
    });
    await test.step("a table that cannot be read in time", async () => {
      const busy = await make([]);
      const { user, password, socket: socketPath } = server;
      const { database } = busy;
      const other = await createConnection({
        socketPath,
        user,
        password,
        database,
      });
      await other.query("LOCK TABLES Posts WRITE");
      const last = (await findings(busy)).at(-1);
      await other.end();
      assert.match(last?.message ?? "", /^Posts: too large or too busy/);
      assert.match(last?.remedy ?? "", /^SELECT COUNT\(IF\(.* FROM `Posts`;/);
    });
  });
}

/** The queries of the document about the move, for one of its two shell functions. */
function documentedQueries(name: "my" | "pg"): readonly string[] {
  const text = Deno.readTextFileSync("docs/from-mysql.md");
  const regexp = new RegExp(
    `^${name} <<'SQL'[^\\n]*\\n(SELECT .*?)^SQL$`,
    "gms",
  );
  return [...text.matchAll(regexp)].map(([, query = ""]) => query);
}

for (const product of products()) {
  Deno.test(`${product.name}: the queries of docs/from-mysql.md list columns, and count rows`, async () => {
    const { server, source: { database } } = await startWithUser(product);
    await using _ = server;
    await server.sql(
      "CREATE TABLE Users (Id varchar(26), Name varchar(64))",
      database,
    );
    await server.sql(
      "INSERT INTO Users VALUES ('a', 'b'), ('c', 'd')",
      database,
    );
    const run = async (query: string): Promise<unknown[]> =>
      (await server.sql(query, database)).map((row) =>
        Object.values(row).join(" ")
      );
    const isMysql = product.adapter === "mysql";
    const [columns = "", counts = ""] = documentedQueries(
      isMysql ? "my" : "pg",
    );
    assert.deepEqual((await run(columns)).sort(), ["users.id", "users.name"]);
    const [count, ...others] = await run(counts);
    assert.deepEqual(others, []);
    assert.deepEqual(await run(String(count)), ["users 2"]);
  });
}
