import assert from "node:assert/strict";
import { assignments } from "../../../lib/config/assignments.ts";
import { variableOf } from "../../../lib/mattermost/effective_value.ts";
import type { Recognition } from "../../../lib/mattermost/package_settings.ts";
import {
  isWrittenByServer,
  NOT_SETTINGS,
  recognizeVariable,
  settingsIn,
} from "../../../lib/mattermost/package_settings.ts";
import { resolve } from "../../../lib/settings/resolve.ts";
import recorded from "../../fixtures/package_11.6.0.json" with { type: "json" };

const SETTINGS = settingsIn(recorded);

function recognize(name: string, text = "x"): Recognition {
  return recognizeVariable([name, text], SETTINGS);
}

Deno.test("settings have path, type and default of the package", () => {
  const found = [
    "MM_SERVICESETTINGS_SITEURL",
    "MM_TEAMSETTINGS_MAXUSERSPERTEAM",
    "MM_SERVICESETTINGS_ENABLETESTING",
    "MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER",
    "MM_MESSAGEEXPORTSETTINGS_GLOBALRELAYSETTINGS_SMTPSERVERTIMEOUT",
  ].map((name) => recognize(name));
  assert.deepEqual(
    found,
    [
      ["ServiceSettings.SiteURL", "text", ""],
      ["TeamSettings.MaxUsersPerTeam", "integer", 50],
      ["ServiceSettings.EnableTesting", "flag", false],
      ["ServiceSettings.TrustedProxyIPHeader", "list", []],
      [
        "MessageExportSettings.GlobalRelaySettings.SMTPServerTimeout",
        "integer",
        1800,
      ],
    ].map(([path, type, fallback]) => ({
      kind: "setting",
      setting: { path, type, fallback },
    })),
  );
});

Deno.test("every setting of a recorded package recognizes itself, and every key that a setting writes is there", () => {
  for (const name of SETTINGS.keys()) {
    assert.equal(recognize(name).kind, "setting", name);
  }
  const env = { DB_HOST: "db", SMTP_HOST: "mail", S3_BUCKET: "files" };
  const written = assignments(
    resolve({ env, readFile: () => new Uint8Array() }),
    {
      release: "11.6.0",
      dataSource: "x",
      adapter: "postgres",
      logLocation: "/logs",
    },
  );
  assert.deepEqual(
    written.filter(({ path }) => !SETTINGS.has(variableOf(path)))
      .map(({ path }) => path),
    [],
  );
});

Deno.test("below plugins, feature flags and advanced logging every name is right", () => {
  for (
    const name of [
      "MM_PLUGINSETTINGS_PLUGINS",
      "MM_PLUGINSETTINGS_PLUGINS_COM_MATTERMOST_CALLS_ICESERVERSCONFIGS",
      "MM_PLUGINSETTINGS_PLUGINSTATES_PLAYBOOKS_ENABLE",
      "MM_LOGSETTINGS_ADVANCEDLOGGINGJSON",
      "MM_EXPERIMENTALAUDITSETTINGS_ADVANCEDLOGGINGJSON",
      "MM_FEATUREFLAGS_MOVETHREADSENABLED",
    ]
  ) {
    const found = recognize(name);
    assert.ok(
      found.kind === "setting" && found.setting.type === undefined,
      name,
    );
  }
});

Deno.test("a misspelt name gets the closest setting", () => {
  for (
    const [name, closest] of Object.entries({
      MM_SERVICESETTINGS_SITEURLL: "MM_SERVICESETTINGS_SITEURL",
      MM_SERVICESETTING_SITEURL: "MM_SERVICESETTINGS_SITEURL",
      MM_SERVICESETTING_SITEUR: "MM_SERVICESETTINGS_SITEURL",
      MM_SERVICE_SETTINGS_SITE_URL: "MM_SERVICESETTINGS_SITEURL",
      MM_SERVICESETTINGS_SITE_URL: "MM_SERVICESETTINGS_SITEURL",
      MM_SQL_DATASOURCE: "MM_SQLSETTINGS_DATASOURCE",
      MM_FEATUREFLAG_NEWTHREADS: "MM_FEATUREFLAGS_NEWTHREADS",
      MM_SERVICESETTINGS_SITENAME: "MM_TEAMSETTINGS_SITENAME",
      MM_MESSAGEEXPORTSETTINGS_GLOBALRELAYSETTINGS_CUSTOMERTYP:
        "MM_MESSAGEEXPORTSETTINGS_GLOBALRELAYSETTINGS_CUSTOMERTYPE",
    })
  ) {
    assert.deepEqual(recognize(name), { kind: "unknown", closest }, name);
  }
});

Deno.test("a name that looks like a setting and is close to none is unknown", () => {
  for (
    const name of [
      "MM_TYPOSETTINGS_FOO",
      "MM_SERVICESETTINGS",
      "MM_SERVICESETTINGS_",
      "MM_TEAMSETTINGS_ZZZZZZZZ",
    ]
  ) {
    assert.deepEqual(
      recognize(name),
      { kind: "unknown", closest: undefined },
      name,
    );
  }
});

Deno.test("variables of other programs and service links are no settings", () => {
  for (
    const [name, text] of [
      ...Object.keys(NOT_SETTINGS).map((name) => [name, "x"] as const),
      ["MM_USERNAME", "mmuser"],
      ["MM_PASSWORD", "x"],
      ["MM_DBNAME", "mattermost"],
      ["MM_EDITION", "team"],
      ["MM_ADMIN_USERNAME", "admin"],
      ["MM_CLOUD_INSTALLATION_ID", "x"],
      ["MM_CALLS_RTCD_URL", "https://rtcd"],
      // Kubernetes services called mm, mm-postgres and mm-servicesettings.
      ["MM_SERVICE_HOST", "10.0.0.1"],
      ["MM_SERVICE_PORT", "80"],
      ["MM_SERVICE_PORT_HTTP", "80"],
      ["MM_PORT", "tcp://10.0.0.1:8065"],
      ["MM_PORT_8065_TCP", "tcp://10.0.0.1:8065"],
      ["MM_PORT_8065_TCP_ADDR", "10.0.0.1"],
      ["MM_PORT_8065_TCP_PORT", "8065"],
      ["MM_PORT_8065_TCP_PROTO", "tcp"],
      ["MM_POSTGRES_SERVICE_HOST", "10.0.0.1"],
      ["MM_POSTGRES_PORT", "tcp://10.0.0.1:5432"],
      ["MM_POSTGRES_PORT_5432_TCP_ADDR", "10.0.0.1"],
      ["MM_SERVICESETTINGS_PORT", "tcp://10.0.0.1:80"],
      ["MM_SERVICESETTINGS_SERVICE_HOST", "10.0.0.1"],
    ] as const
  ) {
    assert.deepEqual(recognize(name, text), { kind: "other" }, name);
  }
});

Deno.test("a file that a server wrote has keys that no setting writes", () => {
  assert.ok(isWrittenByServer(recorded));
  assert.ok(!isWrittenByServer({}));
  assert.ok(!isWrittenByServer({ ServiceSettings: null }));
  assert.ok(!isWrittenByServer({ ServiceSettings: { SiteURL: "" } }));
});
