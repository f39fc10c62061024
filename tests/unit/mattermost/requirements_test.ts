import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Json, JsonObject } from "../../../lib/json.ts";
import { RULES, WARNINGS } from "../../../lib/mattermost/requirement_rules.ts";
import {
  checkConfig,
  configWarnings,
  requiredKeys,
} from "../../../lib/mattermost/requirements.ts";
import { inRange } from "../../../lib/release_range.ts";

type Values = Readonly<Record<string, Json>>;

/** A config.json from paths and values. */
function config(values: Values): JsonObject {
  const sections: Record<string, Record<string, Json>> = {};
  for (const [path, value] of Object.entries(values)) {
    const [section = "", key = ""] = path.split(".");
    (sections[section] ??= {})[key] = value;
  }
  return sections;
}

const SALT = "a".repeat(32);

/** What the settings write for every release, and what the release needs besides. */
function healthy(version: string): Values {
  return {
    ...Object.fromEntries(
      requiredKeys(version).map(({ path, value }) => [path, value]),
    ),
    "ServiceSettings.SiteURL": "https://chat.example.com",
    "ServiceSettings.ListenAddress": ":8065",
    "ServiceSettings.MaximumLoginAttempts": 10,
    "TeamSettings.SiteName": "Mattermost",
    "TeamSettings.MaxUsersPerTeam": 50,
    "TeamSettings.RestrictDirectMessage": "any",
    "SqlSettings.DriverName": "postgres",
    "SqlSettings.DataSource": "postgres://…",
    "SqlSettings.AtRestEncryptKey": SALT,
    "FileSettings.MaxFileSize": 52428800,
    "EmailSettings.ConnectionSecurity": "",
    "EmailSettings.InviteSalt": SALT,
    "EmailSettings.PasswordResetSalt": SALT,
    "EmailSettings.SMTPPort": "25",
    "RateLimitSettings.PerSec": 10,
    "RateLimitSettings.MemoryStoreSize": 10000,
    "LocalizationSettings.DefaultServerLocale": "en",
    "LocalizationSettings.DefaultClientLocale": "en",
    "LocalizationSettings.AvailableLocales": "en,es,fr,ja,pt-BR",
  };
}

const GENERATIONS = [
  "3.0.3",
  "3.4.0",
  "3.6.0",
  "3.9.2",
  "4.0.0",
  "4.1.2",
  "4.10.10",
  "5.9.8",
  "5.12.6",
  "5.37.10",
  "6.3.10",
  "7.8.15",
  "9.11.18",
  "10.11.23",
  "11.7.9",
  "12.0.0",
];

Deno.test("checkConfig() and configWarnings() accept what the settings write", () => {
  for (const version of GENERATIONS) {
    deepEqual(checkConfig(config(healthy(version)), version), [], version);
    deepEqual(configWarnings(config(healthy(version)), { version }), []);
  }
});

/** A case of a rule or of a warning. */
interface Case {
  /** A release that has the rule. */
  readonly checks: string;
  /** A release that does not have it. */
  readonly ignores?: string;
  /** A value that the rule accepts. */
  readonly good: Json;
  /** A value that it rejects. */
  readonly bad: Json;
  /** Values of other keys. */
  readonly also?: Values;
}

const CASES: Readonly<Record<string, Case>> = {
  "login attempts": { checks: "3.6.0", good: 1, bad: 0 },
  "site URL": {
    checks: "3.6.0",
    ignores: "3.2.0",
    good: "http://[::1]:8065/sub path",
    bad: "chat.example.com",
  },
  "listen address, early": {
    checks: "3.6.0",
    good: "anything",
    bad: "",
  },
  "listen address": {
    checks: "5.2.2",
    ignores: "5.1.2",
    good: "0.0.0.0:80",
    bad: "localhost:70000",
  },
  ReadTimeout: { checks: "3.6.0", ignores: "3.5.1", good: 300, bad: 0 },
  WriteTimeout: { checks: "3.6.0", ignores: "3.5.1", good: 300, bad: -1 },
  "TLS of the web server": { checks: "3.6.0", good: "TLS", bad: "STARTTLS" },
  "site name": {
    checks: "3.3.0",
    ignores: "3.2.0",
    good: "é".repeat(15),
    bad: "é".repeat(16),
  },
  "site name, empty": {
    checks: "5.19.3",
    ignores: "5.20.2",
    good: "x",
    bad: "",
  },
  "users per team": { checks: "11.7.9", good: 1, bad: 0 },
  "channels per team": {
    checks: "3.5.1",
    ignores: "3.4.0",
    good: 2000,
    bad: 0,
  },
  "notifications per channel": {
    checks: "3.6.0",
    ignores: "3.5.1",
    good: 1,
    bad: 0,
  },
  "direct messages": { checks: "3.0.3", good: "team", bad: "Any" },
  "archived channels": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: true,
    bad: false,
  },
  "encryption key": { checks: "3.6.0", good: "", bad: "short" },
  driver: { checks: "10.12.4", good: "mysql", bad: "sqlite" },
  "driver without MySQL": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: "postgres",
    bad: "mysql",
  },
  "data source": { checks: "3.6.0", good: "x", bad: "" },
  MaxIdleConns: { checks: "11.7.9", good: 1, bad: 0 },
  MaxOpenConns: { checks: "3.6.0", good: 1, bad: 0 },
  "file size": { checks: "3.1.0", ignores: "3.0.3", good: 1, bad: 0 },
  "file driver": {
    checks: "9.11.18",
    ignores: "10.0.4",
    good: "amazons3",
    bad: "azure",
  },
  "file directory": {
    checks: "10.10.3",
    ignores: "10.9.5",
    good: "./data/",
    bad: "./data/ ",
  },
  "public link salt": { checks: "11.7.9", good: "", bad: "short" },
  ThumbnailWidth: { checks: "3.10.3", ignores: "4.0.5", good: 1, bad: 0 },
  ThumbnailHeight: { checks: "3.10.3", ignores: "4.0.5", good: 1, bad: 0 },
  PreviewWidth: { checks: "3.10.3", ignores: "4.0.5", good: 1, bad: 0 },
  PreviewHeight: { checks: "3.10.3", ignores: "4.0.5", good: 0, bad: -1 },
  ProfileWidth: { checks: "3.10.3", ignores: "4.0.5", good: 1, bad: 0 },
  ProfileHeight: { checks: "3.10.3", ignores: "4.0.5", good: 1, bad: 0 },
  "mail security, early": {
    checks: "3.3.0",
    ignores: "3.4.0",
    good: "TLS",
    bad: "PLAIN",
  },
  "mail security": { checks: "3.4.0", good: "PLAIN", bad: "tls" },
  "invite salt": {
    checks: "5.9.8",
    ignores: "5.10.2",
    good: "",
    bad: "short",
  },
  "reset salt": { checks: "3.8.3", ignores: "3.9.2", good: "", bad: "short" },
  "batched mails without site URL, absent": {
    checks: "3.4.0",
    ignores: "3.3.0",
    good: false,
    bad: true,
    also: { "ServiceSettings.SiteURL": "" },
  },
  "batched mails without site URL": {
    checks: "11.7.9",
    good: false,
    bad: true,
    also: { "ServiceSettings.SiteURL": "" },
  },
  "batched mails in a cluster": {
    checks: "3.6.0",
    ignores: "3.3.0",
    good: false,
    bad: true,
    also: { "ClusterSettings.Enable": true },
  },
  "mail batch size": { checks: "3.6.0", ignores: "3.3.0", good: 256, bad: 0 },
  "mail batch interval": {
    checks: "3.6.0",
    ignores: "3.3.0",
    good: 30,
    bad: 29,
  },
  "rate limit": { checks: "3.6.0", good: 1, bad: 0 },
  "rate limit burst": { checks: "3.5.1", ignores: "3.4.0", good: 1, bad: 0 },
  "rate limit store": { checks: "3.6.0", good: 1, bad: 0 },
  "password length": {
    checks: "3.6.0",
    ignores: "7.8.15",
    good: 5,
    bad: 4,
  },
  DefaultServerLocale: {
    checks: "3.7.5",
    ignores: "3.6.0",
    good: "de",
    bad: "zh_CN",
  },
  DefaultClientLocale: {
    checks: "4.0.2",
    ignores: "4.0.3",
    good: "en",
    bad: "xx",
    also: { "LocalizationSettings.AvailableLocales": "" },
  },
  "available locales": {
    checks: "4.3.4",
    ignores: "4.2.2",
    good: "de,en",
    bad: "de,fr",
  },
  "client certificates": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: false,
    bad: true,
  },
  "image proxy": {
    checks: "12.0.0",
    ignores: "11.10.0",
    good: "local",
    bad: "atmos/camo",
    also: { "ImageProxySettings.Enable": true },
  },
};

Deno.test("every rule has a case, and every case has a rule", () => {
  deepEqual(Object.keys(CASES).sort(), RULES.map(({ name }) => name).sort());
});

for (const rule of RULES) {
  Deno.test(`checkConfig() applies the rule "${rule.name}"`, () => {
    const { checks, ignores, good, bad, also } = CASES[rule.name] ?? {};
    ok(checks !== undefined && good !== undefined && bad !== undefined);
    const subjects = (version: string, value: Json): readonly string[] =>
      checkConfig(
        config({ ...healthy(version), ...also, [rule.path]: value }),
        version,
      ).map(({ subject }) => subject);
    deepEqual(subjects(checks, good), [], "good");
    deepEqual(subjects(checks, bad), [rule.path], "bad");
    if (ignores !== undefined) deepEqual(subjects(ignores, bad), [], "ignores");
  });
}

for (const rule of RULES.filter(({ neededIn }) => neededIn !== undefined)) {
  Deno.test(`checkConfig() reports a missing "${rule.path}" if the release needs it`, () => {
    for (const version of GENERATIONS) {
      const { [rule.path]: _, ...rest } = healthy(version);
      const needed = inRange(version, rule.neededIn ?? "") &&
        inRange(version, rule.releases);
      const missing = checkConfig(config(rest), version).filter(({ subject }) =>
        subject === rule.path
      );
      equal(missing.length, needed ? 1 : 0, version);
      for (const { message } of missing) ok(message.endsWith("it is missing"));
    }
  });
}

Deno.test("checkConfig() treats a missing site URL as the release does", () => {
  const without = (version: string): number => {
    const { "ServiceSettings.SiteURL": _, ...rest } = healthy(version);
    return checkConfig(
      config({ ...rest, "EmailSettings.EnableEmailBatching": true }),
      version,
    ).length;
  };
  equal(without("3.6.0"), 1);
  equal(without("5.9.8"), 1);
  equal(without("11.7.9"), 0);
});

Deno.test("checkConfig() reports a value of a wrong type if the release is strict", () => {
  const cases: readonly [string, Json, strict: boolean, weak: boolean][] = [
    ["EmailSettings.SendPushNotifications", "true", false, true],
    ["EmailSettings.SendPushNotifications", "yes", false, false],
    ["EmailSettings.SendPushNotifications", 1, false, true],
    ["EmailSettings.SMTPPort", 25, false, true],
    ["EmailSettings.SMTPPort", "25", true, true],
    ["TeamSettings.MaxUsersPerTeam", "300", false, true],
    ["TeamSettings.MaxUsersPerTeam", "many", false, false],
    ["TeamSettings.MaxUsersPerTeam", 1.5, false, true],
    ["TeamSettings.MaxUsersPerTeam", [1], false, false],
    ["FileSettings.MaxFileSize", { a: 1 }, false, false],
    ["SqlSettings.DataSourceReplicas", [], true, true],
    ["SqlSettings.DataSourceReplicas", "a b", false, true],
    ["GitLabSettings.Id", null, true, true],
    ["Unknown.Key", { a: 1 }, true, true],
  ];
  for (const [path, value, strict, weak] of cases) {
    for (const version of GENERATIONS.slice(0, -1)) {
      const problems = checkConfig(
        config({ ...healthy(version), [path]: value }),
        version,
      );
      const expected = inRange(version, ">=3.8.0 <5.30.0") ? weak : strict;
      deepEqual(
        problems.map(({ subject }) => subject),
        expected ? [] : [path],
        `${version} ${path} ${JSON.stringify(value)}`,
      );
    }
  }
});

Deno.test("checkConfig() applies the rules to converted values if the release is not strict", () => {
  const values = { ...healthy("4.10.10"), "RateLimitSettings.PerSec": "0" };
  deepEqual(
    checkConfig(config(values), "4.10.10").map(({ subject }) => subject),
    ["RateLimitSettings.PerSec"],
  );
});

Deno.test("checkConfig() ignores the letter case of keys, as the server does", () => {
  const values = { ...healthy("3.6.0") };
  const { "RateLimitSettings.PerSec": _, ...rest } = values;
  deepEqual(
    checkConfig(config({ ...rest, "RateLimitSettings.persec": 10 }), "3.6.0"),
    [],
  );
});

Deno.test("checkConfig() accepts the same site URLs as the server", () => {
  const urls: readonly [string, boolean][] = [
    ["https://chat.example.com", true],
    ["https://chat.example.com/", true],
    ["http://10.0.0.1:8065/chat", true],
    ["http://user:pass@chat.example.com", true],
    ["https://chat.example.com:", true],
    ["http://[2001:db8::1]", true],
    ["/chat", true],
    ["localhost:8065", true],
    ["chat.example.com", false],
    ["https://chat.example.com:http", false],
    ["https://chat example.com", false],
    ["https://chat.example.com\n", false],
    ["10.0.0.1:8065", false],
  ];
  for (const [url, valid] of urls) {
    const values = { ...healthy("3.6.0"), "ServiceSettings.SiteURL": url };
    equal(checkConfig(config(values), "3.6.0").length, valid ? 0 : 1, url);
  }
});

Deno.test("checkConfig() does not show the value of a secret", () => {
  const secret = "hunter2";
  for (const rule of RULES.filter((rule) => rule.secret)) {
    const values = { ...healthy("3.6.0"), [rule.path]: secret };
    ok(!JSON.stringify(checkConfig(config(values), "3.6.0")).includes(secret));
  }
});

Deno.test("checkConfig() names release, key, expected and actual value", () => {
  const values = { ...healthy("3.6.0"), "RateLimitSettings.PerSec": 0 };
  deepEqual(checkConfig(config(values), "3.6.0"), [{
    subject: "RateLimitSettings.PerSec",
    message:
      "Mattermost 3.6.0 rejects RateLimitSettings.PerSec: it must be a number above 0, but it is 0",
    remedy: "MATTERMOST_RATE_LIMIT_QPS=10",
  }]);
});

const WARNING_CASES: Readonly<Record<string, Case>> = {
  "GitLab sign-on": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: false,
    bad: true,
  },
  "Bleve EnableIndexing": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: false,
    bad: true,
  },
  "Bleve EnableSearching": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: false,
    bad: true,
  },
  "no search left": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: false,
    bad: true,
  },
  "rate limit by header, ignored": {
    checks: "4.6.3",
    ignores: "4.7.4",
    good: "",
    bad: "X-Real-IP",
  },
  "rate limit by address, ignored": {
    checks: "3.5.1",
    ignores: "3.4.0",
    good: true,
    bad: false,
  },
  "rate limit by several headers": {
    checks: "4.7.4",
    ignores: "3.4.0",
    good: "X-Real-IP",
    bad: "X-Real-IP X-Forwarded-For",
  },
  "rate limit, old name": {
    checks: "3.5.1",
    ignores: "3.4.0",
    good: null,
    bad: true,
  },
  "mail credentials unused": {
    checks: "4.1.2",
    good: "",
    bad: "me",
  },
  "mail credentials unused, early": {
    checks: "4.0.5",
    good: "",
    bad: "me",
  },
  "log file instead of a directory": {
    checks: "4.2.2",
    ignores: "3.7.5",
    good: "/var/log/mattermost",
    bad: "/var/log/mattermost/mattermost.log",
  },
  "log directory without slash": {
    checks: "4.1.2",
    ignores: "4.2.2",
    good: "/var/log/mattermost/",
    bad: "/var/log/mattermost",
  },
  "emoji restriction": {
    checks: "5.37.10",
    ignores: "6.0.4",
    good: "all",
    bad: "",
  },
  "image proxy, soon refused": {
    checks: "11.10.0",
    ignores: "10.12.4",
    good: "local",
    bad: "atmos/camo",
  },
};

Deno.test("every warning has a case, and every case has a warning", () => {
  deepEqual(
    Object.keys(WARNING_CASES).sort(),
    WARNINGS.map(({ name }) => name).sort(),
  );
});

for (const warning of WARNINGS) {
  Deno.test(`configWarnings() reports "${warning.name}"`, () => {
    const { checks, ignores, good, bad } = WARNING_CASES[warning.name] ?? {};
    ok(checks !== undefined && good !== undefined && bad !== undefined);
    const subjects = (version: string, value: Json): readonly string[] =>
      configWarnings(
        config({ ...healthy(version), [warning.path]: value }),
        { version },
      ).map(({ subject }) => subject);
    deepEqual(subjects(checks, good), [], "good");
    deepEqual(subjects(checks, bad), [warning.path], "bad");
    if (ignores !== undefined) deepEqual(subjects(ignores, bad), [], "ignores");
  });
}

Deno.test("configWarnings() does not warn about GitLab in the Enterprise Edition", () => {
  const values = config({ "GitLabSettings.Enable": true });
  const count = (edition: "team" | "enterprise" | undefined): number =>
    configWarnings(values, { version: "11.7.9", edition }).length;
  deepEqual([count("team"), count(undefined), count("enterprise")], [1, 1, 0]);
});

Deno.test("configWarnings() does not warn about mail credentials that the server uses", () => {
  const values = {
    "EmailSettings.SMTPUsername": "me",
    "EmailSettings.EnableSMTPAuth": true,
  };
  deepEqual(configWarnings(config(values), { version: "11.7.9" }), []);
});

Deno.test("configWarnings() reports keys that differ in letter case only", () => {
  const values = {
    GitLabSettings: { UserApiEndpoint: "a", UserAPIEndpoint: "b", Id: "c" },
  };
  deepEqual(configWarnings(values, { version: "11.7.9" }), [{
    subject: "GitLabSettings.UserApiEndpoint",
    message:
      "config.json contains GitLabSettings.UserApiEndpoint several times, as UserApiEndpoint and UserAPIEndpoint, and the server uses only the last one",
    remedy: "Remove GitLabSettings.UserApiEndpoint from config.json",
  }]);
});

Deno.test("requiredKeys() returns each path once, and none for recent releases", () => {
  for (const version of GENERATIONS) {
    const paths = requiredKeys(version).map(({ path }) => path);
    equal(new Set(paths).size, paths.length, version);
  }
  const get = (version: string, path: string): Json | undefined =>
    requiredKeys(version).find((row) => row.path === path)?.value;
  equal(get("3.10.3", "FileSettings.ThumbnailWidth"), 120);
  equal(get("4.0.5", "FileSettings.ThumbnailWidth"), undefined);
  equal(get("3.0.3", "SqlSettings.MaxOpenConns"), 10);
  equal(get("4.1.2", "SqlSettings.MaxOpenConns"), 300);
  equal(get("4.2.2", "SqlSettings.MaxOpenConns"), undefined);
  equal(get("3.3.0", "FileSettings.PublicLinkSalt"), undefined);
  equal(get("5.9.8", "FileSettings.PublicLinkSalt"), "");
  equal(
    get("5.37.10", "ServiceSettings.RestrictCustomEmojiCreation"),
    "all",
  );
  deepEqual(requiredKeys("6.0.4"), []);
});

Deno.test("checkConfig() throws if the release is not supported", () => {
  throws(() => checkConfig({}, "2.2.0"), EntrypointError);
});
