import assert from "node:assert/strict";
import meta from "../../../deno.json" with { type: "json" };
import type { Context } from "../../../lib/startup/context.ts";
import { COMMANDS, EXIT_CODES, help } from "../../../lib/commands/help.ts";
import { describeProgram, version } from "../../../lib/commands/version.ts";
import { EntrypointError, ExitCode } from "../../../lib/errors.ts";
import { run } from "../../../lib/run.ts";
import { rowOf, SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import { fakeContext } from "../../support/fake_context.ts";
import type { FakeSystem } from "../../support/fake_system.ts";
import { fakeSystem } from "../../support/fake_system.ts";

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

Deno.test("the overview fits an old terminal and names every command", () => {
  const text = answer([]);
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.length <= 24, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length <= 80));
  assert.ok(Object.keys(COMMANDS).every((name) => text.includes(`  ${name} `)));
  assert.ok(text.includes(meta.version));
});

Deno.test("every exit code has its meaning, and the overview the ones that need one", () => {
  assert.deepEqual(Object.keys(EXIT_CODES), Object.keys(ExitCode));
  const [, codes = ""] = answer([]).split("Exit codes:");
  for (const code of Object.values(ExitCode).filter((code) => code > 1)) {
    assert.match(codes, new RegExp(`\\b${code}\\b`));
  }
});

Deno.test("a variable is explained in full", () => {
  assert.equal(
    answer(["MATTERMOST_WEB_SESSION_DAYS"]),
    `MATTERMOST_WEB_SESSION_DAYS (Sign-in and sessions)
  Session duration in days for web clients.

  Value    a whole number from 1 to 36500
  Default  30
  Written  to ServiceSettings.SessionLengthWebInHours of config.json (Mattermost
           11.7)
  Others   ServiceSettings.SessionLengthWebInDays (<7.0.0)
  File     MATTERMOST_WEB_SESSION_DAYS_FILE may name a file that holds the value
  Example  MATTERMOST_WEB_SESSION_DAYS=30
`,
  );
});

Deno.test("the image's release decides which path is the present one", () => {
  const text = answer(["MATTERMOST_WEB_SESSION_DAYS"], {
    MATTERMOST_VERSION: "3.6.0",
  });
  assert.match(text, /Written\s+to ServiceSettings\.SessionLengthWebInDays\b/);
  assert.match(text, /Others\s+ServiceSettings\.SessionLengthWebInHours \(>=7/);
  assert.match(
    answer(["DB_HOST"], { MATTERMOST_VERSION: "latest" }),
    /\(Mattermost 11\.7\)/,
  );
});

Deno.test("a setting that goes nowhere in the release says so", () => {
  assert.match(
    answer(["MATTERMOST_SEGMENT_KEY"]),
    /Written\s+nowhere: Mattermost 11\.7 has no such setting/,
  );
});

Deno.test("a setting that is written together with others names the common path", () => {
  assert.match(answer(["DB_PASS"]), /Written\s+to SqlSettings\.DataSource /);
});

Deno.test("names are taken in any case, and twins for what they are twins of", () => {
  const text = answer(["DB_PASS"]);
  assert.equal(answer(["db_pass"]), text);
  assert.equal(answer(["Db_Pass_FILE"]), text);
});

Deno.test("several variables are explained one after the other", () => {
  assert.equal(
    answer(["DB_HOST", "DB_PORT"]),
    `${answer(["DB_HOST"])}\n${answer(["DB_PORT"])}`,
  );
});

Deno.test("every variable is explained for both ends of the releases, in lines of a terminal", () => {
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

Deno.test("what has no effect is said, with its reason", () => {
  const text = answer(["MATTERMOST_CREATE_TEAMS"]);
  assert.match(
    text,
    /Note\s+no effect in Mattermost >=4\.9\.0: since 4\.9 roles/,
  );
  assert.match(answer(["GITLAB_ID"]), /team edition/);
});

Deno.test("a secret's example is a file, and its line says that it is one", () => {
  const text = answer(["SMTP_PASS"]);
  assert.match(text, /Example\s+SMTP_PASS_FILE=\/run\/secrets\/smtp_pass/);
  assert.match(text, /^ {2}Secret /m);
  assert.doesNotMatch(answer(["SMTP_USER"]), /^ {2}Secret /m);
});

Deno.test("the whole catalogue is one line a variable, each with its summary", () => {
  const lines = answer(["--all"]).trimEnd().split("\n");
  assert.equal(lines.length, SETTING_NAMES.length);
  SETTING_NAMES.forEach((name, at) => {
    const line = lines[at] ?? "";
    assert.equal(line.split(" ")[0], name);
    assert.ok(line.includes(`${rowOf(name).group}: `));
  });
});

Deno.test("a command is explained too", () => {
  assert.equal(
    answer(["app:check"]),
    "app:check [--json] [--timeout SECONDS]\n  report what would fail, changing nothing\n",
  );
});

Deno.test("unknown names are all reported, each with what may have been meant", () => {
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
      ["DB_PASSWORD_FILE", "Its name here is DB_PASS_FILE"],
      ["app:chek", "Did you mean app:check?"],
      ["QWERTYUIOP", "List all names with app:help --all"],
    ],
  );
});

Deno.test("names that every object has are unknown like others", () => {
  assert.equal(failure(["constructor", "__proto__"]).problems.length, 2);
});

Deno.test("an unknown option is a usage error", () => {
  assert.equal(failure(["--al"]).remedy, "Did you mean --all?");
});

Deno.test("app:version names version, commit and runtime", () => {
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

Deno.test("help names the options that each command takes", async () => {
  for (const [name, { options }] of Object.entries(COMMANDS)) {
    const { system } = world();
    assert.equal(await run([name, "--nonsense"], system), ExitCode.usage);
    const [, taken = ""] = /→ .* takes (.*)/.exec(system.err.text) ?? [];
    assert.deepEqual(
      options.match(/--[a-z-]+/g)?.sort() ?? ["no options"],
      taken.split(", ").sort(),
      name,
    );
  }
});
