import assert from "node:assert/strict";
import { classify, RULES } from "../../../lib/database/classify.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { FOUND_BY_NAME } from "../../../lib/database/data_source.ts";
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

/** The exit code of each reason, and codes that mean it; numbers are MySQL's. */
const EXPECTED: Readonly<
  Record<Reason, readonly [exitCode: number, ...codes: (string | number)[]]>
> = {
  dns: [69, "ENOTFOUND", "EAI_AGAIN"],
  refused: [69, "ECONNREFUSED", "ENOENT"],
  unreachable: [69, "EHOSTUNREACH", "EINVAL"],
  timeout: [69, "ETIMEDOUT"],
  protocol: [69, "ECONNRESET", "CONNECTION_CLOSED"],
  "server error": [69, "57014", 1205, 3032],
  "starting up": [69, "57P01", "57P03", 1047, 1053],
  "too many connections": [69, "53300", 1040],
  "user limit": [69, 1203, 1226],
  "database limit": [69],
  "pooler limit": [69],
  "pooler without a server": [69],
  standby: [69, "25006", 1290],
  full: [69, "53100", "53200", 1021, 1041],
  damaged: [69, "XX001", 1030, 1034],
  denied: [77, "EACCES", "EPERM"],
  "other server": [78],
  parameter: [78, "42704", "22023", "55P02", 1193, 1064, 1298],
  "pooler parameter": [78],
  tls: [78, "HANDSHAKE_SSL_ERROR"],
  "no TLS": [78, "HANDSHAKE_NO_SSL_SUPPORT"],
  "certificate time": [78],
  "certificate name": [78],
  "certificate authority": [78],
  "certificate purpose": [78],
  "tls demanded": [78, 3159],
  "client certificate": [77],
  credentials: [77, "SASL_SIGNATURE_MISMATCH", "28P01", "28000", 1045],
  "pooler credentials": [77],
  tenant: [77],
  "no login": [77],
  locked: [77, 3118, 3955, 4150, 4151],
  expired: [77, 1820, 1862],
  method: [77, 1251, 1698],
  "no entry": [77, 1130],
  "host blocked": [77, 1129],
  forbidden: [77, "42501", 1044],
  "no schema": [77, "3F000"],
  "foreign tables": [77],
  "read-only": [77],
  "closed database": [77],
  "no such database": [78, "3D000", 1049],
  "pooler database": [78],
};

function remedy(reason: Reason, source: DataSource, subject?: string): string {
  return remedyFor({ reason, subject }, source);
}

Deno.test("remedyFor() names what gives the login", () => {
  const credentials = (givenBy?: DataSource["givenBy"]): string =>
    remedy("credentials", givenBy ? { ...SOURCE, givenBy } : SOURCE);
  assert.match(credentials(), /^Check DB_USER and DB_PASS, or/);
  assert.match(
    credentials({ DB_PASS: "DB_PASS_FILE" }),
    /^Check DB_USER and DB_PASS_FILE, or/,
  );
  assert.match(
    credentials("MM_SQLSETTINGS_DATASOURCE"),
    /^Check MM_SQLSETTINGS_DATASOURCE, or/,
  );
});

Deno.test("remedyFor() names what can be set", () => {
  const dns = (givenBy: NonNullable<DataSource["givenBy"]>): string =>
    remedy("dns", { ...SOURCE, givenBy });
  assert.match(dns({ DB_HOST: FOUND_BY_NAME }), /^Check DB_HOST=db: /);
  assert.match(
    dns("MM_SQLSETTINGS_DATASOURCE_FILE"),
    /^Check the host in MM_SQLSETTINGS_DATASOURCE_FILE: with Docker, db must/,
  );
});

Deno.test("describeProblem() says what gives each part of the login", () => {
  const error = new ProbeError("refused", "");
  const described = (givenBy: NonNullable<DataSource["givenBy"]>): string =>
    describeProblem(error, { ...SOURCE, user: "ann", givenBy });
  assert.equal(
    described({
      DB_HOST: "DB_PORT_5432_TCP_ADDR",
      DB_USER: "DB_USER_FILE",
      DB_NAME: "DB_ENV_POSTGRES_DB",
    }),
    "The PostgreSQL database (host db from DB_PORT_5432_TCP_ADDR, DB_PORT=5432, database mattermost from DB_ENV_POSTGRES_DB, DB_USER=ann) refuses connections",
  );
  assert.equal(
    described("MM_SQLSETTINGS_DATASOURCE"),
    "The PostgreSQL database (host db, port 5432, database mattermost, user ann, as in MM_SQLSETTINGS_DATASOURCE) refuses connections",
  );
  assert.match(
    described({ DB_HOST: FOUND_BY_NAME }),
    /\(host db found as a service name, DB_PORT=5432/,
  );
});

Deno.test("a login in place of a host or of a database's name is not shown", () => {
  const source = { ...SOURCE, host: "ann:S3CRET@h", database: "ann:S3CRET@h" };
  for (const reason of ALL) {
    const text = describeProblem(new ProbeError(reason, ""), source) +
      remedy(reason, source);
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

Deno.test("no error code belongs to two reasons unless the text decides", () => {
  const codes = RULES.filter(([, , text]) => text === undefined)
    .flatMap(([, codes]) => codes.split(" "));
  assert(codes.length > 90, `${codes.length} codes`);
  assert.equal(new Set(codes).size, codes.length);
});

Deno.test("every reason has its own remedy for both products, without the password", () => {
  for (const adapter of ["mysql", "postgres"] as const) {
    const remedies = ALL.map((reason) =>
      remedy(reason, { ...SOURCE, adapter })
    );
    assert.equal(new Set(remedies).size, ALL.length);
    assert(!remedies.join().includes("hunter22"));
  }
});

Deno.test("remedies quote names by the product's rules", () => {
  assert.match(
    remedy("no such database", SOURCE),
    /CREATE DATABASE "mattermost" ENCODING 'UTF8' TEMPLATE template0 OWNER "mm""user";/,
  );
  assert.match(
    remedy("forbidden", {
      ...SOURCE,
      adapter: "mysql",
      user: "o'neil",
      database: "m`m",
    }),
    /GRANT ALL PRIVILEGES ON `m``m`\.\* TO 'o''neil'@'%';/,
  );
});

Deno.test("each cause in TLS has its own remedy", () => {
  const mysql = { ...SOURCE, adapter: "mysql" } as const;
  const remedies: [Reason, DataSource, RegExp][] = [
    ["tls", SOURCE, /TLS 1\.2 or 1\.3/],
    ["no TLS", SOURCE, /ssl = on.*DB_SSL_MODE=disable/],
    ["no TLS", mysql, /ssl_cert and ssl_key/],
    ["certificate time", SOURCE, /pg_reload_conf/],
    ["certificate time", mysql, /ALTER INSTANCE RELOAD TLS;.*FLUSH SSL;/],
    ["certificate name", SOURCE, /DNS:db$/],
    ["certificate name", { ...mysql, host: "10.0.0.2" }, /IP:10\.0\.0\.2$/],
    ["certificate authority", SOURCE, /without DB_SSL_CA.*-starttls postgres/],
    ["certificate authority", mysql, /DB_SSL_CA.*-starttls mysql/],
    ["certificate purpose", SOURCE, /serverAuth/],
  ];
  for (const [reason, source, pattern] of remedies) {
    assert.match(remedy(reason, source), pattern);
  }
  assert.equal(remedy("tls demanded", SOURCE), "Set DB_SSL_MODE=require");
  const given = { ...SOURCE, givenBy: "MM_SQLSETTINGS_DATASOURCE" };
  assert.equal(
    remedy("tls demanded", given),
    "Set sslmode=require in MM_SQLSETTINGS_DATASOURCE",
  );
  assert.equal(
    remedy("tls demanded", { ...given, adapter: "mysql" }),
    "Set tls=skip-verify in MM_SQLSETTINGS_DATASOURCE",
  );
});

Deno.test("a remedy has the line of pg_hba.conf for the address of this host", () => {
  const lines: readonly [string | undefined, string][] = [
    ["10.0.0.1", "10.0.0.1/32"],
    ["fd00::1", "fd00::1/128"],
    [undefined, "all"],
  ];
  for (const [address, mask] of lines) {
    assert.match(
      remedy("no entry", { ...SOURCE, user: "ann" }, address),
      new RegExp(`host "mattermost" "ann" ${mask} scram-sha-256`),
    );
  }
});

Deno.test("the remedy for a refused unix socket names the socket", () => {
  assert.match(
    remedy("refused", { ...SOURCE, socket: "/run/postgresql" }),
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
      const text = remedyFor({ reason }, { ...source, adapter });
      assert.ok(!text.includes("Zx9!pW"), text);
    }
  }
});
