/**
 * The fake Mattermost prints, refuses and ends as recorded servers did.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readVerdict, verdictWatch } from "../../lib/mattermost/verdict.ts";
import { inRange } from "../../lib/release_range.ts";
import { installFakeMattermost } from "./install.ts";
import { readTable, readTranscripts, type Transcript } from "./recorded.ts";

type Section = Record<string, unknown> | null;
type Document = Record<string, Section>;

const DEAD_END = "postgres://x:y@/nodb?host=/nonexistent&sslmode=disable";
const DEAD_END_OF_MYSQL = "x:y@unix(/nonexistent/s.sock)/nodb?charset=utf8mb4";

/** A user without a name, so that the drivers cannot find one. */
const NOBODY = 54321;

/** A configuration that differs from a good one, and what else differs. */
interface Case {
  readonly change?: Readonly<Record<string, unknown>>;
  readonly bare?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly isReadOnly?: boolean;
  /** The content of the file with defaults. */
  readonly defaults?: string;
}

const BAD = { "TeamSettings.MaxUsersPerTeam": -1 };
const BAD_ENV = { MM_TEAMSETTINGS_MAXUSERSPERTEAM: "-1" };
const CONSOLE_OFF = { "LogSettings.EnableConsole": false };
const BAD_DEFAULTS = JSON.stringify({ TeamSettings: { MaxUsersPerTeam: -1 } });
const MYSQL = {
  "SqlSettings.DriverName": "mysql",
  "SqlSettings.DataSource": DEAD_END_OF_MYSQL,
};

/** How the recorded servers were configured, by the name without its first word. */
const CASES: Readonly<Record<string, Case>> = {
  "good": {},
  "good-until-failed": {},
  "good-mysql": { change: MYSQL },
  "port-taken": {},
  "bad": { change: BAD },
  "bad-env": { env: BAD_ENV },
  "unparsable-env": { env: { MM_TEAMSETTINGS_MAXUSERSPERTEAM: "abc" } },
  "wrong-type": { change: { "TeamSettings.MaxUsersPerTeam": "abc" } },
  "wrong-type-bool": { change: { "TeamSettings.EnableUserCreation": "true" } },
  "null-section": { change: { ServiceSettings: null } },
  "bare-config": { bare: true },
  "log-console-off": { change: CONSOLE_OFF },
  "log-console-off-but-env": {
    change: CONSOLE_OFF,
    env: {
      MM_LOGSETTINGS_ENABLECONSOLE: "true",
      MM_LOGSETTINGS_CONSOLELEVEL: "INFO",
    },
  },
  "log-console-level-error": {
    change: { "LogSettings.ConsoleLevel": "ERROR" },
  },
  "log-level-unknown": { change: { "LogSettings.ConsoleLevel": "foo" } },
  "log-file-unwritable": {
    change: {
      "LogSettings.EnableFile": true,
      "LogSettings.FileLocation": "/proc/none",
    },
  },
  "cwd-root": { cwd: "/" },
  "locales-unknown": {
    change: {
      "LocalizationSettings.DefaultServerLocale": "xx",
      "LocalizationSettings.AvailableLocales": "de,fr",
    },
  },
  "read-only-directory": { isReadOnly: true },
  "custom-defaults-bad-complete-file": { defaults: BAD_DEFAULTS },
  "custom-defaults-bad-sparse-file": { bare: true, defaults: BAD_DEFAULTS },
  "custom-defaults-missing": {
    env: { MM_CUSTOM_DEFAULTS_PATH: "/nonexistent/cd.json" },
  },
  "custom-defaults-not-json": {
    env: { MM_CUSTOM_DEFAULTS_PATH: "/etc/passwd" },
  },
  "license-env-garbage": { env: { MM_LICENSE: "garbage" } },
  "service-environment-garbage": { env: { MM_SERVICEENVIRONMENT: "nonsense" } },
  "file-directory-missing": {
    env: { MM_FILESETTINGS_DIRECTORY: "/nonexistent/deep" },
  },
  "plugin-directory-missing": {
    env: { MM_PLUGINSETTINGS_DIRECTORY: "/nonexistent/deep" },
  },
  "lower-case-data-source-real-first": {
    env: {
      mm_sqlsettings_datasource: "postgres://x:y@127.0.0.1:1/real",
      MM_SQLSETTINGS_DATASOURCE: DEAD_END,
    },
  },
  "dead-end-of-the-other-driver-mysql": {
    change: { "SqlSettings.DriverName": "mysql" },
  },
  "dead-end-of-the-other-driver-postgres": {
    change: { "SqlSettings.DataSource": DEAD_END_OF_MYSQL },
  },
};

/** What the fake does not imitate: a program without its files, and two logs. */
const NOT_IMITATED_REGEXP =
  /^(version|server-(binary-alone.*|log-path-elsewhere|advanced-logging.*))$/;

interface Outcome {
  /** `undefined` if it kept looking for its database. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly isRewritten: boolean;
}

/** Installs a release once. */
class Lab implements AsyncDisposable {
  readonly #install: string;
  readonly #release: string;

  private constructor(install: string, release: string) {
    this.#install = install;
    this.#release = release;
  }

  static async open(release: string): Promise<Lab> {
    const install = await Deno.makeTempDir({ prefix: "fake-mattermost-" });
    await installFakeMattermost(install, release);
    await Deno.chmod(install, 0o755);
    await Deno.chmod(join(install, "logs"), 0o777);
    return new Lab(install, release);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#install, { recursive: true });
  }

  /** Makes the configuration of a case: the package's, with a dead end. */
  async configuration(
    { change = {}, bare = false }: Case,
  ): Promise<Document> {
    const given: Document = JSON.parse(
      await Deno.readTextFile(join(this.#install, "config/config.json")),
    );
    const dead = { DriverName: "postgres", DataSource: DEAD_END };
    const document: Document = bare ? { SqlSettings: dead } : {
      ...given,
      SqlSettings: { ...given["SqlSettings"], ...dead },
      LogSettings: {
        ...given["LogSettings"],
        EnableConsole: true,
        ConsoleLevel: "DEBUG",
        EnableFile: false,
      },
    };
    for (const [path, value] of Object.entries(change)) {
      const [section = "", key] = path.split(".");
      if (key === undefined) document[section] = value as Section;
      else document[section] = { ...document[section], [key]: value };
    }
    return document;
  }

  /** Runs a command until it ends or has said that it found no database. */
  async run(arguments_: readonly string[], test: Case): Promise<Outcome> {
    const place = await Deno.makeTempDir({ prefix: "fake-config-" });
    try {
      const config = join(place, "config.json");
      const journal = join(place, "journal");
      const defaults = join(place, "defaults.json");
      await Deno.writeTextFile(
        config,
        JSON.stringify(await this.configuration(test), null, 2),
        { mode: test.isReadOnly ? 0o444 : 0o666 },
      );
      await Deno.chmod(config, test.isReadOnly ? 0o444 : 0o666);
      await Deno.writeTextFile(journal, "");
      await Deno.chmod(journal, 0o666);
      if (test.defaults !== undefined) {
        await Deno.writeTextFile(defaults, test.defaults);
      }
      await Deno.chmod(place, 0o755);
      const before = await Deno.readTextFile(config);
      const name = inRange(this.#release, "<5.0.0") ? "platform" : "mattermost";
      const env = {
        PATH: "/usr/bin:/bin",
        FAKE_JOURNAL: journal,
        // As where the transcripts were recorded.
        FAKE_NAMELESS: "1",
        ...(test.defaults === undefined
          ? {}
          : { MM_CUSTOM_DEFAULTS_PATH: defaults }),
        ...test.env,
      };
      // Deno would sort the variables; their order matters.
      const child = new Deno.Command("env", {
        args: [
          "--ignore-environment",
          ...Object.entries(env).map((pair) => pair.join("=")),
          join(this.#install, "bin", name),
          ...arguments_,
          "--config",
          config,
        ],
        cwd: test.cwd ?? this.#install,
        ...(Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      let code: number | undefined;
      let hasEnded = false;
      const end = child.output().then((output) => {
        hasEnded = true;
        code = output.signal === null ? output.code : undefined;
        return output;
      });
      // A 3.x ends soon after it has looked for its database.
      const waits = inRange(this.#release, ">=4.0.0") ||
        test.change?.["LogSettings.EnableConsole"] !== false;
      while (!hasEnded) {
        const said = await Deno.readTextFile(journal);
        if (waits && said.includes("said so")) {
          child.kill("SIGKILL");
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const { stdout, stderr } = await end;
      const decoder = new TextDecoder();
      const replace = (bytes: Uint8Array<ArrayBuffer>): string =>
        decoder.decode(bytes)
          .replaceAll(config, "/CONF/config/config.json")
          .replaceAll(this.#install, "/INSTALL");
      return {
        code,
        stdout: replace(stdout),
        stderr: replace(stderr),
        isRewritten: before !== await Deno.readTextFile(config),
      };
    } finally {
      await Deno.remove(place, { recursive: true });
    }
  }
}

/** The lines without times and numbers of lines, up to the list of commands, in any order. */
function lines(output: string): readonly string[] {
  return output.replace(/^Usage:[^]*/m, "Usage:").split("\n")
    .filter((line) => line !== "" && !line.includes("Hub is starting"))
    .map((line) =>
      line.replace(/\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC/, "TIME")
        .replace(/\d\d:\d\d:\d\d UTC \d{4}\/\d\d\/\d\d/, "TIME")
        .replace(/("ts":)[\d.]+/, "$1TIME")
        .replace(/^\d{4}-\d\d-\d\d \S+ \+0000 UTC(?: m=\S+)?/, "TIME")
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} Z/, "TIME")
        .replace(/at line \d+,/, "at line LINE,")
    )
    .toSorted();
}

/** The transcripts that the fake can reproduce, by release. */
const reproducible = Map.groupBy(
  (await readTranscripts()).filter(({ name }) =>
    !NOT_IMITATED_REGEXP.test(name)
  ),
  ({ release }) => release,
);

function caseOf({ name }: Transcript): Case {
  const found = CASES[name] ??
    CASES[name.replace(/^(server|dry-run|migrate)-/, "")];
  assert.ok(found !== undefined, `no configuration for ${name}`);
  return found;
}

function argumentsOf({ name, release }: Transcript): readonly string[] {
  if (name.startsWith("dry-run")) return ["db", "migrate", "--dry-run"];
  if (name.startsWith("migrate")) return ["db", "migrate"];
  // Where `db migrate` exists, these were recorded with it.
  const isOfMigration = /^(dead-end|lower-case)/.test(name) &&
    inRange(release, ">=6.5.0");
  if (!isOfMigration) return [];
  return inRange(release, "<8.0.0")
    ? ["db", "migrate"]
    : ["db", "migrate", "--dry-run"];
}

for (const [release, transcripts] of reproducible) {
  Deno.test(`${release} behaves as in ${transcripts.length} transcripts`, async () => {
    await using lab = await Lab.open(release);
    for (const transcript of transcripts) {
      const { name, output, code, isRewritten } = transcript;
      const outcome = await lab.run(
        argumentsOf(transcript),
        caseOf(transcript),
      );
      const all = outcome.stdout + outcome.stderr;
      assert.deepEqual(lines(all), lines(output), name);
      assert.equal(outcome.code, code, name);
      if (!name.startsWith("server-bare")) {
        assert.equal(outcome.isRewritten, isRewritten, name);
      }
      const isStdout = inRange(release, "<4.0.0 || >=6.0.0");
      const marker = /^.*Failed to ping DB.*$/m;
      if (marker.test(output) && !/^\{"level":"error","msg"/m.test(output)) {
        assert.match(isStdout ? outcome.stdout : outcome.stderr, marker, name);
      }
      if (/^Error: /m.test(output)) assert.match(outcome.stderr, /^Error: /m);
    }
  });
}

/** A value in Python's notation. */
function python(text: string): unknown {
  return JSON.parse(
    text.replaceAll("'", '"').replace("True", "true")
      .replace("False", "false").replace("None", "null"),
  );
}

function verdictCase(place: string, change: string): Case {
  if (change.startsWith("batching")) {
    return { change: { "EmailSettings.EnableEmailBatching": true } };
  }
  if (change.startsWith("atmos/camo")) {
    return {
      change: {
        "ImageProxySettings.Enable": true,
        "ImageProxySettings.ImageProxyType": "atmos/camo",
        "ImageProxySettings.RemoteImageProxyURL": "https://camo.example.com",
        "ImageProxySettings.RemoteImageProxyOptions": "key",
      },
    };
  }
  const [, name = "", value = ""] = /^([^=]*)=(.*)$/.exec(change) ?? [];
  if (place === "env") return { env: { [name]: String(python(value)) } };
  return { change: { [name]: python(value) } };
}

Deno.test("11.6.0 accepts and refuses as recorded", async () => {
  await using lab = await Lab.open("11.6.0");
  const wrong: string[] = [];
  for (
    const [place = "", change = "", verdict] of await readTable(
      "verdicts-11.6.0.tsv",
    )
  ) {
    const test = verdictCase(place, change);
    const { code } = await lab.run([], test);
    if ((code === undefined ? "accepts" : "refuses") !== verdict) {
      wrong.push(`${place} ${change}: ${verdict}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** What the program must read from the transcripts of real servers, by their names. */
const VERDICTS:
  readonly (readonly [names: RegExp, kind: string, words: RegExp])[] = [
    [/^server-good/, "accepted", /^$/],
    [/^server-null-section/, "accepted", /^$/],
    [
      /^server-bad(-mysql)?$/,
      "refused",
      /^(Invalid maximum users per team|model\.config\.is_valid\.max_users\.app_error$)/,
    ],
    [
      /^server-wrong-type(-mysql)?$/,
      "refused",
      /MaxUsersPerTeam|^utils\.config\.load_config\.decoding\.panic$/,
    ],
    [/^server-log-console-off$/, "none", /^it /],
    [/^server-read-only-directory$/, "accepted|none", /^$|persist/],
  ];

Deno.test("the program reads the verdicts of real servers as they were meant", async () => {
  let count = 0;
  for (const { name, release, output, code } of await readTranscripts()) {
    const expected = VERDICTS.find(([names]) => names.test(name));
    // 3.6 has no defaults for a section that is missing.
    if (expected === undefined || release === "3.6.0" && /null/.test(name)) {
      continue;
    }
    const lines = output.split("\n");
    const end = lines.findIndex(verdictWatch());
    const verdict = readVerdict({
      lines: end < 0 ? lines : lines.slice(0, end + 1),
      code,
    });
    const [, kind, words] = expected;
    const said = "sentence" in verdict
      ? verdict.sentence
      : "reason" in verdict
      ? verdict.reason
      : "";
    assert.match(verdict.kind, new RegExp(`^(${kind})$`), `${release} ${name}`);
    assert.match(said, words, `${release} ${name}`);
    count++;
  }
  assert.ok(count > 50, `${count}`);
});
