import assert from "node:assert/strict";
import type { ServerVariables } from "../../../lib/settings/server_variables.ts";
import { readServerVariables } from "../../../lib/settings/server_variables.ts";

const FILES: Readonly<Record<string, string>> = {
  "/run/secrets/licence": "the licence\n",
  "/run/secrets/empty": "",
};

function read(env: Readonly<Record<string, string>>): ServerVariables {
  return readServerVariables({
    env,
    readText(path) {
      const text = FILES[path];
      if (text !== undefined) return text;
      throw Object.assign(new Error(path), { code: "ENOENT" });
    },
  });
}

Deno.test("only the server's own variables are passed on", () => {
  const { values, fileVariables, problems } = read({
    MM_LICENSE: "x",
    MATTERMOST_VERSION: "1",
    DB_HOST: "d",
  });
  assert.deepEqual([values, fileVariables, problems], [
    { MM_LICENSE: "x" },
    [],
    [],
  ]);
});

Deno.test("the content of a file becomes the variable, without the final newline", () => {
  const { values, fileVariables, problems } = read({
    MM_LICENSE_FILE: "/run/secrets/licence",
  });
  assert.deepEqual([values, fileVariables, problems], [
    { MM_LICENSE: "the licence" },
    ["MM_LICENSE_FILE"],
    [],
  ]);
});

Deno.test("an empty _FILE variable is ignored, and not passed on", () => {
  const { values, fileVariables, problems } = read({
    MM_LICENSE_FILE: "",
    MM_LICENSE: "x",
  });
  assert.deepEqual([values, fileVariables, problems], [
    { MM_LICENSE: "x" },
    ["MM_LICENSE_FILE"],
    [],
  ]);
});

Deno.test("an empty variable is ignored, before its _FILE variable or after it", () => {
  const file = { MM_LICENSE_FILE: "/run/secrets/licence" };
  const empty = { MM_LICENSE: "" };
  for (const env of [{ ...file, ...empty }, { ...empty, ...file }]) {
    assert.deepEqual(read(env).values, { MM_LICENSE: "the licence" });
  }
});

Deno.test("a variable and its _FILE variable must not both be set", () => {
  const { problems } = read({
    MM_LICENSE_FILE: "/run/secrets/licence",
    MM_LICENSE: "another",
  });
  assert.deepEqual(problems, [{
    subject: "MM_LICENSE",
    message:
      "MM_LICENSE and MM_LICENSE_FILE are both set, but only one of them may be",
    remedy: "Remove MM_LICENSE or MM_LICENSE_FILE",
    code: 78,
  }]);
});

Deno.test("an empty variable does not conflict with its _FILE variable", () => {
  const { values, problems } = read({
    MM_LICENSE: "",
    MM_LICENSE_FILE: "/run/secrets/licence",
  });
  assert.deepEqual([values["MM_LICENSE"], problems], ["the licence", []]);
});

Deno.test("a missing file is a problem with code 66", () => {
  const { values, problems } = read({ MM_LICENSE_FILE: "/run/secrets/gone" });
  assert.deepEqual(values, {});
  assert.deepEqual(problems.map(({ code }) => code), [66]);
  assert.match(problems[0]?.message ?? "", /\/run\/secrets\/gone/);
});
