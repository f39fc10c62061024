/**
 * Reads the options of a command, and turns what is wrong with them into usage errors.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { EntrypointError, ExitCode } from "../errors.ts";
import { didYouMean } from "../settings/spelling.ts";

/** Options as `parseArgs` takes them. */
export type Options = NonNullable<ParseArgsConfig["options"]>;

/** Options by name, and the arguments that are none. */
export type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<
    { options: O; strict: true; allowPositionals: true; args: string[] }
  >
>;

/** What a command accepts. */
export interface Usage<O extends Options> {
  /** The command's name, for messages. */
  readonly command: string;
  /** Its options, as `parseArgs` of `node:util` takes them. */
  readonly options: O;
  /** How many arguments besides options it takes; none by default. */
  readonly positionals?: number;
}

/**
 * Reads the arguments of a command.
 *
 * @param args The arguments behind its name.
 * @param usage What it accepts.
 * @returns The options' values, and the other arguments.
 * @throws {EntrypointError} With code 64 for an unknown option, a missing value, or too many arguments.
 */
export function readArguments<const O extends Options>(
  args: readonly string[],
  { command, options, positionals = 0 }: Usage<O>,
): Parsed<O> {
  try {
    const parsed = parseArgs({
      args: [...args],
      options,
      strict: true,
      allowPositionals: true,
    });
    if (parsed.positionals.length > positionals) {
      throw new TypeError(
        `unexpected argument ${
          JSON.stringify(parsed.positionals[positionals])
        }`,
      );
    }
    return parsed as Parsed<O>;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const names = Object.keys(options).map((name) => `--${name}`);
    const unknown = /'(-[^']*)'/.exec(error.message)?.[1] ?? "";
    throw new EntrypointError(`${command}: ${firstSentence(error.message)}`, {
      code: ExitCode.usage,
      remedy: didYouMean(unknown, names) ??
        (names.length === 0
          ? `${command} takes no options`
          : `${command} takes ${names.join(", ")}`),
    });
  }
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

function firstSentence(message: string): string {
  const [sentence = message] = message.split(". ");
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
