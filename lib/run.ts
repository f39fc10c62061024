/**
 * Runs the command that the command line names, and turns errors into exit codes.
 *
 * @module
 */

import { parseEnv } from "node:util";
import type { Command } from "./startup/context.ts";
import { EntrypointError, errorCode, ExitCode } from "./errors.ts";
import { Log } from "./log.ts";
import { flag } from "./settings/kinds.ts";
import { withoutSecretVariables } from "./settings/secret_variables.ts";
import { closestName } from "./settings/spelling.ts";
import { shellWord } from "./shell.ts";
import type { System } from "./os/system.ts";
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
    const { files, rest } = splitEnvFiles(args);
    const env = { ...readEnvFiles(files, system), ...system.env };
    log.configure({
      format: env["ENTRYPOINT_LOG_FORMAT"] === "json" ? "json" : "text",
      debug: isOn(env["DEBUG"]) ?? isOn(env["DEBUG_ENTRYPOINT"]) ?? false,
    });
    const { name, load, commandArgs } = chooseCommand(rest, system.programName);
    if (load === undefined) {
      if (name.startsWith("app:")) throw unknownCommand(name);
      return system.exec({
        path: name,
        args: [name, ...commandArgs],
        env: SERVER_REGEXP.test(name) ? withoutSecretVariables(env) : env,
      });
    }
    const ending = new AbortController();
    let isFinishing = false;
    system.onSignal((signal) => {
      signalCode = 128 + SIGNAL_NUMBERS[signal];
      ending.abort(signal);
      if (!isFinishing) system.exit(signalCode);
    });
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
    log.fail(error);
    return error instanceof EntrypointError ? error.code : ExitCode.bug;
  }
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
): Record<string, string> {
  return Object.assign(
    {},
    ...files.map((file) => {
      try {
        return parseEnv(system.files.readText(file));
      } catch (error) {
        throw new EntrypointError(
          `The file ${file} of the option --env-file cannot be read (${
            errorCode(error) ?? "not UTF-8"
          })`,
          {
            code: ExitCode.unreadable,
            remedy: `ls -l ${shellWord(file)}`,
            cause: error,
          },
        );
      }
    }),
  );
}

function unknownOption(option: string): EntrypointError {
  return new EntrypointError(`The option ${option} is not known`, {
    code: ExitCode.usage,
    remedy:
      "Put the options of a command after its name; only --env-file goes before it",
  });
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
