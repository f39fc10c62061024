/**
 * `app:secrets`: new values for the four secrets, as lines, as JSON, or as files for Docker secrets.
 *
 * It never overwrites a file, and shows no value that it has put into one.
 *
 * @module
 */

import { makeSecret } from "../config/secret.ts";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { GENERATED_NAMES } from "../settings/catalogue.ts";
import { fileTwin, secretFileName } from "../settings/describe.ts";
import { didYouMean } from "../settings/spelling.ts";
import type { Files } from "../os/system.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";

const FORMATS: readonly string[] = ["env", "json"];

/** What is put into one file. */
interface SecretFile {
  readonly path: string;
  readonly value: string;
}

/**
 * The command. With `--write` the answer names the files, as the `_FILE` variables that read them.
 *
 * @param args `--format env|json`, `--write DIR`.
 * @param context The world.
 * @returns The exit code.
 * @throws {EntrypointError} With code 64 for a wrong option, 73 where a file exists or cannot be written.
 */
export function secrets(args: readonly string[], { system }: Context): number {
  const { format = "env", write } = readArguments(args, {
    command: "app:secrets",
    values: ["format", "write"],
  });
  if (!FORMATS.includes(format)) throw unknownFormat(format);
  const made = GENERATED_NAMES.map((name) => ({
    name,
    value: makeSecret(system.random),
  }));
  const answer = write === undefined
    ? made.map(({ name, value }) => [name, value])
    : writeFiles(made, { directory: write, files: system.files });
  system.out.write(
    format === "json"
      ? `${JSON.stringify(Object.fromEntries(answer), undefined, 2)}\n`
      : answer.map(([name, value]) => `${name}=${value}\n`).join(""),
  );
  return ExitCode.ok;
}

/** Writes all files or none; the result are the variables that name them. */
function writeFiles(
  made: readonly { readonly name: SettingName; readonly value: string }[],
  { directory, files }: { readonly directory: string; readonly files: Files },
): [variable: string, path: string][] {
  const home = openDirectory(directory, files);
  const planned = made.map(({ name, value }) => ({
    variable: fileTwin(name),
    path: `${home}/${secretFileName(name)}`,
    value,
  }));
  const written: SecretFile[] = [];
  try {
    for (const file of planned) {
      writeFile(file, files);
      written.push(file);
    }
    files.syncDirectory(home);
  } catch (error) {
    written.forEach(({ path }) => files.remove(path));
    throw error;
  }
  return planned.map(({ variable, path }) => [variable, path]);
}

/** Makes the directory where there is none, for its owner only. */
function openDirectory(directory: string, files: Files): string {
  try {
    files.makeDirectory(directory, 0o700);
    return files.realPath(directory);
  } catch (error) {
    throw cannotWrite(directory, error);
  }
}

function writeFile({ path, value }: SecretFile, files: Files): void {
  try {
    files.create(path, value, 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw alreadyThere(path);
    if (files.lstat(path) !== undefined) files.remove(path);
    throw cannotWrite(path, error);
  }
}

function alreadyThere(path: string): EntrypointError {
  return new EntrypointError(
    `The file ${path} exists already, and a secret is never overwritten`,
    {
      code: ExitCode.cannotWrite,
      remedy:
        "Name another directory with --write; a server that has run needs the values that it has",
    },
  );
}

function cannotWrite(path: string, cause: unknown): EntrypointError {
  return new EntrypointError(
    `${path} cannot be written (${errorCode(cause) ?? "unknown error"})`,
    {
      code: ExitCode.cannotWrite,
      remedy: "Name a directory that this user may write to with --write",
      cause,
    },
  );
}

function unknownFormat(format: string): EntrypointError {
  return new EntrypointError(
    `app:secrets: --format must be one of ${FORMATS.join(", ")}: it is ${
      JSON.stringify(format)
    }`,
    {
      code: ExitCode.usage,
      remedy: didYouMean(format, FORMATS) ??
        "mattermost-entrypoint app:secrets --format json",
    },
  );
}
