/**
 * From the command line to a command, and from whatever it throws to an exit code.
 *
 * @module
 */

import { parseEnv } from "node:util";
import type { Command } from "./startup/context.ts";
import { EntrypointError, errorCode, ExitCode } from "./errors.ts";
import { Log } from "./log.ts";
import { flag } from "./settings/kinds.ts";
import { closest } from "./settings/spelling.ts";
import { shellWord } from "./shell.ts";
import type { System } from "./os/system.ts";
import { SIGNAL_NUMBERS } from "./os/system.ts";

/** The commands; each is loaded only when it is called. */
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

const SYNONYMS: Readonly<Record<string, string>> = {
  "--help": "app:help",
  "-h": "app:help",
  "--version": "app:version",
};

/**
 * Runs the program.
 *
 * @param args The command line behind the program's name.
 * @param system The world.
 * @returns The exit code; the hand-off to the server does not return.
 */
export async function run(
  args: readonly string[],
  system: System,
): Promise<number> {
  const log = new Log(system);
  let ended: number | undefined;
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
      return system.exec({ path: name, args: [name, ...commandArgs], env });
    }
    const ending = new AbortController();
    let isFinishing = false;
    system.onSignal((signal) => {
      ended = 128 + SIGNAL_NUMBERS[signal];
      ending.abort(signal);
      if (!isFinishing) system.exit(ended);
    });
    const command = await load();
    const code = await command(commandArgs, {
      system: { ...system, env },
      log,
      signal: ending.signal,
      finishing: (work) => {
        isFinishing = true;
        return work.finally(() => isFinishing = false);
      },
    });
    return ended ?? code;
  } catch (error) {
    if (ended !== undefined) return ended;
    log.fail(error);
    return error instanceof EntrypointError ? error.code : ExitCode.bug;
  }
}

/** The log is needed before the settings are resolved, so it reads its own. */
function isOn(text: string | undefined): boolean | undefined {
  return text === undefined || text === "" ? undefined : flag().parse(text);
}

/** What is to be done; without `load` it is a program of somebody else's. */
interface Choice {
  readonly name: string;
  readonly load: (() => Promise<Command>) | undefined;
  readonly commandArgs: readonly string[];
}

function chooseCommand(args: readonly string[], programName: string): Choice {
  const [first = "app:start", ...rest] = args;
  const isServer = programName.split("/").at(-1) === "mattermost";
  if (isServer && !first.startsWith("app:")) return chooseForServer(args);
  const name = (Object.hasOwn(SYNONYMS, first) ? SYNONYMS[first] : undefined) ??
    first;
  if (name.startsWith("-")) throw unknownOption(name);
  return {
    name,
    load: Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined,
    commandArgs: rest,
  };
}

/**
 * Started as `mattermost`, which the operator for Kubernetes does, the program
 * takes the server's own command line.
 */
function chooseForServer(args: readonly string[]): Choice {
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
    (await import("./commands/mattermost.ts")).server;
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
      throw new EntrypointError("--env-file needs the name of a file", {
        code: ExitCode.usage,
        remedy: "mattermost-entrypoint --env-file settings.env app:check",
      });
    }
    files.push(file);
    rest = rest.slice(inline ? 1 : 2);
  }
  return { files, rest };
}

/** Later files win over earlier ones, as with Docker's own option. */
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
          `The file ${file} of --env-file cannot be read (${
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
      "Options of a command follow its name; before it there is only --env-file",
  });
}

function unknownCommand(name: string): EntrypointError {
  const names = Object.keys(COMMANDS);
  const suggestion = closest(name, names);
  return new EntrypointError(`There is no command ${name}`, {
    code: ExitCode.usage,
    remedy: suggestion === undefined
      ? `The commands are ${names.join(", ")}`
      : `Did you mean ${suggestion}?`,
  });
}
