import assert from "node:assert/strict";
import { readArguments, readSeconds } from "../../../lib/commands/arguments.ts";
import { EntrypointError } from "../../../lib/errors.ts";

const USAGE = {
  command: "app:check",
  flags: ["json"],
  values: ["timeout"],
} as const;

function failure(args: readonly string[], positionals = 0): EntrypointError {
  try {
    readArguments(args, { ...USAGE, positionals });
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    assert.equal(error.code, 64);
    assert.match(error.message, /^(The option --\w+ of )?app:check [^.]*$/);
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("options and other arguments are separated", () => {
  const { json, timeout, _ } = readArguments(
    ["--json", "a", "--timeout=5", "--", "--b", "7"],
    { ...USAGE, positionals: 3 },
  );
  assert.deepEqual({ json, timeout }, { json: true, timeout: "5" });
  assert.deepEqual(_, ["a", "--b", "7"]);
});

Deno.test("a missing flag is false, and a missing value is undefined", () => {
  const { json, timeout, _ } = readArguments([], USAGE);
  assert.deepEqual({ json, timeout, _ }, {
    json: false,
    timeout: undefined,
    _: [],
  });
});

Deno.test("values are never converted, and the last one counts", () => {
  for (const text of ["010", "1e3", "true", "a=b", "-5", "--json"]) {
    const args = ["--timeout", "1", `--timeout=${text}`];
    assert.equal(readArguments(args, USAGE).timeout, text);
  }
  assert.equal(readArguments(["--timeout", "010"], USAGE).timeout, "010");
});

Deno.test("an unknown option is reported with the closest known one", () => {
  const error = failure(["--jsno"]);
  assert.match(error.message, /app:check has no option --jsno$/);
  assert.equal(error.remedy, "Did you mean --json?");
  assert.equal(
    failure(["--frobnicate"]).remedy,
    "app:check accepts --json, --timeout",
  );
});

Deno.test("the remedy for a command without options says that it accepts none", () => {
  assert.throws(
    () => readArguments(["--x"], { command: "app:version" }),
    { code: 64, remedy: "app:version accepts no options" },
  );
});

Deno.test("similar and malformed options are unknown", () => {
  const unknown = ["--no-json", "--Json", "---json", "--=x"];
  const short = ["-x", "-j", "-json", "-5", "-x=5"];
  for (const option of [...unknown, ...short, "--__proto__", "--toString"]) {
    assert.match(failure([option], 9).message, / has no option -/, option);
  }
  assert.throws(() => readArguments(["--json.x"], USAGE), { code: 64 });
  assert.doesNotMatch(failure(["--password=secret"]).message, /secret/);
});

Deno.test("a missing value is a usage error", () => {
  for (
    const args of [["--timeout"], ["--timeout="], ["--timeout", ""], [
      "--timeout",
      "--json",
    ]]
  ) {
    assert.match(
      failure(args, 9).message,
      / --timeout of app:check needs a value/,
    );
  }
});

Deno.test("a value for an option that takes none is a usage error", () => {
  for (const args of [["--json=no"], ["--json="], ["--json", "false"]]) {
    assert.match(
      failure(args, 9).message,
      / --json of app:check takes no value/,
    );
  }
});

Deno.test("too many arguments are a usage error that names the first superfluous one", () => {
  assert.match(failure(["a"]).message, /does not accept the argument "a"/);
  assert.match(
    failure(["a", "b", "c"], 1).message,
    /does not accept the argument "b"/,
  );
});

Deno.test("a timeout is more than 0 and at most 86400 seconds", () => {
  assert.equal(readSeconds("10", "app:check"), 10);
  assert.equal(readSeconds("0.5", "app:check"), 0.5);
  assert.equal(readSeconds("86400", "app:check"), 86_400);
  for (const text of ["", "0", "0.0", "-1", "1e3", "86401", "soon", " 5"]) {
    assert.throws(
      () => readSeconds(text, "app:check"),
      (error) =>
        error instanceof EntrypointError && error.code === 64 &&
        error.message ===
          `The option --timeout of app:check must be more than 0 and at most 86400 seconds: it is ${
            JSON.stringify(text)
          }`,
      text,
    );
  }
});
