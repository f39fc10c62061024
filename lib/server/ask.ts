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
import { openSocket } from "../database/socket.ts";
import { parseReply, type Reply } from "./http_reply.ts";

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

/** What came back; the body is cut after 64 KiB. */
export interface Answer extends Reply {
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
    return { ...parseReply(text), certificateExpires };
  } finally {
    plain.destroy();
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
