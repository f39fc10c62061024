/**
 * `app:secrets`: generates the four secrets as lines, as JSON, or as files for Docker secrets.
 *
 * It does not print a value that it writes into a file.
 *
 * @module
 */

import { makeSecret } from "../config/secret.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { GENERATED_SECRETS } from "../settings/catalogue.ts";
import { fileVariable, secretFileName } from "../settings/describe.ts";
import { didYouMean } from "../settings/spelling.ts";
import { readArguments } from "./arguments.ts";
import { writeSecretFiles } from "./secret_files.ts";
import type { Context } from "../startup/context.ts";
import { printable, printableLine } from "../printable.ts";

const FORMATS: readonly string[] = ["env", "json"];

/**
 * Generates the secrets. Prints their values, or with `--write` the `_FILE` variables that name the files.
 *
 * @param args `--format env|json`, `--write DIR`.
 * @param context The system with the random numbers, the files and the output.
 * @returns The exit code 0.
 * @throws {EntrypointError} With code 64 for wrong arguments, 73 if a file exists or cannot be written.
 */
export function secrets(args: readonly string[], context: Context): number {
  const { system } = context;
  const { format = "env", write } = readArguments(args, {
    command: "app:secrets",
    values: ["format", "write"],
  });
  if (!FORMATS.includes(format)) throw unknownFormat(format);
  const generated = GENERATED_SECRETS.map((name) => ({
    name,
    value: makeSecret(system.random),
  }));
  const directory = write === undefined ? undefined : writeSecretFiles(
    generated.map(({ name, value }) => ({
      name: secretFileName(name),
      content: value,
    })),
    write,
    context,
  );
  const lines = generated.map(({ name, value }) =>
    directory === undefined
      ? [name, value]
      : [fileVariable(name), `${directory}/${secretFileName(name)}`]
  );
  const text = format === "json"
    ? `${printable(JSON.stringify(Object.fromEntries(lines), undefined, 2))}\n`
    : lines.map(([name, value]) => `${printableLine(`${name}=${value}`)}\n`)
      .join("");
  system.out.write(text);
  return ExitCode.ok;
}

function unknownFormat(format: string): EntrypointError {
  return new EntrypointError(
    `The option --format of app:secrets must be ${
      FORMATS.join(" or ")
    }: it is ${JSON.stringify(format)}`,
    {
      code: ExitCode.usage,
      remedy: didYouMean(format, FORMATS) ??
        "mattermost-entrypoint app:secrets --format json",
    },
  );
}
