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
  const head = parseHead(text);
  if (head === undefined) throw new SyntaxError("the answer is not HTTP");
  const { status, headers, raw } = head;
  const body = Buffer.from(isChunked(headers) ? joinChunks(raw) : raw, "latin1")
    .toString("utf8");
  return { status, headers, body };
}

/** The statuses of responses without content. */
const NO_CONTENT: readonly number[] = [204, 304];

/** The last chunk, and the trailer section. */
const LAST_CHUNK_REGEXP =
  /(?:^|\r\n)0+(?:[\t ;][^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n$/;

/**
 * Tells whether a response is complete, since a server may leave the connection open.
 *
 * @param text What was received so far, one character per byte (Latin-1).
 * @param method The method of the request.
 * @returns Whether nothing can follow.
 */
export function isComplete(text: string, method: string): boolean {
  const head = parseHead(text);
  if (head === undefined) return false;
  const { status, headers, raw } = head;
  if (method === "HEAD" || NO_CONTENT.includes(status)) return true;
  if (isChunked(headers)) return LAST_CHUNK_REGEXP.test(raw);
  const length = headers["content-length"];
  return length !== undefined && raw.length >= Number(length);
}

interface Head extends Omit<Reply, "body"> {
  /** What follows the headers. */
  readonly raw: string;
}

/** Parses the headers of the final response; interim ones such as 103 (Early Hints) come before it. */
function parseHead(text: string): Head | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
  if (Number.isNaN(status)) return undefined;
  const raw = text.slice(end + 4);
  if (status < 200 && status !== 101) return parseHead(raw);
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { status, headers, raw };
}

function isChunked(headers: Reply["headers"]): boolean {
  return headers["transfer-encoding"]?.toLowerCase() === "chunked";
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
