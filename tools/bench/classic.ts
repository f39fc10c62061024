/**
 * What the shell script needs to do the same job: every setting with its default
 * and its type, and where each goes in config.json, as a script of its own kind
 * would have it written down.
 *
 * @module
 */

/** One entry of `app:config --explain --json`. */
export interface Explained {
  /** The variable. */
  readonly name: string;
  /** Its value. */
  readonly value: unknown;
  /** Where it goes. */
  readonly paths: readonly { readonly path: string; readonly value: unknown }[];
}

/** What stands in the place of a secret. */
const HIDDEN = "(hidden)";
/** What the script itself computes. */
const COMPUTED: Readonly<Record<string, string>> = {
  "SqlSettings.DataSource": "env.dsn",
};

/**
 * The lines that read all settings.
 *
 * @param settings All settings, with their defaults.
 * @returns Calls of the script's function `setting`: name, default, type.
 */
export function settingLines(settings: readonly Explained[]): string {
  return settings.map(({ name, value }) => {
    const text = value === HIDDEN || value === null ? "" : String(value);
    return `setting ${name} ${quoted(text)} ${typeof value}\n`;
  }).join("");
}

/**
 * The jq program that puts all settings into config.json. Secrets that are there
 * stay; those that are not are made by the script.
 *
 * @param settings All settings, with what they are now.
 * @returns The program.
 */
export function filter(settings: readonly Explained[]): string {
  const values = new Map(
    settings.flatMap(({ name, value, paths }) =>
      paths.map(({ path, value: written }): [string, string] => [
        path,
        COMPUTED[path] ??
          (written === HIDDEN
            ? `(env.${name} | select(. != "")) // .${path} // env.secret`
            : expression(name, value, written)),
      ])
    ),
  );
  const parts = [...values].map(([path, value]) => `.${path} = (${value})`);
  return `${parts.join(" |\n")}\n`;
}

/** What comes out as `written` if the variable has the value. */
function expression(name: string, value: unknown, written: unknown): string {
  const variable = `env.${name}`;
  if (typeof written === "boolean" && typeof value === "boolean") {
    return `${variable} == "${written === value}"`;
  }
  if (typeof written === "number" && written === value) {
    return `${variable} | tonumber`;
  }
  if (Array.isArray(written)) return `${variable} | split(",")`;
  const [text, whole] = [String(value ?? ""), String(written)];
  const at = whole.indexOf(text);
  if (typeof written !== "string" || text === "" || at < 0) {
    return JSON.stringify(written);
  }
  const [before, after] = [whole.slice(0, at), whole.slice(at + text.length)];
  return before === "" && after === ""
    ? variable
    : `${JSON.stringify(before)} + ${variable} + ${JSON.stringify(after)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
