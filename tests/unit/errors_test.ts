import assert from "node:assert/strict";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  formatError,
  formatProblem,
} from "../../lib/errors.ts";

Deno.test("the exit codes are those that the operator can look up", () => {
  assert.deepEqual(Object.values(ExitCode), [
    0,
    1,
    64,
    65,
    66,
    69,
    70,
    73,
    77,
    78,
    126,
    127,
  ]);
});

Deno.test("a finding has its remedy below", () => {
  assert.equal(
    formatProblem({ message: "DB_HOST is wrong", remedy: "Set it" }),
    "DB_HOST is wrong\n  → Set it",
  );
  assert.equal(formatProblem({ message: "All is well" }), "All is well");
  assert.equal(
    formatProblem({ message: "b", remedy: "one\ntwo" }),
    "b\n  → one\n  two",
  );
});

Deno.test("an error shows all of its findings, then its own remedy", () => {
  const error = new EntrypointError("The settings are wrong", {
    code: ExitCode.settings,
    problems: [
      { subject: "A", message: "A is one", remedy: "Change A" },
      { subject: "B", message: "B is two" },
    ],
    remedy: "app:help",
  });
  assert.equal(
    formatError(error),
    "The settings are wrong\n  A is one\n    → Change A\n  B is two\n  → app:help",
  );
  assert.equal(error.code, 78);
  assert.equal(error.name, "EntrypointError");
});

Deno.test("an error of the operator shows neither stack nor cause", () => {
  const text = formatError(
    new EntrypointError("Not there", {
      code: ExitCode.unavailable,
      cause: new Error("inner"),
    }),
  );
  assert.equal(text, "Not there");
});

Deno.test("a bug says that it is one, with its stack", () => {
  const text = formatError(new TypeError("x is not a function"));
  assert.match(text, /^This is a bug of the entrypoint, please report it:\n/);
  assert.match(text, /TypeError: x is not a function\n\s+at /);
  assert.match(formatError("thrown text"), /thrown text$/);
  assert.match(formatError(undefined), /undefined$/);
});

Deno.test("an error's code is found where there is one", () => {
  assert.equal(
    errorCode(Object.assign(new Error(), { code: "ENOENT" })),
    "ENOENT",
  );
  assert.equal(errorCode({ code: 5 }), undefined);
  assert.equal(errorCode(new Error("ENOENT")), undefined);
  assert.equal(errorCode(null), undefined);
  assert.equal(errorCode("ENOENT"), undefined);
});
