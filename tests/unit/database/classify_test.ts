import assert from "node:assert/strict";
import { classify } from "../../../lib/database/classify.ts";
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

Deno.test("classify() gives unknown codes the reason protocol", () => {
  for (const properties of [{ code: "XX000" }, { errno: 9999 }, {}]) {
    assert.equal(classify(failing(properties), SOURCE).reason, "protocol");
  }
});

Deno.test("classify() takes a code that a server has chosen for nothing but a SQLSTATE", () => {
  for (const code of ["ENOENT", "EPERM", "EPIPE", "1045", "28P01\n", ""]) {
    const error = classify(failing({ code }, "TLS"), SOURCE, "sqlStates");
    assert.equal(error.reason, "protocol", code);
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

Deno.test("classify() distinguishes a missing entry in pg_hba.conf from an unknown role", () => {
  const text =
    'no pg_hba.conf entry for host "10.0.0.1", user "a", database "b"';
  const error = classify(failing({ code: "28000" }, text), SOURCE, "sqlStates");
  assert.equal(error.reason, "forbidden");
  assert.equal(error.message, text);
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
