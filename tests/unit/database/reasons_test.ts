import assert from "node:assert/strict";
import { classify } from "../../../lib/database/classify.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { parseDsn } from "../../../lib/database/dsn.ts";
import { ProbeError } from "../../../lib/database/session.ts";
import { describeProblem } from "../../../lib/database/wait.ts";
import {
  type Reason,
  REASONS,
  remedyFor,
} from "../../../lib/database/reasons.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: 'mm"user',
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
};
const ALL = Object.keys(REASONS) as Reason[];

/** The exit code of each reason, and error codes that mean it; numbers are MySQL's. */
const EXPECTED: Readonly<
  Record<Reason, readonly [exitCode: number, ...codes: (string | number)[]]>
> = {
  dns: [69, "ENOTFOUND", "EAI_AGAIN"],
  refused: [69, "ECONNREFUSED", "ENOENT"],
  unreachable: [69, "EHOSTUNREACH", "EINVAL"],
  timeout: [69, "ETIMEDOUT"],
  protocol: [69, "ECONNRESET", "CONNECTION_CLOSED"],
  "starting up": [69, "57P01", "57P03", 1053],
  "too many connections": [69, "53300", 1040, 1203],
  "read-only": [69, "25006", 1290],
  tls: [78, "HANDSHAKE_SSL_ERROR", "HANDSHAKE_NO_SSL_SUPPORT", 3159],
  credentials: [77, "SASL_SIGNATURE_MISMATCH", "28P01", "28000", 1045, 1251],
  forbidden: [77, "EACCES", "42501", 1044, 1130],
  "no such database": [78, "3D000", 1049],
};

Deno.test("remedyFor() names what gives the login", () => {
  const remedy = (givenBy?: readonly string[]): string =>
    remedyFor("credentials", givenBy ? { ...SOURCE, givenBy } : SOURCE);
  assert.match(remedy(), /^Check DB_USER and DB_PASS, or/);
  assert.match(
    remedy(["DB_USER", "DB_PASS_FILE"]),
    /^Check DB_USER and DB_PASS_FILE, or/,
  );
  assert.match(
    remedy(["MM_SQLSETTINGS_DATASOURCE"]),
    /^Check MM_SQLSETTINGS_DATASOURCE, or/,
  );
});

Deno.test("a login in place of a host or of a database's name is not shown", () => {
  const dsn = "host=ann:S3CRET@h dbname=ann:S3CRET@h user=ann";
  const source = parseDsn("postgres", dsn);
  for (const reason of ALL) {
    const text = describeProblem(new ProbeError(reason, ""), source) +
      remedyFor(reason, source);
    assert.doesNotMatch(text, /S3CRET/);
  }
});

for (const reason of ALL) {
  const [exitCode, ...codes] = EXPECTED[reason];
  Deno.test(`the reason "${reason}" has its exit code, and is found by its error codes`, () => {
    assert.equal(REASONS[reason].exitCode, exitCode);
    for (const code of codes) {
      const error = typeof code === "number"
        ? { errno: code, code: "ER_NAME" }
        : { code };
      const classified = classify(Object.assign(new Error(), error), SOURCE);
      assert.equal(classified.reason, reason, String(code));
      assert.equal(classified.isTemporary, exitCode === 69);
    }
  });
}

Deno.test("no error code belongs to two reasons", () => {
  const codes = Object.values<Record<string, unknown>>(REASONS)
    .flatMap(({ systemCodes, sqlStates, mysqlErrors }) =>
      [systemCodes, sqlStates, mysqlErrors].join(" ").split(/\s+/)
    ).filter((code) => code !== "");
  assert(codes.length > 60, `${codes.length} codes`);
  assert.equal(new Set(codes).size, codes.length);
});

Deno.test("every reason has its own remedy for both products, without the password", () => {
  for (const adapter of ["mysql", "postgres"] as const) {
    const remedies = ALL.map((reason) =>
      remedyFor(reason, { ...SOURCE, adapter })
    );
    assert.equal(new Set(remedies).size, ALL.length);
    assert(!remedies.join().includes("hunter22"));
  }
});

Deno.test("remedies quote names by the product's rules", () => {
  assert.match(
    remedyFor("no such database", SOURCE),
    /CREATE DATABASE "mattermost" ENCODING 'UTF8' TEMPLATE template0 OWNER "mm""user";/,
  );
  assert.match(
    remedyFor("forbidden", {
      ...SOURCE,
      adapter: "mysql",
      user: "o'neil",
      database: "m`m",
    }),
    /GRANT ALL PRIVILEGES ON `m``m`\.\* TO 'o''neil'@'%';/,
  );
});

Deno.test("remedies for TLS depend on the mode", () => {
  const full = { ...SOURCE, sslMode: "verify-full" } as const;
  assert.match(remedyFor("tls", full), /DB_SSL_CA/);
  assert.match(remedyFor("tls", { ...full, adapter: "mysql" }), /DB_SSL_CA/);
  assert.match(
    remedyFor("tls", { ...SOURCE, sslMode: "require" }),
    /DB_SSL_MODE=disable/,
  );
  assert.match(
    remedyFor("tls", { ...SOURCE, adapter: "mysql" }),
    /DB_SSL_MODE=require/,
  );
});

Deno.test("the remedy for a refused unix socket names the socket", () => {
  assert.match(
    remedyFor("refused", { ...SOURCE, socket: "/run/postgresql" }),
    /\/run\/postgresql/,
  );
});

Deno.test("a login in place of a host, a name or a database is not shown", () => {
  const source = {
    ...SOURCE,
    host: "ann:Zx9!pW@db",
    user: "ann@example.com:Zx9!pW@db",
    database: "chat?password=Zx9!pW",
  };
  for (const adapter of ["postgres", "mysql"] as const) {
    for (const reason of ALL) {
      const text = remedyFor(reason, { ...source, adapter });
      assert.ok(!text.includes("Zx9!pW"), text);
    }
  }
});
