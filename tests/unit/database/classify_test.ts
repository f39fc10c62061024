import assert from "node:assert/strict";
import { classify } from "../../../lib/database/classify.ts";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { ProbeError } from "../../../lib/database/session.ts";
import type { Reason } from "../../../lib/database/reasons.ts";

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

Deno.test("classify() finds the reason of each code", () => {
  const rows: ["mysql" | "postgres", object, Reason][] = [
    ["postgres", { code: "ENOTFOUND" }, "dns"],
    ["mysql", { code: "EAI_AGAIN", errno: -3001 }, "dns"],
    ["mysql", { code: "ECONNREFUSED", errno: -111 }, "refused"],
    ["postgres", { code: "ENOENT" }, "refused"],
    ["postgres", { code: "EHOSTUNREACH" }, "unreachable"],
    ["postgres", { code: "ETIMEDOUT" }, "timeout"],
    ["postgres", { code: "ECONNRESET" }, "protocol"],
    ["postgres", { code: "CONNECTION_CLOSED" }, "protocol"],
    ["postgres", { code: "SASL_SIGNATURE_MISMATCH" }, "credentials"],
    ["mysql", { code: "HANDSHAKE_SSL_ERROR" }, "tls"],
    ["mysql", { code: "HANDSHAKE_NO_SSL_SUPPORT" }, "tls"],
    ["postgres", { code: "28P01" }, "credentials"],
    ["postgres", { code: "28000" }, "credentials"],
    ["postgres", { code: "3D000" }, "no such database"],
    ["postgres", { code: "42501" }, "forbidden"],
    ["postgres", { code: "53300" }, "too many connections"],
    ["postgres", { code: "57P03" }, "starting up"],
    ["postgres", { code: "57P01" }, "starting up"],
    ["postgres", { code: "25006" }, "read-only"],
    ["postgres", { code: "XX000" }, "protocol"],
    ["mysql", { errno: 1045 }, "credentials"],
    ["mysql", { errno: 1049 }, "no such database"],
    ["mysql", { errno: 1040 }, "too many connections"],
    ["mysql", { errno: 1203 }, "too many connections"],
    ["mysql", { errno: 1044 }, "forbidden"],
    ["mysql", { errno: 1130 }, "forbidden"],
    ["mysql", { errno: 1251 }, "credentials"],
    ["mysql", { errno: 1053 }, "starting up"],
    ["mysql", { errno: 1290 }, "read-only"],
    ["mysql", { errno: 3159 }, "tls"],
    ["mysql", { errno: 9999 }, "protocol"],
    ["mysql", {}, "protocol"],
  ];
  for (const [adapter, properties, reason] of rows) {
    const error = classify(failing(properties), { ...SOURCE, adapter });
    assert.equal(error.reason, reason, JSON.stringify(properties));
  }
});

Deno.test("classify() keeps the system's words, without the runtime's number", () => {
  const error = classify(
    failing({ code: "ECONNREFUSED" }, "Connection refused (os error 111)"),
    SOURCE,
  );
  assert.equal(error.message, "Connection refused");
});

Deno.test("classify() tells a missing line of pg_hba.conf from a wrong role", () => {
  const text =
    'no pg_hba.conf entry for host "10.0.0.1", user "a", database "b"';
  const error = classify(failing({ code: "28000" }, text), SOURCE);
  assert.equal(error.reason, "forbidden");
  assert.equal(error.message, text);
});

Deno.test("classify() takes one of the errors of a host with several addresses", () => {
  const both = new AggregateError([
    failing({ code: "ECONNREFUSED" }, "connect ECONNREFUSED ::1:1"),
    failing({ code: "ECONNREFUSED" }, "connect ECONNREFUSED 127.0.0.1:1"),
  ]);
  const error = classify(both, SOURCE);
  assert.equal(error.reason, "refused");
  assert.equal(error.message, "connect ECONNREFUSED ::1:1");
});

Deno.test("classify() knows an error of TLS that has no code by its text", () => {
  const error = new Error("invalid peer certificate: UnknownIssuer");
  assert.equal(classify(error, SOURCE).reason, "tls");
});

Deno.test("classify() leaves a classified error as it is", () => {
  const error = new ProbeError("forbidden", "9.6");
  assert.equal(classify(error, SOURCE), error);
});

Deno.test("classify() takes what is no error for a garbled answer", () => {
  assert.equal(classify("boom", SOURCE).reason, "protocol");
});

Deno.test("classify() makes one line without control characters and the password", () => {
  assert.equal(
    classify(" wrong \u001b[31m\n hunter22\t!\u200b. ", SOURCE).message,
    "wrong [31m (hidden) !",
  );
});

Deno.test("classify() shortens what is long", () => {
  const line = classify("x".repeat(1000), SOURCE).message;
  assert.equal(line.length, 240);
  assert(line.endsWith("…"));
});
