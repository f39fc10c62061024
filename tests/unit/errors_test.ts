import assert from "node:assert/strict";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  formatError,
  formatProblem,
} from "../../lib/errors.ts";

Deno.test("the exit codes are the documented ones", () => {
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

Deno.test("formatProblem() puts the remedy below the message", () => {
  assert.equal(
    formatProblem({ message: "DB_HOST is wrong", remedy: "Set it" }),
    "DB_HOST is wrong\n  → Set it",
  );
  assert.equal(formatProblem({ message: "All is well" }), "All is well");
  assert.equal(
    formatProblem({ message: "a\r\nb", remedy: "rm 'one\ntwo'" }),
    "a\\nb\n  → rm 'one\\ntwo'",
  );
});

Deno.test("a name with line ends cannot look like another message", () => {
  const message = "/data/a\r\nerror: b\n  → rm c is wrong";
  const shown = "/data/a\\nerror: b\\n  → rm c is wrong";
  assert.equal(formatProblem({ message, remedy: "d" }), `${shown}\n  → d`);
  const error = new EntrypointError(message, {
    code: ExitCode.usage,
    problems: [{ subject: "", message }],
  });
  assert.equal(formatError(error), `${shown}\n  ${shown}`);
});

Deno.test("formatError() shows all problems, then the remedy of the error", () => {
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

Deno.test("formatError() shows neither stack trace nor cause of an EntrypointError", () => {
  const text = formatError(
    new EntrypointError("Not there", {
      code: ExitCode.unavailable,
      cause: new Error("inner"),
    }),
  );
  assert.equal(text, "Not there");
});

Deno.test("formatError() reports any other error as a bug, with its stack trace", () => {
  const text = formatError(new TypeError("x is not a function"));
  assert.match(text, /^This is a bug in the entrypoint, please report it:\n/);
  assert.match(text, /TypeError: x is not a function\n\s+at /);
  assert.match(formatError("thrown text"), /thrown text$/);
  assert.match(formatError(undefined), /undefined$/);
});

Deno.test("errorCode() returns a code only if it is a text", () => {
  assert.equal(
    errorCode(Object.assign(new Error(), { code: "ENOENT" })),
    "ENOENT",
  );
  assert.equal(errorCode({ code: 5 }), undefined);
  assert.equal(errorCode(new Error("ENOENT")), undefined);
  assert.equal(errorCode(null), undefined);
  assert.equal(errorCode("ENOENT"), undefined);
});

Deno.test("errorCode() finds the number where Deno gives no code", () => {
  const failed = (text: string): Error => new Error(`${text}: open '/x'`);
  for (
    const [number, code] of [
      [37, "ENOLCK"],
      [38, "ENOSYS"],
      [116, "ESTALE"],
      [121, "EREMOTEIO"],
      [122, "EDQUOT"],
      [133, "errno 133"],
    ] as const
  ) {
    assert.equal(errorCode(failed(`Some words (os error ${number})`)), code);
    assert.equal(
      errorCode(
        Object.assign(new Error(), { code: "UNKNOWN", errno: -number }),
      ),
      code,
    );
  }
  const refused = new Deno.errors.NotCapable("Requires all access to /proc/x");
  assert.equal(errorCode(refused), "NotCapable");
});
