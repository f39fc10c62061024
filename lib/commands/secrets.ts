/**
 * `app:secrets`: generates the four secrets as lines, as JSON, or as files for Docker secrets.
 *
 * It never overwrites a file, and does not print a value that it writes into a file. Root writes
 * as the server's user where somebody else can change names.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import { attempt, syncDirectory } from "../config/replace_file.ts";
import { makeSecret } from "../config/secret.ts";
import {
  EntrypointError,
  errorCode,
  ExitCode,
  trySystemCall,
} from "../errors.ts";
import { explainSystemError, isDenied } from "../system_errors.ts";
import type { SettingName } from "../settings/catalogue.ts";
import { GENERATED_SECRETS } from "../settings/catalogue.ts";
import { fileVariable, secretFileName } from "../settings/describe.ts";
import { didYouMean } from "../settings/spelling.ts";
import { resolve } from "../settings/resolve.ts";
import { isOnlyRoots } from "../os/permissions.ts";
import type { System } from "../os/system.ts";
import { readArguments } from "./arguments.ts";
import {
  becomeServerUser,
  requireChangeOfUser,
} from "../startup/become_user.ts";
import type { Context } from "../startup/context.ts";
import { printable, printableLine } from "../printable.ts";
import { resolveForRoot } from "../startup/directories/unsafe_links.ts";
import { sourcesOf } from "../startup/setting_sources.ts";

const FORMATS: readonly string[] = ["env", "json"];

/** A file with one secret. */
interface SecretFile {
  readonly path: string;
  readonly value: string;
}

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
  const lines = write === undefined
    ? generated.map(({ name, value }) => [name, value])
    : writeFiles(generated, {
      directory: write,
      system: writerFor(write, context),
    });
  const text = format === "json"
    ? `${printable(JSON.stringify(Object.fromEntries(lines), undefined, 2))}\n`
    : lines.map(([name, value]) => `${printableLine(`${name}=${value}`)}\n`)
      .join("");
  system.out.write(text);
  return ExitCode.ok;
}

/** Root writes only where nobody else can change names, and elsewhere becomes the server's user. */
function writerFor(directory: string, context: Context): System {
  const { system } = context;
  const { files } = system;
  if (system.uid !== 0) return system;
  const isSafe = trySystemCall(() => {
    const start = isAbsolute(directory) ? "" : files.realPath(".");
    // Not normalized: what precedes ".." may be a link.
    const { path } = resolveForRoot(`${start}/${directory}`, files);
    const facts = path === undefined ? undefined : files.stat(path);
    return path !== undefined && (facts === undefined || isOnlyRoots(facts));
  });
  if (isSafe === true) return system;
  const { settings } = resolve(sourcesOf(system));
  requireChangeOfUser(settings, system);
  return becomeServerUser(settings, context).system;
}

/** Writes all files or none, and returns the variables that name them. */
function writeFiles(
  generated: readonly { readonly name: SettingName; readonly value: string }[],
  { directory, system }: {
    readonly directory: string;
    readonly system: System;
  },
): [variable: string, path: string][] {
  const { files } = system;
  const home = openDirectory(directory, system);
  const planned = generated.map(({ name, value }) => ({
    variable: fileVariable(name),
    path: `${home}/${secretFileName(name)}`,
    value,
  }));
  const written: SecretFile[] = [];
  try {
    for (const file of planned) {
      writeFile(file, system);
      written.push(file);
    }
    syncDirectory(files, home);
  } catch (error) {
    // The error to report is the first one.
    written.forEach(({ path }) => attempt(() => files.remove(path)));
    throw error;
  }
  return planned.map(({ variable, path }) => [variable, path]);
}

/** Creates the directory if it does not exist, with access for its owner only. */
function openDirectory(directory: string, system: System): string {
  const { files } = system;
  try {
    files.makeDirectory(directory, 0o700);
    return files.realPath(directory);
  } catch (error) {
    throw cannotWrite(directory, error, system);
  }
}

function writeFile({ path, value }: SecretFile, system: System): void {
  const { files } = system;
  try {
    files.create(path, value, 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw fileExists(path);
    attempt(() => files.remove(path));
    throw cannotWrite(path, error, system);
  }
}

function fileExists(path: string): EntrypointError {
  return new EntrypointError(
    `The file ${path} already exists, and app:secrets overwrites no file`,
    {
      code: ExitCode.cannotWrite,
      remedy:
        "Choose another directory with --write; a server that has already run must keep its secrets",
    },
  );
}

function cannotWrite(
  path: string,
  cause: unknown,
  { uid, gid }: Pick<System, "uid" | "gid">,
): EntrypointError {
  const { reason, remedy } = explainSystemError(cause, path);
  return new EntrypointError(
    `${path} cannot be written by user ${uid}:${gid}: ${reason}`,
    {
      code: ExitCode.cannotWrite,
      remedy: isDenied(cause)
        ? "Choose a directory with --write that this user can write to, or start as its owner: docker run --user UID:GID …"
        : remedy,
      cause,
    },
  );
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
