/**
 * Keeps secrets out of messages: by their place, wherever the place of a secret is known, and by
 * their value only in the words of other programs.
 *
 * @module
 */

import { KNOWN_WORDS } from "./known_words.ts";

/** The text that is shown instead of a secret. */
export const HIDDEN = "(hidden)";

/**
 * The login of a URL, up to the last `@`, because a password may contain `@`, `/` and blanks
 * although a URL may not. Without a colon it is a token, which ends where the authority ends.
 */
const URL_LOGIN_REGEXP =
  /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#@:"']*:.*@|[^\s/?#]*@)/gis;

/** `user:password@host` without a scheme. `mailto:ann@example.com` and its like hold no password. */
const LOGIN_REGEXP =
  /(^|[\s"'=(,])(?!(?:mailto|sips?|xmpp|acct):)[^\s:/?#@"'=(,]+:(?!\/\/)\S*@/gi;

/** A parameter of a URL or of a connection string, whose name is that of a secret. */
const PARAMETER_REGEXP =
  /(^|[\s?&;"'])([\w.-]*(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|token|signature|sig|auth|key|credentials?))=('(?:\\.|[^\\'])*'|[^&\s"';]+)/gi;

/**
 * Hides the credentials inside a value or a message: the login of a URL, `user:password@host`, and
 * parameters such as `password=…`. What is hidden depends on the place only.
 *
 * @param text The value.
 * @returns The text with {@linkcode HIDDEN} in place of each credential.
 */
export function hideCredentials(text: string): string {
  // A cheap test that excludes almost every value.
  if (!text.includes("@") && !text.includes("=")) return text;
  return text
    .replace(URL_LOGIN_REGEXP, `$1${HIDDEN}@`)
    .replace(LOGIN_REGEXP, `$1${HIDDEN}@`)
    .replace(PARAMETER_REGEXP, `$1$2=${HIDDEN}`);
}

/**
 * Shows a value that is not allowed. Such a value can be a URL where a host is expected, so that
 * everything before the last `@` is hidden if it may hold a password.
 *
 * @param text The value of a setting that is no secret.
 * @returns The value in quotes, without credentials.
 */
export function showWrongValue(text: string): string {
  const [scheme = ""] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? [];
  const at = text.lastIndexOf("@");
  const login = text.slice(scheme.length, Math.max(at, scheme.length));
  const hasLogin = login !== "" && (scheme !== "" || login.includes(":"));
  return JSON.stringify(
    hideCredentials(hasLogin ? `${scheme}${HIDDEN}${text.slice(at)}` : text),
  );
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
 * @returns The message without secrets.
 */
export function relay(
  text: string,
  { secrets, shown }: RelayContext,
): string {
  const known = [...shown].map((each) => each.toLowerCase());
  const found = [...new Set(secrets)].filter((secret) => secret !== "")
    .sort((a, b) => b.length - a.length);
  let clean = hideCredentials(text)
    .replace(FRAGMENT_REGEXP, `$1$2${HIDDEN}$2`);
  for (const secret of found) {
    for (const form of encodedForms(secret)) {
      clean = clean.replaceAll(form, HIDDEN);
    }
    if (isOrdinary(secret, known)) continue;
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

/** The encodings of a secret in which programs quote it, without the secret itself. */
function encodedForms(secret: string): string[] {
  const percent = encodeURIComponent(secret);
  const base64 = btoa(
    String.fromCharCode(...new TextEncoder().encode(secret)),
  );
  const forms = [
    percent,
    percent.replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
    percent.replaceAll("%20", "+"),
    JSON.stringify(secret).slice(1, -1),
    base64,
    base64.replace(/=+$/, ""),
  ];
  return forms.filter((form) => form !== secret && form.length >= MIN_LENGTH);
}
