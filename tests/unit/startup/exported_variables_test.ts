import assert from "node:assert/strict";
import type { Json } from "../../../lib/json.ts";
import { exportedVariables } from "../../../lib/startup/exported_variables.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import {
  differingPaths,
  edited,
  PACKAGE,
  type Variables,
  withPackage,
} from "../../support/exported.ts";
import { CONFIG, ENOUGH, stage } from "../../support/installation.ts";

const BASE = { ...ENOUGH, MATTERMOST_VERSION: "11.6.0" };

/** What an installation without edits exports anyway. */
const ALWAYS = [
  "DB_ADAPTER",
  "DB_HOST",
  "DB_PASS",
  "MATTERMOST_SECRET_KEY",
  "MATTERMOST_LINK_SALT",
  // By default they are on if the salt is set.
  "MATTERMOST_ENABLE_PUBLIC_LINKS",
];

interface Found {
  readonly variables: Variables;
  readonly secrets: readonly string[];
  readonly failed: Readonly<Record<string, string>>;
}

/** Exports an installation, without what each one exports. */
async function exported(
  edits: Readonly<Record<string, Json>>,
  { env = BASE, later = env }: {
    readonly env?: Variables;
    /** The variables at the time of the export. */
    readonly later?: Variables;
  } = {},
): Promise<Found> {
  const files = await edited(env, edits);
  if (later !== env) files.remove(`${CONFIG}.memory`);
  const { context, system } = stage({ files, env: later });
  const found = exportedVariables(await makePlan(context), system);
  const shown = found.variables.filter(({ name, text }) =>
    !ALWAYS.includes(name) || name.startsWith("DB_") && text !== env[name]
  );
  return {
    variables: Object.fromEntries(shown.map(({ name, text }) => [name, text])),
    secrets: shown.filter(({ isSecret }) => isSecret).map(({ name }) => name),
    failed: Object.fromEntries(
      found.inexpressible.map(({ path, reason }) => [path, reason]),
    ),
  };
}

/** An edit, and the variables that give it to an empty installation. */
const EDITS: readonly (readonly [
  what: string,
  edits: Readonly<Record<string, Json>>,
  variables: Variables,
])[] = [
  ["nothing", {}, {}],
  [
    "a variable of the catalogue, in its own unit",
    {
      "ServiceSettings.SessionLengthWebInHours": 48,
      "ServiceSettings.ListenAddress": ":8065",
      "ServiceSettings.TrustedProxyIPHeader": ["A", "B"],
      "EmailSettings.SMTPPort": "2525",
      "LogSettings.ConsoleJson": false,
      "LogSettings.FileJson": false,
      "LogSettings.FileLocation": "/elsewhere",
    },
    {
      MATTERMOST_WEB_SESSION_DAYS: "2",
      MATTERMOST_PORT: "8065",
      MATTERMOST_TRUSTED_PROXY_HEADERS: "A,B",
      SMTP_PORT: "2525",
      MATTERMOST_LOG_FORMAT: "text",
      MATTERMOST_LOG_DIR: "/elsewhere",
    },
  ],
  [
    "the server's own variable where the one of the catalogue cannot give the value",
    {
      "ServiceSettings.SessionLengthWebInHours": 49,
      "ServiceSettings.ListenAddress": "127.0.0.1:8065",
      "TeamSettings.SiteName": "Only one of two keys",
      "FileSettings.Directory": "/elsewhere/",
    },
    {
      MM_SERVICESETTINGS_SESSIONLENGTHWEBINHOURS: "49",
      MM_SERVICESETTINGS_LISTENADDRESS: "127.0.0.1:8065",
      MM_TEAMSETTINGS_SITENAME: "Only one of two keys",
      MM_FILESETTINGS_DIRECTORY: "/elsewhere/",
    },
  ],
  [
    "both keys of a variable",
    {
      "TeamSettings.SiteName": "Chat",
      "EmailSettings.FeedbackName": "Chat",
    },
    { MATTERMOST_NAME: "Chat" },
  ],
  [
    "settings whose defaults depend on another one",
    {
      "EmailSettings.SMTPServer": "mail.example.com",
      "EmailSettings.SMTPPort": "465",
    },
    {
      SMTP_HOST: "mail.example.com",
      SMTP_PORT: "465",
      SMTP_SECURITY: "NONE",
      MATTERMOST_EMAIL_NOTIFICATIONS: "false",
      MATTERMOST_EMAIL_VERIFICATION: "false",
    },
  ],
  [
    "lists, objects and empty texts",
    {
      "TeamSettings.ExperimentalDefaultChannels": ["off-topic", "news"],
      "PluginSettings.PluginStates": { "com.example.x": { Enable: false } },
      "ContentFlaggingSettings.NotificationSettings.EventTargetMapping": {
        assigned: ["author"],
      },
      "SupportSettings.HelpLink": "",
    },
    {
      MM_TEAMSETTINGS_EXPERIMENTALDEFAULTCHANNELS: "off-topic news",
      MM_PLUGINSETTINGS_PLUGINSTATES: '{"com.example.x":{"Enable":false}}',
      MM_CONTENTFLAGGINGSETTINGS_NOTIFICATIONSETTINGS_EVENTTARGETMAPPING:
        '{"assigned":["author"]}',
      MM_SUPPORTSETTINGS_HELPLINK: "",
    },
  ],
  [
    "no variable that the rules refuse: a cluster needs four secrets in variables",
    { "ClusterSettings.Enable": true },
    { MM_CLUSTERSETTINGS_ENABLE: "true" },
  ],
  // The server writes this one instead of an empty text.
  [
    "no value that the server rewrites",
    { "EmailSettings.SMTPServer": "localhost" },
    {},
  ],
];

for (const [what, edits, variables] of EDITS) {
  Deno.test(`edits become variables: ${what}`, async () => {
    const found = await exported(edits);
    assert.deepEqual(found.variables, variables);
    assert.deepEqual(found.failed, {});
    assert.deepEqual(found.secrets, []);
  });
}

Deno.test("what no variable can give is named with its reason", async () => {
  const { variables, failed } = await exported({
    "TeamSettings.ExperimentalDefaultChannels": ["two words"],
    "NativeAppSettings.AppCustomURLSchemes": [],
    "TeamSettings.CustomDescriptionText": "a\0b",
    "TeamSettings.CustomBrandText": "x".repeat(140_000),
    "TeamSettings.OfAnOldRelease": 1,
  });
  assert.deepEqual(variables, {});
  assert.deepEqual(failed, {
    "TeamSettings.ExperimentalDefaultChannels":
      "MM_TEAMSETTINGS_EXPERIMENTALDEFAULTCHANNELS cannot contain a word with a blank, or another list",
    "NativeAppSettings.AppCustomURLSchemes":
      "Mattermost 11.6.0 ignores MM_NATIVEAPPSETTINGS_APPCUSTOMURLSCHEMES if it is empty",
    "TeamSettings.CustomDescriptionText":
      "MM_TEAMSETTINGS_CUSTOMDESCRIPTIONTEXT must be text in UTF-8 without NUL",
    "TeamSettings.CustomBrandText":
      "MM_TEAMSETTINGS_CUSTOMBRANDTEXT can have 131071 bytes, and this value is longer",
    "TeamSettings.OfAnOldRelease":
      "the package of Mattermost 11.6.0 does not have this key, so that its default is not known",
  });
});

Deno.test("a release gets only variables that it reads", async () => {
  const edits = {
    "TeamSettings.MaxUsersPerTeam": 70,
    "SupportSettings.HelpLink": "/help",
    "SupportSettings.AboutLink": "",
    "TeamSettings.ExperimentalDefaultChannels": ["news"],
  };
  const in36 = await exported(edits, {
    env: { ...BASE, MATTERMOST_VERSION: "3.6.0" },
  });
  assert.equal(in36.variables["MATTERMOST_MAX_USERS"], "70");
  assert.equal(in36.variables["MM_SUPPORTSETTINGS_HELPLINK"], undefined);
  assert.equal(
    in36.failed["SupportSettings.HelpLink"],
    "Mattermost 3.6.0 reads no MM_ variables",
  );
  const in520 = await exported(edits, {
    env: { ...BASE, MATTERMOST_VERSION: "5.20.0" },
  });
  assert.equal(in520.variables["MM_SUPPORTSETTINGS_HELPLINK"], "/help");
  assert.deepEqual(in520.failed, {
    "SupportSettings.AboutLink":
      "Mattermost 5.20.0 ignores MM_SUPPORTSETTINGS_ABOUTLINK if it is empty",
    "TeamSettings.ExperimentalDefaultChannels":
      "Mattermost 5.20.0 reads neither lists nor objects from variables",
  });
});

Deno.test("a variable that is right only after another one is tried again", async () => {
  // Releases 3.4 to 4.0 make PLAIN of a user without encryption.
  const { variables, failed } = await exported({
    "EmailSettings.SMTPUsername": "ann",
    "EmailSettings.ConnectionSecurity": "TLS",
  }, { env: { ...BASE, MATTERMOST_VERSION: "3.6.0" } });
  assert.equal(variables["SMTP_USER"], "ann");
  assert.equal(variables["SMTP_SECURITY"], "TLS");
  assert.equal(failed["EmailSettings.SMTPUsername"], undefined);
});

Deno.test("variables that are set stay, but for those of the image", async () => {
  const env = {
    ...BASE,
    MATTERMOST_EDITION: "team",
    MATTERMOST_MAX_USERS: "50",
    MATTERMOST_NAME_FILE: "/run/secrets/one",
    DB_TIMEOUT: "90",
    MM_LDAPSETTINGS_ENABLE: "false",
    MM_SERVICESETTINGS_SITEURL: "https://chat.example.com",
    TZ: "Europe/Berlin",
  };
  const { variables, secrets } = await exported({
    "ServiceSettings.SiteURL": "https://the-variable-wins.example.com",
  }, { env });
  assert.deepEqual(variables, {
    MATTERMOST_NAME: "the value in a file",
    DB_TIMEOUT: "90",
    MATTERMOST_MAX_USERS: "50",
    MM_LDAPSETTINGS_ENABLE: "false",
    MM_SERVICESETTINGS_SITEURL: "https://chat.example.com",
  });
  assert.deepEqual(secrets, ["MATTERMOST_NAME"]);
});

Deno.test("a variable that the server ignores is left out, because it would prevent a first start", async () => {
  const files = await edited(BASE, { "TeamSettings.MaxUsersPerTeam": 70 });
  const env = {
    ...BASE,
    MM_TEAMSETTINGS_MAXUSERSPERTEAM: "many",
    MM_PORT: "tcp://10.0.0.5:80",
  };
  const { context, system } = stage({ files, env });
  const { variables } = exportedVariables(await makePlan(context), system);
  assert.deepEqual(
    variables.filter(({ text }) => ["70", "many"].includes(text))
      .map(({ name }) => name),
    ["MATTERMOST_MAX_USERS"],
  );
  assert.ok(variables.every(({ name }) => name !== "MM_PORT"));
});

Deno.test("secrets are recognised by their key, their name and credentials in their value", async () => {
  const { secrets } = await exported({
    "EmailSettings.SMTPPassword": "x",
    "LdapSettings.BindPassword": "x",
    "PluginSettings.Plugins": { "com.example.x": { anything: "x" } },
    "ServiceSettings.SiteURL": "https://ann:x@chat.example.com",
    "SqlSettings.DataSourceReplicas": ["postgres://ann:x@db/chat"],
    "TeamSettings.SiteName": "no secret",
  }, { env: { ...BASE, MM_LICENSE: "x", MM_CUSTOM_DEFAULTS_PATH: "/x" } });
  assert.deepEqual(secrets, [
    "MATTERMOST_SITE_URL",
    "SMTP_PASS",
    "MM_LDAPSETTINGS_BINDPASSWORD",
    "MM_LICENSE",
    "MM_PLUGINSETTINGS_PLUGINS",
    "MM_SQLSETTINGS_DATASOURCEREPLICAS",
  ]);
});

Deno.test("the database becomes DB_* variables, wherever it comes from", async () => {
  const { MATTERMOST_VERSION } = BASE;
  const link = await exported({}, {
    env: {
      MATTERMOST_VERSION,
      POSTGRES_PORT_5432_TCP_ADDR: "172.17.0.2",
      POSTGRES_ENV_POSTGRES_USER: "ann",
      POSTGRES_ENV_POSTGRES_PASSWORD: "x",
    },
  });
  assert.deepEqual(link.variables, {
    DB_ADAPTER: "postgres",
    DB_HOST: "172.17.0.2",
    DB_PORT: "5432",
    DB_NAME: "ann",
    DB_USER: "ann",
    DB_PASS: "x",
  });
  assert.deepEqual(link.secrets, ["DB_PASS"]);
  const named = await exported({}, {
    env: { MATTERMOST_VERSION, DB_HOST: "postgres", DB_PASS: "x" },
  });
  assert.deepEqual(named.variables, { DB_ADAPTER: "postgres" });
  const inFile = await exported({}, {
    env: { ...BASE, DB_SSL_MODE: "require", DB_PORT: "5433" },
    later: { MATTERMOST_VERSION },
  });
  assert.deepEqual(inFile.variables, {
    DB_NAME: "mattermost",
    DB_USER: "mattermost",
    DB_PORT: "5433",
    DB_SSL_MODE: "require",
  });
  const special = await exported({
    "SqlSettings.DataSource":
      "postgres://ann:x@db/chat?sslmode=disable&connect_timeout=7",
  }, { later: { MATTERMOST_VERSION } });
  assert.deepEqual(special.variables, {
    MM_SQLSETTINGS_DATASOURCE:
      "postgres://ann:x@db/chat?sslmode=disable&connect_timeout=7",
  });
  assert.deepEqual(special.secrets, ["MM_SQLSETTINGS_DATASOURCE"]);
});

Deno.test("a configuration in the database becomes variables for an empty store", async () => {
  const { DB_HOST = "", DB_PASS = "" } = BASE as Variables;
  const env = {
    ...BASE,
    MATTERMOST_CONFIG_STORE: "database",
    MATTERMOST_MAX_USERS: "60",
  };
  const stored = {
    ...PACKAGE,
    TeamSettings: { ...Object(PACKAGE["TeamSettings"]), SiteName: "Edited" },
    EmailSettings: {
      ...Object(PACKAGE["EmailSettings"]),
      SMTPServer: "mail",
      FeedbackName: "Edited",
    },
    SqlSettings: {
      ...Object(PACKAGE["SqlSettings"]),
      AtRestEncryptKey: "k".repeat(32),
    },
  };
  const planOf = async (text: string | undefined, env: Variables) => {
    const { context, system } = stage({ files: withPackage(), env });
    const configuration = text && { id: "i", text, createdAt: 0 };
    const session = { configuration: () => Promise.resolve(configuration) };
    const plan = await makePlan(context, {
      useSession: (work) => work(Object(session)),
    });
    return { plan, system };
  };
  const { plan, system } = await planOf(JSON.stringify(stored), env);
  const { variables, inexpressible } = exportedVariables(plan, system);
  assert.deepEqual(inexpressible, []);
  const texts = Object.fromEntries(
    variables.map(({ name, text }) => [name, text]),
  );
  assert.deepEqual(texts, {
    DB_ADAPTER: "postgres",
    DB_HOST,
    DB_PASS,
    MATTERMOST_CONFIG_STORE: "database",
    MATTERMOST_SECRET_KEY: "k".repeat(32),
    MATTERMOST_NAME: "Edited",
    MATTERMOST_MAX_USERS: "60",
    SMTP_HOST: "mail",
    // The host changes these defaults.
    MATTERMOST_EMAIL_NOTIFICATIONS: "false",
    MATTERMOST_EMAIL_VERIFICATION: "false",
  });
  const { MATTERMOST_VERSION } = BASE;
  const after = await planOf(undefined, { ...texts, MATTERMOST_VERSION });
  assert.deepEqual(differingPaths({ before: plan, after: after.plan }), []);
});
