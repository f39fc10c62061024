/**
 * One HTTP question over a connection of our own: quick to load, told what to
 * trust, and able to say when the other side's certificate expires.
 *
 * `fetch` would load every authority of the system before it asks, and cannot
 * be told to trust this machine's own certificate.
 *
 * @module
 */

import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Buffer } from "node:buffer";
import { openSocket } from "../database/socket.ts";

/** What to ask, and whom. */
export interface Question {
  /** The whole address. */
  readonly url: URL;
  /** `GET` by default. */
  readonly method?: "GET" | "HEAD";
  /** Headers besides those of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends it, with the signal's reason. */
  readonly signal: AbortSignal;
  /** The host to connect to, if not the one in the address. */
  readonly host?: string;
  /** Whether the certificate is checked; it is, by default. */
  readonly verify?: boolean;
  /** PEM texts of the authorities to trust instead of the runtime's own. */
  readonly ca?: readonly string[];
}

/** What came back. */
export interface Answer {
  /** The status of HTTP. */
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Cut after {@linkcode LONGEST}. */
  readonly body: string;
  /** When the certificate expires, in milliseconds since the epoch; `undefined` without TLS. */
  readonly certificateExpires: number | undefined;
}

/** Bytes of an answer that are read; who sends more is no health endpoint. */
export const LONGEST = 65_536;

/**
 * Asks.
 *
 * @param question What to ask, and whom.
 * @returns The answer, whatever its status; redirections are not followed.
 * @throws {Error} With the system's or the TLS library's code; or the signal's reason.
 */
export async function ask(question: Question): Promise<Answer> {
  const { url, method = "GET", signal } = question;
  const isTls = url.protocol === "https:";
  const host = question.host ?? url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port === "" ? (isTls ? 443 : 80) : url.port);
  const plain = await openSocket({ host, port }, signal);
  try {
    const socket = isTls ? await encrypt(plain, question) : plain;
    const certificateExpires = isTls ? expiry(socket as TLSSocket) : undefined;
    const headers = {
      host: url.host,
      connection: "close",
      "user-agent": "mattermost-entrypoint",
      ...question.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) =>
      `${name}: ${value}`
    );
    socket.write(
      `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${
        lines.join("\r\n")
      }\r\n\r\n`,
    );
    const text = await readAll(socket, method);
    signal.throwIfAborted();
    return { ...parseAnswer(text), certificateExpires };
  } finally {
    plain.destroy();
  }
}

/**
 * Takes the text of a reply apart.
 *
 * @param text Head and body, as they came, one character a byte.
 * @returns Status, headers and body.
 * @throws {SyntaxError} Where it is not HTTP.
 */
export function parseAnswer(
  text: string,
): Omit<Answer, "certificateExpires"> {
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

function encrypt(
  socket: Socket,
  { url, ca, verify = true }: Question,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const secure = connectTls({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: verify,
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(verify ? {} : { checkServerIdentity: () => undefined }),
    });
    secure.once("secureConnect", () => resolve(secure));
    secure.on("error", reject);
    socket.once("error", reject);
    socket.once("close", () =>
      reject(
        new Error("the connection ended in the TLS handshake"),
      ));
  });
}

function expiry(socket: TLSSocket): number | undefined {
  const expires = Date.parse(socket.getPeerCertificate()?.valid_to);
  return Number.isNaN(expires) ? undefined : expires;
}

function readAll(socket: Socket, method: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const isComplete = method === "HEAD" && text.includes("\r\n\r\n");
      if (text.length > LONGEST || isComplete) resolve(text.slice(0, LONGEST));
    });
    socket.once("end", () => resolve(text));
    socket.once("close", () => resolve(text));
    socket.once("error", reject);
  });
}
