/**
 * `app:help`: what the program does, what a variable does, and the whole catalogue.
 *
 * The texts are made from the catalogue alone; only the command itself writes.
 *
 * @module
 */

import meta from "../../deno.json" with { type: "json" };
import { DERIVED_PATHS } from "../config/assignments.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { formatVersion, inRange, parseVersion } from "../release_range.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { isSettingName, rowOf, SETTING_NAMES } from "../settings/catalogue.ts";
import {
  describeDefault,
  exampleLine,
  fileTwin,
  plain,
} from "../settings/describe.ts";
import { didYouMean, suggest } from "../settings/spelling.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";

/** A command, for people. */
export interface CommandText {
  /** Its options and arguments. */
  readonly options: string;
  /** What it does, in a few words. */
  readonly does: string;
}

/** The commands, in the order in which people need them. */
export const COMMANDS: Readonly<Record<string, CommandText>> = {
  "app:start": {
    options: "[-- SERVER-ARGUMENT...]",
    does: "start the server; the default",
  },
  "app:migrate": {
    options: "",
    does: "migrate the database in the foreground",
  },
  "app:check": {
    options: "[--json] [--timeout SECONDS]",
    does: "report what would fail, changing nothing",
  },
  "app:config": {
    options: "[--explain] [--diff] [--json] [--show-secrets] | --restore [N]",
    does: "print the config.json to be, or restore an earlier one",
  },
  "app:secrets": {
    options: "[--format env|json] [--write DIR]",
    does: "make new values for the four secrets",
  },
  "app:health": {
    options: "[--ready] [--timeout SECONDS]",
    does: "ask the server on this machine how it is",
  },
  "app:help": {
    options: "[--all] [VARIABLE...]",
    does: "explain commands and variables",
  },
  "app:version": {
    options: "",
    does: "print version, commit and runtime of this program",
  },
};

/** The exit codes and what they mean to the operator. */
export const EXIT_CODES: Readonly<Record<keyof typeof ExitCode, string>> = {
  ok: "success",
  failure:
    "`app:check` or `app:health` found a failure, `app:config --diff` a difference",
  usage: "the command line is wrong",
  badConfig: "the config.json on disk cannot be used",
  unreadable: "a file named by a `_FILE` variable cannot be read",
  unavailable: "the database could not be reached in time",
  bug: "a bug of this program, with a stack trace",
  cannotWrite: "a file or directory cannot be written",
  refused: "the database refuses the credentials",
  settings:
    "settings are missing or wrong, or the upgrade is forbidden or failed",
  cannotExecute: "the command exists but cannot be executed",
  notFound: "the command does not exist",
};

/** The release that help is about where the image does not say which one it holds. */
const PRESENT_RELEASE = "11.7";

const NAME_WIDTH = Math.max(...SETTING_NAMES.map((name) => name.length));

/** Columns of an old terminal. */
const LINE_WIDTH = 80;

function overview(): string {
  const commands = Object.entries(COMMANDS).map(([name, { does }]) =>
    `  ${name.padEnd(13)}  ${does}`
  );
  return `${
    [
      `mattermost-entrypoint ${meta.version}: environment variables become config.json, the`,
      "database is waited for, and the program becomes the Mattermost server.",
      "",
      "Usage: mattermost-entrypoint [--env-file FILE]... [COMMAND]",
      "",
      ...commands,
      "  anything else  run it as it is: bash, mattermost version, ...",
      "",
      "Every variable has a twin for files: DB_PASS_FILE=/run/secrets/db_pass.",
      "app:help DB_PASS explains a variable, app:help app:check a command,",
      "app:help --all lists all variables, one a line.",
      "",
      "Exit codes: 64 usage, 65 config.json, 66 _FILE, 69 no database, 70 bug,",
      "73 cannot write, 77 database login, 78 settings or upgrade, 126 and 127",
      "cannot run the command, 128+n ended by signal n.",
    ].join("\n")
  }\n`;
}

/** The whole catalogue, one line a variable: name, group, summary, default. */
function listSettings(): string {
  return SETTING_NAMES.map((name) => {
    const row = rowOf(name);
    const fallback = describeDefault(row);
    const ending = fallback === undefined ? "" : ` Default: ${fallback}.`;
    const head = `${name.padEnd(NAME_WIDTH)}  ${row.group}: `;
    return `${head}${plain(`${row.summary}${ending}`)}\n`;
  }).join("");
}

/** All there is to say about one setting in a release of the server. */
function describeSetting(name: SettingName, release: string): string {
  const row = rowOf(name);
  const facts: readonly (readonly [label: string, text: string])[] = [
    ["Value", row.kind.allowed],
    ["Default", describeDefault(row) ?? "none"],
    ...places(name, release),
    ["File", `${fileTwin(name)} may name a file that holds the value`],
    ["Example", exampleLine(name)],
    ...(row.secret === true
      ? [[
        "Secret",
        "never shown, and kept from the server's environment",
      ]] as const
      : []),
    ...(row.noEffect ?? []).map(({ releases, edition, why }) =>
      [
        "Note",
        `no effect in Mattermost ${releases}${
          edition === undefined ? "" : `, ${edition} edition`
        }: ${why}`,
      ] as const
    ),
  ];
  const lines = [
    `${name} (${row.group})`,
    ...[row.summary, row.details].flatMap((text) =>
      text === undefined ? [] : wrap(text, "  ")
    ),
    "",
    ...facts.flatMap(([label, text]) => wrap(text, `  ${label.padEnd(9)}`)),
  ];
  return plain(`${lines.join("\n")}\n`);
}

/** Where a setting goes in this release, and where in others. */
function places(
  name: SettingName,
  release: string,
): (readonly [label: string, text: string])[] {
  const all = [
    ...rowOf(name).writes ?? [],
    ...DERIVED_PATHS.filter(({ from }) => from.includes(name)),
  ];
  const here = all.filter(({ releases }) =>
    releases === undefined || inRange(release, releases)
  );
  const others = all.filter((place) => !here.includes(place));
  if (all.length === 0) return [];
  const paths = here.map(({ path }) => path).join(", ");
  const written = paths === ""
    ? `nowhere: Mattermost ${release} has no such setting`
    : `to ${paths} of config.json (Mattermost ${release})`;
  const rest = others.map(({ path, releases }) => `${path} (${releases})`);
  return [
    ["Written", written],
    ...(rest.length === 0 ? [] : [["Others", rest.join(", ")] as const]),
  ];
}

/** Breaks a text into lines; the first begins with the lead, the others are indented as far. */
function wrap(text: string, lead: string): string[] {
  const lines = [lead];
  for (const word of plain(text).split(" ")) {
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
 * The command.
 *
 * @param args Variables and commands to explain, or `--all`; without any, the overview.
 * @param context The world.
 * @returns The exit code.
 * @throws {EntrypointError} With code 64 for a name that is unknown.
 */
export function help(args: readonly string[], { system }: Context): number {
  const { all, _: words } = readArguments(args, {
    command: "app:help",
    flags: ["all"],
    positionals: Infinity,
  });
  if (all) {
    system.out.write(listSettings());
  } else if (words.length === 0) {
    system.out.write(overview());
  } else {
    const release = parseVersion(system.env["MATTERMOST_VERSION"] ?? "");
    system.out.write(
      explain(
        words,
        release === undefined ? PRESENT_RELEASE : formatVersion(release),
      ),
    );
  }
  return ExitCode.ok;
}

function explain(words: readonly string[], release: string): string {
  const texts: string[] = [];
  const problems: Problem[] = [];
  for (const word of words) {
    const name = settingOf(word);
    const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
    if (name !== undefined) {
      texts.push(describeSetting(name, release));
    } else if (command !== undefined) {
      texts.push(
        `${word} ${command.options}`.trimEnd() + `\n  ${command.does}\n`,
      );
    } else {
      problems.push(unknown(word));
    }
  }
  if (problems.length > 0) {
    throw new EntrypointError("app:help knows no such variable", {
      code: ExitCode.usage,
      problems,
    });
  }
  return texts.join("\n");
}

/** The setting of a name in any case, or of the name of its twin. */
function settingOf(word: string): SettingName | undefined {
  const name = word.toUpperCase();
  return [name, name.replace(/_FILE$/, "")].find(isSettingName);
}

function unknown(word: string): Problem {
  return {
    subject: word,
    message: `Nothing reads a variable named ${word}`,
    remedy: suggest(word.toUpperCase()) ??
      didYouMean(word.toLowerCase(), Object.keys(COMMANDS)) ??
      "List all names with app:help --all",
  };
}
