import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { DataSource, SslMode } from "../../lib/database/data_source.ts";
import { createAuthority } from "../servers/certificates.ts";
import { misbehave, refusalOf } from "./support.ts";

const authority = createAuthority();
const genuine = authority.issue();

/** Types of TLS records. */
const [ALERT, HANDSHAKE] = [21, 22];
/** The first message with which a client goes on after it has checked the server. */
const CLIENT_KEY_EXCHANGE = 16;

function vector(bytes: number, ...content: readonly Uint8Array[]): Buffer {
  const all = Buffer.concat(content);
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(all.length, 0, bytes);
  return Buffer.concat([length, all]);
}

function handshake(type: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([type]), vector(3, ...content)]);
}

/**
 * The first messages of a server with TLS 1.2 that presents a certificate and signs with a key
 * (RFC 5246, section 7.4; RFC 8422, section 5.4).
 */
function serverHello(clientHello: Buffer, key: string): Buffer {
  const clientRandom = clientHello.subarray(11, 43);
  const random = randomBytes(32);
  const { publicKey } = generateKeyPairSync("x25519");
  const point = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  // A named curve: x25519.
  const parameters = Buffer.concat([
    Buffer.from([3, 0, 29]),
    vector(1, point),
  ]);
  const signed = Buffer.concat([clientRandom, random, parameters]);
  const der = Buffer.from(
    genuine.certificate.replace(/-----[^-]+-----|\s/g, ""),
    "base64",
  );
  const messages = Buffer.concat([
    // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, no compression.
    handshake(2, Buffer.from([3, 3]), random, Buffer.from([0, 0xc0, 0x2f, 0])),
    handshake(11, vector(3, vector(3, der))),
    // rsa_pkcs1_sha256.
    handshake(
      12,
      parameters,
      Buffer.from([4, 1]),
      vector(2, sign("sha256", signed, key)),
    ),
    handshake(14),
  ]);
  return Buffer.concat([Buffer.from([HANDSHAKE, 3, 3]), vector(2, messages)]);
}

/** Starts a server like PostgreSQL, and returns how the client answers to its certificate. */
async function answerTo(key: string, sslMode: SslMode): Promise<Buffer> {
  const answer = Promise.withResolvers<Buffer>();
  await using server = misbehave(async (connection) => {
    const read = async (): Promise<Buffer> => {
      const bytes = Buffer.alloc(16_384);
      return bytes.subarray(0, await connection.read(bytes) ?? 0);
    };
    await read();
    await connection.write(Buffer.from("S"));
    await connection.write(serverHello(await read(), key));
    answer.resolve(await read());
    connection.close();
  });
  const source: DataSource = {
    adapter: "postgres",
    host: "127.0.0.1",
    port: server.port,
    user: "mmuser",
    password: "hunter22",
    database: "mattermost",
    sslMode,
  };
  await refusalOf(source, [authority.certificate]);
  return await answer.promise;
}

for (const mode of ["verify-full", "verify-ca", "require"] as const) {
  Deno.test(`${mode}: a server with a copy of a trusted certificate, but not its key, gets nothing`, async () => {
    const stolen = await answerTo(createAuthority().issue().key, mode);
    assert.equal(stolen[0], ALERT);
    const own = await answerTo(genuine.key, mode);
    assert.deepEqual([own[0], own[5]], [HANDSHAKE, CLIENT_KEY_EXCHANGE]);
  });
}
