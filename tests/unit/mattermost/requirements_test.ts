import { deepEqual, equal, ok } from "node:assert/strict";
import type { Json, JsonObject } from "../../../lib/json.ts";
import { releaseFacts } from "../../../lib/mattermost/releases.ts";
import { RULES, WARNINGS } from "../../../lib/mattermost/requirement_rules.ts";
import {
  checkConfig,
  type ConfigInput,
  configWarnings,
  requiredKeys,
} from "../../../lib/mattermost/requirements.ts";

type Values = Readonly<Record<string, Json>>;

/** The configuration of a release, from paths and values. */
function input(
  version: string,
  values: Values,
  variables: Readonly<Record<string, string>> = {},
): ConfigInput {
  const config: Record<string, Record<string, Json>> = {};
  for (const [path, value] of Object.entries(values)) {
    const [section = "", key = ""] = path.split(".");
    (config[section] ??= {})[key] = value;
  }
  return { config, variables, release: releaseFacts(version) };
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

/** A case of a rule or of a warning. */
interface Case {
  /** A release that has the rule. */
  readonly checks: string;
  /** A release that does not have it. */
  readonly ignores?: string;
  /** Values that the rule accepts. */
  readonly good: readonly Json[];
  /** Values that it refuses. */
  readonly bad: readonly Json[];
  /** Values of other keys. */
  readonly also?: Values;
}

const LEVELS = {
  checks: "7.0.0",
  ignores: "5.39.3",
  good: ["INFO", "warn", "Trace"],
  bad: ["FOO", "", "INFORMATION"],
};

const ADVANCED_LOGS: Case = {
  checks: "11.6.0",
  ignores: "7.8.15",
  good: [{}, "", { a: { type: "file", options: {} } }, '{"a":{"type":"tcp"}}'],
  bad: [{ x: { type: "foo" } }, "not json", { x: 1 }, "[]"],
};

const CASES: Readonly<Record<string, Case>> = {
  "driver without MySQL": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: ["postgres"],
    bad: ["mysql"],
  },
  ConsoleLevel: LEVELS,
  FileLevel: LEVELS,
  "advanced log of LogSettings": ADVANCED_LOGS,
  "advanced log of ExperimentalAuditSettings": ADVANCED_LOGS,
  "batched mails in a cluster": {
    checks: "3.6.0",
    ignores: "3.3.0",
    good: [false, "false"],
    bad: [true, "true"],
    also: { "ClusterSettings.Enable": true },
  },
};

Deno.test("every rule has a case, and every case has a rule", () => {
  deepEqual(Object.keys(CASES).sort(), RULES.map(({ name }) => name).sort());
});

for (const rule of RULES) {
  Deno.test(`checkConfig() applies the rule "${rule.name}"`, () => {
    const { checks = "", ignores, good = [], bad = [], also } =
      CASES[rule.name] ?? {};
    const subjects = (version: string, value: Json): readonly string[] =>
      checkConfig(input(version, { ...also, [rule.path]: value }))
        .map(({ subject }) => subject);
    for (const value of good) deepEqual(subjects(checks, value), [], "good");
    for (const value of bad) {
      deepEqual(subjects(checks, value), [rule.path], "bad");
      if (ignores !== undefined) deepEqual(subjects(ignores, value), []);
    }
    ok(good.length > 0 && bad.length > 0);
  });
}

Deno.test("checkConfig() reads the variables of the server, which override config.json", () => {
  const file = { "LogSettings.ConsoleLevel": "INFO" };
  const check = (version: string, level: string): number =>
    checkConfig(
      input(version, file, { MM_LOGSETTINGS_CONSOLELEVEL: level }),
    ).length;
  deepEqual([check("11.7.9", "FOO"), check("11.7.9", "ERROR")], [1, 0]);
});

Deno.test("checkConfig() names release, key, wanted and present value, but not that of an advanced log", () => {
  deepEqual(checkConfig(input("11.6.0", { "LogSettings.FileLevel": "FOO" })), [
    {
      subject: "LogSettings.FileLevel",
      message:
        'Mattermost 11.6.0 does not start with LogSettings.FileLevel: it must be one of panic, fatal, error, warn, info, debug, trace, stdlog, and is "FOO"',
      remedy: "MM_LOGSETTINGS_FILELEVEL=INFO",
    },
  ]);
  const secret = { x: { type: "hunter2" } };
  const problems = checkConfig(
    input("11.6.0", { "LogSettings.AdvancedLoggingJSON": secret }),
  );
  equal(problems.length, 1);
  ok(!JSON.stringify(problems).includes("hunter2"));
});

const WARNING_CASES: Readonly<Record<string, Case>> = {
  "GitLab sign-on": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: [false],
    bad: [true],
  },
  "Bleve EnableIndexing": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: [false],
    bad: [true],
  },
  "Bleve EnableSearching": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: [false],
    bad: [true],
  },
  "no search left": {
    checks: "11.0.7",
    ignores: "10.12.4",
    good: [false],
    bad: [true],
  },
  "rate limit by header, ignored": {
    checks: "4.6.3",
    ignores: "4.7.4",
    good: [""],
    bad: ["X-Real-IP"],
  },
  "rate limit by address, ignored": {
    checks: "3.5.1",
    ignores: "3.4.0",
    good: [true],
    bad: [false],
  },
  "rate limit by several headers": {
    checks: "4.7.4",
    ignores: "3.4.0",
    good: ["X-Real-IP"],
    bad: ["X-Real-IP X-Forwarded-For"],
  },
  "rate limit behind a proxy": {
    checks: "5.12.0",
    ignores: "5.11.1",
    good: [false],
    bad: [true, "true"],
    also: { "ServiceSettings.SiteURL": "https://chat.example.com" },
  },
  "rate limit, old name": {
    checks: "3.5.1",
    ignores: "3.4.0",
    good: [null],
    bad: [true],
  },
  "mail credentials unused": {
    checks: "4.1.2",
    good: [""],
    bad: ["me"],
  },
  "mail credentials unused, early": {
    checks: "4.0.5",
    good: [""],
    bad: ["me"],
  },
  "log file instead of a directory": {
    checks: "4.2.2",
    ignores: "3.7.5",
    good: ["/var/log/mattermost"],
    bad: ["/var/log/mattermost/mattermost.log"],
  },
  "log directory without slash": {
    checks: "4.1.2",
    ignores: "4.2.2",
    good: ["/var/log/mattermost/"],
    bad: ["/var/log/mattermost"],
  },
  "emoji restriction": {
    checks: "5.37.10",
    ignores: "6.0.4",
    good: ["all"],
    bad: [""],
  },
  "image proxy, soon refused": {
    checks: "11.10.0",
    ignores: "10.12.4",
    good: ["local"],
    bad: ["atmos/camo"],
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
    const { checks = "", ignores, good = [], bad = [], also } =
      WARNING_CASES[warning.name] ?? {};
    const subjects = (version: string, value: Json): readonly string[] =>
      configWarnings(
        input(version, { ...also, [warning.path]: value }),
        undefined,
      ).map(({ subject }) => subject);
    for (const value of good) deepEqual(subjects(checks, value), [], "good");
    for (const value of bad) {
      deepEqual(subjects(checks, value), [warning.path], "bad");
      if (ignores !== undefined) deepEqual(subjects(ignores, value), []);
    }
    ok(good.length > 0 && bad.length > 0);
  });
}

Deno.test("configWarnings() does not warn about GitLab in the Enterprise Edition", () => {
  const values = input("11.7.9", { "GitLabSettings.Enable": true });
  const count = (edition: "team" | "enterprise" | undefined): number =>
    configWarnings(values, edition).length;
  deepEqual([count("team"), count(undefined), count("enterprise")], [1, 1, 0]);
});

Deno.test("configWarnings() does not warn about a rate limit that tells users apart", () => {
  const limited = {
    "RateLimitSettings.Enable": true,
    "ServiceSettings.SiteURL": "https://chat.example.com",
  };
  const others: readonly Readonly<Record<string, Json>>[] = [
    { "ServiceSettings.SiteURL": "http://chat.example.com" },
    { "ServiceSettings.ConnectionSecurity": "TLS" },
    { "ServiceSettings.TrustedProxyIPHeader": ["X-Forwarded-For"] },
    { "RateLimitSettings.VaryByRemoteAddr": false },
  ];
  const count = (more: Readonly<Record<string, Json>>): number =>
    configWarnings(input("11.7.9", { ...limited, ...more }), undefined).length;
  deepEqual([{}, ...others].map(count), [1, 0, 0, 0, 0]);
});

Deno.test("configWarnings() does not warn about mail credentials that the server uses", () => {
  const values = { "EmailSettings.SMTPUsername": "me" };
  for (const on of [true, "true", "t"]) {
    const used = { ...values, "EmailSettings.EnableSMTPAuth": on };
    deepEqual(configWarnings(input("11.7.9", used), undefined), []);
  }
  const variables = { MM_EMAILSETTINGS_ENABLESMTPAUTH: "false" };
  const unused = input("11.7.9", {
    ...values,
    "EmailSettings.EnableSMTPAuth": true,
  }, variables);
  equal(configWarnings(unused, undefined).length, 1);
});

Deno.test("configWarnings() reports keys that differ in letter case only", () => {
  const config: JsonObject = {
    GitLabSettings: { UserApiEndpoint: "a", UserAPIEndpoint: "b", Id: "c" },
  };
  deepEqual(configWarnings({ ...input("11.7.9", {}), config }, undefined), [{
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
