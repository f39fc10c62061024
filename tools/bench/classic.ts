/**
 * Generates the parts of the shell script that such a script would contain: every setting
 * with its default and type, and its place in config.json.
 *
 * @module
 */

/** One entry of `app:config --explain --json`. */
export interface Explained {
  /** The variable. */
  readonly name: string;
  /** Its value. */
  readonly value: unknown;
  /** Its places in config.json, and the values there. */
  readonly paths: readonly { readonly path: string; readonly value: unknown }[];
}

/** `app:config` shows this instead of a secret. */
const HIDDEN = "(hidden)";
/** Values that the script computes. */
const COMPUTED: Readonly<Record<string, string>> = {
  "SqlSettings.DataSource": "env.dsn",
};

/**
 * Generates the lines that read all settings.
 *
 * @param settings All settings, with their defaults.
 * @returns Calls of the function `setting` of the script, with name, default and type.
 */
export function settingLines(settings: readonly Explained[]): string {
  return settings.map(({ name, value }) => {
    const text = value === HIDDEN || value === null ? "" : String(value);
    return `setting ${name} ${quoted(text)} ${typeof value}\n`;
  }).join("");
}

/**
 * Generates the jq program that writes all settings into config.json. It keeps the secrets
 * in config.json, and sets missing ones to the one that the script generated.
 *
 * @param settings All settings, with their values.
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

/** A jq expression that gives `written` if the variable is `value`. */
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
