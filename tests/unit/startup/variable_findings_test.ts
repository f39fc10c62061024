import assert from "node:assert/strict";
import { check } from "../../../lib/commands/check.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { buildServerEnvironment } from "../../../lib/startup/handoff.ts";
import { makePlan, type Plan } from "../../../lib/startup/plan.ts";
import {
  variableFindings,
  type VariableSources,
} from "../../../lib/startup/variable_findings.ts";
import { writePlan } from "../../../lib/startup/write_plan.ts";
import recorded from "../../fixtures/package_11.6.0.json" with { type: "json" };
import type { World } from "../../support/fake_system.ts";
import type { MemoryFiles } from "../../support/memory_files.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../support/installation.ts";

/** A server of 11.6.0 with the configuration of its package. */
function packaged(document: object = recorded): MemoryFiles {
  const files = installed();
  files.makeDirectory(`${INSTALL}/config`);
  files.place(`${INSTALL}/config/config.json`, JSON.stringify(document));
  return files;
}

const RELEASE = { ...ENOUGH, MATTERMOST_VERSION: "11.6.0" };

/** The findings of `app:check`, which makes a plan although values are wrong. */
async function findings(
  env: Readonly<Record<string, string>>,
  world: Omit<World, "env"> = {},
): Promise<readonly (readonly [string, string, string | undefined])[]> {
  const { context } = stage({
    files: packaged(),
    ...world,
    env: { ...RELEASE, ...env },
  });
  const plan = await makePlan(context, { reportsVariables: true });
  return variableFindings(plan).map(({ level, message, remedy }) => [
    level,
    message,
    remedy,
  ]);
}

async function refusal(world: World): Promise<EntrypointError> {
  return await makePlan(stage(world).context).then(
    () => assert.fail("nothing was thrown"),
    (error) => {
      assert.ok(error instanceof EntrypointError, String(error));
      return error;
    },
  );
}

/** The warnings of a plan about the server's own variables. */
function warnings({ warnings }: Plan): readonly string[] {
  return warnings.filter(({ subject }) => /^mm_/i.test(subject))
    .map(({ message }) => message);
}

Deno.test("without a variable of the server nothing is parsed", () => {
  const shipped = "not even JSON";
  const sources = {
    serverVariables: { values: {}, givenBy: {}, replaced: [], problems: [] },
    shipped,
  };
  assert.deepEqual(variableFindings(sources as unknown as VariableSources), []);
});

Deno.test("right names and values cause no finding, in any letter case", async () => {
  assert.deepEqual(
    await findings({
      mm_servicesettings_siteurl: "https://chat.example.com",
      MM_TEAMSETTINGS_MAXUSERSPERTEAM: "100",
      MM_SERVICESETTINGS_ENABLETESTING: "",
      MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER: "X-Real-IP X-Forwarded-For",
      MM_SQLSETTINGS_REPLICALAGSETTINGS: '[{"DataSource":"x"}]',
      MM_CONTENTFLAGGINGSETTINGS_NOTIFICATIONSETTINGS_EVENTTARGETMAPPING:
        '{"assigned":["reviewers"]}',
      MM_LOGSETTINGS_ADVANCEDLOGGINGJSON: "{}",
      MM_PLUGINSETTINGS_PLUGINS_A_B: "yes",
      MM_FEATUREFLAGS_SOMETHING: "yes",
      MM_LICENSE: "x",
      MM_PORT: "tcp://10.0.0.1:8065",
    }),
    [],
  );
});

Deno.test("a misspelt name is a warning with the closest name", async () => {
  assert.deepEqual(
    await findings({
      MM_SERVICESETTINGS_SITEURLL: "x",
      mm_servicesetting_siteurl: "x",
      MM_TYPOSETTINGS_FOO: "x",
    }),
    [
      [
        "warning",
        "MM_SERVICESETTINGS_SITEURLL is not a setting of Mattermost 11.6.0, which ignores it",
        "Did you mean MM_SERVICESETTINGS_SITEURL?",
      ],
      [
        "warning",
        "mm_servicesetting_siteurl is not a setting of Mattermost 11.6.0, which ignores it",
        "Did you mean MM_SERVICESETTINGS_SITEURL?",
      ],
      [
        "warning",
        "MM_TYPOSETTINGS_FOO is not a setting of Mattermost 11.6.0, which ignores it",
        "Remove it, or look up its name: https://docs.mattermost.com/configure/environment-variables.html",
      ],
    ],
  );
});

Deno.test("a misspelt _FILE variable gets the _FILE variable of the closest setting", async () => {
  const files = packaged();
  files.place("/run/secrets/url", "https://chat.example.com");
  const [[, message, remedy] = []] = await findings({
    MM_SERVICESETTINGS_SITEURLL_FILE: "/run/secrets/url",
  }, { files });
  assert.match(message ?? "", /^MM_SERVICESETTINGS_SITEURLL_FILE is not/);
  assert.equal(remedy, "Did you mean MM_SERVICESETTINGS_SITEURL_FILE?");
});

Deno.test("a value that the server ignores is an error with a value to paste", async () => {
  assert.deepEqual(
    await findings({
      MM_TEAMSETTINGS_MAXUSERSPERTEAM: "abc",
      MM_SERVICESETTINGS_ENABLETESTING: "yes",
      MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER: '["X-Real-IP"]',
    }),
    [
      [
        "error",
        'MM_TEAMSETTINGS_MAXUSERSPERTEAM must be a whole number: it is "abc", and Mattermost 11.6.0 ignores such a value without a message',
        "MM_TEAMSETTINGS_MAXUSERSPERTEAM=50",
      ],
      [
        "error",
        'MM_SERVICESETTINGS_ENABLETESTING must be true or false: it is "yes", and Mattermost 11.6.0 ignores such a value without a message',
        "MM_SERVICESETTINGS_ENABLETESTING=true   # or false",
      ],
      [
        "error",
        "MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER must be words that are separated by spaces: it is (hidden), and Mattermost 11.6.0 takes a JSON array as one word",
        'MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER="first second"',
      ],
    ],
  );
});

Deno.test("the value of a secret, of a file and of an object is not shown", async () => {
  const files = packaged({
    ...recorded,
    MadeUpSettings: { AccessToken: 5, Mapping: { a: 1 } },
  });
  files.place("/run/secrets/number", "a hidden value");
  const found = await findings({
    MM_MADEUPSETTINGS_ACCESSTOKEN: "a hidden value",
    MM_MADEUPSETTINGS_MAPPING: "a hidden value",
    MM_TEAMSETTINGS_MAXUSERSPERTEAM_FILE: "/run/secrets/number",
    mm_servicesettings_readtimeout_file: "/run/secrets/number",
  }, { files });
  assert.equal(found.length, 4);
  assert.ok(!JSON.stringify(found).includes("a hidden value"));
});

Deno.test("a value that the server ignores prevents only the first start", async () => {
  const files = packaged();
  const wrong = { ...RELEASE, MM_TEAMSETTINGS_MAXUSERSPERTEAM: "abc" };
  const error = await refusal({ files, env: wrong });
  assert.equal(error.code, 78);
  assert.equal(
    error.message,
    "Mattermost 11.6.0 would ignore the value of a variable",
  );
  assert.deepEqual(error.problems.map(({ subject }) => subject), [
    "MM_TEAMSETTINGS_MAXUSERSPERTEAM",
  ]);
  assert.equal(files.stat(CONFIG), undefined);
  const first = stage({ files, env: RELEASE });
  await writePlan(await makePlan(first.context), first.context);
  const later = await makePlan(stage({ files, env: wrong }).context);
  assert.match(
    warnings(later).join(),
    /^MM_TEAMSETTINGS_MAXUSERSPERTEAM must be a whole number/,
  );
});

Deno.test("app:check reports a value that the server ignores as a failure, and goes on", async () => {
  const { system, context } = stage({
    files: packaged(),
    env: {
      ...RELEASE,
      MM_TEAMSETTINGS_MAXUSERSPERTEAM: "abc",
      MM_TYPOSETTINGS_FOO: "x",
    },
  });
  assert.equal(await check(["--json"], context), 1);
  const report = JSON.parse(system.out.text);
  const found = report.findings.filter(({ check }: { check: string }) =>
    check === "settings.variables"
  );
  assert.deepEqual(found.map(({ level }: { level: string }) => level), [
    "failed",
    "warning",
  ]);
  assert.ok(report.findings.length > 10);
});

Deno.test("app:check says that the variables are right, or that it cannot tell", async () => {
  for (
    const [files, message] of [
      [packaged(), "The server will use 1 MM_ variable"],
      [
        installed(),
        "1 MM_ variable will be passed to the server; without an installed server, the names were not checked",
      ],
    ] as const
  ) {
    const { system, context } = stage({
      files,
      env: { ...RELEASE, MM_SERVICESETTINGS_SITEURL: "https://a.example.com" },
    });
    await check(["--json"], context);
    const report = JSON.parse(system.out.text);
    const found = report.findings.filter(({ check }: { check: string }) =>
      check === "settings.variables"
    );
    assert.deepEqual(found, [{
      check: "settings.variables",
      level: "ok",
      message,
    }]);
  }
});

Deno.test("the settings of a made-up release are those in its package", async () => {
  const files = packaged({
    ...recorded,
    TelepathySettings: { Enable: false, Range: 10, Deep: { Mode: "slow" } },
  });
  const env = {
    MATTERMOST_VERSION: "13.4.0",
    MM_TELEPATHYSETTINGS_ENABLE: "true",
    mm_telepathysettings_deep_mode: "fast",
  };
  assert.deepEqual(await findings(env, { files }), []);
  const [[level, message] = []] = await findings({
    ...env,
    MM_TELEPATHYSETTINGS_RANGE: "far",
  }, { files });
  assert.equal(level, "error");
  assert.match(message ?? "", /RANGE must be a whole number: it is "far"/);
});

Deno.test("without a package, the config.json that the server wrote lists the settings", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  const env = { MM_SERVICESETTINGS_SITEURLL: "x" };
  assert.deepEqual(await findings(env, { files }), []);
  files.place(CONFIG, JSON.stringify(recorded));
  assert.equal((await findings(env, { files })).length, 1);
});

Deno.test("without any list of settings, the values of those that the entrypoint writes are checked", async () => {
  const env = {
    MM_TEAMSETTINGS_MAXUSERSPERTEAM: "abc",
    MM_LDAPSETTINGS_ENABLE: "yes",
  };
  const found = await findings(env, { files: installed() });
  assert.deepEqual(
    found.map(([level, message]) => [level, message.slice(0, 31)]),
    [
      ["error", "MM_TEAMSETTINGS_MAXUSERSPERTEAM"],
    ],
  );
});

Deno.test("a variable that overrides one of the entrypoint says which one counts", async () => {
  const files = packaged();
  files.place("/run/secrets/name", "Chat");
  const found = await findings({
    MATTERMOST_SITE_URL: "https://a.example.com",
    MM_SERVICESETTINGS_SITEURL: "https://b.example.com",
    MATTERMOST_MAX_USERS: "100",
    MM_TEAMSETTINGS_MAXUSERSPERTEAM: "+100",
    MATTERMOST_NAME_FILE: "/run/secrets/name",
    mm_teamsettings_sitename: "Other",
    // The default of MATTERMOST_CREATE_USERS.
    MM_TEAMSETTINGS_ENABLEUSERCREATION: "false",
    MATTERMOST_EMAIL: "a@example.com",
    MM_EMAILSETTINGS_FEEDBACKEMAIL: "",
  }, { files });
  assert.deepEqual(found, [
    [
      "warning",
      "MM_SERVICESETTINGS_SITEURL overrides MATTERMOST_SITE_URL: the server uses the value of MM_SERVICESETTINGS_SITEURL",
      "Remove MM_SERVICESETTINGS_SITEURL, or remove MATTERMOST_SITE_URL",
    ],
    [
      "warning",
      "mm_teamsettings_sitename overrides MATTERMOST_NAME_FILE: the server uses the value of mm_teamsettings_sitename",
      "Remove mm_teamsettings_sitename, or remove MATTERMOST_NAME_FILE",
    ],
    [
      "warning",
      "MM_EMAILSETTINGS_FEEDBACKEMAIL overrides MATTERMOST_EMAIL: the server uses the value of MM_EMAILSETTINGS_FEEDBACKEMAIL",
      "Remove MM_EMAILSETTINGS_FEEDBACKEMAIL, or remove MATTERMOST_EMAIL",
    ],
  ]);
});

Deno.test("a data source overrides DB_HOST and the login", async () => {
  const found = await findings({
    MM_SQLSETTINGS_DATASOURCE: "postgres://a:b@db2.example.com:5432/chat",
  });
  assert.deepEqual(found.map(([, message]) => message), [
    "MM_SQLSETTINGS_DATASOURCE overrides DB_HOST, DB_PASS: the server uses the value of MM_SQLSETTINGS_DATASOURCE",
  ]);
});

Deno.test("releases before 5.30 refuse wrong values themselves, and ignore empty ones", async () => {
  assert.deepEqual(
    await findings({
      MATTERMOST_VERSION: "5.20.0",
      MM_SERVICESETTINGS_ENABLETESTING: "maybe",
      MATTERMOST_EMAIL: "a@example.com",
      MM_EMAILSETTINGS_FEEDBACKEMAIL: "",
      mm_servicesettings_siteurll: "not read",
    }),
    [],
  );
});

Deno.test("releases before 3.8 read no variable of the server, but the entrypoint reads the data source", async () => {
  const files = packaged();
  files.place(`${INSTALL}/bin/platform`, "", 0o755);
  const found = await findings({
    MATTERMOST_VERSION: "3.6.0",
    MM_SQLSETTINGS_DRIVERNAME: "postgres",
    MM_SQLSETTINGS_DATASOURCE: "postgres://a:b@db.example.com:5432/chat",
    MM_SERVICESETTINGS_SITEURL: "https://chat.example.com",
    MM_SERVICESETTINGS_ENABLETESTING: "yes",
  }, { files });
  assert.deepEqual(found, [
    [
      "warning",
      "MM_SERVICESETTINGS_SITEURL has no effect, because Mattermost 3.6.0 reads no MM_ variables",
      "Use MATTERMOST_SITE_URL instead",
    ],
    [
      "warning",
      "MM_SERVICESETTINGS_ENABLETESTING has no effect, because Mattermost 3.6.0 reads no MM_ variables",
      "Set ServiceSettings.EnableTesting in config.json",
    ],
  ]);
});

Deno.test("the server gets each name once, in capitals, from 5.30 on", async () => {
  const env = {
    mm_servicesettings_siteurl: "https://a.example.com",
    MM_ServiceSettings_SiteURL: "https://a.example.com",
    mm_license: "x",
    mm_log_path: "/logs",
  };
  const environment = async (version: string): Promise<string[]> => {
    const { system, context } = stage({
      env: { ...ENOUGH, MATTERMOST_VERSION: version, ...env },
    });
    const variables = buildServerEnvironment(await makePlan(context), system);
    return Object.entries(variables)
      .filter(([name]) => /^mm_/i.test(name) && name !== "MM_INSTALL_TYPE")
      .map((entry) => entry.join("=")).sort();
  };
  assert.deepEqual(await environment("11.6.0"), [
    "MM_LICENSE=x",
    "MM_LOG_PATH=/logs",
    "MM_SERVICESETTINGS_SITEURL=https://a.example.com",
  ]);
  assert.deepEqual(await environment("5.29.0"), [
    "MM_ServiceSettings_SiteURL=https://a.example.com",
    "mm_license=x",
    "mm_log_path=/logs",
    "mm_servicesettings_siteurl=https://a.example.com",
  ]);
});
