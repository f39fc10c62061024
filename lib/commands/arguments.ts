/**
 * Reads the options of a command, and turns what is wrong with them into usage errors.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse_args.js";
import { EntrypointError, ExitCode } from "../errors.ts";
import { didYouMean } from "../settings/spelling.ts";

/** What a command accepts. */
export interface Usage<Flag extends string, Value extends string> {
  /** The command's name, for messages. */
  readonly command: string;
  /** Options that are given or not. */
  readonly flags?: readonly Flag[];
  /** Options that take a value. */
  readonly values?: readonly Value[];
  /** How many arguments besides options it takes; none by default. */
  readonly positionals?: number;
}

/** Options by name, and under `_` the arguments that are none. */
export type Parsed<Flag extends string, Value extends string> =
  & Readonly<Record<Flag, boolean>>
  & Readonly<Partial<Record<Value, string>>>
  & { readonly _: readonly string[] };

/**
 * Reads the arguments of a command.
 *
 * @param args The arguments behind its name.
 * @param usage What it accepts.
 * @returns The options, and the other arguments.
 * @throws {EntrypointError} With code 64 for an unknown option, a missing or superfluous value, or too many arguments.
 */
export function readArguments<
  Flag extends string = never,
  Value extends string = never,
>(
  args: readonly string[],
  { command, flags = [], values = [], positionals = 0 }: Usage<Flag, Value>,
): Parsed<Flag, Value> {
  const names = [...flags, ...values].map((name) => `--${name}`);
  const refuse = (fault: string, option = ""): never => {
    throw new EntrypointError(`${command}: ${fault}`, {
      code: ExitCode.usage,
      remedy: didYouMean(option, names) ??
        `${command} takes ${names.join(", ") || "no options"}`,
    });
  };
  // The parser takes `--json=no` for true, and the word "false" behind `--json` for its value.
  for (const [index, argument] of args.entries()) {
    const [option = "", value = args[index + 1]] = argument.split("=");
    const isValue = option !== argument || /^(true|false)$/.test(value ?? "");
    if (isValue && flags.some((flag) => option === `--${flag}`)) {
      refuse(`option '${option}' takes no value`);
    }
  }
  const parsed = parseArgs([...args], {
    boolean: flags,
    string: [...values, "_"],
    unknown(argument: string, name?: string) {
      const [option] = argument.split("=");
      // Without a name it is no option.
      return name === undefined || refuse(`unknown option '${option}'`, option);
    },
  }) as Parsed<Flag, Value>;
  const empty = values.find((name) => parsed[name] === "");
  if (empty !== undefined) refuse(`option '--${empty}' needs a value`);
  const { [positionals]: excess } = parsed._;
  if (excess !== undefined) {
    refuse(`unexpected argument ${JSON.stringify(excess)}`);
  }
  return parsed;
}

/**
 * Reads the seconds of an option such as `--timeout`.
 *
 * @param text What stands behind the option.
 * @param command The command's name, for messages.
 * @returns Seconds, more than 0 and at most a day.
 * @throws {EntrypointError} With code 64 where it is no such number.
 */
export function readSeconds(text: string, command: string): number {
  const seconds = SECONDS_REGEXP.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new EntrypointError(
    `${command}: --timeout takes seconds, more than 0: it is ${
      JSON.stringify(text)
    }`,
    { code: ExitCode.usage, remedy: `${command} --timeout 10` },
  );
}

const SECONDS_REGEXP = /^\d+(\.\d+)?$/;
