/**
 * Writes what is derived from the program: the settings of docs/settings.md, the commands
 * and exit codes of README.md, and env.example.
 *
 * In a document only what stands between `<!-- name -->` and `<!-- /name -->` is written;
 * the rest is for people. `deno fmt` lays documents out.
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
import { DERIVED_PATHS } from "../lib/config/assignments.ts";
import { ExitCode } from "../lib/errors.ts";
import { describeRange } from "../lib/release_range.ts";
import type { SettingName } from "../lib/settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../lib/settings/catalogue.ts";
import {
  describeDefault,
  exampleLine,
  fileTwin,
  plain,
} from "../lib/settings/describe.ts";
import type { Group, NoEffect } from "../lib/settings/setting.ts";
import { GROUPS, isRule } from "../lib/settings/setting.ts";

/** What stands between the marks of a document, by the name of the marks. */
export type Sections = Readonly<Record<string, () => string>>;

/** The documents with marks. */
const DOCUMENTS: Readonly<Record<string, Sections>> = {
  "README.md": { commands: commandTable, "exit-codes": exitCodeTable },
  "docs/settings.md": { index: settingsIndex, settings: settingsReference },
};

/** How wide a comment of env.example may be. */
const COMMENT_WIDTH = 78;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values: { check } } = parseArgs({
    args,
    options: { check: { type: "boolean", default: false } },
  });
  const root = dirname(import.meta.dirname ?? ".");
  const wanted: Record<string, string> = { "env.example": envExample() };
  for (const [name, sections] of Object.entries(DOCUMENTS)) {
    const present = await Deno.readTextFile(join(root, name));
    wanted[name] = await format(fillSections(present, sections), root);
  }
  let outdated = 0;
  for (const [name, text] of Object.entries(wanted)) {
    const path = join(root, name);
    if (text === await readIfAny(path)) continue;
    outdated++;
    if (!check) await Deno.writeTextFile(path, text);
    console.error(
      check
        ? `${name} differs from the program: run deno task generate`
        : `${name} written`,
    );
  }
  return check && outdated > 0 ? 1 : 0;
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Markdown as `deno fmt` lays it out. */
async function format(markdown: string, root: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=md", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error("deno fmt cannot lay out the document");
  return new TextDecoder().decode(stdout);
}

/**
 * Writes the derived sections of a document.
 *
 * @param document Its text.
 * @param sections What to write, by the name of the marks.
 * @returns The text with every section written.
 * @throws {Error} Where a pair of marks is missing.
 */
export function fillSections(document: string, sections: Sections): string {
  let text = document;
  for (const [name, generate] of Object.entries(sections)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [text.indexOf(open), text.indexOf(close)];
    if (start < 0 || end < start) {
      throw new Error(`The document needs the marks ${open} and ${close}`);
    }
    const before = text.slice(0, start + open.length);
    text = `${before}\n\n${generate()}\n${text.slice(end)}`;
  }
  return text;
}

/**
 * The names of all settings, by group, each a link to what there is to say about it.
 *
 * @returns Markdown, with a final newline.
 */
export function settingsIndex(): string {
  return GROUPS.map((group) => {
    const names = namesOf(group).map((name) => `[${name}](#${anchor(name)})`);
    return `- **[${group}](#${anchor(group)}):** ${names.join(", ")}\n`;
  }).join("");
}

/**
 * All there is to say about each setting.
 *
 * @returns Markdown, with a final newline.
 */
export function settingsReference(): string {
  return GROUPS.map((group) =>
    [`## ${group}\n`, ...namesOf(group).map(settingReference)].join("\n")
  ).join("\n");
}

function settingReference(name: SettingName): string {
  const row = rowOf(name);
  const facts: readonly (readonly [label: string, text: string])[] = [
    ["Value", row.kind.allowed],
    ["Default", describeDefault(row) ?? "none"],
    ...(row.example === undefined && row.secret !== true
      ? []
      : [["Example", `\`${exampleLine(name)}\``] as const]),
    ["From a file", `\`${fileTwin(name)}\``],
    ...(row.secret === true
      ? [
        [
          "Secret",
          "never shown, and removed from the server's environment",
        ] as const,
      ]
      : []),
    ["config.json", places(name)],
    ...(row.noEffect ?? []).map((each) =>
      ["No effect", withoutEffect(each)] as const
    ),
  ];
  return [
    `### ${name}\n`,
    `${[row.summary, row.details ?? ""].join(" ").trim()}\n`,
    ...facts.map(([label, text]) => `- **${label}:** ${text}`),
    "",
  ].join("\n");
}

/** Where config.json has a setting, and which releases read it there. */
function places(name: SettingName): string {
  const all = [
    ...rowOf(name).writes ?? [],
    ...DERIVED_PATHS.filter(({ from }) => from.includes(name)),
  ].map(({ path, releases }) =>
    `\`${path}\`${
      releases === undefined ? "" : ` (${describeRange(releases)})`
    }`
  );
  return all.length === 0
    ? "not written; the entrypoint itself uses it"
    : all.join(", ");
}

function withoutEffect({ releases, edition, why }: NoEffect): string {
  const where = edition === undefined ? "" : `, ${edition} edition`;
  return `in Mattermost ${describeRange(releases)}${where}: ${why}`;
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
    ["anything else", "Run it unchanged: `bash`, `mattermost version`, …"],
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
    "Every variable of the image, for `docker run --env-file` and for the entrypoint's own `--env-file`. Remove the # in front of what you set. Each one has a twin that names a file instead: DB_PASS_FILE=/run/secrets/db_pass. docs/settings.md has more on each.",
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
    comment(meaning(name)),
    ...note,
    ...sample,
    `#${name}=${hasValue ? fallback : ""}\n`,
  ].join("\n");
}

/** The summary, the words that may be given where it does not name them, and where it is of no use. */
function meaning(name: SettingName): string {
  const { summary, kind, noEffect = [] } = rowOf(name);
  const { choices = [] } = kind;
  const isFlag = choices.join() === "true,false";
  const isSaid = choices.every((word) => summary.includes(`\`${word}\``));
  return [
    summary,
    ...(isFlag || isSaid ? [] : [`One of ${choices.join(", ")}.`]),
    ...noEffect.map(({ releases, edition }) =>
      `No effect in Mattermost ${describeRange(releases)}${
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

/** The name of a heading in an address, as GitHub makes it. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(" ", "-");
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

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  return [head, head.map(() => "---"), ...rows].map((row) =>
    `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`
  ).join("");
}
