import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDsn, parseDsn } from "../../../lib/database/dsn.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { EntrypointError } from "../../../lib/errors.ts";

const POSTGRES: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: "mmuser",
  password: "p@ss/word?#%:&+ ü",
  database: "mattermost",
  sslMode: "disable",
};

const MYSQL: DataSource = { ...POSTGRES, adapter: "mysql", port: 3306 };

/** Any text without lone surrogates and NUL, which neither protocol can transmit. */
const TEXT = fc.string({ unit: "grapheme" }).map((text) =>
  text.replaceAll("\0", "")
);
const NAME = TEXT.filter((text) => text !== "");
const HOST = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
const PORT = fc.integer({ min: 1, max: 65535 });

Deno.test("formatDsn() writes a percent-encoded URL for PostgreSQL", () => {
  assert.equal(
    formatDsn(POSTGRES),
    "postgres://mmuser:p%40ss%2Fword%3F%23%25%3A%26%2B%20%C3%BC@db:5432/mattermost?sslmode=disable&connect_timeout=10",
  );
});

Deno.test("formatDsn() writes the socket's directory and the certificate authority of PostgreSQL as parameters", () => {
  assert.equal(
    formatDsn({ ...POSTGRES, password: "", socket: "/run/postgresql" }),
    "postgres://mmuser@/mattermost?host=%2Frun%2Fpostgresql&port=5432&sslmode=disable&connect_timeout=10",
  );
  assert.equal(
    formatDsn({
      ...POSTGRES,
      host: "::1",
      password: "x",
      sslMode: "verify-full",
      sslCa: "/run/secrets/ca.pem",
    }),
    "postgres://mmuser:x@[::1]:5432/mattermost?sslmode=verify-full&sslrootcert=%2Frun%2Fsecrets%2Fca.pem&connect_timeout=10",
  );
});

Deno.test("formatDsn() does not encode the user and the password of MySQL", () => {
  assert.equal(
    formatDsn(MYSQL),
    "mmuser:p@ss/word?#%:&+ ü@tcp(db:3306)/mattermost?charset=utf8mb4,utf8",
  );
  assert.equal(
    formatDsn({ ...MYSQL, host: "::1", password: "", encoding: "utf8" }),
    "mmuser@tcp([::1]:3306)/mattermost?charset=utf8",
  );
  assert.equal(
    formatDsn({ ...MYSQL, password: "x", socket: "/run/mysqld/mysqld.sock" }),
    "mmuser:x@unix(/run/mysqld/mysqld.sock)/mattermost?charset=utf8mb4,utf8",
  );
});

Deno.test("formatDsn() writes the TLS modes in go-sql-driver's terms", () => {
  const names = Object.fromEntries(
    (["disable", "prefer", "require", "verify-ca", "verify-full"] as const)
      .map((sslMode) => [
        sslMode,
        /&tls=(.*)$/.exec(formatDsn({ ...MYSQL, sslMode }))?.[1],
      ]),
  );
  assert.deepEqual(names, {
    disable: undefined,
    prefer: "preferred",
    require: "skip-verify",
    "verify-ca": "true",
    "verify-full": "true",
  });
});

Deno.test("formatDsn() encodes a slash in a parameter of MySQL, which would start the database name", () => {
  const dsn = formatDsn({ ...MYSQL, parameters: { loc: "Europe/Berlin" } });
  assert.match(dsn, /&loc=Europe%2FBerlin$/);
});

Deno.test("formatDsn() refuses a source that the server's driver could not parse", () => {
  const bad: [DataSource, string][] = [
    [{ ...MYSQL, user: "a:b" }, "DB_USER"],
    [{ ...MYSQL, database: "a/b" }, "DB_NAME"],
    [{ ...MYSQL, database: "a?b" }, "DB_NAME"],
    [{ ...MYSQL, database: "a%62" }, "DB_NAME"],
    [{ ...POSTGRES, sslMode: "prefer" }, "DB_SSL_MODE"],
  ];
  for (const [source, subject] of bad) {
    assert.throws(() => formatDsn(source), (error) => {
      assert(error instanceof EntrypointError);
      assert.equal(error.code, 78);
      assert.deepEqual(error.problems.map((problem) => problem.subject), [
        subject,
      ]);
      return true;
    });
  }
});

Deno.test("parseDsn() parses every PostgreSQL source that formatDsn() writes", () => {
  const sources = fc.record({
    adapter: fc.constant("postgres" as const),
    host: HOST,
    port: PORT,
    user: NAME,
    password: TEXT,
    database: NAME,
    sslMode: fc.constantFrom(
      "disable" as const,
      "require" as const,
      "verify-ca" as const,
      "verify-full" as const,
    ),
  }, { noNullPrototype: true });
  fc.assert(fc.property(sources, (source) => {
    assert.deepEqual(parseDsn("postgres", formatDsn(source)), source);
  }));
});

Deno.test("parseDsn() parses every MySQL source that formatDsn() writes", () => {
  const sources = fc.record({
    adapter: fc.constant("mysql" as const),
    host: HOST,
    port: PORT,
    user: TEXT.filter((text) => !text.includes(":")),
    password: TEXT,
    database: TEXT.filter((text) => !/[/?%]/.test(text)),
    sslMode: fc.constantFrom(
      "disable" as const,
      "prefer" as const,
      "require" as const,
      "verify-full" as const,
    ),
    encoding: fc.constantFrom("utf8mb4,utf8", "utf8"),
  }, { noNullPrototype: true });
  fc.assert(fc.property(sources, (source) => {
    assert.deepEqual(parseDsn("mysql", formatDsn(source)), source);
  }));
});

Deno.test("parseDsn() parses sockets and parameters that formatDsn() writes", () => {
  const sources: DataSource[] = [
    {
      ...POSTGRES,
      host: "localhost",
      socket: "/run/postgresql",
      parameters: { connect_timeout: "5", application_name: "a b&c" },
    },
    { ...POSTGRES, sslMode: "verify-ca", sslCa: "/run/secrets/c a.pem" },
    {
      ...MYSQL,
      host: "localhost",
      socket: "/run/mysqld/mysqld.sock",
      encoding: "utf8",
      parameters: { loc: "Europe%2FBerlin", readTimeout: "30s" },
    },
  ];
  for (const source of sources) {
    assert.deepEqual(parseDsn(source.adapter, formatDsn(source)), source);
  }
});

Deno.test("parseDsn() has the defaults of lib/pq", () => {
  assert.deepEqual(parseDsn("postgres", "postgresql://mm@db"), {
    adapter: "postgres",
    host: "db",
    port: 5432,
    user: "mm",
    password: "",
    database: "mm",
    sslMode: "require",
  });
});

Deno.test("parseDsn() parses lib/pq's keywords and values", () => {
  const dsn = String
    .raw`host=db  port = 6543 user='m m' password='it\'s \\ 1' dbname=mm sslmode=disable search_path=a\ b`;
  assert.deepEqual(parseDsn("postgres", dsn), {
    adapter: "postgres",
    host: "db",
    port: 6543,
    user: "m m",
    password: String.raw`it's \ 1`,
    database: "mm",
    sslMode: "disable",
    parameters: { search_path: "a b" },
  });
});

Deno.test("parseDsn() has the defaults of go-sql-driver", () => {
  const filled = { adapter: "mysql", password: "", sslMode: "disable" };
  const local = { host: "127.0.0.1", port: 3306, user: "" };
  assert.deepEqual(parseDsn("mysql", "/"), {
    ...filled,
    ...local,
    database: "",
  });
  assert.deepEqual(parseDsn("mysql", "tcp/mm?tls=false"), {
    ...filled,
    ...local,
    database: "mm",
  });
  assert.deepEqual(parseDsn("mysql", "a@b@tcp(db)/mm?tls=TRUE"), {
    ...filled,
    host: "db",
    port: 3306,
    user: "a@b",
    database: "mm",
    sslMode: "verify-full",
  });
});

Deno.test("parseDsn() throws a SyntaxError without the password for a DSN that the driver would not parse", () => {
  const bad: ["mysql" | "postgres", string][] = [
    ["postgres", "postgres://u:hunter22@a:1,b:2/mm"],
    ["postgres", "postgres://u:hunter22@db:99999/mm"],
    ["postgres", "postgres://u:hunter22%zz@db/mm"],
    ["postgres", "postgres://u:hunter22@db/mm?sslmode=maybe"],
    ["postgres", "postgres://u:hunter22/x@db/mm"],
    ["postgres", "postgres://db/mm"],
    ["postgres", "hunter22"],
    ["postgres", "host=a,b user=u password=hunter22"],
    ["mysql", "hunter22"],
    ["mysql", "u:hunter22@pipe(x)/mm"],
    ["mysql", "u:hunter22@tcp(db:99999)/mm"],
    ["mysql", "u:hunter22@tcp(a:1:2)/mm"],
    ["mysql", "u:hunter22@tcp(db)/mm?tls=custom"],
    ["mysql", "u:hunter22@tcp(db/mm"],
  ];
  for (const [adapter, dsn] of bad) {
    assert.throws(() => parseDsn(adapter, dsn), (error) => {
      assert(error instanceof SyntaxError, dsn);
      assert.doesNotMatch(error.message, /hunter/);
      return true;
    }, dsn);
  }
});
