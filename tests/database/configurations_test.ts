/**
 * What sessions read of a configuration in the database, and of other servers.
 *
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { LONGEST_CONFIG } from "../../lib/database/session.ts";
import { products, startWithUser, withSession } from "./support.ts";

/** The table as servers create it. */
const TABLE =
  "CREATE TABLE Configurations (Id VARCHAR(26) PRIMARY KEY, Value TEXT NOT NULL, CreateAt BIGINT NOT NULL, Active BOOLEAN NULL UNIQUE)";

for (const product of products()) {
  Deno.test(`${product.name}: the active configuration is read, or nothing`, async () => {
    const { server, source } = await startWithUser(product);
    const read = () =>
      withSession(source, (session) => session.configuration());
    // Under the lock of a migration, a table that appears meanwhile is seen, too.
    await withSession(source, async (session) => {
      assert.equal(await session.lock("test", ""), "held");
      assert.equal(await session.configuration(), undefined);
      await server.sql(TABLE, "mattermost");
      if (product.adapter === "postgres") {
        await server.sql(
          "GRANT SELECT ON configurations TO mmuser",
          "mattermost",
        );
      }
      assert.equal(await session.configuration(), undefined);
      await server.sql(
        "INSERT INTO Configurations VALUES ('a', '{}', 0, TRUE)",
        "mattermost",
      );
      assert.equal((await session.configuration())?.id, "a");
      await server.sql("DELETE FROM Configurations", "mattermost");
    });
    assert.equal(await read(), undefined);
    const long = JSON.stringify({ TeamSettings: { SiteName: "é".repeat(30) } });
    await server.sql(
      `INSERT INTO Configurations VALUES ('old', '{}', 1, NULL), ('new', ${
        product.text(long)
      }, 1790000000123, TRUE)`,
      "mattermost",
    );
    assert.deepEqual(await read(), {
      id: "new",
      text: long,
      createdAt: 1790000000123,
    });
  });

  Deno.test(`${product.name}: a value of the longest length is read, and a longer one leaves the session usable`, async () => {
    const { server, source } = await startWithUser(product);
    await server.sql(
      TABLE.replace(
        "TEXT",
        product.adapter === "mysql" ? "LONGTEXT" : "TEXT",
      ),
      "mattermost",
    );
    if (product.adapter === "postgres") {
      await server.sql(
        "GRANT SELECT ON configurations TO mmuser",
        "mattermost",
      );
    }
    await server.sql(
      `INSERT INTO Configurations VALUES ('a', repeat('x', ${LONGEST_CONFIG}), 1, TRUE)`,
      "mattermost",
    );
    await withSession(source, async (session) => {
      const found = await session.configuration();
      assert.equal(found?.text.length, LONGEST_CONFIG);
      await server.sql(
        "UPDATE Configurations SET Value = concat(Value, 'x')",
        "mattermost",
      );
      await assert.rejects(
        session.configuration(),
        /has more than 4194304 bytes, which no server stores/,
      );
      await session.facts();
    });
  });

  Deno.test(`${product.name}: only clients at other addresses may be servers`, async () => {
    const { server, source } = await startWithUser(product);
    await withSession(source, async (session) => {
      assert.deepEqual(await session.otherClients(), []);
      await withSession(source, async () => {
        assert.deepEqual(await session.otherClients(), []);
      });
      if (product.adapter === "mysql") {
        await withSession({ ...source, socket: server.socket }, async () => {
          assert.deepEqual(await session.otherClients(), ["localhost"]);
        });
        return;
      }
      // Like the server's driver, without a name.
      const client = postgres({
        ...source,
        host: server.socketDir,
        connection: { application_name: "" },
      });
      await client.unsafe("SELECT 1");
      assert.deepEqual(await session.otherClients(), ["a Unix socket"]);
      await client.end();
    });
  });
}

Deno.test("PostgreSQL: an error does not quote what is stored", async () => {
  const product = products().find(({ adapter }) => adapter === "postgres");
  assert.ok(product !== undefined);
  const { server, source } = await startWithUser(product);
  await server.sql(
    "CREATE VIEW configurations AS SELECT 'a' AS id, '{}' AS value, ('S3CRET' || now())::bigint AS createat, true AS active; GRANT SELECT ON configurations TO mmuser",
    "mattermost",
  );
  await withSession(source, async (session) => {
    await assert.rejects(
      session.configuration(),
      /has a value that is not of the column's type/,
    );
  });
});
