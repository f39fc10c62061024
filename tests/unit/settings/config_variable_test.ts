import assert from "node:assert/strict";
import { resolve } from "../../../lib/settings/resolve.ts";

function resolved(
  env: Record<string, string>,
  file?: string,
): ReturnType<typeof resolve> {
  return resolve({
    env,
    readFile: () => new TextEncoder().encode(file),
    exists: () => true,
  });
}

Deno.test("a data source in MM_CONFIG means the configuration in the database, and its product", () => {
  const text = "postgresql://ann@db/chat";
  for (
    const { settings, origins, problems } of [
      resolved({ MM_CONFIG: text }),
      resolved({ MM_CONFIG: text, MATTERMOST_CONFIG_STORE: "database" }),
      resolved({ MM_CONFIG_FILE: "/run/secrets/dsn" }, `${text}\n`),
      resolved({ mm_config: text }),
      resolved({ Mm_Config_File: "/run/secrets/dsn" }, text),
    ]
  ) {
    assert.deepEqual(problems, []);
    assert.equal(settings.MATTERMOST_CONFIG_STORE, "database");
    assert.equal(settings.DB_ADAPTER, "postgres");
    assert.ok("name" in origins.DB_ADAPTER);
  }
  assert.equal(
    resolved({ MM_CONFIG: "mysql://x@tcp(db)/y" }).settings.DB_ADAPTER,
    "mysql",
  );
});

Deno.test("a path in MM_CONFIG means that file", () => {
  const { settings, problems } = resolved({ MM_CONFIG: "/a/b/config.json" });
  assert.deepEqual(problems, []);
  assert.equal(settings.MATTERMOST_CONF_DIR, "/a/b");
  assert.equal(settings.MATTERMOST_CONFIG_STORE, "file");
  const same = { MM_CONFIG: "/a/config.json", MATTERMOST_CONF_DIR: "/a" };
  assert.deepEqual(resolved(same).problems, []);
});

Deno.test("MM_CONFIG is refused where it contradicts another setting, or cannot be used", () => {
  const dsn = "postgres://ann:S3CRET@db/chat";
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ MM_CONFIG: dsn, MATTERMOST_CONFIG_STORE: "file" }, /STORE is file$/],
    [
      { MM_CONFIG: "/a/config.json", MATTERMOST_CONFIG_STORE: "database" },
      /STORE is database$/,
    ],
    [{ MM_CONFIG: "config.json" }, /named config\.json$/],
    [{ MM_CONFIG: "/a/mattermost.json" }, /named config\.json$/],
    [
      { MM_CONFIG: "/a/config.json", MATTERMOST_CONF_DIR: "/b" },
      /in another directory/,
    ],
  ];
  for (const [env, pattern] of cases) {
    const { problems } = resolved(env);
    assert.equal(problems.length, 1, JSON.stringify(env));
    assert.match(problems[0]?.message ?? "", pattern);
    assert.equal(problems[0]?.code, 78);
    assert.doesNotMatch(JSON.stringify(problems), /S3CRET/);
  }
  assert.deepEqual(resolved({ MM_CONFIG: "" }).problems, []);
});
