/**
 * Draws docs/check.svg: a report of `app:check` as a terminal shows it, from a real run with a
 * real PostgreSQL server.
 *
 *     deno task picture
 *
 * In the output, only the path of the temporary directory is replaced by that of the image.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { DEFAULT_RELEASE } from "../lib/default_release.ts";
import { createAuthority } from "../tests/servers/certificates.ts";
import { startPostgres } from "./shared/postgres.ts";
import { createScratch } from "./shared/scratch.ts";

const ROOT = dirname(import.meta.dirname ?? ".");
/** The picture, below the project's directory. */
const PATH = "docs/check.svg";
/** The directory of the image that replaces the temporary directory. */
const HOME = "/opt/mattermost";
/** The command in the first line. */
const COMMAND = "mattermost-entrypoint app:check";

/** Width of a character, height of a line, and width of the border, in pixels. */
const CHARACTER = 7.8;
const LINE = 19;
const BORDER = 18;
/** With this font size, characters of the usual monospaced fonts have that width. */
const FONT_SIZE = 13;

/** CSS classes by SGR code (ECMA-48, 8.3.117). */
const CLASSES: Readonly<Record<string, string>> = {
  "31": "failed",
  "32": "ok",
  "33": "warning",
};

/** A part of a line with one colour. */
// deno-lint-ignore no-control-regex
const COLOUR_REGEXP = /(?:\x1b\[(\d+)m)?([^\x1b]+)(?:\x1b\[0m)?/g;
/** Text between the gaps of columns. */
const WORDS_REGEXP = /\S+(?: \S+)*/g;

if (import.meta.main) {
  const text = await runCheck();
  await Deno.writeTextFile(join(ROOT, PATH), draw(text));
  console.error(`Wrote ${PATH}`);
}

/**
 * Runs `app:check` in a terminal, with a database over TLS and without a mail server.
 *
 * @returns The output of the terminal, with colours.
 */
export async function runCheck(): Promise<string> {
  await using scratch = await createScratch({ prefix: "mattermost-picture-" });
  const authority = createAuthority("Example Authority");
  const password = "p@ss:w/ord";
  await using database = await startPostgres({ tls: authority.issue() });
  await database.sql(`CREATE ROLE mattermost LOGIN PASSWORD '${password}'`);
  await database.sql("CREATE DATABASE mattermost OWNER mattermost");
  const home = scratch.path;
  await Deno.chmod(home, 0o755);
  for (const name of ["data", "logs", "ca.d"]) {
    await Deno.mkdir(join(home, name));
    await Deno.chmod(join(home, name), 0o777);
  }
  await Deno.writeTextFile(join(home, "ca.d/own.crt"), authority.certificate);
  const program = [
    ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
    ...["--config", join(ROOT, "deno.json"), join(ROOT, "main.ts")],
    "app:check",
  ];
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", program.join(" "), "/dev/null"],
    stdin: "null",
    clearEnv: true,
    env: {
      ...keep("PATH", "HOME", "DENO_DIR", "TMPDIR", "NPM_CONFIG_REGISTRY"),
      TERM: "xterm-256color",
      MATTERMOST_HOME: home,
      MATTERMOST_LOG_DIR: join(home, "logs"),
      MATTERMOST_CA_DIR: join(home, "ca.d"),
      MATTERMOST_VERSION: DEFAULT_RELEASE,
      MATTERMOST_LINK_SALT: "2Fq7xKc9wL4mZt8vRb3nYh6pDj5sGa1e",
      DB_ADAPTER: "postgres",
      DB_HOST: database.host,
      DB_PORT: String(database.port),
      DB_PASS: password,
      DB_SSL_MODE: "verify-full",
      SMTP_HOST: "localhost",
      SMTP_PORT: "587",
      SMTP_USER: "chat@example.com",
      SMTP_PASS: "secret",
    },
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r\n", "\n")
    .replaceAll(home, HOME);
}

function keep(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/**
 * Draws a terminal.
 *
 * @param text Its content, with SGR codes for colours.
 * @returns SVG that uses system fonts and the light or dark theme of the system.
 */
export function draw(text: string): string {
  const lines = [`$ ${COMMAND}`, ...text.trimEnd().split("\n")].map(partsOf);
  const columns = Math.max(
    ...lines.flat().map(({ column, words }) => column + words.length),
  );
  const width = Math.ceil(columns * CHARACTER + 2 * BORDER);
  const height = lines.length * LINE + 2 * BORDER;
  const rows = lines.flatMap((parts, row) =>
    parts.map(({ column, style, words }) => {
      const x = (BORDER + column * CHARACTER).toFixed(1);
      const y = BORDER + (row + 1) * LINE - 5;
      const length = (words.length * CHARACTER).toFixed(1);
      const colour = style === undefined ? "" : ` class="${style}"`;
      return `<text x="${x}" y="${y}" textLength="${length}"${colour}>${
        escape(words)
      }</text>`;
    })
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="A report of app:check">`,
    "<style>",
    `text{font-size:${FONT_SIZE}px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}`,
    "rect{fill:#f6f8fa;stroke:#d1d9e0}",
    ".ok{fill:#1a7f37}.warning{fill:#9a6700}.failed{fill:#cf222e}",
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#151b23;stroke:#3d444d}.ok{fill:#3fb950}.warning{fill:#d29922}.failed{fill:#f85149}}",
    "</style>",
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...rows,
    "</svg>\n",
  ].join("\n");
}

interface Part {
  /** The column where it starts, from 0. */
  readonly column: number;
  /** The CSS class of its colour. */
  readonly style: string | undefined;
  readonly words: string;
}

function partsOf(line: string): readonly Part[] {
  let column = 0;
  return [...line.matchAll(COLOUR_REGEXP)].flatMap(([, code, text = ""]) => {
    const start = column;
    column += text.length;
    return [...text.matchAll(WORDS_REGEXP)].map(({ 0: words, index }) => ({
      column: start + index,
      style: CLASSES[code ?? ""],
      words,
    }));
  });
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
