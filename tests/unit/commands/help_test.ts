import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import meta from "../../../deno.json" with { type: "json" };
import type { Context } from "../../../lib/startup/context.ts";
import { COMMANDS, EXIT_CODES, help } from "../../../lib/commands/help.ts";
import { describeProgram, version } from "../../../lib/commands/version.ts";
import {
  EntrypointError,
  ExitCode,
  type Problem,
} from "../../../lib/errors.ts";
import { run } from "../../../lib/run.ts";
import { rowOf, SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import { GROUPS } from "../../../lib/settings/setting.ts";
import recorded from "../../fixtures/package_11.6.0.json" with { type: "json" };
import { fakeContext } from "../../support/fake_context.ts";
import type { FakeSystem } from "../../support/fake_system.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { INSTALL, installed, stage } from "../../support/installation.ts";

function world(
  env: Readonly<Record<string, string>> = {},
): { system: FakeSystem; context: Context } {
  const system = fakeSystem({ env });
  return { system, context: fakeContext(system) };
}

/** The answer of `app:help` on standard output. */
function answer(
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): string {
  const { system, context } = world(env);
  assert.equal(help(args, context), 0);
  assert.equal(system.err.text, "");
  return system.out.text;
}

function failure(args: readonly string[]): EntrypointError {
  const { system, context } = world();
  try {
    help(args, context);
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    assert.equal(error.code, 64);
    assert.equal(system.out.text, "");
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("the overview fits a terminal of 80 columns and 24 lines, and lists every command", () => {
  const text = answer([]);
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.length <= 24, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length <= 80));
  assert.ok(Object.keys(COMMANDS).every((name) => text.includes(`  ${name} `)));
  assert.ok(text.includes(meta.version));
});

Deno.test("every exit code has a meaning, and the overview lists those above 1", () => {
  assert.deepEqual(Object.keys(EXIT_CODES), Object.keys(ExitCode));
  const [, codes = ""] = answer([]).split("Exit codes:");
  for (const code of Object.values(ExitCode).filter((code) => code > 1)) {
    assert.match(codes, new RegExp(`\\b${code}\\b`));
  }
});

Deno.test("the entry of a variable is complete", () => {
  assert.equal(
    answer(["MATTERMOST_WEB_SESSION_DAYS"]),
    `MATTERMOST_WEB_SESSION_DAYS (Sign-in and sessions)
  The number of days after which a session in a web client expires.

  Value        a whole number from 1 to 36500
  Default      30
  Example      MATTERMOST_WEB_SESSION_DAYS=30
  From a file  MATTERMOST_WEB_SESSION_DAYS_FILE names a file with the value
  config.json  ServiceSettings.SessionLengthWebInHours (Mattermost ${DEFAULT_RELEASE})
  Other keys   ServiceSettings.SessionLengthWebInDays (before 7.0.0)
`,
  );
});

Deno.test("the entry of a variable describes the release in MATTERMOST_VERSION", () => {
  const text = answer(["MATTERMOST_WEB_SESSION_DAYS"], {
    MATTERMOST_VERSION: "3.6.0",
  });
  assert.match(
    text,
    /config\.json\s+ServiceSettings\.SessionLengthWebInDays\b/,
  );
  assert.match(
    text,
    /Other keys\s+ServiceSettings\.SessionLengthWebInHours \(7/,
  );
  assert.ok(
    answer(["DB_HOST"], { MATTERMOST_VERSION: "latest" })
      .replaceAll(/\s+/g, " ").includes(`(Mattermost ${DEFAULT_RELEASE})`),
  );
});

Deno.test("the entry of a setting that the release does not have says so", () => {
  assert.match(
    answer(["MATTERMOST_SEGMENT_KEY"], { MATTERMOST_VERSION: "11.7.9" }),
    /config\.json\s+not written; Mattermost 11\.7\.9 has no such setting/,
  );
});

Deno.test("the entry of a setting that is written together with others names their common key", () => {
  assert.match(answer(["DB_PASS"]), /config\.json\s+SqlSettings\.DataSource /);
});

Deno.test("names may be in any letter case, and a `_FILE` variable has the entry of its setting", () => {
  const text = answer(["DB_PASS"]);
  assert.equal(answer(["db_pass"]), text);
  assert.equal(answer(["Db_Pass_FILE"]), text);
});

Deno.test("the entries of several variables follow each other", () => {
  assert.equal(
    answer(["DB_HOST", "DB_PORT"]),
    `${answer(["DB_HOST"])}\n${answer(["DB_PORT"])}`,
  );
});

Deno.test("every variable has an entry for the oldest and the newest release, at most 80 columns wide", () => {
  for (const name of SETTING_NAMES) {
    for (const release of ["3.0.0", "11.7.9"]) {
      const text = answer([name], { MATTERMOST_VERSION: release });
      assert.ok(text.startsWith(`${name} (`));
      assert.ok(text.includes(`${name}_FILE`));
      assert.match(text, /^ {2}Default /m);
      assert.match(text, /^ {2}Example /m);
      assert.ok(!text.includes("`") && !text.includes("undefined"));
      for (const line of text.split("\n")) {
        const isOneWord = line.trim().split(" ").length === 1;
        assert.ok(line.length <= 80 || isOneWord, line);
      }
    }
  }
});

Deno.test("an entry says since when and why a setting has no effect", () => {
  const text = answer(["MATTERMOST_CREATE_TEAMS"]);
  assert.match(
    text,
    /No effect\s+in Mattermost 4\.9\.0 and later: since 4\.9 roles/,
  );
  assert.match(answer(["GITLAB_ID"]), /team edition/);
});

Deno.test("the entry of a secret has a file as its example, and says that the value is secret", () => {
  const text = answer(["SMTP_PASS"]);
  assert.match(text, /Example\s+SMTP_PASS_FILE=\/run\/secrets\/smtp_pass/);
  assert.match(text, /^ {2}Secret /m);
  assert.doesNotMatch(answer(["SMTP_USER"]), /^ {2}Secret /m);
});

Deno.test("--all lists each variable on one line below its group", () => {
  const groups = answer(["--all"]).trimEnd().split("\n\n")
    .map((text) => text.split("\n"));
  const listed = groups.flatMap(([group, ...lines]) =>
    lines.map((line) => [group, line.trim().split(" ")[0]])
  );
  const expected = GROUPS.flatMap((group) =>
    SETTING_NAMES.filter((name) => rowOf(name).group === group)
      .map((name) => [group, name])
  );
  assert.deepEqual(listed, expected);
});

Deno.test("the entry of a command has its synopsis, options and exit codes", () => {
  assert.equal(
    answer(["app:Health"]),
    `app:health [--ready] [--timeout SECONDS]
  Report whether the server in this container is healthy.
  Sends an HTTP request to the address on which the server listens according to
  its config.json, and prints one line. Any user may run it. It is the
  HEALTHCHECK of the image.

  --ready            Check the server's database and file store as well
  --timeout SECONDS  Wait this long for the answer; the default is 5
  Exit code 0        The server is healthy; with --ready, it is ready
  Exit code 1        It is not, or it does not answer
`,
  );
  assert.ok(answer(["app:version"]).endsWith("in bug reports.\n"));
});

Deno.test("all unknown names are reported, each with the closest known one", () => {
  const { problems } = failure([
    "DB_HOST",
    "matermost_name",
    "DB_PASSWORD_FILE",
    "app:chek",
    "QWERTYUIOP",
  ]);
  assert.deepEqual(
    problems.map(({ subject, remedy }) => [subject, remedy]),
    [
      ["matermost_name", "Did you mean MATTERMOST_NAME?"],
      ["DB_PASSWORD_FILE", "Use DB_PASS_FILE instead"],
      ["app:chek", "Did you mean app:check?"],
      [
        "QWERTYUIOP",
        "mattermost-entrypoint app:help --all   # lists all variables",
      ],
    ],
  );
});

/** The help of an installed 11.6.0. */
function packageHelp(
  name: string,
  env: Readonly<Record<string, string>> = {},
  document = JSON.stringify(recorded),
): string {
  const files = installed();
  files.makeDirectory(`${INSTALL}/config`);
  files.place(`${INSTALL}/config/config.json`, document);
  const { system, context } = stage({
    files,
    env: { MATTERMOST_VERSION: "11.6.0", ...env },
  });
  assert.equal(help([name], context), 0);
  return system.out.text;
}

Deno.test("the entry of a variable of the server is made from the installed package", () => {
  const text = packageHelp("mm_servicesettings_siteurl_FILE");
  assert.equal(
    text,
    `MM_SERVICESETTINGS_SITEURL
  A variable of the server itself, which overrides config.json.

  config.json  ServiceSettings.SiteURL (Mattermost 11.6.0)
  Value        a text
  Default      ""
  Written by   MATTERMOST_SITE_URL of this image
  From a file  MM_SERVICESETTINGS_SITEURL_FILE names a file with the value
  Now          not set
`,
  );
  assert.match(
    packageHelp("MM_SERVICESETTINGS_SITEURL", {
      mm_servicesettings_siteurl: "https://chat.example.com",
    }),
    /Now +mm_servicesettings_siteurl is set\n/,
  );
});

Deno.test("the entry of a variable of the server has the type and the default of the release", () => {
  for (
    const [name, value, fallback] of [
      ["MM_TEAMSETTINGS_MAXUSERSPERTEAM", "a whole number", "50"],
      ["MM_SERVICESETTINGS_ENABLETESTING", "true or false", "false"],
      [
        "MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER",
        "words that are separated by spaces",
        "\\[\\]",
      ],
      ["MM_ELASTICSEARCHSETTINGS_PASSWORD", "a text", '"\\(hidden\\)"'],
      ["MM_FEATUREFLAGS_SOMETHING", "any", "none"],
    ]
  ) {
    const text = packageHelp(name ?? "");
    assert.match(text, new RegExp(` Value +${value}\n`));
    assert.match(text, new RegExp(` Default +${fallback}\n`));
  }
});

Deno.test("without a server, the entry of a variable that a setting writes says what is missing", () => {
  const text = answer(["MM_TEAMSETTINGS_MAXUSERSPERTEAM"]);
  assert.match(text, /config\.json +TeamSettings\.MaxUsersPerTeam/);
  assert.match(text, /Value +a whole number\n/);
  assert.match(text, /Default +not known, because \/opt\/mattermost/);
  assert.match(text, /Written by +MATTERMOST_MAX_USERS/);
});

Deno.test("the entry of a variable of the server that is no setting says what it is", () => {
  assert.match(answer(["mm_license"]), /^MM_LICENSE\n.*the licence itself/);
});

Deno.test("a release that reads no MM_ variables is named", () => {
  const text = answer(["MM_TEAMSETTINGS_SITENAME"], {
    MATTERMOST_VERSION: "3.6.0",
  });
  assert.match(text, /No effect +Mattermost 3\.6\.0 reads no MM_ variables\n/);
  assert.doesNotMatch(text, /Now/);
});

Deno.test("unknown variables of the server get the closest name, or the reason why nothing is known", () => {
  const problemOf = (run: () => unknown): Problem | undefined => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof EntrypointError && error.code === 64);
      return error.problems[0];
    }
    return assert.fail("nothing was thrown");
  };
  assert.deepEqual(
    problemOf(() => packageHelp("mm_servicesetting_siteurl")),
    {
      subject: "MM_SERVICESETTING_SITEURL",
      message:
        "Mattermost 11.6.0 has no setting named MM_SERVICESETTING_SITEURL",
      remedy: "Did you mean MM_SERVICESETTINGS_SITEURL?",
    },
  );
  assert.match(
    problemOf(() => packageHelp("MM_WHATEVER"))?.remedy ?? "",
    /^Look it up: https:/,
  );
  assert.match(
    failure(["MM_LDAPSETTINGS_ENABLE"]).problems[0]?.message ?? "",
    /^Whether MM_LDAPSETTINGS_ENABLE is a setting is not known, because \/opt/,
  );
});

Deno.test("the names of properties that every object has are unknown too", () => {
  assert.equal(failure(["constructor", "__proto__"]).problems.length, 2);
});

Deno.test("an unknown option is a usage error", () => {
  assert.equal(failure(["--al"]).remedy, "Did you mean --all?");
});

Deno.test("app:version prints version, commit and runtime", () => {
  const { system, context } = world();
  assert.equal(version([], context), 0);
  assert.match(meta.version, /^\d+\.\d+\.\d+$/);
  const head = `mattermost-entrypoint ${meta.version}\n`;
  const vendors = "runtime Deno 2.9.6 with V8 14.2, from its vendor\n";
  assert.equal(system.out.text, `${head}commit unknown\n${vendors}`);
  assert.equal(
    describeProgram("0123abcd-dirty   ", { deno: "2.9.6", v8: "14.2" }),
    `${head}commit 0123abcd-dirty\n${vendors}`,
  );
  assert.match(
    describeProgram("x", { deno: "2.7.11", v8: "14.0" }),
    /\nruntime Deno 2\.7\.11 with V8 14\.0, recovered from an npm package/,
  );
  assert.throws(() => version(["now"], context), { code: 64 });
});

Deno.test("the entry of each command has all options that the command accepts", async () => {
  for (const [name, { options, facts }] of Object.entries(COMMANDS)) {
    const { system } = world();
    assert.equal(await run([name, "--nonsense"], system), ExitCode.usage);
    const [, accepted = ""] = /→ .* accepts (.*)/.exec(system.err.text) ?? [];
    assert.deepEqual(
      options.match(/--[a-z-]+/g)?.sort() ?? ["no options"],
      accepted.split(", ").sort(),
      name,
    );
    const explained = facts.flatMap(([label]) =>
      label.match(/^--[a-z-]+/) ?? []
    );
    assert.deepEqual(
      explained.sort(),
      options.match(/--[a-z-]+/g)?.sort() ?? [],
      name,
    );
  }
});
