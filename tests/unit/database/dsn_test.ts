import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDsn, parseDsn } from "../../../lib/database/dsn.ts";
import {
  type DataSource,
  DataSourceError,
} from "../../../lib/database/data_source.ts";
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
    assert.throws(() => formatDsn(source, ["1.11.2", "1.10.9"]), (error) => {
      assert(error instanceof EntrypointError);
      assert.equal(error.code, 78);
      assert.deepEqual(error.problems.map((problem) => problem.subject), [
        subject,
      ]);
      return true;
    });
  }
});

Deno.test("formatDsn() writes a TLS mode that one of the possible versions of the driver knows", () => {
  assert.match(formatDsn({ ...POSTGRES, sslMode: "prefer" }), /sslmode=prefer/);
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
      sessionParameters: { application_name: "a b&c" },
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
    sessionParameters: { search_path: "a b" },
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

Deno.test("parseDsn() has all servers, and what they must be, if the driver knows several", () => {
  const dsn =
    "postgres://u:p@a,b/mm?port=1,2&target_session_attrs=primary&sslmode=disable";
  const { host, port, alternatives, targetSessionAttrs, driver } = parseDsn(
    "postgres",
    dsn,
    { versions: ["1.12.3"] },
  );
  assert.deepEqual({ host, port, alternatives, targetSessionAttrs, driver }, {
    host: "a",
    port: 1,
    alternatives: [{ host: "b", port: 2 }],
    targetSessionAttrs: "primary",
    driver: "1.12.3",
  });
});

Deno.test("parseDsn() takes from PG… variables what the data source does not set, as lib/pq does", () => {
  const env = {
    PGUSER: "u",
    PGPASSWORD: "p",
    PGDATABASE: "mm",
    PGHOST: "other",
    PGSSLMODE: "disable",
    PGOPTIONS: "-c search_path=chat",
    PGTARGETSESSIONATTRS: "primary",
  };
  const { targetSessionAttrs, ...source } = parseDsn(
    "postgres",
    "postgres://db",
    { env, versions: ["1.12.3"] },
  );
  assert.equal(targetSessionAttrs, "primary");
  const options = "-c search_path=chat";
  assert.deepEqual(source, {
    adapter: "postgres",
    driver: "1.12.3",
    host: "db",
    port: 5432,
    user: "u",
    password: "p",
    database: "mm",
    sslMode: "disable",
    parameters: { options, target_session_attrs: "primary" },
    sessionParameters: { options },
  });
  assert.throws(
    () => parseDsn("postgres", "postgres://u@db", { env: { PGPORT: "x" } }),
    /1 to 65535, in the variable PGPORT$/,
  );
});

Deno.test("parseDsn() refuses only what each possible version of the driver refuses", () => {
  const dsn = "postgres://u:p@db/mm?sslmode=prefer";
  assert.equal(parseDsn("postgres", dsn).driver, undefined);
  assert.equal(
    parseDsn("postgres", dsn, { versions: ["1.12.3", "1.10.9"] }).sslMode,
    "prefer",
  );
  assert.throws(() => parseDsn("postgres", dsn, { release: "10.11.0" }));
});

Deno.test("parseDsn() says what the driver refuses and where, but not the text", () => {
  const bad: ["mysql" | "postgres", string, RegExp][] = [
    [
      "postgres",
      "postgres://u:hunter{22@db/mm",
      /percent-encoded, at character 20, in the password$/,
    ],
    [
      "postgres",
      "postgres://\u{1f600}:hunter22%zz@db/mm",
      /percent-encoded, at character 12, in the user name$/,
    ],
    [
      "postgres",
      "postgres://u:hunter/22@db/mm",
      /\/, \? or #, .* at character 20, in the password$/,
    ],
    [
      "postgres",
      "postgres://u:hunter#22@db/mm",
      /\/, \? or #, .* at character 20, in the password$/,
    ],
    [
      "postgres",
      "postgres://hunter 22@db/mm",
      /at character 18, in the user name$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/m%m",
      /at character 27, in the name of the database$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/mm\n",
      /line break .*, at character 28$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/mm%00",
      /NUL, at character 25, in the name of the database$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@d b/mm",
      /cannot have, at character 24, in the host$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@%2frun/mm",
      /unix socket .* in the host$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@[::1]/mm",
      /IPv6 .* without a port.* in the host$/,
    ],
    ["postgres", "postgres://u:hunter22@[::1/mm", /bracket/],
    ["postgres", "postgres://u:hunter22@[db]:1/mm", /brackets/],
    [
      "postgres",
      "postgres://u:hunter22@a:1,b:2/mm",
      /host with a colon.* in the host$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db:99999/mm",
      /1 to 65535, at character 26, in the port$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db:x/mm",
      /number as its port, at character 25, in the port$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/mm?sslmode=maybe",
      /not disable, allow, .* or verify-full, at character 37, in the parameter sslmode$/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/mm?connect_timeout=10s",
      /connect_timeout .* at character 45/,
    ],
    [
      "postgres",
      "postgres://u:hunter22@db/mm?service=a&sslmode=prefer",
      /service file/,
    ],
    ["postgres", "postgres://db/mm", /names no user$/],
    ["postgres", "hunter22", /neither a URL .* nor a list .*, at character 1$/],
    [
      "postgres",
      "user=u password=hun ter22",
      /blank must be in single quotes, at character 21$/,
    ],
    [
      "postgres",
      "user=u password='hunter22",
      /quote that is not closed, at character 8, in the password$/,
    ],
    [
      "postgres",
      "user=u password=hunter22\\",
      /ends with a backslash, at character 17, in the password$/,
    ],
    ["mysql", "hunter22", /no slash before the name of the database$/],
    [
      "mysql",
      "u:hunter22@pipe(x)/mm",
      /neither tcp\(host:port\) nor unix\(path\), at character 12, in the host$/,
    ],
    [
      "mysql",
      "u:hunter22@tcp(db:99999)/mm",
      /1 to 65535, at character 19, in the port$/,
    ],
    [
      "mysql",
      "u:hunter22@tcp(a:1:2)/mm",
      /colon, at character 16, in the host$/,
    ],
    ["mysql", "u:hunter22@tcp([::1])/mm", /without a port/],
    ["mysql", "u:hunter22@tcp6/mm", /no address/],
    ["mysql", "u:hunter22@tcp(db)/mm?tls=custom", /tls .* at character 27$/],
    ["mysql", "u:hunter22@tcp(db/mm", /closing parenthesis/],
    ["mysql", "u:hunter22@tcp(db)/mm?loc=a/b", /%2F in a parameter/],
    [
      "mysql",
      "u:hunter22@tcp(db)/mm?timeout=10",
      /time with its unit, such as 30s, at character 31$/,
    ],
    [
      "mysql",
      "u:hunter22@tcp(db)/mm?strict=1",
      /does not implement, at character 30$/,
    ],
    [
      "mysql",
      "u:hunter22@tcp(db)/mm?a=%zz",
      /percent sign .* at character 25$/,
    ],
    [
      "mysql",
      "u:hunter22@tcp(db)/mm?interpolateParams=1&collation=gbk_bin",
      /not safe/,
    ],
  ];
  for (const [adapter, dsn, reason] of bad) {
    assert.throws(() => parseDsn(adapter, dsn), (error) => {
      assert(error instanceof DataSourceError, dsn);
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /hunter|ter22/);
      return true;
    }, dsn);
  }
});
