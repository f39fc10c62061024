/**
 * Small real services for Mattermost, on free ports of the loopback interface.
 *
 * @module
 */

import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { SMTPServer } from "smtp-server";
import type { KeyPair } from "../servers/certificates.ts";

/** A running service; `await using` stops it. */
export interface Service extends AsyncDisposable {
  readonly port: number;
}

/** Starts a web server; with a certificate it uses HTTPS. */
export async function startWeb(
  answer: RequestListener,
  tls?: KeyPair,
): Promise<Service> {
  const server = tls === undefined
    ? createHttp(answer)
    : createHttps({ cert: tls.certificate, key: tls.key }, answer);
  return await listen(server);
}

/** Starts a web server with these pages, which answers other paths with 404. */
export async function startPages(
  pages: Readonly<
    Record<
      string,
      readonly [
        status: number,
        body: string,
        headers?: Readonly<Record<string, string>>,
      ]
    >
  >,
  tls?: KeyPair,
): Promise<Service> {
  return await startWeb(({ url = "" }, response) => {
    const [status, body, headers] = pages[url] ?? [404, "not found"];
    response.writeHead(status, {
      "content-type": "application/json",
      ...headers,
    });
    response.end(body);
  }, tls);
}

/** Starts a server that passes TLS on to another one, and answers HTTP without TLS as Go does. */
export async function startLikeGo({ port }: Service): Promise<Service> {
  const { connect } = await import("node:net");
  return await startTalk((socket) =>
    socket.once("data", (data) => {
      const isTls = data[0] === 22;
      if (!isTls) {
        return void socket.end(
          "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        );
      }
      const inner = connect({ host: "127.0.0.1", port });
      inner.on("error", () => socket.destroy());
      inner.write(data);
      inner.pipe(socket).pipe(inner);
    })
  );
}

/** Starts a server that accepts connections and never answers. */
export function startSilence(): Promise<Service> {
  return startTalk(() => {});
}

/** Starts a server that does with each connection what a test needs. */
export async function startTalk(
  talk: (socket: Socket) => void,
): Promise<Service> {
  const { createServer } = await import("node:net");
  return await listen(createServer((socket) => {
    // Clients hang up on servers that misbehave.
    socket.on("error", () => {});
    talk(socket);
  }));
}

/** The certificate and the login of a mail server. */
export interface MailOptions {
  readonly tls: KeyPair;
  readonly user: string;
  readonly password: string;
}

/** Starts a mail server with STARTTLS and a login. */
export async function startMail(
  { tls, user, password }: MailOptions,
): Promise<Service> {
  const mail = new SMTPServer({
    cert: tls.certificate,
    key: tls.key,
    authMethods: ["PLAIN", "LOGIN"],
    onAuth(login, _session, done) {
      if (login.username === user && login.password === password) {
        done(null, { user });
      } else done(new Error("Authentication credentials invalid"));
    },
  });
  // Tests include clients that close the connection in the handshake.
  mail.on("error", () => {});
  return await listen(mail.server);
}

async function listen(server: Server): Promise<Service> {
  const connections = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      connections.forEach((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
