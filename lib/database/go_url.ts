/**
 * Parses URLs as Go's `net/url` does, which reads data sources more strictly than
 * https://url.spec.whatwg.org, and reports the place of what it refuses.
 *
 * @see https://pkg.go.dev/net/url#Parse
 * @module
 */

import { isIP } from "node:net";
import { DataSourceError, type Part } from "./data_source.ts";

/** The parts of a URL, decoded. Those that are missing are empty. */
export interface GoUrl {
  /** User name. */
  readonly user: Part;
  /** Password. */
  readonly password: Part;
  /** Host, as in the URL: an IPv6 address may be in brackets. */
  readonly host: Part;
  /** Decimal digits. */
  readonly port: Part;
  /** Path with its first slash. */
  readonly path: Part;
  /** Parameters in their order, without those that cannot be decoded. */
  readonly parameters: readonly (readonly [name: string, value: Part])[];
}

// deno-lint-ignore no-control-regex -- Go refuses these characters.
const CONTROL_REGEXP = /[\0-\x1f\x7f]/;
const BAD_ESCAPE_REGEXP = /%(?![0-9A-Fa-f]{2})/;
/** A character of a user name or a password that must be encoded. */
const RAW_LOGIN_REGEXP = /[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/u;
/** A character that a host must not have, or the code of one; `%25` and the codes of non-ASCII characters are allowed. */
const RAW_HOST_REGEXP =
  /[^A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"%\u0080-\uffff]|%(?!25|[89A-Fa-f][0-9A-Fa-f])/;

/**
 * Parses a URL with a scheme and a host.
 *
 * @param url The URL.
 * @returns Its parts.
 * @throws {DataSourceError} If Go refuses it.
 */
export function parseGoUrl(url: string): GoUrl {
  const refuse = (reason: string, at: number, place?: string): never => {
    throw new DataSourceError(reason, { text: url, at, place });
  };
  const hash = endOf(url, "#");
  const before = url.slice(0, hash);
  const control = before.search(CONTROL_REGEXP);
  if (control >= 0) {
    refuse("it contains a line break or another control character", control);
  }
  checkEscapes(url, [hash, url.length], "the part after #");
  const mark = endOf(before, "?");
  const start = url.indexOf("://") + 3;
  const slash = Math.min(endOf(before, "/", start), mark);
  const at = url.lastIndexOf("@", slash - 1);
  const hasLogin = at >= start;
  const hostStart = hasLogin ? at + 1 : start;
  const colon = hasLogin ? url.slice(start, at).indexOf(":") : -1;
  const userEnd = !hasLogin ? start : colon < 0 ? at : start + colon;
  const login = [
    { from: start, to: userEnd, place: "the user name" },
    {
      from: Math.min(userEnd + 1, hostStart),
      to: hasLogin ? at : start,
      place: "the password",
    },
  ];
  // Go reports a wrong port if a password ends the host too early.
  const host = splitHost(url, [hostStart, slash], {
    hasRest: url.indexOf("@", slash) >= 0 && !hasLogin,
  });
  for (const { from, to, place } of login) {
    const raw = url.slice(from, Math.max(from, to)).search(RAW_LOGIN_REGEXP);
    if (raw >= 0) {
      refuse(
        "it contains a character that a URL must have percent-encoded",
        from + raw,
        place,
      );
    }
    checkEscapes(url, [from, to], place);
  }
  checkEscapes(url, [slash, mark], "the name of the database");
  const [user, password] = login.map(({ from, to, place }): Part => ({
    text: decode(url.slice(from, Math.max(from, to))),
    at: from,
    place,
  })) as [Part, Part];
  return {
    user,
    password,
    ...host,
    path: {
      text: decode(url.slice(slash, mark)),
      at: slash,
      place: "the name of the database",
    },
    parameters: queryOf(before, mark + 1),
  };
}

/**
 * Checks a text that is no URL in the way in which Go parses it as a relative one.
 *
 * @param text The text.
 * @returns Where it is refused and why; `undefined` if it is not, or if it begins with a scheme.
 */
export function findUrlError(
  text: string,
): { readonly at: number; readonly reason: string } | undefined {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) return undefined;
  const hash = endOf(text, "#");
  const before = text.slice(0, hash);
  const path = before.slice(0, endOf(before, "?"));
  const found = [
    {
      at: before.search(CONTROL_REGEXP),
      reason: "a line break, a tab or another control character",
    },
    {
      at: path.slice(0, endOf(path, "/")).indexOf(":"),
      reason: "a colon before the first slash",
    },
    ...[path.search(BAD_ESCAPE_REGEXP), escapeAfter(text, hash)].map((at) => ({
      at,
      reason: "a percent sign that does not begin an encoded character",
    })),
  ];
  return found.find(({ at }) => at >= 0);
}

function escapeAfter(text: string, from: number): number {
  const index = text.slice(from).search(BAD_ESCAPE_REGEXP);
  return index < 0 ? index : from + index;
}

function splitHost(
  url: string,
  [from, to]: readonly [number, number],
  { hasRest }: { readonly hasRest: boolean },
): Pick<GoUrl, "host" | "port"> {
  const refuse = (reason: string, at: number, place = "the host"): never => {
    if (hasRest) {
      throw new DataSourceError(
        "it contains /, ? or #, which a URL must have percent-encoded in a password",
        { text: url, at: to, place: "the password" },
      );
    }
    throw new DataSourceError(reason, { text: url, at, place });
  };
  const text = url.slice(from, to);
  const bracket = text.lastIndexOf("[");
  const closing = text.lastIndexOf("]");
  if (bracket > 0 || bracket === 0 && closing < 0) {
    refuse("it has a bracket that does not enclose the host", from);
  }
  const colon = text.indexOf(":", closing < 0 ? 0 : closing);
  // Several colons without brackets: an IPv6 address, of which Go checks the end only.
  const last = text.lastIndexOf(":");
  const tail = closing < 0 ? last : closing + 1;
  if (tail >= 0 && !/^(?::\d*)?$/.test(text.slice(tail))) {
    refuse(
      "it has something other than a number as its port",
      from + tail,
      "the port",
    );
  }
  const raw = text.search(RAW_HOST_REGEXP);
  if (raw >= 0) {
    refuse(
      url.slice(from + raw, to).toUpperCase().startsWith("%2F")
        ? "it has the directory of a unix socket as its host, which must be the parameter host"
        : "it contains a character that a host cannot have",
      from + raw,
    );
  }
  if (closing >= 0 && isIP(text.slice(1, closing).replace(/%.*$/, "")) !== 6) {
    refuse("it has something other than an IPv6 address in brackets", from);
  }
  const hasPort = colon >= 0 && colon === last;
  return {
    host: {
      text: decode(
        hasPort ? text.slice(0, colon).replace(/^\[(.*)\]$/, "$1") : text,
      ),
      at: from,
      place: "the host",
    },
    port: {
      text: hasPort ? text.slice(colon + 1) : "",
      at: from + colon + 1,
      place: "the port",
    },
  };
}

function queryOf(
  url: string,
  from: number,
): (readonly [name: string, value: Part])[] {
  const found: (readonly [string, Part])[] = [];
  let at = from;
  for (const pair of url.slice(from).split("&")) {
    const end = endOf(pair, "=");
    if (pair !== "" && !pair.includes(";") && !BAD_ESCAPE_REGEXP.test(pair)) {
      const [name, text] = [pair.slice(0, end), pair.slice(end + 1)]
        .map((each) => decode(each.replaceAll("+", " "))) as [string, string];
      found.push([name, { text, at: at + end + 1 }]);
    }
    at += pair.length + 1;
  }
  return found;
}

function checkEscapes(
  text: string,
  [from, to]: readonly [number, number],
  place: string,
): void {
  const bad = text.slice(from, Math.max(from, to)).search(BAD_ESCAPE_REGEXP);
  if (bad < 0) return;
  throw new DataSourceError(
    "it contains a percent sign that does not begin an encoded character",
    { text, at: from + bad, place },
  );
}

/**
 * Decodes percent-encoded UTF-8; bytes that are no UTF-8 become U+FFFD, as in Go.
 *
 * @param text A text in which each percent sign begins the code of a byte.
 * @returns The decoded text.
 */
export function decode(text: string): string {
  return text.replace(
    /(?:%[0-9A-Fa-f]{2})+/g,
    (codes) =>
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(
        Uint8Array.from(
          codes.slice(1).split("%"),
          (code) => parseInt(code, 16),
        ),
      ),
  );
}

/**
 * Checks the percent signs of a text.
 *
 * @param text The text.
 * @returns The index of one that does not begin the code of a byte; -1 for none.
 */
export function findBadEscape(text: string): number {
  return text.search(BAD_ESCAPE_REGEXP);
}

/** The index of a sign, or the length of the text. */
function endOf(text: string, sign: string, from = 0): number {
  const index = text.indexOf(sign, from);
  return index < 0 ? text.length : index;
}
