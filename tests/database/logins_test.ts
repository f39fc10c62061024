import assert from "node:assert/strict";
import fc from "fast-check";
import { connect } from "../../lib/database/connect.ts";
import { formatDsn, parseDsn } from "../../lib/database/dsn.ts";
import { ProbeError } from "../../lib/database/session.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import {
  factsOf,
  products,
  refusalOf,
  startWithUser,
  withSession,
} from "./support.ts";

for (const product of products()) {
  const { name, adapter } = product;
  const postgres = adapter === "postgres";
  let server: DatabaseServer;
  let source: DataSource;

  Deno.test.beforeAll(async () => {
    ({ server, source } = await startWithUser(product));
  });
  Deno.test.afterAll(() => server.stop());

  Deno.test(`${name}: the facts of an empty database are read`, async () => {
    const { version, serverTime, ...facts } = await factsOf(source);
    assert.deepEqual(facts, {
      product: name,
      readOnly: false,
      mayCreateTables: true,
      tls: false,
      schema: { installed: false, migrations: [], usersHaveTeamId: false },
      hasConfigurations: false,
      ...(postgres
        ? {
          encoding: "UTF8",
          collation: "C",
          isStandby: false,
          place: { schema: "public", searchPath: '"$user", public' },
        }
        : name === "MariaDB"
        ? { encoding: "latin1", collation: "latin1_swedish_ci" }
        : { encoding: "utf8mb4", collation: "utf8mb4_0900_ai_ci" }),
    });
    assert.match(version, /^\d+\.\d+/);
    assert(Math.abs(serverTime - Date.now()) < 60_000);
  });

  Deno.test(`${name}: a wrong password and an unknown user have the reason credentials`, async () => {
    for (const wrong of [{ password: "wrong" }, { user: "nobody" }]) {
      const error = await refusalOf({ ...source, ...wrong });
      assert.equal(error.reason, "credentials");
    }
  });

  Deno.test(`${name}: a missing database has the reason no such database`, async () => {
    const administrator = {
      ...source,
      user: server.user,
      password: server.password,
      database: "nowhere",
    };
    const error = await refusalOf(administrator);
    assert.equal(error.reason, "no such database");
    assert.match(error.message, /nowhere/);
  });

  Deno.test(`${name}: a name that does not resolve has the reason dns, and a closed port the reason refused`, async () => {
    const unknown = await refusalOf({ ...source, host: "db.invalid" });
    assert.equal(unknown.reason, "dns");
    const closed = await refusalOf({ ...source, port: 1 });
    assert.equal(closed.reason, "refused");
  });

  Deno.test(`${name}: a missing privilege to create tables is detected without creating one`, async () => {
    await server.sql(product.createUser("reader", "reader"));
    await server.sql(
      postgres
        ? "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        : `GRANT SELECT ON ${source.database}.* TO 'reader'@'%'`,
      source.database,
    );
    const reader = { ...source, user: "reader", password: "reader" };
    assert.equal((await factsOf(reader)).mayCreateTables, false);
    const rows = await server.sql(
      postgres
        ? "SELECT 1 FROM pg_tables WHERE schemaname = 'public'"
        : `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${source.database}'`,
      source.database,
    );
    assert.equal(rows.length, 0);
  });

  Deno.test(`${name}: a user without access to the database has the reason forbidden`, async () => {
    await server.sql(product.createUser("outsider", "hunter23"));
    if (postgres) {
      await server.sql(
        `REVOKE CONNECT ON DATABASE ${source.database} FROM PUBLIC`,
      );
    }
    const error = await refusalOf({
      ...source,
      user: "outsider",
      password: "hunter23",
    });
    assert.equal(error.reason, "forbidden");
  });

  Deno.test(`${name}: a server is read-only for a user, but not for an administrator`, async () => {
    const set = (value: "on" | "off") =>
      server.sql(
        postgres
          ? `ALTER ROLE mmuser SET default_transaction_read_only = ${value}`
          : `SET GLOBAL read_only = ${value}`,
      );
    await set("on");
    try {
      assert.equal((await factsOf(source)).readOnly, true);
      const administrator = {
        ...source,
        user: server.user,
        password: server.password,
      };
      assert.equal((await factsOf(administrator)).readOnly, false);
    } finally {
      await set("off");
    }
    assert.equal((await factsOf(source)).readOnly, false);
  });

  Deno.test(`${name}: passwords with every printable ASCII character and UTF-8 log in from the DSN`, async () => {
    const ascii = Array.from(
      { length: 95 },
      (_, index) => String.fromCharCode(32 + index),
    );
    const passwords = [
      ascii.join(""),
      ascii.toReversed().join(""),
      ...ascii.map((sign) => `${sign}a${sign}`),
      "pässwörd-ключ-密码-🔑",
    ];
    for (const password of passwords) {
      await server.sql(
        postgres
          ? `ALTER ROLE mmuser PASSWORD ${product.text(password)}`
          : `ALTER USER 'mmuser'@'%' IDENTIFIED BY ${product.text(password)}`,
      );
      const login = { ...source, password };
      const read = parseDsn(adapter, formatDsn(login));
      assert.equal(read.password, password);
      await withSession(read, () => Promise.resolve());
    }
    await server.sql(
      postgres
        ? "ALTER ROLE mmuser PASSWORD 'hunter22'"
        : "ALTER USER 'mmuser'@'%' IDENTIFIED BY 'hunter22'",
    );
  });

  Deno.test(`${name}: random users, passwords and databases log in from the DSN`, async () => {
    // The products limit the length of names, and forbid a blank at the end.
    const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 })
      .filter((text) => /^[^\p{C}\s:/?%]+$/u.test(text))
      .filter((text) => new TextEncoder().encode(text).length < 30);
    const login = fc.record({
      // Names of MySQL cannot contain characters beyond the Basic Multilingual Plane.
      // PostgreSQL normalises passwords to NFKC; neither this driver nor the server's does.
      user: word.filter((text) => !/[\u{10000}-\u{10ffff}]/u.test(text)),
      password: word.map((text) => text.normalize("NFKC")),
      database: word.filter((text) => !/[\u{10000}-\u{10ffff}.@]/u.test(text)),
    });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(login, async (values) => {
        const user = `${count}${values.user}`;
        const database = `d${count++}${values.database}`;
        await server.sql(product.createUser(user, values.password));
        for (const text of product.createDatabase(database, user)) {
          await server.sql(text);
        }
        const login = { ...source, user, password: values.password, database };
        await factsOf(parseDsn(adapter, formatDsn(login)));
        await server.sql(`DROP DATABASE ${product.identifier(database)}`);
      }),
      { numRuns: 8 },
    );
  });

  // MySQL caches a password after its first login, and drops it when the account changes.
  if (name === "MySQL") {
    for (const method of ["caching_sha2_password", "sha256_password"]) {
      Deno.test(`${name}: ${method} logs in over each kind of connection`, async () => {
        const { socket } = server;
        const ways: Partial<DataSource>[] = [
          { sslMode: "disable" },
          { sslMode: "require" },
          { host: "localhost", ...(socket === undefined ? {} : { socket }) },
        ];
        for (const [index, way] of ways.entries()) {
          const user = `${method}${index}`.slice(-32);
          const password = `${"pässwörd ".repeat(9)}${index}`;
          await server.sql(
            `CREATE USER '${user}'@'%' IDENTIFIED WITH ${method} BY '${password}'`,
          );
          await server.sql(
            `GRANT ALL ON ${source.database}.* TO '${user}'@'%'`,
          );
          const login = { ...source, ...way, user, password };
          for (const time of ["unknown", "known"]) {
            const { tls } = await factsOf(login);
            assert.equal(tls !== false, way.sslMode === "require", time);
          }
          const error = await refusalOf({ ...login, password: "wrong" });
          assert.equal(error.reason, "credentials");
        }
      });
    }
  }

  if (!postgres) {
    Deno.test(`${name}: an account without a password logs in, and an account with one needs it`, async () => {
      await server.sql(`CREATE USER 'open'@'%'`);
      await server.sql(`GRANT ALL ON ${source.database}.* TO 'open'@'%'`);
      await factsOf({ ...source, user: "open", password: "" });
      await assert.rejects(factsOf({ ...source, password: "" }), {
        reason: "credentials",
      });
    });
  }

  Deno.test(`${name}: a login through the unix socket succeeds`, async () => {
    const local = {
      ...source,
      host: "localhost",
      socket: postgres ? server.socketDir : server.socket,
    };
    assert.equal((await factsOf(local)).product, name);
  });

  Deno.test(`${name}: a user at the limit of connections has the reason user limit`, async () => {
    await server.sql(
      postgres
        ? "ALTER ROLE mmuser CONNECTION LIMIT 1"
        : "ALTER USER 'mmuser'@'%' WITH MAX_USER_CONNECTIONS 1",
    );
    try {
      await withSession(source, async () => {
        const error = await refusalOf(source);
        assert.equal(error.reason, "user limit");
      });
    } finally {
      await server.sql(
        postgres
          ? "ALTER ROLE mmuser CONNECTION LIMIT -1"
          : "ALTER USER 'mmuser'@'%' WITH MAX_USER_CONNECTIONS 0",
      );
    }
  });

  Deno.test({
    name:
      `${name}: a session reports that the server has ended, and can be closed`,
    // The restarted server is another process.
    sanitizeOps: false,
    sanitizeResources: false,
  }, async () => {
    const session = await connect(source, {
      signal: new AbortController().signal,
    });
    await session.facts();
    await server.restart();
    await assert.rejects(session.lock("start", ""), (error) => {
      assert(error instanceof ProbeError, String(error));
      assert(["protocol", "starting up"].includes(error.reason), error.reason);
      return true;
    });
    await session.close();
    await factsOf(source);
  });
}
