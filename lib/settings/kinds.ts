/**
 * Kinds of values: how the text of a variable is read, and what is allowed.
 *
 * @module
 */

/** The value of a setting. */
export type Value = string | number | boolean;

/** A kind of value. */
export interface Kind<T extends Value> {
  /** What is allowed, to be read after "must be". */
  readonly allowed: string;
  /** The words allowed, where there is a fixed set of them. */
  readonly choices?: readonly string[];
  /**
   * Reads a text that is not empty.
   *
   * @param text The text of the variable.
   * @returns The value, or `undefined` if the text is not allowed.
   */
  parse(text: string): T | undefined;
}

/** Limits of {@linkcode text}. */
export interface TextLimits {
  /** Longest value, in bytes of UTF-8: what the server counts. */
  readonly maxBytes?: number;
  /** Shortest value, in bytes of UTF-8. */
  readonly minBytes?: number;
  /** A form that the whole text must have, and its description. */
  readonly form?: readonly [RegExp, string];
}

/**
 * Any text, within limits.
 *
 * @param limits Limits, none by default.
 * @returns The kind.
 */
export function text(limits: TextLimits = {}): Kind<string> {
  const { minBytes = 0, maxBytes = Infinity, form } = limits;
  const length = minBytes > 0 && maxBytes < Infinity
    ? ` of ${minBytes} to ${maxBytes} bytes`
    : minBytes > 0
    ? ` of at least ${minBytes} bytes`
    : maxBytes < Infinity
    ? ` of at most ${maxBytes} bytes`
    : "";
  return {
    allowed: `${form?.[1] ?? "text"}${length}`,
    parse(value): string | undefined {
      const bytes = new TextEncoder().encode(value).length;
      if (bytes < minBytes || bytes > maxBytes) return undefined;
      return form === undefined || form[0].test(value) ? value : undefined;
    },
  };
}

const TRUE_WORDS: readonly string[] = ["true", "yes", "on", "1"];
const FALSE_WORDS: readonly string[] = ["false", "no", "off", "0"];

/**
 * Yes or no.
 *
 * @returns The kind.
 */
export function flag(): Kind<boolean> {
  return {
    allowed: "true or false",
    choices: ["true", "false"],
    parse(value): boolean | undefined {
      const word = value.trim().toLowerCase();
      if (TRUE_WORDS.includes(word)) return true;
      return FALSE_WORDS.includes(word) ? false : undefined;
    },
  };
}

const INTEGER_REGEXP = /^-?\d+$/;

/**
 * A whole number.
 *
 * @param min The smallest allowed.
 * @param max The largest allowed; what a 32-bit server can hold, if not given.
 * @returns The kind.
 */
export function integer(min: number, max = 2 ** 31 - 1): Kind<number> {
  return {
    allowed: max === Number.MAX_SAFE_INTEGER
      ? `a whole number, ${min} or more`
      : `a whole number from ${min} to ${max}`,
    parse(value): number | undefined {
      const trimmed = value.trim();
      if (!INTEGER_REGEXP.test(trimmed)) return undefined;
      // Plus zero, because JavaScript has a zero below zero.
      const number = Number(trimmed) + 0;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

/**
 * One of some words; upper and lower case make no difference.
 *
 * @param words The words, as they are meant to be written.
 * @param aliases Other spellings, in lower case, and the word that each stands for.
 * @returns The kind.
 */
export function choice<const T extends string>(
  words: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Kind<T> {
  return {
    allowed: `one of ${words.join(", ")}`,
    choices: words,
    parse(value): T | undefined {
      const word = value.trim().toLowerCase();
      return words.find((choice) => choice.toLowerCase() === word) ??
        (Object.hasOwn(aliases, word) ? aliases[word] : undefined);
    },
  };
}

/**
 * A TCP port.
 *
 * @returns The kind.
 */
export function port(): Kind<number> {
  return { ...integer(1, 65535), allowed: "a port from 1 to 65535" };
}

const HOST_REGEXP = /^[^\s:/?#@[\]\\]+$/;
const SOCKET_REGEXP = /^\/[^\0]*$/;
const IPV6_REGEXP =
  /^(?:\[([0-9a-fA-F:.]+)\]|([0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*))$/;

/**
 * The place of a server: a name, an address, or the path of a unix socket. An
 * IPv6 address loses its brackets.
 *
 * @returns The kind.
 */
export function host(): Kind<string> {
  return {
    allowed: "a host name or address without a port, or the path of a socket",
    parse(value): string | undefined {
      const trimmed = value.trim();
      const [, bracketed, bare] = IPV6_REGEXP.exec(trimmed) ?? [];
      const address = bracketed ?? bare;
      if (address !== undefined) {
        return URL.canParse(`http://[${address}]`) ? address : undefined;
      }
      return HOST_REGEXP.test(trimmed) || SOCKET_REGEXP.test(trimmed)
        ? trimmed
        : undefined;
    },
  };
}

/** Stricter than the URL standard, which takes `http:host`; the server's parser does not. */
const WEB_ADDRESS_REGEXP = /^https?:\/\/[^\s/\\][^\s\\]*$/i;

/**
 * An absolute web address.
 *
 * @returns The kind.
 */
export function url(): Kind<string> {
  return {
    allowed: "an address that starts with http:// or https://",
    parse(value): string | undefined {
      const trimmed = value.trim();
      return WEB_ADDRESS_REGEXP.test(trimmed) && URL.canParse(trimmed)
        ? trimmed
        : undefined;
    },
  };
}

/**
 * An absolute path of a file or directory, without a final slash.
 *
 * @returns The kind.
 */
export function path(): Kind<string> {
  return {
    allowed: "an absolute path",
    parse(value): string | undefined {
      return value.startsWith("/") && !value.includes("\0")
        ? value.replace(/(?<=.)\/+$/, "")
        : undefined;
    },
  };
}

const EMAIL_REGEXP = /^[^\s@<>]+@[^\s@<>]+$/;

/**
 * One mail address.
 *
 * @returns The kind.
 */
export function email(): Kind<string> {
  return text({
    form: [EMAIL_REGEXP, "a mail address such as chat@example.com"],
  });
}

const LOCALE_REGEXP = /^[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?$/;

/**
 * One language name. `zh_CN` becomes `zh-CN`: the release decides how it is written.
 *
 * @returns The kind.
 */
export function locale(): Kind<string> {
  return {
    allowed: "a language name such as en or pt-BR",
    parse(value): string | undefined {
      const name = value.trim();
      return LOCALE_REGEXP.test(name) ? name.replace("_", "-") : undefined;
    },
  };
}

/**
 * Language names separated by commas; blanks around the commas go, since the server keeps them.
 *
 * @returns The kind.
 */
export function locales(): Kind<string> {
  const { parse } = locale();
  return {
    allowed: "language names such as en or en,pt-BR",
    parse(value): string | undefined {
      const names = value.split(",").map(parse);
      return names.includes(undefined) ? undefined : names.join(",");
    },
  };
}
