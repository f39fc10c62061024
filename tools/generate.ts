/**
 * Writes what is derived from the catalogue: the tables of README.md, and env.example.
 *
 * In README.md only what stands between `<!-- name -->` and `<!-- /name -->` is
 * written; the rest is for people. The output is already as `deno fmt` wants it.
 *
 *     deno task generate [--check]
 *
 * `--check` writes nothing, and fails where a file differs.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { COMMANDS, EXIT_CODES } from "../lib/commands/help.ts";
import { ExitCode } from "../lib/errors.ts";
import type { SettingName } from "../lib/settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../lib/settings/catalogue.ts";
import { describeDefault, plain } from "../lib/settings/describe.ts";
import type { Group, Setting } from "../lib/settings/setting.ts";
import { GROUPS, isRule } from "../lib/settings/setting.ts";

/** What stands between the marks of README.md, by the name of the marks. */
const SECTIONS: Readonly<Record<string, () => string>> = {
  settings: settingsTables,
  commands: commandTable,
  "exit-codes": exitCodeTable,
};

/** A README.md that has only the marks, for a tree without one. */
const STUB = Object.keys(SECTIONS)
  .map((name) => `<!-- ${name} -->\n\n<!-- /${name} -->\n`).join("\n");

/** How wide a comment of env.example may be. */
const COMMENT_WIDTH = 78;

/** The files, and what each should be, given what it is. */
const FILES: Readonly<Record<string, (present: string | undefined) => string>> =
  {
    "README.md": (present = STUB) => fillSections(present),
    "env.example": envExample,
  };

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values: { check } } = parseArgs({
    args,
    options: { check: { type: "boolean", default: false } },
  });
  const root = dirname(import.meta.dirname ?? ".");
  const outdated: string[] = [];
  for (const [name, generate] of Object.entries(FILES)) {
    const path = join(root, name);
    const present = await readIfAny(path);
    const wanted = generate(present);
    if (wanted === present) continue;
    outdated.push(name);
    if (!check) await Deno.writeTextFile(path, wanted);
  }
  for (const name of outdated) {
    console.error(
      check
        ? `${name} differs from the catalogue: run deno task generate`
        : `${name} written`,
    );
  }
  return check && outdated.length > 0 ? 1 : 0;
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Writes the derived sections of a document.
 *
 * @param document The text of README.md.
 * @returns The text with every section as the catalogue has it.
 * @throws {Error} Where a pair of marks is missing.
 */
export function fillSections(document: string): string {
  let text = document;
  for (const [name, generate] of Object.entries(SECTIONS)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [text.indexOf(open), text.indexOf(close)];
    if (start < 0 || end < start) {
      throw new Error(`README.md needs the marks ${open} and ${close}`);
    }
    const [before, after] = [
      text.slice(0, start + open.length),
      text.slice(end),
    ];
    text = `${before}\n\n${generate()}\n${after}`;
  }
  return text;
}

/**
 * The settings, a table for each group.
 *
 * @returns Markdown, with a final newline.
 */
export function settingsTables(): string {
  return GROUPS.map((group) => {
    const rows = namesOf(group).map((name) => {
      const row = rowOf(name);
      return [`\`${name}\``, meaning(row), describeDefault(row) ?? ""];
    });
    return `#### ${group}\n\n${
      table(["Variable", "What it is for", "Default"], rows)
    }`;
  }).join("\n");
}

/**
 * The commands.
 *
 * @returns Markdown, with a final newline.
 */
export function commandTable(): string {
  const rows = Object.entries(COMMANDS).map(([name, { options, does }]) => [
    `\`${`${name} ${options}`.trimEnd()}\``,
    sentence(does),
  ]);
  return table(["Command", "What it does"], [
    ...rows,
    ["anything else", "Run it as it is: `bash`, `mattermost version`, …"],
  ]);
}

/**
 * The exit codes.
 *
 * @returns Markdown, with a final newline.
 */
export function exitCodeTable(): string {
  const names = Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[];
  return table(["Code", "Meaning"], [
    ...names.map((name) => [`${ExitCode[name]}`, sentence(EXIT_CODES[name])]),
    ["128+n", "Ended by signal n before the server ran"],
    ["other", "The server's own, after the hand-off"],
  ]);
}

/**
 * A file for `--env-file` with every setting, commented out.
 *
 * @returns The text, with a final newline.
 */
export function envExample(): string {
  const head = comment(
    "Every variable of the image, for `docker run --env-file` and for the entrypoint's own `--env-file`. Remove the # in front of what you set. Each one has a twin that names a file instead: DB_PASS_FILE=/run/secrets/db_pass.",
  );
  const groups = GROUPS.map((group) => {
    const rule = `# ${"-".repeat(COMMENT_WIDTH - 2)}`;
    const settings = namesOf(group).map(envSetting);
    return [`${rule}\n# ${group}\n${rule}\n`, ...settings].join("\n");
  });
  return [`${head}\n`, ...groups].join("\n");
}

function envSetting(name: SettingName): string {
  const row = rowOf(name);
  const { fallback, example, secret } = row;
  const hasValue = fallback !== undefined && fallback !== "" &&
    !isRule(fallback);
  const note = hasValue
    ? []
    : row.generated === true || isRule(fallback)
    ? [comment(`Default: ${describeDefault(row)}.`)]
    : [];
  const sample = !hasValue && example !== undefined && secret !== true
    ? [comment(`Example: ${example}`)]
    : [];
  return [
    comment(meaning(row)),
    ...note,
    ...sample,
    `#${name}=${hasValue ? fallback : ""}\n`,
  ].join("\n");
}

/** The summary, the words that may be given where it does not name them, and where it is of no use. */
function meaning({ summary, kind, noEffect = [] }: Setting): string {
  const { choices = [] } = kind;
  const isFlag = choices.join() === "true,false";
  const isSaid = choices.every((word) => summary.includes(`\`${word}\``));
  const words = choices.map((word) => `\`${word}\``).join(", ");
  return [
    summary,
    ...(isFlag || isSaid ? [] : [`One of ${words}.`]),
    ...noEffect.map(({ releases, edition }) =>
      `No effect in Mattermost \`${releases}\`${
        edition === undefined ? "" : ` (${edition} edition)`
      }.`
    ),
  ].join(" ");
}

function namesOf(group: Group): SettingName[] {
  return SETTING_NAMES.filter((name) => rowOf(name).group === group);
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function comment(text: string): string {
  const lines = ["#"];
  for (const word of plain(text).split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last.length + 1 + word.length > COMMENT_WIDTH) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join("\n");
}

/** A table whose columns are as wide as their widest cell, as `deno fmt` lays it out. */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [head, ...rows].map((row) =>
    row.map((cell) => cell.replaceAll("|", "\\|"))
  );
  const widths = head.map((_, column) =>
    Math.max(3, ...cells.map((row) => [...row[column] ?? ""].length))
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |\n`;
  const [first = [], ...others] = cells;
  return [first, widths.map((width) => "-".repeat(width)), ...others]
    .map(line).join("");
}
