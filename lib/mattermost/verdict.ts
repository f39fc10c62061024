/**
 * What a server says about a configuration when it is started on one whose database does not
 * exist: it judges the configuration first, and only then looks for its database.
 *
 * The words are those that servers from 3.3 to 11.6 print. A sentence that is not among them is
 * no verdict.
 *
 * @module
 */

/** The verdict of a server on a configuration. */
export type Verdict =
  | { readonly kind: "accepted" }
  /** The sentence is that of the server. It may quote values, secrets included. */
  | { readonly kind: "refused"; readonly sentence: string }
  /** The server said nothing that is known; the reason follows "because". It may quote values. */
  | { readonly kind: "none"; readonly reason: string };

/** What a server has printed until it ended. */
export interface Output {
  /** The lines of both streams. */
  readonly lines: readonly string[];
  /** The exit code; `undefined` if the server was killed. */
  readonly code: number | undefined;
}

/** The server has accepted the configuration, and has not found its database. */
const ACCEPTED_REGEXP = /Failed to ping DB/;

/** The server looks for its database; releases from 10 on do not say so. */
const LOOKING_REGEXP = /Pinging SQL/;

/** The words around a refusal, and the part of them that comes before the reason. */
const REFUSED_REGEXP =
  /(?:Unable to load mattermost configuration file:|Config\.IsValid:|invalid config:|LoadConfig:|failed to unmarshal[^:]*:|(?=parsing error at line))\s*/;

// deno-lint-ignore no-control-regex
const COLOUR_REGEXP = /\x1b\[[0-9;]*m/g;

/**
 * Makes a function that tells for each line that the server prints whether the verdict is known,
 * or the server has found a database after all. The server must be ended then.
 *
 * @returns The function.
 */
export function verdictWatch(): (line: string) => boolean {
  let isLooking = false;
  return (line) => {
    const isKnown = isLooking || ACCEPTED_REGEXP.test(line);
    isLooking ||= LOOKING_REGEXP.test(line);
    return isKnown;
  };
}

/**
 * Reads the verdict from what the server has printed.
 *
 * @param output The lines, and the exit code.
 * @returns The verdict.
 */
export function readVerdict({ lines, code }: Output): Verdict {
  const texts = lines.map((line) => line.replace(COLOUR_REGEXP, ""));
  if (texts.some((line) => ACCEPTED_REGEXP.test(line))) {
    return { kind: "accepted" };
  }
  const refusal = reasonOf(texts);
  if (refusal !== undefined) return { kind: "refused", sentence: refusal };
  const last = texts.find((line) => line.startsWith("Error: ")) ??
    texts.findLast((line) => line.trim() !== "");
  const words = last === undefined ? "nothing" : JSON.stringify(last.trim());
  return {
    kind: "none",
    reason: code === undefined
      ? `it had to be stopped, and said ${words}`
      : `it ended with code ${code}, and said ${words}`,
  };
}

/** The reason of a refusal; the line `Error: …` has it without the fields of a log, and it can have several lines. */
function reasonOf(lines: readonly string[]): string | undefined {
  const first = lines.findIndex((line) =>
    line.startsWith("Error: ") && REFUSED_REGEXP.test(line)
  );
  const end = lines.indexOf("Usage:", first);
  const text = first >= 0
    ? lines.slice(first, end < 0 ? undefined : end).join(" ")
    : lines.find((line) => REFUSED_REGEXP.test(line));
  if (text === undefined) return undefined;
  let reason = text;
  for (;;) {
    const match = REFUSED_REGEXP.exec(reason);
    if (match === null || match[0] === "") break;
    reason = reason.slice(match.index + match[0].length);
  }
  // The positions are those in a copy of config.json.
  return reason.replace(POSITION_REGEXP, "").replace(/\s+/g, " ")
    .replace(/[\s,.]+$/, "");
}

const POSITION_REGEXP =
  /^.*parsing error at line \d+, character \d+: |^Error decoding config file=.*?, err=|\d+ error\(s\) decoding:\s*\* /gs;

/**
 * Reads with which error the server did not get into its database.
 *
 * @param output The lines.
 * @returns The text of its driver; `undefined` if the server did not say so.
 */
export function readDatabaseError({ lines }: Output): string | undefined {
  const line = lines.map((line) => line.replace(COLOUR_REGEXP, ""))
    .find((line) => ACCEPTED_REGEXP.test(line));
  if (line === undefined) return undefined;
  const { error, msg, fields } = parseLine(line);
  const text = error ?? fields?.error ?? msg ?? line;
  const [, plain, field] = /\berr[:=]\s*(.*)|error="(.*)"/s.exec(text) ?? [];
  return (plain ?? field ?? text).replace(/^"(.*)"$/s, "$1");
}

/** The parts of a line of a JSON log that can hold an error. */
interface LogLine {
  readonly error?: string;
  readonly msg?: string;
  readonly fields?: { readonly error?: string };
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

/** The ids of the server's sentences: `model.config.is_valid.max_users.app_error`. */
const SENTENCE_ID_REGEXP = /\b[a-z0-9_]+(?:\.[a-z0-9_]+){2,}\b/g;

/**
 * Replaces the ids of sentences by the sentences; releases from 5.10 to 8.x print only the ids.
 *
 * @param text What the server printed.
 * @param translations The text of the server's `i18n/en.json`; `undefined` if there is none.
 * @returns The text with the sentences; an id that the file does not have stays.
 */
export function translate(
  text: string,
  translations: () => string | undefined,
): string {
  if (text.search(SENTENCE_ID_REGEXP) < 0) return text;
  const sentences = new Map<string, string>();
  try {
    const list: unknown = JSON.parse(translations() ?? "[]");
    for (const entry of Array.isArray(list) ? list : []) {
      const { id, translation } = entry ?? {};
      if (typeof id === "string" && typeof translation === "string") {
        sentences.set(id, translation);
      }
    }
  } catch {
    // The ids are better than no reason.
  }
  return text.replace(
    SENTENCE_ID_REGEXP,
    (id) => sentences.get(id)?.replace(/[\s.]+$/, "") ?? id,
  );
}
