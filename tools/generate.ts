/**
 * Generates what repeats the program: the settings in docs/settings.md, the commands and exit
 * codes in README.md, the causes in docs/databases.md and docs/troubleshooting.md, env.example,
 * and the name of the image and the default release wherever a file names them.
 *
 * In a document it writes only the sections between `<!-- name -->` and `<!-- /name -->`, and
 * these two names, and formats the document with `deno fmt`.
 *
 *     deno task generate [--check]
 *
 * `--check` writes nothing, and fails if a file differs.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { COMMANDS, EXIT_CODES } from "../lib/commands/help.ts";
import { DERIVED_PATHS } from "../lib/config/assignments.ts";
import { POOLER_CODES, RULES } from "../lib/database/classify.ts";
import {
  isBrief,
  type Reason,
  REASONS,
  remedyFor,
} from "../lib/database/reasons.ts";
import { ExitCode } from "../lib/errors.ts";
import { describeRange } from "../lib/release_range.ts";
import type { SettingName } from "../lib/settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../lib/settings/catalogue.ts";
import {
  describeDefault,
  exampleLine,
  fileVariable,
  stripBackticks,
} from "../lib/settings/describe.ts";
import type { Group, NoEffect } from "../lib/settings/setting.ts";
import { GROUPS, isDefaultRule } from "../lib/settings/setting.ts";
import { filesWithRelease, withRelease } from "./default_release.ts";

/** Functions that generate the sections of a document, by the name of the section. */
export type Sections = Readonly<Record<string, () => string>>;

/** The documents with generated sections. */
const DOCUMENTS: Readonly<Record<string, Sections>> = {
  "README.md": { commands: commandTable, "exit-codes": exitCodeTable },
  "docs/databases.md": { causes: causeTable },
  "docs/troubleshooting.md": {
    "temporary-causes": () => causeList(ExitCode.unavailable),
    "refused-causes": () => causeList(ExitCode.refused),
    "settings-causes": () => causeList(ExitCode.settings),
  },
  "docs/settings.md": { index: settingsIndex, settings: settingsReference },
};

/** The login in the examples of remedies. */
const EXAMPLE = {
  host: "db",
  user: "mattermost",
  password: "",
  database: "mattermost",
  sslMode: "disable",
} as const;

/** The width of comments in env.example. */
const COMMENT_WIDTH = 78;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values: { check } } = parseArgs({
    args,
    options: { check: { type: "boolean", default: false } },
  });
  const root = dirname(import.meta.dirname ?? ".");
  const expected: Record<string, string> = { "env.example": envExample() };
  for (const name of filesWithRelease(root)) {
    const present = await Deno.readTextFile(join(root, name));
    const text = withRelease(fillSections(present, DOCUMENTS[name] ?? {}));
    if (text === present) continue;
    expected[name] = name.endsWith(".md") ? await format(text, root) : text;
  }
  let outdated = 0;
  for (const [name, text] of Object.entries(expected)) {
    const path = join(root, name);
    if (text === await readIfAny(path)) continue;
    outdated++;
    if (!check) await Deno.writeTextFile(path, text);
    console.error(
      check
        ? `${name} is not up to date. Run: deno task generate`
        : `Wrote ${name}`,
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

/** Formats Markdown with `deno fmt`. */
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
  if (code !== 0) {
    throw new Error("deno fmt cannot format the generated document");
  }
  return new TextDecoder().decode(stdout);
}

/**
 * Fills the generated sections of a document.
 *
 * @param document The text of the document.
 * @param sections The functions that generate the sections.
 * @returns The text with all sections filled.
 * @throws {Error} when a section is missing
 */
export function fillSections(document: string, sections: Sections): string {
  let text = document;
  for (const [name, generate] of Object.entries(sections)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [text.indexOf(open), text.indexOf(close)];
    if (start < 0 || end < start) {
      throw new Error(
        `The document must contain ${open} and, after it, ${close}`,
      );
    }
    const before = text.slice(0, start + open.length);
    text = `${before}\n\n${generate()}\n${text.slice(end)}`;
  }
  return text;
}

/**
 * Lists the names of all settings by group, each with a link to its description.
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
 * Describes all settings.
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
    ["From a file", `\`${fileVariable(name)}\``],
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

/** The keys of config.json that a setting is written to, and the releases that have them. */
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
 * Generates the table of commands.
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
 * Generates the table of exit codes.
 *
 * @returns Markdown, with a final newline.
 */
export function exitCodeTable(): string {
  const names = Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[];
  return table(["Code", "Meaning"], [
    ...names.map((name) => [`${ExitCode[name]}`, sentence(EXIT_CODES[name])]),
    ["128+n", "Ended by signal n before the server started"],
    ["other", "The exit code of the server"],
  ]);
}

/**
 * Generates the table of the reasons why a database cannot be used, with their remedies.
 *
 * @returns Markdown, with a final newline.
 */
export function causeTable(): string {
  const reasons = Object.keys(REASONS) as Reason[];
  return table(["The database …", "Error codes", "It waits", "Remedy"], [
    ...reasons.map((reason) => [
      REASONS[reason].phrase,
      codesOf(reason),
      REASONS[reason].exitCode === ExitCode.unavailable
        ? "`DB_TIMEOUT`"
        : isBrief(reason)
        ? "5 s"
        : "no",
      remediesOf(reason),
    ]),
  ]);
}

/** The codes that mean the reason; those of poolers for one that only a text tells. */
function codesOf(reason: Reason): string {
  const rules = RULES.filter(([name]) => name === reason);
  const codes = rules.flatMap(([, codes]) => codes.split(" "))
    .filter((code) => code !== "");
  const shown = codes.length > 0 || rules.length === 0 ? codes : POOLER_CODES;
  return [...new Set(shown)].map((code) => `\`${code}\``).join(" ") || "none";
}

/** The remedy for both products, or one for each unless they differ only by name and port. */
function remediesOf(reason: Reason): string {
  const postgres = remedyFor({ reason }, {
    ...EXAMPLE,
    adapter: "postgres",
    port: 5432,
  });
  const mysql = remedyFor({ reason }, {
    ...EXAMPLE,
    adapter: "mysql",
    port: 3306,
  });
  const isSame = postgres ===
    mysql.replaceAll(
      /3306|MySQL/g,
      (text) => text === "MySQL" ? "PostgreSQL" : "5432",
    );
  const text = isSame ? postgres : `PostgreSQL: ${postgres}\nMySQL: ${mysql}`;
  return text.replaceAll(/[\\`*_<]/g, "\\$&").replace("\n", "<br>");
}

/**
 * Lists what messages say about a database, by exit code.
 *
 * @param exitCode The exit code.
 * @returns Markdown, with a final newline.
 */
export function causeList(exitCode: ExitCode): string {
  const phrases = Object.values(REASONS)
    .filter((reason) => reason.exitCode === exitCode)
    .map(({ phrase }) => phrase);
  return ["```text", ...phrases, "```", ""].join("\n");
}

/**
 * Generates env.example, a file for `--env-file` with every setting commented out.
 *
 * @returns The text, with a final newline.
 */
export function envExample(): string {
  const head = comment(
    "All variables of the image, for `docker run --env-file` and for the option `--env-file` of the entrypoint. Remove the # before a variable to set it. Append _FILE to a name to read the value from a file: DB_PASS_FILE=/run/secrets/db_pass. docs/settings.md describes all variables.",
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
    !isDefaultRule(fallback);
  const note = hasValue
    ? []
    : row.generated === true || isDefaultRule(fallback)
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

/** The summary, the allowed words unless the summary has them, and the releases without an effect. */
function meaning(name: SettingName): string {
  const { summary, kind, noEffect = [] } = rowOf(name);
  const { choices = [] } = kind;
  const isFlag = choices.join() === "true,false";
  const hasChoices = choices.every((word) => summary.includes(`\`${word}\``));
  return [
    summary,
    ...(isFlag || hasChoices ? [] : [`One of ${choices.join(", ")}.`]),
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

/** The anchor that GitHub makes of a heading. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(" ", "-");
}

function comment(text: string): string {
  const lines = ["#"];
  for (const word of stripBackticks(text).split(" ")) {
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
