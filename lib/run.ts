/**
 * Runs the command that the command line names, and turns errors into exit codes.
 *
 * @module
 */

import type { Command } from "./startup/context.ts";
import type { Problem } from "./errors.ts";
import { EntrypointError, ExitCode } from "./errors.ts";
import { parseEnvFile } from "./env_file.ts";
import { explainSystemError, unexpectedSystemError } from "./system_errors.ts";
import { Log } from "./log.ts";
import { flag } from "./settings/kinds.ts";
import {
  withoutSecretRaw,
  withoutSecretVariables,
} from "./settings/secret_variables.ts";
import { closestName } from "./settings/spelling.ts";
import { shellWord } from "./shell.ts";
import type { OpenedFile, System } from "./os/system.ts";
import { SIGNAL_NUMBERS } from "./os/system.ts";

/** The commands; each is loaded only when it runs. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  "app:start": async () => (await import("./commands/start.ts")).start,
  "app:migrate": async () => (await import("./commands/migrate.ts")).migrate,
  "app:check": async () => (await import("./commands/check.ts")).check,
  "app:config": async () => (await import("./commands/config.ts")).config,
  "app:secrets": async () => (await import("./commands/secrets.ts")).secrets,
  "app:health": async () => (await import("./commands/health.ts")).health,
  "app:help": async () => (await import("./commands/help.ts")).help,
  "app:version": async () => (await import("./commands/version.ts")).version,
};

/**
 * Commands that end by themselves within moments, so a signal may end them where they are. Without
 * handlers the C library is not loaded, which is 5 % of the time of `app:health` as user 2000.
 */
const BRIEF = ["app:health", "app:help", "app:version"];

/** The server itself, as in `mattermost jobserver`; its plugins must not inherit secrets. */
const SERVER_REGEXP = /(?:^|\/)(?:mattermost|platform)$/;

const ALIASES: Readonly<Record<string, string>> = {
  "--help": "app:help",
  "-h": "app:help",
  "--version": "app:version",
};

/**
 * Runs the program.
 *
 * @param args The command line after the name of the program.
 * @param system The system to run on.
 * @returns The exit code; does not return if another program takes over the process.
 */
export async function run(
  args: readonly string[],
  system: System,
): Promise<number> {
  const log = new Log(system);
  let signalCode: number | undefined;
  try {
    configure(log, system.env);
    const { files, rest } = splitEnvFiles(args);
    const { variables, warnings } = readEnvFiles(files, system);
    const env = { ...variables, ...system.env };
    configure(log, env);
    warnings.forEach((warning) => log.warn(warning));
    const { name, load, commandArgs } = chooseCommand(rest, system.programName);
    if (load === undefined) {
      if (name.startsWith("app:")) throw unknownCommand(name);
      const raw = system.rawVariables();
      const isServer = SERVER_REGEXP.test(name);
      try {
        return system.exec({
          path: name,
          args: [name, ...commandArgs],
          env: isServer ? withoutSecretVariables(env) : env,
          raw: isServer ? withoutSecretRaw(raw) : raw,
        });
      } catch (error) {
        throw withSuggestion(name, error);
      }
    }
    const ending = new AbortController();
    let isFinishing = false;
    if (!BRIEF.includes(name)) {
      system.onSignal((signal) => {
        signalCode = 128 + SIGNAL_NUMBERS[signal];
        ending.abort(signal);
        if (!isFinishing) system.exit(signalCode);
      });
    }
    const command = await load();
    const code = await command(commandArgs, {
      system: { ...system, env },
      log,
      signal: ending.signal,
      runToCompletion: (work) => {
        isFinishing = true;
        return work.finally(() => isFinishing = false);
      },
    });
    return signalCode ?? code;
  } catch (error) {
    if (signalCode !== undefined) return signalCode;
    const shown = unexpectedSystemError(error);
    log.fail(shown);
    return shown instanceof EntrypointError ? shown.code : ExitCode.bug;
  }
}

function configure(log: Log, env: System["env"]): void {
  log.configure({
    format: env["ENTRYPOINT_LOG_FORMAT"] === "json" ? "json" : "text",
    debug: isOn(env["DEBUG"]) ?? isOn(env["DEBUG_ENTRYPOINT"]) ?? false,
  });
}

/** Reads a flag of the log, which is configured before the settings are resolved. */
function isOn(text: string | undefined): boolean | undefined {
  return text === undefined || text === "" ? undefined : flag().parse(text);
}

/** The chosen command; without `load`, `name` is another program to execute. */
interface Choice {
  readonly name: string;
  readonly load: (() => Promise<Command>) | undefined;
  readonly commandArgs: readonly string[];
}

function chooseCommand(args: readonly string[], programName: string): Choice {
  const [first = "app:start", ...rest] = args;
  const isServer = programName.split("/").at(-1) === "mattermost";
  if (isServer && !first.startsWith("app:")) return chooseAsServer(args);
  const name = (Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined) ??
    first;
  if (name.startsWith("-")) throw unknownOption(name);
  return {
    name,
    load: Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined,
    commandArgs: rest,
  };
}

/**
 * Chooses the command when the program runs under the name `mattermost`, with the command
 * line of the server, as the Kubernetes operator runs it:
 * https://github.com/mattermost/mattermost-operator
 */
function chooseAsServer(args: readonly string[]): Choice {
  const [first, ...rest] = args;
  const name = "mattermost";
  if (first === "server" || first?.startsWith("-")) {
    return {
      name,
      load: COMMANDS["app:start"],
      commandArgs: ["--", ...(first === "server" ? rest : args)],
    };
  }
  const load = async (): Promise<Command> =>
    (await import("./commands/mattermost.ts")).mattermost;
  return { name, load, commandArgs: args };
}

function splitEnvFiles(
  args: readonly string[],
): { files: string[]; rest: readonly string[] } {
  const files: string[] = [];
  let rest = args;
  while (rest[0] === "--env-file" || rest[0]?.startsWith("--env-file=")) {
    const [option = "", next] = rest;
    const inline = option.includes("=");
    const file = inline ? option.slice(option.indexOf("=") + 1) : next;
    if (file === undefined || file === "") {
      throw new EntrypointError("The option --env-file needs a file name", {
        code: ExitCode.usage,
        remedy: "mattermost-entrypoint --env-file settings.env app:check",
      });
    }
    files.push(file);
    rest = rest.slice(inline ? 1 : 2);
  }
  return { files, rest };
}

/** Reads the files; later ones take precedence, as with `docker run --env-file`. */
function readEnvFiles(
  files: readonly string[],
  system: System,
): { readonly variables: System["env"]; readonly warnings: Problem[] } {
  const variables = new Map<string, string>();
  const warnings: Problem[] = [];
  for (const file of files) {
    const content = parseEnvFile(readEnvFile(file, system), system.env);
    if ("fault" in content) {
      const { fault, line } = content;
      const command = line === undefined ? "file" : `sed -n ${line}p`;
      const remedy = `${command} ${shellWord(file)}`;
      throw envFileError(file, fault, { remedy });
    }
    content.variables.forEach((value, name) => variables.set(name, value));
    if (content.differing.length === 0) continue;
    const names = content.differing.join(", ");
    warnings.push({
      subject: file,
      message:
        `The file ${file} is read as docker run --env-file reads it, so every value is what follows the =, but Compose would change the value of ${names}`,
      remedy:
        `With Compose, keep the values as they are: env_file: [{path: ${file}, format: raw}]`,
    });
  }
  return { variables: Object.fromEntries(variables), warnings };
}

/** The longest env file that is read, in bytes. */
const LONGEST_ENV_FILE = 1_000_000;

function readEnvFile(file: string, { files }: System): Uint8Array {
  let opened: OpenedFile | undefined;
  try {
    opened = files.read(file, { follow: true });
  } catch (error) {
    const { reason, remedy } = explainSystemError(error, file);
    throw envFileError(file, `cannot be read: ${reason}`, {
      cause: error,
      remedy,
    });
  }
  if (opened === undefined) throw envFileError(file, "does not exist");
  if (!opened.facts.isFile) throw envFileError(file, "is not a regular file");
  const { bytes } = opened;
  if (bytes === undefined || bytes.length > LONGEST_ENV_FILE) {
    throw envFileError(file, "is larger than 1 MB");
  }
  return bytes;
}

function envFileError(
  file: string,
  fault: string,
  options: { readonly remedy?: string; readonly cause?: unknown } = {},
): EntrypointError {
  return new EntrypointError(`The file ${file} of --env-file ${fault}`, {
    code: ExitCode.unreadable,
    remedy: `ls -l ${shellWord(file)}`,
    ...options,
  });
}

function unknownOption(option: string): EntrypointError {
  return new EntrypointError(`The option ${option} is not known`, {
    code: ExitCode.usage,
    remedy:
      "Put the options of a command after its name; only --env-file goes before it",
  });
}

/** Suggests `app:start` for `start`, if there is no program of that name. */
function withSuggestion(name: string, error: unknown): unknown {
  return error instanceof EntrypointError &&
      error.code === ExitCode.notFound &&
      Object.hasOwn(COMMANDS, `app:${name}`)
    ? new EntrypointError(error.message, {
      code: error.code,
      remedy: `Did you mean app:${name}?`,
    })
    : error;
}

function unknownCommand(name: string): EntrypointError {
  const names = Object.keys(COMMANDS);
  const suggestion = closestName(name, names);
  return new EntrypointError(`There is no command ${name}`, {
    code: ExitCode.usage,
    remedy: suggestion === undefined
      ? `The commands are ${names.join(", ")}`
      : `Did you mean ${suggestion}?`,
  });
}
