import assert from "node:assert/strict";
import type { ServerVariables } from "../../../lib/settings/server_variables.ts";
import { readServerVariables } from "../../../lib/settings/server_variables.ts";

const FILES: Readonly<Record<string, string>> = {
  "/run/secrets/licence": "the licence\n",
  "/run/secrets/empty": "",
};

function read(
  env: Readonly<Record<string, string>>,
  options = { anyCase: true },
): ServerVariables {
  const readFile = (path: string): Uint8Array => {
    const text = FILES[path];
    if (text !== undefined) return new TextEncoder().encode(text);
    throw Object.assign(new Error(path), { code: "ENOENT" });
  };
  return readServerVariables({ env, readFile }, options);
}

Deno.test("only the server's own variables are passed on", () => {
  const { values, replaced, problems } = read({
    MM_LICENSE: "x",
    MATTERMOST_VERSION: "1",
    DB_HOST: "d",
  });
  assert.deepEqual([values, replaced, problems], [
    { MM_LICENSE: "x" },
    [],
    [],
  ]);
});

Deno.test("the content of a file becomes the variable, without the final newline", () => {
  const { values, replaced, problems } = read({
    MM_LICENSE_FILE: "/run/secrets/licence",
  });
  assert.deepEqual([values, replaced, problems], [
    { MM_LICENSE: "the licence" },
    ["MM_LICENSE_FILE"],
    [],
  ]);
});

Deno.test("an empty _FILE variable is ignored, and not passed on", () => {
  const { values, replaced, problems } = read({
    MM_LICENSE_FILE: "",
    MM_LICENSE: "x",
  });
  assert.deepEqual([values, replaced, problems], [
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

Deno.test("names in any letter case are read once, in capitals", () => {
  assert.deepEqual(
    read({
      mm_servicesettings_siteurl: "https://a.example.com",
      MM_TeamSettings_SiteName: "Chat",
      MM_TEAMSETTINGS_SITENAME: "Chat",
      Mm_License_File: "/run/secrets/licence",
      mmm_other: "x",
    }),
    {
      values: {
        MM_SERVICESETTINGS_SITEURL: "https://a.example.com",
        MM_TEAMSETTINGS_SITENAME: "Chat",
        MM_LICENSE: "the licence",
      },
      givenBy: {
        MM_SERVICESETTINGS_SITEURL: "mm_servicesettings_siteurl",
        MM_TEAMSETTINGS_SITENAME: "MM_TEAMSETTINGS_SITENAME",
        MM_LICENSE: "Mm_License_File",
      },
      replaced: [
        "mm_servicesettings_siteurl",
        "MM_TeamSettings_SiteName",
        "Mm_License_File",
      ],
      problems: [],
      warnings: [],
    },
  );
});

Deno.test("a release that reads only capitals leaves other spellings alone", () => {
  const { values, replaced, problems } = read({
    mm_sqlsettings_datasource: "lower",
    MM_SQLSETTINGS_DATASOURCE: "upper",
    mm_license_file: "/run/secrets/gone",
  }, { anyCase: false });
  assert.deepEqual([values, replaced, problems], [
    { MM_SQLSETTINGS_DATASOURCE: "upper" },
    [],
    [],
  ]);
});

Deno.test("MM_CONFIG counts in any letter case, for every release", () => {
  const text = "postgres://ann@db/chat";
  const { values, givenBy, replaced } = read({ mm_config: text }, {
    anyCase: false,
  });
  assert.deepEqual([values, givenBy, replaced], [
    { MM_CONFIG: text },
    { MM_CONFIG: "mm_config" },
    ["mm_config"],
  ]);
});

Deno.test("two spellings of a name must not have different values", () => {
  for (
    const [first, second] of [
      ["mm_config", "MM_CONFIG"],
      ["MM_LICENSE", "Mm_License"],
      ["mm_license_file", "MM_LICENSE_FILE"],
    ] as const
  ) {
    const { problems } = read({
      [first]: "",
      [second]: "/run/secrets/licence",
    });
    assert.deepEqual(problems, [{
      subject: first.toUpperCase(),
      message:
        `${first} and ${second} have different values, but the server reads both as ${first.toUpperCase()}`,
      remedy: `Remove ${first} or ${second}`,
      code: 78,
    }]);
  }
});

Deno.test("a variable and its _FILE variable in another spelling must not both be set", () => {
  const { problems } = read({
    mm_license: "x",
    MM_License_FILE: "/run/secrets/licence",
  });
  assert.deepEqual(problems.map(({ message }) => message), [
    "mm_license and MM_License_FILE are both set, but only one of them may be",
  ]);
});
