/**
 * Parses an HTTP response (RFC 9112).
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** A parsed HTTP response. */
export interface Reply {
  /** The status code. */
  readonly status: number;
  /** The header values by name, in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The decoded content, without the chunked transfer coding. */
  readonly body: string;
}

/**
 * Parses an HTTP response.
 *
 * @param text The bytes of the response, one character per byte (Latin-1).
 * @returns Status, headers and body; the body is decoded as UTF-8.
 * @throws {SyntaxError} If the text is not an HTTP response.
 */
export function parseReply(text: string): Reply {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end < 0 ? undefined : end)
    .split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined || end < 0) {
    throw new SyntaxError("the answer is not HTTP");
  }
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const raw = text.slice(end + 4);
  const isChunked = headers["transfer-encoding"]?.toLowerCase() === "chunked";
  const body = Buffer.from(isChunked ? joinChunks(raw) : raw, "latin1")
    .toString("utf8");
  return { status: Number(status), headers, body };
}

function joinChunks(raw: string): string {
  let body = "";
  let rest = raw;
  while (true) {
    const [, digits] = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(rest) ?? [];
    const size = Number.parseInt(digits ?? "0", 16);
    if (size === 0) return body;
    const start = rest.indexOf("\r\n") + 2;
    body += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
  }
}
