/**
 * The kinds of values that settings have: how a variable's text is parsed, and what is allowed.
 *
 * @module
 */

/** The value of a setting. */
export type Value = string | number | boolean;

/** A kind of value. */
export interface Kind<T extends Value> {
  /** The allowed values; completes a sentence that ends in "must be". */
  readonly allowed: string;
  /** The allowed words, if there is a fixed set of them. */
  readonly choices?: readonly string[];
  /**
   * Parses a variable's text.
   *
   * @param text The text; never empty, because an empty variable counts as not set.
   * @returns The value, or `undefined` if the text is not allowed.
   */
  parse(text: string): T | undefined;
}

/** Limits of {@linkcode text}. */
export interface TextLimits {
  /** The maximum length in bytes of UTF-8, which is what the server counts. */
  readonly maxBytes?: number;
  /** The minimum length in bytes of UTF-8. */
  readonly minBytes?: number;
  /** A pattern for the whole text, and a description of it that follows "must be". */
  readonly form?: readonly [RegExp, string];
}

/**
 * Text, optionally limited in length and form. It is kept as it is, white space included.
 *
 * @param limits The limits; none by default.
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
 * A Boolean. `yes`, `on` and `1` count as `true`, and `no`, `off` and `0` as `false`, in any letter case.
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
 * @param min The minimum.
 * @param max The maximum; by default the largest signed 32-bit number, which every build of the server can hold.
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
      // Adding 0 turns -0 into 0.
      const number = Number(trimmed) + 0;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

/**
 * One word of a fixed set, in any letter case.
 *
 * @param words The words, in the spelling that the value gets.
 * @param aliases Alternative words in lower case, and the word that each one stands for.
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
 * A database host: a name, an IP address, or the absolute path of a Unix socket. The brackets of
 * an IPv6 address are removed.
 *
 * @returns The kind.
 */
export function host(): Kind<string> {
  return {
    allowed:
      "a host name or IP address without a port, or the absolute path of a Unix socket",
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

/** The URL standard also accepts `http:host`, which the server's parser (Go's `net/url`) does not take for a host. */
const HTTP_URL_REGEXP = /^https?:\/\/[^\s/\\%](?:[^\s\\%]|%[0-9a-f]{2})*$/i;

/**
 * An absolute HTTP or HTTPS URL.
 *
 * @returns The kind.
 */
export function url(): Kind<string> {
  return {
    allowed: "a URL that starts with http:// or https://",
    parse(value): string | undefined {
      const trimmed = value.trim();
      return HTTP_URL_REGEXP.test(trimmed) && URL.canParse(trimmed)
        ? trimmed
        : undefined;
    },
  };
}

/** Deno opens files in these directories only with all permissions. */
const KERNEL_DIRECTORY_REGEXP = /^\/+(?:dev|proc|sys)(?:\/|$)/;

/**
 * The absolute path of a file or directory. Final slashes are removed.
 *
 * @returns The kind.
 */
export function path(): Kind<string> {
  return {
    allowed: "an absolute path that is not in /dev, /proc or /sys",
    parse(value): string | undefined {
      return value.startsWith("/") && !value.includes("\0") &&
          !KERNEL_DIRECTORY_REGEXP.test(value)
        ? value.replace(/(?<=.)\/+$/, "")
        : undefined;
    },
  };
}

const EMAIL_REGEXP = /^[^\s@<>]+@[^\s@<>]+$/;

/**
 * One email address.
 *
 * @returns The kind.
 */
export function email(): Kind<string> {
  return text({
    form: [EMAIL_REGEXP, "an email address such as chat@example.com"],
  });
}

// RFC 9110, section 5.6.2
const HEADER_REGEXP = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Names of HTTP headers, at least one, separated by commas or white space.
 *
 * @returns The kind.
 */
export function headers(): Kind<string> {
  return {
    allowed:
      "names of HTTP headers separated by commas, such as X-Forwarded-For,X-Real-IP",
    parse(value): string | undefined {
      const names = words(value);
      return names.length > 0 && names.every((name) => HEADER_REGEXP.test(name))
        ? value
        : undefined;
    },
  };
}

/**
 * Splits a text at commas and white space.
 *
 * @param value The text.
 * @returns Its words.
 */
export function words(value: Value): string[] {
  return String(value).split(/[\s,]+/).filter((word) => word !== "");
}

const LOCALE_REGEXP = /^[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?$/;

/**
 * The code of one language. `zh_CN` becomes `zh-CN`; the catalogue writes it in the form of the release.
 *
 * @returns The kind.
 */
export function locale(): Kind<string> {
  return {
    allowed: "a language code such as en or pt-BR",
    parse(value): string | undefined {
      const code = value.trim();
      return LOCALE_REGEXP.test(code) ? code.replace("_", "-") : undefined;
    },
  };
}

/**
 * Language codes separated by commas. White space around them is removed, because the server would keep it.
 *
 * @returns The kind.
 */
export function locales(): Kind<string> {
  const { parse } = locale();
  return {
    allowed: "language codes separated by commas, such as en,pt-BR",
    parse(value): string | undefined {
      const codes = value.split(",").map(parse);
      return codes.includes(undefined) ? undefined : codes.join(",");
    },
  };
}
