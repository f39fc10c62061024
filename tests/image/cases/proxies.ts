/**
 * The samples with a proxy, seen by a client.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { attempt } from "../command.ts";
import type { Case, Lab } from "../lab.ts";
import { requirePrograms } from "../machine.ts";
import { startSample } from "./samples.ts";

/** Ciphers that must be refused: no forward secrecy, or no authenticated encryption. */
const WEAK = ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"];
const STRONG = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"];

/** A proxy in front of Mattermost. */
interface Proxy {
  /** The authority of its certificate, in PEM. */
  readonly certificate: string;
  readonly client: Deno.HttpClient;
  readonly http: string;
  readonly https: string;
  /** The name of its service in Compose. */
  readonly service: string;
}

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "nginx-sample",
  what:
    "nginx redirects to HTTPS, restricts TLS, supports HTTP/2, WebSockets and 60 MB uploads, and follows Mattermost to another address",
  run: async (lab) => {
    await requirePrograms({ openssl: "openssl" });
    const sample = await startSample(lab, "nginx");
    const path = join(sample.directory, "certificates/mattermost.crt");
    await checkProxy(lab, {
      certificate: await Deno.readTextFile(path),
      http: "http://localhost:8080",
      https: "https://localhost:8443",
      service: "nginx",
      redirect: 301,
    });
    await checkCiphers();
  },
}, {
  name: "caddy-sample",
  what:
    "Caddy makes a certificate, redirects to HTTPS, supports HTTP/2, WebSockets and 60 MB uploads, and follows Mattermost to another address",
  run: async (lab) => {
    await requirePrograms({ openssl: "openssl" });
    // Caddy asks nobody for a certificate of this name.
    await startSample(lab, "caddy", { CADDY_HOST: "localhost" });
    const caddy = await lab.docker.service("caddy");
    let certificate = "";
    await caddy.until("in possession of a certificate", async () => {
      const authority = "/data/caddy/pki/authorities/local/root.crt";
      certificate = await caddy.exec(["cat", authority]).catch(() => "");
      return certificate !== "" && await connects("localhost:443");
    });
    await checkProxy(lab, {
      certificate,
      http: "http://localhost",
      https: "https://localhost",
      service: "caddy",
      redirect: 308,
    });
  },
}];

async function checkProxy(
  lab: Lab,
  { redirect, ...rest }: Omit<Proxy, "client"> & { redirect: number },
): Promise<void> {
  const caCerts = [rest.certificate];
  const client = Deno.createHttpClient({ caCerts });
  const proxy = { ...rest, client };
  try {
    await checkRedirect(proxy, redirect);
    await checkTls(proxy);
    await checkClientAddress(lab, proxy);
    await checkUpload(proxy);
    await checkNewAddress(lab, proxy);
  } finally {
    client.close();
  }
  await checkWebsocket(proxy);
}

async function checkRedirect(
  { http, https }: Proxy,
  status: number,
): Promise<void> {
  const response = await fetch(`${http}/team/town?x=1`, { redirect: "manual" });
  await response.body?.cancel();
  assert.equal(response.status, status);
  assert.equal(response.headers.get("location"), `${https}/team/town?x=1`);
}

async function checkTls({ https }: Proxy): Promise<void> {
  const address = addressOf(https);
  for (const old of ["-tls1", "-tls1_1"]) {
    assert.ok(!await connects(address, old), `${old} must be refused`);
  }
  for (const current of ["-tls1_2", "-tls1_3"]) {
    assert.ok(await connects(address, current), `${current} must be taken`);
  }
  const { text } = await handshake(address, "-alpn", "h2,http/1.1");
  assert.match(text, /ALPN protocol: h2/);
}

async function checkCiphers(): Promise<void> {
  const accepts = (cipher: string) =>
    connects("localhost:8443", "-tls1_2", "-cipher", cipher);
  for (const cipher of WEAK) assert.ok(!await accepts(cipher), cipher);
  for (const cipher of STRONG) assert.ok(await accepts(cipher), cipher);
}

/** Host and port of an URL, as `openssl s_client` takes them. */
function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 443}`;
}

/** Whether a handshake with these options of `openssl s_client` succeeds. */
async function connects(
  address: string,
  ...options: string[]
): Promise<boolean> {
  // With security level 0 the client accepts everything.
  const refusesNothing = options.includes("-cipher")
    ? options.map((text) => /^[A-Z]/.test(text) ? `${text}:@SECLEVEL=0` : text)
    : [...options, "-cipher", "ALL:@SECLEVEL=0"];
  const { code, text } = await handshake(address, ...refusesNothing);
  return code === 0 && /Cipher is (?!\(NONE\))/.test(text);
}

async function handshake(address: string, ...options: string[]) {
  return await attempt([
    ...["openssl", "s_client", "-connect", address],
    ...["-servername", "localhost", ...options],
  ], { timeout: 10_000 });
}

async function checkClientAddress(
  lab: Lab,
  { client, https, service }: Proxy,
): Promise<void> {
  const proxy = await lab.docker.service(service);
  const gateways = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
  const response = await fetch(`${https}/fake/whoami`, {
    client,
    headers: { "x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9" },
  });
  const who = await response.json();
  const ours = await proxy.inspect(gateways);
  assert.equal(who.forwarded_for, ours, "a forged address must not get in");
  assert.equal(who.forwarded_proto, "https");
  assert.equal(who.host, new URL(https).host);
  // Caddy passes X-Real-IP on, but the sample has Mattermost trust X-Forwarded-For only.
  if (service === "caddy") return;
  assert.equal(who.real_ip, ours);
  assert.equal(
    response.headers.get("strict-transport-security"),
    "max-age=31536000",
  );
}

async function checkUpload({ client, https }: Proxy): Promise<void> {
  const size = 60 * 1024 * 1024;
  const response = await fetch(`${https}/api/v4/files`, {
    client,
    method: "POST",
    body: new Uint8Array(size),
  });
  assert.equal(response.status, 201, await response.clone().text());
  assert.equal((await response.json()).file_infos[0].size, size);
}

/** Mattermost gets another address: the engine gives out the next one, or its old one to another container. */
async function checkNewAddress(
  lab: Lab,
  { client, https, service }: Proxy,
): Promise<void> {
  const server = await lab.docker.service("mattermost");
  const address = await server.address();
  const network = `${lab.docker.name("project")}_default`;
  await lab.docker.must(["network", "disconnect", network, server.id]);
  await lab.docker.start("squatter", await lab.image(), {
    options: ["--network", network, "--entrypoint", "sleep"],
    command: ["600"],
  });
  await lab.docker.must([
    ...["network", "connect", "--alias", "mattermost", network, server.id],
  ]);
  assert.notEqual(await server.address(), address);
  await server.until(`found by ${service}`, async () => {
    const response = await fetch(`${https}/api/v4/system/ping`, { client });
    await response.body?.cancel();
    return response.status === 200;
  });
}

/** The handshake of RFC 6455, with the key and the answer of its section 1.3. */
async function checkWebsocket({ certificate, https }: Proxy): Promise<void> {
  using socket = await Deno.connectTls({
    hostname: "localhost",
    port: Number(new URL(https).port || 443),
    caCerts: [certificate],
  });
  await socket.write(
    new TextEncoder().encode([
      ...["GET /api/v4/websocket HTTP/1.1", `Host: ${new URL(https).host}`],
      ...["Connection: Upgrade", "Upgrade: websocket"],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
      ...["Sec-WebSocket-Version: 13", "", ""],
    ].join("\r\n")),
  );
  const buffer = new Uint8Array(4096);
  const length = await socket.read(buffer) ?? 0;
  const answer = new TextDecoder().decode(buffer.subarray(0, length));
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
}
