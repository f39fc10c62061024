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

Deno.test("the server's own variables pass, and nobody else's", () => {
  const found = read({
    MM_LICENSE: "x",
    MATTERMOST_VERSION: "1",
    DB_HOST: "d",
  });
  assert.deepEqual(found, {
    values: { MM_LICENSE: "x" },
    twins: [],
    problems: [],
  });
});

Deno.test("a twin becomes its variable, without the last line end", () => {
  const { values, twins, problems } = read({
    MM_LICENSE_FILE: "/run/secrets/licence",
  });
  assert.deepEqual([values, twins, problems], [
    { MM_LICENSE: "the licence" },
    ["MM_LICENSE_FILE"],
    [],
  ]);
});

Deno.test("a twin without a path says nothing, and is kept from the server", () => {
  const { values, twins, problems } = read({
    MM_LICENSE_FILE: "",
    MM_LICENSE: "x",
  });
  assert.deepEqual([values, twins, problems], [
    { MM_LICENSE: "x" },
    ["MM_LICENSE_FILE"],
    [],
  ]);
});

Deno.test("an empty variable says nothing, before its twin or behind it", () => {
  const twin = { MM_LICENSE_FILE: "/run/secrets/licence" };
  const empty = { MM_LICENSE: "" };
  for (const env of [{ ...twin, ...empty }, { ...empty, ...twin }]) {
    assert.deepEqual(read(env).values, { MM_LICENSE: "the licence" });
  }
});

Deno.test("a variable and its twin cannot both be set", () => {
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

Deno.test("an empty variable does not stand in its twin's way", () => {
  const { values, problems } = read({
    MM_LICENSE: "",
    MM_LICENSE_FILE: "/run/secrets/licence",
  });
  assert.deepEqual([values["MM_LICENSE"], problems], ["the licence", []]);
});

Deno.test("a twin whose file is not there is a problem with code 66", () => {
  const { values, problems } = read({ MM_LICENSE_FILE: "/run/secrets/gone" });
  assert.deepEqual(values, {});
  assert.deepEqual(problems.map(({ code }) => code), [66]);
  assert.match(problems[0]?.message ?? "", /\/run\/secrets\/gone/);
});
