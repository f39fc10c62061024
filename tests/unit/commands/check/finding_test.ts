import assert from "node:assert/strict";
import {
  certificateFinding,
  certificateProblem,
} from "../../../../lib/commands/check/certificate.ts";
import {
  describeCause,
  failed,
  findingsFromError,
  ok,
  warning,
} from "../../../../lib/commands/check/finding.ts";
import { EntrypointError } from "../../../../lib/errors.ts";

const DAY = 86_400_000;

function withCode(code: string, message = ""): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("a finding has its keys in a fixed order, and no empty key", () => {
  assert.equal(
    JSON.stringify(warning("a.b", { remedy: "R", message: "M" })),
    '{"check":"a.b","level":"warning","message":"M","remedy":"R"}',
  );
  assert.deepEqual(Object.keys(failed("a", { message: "M" })), [
    "check",
    "level",
    "message",
  ]);
  assert.deepEqual(ok("a", "M"), { check: "a", level: "ok", message: "M" });
});

Deno.test("an error becomes one finding for each of its problems, or one if it has none", () => {
  const alone = new EntrypointError("M", { code: 78, remedy: "R" });
  assert.deepEqual(findingsFromError("a", alone), [
    { check: "a", level: "failed", message: "M", remedy: "R" },
  ]);
  assert.deepEqual(
    findingsFromError("a", new EntrypointError("M", { code: 78 })),
    [
      { check: "a", level: "failed", message: "M" },
    ],
  );
  const several = new EntrypointError("M", {
    code: 78,
    problems: [{ subject: "A", message: "a" }, { subject: "B", message: "b" }],
  });
  assert.deepEqual(
    findingsFromError("x", several).map(({ message }) => message),
    [
      "a",
      "b",
    ],
  );
});

Deno.test("reasonOf() describes known error codes in words, and repeats other messages", () => {
  assert.equal(
    describeCause(withCode("ECONNREFUSED")),
    "the connection was refused",
  );
  assert.equal(
    describeCause({ code: "ENOTFOUND" }),
    "the host name is unknown",
  );
  assert.equal(describeCause(withCode("EWEIRD", "as it is")), "as it is");
  assert.equal(describeCause(withCode("toString", "as it is")), "as it is");
  assert.equal(
    describeCause(new DOMException("x", "TimeoutError")),
    "no answer in time",
  );
  assert.equal(describeCause("a text"), "a text");
  // The error of a host with several addresses has no message of its own.
  const both = new AggregateError([withCode("ECONNREFUSED", "connect ::1")]);
  assert.equal(describeCause(both), "the connection was refused");
  assert.equal(
    describeCause(Object.assign(both, { code: "ESOCKET" })),
    "the connection was refused",
  );
  assert.equal(describeCause(withCode("EWEIRD")), "EWEIRD");
  for (const silent of [new Error(""), new AggregateError([]), "", " "]) {
    assert.equal(describeCause(silent), "the system reports no cause");
  }
});

Deno.test("a certificate is valid, expires within three weeks, or has expired", () => {
  const now = Date.UTC(2030, 0, 1);
  const judge = (days: number): string =>
    certificateFinding("c", { what: "It", expires: now + days * DAY, now })
      .map(({ level, message }) => `${level}: ${message}`).join();
  assert.equal(judge(30), "ok: It is valid until 2030-01-31");
  assert.equal(judge(21), "ok: It is valid until 2030-01-22");
  assert.equal(judge(20), "warning: It expires on 2030-01-21, in 20 days");
  assert.equal(judge(1), "warning: It expires on 2030-01-02, in 1 day");
  assert.equal(judge(-1), "failed: It expired on 2029-12-31");
  assert.deepEqual(
    certificateFinding("c", { what: "It", expires: undefined, now }),
    [],
  );
});

Deno.test("certificateFault() recognises certificate errors by code or by message", () => {
  const untrusted = "is not signed by an authority that the server trusts";
  const cases: readonly (readonly [unknown, string | undefined])[] = [
    [withCode("CERT_HAS_EXPIRED"), "has expired"],
    [new Error("invalid peer certificate: Expired"), "has expired"],
    [withCode("CERT_NOT_YET_VALID"), "is not valid yet"],
    [withCode("ERR_TLS_CERT_ALTNAME_INVALID"), "is for another host name"],
    [
      new Error("invalid peer certificate: NotValidForName"),
      "is for another host name",
    ],
    [withCode("SELF_SIGNED_CERT_IN_CHAIN"), untrusted],
    [withCode("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate"), untrusted],
    [new Error("invalid peer certificate: UnknownIssuer"), untrusted],
    [withCode("UNABLE_TO_DECRYPT_CERT_SIGNATURE"), untrusted],
    // nodemailer has the code ESOCKET for all of them.
    [withCode("ESOCKET", "unable to verify the first certificate"), untrusted],
    [
      withCode("ESOCKET", "unable to get local issuer certificate"),
      untrusted,
    ],
    [withCode("ESOCKET", "self-signed certificate"), untrusted],
    [withCode("ECONNREFUSED"), undefined],
    [new Error("the session expired"), undefined],
    ["certificate", undefined],
  ];
  for (const [error, fault] of cases) {
    assert.equal(certificateProblem(error), fault, String(error));
  }
});
