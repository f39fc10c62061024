/**
 * Keeps secrets out of messages: by their place, wherever the place of a secret is known, and by
 * their value only in the words of other programs.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { KNOWN_WORDS } from "./known_words.ts";

/** The text that is shown instead of a secret. */
export const HIDDEN = "(hidden)";

/**
 * The login of a URL, up to the last `@`, because a password may contain `@`, `/` and blanks
 * although a URL may not, and a name may be an address. Without a colon it is a token, which ends
 * where the authority ends.
 */
const URL_LOGIN_REGEXP =
  /(?<![a-z0-9+.-])((?:[a-z][a-z0-9+.-]*:)?\/\/)(?:[^\s/?#:"']*:.*@|[^\s/?#]*@)/gis;

/** `user:password@host` without a scheme. `mailto:ann@example.com` and its like hold no password. */
const LOGIN_REGEXP =
  /(^|[\s"'=(,])(?!(?:mailto|sips?|xmpp|acct):)(?:[^\s:?#"'=(,]+|(?<!\S)):(?!\/\/)\S*@/gi;

/**
 * A parameter of a URL or of a connection string, or a member of a JSON object: name, what
 * separates it, and the value. A quote or a semicolon ends the value only if something else begins
 * behind it. libpq accepts white space around `=`, and backslashes:
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
 */
const PARAMETER_REGEXP =
  /(?<![\w.%[\]-])([\w.%[\]-]+)([ \t]*=[ \t]*|"[ \t]*:[ \t]*(?="))('(?:\\.|[^\\'])*(?:'|$)|"(?:\\.|[^\\"])*(?:"|$)|(?:\\.|["'](?![\s,;:)\]}]|$)|;(?!\s|$|[\w .-]+=)|#(?![\w.%[\]-]+=)|[^&#\s"';\\])+)/gs;

/** The end of the name of a parameter that is a secret. */
const SECRET_PARAMETER_REGEXP =
  /(?:pass(?:w(?:or)?d|phrase)?|pwd?|secret|token|jwt|bearer|otp|session(?:_?id)?|cookie|signature|sig|auth|key|salt|credential)s?[^a-z]*$/i;

/**
 * Hides the credentials inside a value or a message: the login of a URL, `user:password@host`, and
 * parameters such as `password=…`. What is hidden depends on the place only.
 *
 * @param text The value.
 * @returns The text with {@linkcode HIDDEN} in place of each credential.
 */
export function hideCredentials(text: string): string {
  // A cheap test that excludes almost every value.
  if (!/[@="]/.test(text)) return text;
  // Behind the last @ the patterns would search in vain, from each place again.
  const end = text.lastIndexOf("@") + 1;
  const logins = text.slice(0, end)
    .replace(URL_LOGIN_REGEXP, `$1${HIDDEN}@`)
    .replace(LOGIN_REGEXP, `$1${HIDDEN}@`);
  return `${logins}${text.slice(end)}`.replace(PARAMETER_REGEXP, hideParameter);
}

function hideParameter(
  whole: string,
  name: string,
  separator: string,
  value: string,
): string {
  const isSecret = SECRET_PARAMETER_REGEXP.test(decodeLoosely(name));
  const inner = isSecret ? value : decodeLoosely(value);
  const isOpen = !isSecret &&
    (inner === value || hideCredentials(inner) === inner);
  return isOpen ? whole : `${name}${separator}${HIDDEN}`;
}

/** Decodes percent-encoded UTF-8; other percent-encoded bytes stay as they are. */
function decodeLoosely(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes;
    }
  });
}

/**
 * The words in the names of secrets. Others choose the names of plugin settings and of a linked
 * container's variables, so it rather matches too much.
 */
const SECRET_NAME_REGEXP =
  /secret|pass|pwd|salt|token|credential|key|dsn|data_?source|connection|webhook|auth|bearer|jwt|cert|private|pem\b|signature|signing|hmac|cookie|session|licen[cs]e|headers?$/i;

/**
 * Tells whether a name that others have chosen may be that of a secret.
 *
 * @param name The last part of the name of a setting or variable.
 * @returns Whether it contains a word such as `token`.
 */
export function isSecretName(name: string): boolean {
  return SECRET_NAME_REGEXP.test(name);
}

/** Characters of a value that are shown. */
const LONGEST_VALUE = 200;

/**
 * Shows a value that is not allowed. Such a value can be a URL where a host is expected, so that
 * everything before the last `@` is hidden if it may hold a password.
 *
 * @param text The value of a setting that is no secret.
 * @returns The value in quotes, without credentials; the beginning of a long one.
 */
export function showWrongValue(text: string): string {
  const [scheme = ""] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? [];
  const at = text.lastIndexOf("@");
  const login = text.slice(scheme.length, Math.max(at, scheme.length));
  const hasLogin = login !== "" && (scheme !== "" || login.includes(":"));
  const shown = hideCredentials(
    hasLogin ? `${scheme}${HIDDEN}${text.slice(at)}` : text,
  );
  return shown.length > LONGEST_VALUE
    ? `${JSON.stringify(shown.slice(0, LONGEST_VALUE))}…`
    : JSON.stringify(shown);
}

/**
 * A part of a URL, in a message of Go's `net/url`: `invalid port ":secret" after host` for a password
 * with a slash, `invalid URL escape "%zz"` for one with a percent sign.
 */
const FRAGMENT_REGEXP = /(invalid (?:port|URL escape) )(\\?")[^"]*?\2/g;

/** What a message of another program may contain. */
export interface RelayContext {
  /** The secrets, such as a password; may be empty texts. */
  readonly secrets: Iterable<string>;
  /** The texts that the reader knows anyway, such as the name of the user. */
  readonly shown: Iterable<string>;
}

/** Characters of a message that are read. Of a longer one, the beginning says what is wrong. */
const LONGEST_MESSAGE = 10_000;

/** A secret that has fewer characters can be a part of any word, so it must stand alone. */
const MIN_LENGTH = 4;

/** A secret that could be the words of a sentence which the reader can guess. */
const WORDS_REGEXP = /^(?:[\p{L}\s_.-]+|\d+)$/u;

/**
 * Prepares a message of another program for the log. Such a message is mostly a sentence that is
 * publicly known. A gap in it would reveal the secret, so a secret that consists of words of such
 * sentences, or of texts that are shown anyway, is not looked for. If another word is found outside
 * of quotes, the whole message is hidden. All other secrets, quoted and encoded ones, are hidden
 * where they are.
 *
 * @param text The message.
 * @param context The secrets, and the texts that are known anyway.
 * @returns The message without secrets; the beginning of a long one.
 */
export function relay(
  text: string,
  { secrets, shown }: RelayContext,
): string {
  const known = [...shown].map((each) => each.toLowerCase());
  const found = [...new Set(secrets)].filter((secret) => secret !== "")
    .sort((a, b) => b.length - a.length);
  let clean = hideCredentials(text.slice(0, LONGEST_MESSAGE))
    .replace(FRAGMENT_REGEXP, `$1$2${HIDDEN}$2`);
  for (const secret of found) {
    const isWord = isOrdinary(secret, known);
    const start = [...secret].slice(0, LONGEST_PATTERN).join("");
    const encoded = encodings(start, { isWord });
    if (start !== secret) {
      if (encoded.test(clean)) return HIDDEN;
      continue;
    }
    clean = clean.replace(
      encoded,
      (form) => form === secret || form.length < MIN_LENGTH ? form : HIDDEN,
    );
    if (isWord) continue;
    for (const quote of ['"', "'", "`"]) {
      clean = clean.replaceAll(
        `${quote}${secret}${quote}`,
        `${quote}${HIDDEN}${quote}`,
      );
    }
    if (!occurs(secret, clean)) continue;
    if (secret.length < MIN_LENGTH || WORDS_REGEXP.test(secret)) return HIDDEN;
    clean = clean.replaceAll(secret, HIDDEN);
  }
  return clean;
}

/** Whether a message can contain a secret by chance: because its words are those of messages. */
function isOrdinary(secret: string, known: readonly string[]): boolean {
  const folded = secret.toLowerCase();
  return known.some((each) => each.includes(folded)) ||
    folded.split(/[^\p{L}\d]+/u).every((word) =>
      /^\d{0,3}$/.test(word) || KNOWN_WORDS.includes(word)
    );
}

function occurs(secret: string, text: string): boolean {
  return secret.length < MIN_LENGTH
    ? text.split(/[^\p{L}\p{N}]+/u).includes(secret) ||
      text.split(/[\s"'`]+/).includes(secret)
    : text.includes(secret);
}

/** Characters of a secret whose encodings are looked for. A pattern of more would be too large. */
const LONGEST_PATTERN = 256;

/**
 * Makes a pattern for the encodings of a text: each character plain, percent-encoded or escaped in
 * a string, also several times, and the whole in base64: alone, or within a longer text such as
 * `user:password`, if the text is not a word that the longer text has anyway.
 */
function encodings(
  text: string,
  { isWord }: { readonly isWord: boolean },
): RegExp {
  const characters = [...text].map((character) => {
    const percent = [...Buffer.from(character)]
      .map((byte) => `%(?:25)*${digits(byte, 2)}`);
    const units = character.split("")
      .map((unit) => String.raw`\\{1,8}u${digits(unit.charCodeAt(0), 4)}`);
    const [first = "", ...rest] = JSON.stringify(character).slice(1, -1);
    const forms = [
      percent.join(""),
      units.join(""),
      ...(first === "\\" ? [String.raw`\\{1,8}${literal(rest.join(""))}`] : []),
      ...(character === " " ? [String.raw`\+`] : []),
      // A backslash before a letter is the escape of another character.
      /[\p{L}\p{N}]/u.test(character)
        ? character
        : String.raw`\\{0,8}${literal(character)}`,
    ];
    return `(?:${forms.join("|")})`;
  });
  const whole = Buffer.from(text).toString("base64");
  const parts = [0, 1, 2].map((before) => {
    const bytes = Buffer.from(`${"\0".repeat(before)}${text}`);
    // The digits that depend on nothing else.
    return bytes.toString("base64")
      .slice(Math.ceil(before * 4 / 3), Math.floor(bytes.length * 4 / 3));
  }).filter((part) => part.length >= MIN_LENGTH);
  const base64 = isWord
    ? [`(?<![\\w+/-])${base64Pattern(whole)}(?![\\w+/=-])`]
    : parts.map((part) => `[\\w+/-]?${base64Pattern(part)}[\\w+/-]?=*`);
  return new RegExp([characters.join(""), ...base64].join("|"), "gu");
}

/** A pattern for digits of base64 in both alphabets (RFC 4648). */
function base64Pattern(text: string): string {
  return text.replaceAll("+", "[-+]").replaceAll("/", "[_/]");
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

/** A pattern for the hexadecimal digits of a number, in both letter cases. */
function digits(number: number, length: number): string {
  return number.toString(16).padStart(length, "0")
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}
