import assert from "node:assert/strict";
import type { SchemaFacts } from "../../lib/database/session.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { factsOf, products, startWithUser } from "./support.ts";

/** Tables of a generation of Mattermost, reduced to what distinguishes it. */
interface Generation {
  readonly title: string;
  readonly tables: readonly string[];
  readonly schema: SchemaFacts;
}

const SYSTEMS =
  "CREATE TABLE Systems (Name varchar(64) PRIMARY KEY, Value varchar(1024))";
const USERS =
  "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, Username varchar(64), AuthData varchar(128))";
const MIGRATIONS =
  "CREATE TABLE db_migrations (Version bigint NOT NULL PRIMARY KEY, Name varchar(64) NOT NULL)";

const GENERATIONS: readonly Generation[] = [
  {
    title: "2.2, with users of one team each",
    tables: [
      SYSTEMS,
      "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, TeamId varchar(26))",
      "INSERT INTO Systems VALUES ('Version', '2.2.0'), ('DiagnosticId', 'x')",
    ],
    schema: { installed: true, usersHaveTeamId: true, systemsVersion: "2.2.0" },
  },
  {
    title: "3.6",
    tables: [SYSTEMS, USERS, "INSERT INTO Systems VALUES ('Version', '3.6.0')"],
    schema: {
      installed: true,
      usersHaveTeamId: false,
      systemsVersion: "3.6.0",
    },
  },
  {
    title: "6.7, with both version sources",
    tables: [
      SYSTEMS,
      USERS,
      MIGRATIONS,
      "INSERT INTO Systems VALUES ('Version', '6.4.0')",
      "INSERT INTO db_migrations VALUES (1, 'create_teams'), (91, 'last'), (2, 'create_team_members')",
    ],
    schema: {
      installed: true,
      usersHaveTeamId: false,
      systemsVersion: "6.4.0",
      lastMigration: 91,
    },
  },
  {
    title: "11, installed without a version row",
    tables: [
      SYSTEMS,
      USERS,
      MIGRATIONS,
      "INSERT INTO db_migrations VALUES (141, 'a'), (140, 'b')",
    ],
    schema: { installed: true, usersHaveTeamId: false, lastMigration: 141 },
  },
  {
    title: "11, interrupted before its first migration",
    tables: [SYSTEMS, USERS, MIGRATIONS],
    schema: { installed: true, usersHaveTeamId: false },
  },
  {
    title: "another program",
    tables: [
      "CREATE TABLE Users (Id int PRIMARY KEY, TeamId int)",
      "CREATE TABLE wp_posts (Id int PRIMARY KEY)",
      MIGRATIONS,
      "INSERT INTO db_migrations VALUES (7, 'of the other program')",
    ],
    schema: { installed: false, usersHaveTeamId: false },
  },
  {
    title: "another program with a table Systems",
    tables: ["CREATE TABLE Systems (Id int PRIMARY KEY, Name text)", USERS],
    schema: { installed: false, usersHaveTeamId: false },
  },
  {
    title: "another program with tables Systems and db_migrations",
    tables: [
      "CREATE TABLE Systems (Id int PRIMARY KEY, Name text)",
      USERS,
      "CREATE TABLE db_migrations (Id int PRIMARY KEY)",
    ],
    schema: { installed: false, usersHaveTeamId: false },
  },
  {
    title: "5.37, and of another program's migrations",
    tables: [
      SYSTEMS,
      "INSERT INTO Systems VALUES ('Version', '5.37.0')",
      USERS,
      "CREATE TABLE db_migrations (Id int PRIMARY KEY)",
    ],
    schema: {
      installed: true,
      systemsVersion: "5.37.0",
      usersHaveTeamId: false,
    },
  },
];

const found = products();

for (const product of found) {
  let server: DatabaseServer;
  let source: DataSource;

  Deno.test.beforeAll(async () => {
    ({ server, source } = await startWithUser(product));
  });
  Deno.test.afterAll(() => server.stop());

  for (const [index, { title, tables, schema }] of GENERATIONS.entries()) {
    Deno.test(`${product.name}: the tables of ${title}, are recognised`, async () => {
      const database = `generation${index}`;
      for (const text of product.createDatabase(database, source.user)) {
        await server.sql(text);
      }
      for (const text of tables) await server.sql(text, database);
      if (product.adapter === "postgres") {
        await server.sql(
          `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${source.user}`,
          database,
        );
      }
      for (const expectsTables of [false, true]) {
        const facts = await factsOf({ ...source, database }, { expectsTables });
        assert.deepEqual(facts.schema, schema);
      }
    });
  }
}

for (const product of found.filter(({ name }) => name === "MariaDB")) {
  Deno.test("MariaDB: table names in lower case are recognised", async () => {
    const { server, source } = await startWithUser(product, {
      settings: { "lower-case-table-names": 1 },
    });
    await using _ = server;
    await server.sql(SYSTEMS, source.database);
    await server.sql(USERS, source.database);
    assert.equal((await factsOf(source)).schema.installed, true);
  });
}
