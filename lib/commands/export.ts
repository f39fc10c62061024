/**
 * `app:config --export`: what differs from the defaults of the release, as variables of an env
 * file, of Compose or of Kubernetes. Secrets are written to files only, and never printed.
 *
 * @module
 */

import { parseEnvFile } from "../env_file.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { printable, printableLine } from "../printable.ts";
import {
  fileVariable,
  secretFileName,
  SECRETS_DIRECTORY,
} from "../settings/describe.ts";
import { didYouMean } from "../settings/spelling.ts";
import type { Context } from "../startup/context.ts";
import {
  type Inexpressible,
  LONGEST_VARIABLE,
} from "../startup/export_search.ts";
import {
  type ExportedVariable,
  exportedVariables,
} from "../startup/exported_variables.ts";
import type { Plan } from "../startup/plan.ts";
import { type SecretFile, writeSecretFiles } from "./secret_files.ts";

/** The options of the command. */
export interface ExportOptions {
  /** `env`, `compose` or `kubernetes`; `env` by default. */
  readonly format?: string;
  /** The directory to write files to; without it, none are written. */
  readonly write?: string;
  /** Whether the result is JSON. */
  readonly json: boolean;
}

/** What the formats have in common. */
interface Exported {
  /** The variables, with `_FILE` variables for values in files. */
  readonly lines: readonly (readonly [name: string, text: string])[];
  /** Comments before the variables. */
  readonly comments: readonly string[];
  /** The values that no variable gives. */
  readonly inexpressible: readonly Inexpressible[];
}

/** How a format writes the variables, and where it has the values that are in files. */
interface Format {
  readonly print: (exported: Exported) => string;
  /** Whether a variable can have a value in this format. */
  readonly accepts: (name: string, text: string) => boolean;
  /** The directory of the files for the server, if it is not the one that they are written to. */
  readonly mount?: string;
  /** What is written instead of one file for each value. */
  readonly bundle?: (files: readonly SecretFile[]) => SecretFile;
}

/** The name of the Secret with the files. The sample's Secret named `mattermost` has variables. */
const SECRET_NAME = "mattermost-secrets";

/** Not `/run/secrets` itself, in which Kubernetes mounts the token of the service account. */
const KUBERNETES_MOUNT = `${SECRETS_DIRECTORY}/mattermost`;

/** Docker's reader of env files takes no longer line: https://pkg.go.dev/bufio#MaxScanTokenSize */
const LONGEST_LINE = 65_535;

const FORMATS: Readonly<Record<string, Format>> = {
  env: {
    print: envText,
    accepts: (name, text) =>
      isShorter(name, text, LONGEST_LINE) && printableLine(text) === text,
  },
  compose: {
    print: ({ lines, comments }) =>
      `${commentText(comments)}services:\n  mattermost:\n    environment:${
        mapping(lines, "      ", (text) => text.replaceAll("$", "$$$$"))
      }`,
    accepts: isVariable,
  },
  kubernetes: {
    print: ({ lines, comments }) =>
      `${commentText(comments)}${manifest("ConfigMap", "mattermost")}data:${
        mapping(lines, "  ")
      }`,
    accepts: isVariable,
    mount: KUBERNETES_MOUNT,
    bundle: (files) => ({
      name: `${SECRET_NAME}.yaml`,
      content: `${manifest("Secret", SECRET_NAME)}type: Opaque\nstringData:${
        mapping(files.map(({ name, content }) => [name, content]), "  ")
      }`,
    }),
  },
};

const JSON_FORMAT: Format = {
  print: ({ lines, inexpressible }) =>
    `${
      printable(
        JSON.stringify(
          { variables: Object.fromEntries(lines), inexpressible },
          undefined,
          2,
        ),
      )
    }\n`,
  accepts: isVariable,
};

/**
 * Prints the variables, and writes the files of secrets if a directory is given.
 *
 * @param plan The plan of the next start.
 * @param options The format, the directory, and whether the result is JSON.
 * @param context The environment, the files and the output.
 * @returns 0.
 * @throws {EntrypointError} With code 64 for an unknown format, 73 if a file exists or cannot be written, 78 if the defaults of the release are not known.
 */
export function exportConfig(
  plan: Plan,
  { format: name = "env", write, json }: ExportOptions,
  context: Context,
): number {
  const format = json
    ? JSON_FORMAT
    : Object.hasOwn(FORMATS, name)
    ? FORMATS[name]
    : undefined;
  if (format === undefined) throw unknownFormat(name);
  requireDefaults(plan);
  const { system } = context;
  const { variables, inexpressible } = exportedVariables(plan, system);
  const inFiles = variables.filter(({ name, text, isSecret }) =>
    isSecret || !format.accepts(name, text)
  );
  const directory = write === undefined
    ? undefined
    : writeFiles(inFiles, { format, directory: write, context });
  const home = format.mount ?? directory ?? SECRETS_DIRECTORY;
  const lines = variables.map((variable): readonly [string, string] => {
    const { name, text, path } = variable;
    if (!inFiles.includes(variable)) return [name, text];
    const present = directory === undefined ? path : undefined;
    return [fileVariable(name), present ?? `${home}/${secretFileName(name)}`];
  });
  const missing = directory === undefined &&
    inFiles.some(({ path }) => path === undefined);
  const comments = [
    `The configuration of Mattermost ${plan.release.version}, where it differs from the defaults`,
    ...missing
      ? ["The option --write DIR writes the files that _FILE variables name"]
      : [],
    ...format.mount === undefined || inFiles.length === 0
      ? []
      : [`Mount the Secret ${SECRET_NAME} at ${format.mount}`],
    ...describe(inexpressible),
  ];
  system.out.write(format.print({ lines, comments, inexpressible }));
  return ExitCode.ok;
}

function writeFiles(
  variables: readonly ExportedVariable[],
  { format: { bundle }, directory, context }: {
    readonly format: Format;
    readonly directory: string;
    readonly context: Context;
  },
): string {
  const files = variables.map(({ name, text }): SecretFile => ({
    name: secretFileName(name),
    content: fileContent(text),
  }));
  return writeSecretFiles(
    bundle === undefined || files.length === 0 ? files : [bundle(files)],
    directory,
    context,
  );
}

/** The reader of `_FILE` variables removes one newline at the end, and one byte order mark. */
function fileContent(text: string): string {
  return `${text.startsWith("\ufeff") ? "\ufeff" : ""}${text}${
    text.endsWith("\n") ? "\n" : ""
  }`;
}

/** Without the package's configuration, every key would differ from a default that is not known. */
function requireDefaults({ shipped, release, paths }: Plan): void {
  if (Object.keys(JSON.parse(shipped)).length > 0) return;
  throw new EntrypointError(
    `The defaults of Mattermost ${release.version} are not known, because ${paths.install}/config contains no default configuration`,
    {
      code: ExitCode.settings,
      remedy:
        "docker compose run --rm mattermost app:config --export   # the image contains it",
    },
  );
}

/** One line for each reason. */
function describe(values: readonly Inexpressible[]): string[] {
  const reasons = new Set(values.map(({ reason }) => reason));
  return [...reasons].map((reason) => {
    const paths = values.filter((value) => value.reason === reason)
      .map(({ path }) => path);
    return `No variable gives ${paths.join(", ")}, because ${reason}`;
  });
}

function envText({ lines, comments }: Exported): string {
  const text = lines.map(([name, text]) => `${name}=${text}\n`).join("");
  const parsed = parseEnvFile(new TextEncoder().encode(text), {});
  const isRaw = "differing" in parsed && parsed.differing.length > 0;
  return `${
    commentText([
      ...comments,
      ...isRaw
        ? ["In Compose, this env_file needs format: raw (Compose 2.30)"]
        : [],
    ])
  }${text}`;
}

function commentText(comments: readonly string[]): string {
  return comments.map((comment) => `# ${visible(printableLine(comment))}\n`)
    .join("");
}

function manifest(kind: string, name: string): string {
  return `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`;
}

/** The value of a key that is a mapping from names to texts. */
function mapping(
  lines: Exported["lines"],
  indent: string,
  escape = (text: string): string => text,
): string {
  return lines.length === 0
    ? " {}\n"
    : `\n${
      lines.map(([name, text]) => `${indent}${name}: ${quote(escape(text))}\n`)
        .join("")
    }`;
}

/** Quotes a text for YAML, whose double-quoted texts have the escapes of JSON: https://yaml.org/spec/1.2.2/#57-escaped-characters */
function quote(text: string): string {
  return visible(printable(JSON.stringify(text)));
}

/** Escapes what readers of YAML refuse besides: https://yaml.org/spec/1.2.2/#51-character-set */
function visible(text: string): string {
  return text.replace(
    /[\ufeff\ufffe\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16)}`,
  );
}

function isVariable(name: string, text: string): boolean {
  return isShorter(name, text, LONGEST_VARIABLE);
}

/** Whether `NAME=value` has no more bytes. */
function isShorter(name: string, text: string, bytes: number): boolean {
  return new TextEncoder().encode(`${name}=${text}`).length <= bytes;
}

function unknownFormat(format: string): EntrypointError {
  return new EntrypointError(
    `The option --format of app:config must be env, compose or kubernetes: it is ${
      JSON.stringify(format)
    }`,
    {
      code: ExitCode.usage,
      remedy: didYouMean(format, Object.keys(FORMATS)) ??
        "mattermost-entrypoint app:config --export --format compose",
    },
  );
}
