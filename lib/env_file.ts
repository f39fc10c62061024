/**
 * Parses the files of the option `--env-file`, as `docker run --env-file` does: a value is
 * everything after the first `=`, to the end of the line.
 *
 * Compose reads `env_file` in another way, unless it has `format: raw`:
 * https://docs.docker.com/reference/compose-file/services/#format
 *
 * @see https://github.com/docker/cli/blob/master/pkg/kvfile/kvfile.go
 * @module
 */

/** The variables of a file. */
export interface EnvFile {
  /** The variables, in the order of the file. */
  readonly variables: ReadonlyMap<string, string>;
  /** The names of those that Compose would give another value. */
  readonly differing: readonly string[];
}

/** Why a file cannot be used. */
export interface EnvFileFault {
  /** Completes a sentence that begins with the path. It does not quote the content, which may be a secret. */
  readonly fault: string;
  /** The number of the line, from 1 on; `undefined` if the whole file is wrong. */
  readonly line?: number;
}

/** The first bytes of a text in UTF-16, in either byte order. */
const UTF16_MARKS = ["\xff\xfe", "\xfe\xff"];

/**
 * A name, and the value after it if there is one. Docker accepts more names, but no program uses
 * them. A byte order mark is white space here, but not to Docker.
 */
const LINE_REGEXP = /^[^\S\ufeff]*([A-Za-z_][\w.-]*)(?:=(.*))?$/s;

/** What has a meaning for Compose: quotes, white space around the value, a comment after white space, and `$`. */
const COMPOSE_REGEXP = /^["'\s]|\s$|\s#|\$/;

/**
 * Parses a file. A name without `=` takes its value from the environment.
 *
 * @param bytes The content of the file.
 * @param env The environment.
 * @returns The variables, or the fault.
 */
export function parseEnvFile(
  bytes: Uint8Array,
  env: Readonly<Record<string, string>>,
): EnvFile | EnvFileFault {
  const mark = String.fromCharCode(...bytes.subarray(0, 2));
  if (UTF16_MARKS.includes(mark)) {
    return { fault: "is UTF-16 text, but it must be UTF-8" };
  }
  const variables = new Map<string, string>();
  const differing = new Set<string>();
  for (const [index, text] of splitLines(bytes).entries()) {
    const line = index + 1;
    if (text === undefined) {
      return { fault: `must be UTF-8 text, but line ${line} is not`, line };
    }
    if (/^[^\S\ufeff]*(?:#|$)/.test(text)) continue;
    const [, name, value] = LINE_REGEXP.exec(text) ?? [];
    if (name === undefined || text.includes("\0")) {
      const reason = /^\s*export\s/.test(text)
        ? 'begins with "export", which only a shell reads'
        : "has another form";
      return {
        fault: `must have lines NAME=value, but line ${line} ${reason}`,
        line,
      };
    }
    const given = value ?? (Object.hasOwn(env, name) ? env[name] : undefined);
    if (given === undefined) continue;
    variables.set(name, given);
    if (value !== undefined && COMPOSE_REGEXP.test(value)) differing.add(name);
    else differing.delete(name);
  }
  return { variables, differing: [...differing] };
}

/** Decodes each line, without its line end and without a byte order mark; `undefined` for one that is not UTF-8. */
function splitLines(bytes: Uint8Array): (string | undefined)[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lines: (string | undefined)[] = [];
  for (let start = 0; start <= bytes.length;) {
    const at = bytes.indexOf(0x0a, start);
    const end = at < 0 ? bytes.length : at;
    try {
      lines.push(decoder.decode(bytes.subarray(start, end)).replace(/\r$/, ""));
    } catch {
      lines.push(undefined);
    }
    start = end + 1;
  }
  if (lines[0]?.startsWith("\ufeff")) lines[0] = lines[0].slice(1);
  return lines;
}
