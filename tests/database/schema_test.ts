import assert from "node:assert/strict";
import type { SchemaFacts } from "../../lib/database/session.ts";
import { parseFileNames } from "../../lib/mattermost/migrations.ts";
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

const INSTALLED: SchemaFacts = {
  installed: true,
  usersHaveTeamId: false,
  migrations: [],
};
const NOT_INSTALLED: SchemaFacts = { ...INSTALLED, installed: false };

/** More than the 1024 bytes to which MySQL's GROUP_CONCAT() is limited by default. */
const ALL = parseFileNames(
  Deno.readTextFileSync("tests/fixtures/migration_names/11.6.0.txt"),
  "postgres",
);

const GENERATIONS: readonly Generation[] = [
  {
    title: "2.2, with users of one team each",
    tables: [
      SYSTEMS,
      "CREATE TABLE Users (Id varchar(26) PRIMARY KEY, TeamId varchar(26))",
      "INSERT INTO Systems VALUES ('Version', '2.2.0'), ('DiagnosticId', 'x')",
    ],
    schema: {
      ...INSTALLED,
      usersHaveTeamId: true,
      systemsVersion: "2.2.0",
    },
  },
  {
    title: "3.6",
    tables: [SYSTEMS, USERS, "INSERT INTO Systems VALUES ('Version', '3.6.0')"],
    schema: {
      ...INSTALLED,
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
      "INSERT INTO db_migrations VALUES (1, 'create_teams'), (91, 'upgrade_users_v6.3'), (2, 'create_team_members')",
    ],
    schema: {
      ...INSTALLED,
      systemsVersion: "6.4.0",
      migrations: [
        { number: 1, name: "create_teams" },
        { number: 2, name: "create_team_members" },
        { number: 91, name: "upgrade_users_v6.3" },
      ],
    },
  },
  {
    title: "11, installed without a version row",
    tables: [
      SYSTEMS,
      USERS,
      MIGRATIONS,
      `INSERT INTO db_migrations VALUES ${
        ALL.map(({ number, name }) => `(${number}, '${name}')`).join(", ")
      }`,
    ],
    schema: { ...INSTALLED, migrations: ALL },
  },
  {
    title: "11, interrupted before its first migration",
    tables: [SYSTEMS, USERS, MIGRATIONS],
    schema: INSTALLED,
  },
  {
    title: "5.37, with the migrations of its own tool",
    tables: [
      SYSTEMS,
      USERS,
      "INSERT INTO Systems VALUES ('Version', '5.37.0')",
      "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)",
      "INSERT INTO schema_migrations VALUES (3, false)",
    ],
    schema: { ...INSTALLED, systemsVersion: "5.37.0" },
  },
  {
    title: "the configuration store alone",
    tables: [
      "CREATE TABLE Configurations (Id varchar(26) PRIMARY KEY, Value text)",
      "CREATE TABLE ConfigurationFiles (Name varchar(64) PRIMARY KEY)",
      "CREATE TABLE db_config_migrations (Version bigint NOT NULL PRIMARY KEY, Name varchar(64) NOT NULL)",
      "INSERT INTO db_config_migrations VALUES (1, 'create_configurations')",
    ],
    schema: NOT_INSTALLED,
  },
  {
    title: "11 before its first table",
    tables: [MIGRATIONS, "CREATE TABLE db_lock (Id varchar(64) PRIMARY KEY)"],
    schema: NOT_INSTALLED,
  },
  {
    title: "another program",
    tables: [
      "CREATE TABLE Users (Id int PRIMARY KEY, TeamId int)",
      "CREATE TABLE wp_posts (Id int PRIMARY KEY)",
      MIGRATIONS,
      "INSERT INTO db_migrations VALUES (7, 'of the other program')",
    ],
    schema: NOT_INSTALLED,
  },
  {
    title: "another program with a table Systems",
    tables: ["CREATE TABLE Systems (Id int PRIMARY KEY, Name text)", USERS],
    schema: NOT_INSTALLED,
  },
  {
    title: "another program with tables Systems and db_migrations",
    tables: [
      "CREATE TABLE Systems (Id int PRIMARY KEY, Name text)",
      USERS,
      "CREATE TABLE db_migrations (Id int PRIMARY KEY)",
    ],
    schema: NOT_INSTALLED,
  },
  {
    title: "5.37, and of another program's migrations",
    tables: [
      SYSTEMS,
      "INSERT INTO Systems VALUES ('Version', '5.37.0')",
      USERS,
      "CREATE TABLE db_migrations (Id int PRIMARY KEY)",
    ],
    schema: { ...INSTALLED, systemsVersion: "5.37.0" },
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

for (const product of found.filter(({ adapter }) => adapter === "postgres")) {
  Deno.test("PostgreSQL: tables in the schema that the data source names are recognised", async () => {
    const { server, source } = await startWithUser(product);
    await using _ = server;
    const role = `SET ROLE ${source.user}`;
    await server.sql(
      `CREATE SCHEMA chat AUTHORIZATION ${source.user}`,
      source.database,
    );
    for (const table of [SYSTEMS, USERS, MIGRATIONS]) {
      await server.sql(
        `${role}; SET search_path = chat; ${table}`,
        source.database,
      );
    }
    await server.sql(
      "INSERT INTO chat.db_migrations VALUES (7, 'seven')",
      source.database,
    );
    const expected = {
      ...INSTALLED,
      migrations: [{ number: 7, name: "seven" }],
    };
    assert.deepEqual((await factsOf(source)).schema, NOT_INSTALLED);
    for (
      const sessionParameters of [
        { search_path: "chat" },
        { options: "-c search_path=chat" },
      ]
    ) {
      const facts = await factsOf({ ...source, sessionParameters });
      assert.deepEqual(facts.schema, expected);
    }
  });
}
