/**
 * The nginx sample, seen by a client.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { attempt, must } from "../command.ts";
import type { Case, Lab } from "../lab.ts";
import { requirePrograms } from "../machine.ts";
import { sampleCopy } from "./samples.ts";

const HTTPS = "https://localhost:8443";

/** Ciphers that must be refused: no forward secrecy, or no authenticated encryption. */
const WEAK = ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"];
const STRONG = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"];

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "nginx-sample",
  what:
    "nginx redirects to HTTPS, restricts TLS, and supports HTTP/2, WebSockets and 60 MB uploads",
  run: async (lab) => {
    const certificate = await startSample(lab);
    const client = Deno.createHttpClient({ caCerts: [certificate] });
    try {
      await checkRedirect();
      await checkTls();
      await checkClientAddress(lab, client);
      await checkUpload(client);
    } finally {
      client.close();
    }
    await checkWebsocket(certificate);
  },
}];

async function startSample(lab: Lab): Promise<string> {
  await requirePrograms({ openssl: "openssl" });
  const sample = await sampleCopy(lab, "nginx");
  const files = join(lab.directory, "files");
  // Generating parameters takes minutes; the test uses those of RFC 7919.
  await Deno.mkdir(files);
  await must([
    ...["openssl", "genpkey", "-genparam", "-algorithm", "DH"],
    ...["-pkeyopt", "group:ffdhe2048", "-out", join(files, "dhparam.pem")],
  ]);
  await must([join(sample, "make_certificates.sh"), files]);
  await must(["cp", join(sample, "mattermost.template"), files]);
  const compose = lab.docker.compose(join(sample, "docker-compose.yml"), {
    MATTERMOST_IMAGE: await lab.image(),
    NGINX_FILES: files,
    DB_PASS: "secret",
  });
  await compose("up", "--detach", "--wait");
  return await Deno.readTextFile(join(files, "mattermost.crt"));
}

async function checkRedirect(): Promise<void> {
  const response = await fetch("http://localhost:8080/team/town?x=1", {
    redirect: "manual",
  });
  await response.body?.cancel();
  assert.equal(response.status, 301);
  assert.equal(response.headers.get("location"), `${HTTPS}/team/town?x=1`);
}

async function checkTls(): Promise<void> {
  for (const old of ["-tls1", "-tls1_1"]) {
    assert.ok(!await connects(old), `${old} must be refused`);
  }
  for (const current of ["-tls1_2", "-tls1_3"]) {
    assert.ok(await connects(current), `${current} must be taken`);
  }
  for (const cipher of WEAK) {
    assert.ok(!await connects("-tls1_2", "-cipher", cipher), cipher);
  }
  for (const cipher of STRONG) {
    assert.ok(await connects("-tls1_2", "-cipher", cipher), cipher);
  }
  const { text } = await handshake("-alpn", "h2,http/1.1");
  assert.match(text, /ALPN protocol: h2/);
}

/** Whether a handshake with these options of `openssl s_client` succeeds. */
async function connects(...options: string[]): Promise<boolean> {
  // With security level 0 the client accepts everything.
  const refusesNothing = options.includes("-cipher")
    ? options.map((text) => /^[A-Z]/.test(text) ? `${text}:@SECLEVEL=0` : text)
    : [...options, "-cipher", "ALL:@SECLEVEL=0"];
  const { code, text } = await handshake(...refusesNothing);
  return code === 0 && /Cipher is (?!\(NONE\))/.test(text);
}

async function handshake(...options: string[]) {
  return await attempt([
    ...["openssl", "s_client", "-connect", "localhost:8443"],
    ...["-servername", "localhost", ...options],
  ], { timeout: 10_000 });
}

async function checkClientAddress(
  lab: Lab,
  client: Deno.HttpClient,
): Promise<void> {
  const nginx = await lab.docker.service("nginx");
  const gateways = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
  const response = await fetch(`${HTTPS}/fake/whoami`, {
    client,
    headers: { "x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9" },
  });
  const who = await response.json();
  const ours = await nginx.inspect(gateways);
  assert.equal(who.real_ip, ours);
  assert.equal(who.forwarded_for, ours, "a forged address must not get in");
  assert.equal(who.forwarded_proto, "https");
  assert.equal(who.host, "localhost:8443");
  assert.equal(
    response.headers.get("strict-transport-security"),
    "max-age=31536000",
  );
}

async function checkUpload(client: Deno.HttpClient): Promise<void> {
  const size = 60 * 1024 * 1024;
  const response = await fetch(`${HTTPS}/api/v4/files`, {
    client,
    method: "POST",
    body: new Uint8Array(size),
  });
  assert.equal(response.status, 201, await response.clone().text());
  assert.equal((await response.json()).file_infos[0].size, size);
}

/** The handshake of RFC 6455, with the key and the answer of its section 1.3. */
async function checkWebsocket(certificate: string): Promise<void> {
  using socket = await Deno.connectTls({
    hostname: "localhost",
    port: 8443,
    caCerts: [certificate],
  });
  await socket.write(
    new TextEncoder().encode([
      ...["GET /api/v4/websocket HTTP/1.1", "Host: localhost:8443"],
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
