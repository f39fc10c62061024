/**
 * Parses the command line of a command, and reports mistakes as usage errors.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse_args.js";
import { EntrypointError, ExitCode } from "../errors.ts";
import { didYouMean } from "../settings/spelling.ts";

/** The options and arguments that a command accepts. */
export interface Usage<Flag extends string, Value extends string> {
  /** The command's name, such as `app:check`, for messages. */
  readonly command: string;
  /** Options without a value. */
  readonly flags?: readonly Flag[];
  /** Options with a value. */
  readonly values?: readonly Value[];
  /** How many arguments may be given besides options. @default {0} */
  readonly positionals?: number;
}

/** The options by name, and the other arguments under `_`. */
export type ParsedArguments<Flag extends string, Value extends string> =
  & Readonly<Record<Flag, boolean>>
  & Readonly<Partial<Record<Value, string>>>
  & { readonly _: readonly string[] };

/**
 * Parses the arguments of a command.
 *
 * @param args The arguments after the command's name.
 * @param usage The options and arguments that the command accepts.
 * @returns The options and the other arguments.
 * @throws {EntrypointError} With code 64 for an unknown option, a missing or superfluous value, or too many arguments.
 */
export function readArguments<
  Flag extends string = never,
  Value extends string = never,
>(
  args: readonly string[],
  { command, flags = [], values = [], positionals = 0 }: Usage<Flag, Value>,
): ParsedArguments<Flag, Value> {
  const names = [...flags, ...values].map((name) => `--${name}`);
  const fail = (message: string, option = ""): never => {
    throw new EntrypointError(message, {
      code: ExitCode.usage,
      remedy: didYouMean(option, names) ??
        `${command} accepts ${names.join(", ") || "no options"}`,
    });
  };
  // parseArgs reads `--json=no` as true, and a word "true" or "false" after `--json` as its value.
  for (const [index, argument] of args.entries()) {
    const [option = "", value = args[index + 1]] = argument.split("=");
    const hasValue = option !== argument ||
      /^(true|false)$/.test(value ?? "");
    if (hasValue && flags.some((flag) => option === `--${flag}`)) {
      fail(`The option ${option} of ${command} takes no value`);
    }
  }
  const parsed = parseArgs([...args], {
    boolean: flags,
    string: [...values, "_"],
    unknown(argument: string, name?: string) {
      const [option] = argument.split("=");
      // The parser gives no name for an argument that is not an option.
      return name === undefined ||
        fail(`${command} has no option ${option}`, option);
    },
  }) as ParsedArguments<Flag, Value>;
  const empty = values.find((name) => parsed[name] === "");
  if (empty !== undefined) {
    fail(`The option --${empty} of ${command} needs a value`);
  }
  const { [positionals]: excess } = parsed._;
  if (excess !== undefined) {
    fail(`${command} does not accept the argument ${JSON.stringify(excess)}`);
  }
  return parsed;
}

/**
 * Parses the value of `--timeout`.
 *
 * @param text The value.
 * @param command The command's name, for messages.
 * @returns Seconds: more than 0, and at most a day.
 * @throws {EntrypointError} With code 64 for anything else.
 */
export function readSeconds(text: string, command: string): number {
  const seconds = SECONDS_REGEXP.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= LONGEST_TIMEOUT) return seconds;
  throw new EntrypointError(
    `The option --timeout of ${command} must be more than 0 and at most ${LONGEST_TIMEOUT} seconds: it is ${
      JSON.stringify(text)
    }`,
    {
      code: ExitCode.usage,
      remedy: `mattermost-entrypoint ${command} --timeout 10`,
    },
  );
}

/** A day in seconds. */
const LONGEST_TIMEOUT = 86_400;

const SECONDS_REGEXP = /^\d+(\.\d+)?$/;
