import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import { explainFailure } from "../../lib/database/explain.ts";
import { type Reason, REASONS, remedyFor } from "../../lib/database/reasons.ts";
import type { ProbeError } from "../../lib/database/session.ts";
import { waitForDatabase } from "../../lib/database/wait.ts";
import { EntrypointError } from "../../lib/errors.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import {
  type PostgresOptions,
  startPostgres,
} from "../../tools/shared/postgres.ts";
import { createAuthority } from "../servers/certificates.ts";
import { pgbouncerAvailable, startPgbouncer } from "../servers/pgbouncer.ts";
import { testWith } from "../support/needs.ts";
import {
  factsOf,
  misbehave,
  products,
  startWithUser,
  withSession,
} from "./support.ts";

const authority = createAuthority();
const tls = authority.issue();

/** Seconds that a start would wait for a database that is down. */
const TIMEOUT = 60;
/** Seconds for what ends in time: within 6 on a quiet machine. */
const LONGEST = 20;

const CLOCK = {
  elapsed: () => performance.now(),
  sleep: (milliseconds: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, milliseconds);
      signal?.addEventListener("abort", abort, { once: true });
    }),
};

/** Waits for a database as a start does, and returns the error with what the program does about it. */
async function failureOf(
  source: DataSource,
  timeout: number,
): Promise<{ reason: Reason; code: number; remedy: string; seconds: number }> {
  const start = performance.now();
  try {
    const { session } = await waitForDatabase(source, {
      connect,
      clock: CLOCK,
      explain: (error, source, options) =>
        explainFailure(error, source, {
          ...options,
          clock: { timeout: AbortSignal.timeout },
        }),
      timeout,
      random: Math.random,
      signal: new AbortController().signal,
      report: () => {},
    });
    await session.close();
  } catch (error) {
    assert(error instanceof EntrypointError, String(error));
    const { reason } = error.cause as ProbeError;
    const seconds = (performance.now() - start) / 1000;
    assert(error.message.includes(REASONS[reason].phrase));
    assert.equal(error.remedy, remedyFor(error.cause as ProbeError, source));
    // PostgreSQL's driver leaves a timer of 0 ms behind.
    await new Promise((resolve) => setTimeout(resolve, 1));
    return { reason, code: error.code, remedy: error.remedy ?? "", seconds };
  }
  assert.fail("The login should have failed");
}

/** One cause: what makes the login fail, the reason, and a part of the remedy. */
type Cause = readonly [
  name: string,
  change: Partial<DataSource>,
  reason: Reason,
  remedy: RegExp,
];

/** Waits for each cause. What can pass gets one attempt, everything else must end in time. */
async function assertCauses(
  source: DataSource,
  causes: readonly Cause[],
): Promise<void> {
  const found = await Promise.all(causes.map(async (cause) => {
    const [name, change, reason, remedy] = cause;
    const isTemporary = REASONS[reason].exitCode === 69;
    const failure = await failureOf(
      { ...source, ...change },
      isTemporary ? 0 : TIMEOUT,
    );
    assert.match(failure.remedy, remedy, name);
    assert.equal(failure.code, REASONS[reason].exitCode, name);
    assert(failure.seconds < LONGEST, `${name}: ${failure.seconds} s`);
    return [name, failure.reason];
  }));
  assert.deepEqual(found, causes.map(([name, , reason]) => [name, reason]));
}

const SOURCE = {
  adapter: "postgres",
  host: "127.0.0.1",
  user: "mmuser",
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
} as const;

const ROLES = ["mmuser", "idle", "late", "full", "tlsonly", "other", "ident"];

/** Starts PostgreSQL with a database and a role for each cause. */
async function startWithCauses(
  options: Pick<PostgresOptions, "release">,
): Promise<DatabaseServer> {
  const server = await startPostgres({
    ...options,
    tls,
    access: [
      "local all all trust",
      "hostssl all tlsonly all scram-sha-256",
      "host all rejected all reject",
      "host all ident all ident",
      "host all mmuser,idle,late,full,other,nobody all scram-sha-256",
    ],
  });
  await server.sql(
    ROLES.map((role) => `CREATE ROLE ${role} LOGIN PASSWORD 'hunter22'`)
      .join(";"),
  );
  await server.sql(`ALTER ROLE idle NOLOGIN;
    ALTER ROLE late VALID UNTIL '2001-01-01';
    ALTER ROLE full CONNECTION LIMIT 0`);
  for (
    const statement of [
      "CREATE DATABASE mattermost OWNER mmuser",
      "CREATE DATABASE closed",
      "ALTER DATABASE closed ALLOW_CONNECTIONS false",
      "CREATE DATABASE crowded CONNECTION LIMIT 0",
      "CREATE DATABASE private",
      "REVOKE CONNECT ON DATABASE private FROM PUBLIC",
      "CREATE DATABASE restored OWNER mmuser",
      "CREATE DATABASE hidden",
    ]
  ) await server.sql(statement);
  await server.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", "hidden");
  await server.sql(
    `CREATE TABLE users (id int); CREATE TABLE systems (name text, value text);
     CREATE TABLE db_migrations (version int, name text);
     CREATE MATERIALIZED VIEW poststats AS SELECT * FROM users`,
    "restored",
  );
  return server;
}

const CLOSED: readonly Cause[] = [
  ["role limit", { user: "full" }, "user limit", /ALTER ROLE "full" CONN/],
  [
    "database limit",
    { database: "crowded" },
    "database limit",
    /ALTER DATABASE "crowded" CONNECTION LIMIT -1;/,
  ],
  ["no login", { user: "idle" }, "no login", /ALTER ROLE "idle" LOGIN;/],
  [
    "closed database",
    { database: "closed" },
    "closed database",
    /ALTER DATABASE "closed" ALLOW_CONNECTIONS true;/,
  ],
  ["no CONNECT", { database: "private" }, "forbidden", /GRANT CONNECT/],
  ["no schema", { database: "hidden" }, "no schema", /CREATE SCHEMA IF NOT/],
];

for (const release of ["current", "old"] as const) {
  Deno.test(`PostgreSQL (${release}): each cause has its own reason and remedy, and ends in time`, async () => {
    await using server = await startWithCauses({ release });
    const source = { ...SOURCE, port: server.port };
    await assertCauses(source, [
      ["password", { password: "x" }, "credentials", /^Check DB_USER and DB_/],
      [
        "unknown role",
        { user: "nobody" },
        "credentials",
        /ALTER ROLE "nobody"/,
      ],
      ["expired", { user: "late" }, "credentials", /VALID UNTIL 'infinity'/],
      ["TLS", { user: "tlsonly" }, "tls demanded", /^Set DB_SSL_MODE=require$/],
      [
        "TLS and the wrong password",
        { user: "tlsonly", password: "x" },
        "tls demanded",
        /^Set DB_SSL_MODE=require$/,
      ],
      [
        "no entry",
        { user: "stranger" },
        "no entry",
        /: host "mattermost" "stranger" 127\.0\.0\.1\/32 scram/,
      ],
      [
        "no entry with TLS",
        { user: "stranger", sslMode: "require" },
        "no entry",
        /: hostssl "mattermost" "stranger" 127\.0\.0\.1\/32 scram/,
      ],
      ["rejected", { user: "rejected" }, "no entry", /before one that rejects/],
      ["ident", { user: "ident" }, "method", /use scram-sha-256/],
      [
        "no database",
        { database: "nowhere" },
        "no such database",
        /CREATE DATABASE "nowhere"/,
      ],
      [
        "search path",
        { sessionParameters: { search_path: "chat" } },
        "no schema",
        /CREATE SCHEMA IF NOT EXISTS "chat";/,
      ],
      [
        "parameter",
        { sessionParameters: { options: "-c nonsense=1" } },
        "parameter",
        /remove the parameter/,
      ],
      [
        "MySQL",
        { adapter: "mysql" },
        "other server",
        /DB_PORT to the port of M/,
      ],
      [
        "MySQL with TLS",
        { adapter: "mysql", sslMode: "require" },
        "other server",
        /DB_ADAPTER/,
      ],
      ...CLOSED,
    ]);
  });
}

Deno.test("PostgreSQL: the remedy for tables of another role gives them to the user", async () => {
  await using server = await startWithCauses({});
  const source = { ...SOURCE, port: server.port, database: "restored" };
  const { reason, remedy } = await failureOf(source, 60);
  assert.equal(reason, "foreign tables");
  const [, query = ""] = /: (SELECT .*) \\gexec$/.exec(remedy) ?? [];
  for (const row of await server.sql(query, source.database)) {
    await server.sql(String(row["format"]), source.database);
  }
  const { schema, place } = await factsOf(source);
  assert.deepEqual([schema.installed, place?.owner], [true, undefined]);
  const [row] = await server.sql(
    "SELECT count(*)::int AS count FROM pg_class WHERE relowner = 'mmuser'::regrole AND relkind IN ('r', 'm')",
    source.database,
  );
  assert.equal(row?.["count"], 4);
});

Deno.test("PostgreSQL: a user that may write to the tables of another role is told the owner", async () => {
  await using server = await startWithCauses({});
  await server.sql(
    "GRANT ALL ON users, systems, db_migrations TO mmuser",
    "restored",
  );
  const source = { ...SOURCE, port: server.port, database: "restored" };
  const { place } = await factsOf(source);
  assert.deepEqual([place?.owner, place?.mayWrite], ["postgres", true]);
  await server.sql("REVOKE UPDATE ON users FROM mmuser", "restored");
  assert.equal((await failureOf(source, 60)).reason, "foreign tables");
  await server.sql("GRANT postgres TO mmuser");
  assert.equal((await factsOf(source)).place?.owner, undefined);
});

Deno.test("PostgreSQL: a setting that makes a role read-only is told from a standby", async () => {
  await using server = await startWithCauses({});
  await server.sql("ALTER ROLE mmuser SET default_transaction_read_only = on");
  await assertCauses({ ...SOURCE, port: server.port }, [
    ["read-only", {}, "read-only", /RESET default_transaction_read_only;/],
  ]);
});

const missing = await pgbouncerAvailable();
const PGBOUNCER = {
  what: missing ?? "PgBouncer",
  isMet: missing === undefined,
};

for (const mode of ["session", "transaction"] as const) {
  testWith(
    [PGBOUNCER],
    `PgBouncer (${mode}): each cause of the pooler and of the server behind it ends in time`,
    async () => {
      await using server = await startWithCauses({});
      const users = Object.fromEntries(
        [...ROLES, "nobody"].map((name) => [name, "hunter22"]),
      );
      await using pooler = await startPgbouncer(server, {
        mode,
        users,
        settings: { server_login_retry: 15 },
      });
      const source = { ...SOURCE, port: pooler.port };
      await assertCauses(source, [
        ["password", { password: "x" }, "pooler credentials", /auth_file/],
        ["unknown user", { user: "ann" }, "pooler credentials", /auth_query/],
        ["unknown role", { user: "nobody" }, "pooler credentials", /auth_file/],
        [
          "no database",
          { database: "nowhere" },
          "no such database",
          /CREATE DATABASE "nowhere"/,
        ],
        [
          "search path",
          { sessionParameters: { search_path: "chat" } },
          "pooler parameter",
          /ignore_startup_parameters/,
        ],
        ...CLOSED.filter(([name]) => name !== "no schema"),
      ]);
      await pooler.sql("DISABLE mattermost");
      await assertCauses(source, [
        ["disabled", {}, "pooler database", /ENABLE mattermost;/],
      ]);
    },
  );
}

testWith(
  [PGBOUNCER],
  "PgBouncer: a full pool, too many clients and a server that is down have their own reasons",
  async () => {
    await using server = await startWithCauses({});
    await using pooler = await startPgbouncer(server, {
      mode: "session",
      users: { mmuser: "hunter22" },
      settings: {
        default_pool_size: 1,
        query_wait_timeout: 1,
        server_login_retry: 1,
        server_connect_timeout: 1,
      },
    });
    await using small = await startPgbouncer(server, {
      mode: "session",
      users: { mmuser: "hunter22" },
      settings: { max_client_conn: 1 },
    });
    const source = { ...SOURCE, port: pooler.port };
    const full = ["full", {}, "pooler without a server", /pool_size/] as const;
    await withSession(source, () => assertCauses(source, [full]));
    const other = { ...source, port: small.port };
    await withSession(other, () =>
      assertCauses(other, [
        ["too many", {}, "pooler limit", /max_client_conn/],
      ]));
    await server.halt();
    await assertCauses(source, [full]);
  },
);

for (const product of products().filter(({ adapter }) => adapter === "mysql")) {
  const { name } = product;

  Deno.test(`${name}: each cause has its own reason and remedy, and ends in time`, async () => {
    const { server, source } = await startWithUser(product, { tls });
    await using _ = server;
    const database = source.database;
    const accounts = {
      tlsonly: "REQUIRE SSL",
      locked: "ACCOUNT LOCK",
      expired: "PASSWORD EXPIRE",
      full: "WITH MAX_CONNECTIONS_PER_HOUR 1",
    };
    for (const [user, change] of Object.entries(accounts)) {
      await server.sql(product.createUser(user, source.password));
      await server.sql(`GRANT ALL ON ${database}.* TO '${user}'@'%'`);
      await server.sql(`ALTER USER '${user}'@'%' ${change}`);
    }
    await server.sql(product.createUser("stranger", source.password));
    await server.sql(product.createUser("clumsy", source.password));
    await factsOf({ ...source, user: "full" });
    await assertCauses(source, [
      ["password", { password: "x" }, "credentials", /^Check DB_USER and DB_/],
      ["unknown", { user: "nobody" }, "credentials", /ALTER USER 'nobody'@/],
      ["TLS", { user: "tlsonly" }, "tls demanded", /^Set DB_SSL_MODE=require$/],
      [
        "TLS and the wrong password",
        { user: "tlsonly", password: "x" },
        "credentials",
        /^Check DB_USER and DB_PASS/,
      ],
      ["locked", { user: "locked" }, "locked", /'locked'@'%' ACCOUNT UNLOCK;/],
      ["expired", { user: "expired" }, "expired", /PASSWORD EXPIRE NEVER;/],
      ["limit", { user: "full" }, "user limit", /MAX_CONNECTIONS_PER_HOUR 0/],
      [
        "no grant",
        { user: "stranger" },
        "forbidden",
        /GRANT ALL PRIVILEGES ON/,
      ],
      [
        "no database",
        { user: server.user, password: server.password, database: "nowhere" },
        "no such database",
        /CREATE DATABASE `nowhere`/,
      ],
      [
        "PostgreSQL",
        { adapter: "postgres" },
        "other server",
        /DB_PORT to the port of PostgreSQL \(5432/,
      ],
      [
        "PostgreSQL with TLS",
        { adapter: "postgres", sslMode: "require" },
        "other server",
        /DB_ADAPTER/,
      ],
    ]);
    await server.sql("SET GLOBAL require_secure_transport = ON");
    await assertCauses(source, [
      ["transport", {}, "tls demanded", /^Set DB_SSL_MODE=require$/],
    ]);
    await server.sql("SET GLOBAL require_secure_transport = OFF");
    if (name === "MariaDB") {
      await server.sql("SET GLOBAL max_password_errors = 1");
      const clumsy = { user: "clumsy", password: "x" };
      await assertCauses(source, [
        ["wrong passwords", clumsy, "locked", /FLUSH PRIVILEGES;/],
      ]);
      return;
    }
    await server.sql("SET GLOBAL max_user_connections = 1");
    await withSession(source, () =>
      assertCauses(source, [
        ["all users", {}, "user limit", /SHOW VARIABLES LIKE 'max_user_conn/],
      ]));
    await server.sql("SET GLOBAL max_user_connections = 0");
    await server.sql("SET GLOBAL offline_mode = ON");
    await assertCauses(source, [["offline", {}, "server error", /log/]]);
  });
}

/** What servers of other kinds say at once, or when they are spoken to. */
const OTHERS:
  readonly (readonly [name: string, first: string, answer: string])[] = [
    ["an SSH server", "SSH-2.0-OpenSSH_9.2p1\r\n", ""],
    ["a mail or FTP server", "220 mail.example.com ESMTP\r\n", ""],
    ["a web server", "", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["Redis", "", "-ERR unknown command 'GET'\r\n"],
    ["MySQL's X Protocol", "\x05\0\0\0\x0b\x08\x05\x1a\0", ""],
  ];

for (const adapter of ["postgres", "mysql"] as const) {
  for (const [name, first, answer] of OTHERS) {
    Deno.test(`${adapter}: ${name} is recognised, whoever speaks first`, async () => {
      await using server = misbehave(async (connection) => {
        const encode = (text: string) =>
          Uint8Array.from(text, (sign) => sign.charCodeAt(0));
        await connection.write(encode(first));
        const buffer = new Uint8Array(512);
        let size: number | null;
        while ((size = await connection.read(buffer)) !== null) {
          // Such a server waits for the end of a line.
          if (buffer.subarray(0, size).includes(10)) {
            await connection.write(encode(answer));
          }
        }
      });
      const source = { ...SOURCE, adapter, port: server.port };
      const { reason, code, seconds } = await failureOf(source, TIMEOUT);
      assert.deepEqual([reason, code], ["other server", 78]);
      assert(seconds < LONGEST, `${seconds} s`);
    });
  }
}

/** The first packet of servers that refuse this host, as MySQL 9 and MariaDB 10.11 send it. */
const GREETINGS: readonly (readonly [
  error: number,
  text: string,
  reason: Reason,
  remedy: RegExp,
])[] = [
  [
    1129,
    "#HY000Host '10.0.0.1' is blocked because of many connection errors; unblock with 'mysqladmin flush-hosts'",
    "host blocked",
    /performance_schema\.host_cache;/,
  ],
  [
    1130,
    "Host '10.0.0.1' is not allowed to connect to this MySQL server",
    "no entry",
    /CREATE USER 'mmuser'@'%'/,
  ],
  [1040, "#08004Too many connections", "too many connections", /max_conn/],
  [1034, "Index for table 'global_priv' is corrupt", "damaged", /upgrade/],
  [
    1030,
    'Got error 175 "File too short" from storage engine Aria',
    "damaged",
    /mariadb-upgrade/,
  ],
  [1021, "Disk full (/tmp)", "full", /df -h/],
];

for (const [number, text, reason, remedy] of GREETINGS) {
  Deno.test(`MySQL: error ${number} in place of a greeting has the reason ${reason}`, async () => {
    await using server = misbehave(async (connection) => {
      const content = Uint8Array.from(
        `\xff${String.fromCharCode(number & 255, number >> 8)}${text}`,
        (sign) => sign.charCodeAt(0),
      );
      await connection.write(
        Uint8Array.of(content.length, 0, 0, 0, ...content),
      );
      connection.closeWrite();
    });
    await assertCauses({ ...SOURCE, adapter: "mysql", port: server.port }, [
      [text, {}, reason, remedy],
    ]);
  });
}
