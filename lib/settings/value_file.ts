/**
 * The files that `_FILE` variables name: how their content becomes a value, and what is odd about
 * it. Neither the content nor a variable that seems to hold the value itself is ever shown.
 *
 * @module
 */

import type { Problem } from "../errors.ts";
import { errorCode, ExitCode } from "../errors.ts";
import { explainCode } from "../system_errors.ts";
import { HIDDEN, hideCredentials } from "../hidden.ts";
import { shellWord } from "../shell.ts";
import type { SettingProblem } from "./setting_problem.ts";

/** Reads the files of `_FILE` variables. */
export interface ValueFiles {
  /** Reads a regular file; throws errors that have the system's `code`. */
  readonly readFile: (path: string) => Uint8Array;
  /** Checks whether a path exists; by default no path does. */
  readonly exists?: (path: string) => boolean;
}

/** What was found while files were read. */
export interface Findings {
  /** Files that cannot be used. */
  readonly problems: SettingProblem[];
  /** Files with an odd content, which is used. */
  readonly warnings: Problem[];
}

/** A `_FILE` variable. */
export interface FileVariable {
  /** Its name. */
  readonly name: string;
  /** Its value. */
  readonly path: string;
  /** Whether the value in the file is a secret. */
  readonly isSecret: boolean;
  /** Whether an empty file is a mistake that must not go unnoticed. */
  readonly isNeeded: boolean;
  /** Whether white space around a value has no meaning. */
  readonly isTrimmed?: (text: string) => boolean;
}

/**
 * Reads the file of a `_FILE` variable. One newline at the end is removed, because editors and
 * `kubectl create secret --from-file` leave it in the file; so is a byte order mark.
 *
 * @param variable The variable.
 * @param files Reads the file.
 * @param findings Collects what is wrong or odd.
 * @returns The value; empty if the file cannot be used.
 */
export function readValueFile(
  variable: FileVariable,
  files: ValueFiles,
  { problems, warnings }: Findings,
): string {
  const { name, path } = variable;
  let bytes: Uint8Array;
  try {
    bytes = files.readFile(path);
  } catch (error) {
    problems.push(unreadableFile(variable, files, error));
    return "";
  }
  const fault = faultOf(bytes);
  if (fault !== undefined) {
    const [what, remedy] = fault;
    problems.push({
      subject: name,
      message: `The file ${path} of ${name} ${what}, but must be text in UTF-8`,
      remedy: remedy(shellWord(path)),
      code: ExitCode.unreadable,
    });
    return "";
  }
  const text = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  if (text === "") {
    const setting = name.replace(/_FILE$/i, "");
    const empty = {
      subject: name,
      remedy: `Write the value into ${path}, or remove ${name}`,
    };
    if (variable.isNeeded) {
      problems.push({
        ...empty,
        message: `The file ${path} of ${name} is empty`,
        code: ExitCode.unreadable,
      });
    } else {
      warnings.push({
        ...empty,
        message:
          `The file ${path} of ${name} is empty, so ${setting} counts as not set`,
      });
    }
    return "";
  }
  if (hasByteOrderMark(bytes)) {
    warnings.push({
      subject: name,
      message:
        `The file ${path} of ${name} starts with a byte order mark, which was removed`,
      remedy: `sed -i '1s/^\\xEF\\xBB\\xBF//' ${shellWord(path)}`,
    });
  }
  const oddities = odditiesOf(
    variable.isTrimmed?.(text) === true ? text.trim() : text,
  );
  if (oddities.length > 0) {
    warnings.push({
      subject: name,
      message: `The file ${path} of ${name} holds a value with ${
        oddities.join(" and ")
      }, which is used as it is`,
      remedy: `If that is wrong, write the value alone: printf %s 'VALUE' > ${
        shellWord(path)
      }`,
    });
  }
  return text;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte);
}

/** Why a content is no text, and the remedy. */
function faultOf(
  bytes: Uint8Array,
): readonly [what: string, remedy: (path: string) => string] | undefined {
  const [first, second] = bytes;
  const mark = first === 0xff && second === 0xfe ||
    first === 0xfe && second === 0xff;
  // Every other byte of Latin letters is 0.
  const isWide = bytes.length >= 4 &&
    [0, 1].some((odd) =>
      bytes.every((byte, index) => (index % 2 === odd) === (byte === 0))
    );
  if (mark || isWide) {
    return ["is encoded in UTF-16", (path) => convert("UTF-16", path)];
  }
  if (bytes.includes(0)) {
    return [
      "contains a NUL byte",
      (path) => `Write it again as text: printf %s 'VALUE' > ${path}`,
    ];
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return undefined;
  } catch {
    return [
      "is in another encoding",
      (path) => `${convert("LATIN1", path)}   # if it is Latin-1`,
    ];
  }
}

function convert(encoding: string, path: string): string {
  return `iconv -f ${encoding} -t UTF-8 ${path} > ${path}.new && mv ${path}.new ${path}`;
}

/** What is odd about a value, to follow "with". */
const ODDITIES: readonly (readonly [RegExp, string])[] = [
  [/^\s*["'].*["']\s*$/s, "quotes around it"],
  [/^[ \t]/, "a blank at the beginning"],
  [/^[\r\n]/, "a line break at the beginning"],
  [/[ \t]$/, "a blank at the end"],
  [/\n$/, "another newline at the end"],
  [/\r$/, "a carriage return at the end"],
];

/** A JSON text, which may end in any white space. */
const JSON_REGEXP = /^\s*(?:\{.*\}|\[.*\])\s*$/s;

function odditiesOf(text: string): string[] {
  return JSON_REGEXP.test(text) ? [] : ODDITIES
    .filter(([regExp]) => regExp.test(text))
    .map(([, oddity]) => oddity);
}

/** Why a file cannot be read, by the system's error code, and the remedy. */
const FILE_ERRORS: Readonly<
  Record<string, readonly [reason: string, remedy: (path: string) => string]>
> = {
  ENOENT: [
    "does not exist",
    (path) => `Mount the secret at ${path}, or correct the path`,
  ],
  // Compose mounts a file with the owner and mode of the host's file.
  EACCES: [
    "cannot be read by this user",
    () =>
      "Run chmod a+r on the file on the host, or start the container as root",
  ],
  EISDIR: [
    "is a directory",
    () =>
      "Create the file on the host and recreate the container: Docker mounts a directory if the host's file does not exist",
  ],
};

function unreadableFile(
  { name, path, isSecret }: FileVariable,
  files: ValueFiles,
  error: unknown,
): SettingProblem {
  const code = errorCode(error) ?? "unknown error";
  const [reason, remedy] = FILE_ERRORS[code] ?? [
    `cannot be read: ${explainCode(code, path).reason}`,
    (path: string): string => explainCode(code, path).remedy,
  ];
  const problem = { subject: name, code: ExitCode.unreadable };
  const isMissing = MISSING_CODES.includes(code);
  if (isSecret && isMissing && !isLikePath(path, files)) {
    const setting = name.replace(/_FILE$/i, "");
    return {
      ...problem,
      message:
        `${name} must be the path of a file: it is ${HIDDEN}, which ${reason}`,
      remedy:
        `${name}=/run/secrets/${setting.toLowerCase()}   # or set ${setting} to the value itself`,
    };
  }
  const shown = hideCredentials(path);
  return {
    ...problem,
    message: `The file ${shown} of ${name} ${reason}`,
    remedy: remedy(shown),
  };
}

/** The codes with which no file is there; an unknown error may be that of a name that is too long. */
const MISSING_CODES = ["ENOENT", "ENAMETOOLONG", "unknown error"];

/** A path that consists of words. */
const WORDS_REGEXP = /^(?:\/[a-z._-]+){2,}$/;

/** Whether the value of a variable is a path and not a secret: its first directory exists, or it consists of words. */
function isLikePath(path: string, { exists }: ValueFiles): boolean {
  if (WORDS_REGEXP.test(path)) return true;
  const parts = path.split("/").slice(0, -1);
  const first = parts.findIndex((part) => !["", ".", ".."].includes(part));
  return first >= 0 && exists?.(parts.slice(0, first + 1).join("/")) === true;
}
