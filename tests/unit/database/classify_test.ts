import assert from "node:assert/strict";
import { classify } from "../../../lib/database/classify.ts";
import type { Reason } from "../../../lib/database/reasons.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { ProbeError } from "../../../lib/database/session.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: "mmuser",
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
};

function failing(properties: object, message = "message"): Error {
  return Object.assign(new Error(message), properties);
}

Deno.test("classify() tells an unknown error of a server from one without a code", () => {
  for (const properties of [{ code: "XX000" }, { errno: 9999 }]) {
    assert.equal(classify(failing(properties), SOURCE).reason, "server error");
  }
  for (const properties of [{ code: "EUNKNOWN" }, {}]) {
    assert.equal(classify(failing(properties), SOURCE).reason, "protocol");
  }
});

Deno.test("classify() takes a code that a server has chosen for nothing but a SQLSTATE", () => {
  for (const code of ["ENOENT", "EPERM", "EPIPE", "1045", "28P01\n", ""]) {
    const error = classify(failing({ code }, "TLS"), SOURCE, "sqlStates");
    assert.deepEqual([error.reason, error.code], ["protocol", undefined], code);
  }
  const error = classify(failing({ code: "28P01" }), SOURCE, "sqlStates");
  assert.deepEqual([error.reason, error.code], ["credentials", "28P01"]);
});

Deno.test("classify() prefers the system's code to its negative number", () => {
  const error = classify(failing({ code: "EAI_AGAIN", errno: -3001 }), SOURCE);
  assert.equal(error.reason, "dns");
  assert.equal(error.code, "EAI_AGAIN");
});

Deno.test("classify() keeps the system's text without the runtime's number", () => {
  const error = classify(
    failing({ code: "ECONNREFUSED" }, "Connection refused (os error 111)"),
    SOURCE,
  );
  assert.equal(error.message, "Connection refused");
});

/** What servers and poolers say, and the reason that it means. */
const SAID: readonly (readonly [code: string, text: string, reason: Reason])[] =
  [
    ["28000", 'role "a" does not exist', "credentials"],
    ["28000", 'role "a" is not permitted to log in', "no login"],
    ["28000", 'no pg_hba.conf entry for host "10.0.0.1", user "a"', "no entry"],
    ["28000", 'pg_hba.conf rejects connection for host "::1"', "no entry"],
    ["28000", 'Ident authentication failed for user "a"', "method"],
    [
      "28000",
      "connection requires a valid client certificate",
      "client certificate",
    ],
    ["53300", "sorry, too many clients already", "too many connections"],
    [
      "53300",
      "remaining connection slots are reserved for roles with the SUPERUSER attribute",
      "too many connections",
    ],
    ["53300", 'too many connections for role "a"', "user limit"],
    ["53300", 'too many connections for database "b"', "database limit"],
    [
      "55000",
      'database "b" is not currently accepting connections',
      "closed database",
    ],
    ["42501", 'permission denied for database "b"', "forbidden"],
    ["42501", "permission denied for table systems", "foreign tables"],
    ["22023", 'invalid value for parameter "client_encoding"', "parameter"],
    ["53100", "could not extend file: No space left on device", "full"],
    ["XX001", "invalid page in block 0 of relation", "damaged"],
    // PgBouncer 1.18, recorded.
    ["08P01", "SASL authentication failed", "pooler credentials"],
    ["08P01", "password authentication failed", "pooler credentials"],
    ["08P01", "no such user", "pooler credentials"],
    ["08P01", "not allowed", "pooler credentials"],
    [
      "08P01",
      "transaction blocks not allowed in statement pooling mode",
      "server error",
    ],
    ["08P01", 'role "a" does not exist', "pooler credentials"],
    ["08P01", 'role "a" is not permitted to log in', "no login"],
    ["08P01", 'database "b" does not exist', "no such database"],
    ["08P01", "no such database: b", "pooler database"],
    ["08P01", 'database "b" is disabled', "pooler database"],
    ["08P01", 'permission denied for database "b"', "forbidden"],
    ["08P01", 'too many connections for role "a"', "user limit"],
    ["08P01", 'too many connections for database "b"', "database limit"],
    ["08P01", "sorry, too many clients already", "too many connections"],
    ["08P01", "no more connections allowed (max_client_conn)", "pooler limit"],
    ["08P01", "query_wait_timeout", "pooler without a server"],
    [
      "08P01",
      "server login has been failing, try again later (server_login_retry)",
      "pooler without a server",
    ],
    ["08P01", "pgbouncer cannot connect to server", "pooler without a server"],
    ["08P01", "unsupported startup parameter: search_path", "pooler parameter"],
    [
      "08P01",
      "unsupported startup parameter in options: search_path",
      "pooler parameter",
    ],
    ["08P01", "the database system is starting up", "starting up"],
    ["08P01", "SSL required", "tls demanded"],
    ["08P01", "login rejected", "no entry"],
    ["08P01", "certificate authentication failed", "client certificate"],
    ["08P01", "invalid frontend message type 0", "server error"],
    // Hosted poolers.
    ["XX000", "Tenant or user not found", "tenant"],
    ["XX000", "(ENOTFOUND) tenant/user postgres.abc not found", "tenant"],
    ["XX000", "(ENOIDENTIFIER) no tenant identifier provided", "tenant"],
    ["XX000", "MaxClientsInSessionMode: max clients reached", "pooler limit"],
    ["XX000", "cache lookup failed for relation 1", "server error"],
    [
      "58000",
      'No pool configured for database: "b", user: "a"',
      "pooler database",
    ],
  ];

for (const [code, text, reason] of SAID) {
  Deno.test(`classify() finds the reason "${reason}" in ${code} ${text}`, () => {
    const error = classify(failing({ code }, text), SOURCE, "sqlStates");
    assert.deepEqual([error.reason, error.message], [reason, text]);
  });
}

Deno.test("classify() keeps the address in a text about pg_hba.conf for the remedy", () => {
  const text = 'no pg_hba.conf entry for host "10.0.0.1", user "a"';
  const error = classify(failing({ code: "28000" }, text), SOURCE, "sqlStates");
  assert.equal(error.subject, "10.0.0.1");
});

Deno.test("classify() reports the first error of a host with several addresses", () => {
  const both = new AggregateError([
    failing({ code: "ECONNREFUSED" }, "connect ECONNREFUSED ::1:1"),
    failing({ code: "ECONNREFUSED" }, "connect ECONNREFUSED 127.0.0.1:1"),
  ]);
  const error = classify(both, SOURCE);
  assert.equal(error.reason, "refused");
  assert.equal(error.message, "connect ECONNREFUSED ::1:1");
});

Deno.test("classify() recognises a TLS error without a code by its text", () => {
  const error = new Error("invalid peer certificate: UnknownIssuer");
  assert.equal(classify(error, SOURCE).reason, "tls");
});

Deno.test("classify() returns a classified error as it is", () => {
  const error = new ProbeError("forbidden", "9.6");
  assert.equal(classify(error, SOURCE), error);
});

Deno.test("classify() gives a thrown value that is not an error the reason protocol", () => {
  assert.equal(classify("boom", SOURCE).reason, "protocol");
});

Deno.test("classify() removes line breaks, control characters and the password", () => {
  assert.equal(
    classify(" wrong \u001b[31m\n hunter22\t!\u200b. ", SOURCE).message,
    "wrong [31m (hidden) !",
  );
});

Deno.test("classify() does not tell that the password is a word of the message", () => {
  const error = Object.assign(
    new Error('password authentication failed for user "mattermost"'),
    { code: "28P01" },
  );
  for (const password of ["password", "failed", "mattermost", "matter"]) {
    const source = { ...SOURCE, user: "mattermost", password };
    assert.equal(classify(error, source).message, error.message);
  }
});

Deno.test("classify() shortens a long text", () => {
  const line = classify("x".repeat(1000), SOURCE).message;
  assert.equal(line.length, 240);
  assert(line.endsWith("…"));
});
