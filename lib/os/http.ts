/**
 * A small HTTP client, which reports when the certificate of the server expires.
 *
 * It is used instead of `fetch`, because `fetch` loads all certificate authorities of the
 * system before it connects, and has no option to skip the check of a certificate.
 *
 * @module
 */

import type { Socket } from "node:net";
import { certificateExpiry, encryptSocket, openSocket } from "./socket.ts";
import { isComplete, parseReply, type Reply } from "./http_reply.ts";

/** An HTTP request. */
export interface HttpRequest {
  /** The URL. */
  readonly url: URL;
  /** `GET` by default. */
  readonly method?: "GET" | "HEAD";
  /** Headers in addition to `Host`, `Connection` and `User-Agent`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Cancels the request, which then fails with the signal's reason. */
  readonly signal: AbortSignal;
  /** The host to connect to, if it is not the one in the URL. */
  readonly host?: string;
  /** Whether to check the certificate; `true` by default. */
  readonly verify?: boolean;
  /** PEM texts of the certificate authorities to trust instead of the runtime's own. */
  readonly ca?: readonly string[];
}

/** An HTTP response; at most its first 64 KiB, headers included. */
export interface HttpResponse extends Reply {
  /** When the certificate expires, in milliseconds since the epoch; `undefined` without TLS. */
  readonly certificateExpires: number | undefined;
}

/** Bytes of a response that are read. The responses that are of interest are much shorter. */
const MAX_LENGTH = 65_536;

/**
 * Sends an HTTP request. It does not follow redirects.
 *
 * @param options The request.
 * @returns The response, whatever its status.
 * @throws {SyntaxError} If the response is not HTTP.
 * @throws {Error} With the code of the system or of the TLS library; or the signal's reason.
 */
export async function request(options: HttpRequest): Promise<HttpResponse> {
  const { url, method = "GET", signal, ca, verify = true } = options;
  const isTls = url.protocol === "https:";
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const host = options.host ?? name;
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
    const certificateExpires = secure && certificateExpiry(secure);
    const headers = {
      host: url.host,
      connection: "close",
      "user-agent": "mattermost-entrypoint",
      ...options.headers,
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
      if (text.length > MAX_LENGTH || isComplete(text, method)) {
        resolve(text.slice(0, MAX_LENGTH));
      }
    });
    socket.once("end", () => resolve(text));
    socket.once("close", () => resolve(text));
    socket.once("error", reject);
  });
}
