/**
 * One HTTP question over a connection of our own: quick to load, told what to
 * trust, and able to say when the other side's certificate expires.
 *
 * `fetch` would load every authority of the system before it asks, and cannot
 * be told to trust this machine's own certificate.
 *
 * @module
 */

import type { Socket } from "node:net";
import { certificateEnd, encryptSocket, openSocket } from "./socket.ts";
import { parseReply, type Reply } from "./http_reply.ts";

/** What to ask, and whom. */
export interface HttpRequest {
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

/** What came back; the body is cut after 64 KiB. */
export interface HttpResponse extends Reply {
  /** When the certificate expires, in milliseconds since the epoch; `undefined` without TLS. */
  readonly certificateExpires: number | undefined;
}

/** Bytes of an answer that are read; who sends more is no health endpoint. */
const LONGEST = 65_536;

/**
 * Asks.
 *
 * @param question What to ask, and whom.
 * @returns The answer, whatever its status; redirections are not followed.
 * @throws {Error} With the system's or the TLS library's code; or the signal's reason.
 */
export async function request(question: HttpRequest): Promise<HttpResponse> {
  const { url, method = "GET", signal, ca, verify = true } = question;
  const isTls = url.protocol === "https:";
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const host = question.host ?? name;
  const port = Number(url.port === "" ? (isTls ? 443 : 80) : url.port);
  const plain = await openSocket({ host, port }, signal);
  try {
    const secure = isTls
      ? await encryptSocket(plain, name, {
        rejectUnauthorized: verify,
        verifyIdentity: verify,
        ...(ca === undefined ? {} : { ca: [...ca] }),
      })
      : undefined;
    const socket = secure ?? plain;
    const certificateExpires = secure && certificateEnd(secure);
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
    return { ...parseReply(text), certificateExpires };
  } finally {
    plain.destroy();
  }
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
