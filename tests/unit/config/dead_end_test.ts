import assert from "node:assert/strict";
import { deadEnd } from "../../../lib/config/dead_end.ts";
import type { Json } from "../../../lib/json.ts";
import { valueAt } from "../../../lib/json.ts";

const OPTIONS = { directory: "/tmp/a dir", adapter: "postgres" } as const;

const REAL = "postgres://mm:secret@db.example.com/mattermost";

function copy(
  document: Readonly<Record<string, Json>>,
  env: Readonly<Record<string, string>> = {},
): { read: (path: string) => Json | undefined; env: Record<string, string> } {
  const result = deadEnd({ text: JSON.stringify(document), env }, OPTIONS);
  assert.ok(!JSON.stringify(result).includes("db.example.com"));
  const parsed: Json = JSON.parse(result.text);
  return { read: (path) => valueAt(parsed, path), env: { ...result.env } };
}

Deno.test("no spelling of a variable, and no key, leads to the real database", () => {
  const { read, env } = copy({
    sqlsettings: {
      DATASOURCE: REAL,
      DataSource: REAL,
      DataSourceReplicas: [REAL],
      dataSourceSearchReplicas: [REAL],
      ReplicaLagSettings: [{ DataSource: REAL }],
    },
  }, {
    mm_sqlsettings_datasource: REAL,
    MM_SqlSettings_DataSource: REAL,
    MM_SQLSETTINGS_DATASOURCE: REAL,
    Mm_sqlsettings_datasourceReplicas: REAL,
    MM_SQLSETTINGS_DATASOURCESEARCHREPLICAS: REAL,
    MM_SQLSETTINGS_REPLICALAGSETTINGS: `[{"DataSource":"${REAL}"}]`,
    mm_config: REAL,
    MM_CONFIG: REAL,
    MM_TEAMSETTINGS_SITENAME: "Chat",
    HOME: "/opt",
  });
  const end = "postgres://x:y@/nodb?host=%2Ftmp%2Fa%20dir&sslmode=disable";
  assert.deepEqual(env, {
    MM_SQLSETTINGS_DATASOURCE: end,
    MM_LOGSETTINGS_ENABLECONSOLE: "true",
    MM_TEAMSETTINGS_SITENAME: "Chat",
    HOME: "/opt",
  });
  assert.equal(read("SqlSettings.DataSource"), end);
  assert.deepEqual(
    ["DataSourceReplicas", "DataSourceSearchReplicas", "ReplicaLagSettings"]
      .map((key) => read(`SqlSettings.${key}`)),
    [[], [], []],
  );
});

Deno.test("the dead end has the form of the driver that the server will use", () => {
  const source = (
    driver: string | undefined,
    env: Readonly<Record<string, string>> = {},
  ): string => {
    const settings = driver === undefined ? {} : { DriverName: driver };
    const { read } = copy({ SqlSettings: settings }, env);
    return String(read("SqlSettings.DataSource"));
  };
  const mysql = "x:y@unix(/tmp/a dir/s.sock)/nodb?charset=utf8mb4";
  assert.equal(source("mysql"), mysql);
  assert.equal(
    source("postgres", { mm_sqlSettings_driverName: "mysql" }),
    mysql,
  );
  assert.equal(source("mysql", { MM_SQLSETTINGS_DRIVERNAME: "" }), mysql);
  assert.match(source(undefined), /^postgres:/);
  assert.match(
    source("mysql", { MM_SQLSETTINGS_DRIVERNAME: "postgres" }),
    /^postgres:/,
  );
  const { read } = copy({});
  assert.equal(read("SqlSettings.DriverName"), "postgres");
});

Deno.test("a true data source, which contains a password, is only in the copy", () => {
  const dataSource = "postgres://ann:b@db/chat?unknown=1";
  const { text, env } = deadEnd({
    text: "{}",
    env: { mm_sqlsettings_datasource: REAL },
  }, { ...OPTIONS, dataSource });
  assert.equal(valueAt(JSON.parse(text), "SqlSettings.DataSource"), dataSource);
  assert.deepEqual(Object.keys(env), ["MM_LOGSETTINGS_ENABLECONSOLE"]);
});

Deno.test("other systems are switched off where they are on, and named", () => {
  const text = JSON.stringify({
    LogSettings: {
      EnableConsole: false,
      ConsoleLevel: "DEBUG",
      EnableFile: true,
      EnableSentry: true,
      AdvancedLoggingJSON: { a: { type: "tcp" } },
    },
    ExperimentalAuditSettings: { FileEnabled: true },
    ClusterSettings: { Enable: true },
    MetricsSettings: { Enable: false },
    CacheSettings: { CacheType: "foo" },
  });
  const env = {
    mm_metricssettings_enable: "1",
    MM_LOGSETTINGS_ENABLECONSOLE: "false",
    MM_LOGSETTINGS_CONSOLELEVEL: "ERROR",
    MM_LOGSETTINGS_ENABLEFILE: "true",
  };
  const result = deadEnd({ text, env }, OPTIONS);
  const document: Json = JSON.parse(result.text);
  assert.deepEqual(
    [
      "LogSettings.EnableConsole",
      "LogSettings.ConsoleLevel",
      "LogSettings.EnableFile",
      "LogSettings.EnableSentry",
      "LogSettings.AdvancedLoggingJSON",
      "ExperimentalAuditSettings.FileEnabled",
      "ClusterSettings.Enable",
      "MetricsSettings.Enable",
      "CacheSettings.CacheType",
      "NotificationLogSettings.EnableFile",
    ].map((path) => valueAt(document, path)),
    [true, "INFO", false, false, {}, false, false, false, "foo", undefined],
  );
  assert.deepEqual(Object.keys(result.env).sort(), [
    "MM_LOGSETTINGS_ENABLECONSOLE",
    "MM_SQLSETTINGS_DATASOURCE",
  ]);
  assert.equal(result.env["MM_LOGSETTINGS_ENABLECONSOLE"], "true");
  assert.deepEqual(result.notJudged, [
    "LogSettings.AdvancedLoggingJSON",
    "ClusterSettings.Enable",
    "MetricsSettings.Enable",
  ]);
});

Deno.test("everything else stays as it is, even what the server will refuse", () => {
  const text =
    '{"TeamSettings":{"MaxUsersPerTeam":1.0,"maxusersperteam":-1},"ClusterSettings":"x","Other":null}';
  const copied = deadEnd({ text, env: {} }, OPTIONS).text;
  assert.ok(copied.startsWith(text.slice(0, -1)), copied);
});
