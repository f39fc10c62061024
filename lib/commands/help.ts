/**
 * `app:help`: the overview, one entry per command and variable, and the list of all variables.
 *
 * The entries are made from the tables below and from the catalogue of settings, so
 * that they cannot differ from what the program does.
 *
 * @module
 */

import meta from "../../deno.json" with { type: "json" };
import { DERIVED_PATHS } from "../config/assignments.ts";
import { DEFAULT_RELEASE } from "../default_release.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import {
  describeRange,
  formatVersion,
  inRange,
  parseVersion,
} from "../release_range.ts";
import type { SettingName } from "../settings/catalogue.ts";
import {
  GENERATED_SECRETS,
  isSettingName,
  rowOf,
  SETTING_NAMES,
} from "../settings/catalogue.ts";
import {
  describeDefault,
  exampleLine,
  fileVariable,
  stripBackticks,
} from "../settings/describe.ts";
import { GROUPS } from "../settings/setting.ts";
import { didYouMean, suggestVariable } from "../settings/spelling.ts";
import { readArguments } from "./arguments.ts";
import { describeServerVariable } from "./help_variable.ts";
import type { Context } from "../startup/context.ts";
import { printable } from "../printable.ts";

/** What `app:help` and the README say about a command. */
export interface CommandText {
  /** Its options and arguments, as in the synopsis of a manual page. */
  readonly options: string;
  /** What it does: one line without a final period. */
  readonly does: string;
  /** More about it, in whole sentences. */
  readonly details: string;
  /** Each option with its meaning, and the exit codes that have a special one. */
  readonly facts: readonly (readonly [label: string, text: string])[];
}

/** A label and the text beside it. */
type Fact = CommandText["facts"][number];

/** The commands, in the order in which people need them. */
export const COMMANDS: Readonly<Record<string, CommandText>> = {
  "app:start": {
    options: "[-- SERVER-ARGUMENT...]",
    does: "Start the server; this is the default command",
    details:
      "Loads the settings, waits for the database, checks that this release may open it, writes config.json, and then replaces itself with the Mattermost server in the same process.",
    facts: [["-- SERVER-ARGUMENT...", "Pass these arguments to the server"]],
  },
  "app:migrate": {
    options: "",
    does: "Migrate the database in the foreground",
    details:
      "Runs the migration of the installed server and ends with its exit code. Run it as a job of its own before several servers start. Servers that start at the same time wait for it.",
    facts: [],
  },
  "app:check": {
    options: "[--json] [--timeout SECONDS] [--for DIRECTORY]",
    does: "Report what would make a start fail, without changing anything",
    details:
      "Checks the settings, the database, the directories, and each service that the server uses. It needs no installed server. docs/check.md explains the findings.",
    facts: [
      ["--json", "Print the report as JSON"],
      [
        "--timeout SECONDS",
        "End all checks together after this time; the default is 10",
      ],
      [
        "--for DIRECTORY",
        "Rehearse an upgrade: check with the server in this directory, an unpacked release, instead of the installed one",
      ],
      ["Exit code 0", "No check failed"],
      ["Exit code 1", "At least one check failed"],
    ],
  },
  "app:config": {
    options:
      "[--explain] [--diff] [--export [--format FORMAT] [--write DIR]] [--json] [--show-secrets] | --restore [N] | --to-database | --to-file",
    does: "Print the config.json that the next start would write",
    details:
      "Hides the values of secrets, and changes nothing; it connects to the database only if the configuration is there. --restore replaces config.json with one of the three copies beside it. --to-database and --to-file copy the configuration to the other store, for MATTERMOST_CONFIG_STORE; they overwrite nothing.",
    facts: [
      [
        "--explain",
        "List each setting with its value and the source of the value",
      ],
      ["--diff", "List the values that the next start would change"],
      ["--json", "Print the list of --explain, --diff or --export as JSON"],
      ["--show-secrets", "Print the values of secrets"],
      [
        "--export",
        "Print the variables that give an empty installation the same configuration, edits in the System Console included",
      ],
      [
        "--format env|compose|kubernetes",
        "With --export: lines for an environment file, the default, the environment of a service in a Compose file, or a ConfigMap",
      ],
      [
        "--write DIR",
        "With --export: write each secret, and each value that the format cannot contain, into a file in DIR; for Kubernetes one Secret with all of them",
      ],
      ["--restore [N]", "Restore copy N; 1, the default, is the newest"],
      [
        "--to-database",
        "Have the installed server store config.json in the database (from 5.32 on)",
      ],
      ["--to-file", "Write what the database holds to config.json"],
      ["Exit code 1", "With --diff: the next start would change a value"],
    ],
  },
  "app:secrets": {
    options: "[--format env|json] [--write DIR]",
    does: "Generate new values for the four secrets",
    details: `The secrets are ${
      GENERATED_SECRETS.join(", ")
    }. No existing file is overwritten.`,
    facts: [
      [
        "--format env|json",
        "Print lines for an environment file, the default, or JSON",
      ],
      [
        "--write DIR",
        "Write each value into a file in DIR, and print the _FILE variables that name the files",
      ],
    ],
  },
  "app:health": {
    options: "[--ready] [--timeout SECONDS]",
    does: "Report whether the server in this container is healthy",
    details:
      "Sends an HTTP request to the address on which the server listens according to its config.json, and prints one line. Any user may run it. It is the HEALTHCHECK of the image.",
    facts: [
      ["--ready", "Check the server's database and file store as well"],
      [
        "--timeout SECONDS",
        "Wait this long for the answer; the default is 5",
      ],
      ["Exit code 0", "The server is healthy; with --ready, it is ready"],
      ["Exit code 1", "It is not, or it does not answer"],
    ],
  },
  "app:help": {
    options: "[--all] [NAME...]",
    does: "Explain commands and variables",
    details:
      "Prints an overview, or the entries of the given commands and variables. Names may be in any letter case. The server's own variables, such as MM_SERVICESETTINGS_SITEURL, are those of the installed server. MATTERMOST_VERSION selects the release that the entries describe.",
    facts: [["--all", "List all variables by group, one per line"]],
  },
  "app:version": {
    options: "",
    does: "Print the version, commit and runtime of this program",
    details: "Include these lines in bug reports.",
    facts: [],
  },
};

/** The exit codes and what they mean to the operator. */
export const EXIT_CODES: Readonly<Record<keyof typeof ExitCode, string>> = {
  ok: "success",
  failure:
    "`app:check` or `app:health` reports a failure, or `app:config --diff` a difference",
  usage: "the command line is wrong",
  badConfig: "the config.json on disk cannot be used",
  unreadable: "a file named by a `_FILE` variable cannot be read",
  unavailable: "the database was not usable in time",
  bug: "a bug of this program, reported with a stack trace",
  cannotWrite: "a file or directory cannot be written",
  refused: "the database refuses the login, or a privilege is missing",
  settings:
    "a setting is missing or wrong, the database does not exist or does not meet the TLS settings, or the upgrade is forbidden or failed",
  cannotExecute: "the command exists but cannot be executed",
  notFound: "the command does not exist",
};

const NAME_WIDTH = Math.max(...SETTING_NAMES.map((name) => name.length));

/** The width of a terminal that nobody has resized. */
const LINE_WIDTH = 80;

function overview(): string {
  const commands = Object.entries(COMMANDS).map(([name, { does }]) =>
    `  ${name.padEnd(13)}  ${does}`
  );
  return `${
    [
      `mattermost-entrypoint ${meta.version} writes Mattermost's config.json from environment`,
      "variables, waits for the database, and then becomes the Mattermost server.",
      "",
      "Usage: mattermost-entrypoint [--env-file FILE]... [COMMAND [ARGUMENT...]]",
      "",
      ...commands,
      "  anything else  Run it unchanged, for example bash or mattermost version",
      "",
      "--env-file reads variables from a file; the environment overrides them.",
      "app:help app:check explains a command, app:help DB_PASS a variable, and",
      "app:help --all lists all variables. Each variable can name a file instead",
      "that contains its value: DB_PASS_FILE=/run/secrets/db_pass.",
      "",
      "Exit codes: 64 command line, 65 config.json, 66 _FILE variable, 69 database",
      "not usable, 70 bug, 73 cannot write, 77 database access refused, 78 settings",
      "or upgrade, 126 and 127 cannot run the command, 128+n ended by signal n.",
    ].join("\n")
  }\n`;
}

/** All variables by group, each on one line for `grep`: its name, what it is, and its default. */
function listSettings(): string {
  return GROUPS.map((group) => {
    const lines = SETTING_NAMES.filter((name) => rowOf(name).group === group)
      .map((name) => {
        const row = rowOf(name);
        const fallback = describeDefault(row);
        const ending = fallback === undefined ? "" : ` Default: ${fallback}.`;
        return `  ${name.padEnd(NAME_WIDTH)}  ${row.summary}${ending}\n`;
      });
    return stripBackticks(`${group}\n${lines.join("")}`);
  }).join("\n");
}

/** The entry of a command: what it does, its options, and its exit codes. */
function describeCommand(name: string): string {
  const { options = "", does = "", details = "", facts = [] } =
    COMMANDS[name] ?? {};
  return entry(`${name} ${options}`.trimEnd(), [`${does}.`, details], facts);
}

/** The entry of a variable: what it is, and how a release of the server uses it. */
function describeSetting(name: SettingName, release: string): string {
  const row = rowOf(name);
  const { summary, details, secret = false, noEffect = [] } = row;
  const facts: readonly Fact[] = [
    ["Value", row.kind.allowed],
    ["Default", describeDefault(row) ?? "none"],
    ["Example", exampleLine(name)],
    ["From a file", `${fileVariable(name)} names a file with the value`],
    ...(secret
      ? [[
        "Secret",
        "never printed, and removed from the server's environment",
      ]] as const
      : []),
    ...places(name, release),
    ...noEffect.map(({ releases, edition, why }): Fact => [
      "No effect",
      `in Mattermost ${describeRange(releases)}${
        edition === undefined ? "" : `, ${edition} edition`
      }: ${why}`,
    ]),
  ];
  return entry(`${name} (${row.group})`, [summary, details ?? ""], facts);
}

/** Where config.json has a setting in this release, and where in others. */
function places(name: SettingName, release: string): readonly Fact[] {
  const all = [
    ...rowOf(name).writes ?? [],
    ...DERIVED_PATHS.filter(({ from }) => from.includes(name)),
  ];
  if (all.length === 0) {
    return [[
      "config.json",
      "not written; the entrypoint itself uses the value",
    ]];
  }
  const here = all.filter(({ releases }) =>
    releases === undefined || inRange(release, releases)
  );
  const others = all.filter((place) => !here.includes(place));
  const present = here.length === 0
    ? `not written; Mattermost ${release} has no such setting`
    : `${here.map(({ path }) => path).join(", ")} (Mattermost ${release})`;
  return [
    ["config.json", present],
    ...others.map(({ path, releases = "" }): Fact => [
      "Other keys",
      `${path} (${describeRange(releases)})`,
    ]),
  ];
}

/** Lays out the entry of a command or a variable: a heading, text, and a table of facts. */
function entry(
  heading: string,
  paragraphs: readonly string[],
  facts: readonly Fact[],
): string {
  const width = Math.max(...facts.map(([label]) => label.length)) + 2;
  const lines = [
    heading,
    ...paragraphs.filter((text) => text !== "")
      .flatMap((text) => wrap(text, "  ")),
    ...(facts.length === 0 ? [] : [""]),
    ...facts.flatMap(([label, text]) => wrap(text, `  ${label.padEnd(width)}`)),
  ];
  return stripBackticks(`${lines.join("\n")}\n`);
}

/** Breaks a text into lines. The lead starts the first line and is the indent of the others. */
function wrap(text: string, lead: string): string[] {
  const lines = [lead];
  for (const word of stripBackticks(text).split(" ")) {
    const last = lines.at(-1) ?? "";
    const isEmpty = last.length === lead.length;
    if (!isEmpty && last.length + 1 + word.length > LINE_WIDTH) {
      lines.push(" ".repeat(lead.length) + word);
    } else {
      lines[lines.length - 1] = `${last}${isEmpty ? "" : " "}${word}`;
    }
  }
  return lines;
}

/**
 * Prints the overview, entries, or the list of all variables.
 *
 * @param args Commands and variables to explain, or `--all`; none for the overview.
 * @param context Its system has the output, the release in `MATTERMOST_VERSION`, and the installed server.
 * @returns The exit code 0.
 * @throws {EntrypointError} With code 64 and one problem for each unknown name.
 */
export function help(args: readonly string[], { system }: Context): number {
  const { all, _: names } = readArguments(args, {
    command: "app:help",
    flags: ["all"],
    positionals: Infinity,
  });
  if (all) {
    system.out.write(listSettings());
  } else if (names.length === 0) {
    system.out.write(overview());
  } else {
    const version = parseVersion(system.env["MATTERMOST_VERSION"] ?? "");
    const release = version === undefined
      ? DEFAULT_RELEASE
      : formatVersion(version);
    system.out.write(printable(explain(names, { release, system })));
  }
  return ExitCode.ok;
}

function explain(
  names: readonly string[],
  { release, system }: Pick<Context, "system"> & { readonly release: string },
): string {
  const texts: string[] = [];
  const problems: Problem[] = [];
  for (const name of names) {
    const setting = settingOf(name);
    const command = name.toLowerCase();
    if (setting !== undefined) {
      texts.push(describeSetting(setting, release));
    } else if (Object.hasOwn(COMMANDS, command)) {
      texts.push(describeCommand(command));
    } else if (/^MM_/i.test(name)) {
      const variable = name.toUpperCase().replace(/_FILE$/, "");
      const found = describeServerVariable(variable, {
        system,
        version: release,
      });
      if ("problem" in found) problems.push(found.problem);
      else texts.push(entry(variable, [found.text], found.facts));
    } else {
      problems.push(unknown(name));
    }
  }
  if (problems.length > 0) {
    throw new EntrypointError("app:help does not know every name", {
      code: ExitCode.usage,
      problems,
    });
  }
  return texts.join("\n");
}

/** The setting of a variable's name, or of its `_FILE` variable, in any letter case. */
function settingOf(name: string): SettingName | undefined {
  const upper = name.toUpperCase();
  return [upper, upper.replace(/_FILE$/, "")].find(isSettingName);
}

function unknown(name: string): Problem {
  return {
    subject: name,
    message: `There is no variable or command named ${name}`,
    remedy: suggestVariable(name.toUpperCase()) ??
      didYouMean(name.toLowerCase(), Object.keys(COMMANDS)) ??
      "mattermost-entrypoint app:help --all   # lists all variables",
  };
}
