/**
 * Installs the fake Mattermost with the layout of Mattermost's tarball.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { inRange } from "../../lib/release_range.ts";
import { answersOf } from "./answers.ts";
import { binaryPiece } from "./migrations.ts";
import { readSettings, readTable } from "./recorded.ts";

const SOURCES = import.meta.dirname ?? ".";

/** Files of a release that the tests and the image's build use, besides the programs. */
const FILES = {
  "MIT-COMPILED-LICENSE.md": "A fake, not Mattermost.\n",
  "NOTICE.txt": "A fake, not Mattermost.\n",
  "README.md": "A fake, not Mattermost.\n",
  "client/manifest.json": "{}\n",
  "client/root.html":
    '<!doctype html><title>Mattermost</title><script src="/static/main.js"></script>\n',
  "fonts/README": "No fonts in a fake Mattermost.\n",
  "prepackaged_plugins/README": "No plugins in a fake Mattermost.\n",
  "templates/README": "No templates in a fake Mattermost.\n",
} as const;

/** The parts of the program, besides the one with its name. */
const PARTS = ["config.pl", "database.pl", "json.pl", "serve.pl", "store.pl"];

const PREFIX = "model.config.is_valid.";

/**
 * Installs the fake Mattermost.
 *
 * @param directory the installation directory, `mattermost` in the tarball
 * @param version the release whose behaviour it has
 * @param options whether it can store its configuration in a database; that works only on this machine, for its own user
 */
export async function installFakeMattermost(
  directory: string,
  version: string,
  { storesConfig = false }: { readonly storesConfig?: boolean } = {},
): Promise<void> {
  const program = inRange(version, "<5.0.0") ? "platform" : "mattermost";
  const settings = await readSettings(version);
  const rules = (await readTable("rules.tsv"))
    .filter(([range = "*"]) => range === "*" || inRange(version, range))
    .map((
      [_range, path, test, argument, condition, id],
    ) => [path, test, argument, condition, `${PREFIX}${id}`]);
  const files: Record<string, string> = {
    ...FILES,
    "bin/fake-version": `${version}\n`,
    "bin/fake/answers.json": JSON.stringify(await answersOf(version)),
    "bin/fake/rules.tsv": table(rules),
    "bin/fake/settings.tsv": table(settings),
    "config/config.json": JSON.stringify(nested(settings), null, 4) + "\n",
    "i18n/en.json": JSON.stringify(await sentences(version), null, 2) + "\n",
  };
  if (storesConfig) {
    files["bin/fake/store-command"] = (await storeCommand()).join("\n");
  }
  for (const part of PARTS) {
    files[`bin/fake/${part}`] = await Deno.readTextFile(join(SOURCES, part));
  }
  await Deno.mkdir(join(directory, "logs"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  const script = await Deno.readTextFile(join(SOURCES, "mattermost"));
  const target = join(directory, "bin", program);
  await Deno.writeFile(
    target,
    latin1(`${script}\n__END__\n${await binaryPiece(version)}`),
  );
  await Deno.chmod(target, 0o755);
}

/** The command that reads and writes a stored configuration; drivers of databases are no part of Perl. */
async function storeCommand(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  const root = dirname(SOURCES);
  return [
    ...["env", `DENO_DIR=${denoDir}`, Deno.execPath(), "run", "--quiet"],
    ...["--no-check", "-A", "--config", join(root, "deno.json")],
    join(SOURCES, "store.ts"),
  ];
}

/** The English translations that refusals need. */
async function sentences(
  version: string,
): Promise<readonly { readonly id: string; readonly translation: string }[]> {
  const drivers = inRange(version, "<11.0.0")
    ? "either 'mysql' or 'postgres'"
    : "'postgres'";
  const fileDrivers = inRange(version, "<11.9.0")
    ? "either 'local' or 'amazons3'"
    : "'local', 'amazons3', or 'azureblob'";
  return (await readTable("texts.tsv")).map(([id = "", sentence = ""]) => {
    const text = sentence
      .replace("{{.Drivers}}", drivers)
      .replace("{{.FileDrivers}}", fileDrivers);
    return {
      id: `${PREFIX}${id}`,
      // Old releases have two blanks between sentences, and not always a dot at the end.
      translation: inRange(version, "<5.0.0")
        ? text.replace(/\. (Must|Did)/, ".  $1")
          .replace(/Default Client Language\.$/, "Default Client Language")
        : text,
    };
  });
}

/** A configuration from paths and values. */
function nested(
  settings: readonly (readonly string[])[],
): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const [path = "", value = ""] of settings) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let place = document;
    for (const name of names) {
      const next = place[name] ?? {};
      place[name] = next;
      place = next as Record<string, unknown>;
    }
    place[last] = JSON.parse(value);
  }
  return document;
}

function table(rows: readonly (readonly (string | undefined)[])[]): string {
  return rows.map((row) => `${row.join("\t")}\n`).join("");
}

/** Bytes of a text in which each character stands for one. */
function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
