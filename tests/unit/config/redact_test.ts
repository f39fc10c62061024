import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isSecretPath,
  redact,
  redactChange,
  redactText,
} from "../../../lib/config/redact.ts";
import { HIDDEN } from "../../../lib/hidden.ts";

/** The keys that `Config.Sanitize` of the server hides, and those of older releases. */
const KNOWN = [
  "SqlSettings.DataSource",
  "SqlSettings.DataSourceReplicas",
  "SqlSettings.DataSourceSearchReplicas",
  "SqlSettings.ReplicaLagSettings",
  "SqlSettings.AtRestEncryptKey",
  "EmailSettings.SMTPPassword",
  "EmailSettings.InviteSalt",
  "EmailSettings.PasswordResetSalt",
  "FileSettings.PublicLinkSalt",
  "FileSettings.AmazonS3SecretAccessKey",
  "FileSettings.ExportAmazonS3SecretAccessKey",
  "GitLabSettings.Secret",
  "GoogleSettings.Secret",
  "Office365Settings.Secret",
  "OpenIdSettings.Secret",
  "LdapSettings.BindPassword",
  "ElasticsearchSettings.Password",
  "CacheSettings.RedisPassword",
  "ServiceSettings.GfycatApiSecret",
  "ServiceSettings.GoogleDeveloperKey",
  "ServiceSettings.SegmentDeveloperKey",
  "ServiceSettings.SplitKey",
  "MessageExportSettings.GlobalRelaySettings.SMTPPassword",
  "MessageExportSettings.GlobalRelaySettings.SmtpPassword",
  "ImageProxySettings.RemoteImageProxyOptions",
  "ServiceSettings.ImageProxyOptions",
  "WebrtcSettings.GatewayAdminSecret",
  "WebrtcSettings.TurnSharedKey",
  "LogSettings.AdvancedLoggingJSON",
  "PluginSettings.Plugins.com.github.x.EncryptionKey",
  "FileSettings.AzureAccountKey",
  "PluginSettings.Plugins.jira.webhookURL",
  "PluginSettings.Plugins.x.auth",
  "PluginSettings.Plugins.x.basic_auth",
  "PluginSettings.Plugins.x.pwd",
  "PluginSettings.Plugins.x.userpass",
  "PluginSettings.Plugins.x.bearer",
  "PluginSettings.Plugins.x.clientCert",
  "PluginSettings.Plugins.x.private",
  "PluginSettings.Plugins.x.databaseConnection",
];

const OPEN = [
  "ServiceSettings.SiteURL",
  "ServiceSettings.TLSKeyFile",
  "FileSettings.AmazonS3AccessKeyId",
  "SamlSettings.PrivateKeyFile",
  "PasswordSettings.MinimumLength",
  "GitLabSettings.TokenEndpointURL",
  "GitLabSettings.Id",
  "SqlSettings.DriverName",
  "PluginSettings.Plugins.jira.instance",
];

Deno.test("redact: the secrets of config.json are recognized in any letter case", () => {
  for (const path of KNOWN) {
    assert.ok(isSecretPath(path), path);
    assert.ok(isSecretPath(path.toUpperCase()), path.toUpperCase());
  }
  for (const path of OPEN) assert.ok(!isSecretPath(path), path);
  assert.ok(isSecretPath("A.b", ["a.B"]));
});

Deno.test("redact: credentials inside a value that is not secret are hidden", () => {
  const path = "ElasticsearchSettings.ConnectionURL";
  const url = "https://elastic:S3CRET@search.example.com:9200";
  const shown = "https://(hidden)@search.example.com:9200";
  assert.equal(redact(url, { path }), shown);
  assert.deepEqual(redact({ a: [url, 1, true, null] }, { path: "" }), {
    a: [shown, 1, true, null],
  });
  assert.equal(
    redactText(`{"ElasticsearchSettings":{"ConnectionURL":"${url}"}}`, []),
    `{"ElasticsearchSettings":{"ConnectionURL":"${shown}"}}`,
  );
  const change = { path, secret: false, before: url, after: "" };
  assert.deepEqual(redactChange(change), { ...change, before: shown });
});

Deno.test("redact: the id of a plugin is no key, and all plugins in one text are hidden", () => {
  const text =
    '{"PluginSettings":{"Plugins":{"com.example.auth":{"Site":"x","pwd":"S3CRET"}}}}';
  assert.equal(redactText(text, []), text.replace("S3CRET", HIDDEN));
  const path = "PLUGINSETTINGS.PLUGINS";
  assert.equal(redact('{"x":{"y":"S3CRET"}}', { path }), HIDDEN);
  assert.deepEqual(redact({ y: "S3CRET" }, { path: `${path}.x.auth` }), {
    y: HIDDEN,
  });
});

Deno.test("redact: empty values stay", () => {
  for (const value of ["", null, true, false, [], {}]) {
    assert.deepEqual(redact(value, { path: "A.Secret" }), value);
  }
  assert.deepEqual(
    redact(["x", "", { a: "y", b: 1, c: true }], { path: "A.Secret" }),
    [
      HIDDEN,
      "",
      { a: HIDDEN, b: HIDDEN, c: true },
    ],
  );
});

Deno.test("redact: only the secrets of a config.json change", () => {
  const text = String.raw`{
  "SqlSettings": { "DataSource": "u:p@x", "DataSource": "v:p@x", "Trace": 1.0 },
  "sqlsettings": { "datasourcereplicas": ["a", "b"], "AtRestEncryptKey": "" },
  "EmailSettings" : {"SMTPUsername":"\u0026\/", "SMTPPassword":"p" },
  "PluginSettings": {"Plugins":{"a.b":{"list":[{"token":"t","n":1}],"on":true}}},
  "Mine": {"x": "y", "n": 9007199254740993}
}`;
  assert.equal(
    redactText(text, ["Mine.x"]),
    String.raw`{
  "SqlSettings": { "DataSource": "(hidden)", "DataSource": "(hidden)", "Trace": 1.0 },
  "sqlsettings": { "datasourcereplicas": ["(hidden)","(hidden)"], "AtRestEncryptKey": "" },
  "EmailSettings" : {"SMTPUsername":"\u0026\/", "SMTPPassword":"(hidden)" },
  "PluginSettings": {"Plugins":{"a.b":{"list":[{"token":"(hidden)","n":1}],"on":true}}},
  "Mine": {"x": "(hidden)", "n": 9007199254740993}
}`,
  );
});

Deno.test("redact: no secret is shown, whatever its type", () => {
  const leaf = fc.oneof(
    fc.constant("S3CRET"),
    fc.constant(["S3CRET"]),
    fc.constant([{ deep: ["S3CRET"] }]),
    fc.constant({ a: { b: "S3CRET" } }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...KNOWN), leaf, (path, value) => {
      const keys = path.startsWith("PluginSettings")
        ? ["PluginSettings", "Plugins", "a.b", path.split(".").at(-1) ?? ""]
        : path.split(".");
      const text = keys.reduceRight(
        (inner, key) => `{"${key}":${inner}}`,
        JSON.stringify(value),
      );
      assert.ok(!redactText(text, []).includes("S3CRET"), path);
    }),
  );
});

Deno.test("redact: a change shows its values only if they are not secret", () => {
  const open = { path: "A.b", secret: false, before: "x", after: "y" };
  assert.deepEqual(redactChange(open), open);
  assert.deepEqual(redactChange({ ...open, secret: true, before: "" }), {
    path: "A.b",
    secret: true,
    before: "",
    after: HIDDEN,
  });
  const known = { path: "SqlSettings.DataSource", secret: false, after: "y" };
  assert.deepEqual(redactChange(known), { ...known, after: HIDDEN });
});
