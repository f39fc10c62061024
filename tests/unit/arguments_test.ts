import assert from "node:assert/strict";
import { readArguments, readSeconds } from "../../lib/commands/arguments.ts";
import { EntrypointError } from "../../lib/errors.ts";

const OPTIONS = {
  json: { type: "boolean", default: false },
  timeout: { type: "string" },
} as const;

function failure(args: readonly string[], positionals = 0): EntrypointError {
  try {
    readArguments(args, {
      command: "app:check",
      options: OPTIONS,
      positionals,
    });
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    assert.equal(error.code, 64);
    assert.match(error.message, /^app:check: [^A-Z][^.]*$/);
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("options and other arguments are told apart", () => {
  const { values, positionals } = readArguments(
    ["--json", "a", "--timeout=5", "--", "--b"],
    { command: "app:check", options: OPTIONS, positionals: 2 },
  );
  assert.deepEqual({ ...values }, { json: true, timeout: "5" });
  assert.deepEqual(positionals, ["a", "--b"]);
});

Deno.test("what is left out has its default", () => {
  const { values } = readArguments([], {
    command: "app:check",
    options: OPTIONS,
  });
  assert.deepEqual({ ...values }, { json: false });
});

Deno.test("an unknown option is named, with the one that was meant", () => {
  const error = failure(["--jsno"]);
  assert.match(error.message, /'--jsno'/);
  assert.equal(error.remedy, "Did you mean --json?");
  assert.equal(
    failure(["--frobnicate"]).remedy,
    "app:check takes --json, --timeout",
  );
});

Deno.test("a command without options says so", () => {
  assert.throws(
    () => readArguments(["--x"], { command: "app:version", options: {} }),
    { code: 64, remedy: "app:version takes no options" },
  );
});

Deno.test("a missing value is a usage error", () => {
  assert.match(failure(["--timeout"]).message, /--timeout/);
});

Deno.test("too many arguments are a usage error that names the first of them", () => {
  assert.match(failure(["a"]).message, /unexpected argument "a"/);
  assert.match(failure(["a", "b", "c"], 1).message, /unexpected argument "b"/);
});

Deno.test("seconds are a number of more than 0 and at most a day", () => {
  assert.equal(readSeconds("10", "app:check"), 10);
  assert.equal(readSeconds("0.5", "app:check"), 0.5);
  assert.equal(readSeconds("86400", "app:check"), 86_400);
  for (const text of ["", "0", "0.0", "-1", "1e3", "86401", "soon", " 5"]) {
    assert.throws(
      () => readSeconds(text, "app:check"),
      (error) =>
        error instanceof EntrypointError && error.code === 64 &&
        error.message ===
          `app:check: --timeout takes seconds, more than 0: it is ${
            JSON.stringify(text)
          }`,
      text,
    );
  }
});

Deno.test("what is no error of the arguments is let through", () => {
  const options = {
    get json(): never {
      throw new RangeError("a bug");
    },
  };
  assert.throws(
    () => readArguments(["--json"], { command: "app:check", options }),
    RangeError,
  );
});
