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
    assert.match(error.message, /^app:check: [^A-Z][^.]*$/);
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("options and other arguments are told apart", () => {
  const { json, timeout, _ } = readArguments(
    ["--json", "a", "--timeout=5", "--", "--b", "7"],
    { ...USAGE, positionals: 3 },
  );
  assert.deepEqual({ json, timeout }, { json: true, timeout: "5" });
  assert.deepEqual(_, ["a", "--b", "7"]);
});

Deno.test("a flag that is left out is off, a value is not there", () => {
  const { json, timeout, _ } = readArguments([], USAGE);
  assert.deepEqual({ json, timeout, _ }, {
    json: false,
    timeout: undefined,
    _: [],
  });
});

Deno.test("values stay texts, whatever they look like, and the last one counts", () => {
  for (const text of ["010", "1e3", "true", "a=b", "-5", "--json"]) {
    const args = ["--timeout", "1", `--timeout=${text}`];
    assert.equal(readArguments(args, USAGE).timeout, text);
  }
  assert.equal(readArguments(["--timeout", "010"], USAGE).timeout, "010");
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
    () => readArguments(["--x"], { command: "app:version" }),
    { code: 64, remedy: "app:version takes no options" },
  );
});

Deno.test("nothing passes for an option that is none", () => {
  const unknown = ["--no-json", "--Json", "---json", "--=x"];
  const short = ["-x", "-j", "-json", "-5", "-x=5"];
  for (const option of [...unknown, ...short, "--__proto__", "--toString"]) {
    assert.match(failure([option], 9).message, /unknown option '-/, option);
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
    assert.match(failure(args, 9).message, /'--timeout' needs a value/);
  }
});

Deno.test("a value for an option that takes none is a usage error", () => {
  for (const args of [["--json=no"], ["--json="], ["--json", "false"]]) {
    assert.match(failure(args, 9).message, /'--json' takes no value/);
  }
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
