/**
 * The login to MySQL and MariaDB against a server that the test plays, packet by packet.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  constants,
  createHash,
  generateKeyPairSync,
  privateDecrypt,
} from "node:crypto";
import type { Socket } from "node:net";
import fc from "fast-check";
import { LightSocket } from "../../../lib/database/light_socket.ts";
import { Channel } from "../../../lib/database/mysql_channel.ts";
import { logIn } from "../../../lib/database/mysql_login.ts";
import {
  columnName,
  hasMore,
  readError,
  readGreeting,
  readRow,
} from "../../../lib/database/mysql_messages.ts";
import { ProbeError } from "../../../lib/database/probe.ts";
import type { DataSource } from "../../../lib/database/source.ts";

const SOURCE: DataSource = {
  adapter: "mysql",
  host: "db",
  port: 3306,
  user: "mmuser",
  password: "pässword",
  database: "mattermost",
  sslMode: "disable",
};
const SALT = Buffer.from("12345678abcdefghijkl");
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const NUL = Buffer.alloc(1);

/** All that is needed, and no TLS. */
const CAPABILITIES = 0x001f_a20f;
const TLS = 0x800;

function greeting(plugin: string, capabilities = CAPABILITIES): Buffer {
  const low = Buffer.alloc(2);
  low.writeUInt16LE(capabilities & 0xffff);
  const high = Buffer.alloc(2);
  high.writeUInt16LE(capabilities >>> 16);
  return Buffer.concat([
    Buffer.from("\x0a8.4.3\0\x01\0\0\0"),
    SALT.subarray(0, 8),
    NUL,
    low,
    Buffer.from([45, 2, 0]),
    high,
    Buffer.from([21]),
    Buffer.alloc(10),
    SALT.subarray(8),
    NUL,
    Buffer.from(`${plugin}\0`),
  ]);
}

function refusal(code: number, text: string): Buffer {
  const head = Buffer.from([0xff, 0, 0]);
  head.writeUInt16LE(code, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function otherPlugin(name: string, salt = SALT): Buffer {
  return Buffer.concat([Buffer.from(`\xfe${name}\0`, "latin1"), salt, NUL]);
}

interface Server {
  /** Sends a packet with the next number. */
  say(content: Buffer): void;
  /** The next packet of the client. */
  hear(): Promise<Buffer>;
  /** Skips a number. */
  skip(): void;
}

/** A client, and the server that it talks to. */
function open(): { channel: Channel; server: Server } {
  type Read = Uint8Array<ArrayBuffer> | undefined;
  const toClient: Read[] = [];
  let wake = Promise.withResolvers<void>();
  const heard: Buffer[] = [];
  let ring = Promise.withResolvers<void>();
  const socket = new LightSocket({
    async read() {
      while (toClient.length === 0) await wake.promise;
      return toClient.shift();
    },
    write(bytes) {
      heard.push(Buffer.from(bytes));
      ring.resolve();
      return Promise.resolve();
    },
    close() {
      toClient.push(undefined);
      wake.resolve();
    },
  });
  socket.on("error", () => {});
  let number = 0;
  const server: Server = {
    say(content) {
      const head = Buffer.alloc(4);
      head.writeUIntLE(content.length, 0, 3);
      head[3] = number++;
      toClient.push(Uint8Array.from(Buffer.concat([head, content])));
      wake.resolve();
      wake = Promise.withResolvers();
    },
    async hear() {
      while (heard.length === 0) await ring.promise;
      ring = Promise.withResolvers();
      const packet = heard.shift() ?? NUL;
      assert.equal(packet.readUIntLE(0, 3), packet.length - 4);
      // A question begins a new count.
      if (packet[3] !== 0) assert.equal(packet[3], number);
      number = (packet[3] ?? 0) + 1;
      return packet.subarray(4);
    },
    skip: () => void number++,
  };
  return { channel: new Channel(socket as unknown as Socket), server };
}

/** A login, and how the server answers each packet of it. */
async function play(
  source: Partial<DataSource>,
  ...answers: readonly (Buffer | ((heard: Buffer) => Buffer))[]
): Promise<{ heard: Buffer[]; channel: Channel; server: Server }> {
  const { channel, server } = open();
  const heard: Buffer[] = [];
  const login = logIn(channel, { ...SOURCE, ...source }, undefined);
  login.catch(() => {});
  for (const [index, answer] of answers.entries()) {
    if (index > 0) {
      heard.push(await Promise.race([server.hear(), login.then(() => NUL)]));
    }
    server.say(
      typeof answer === "function" ? answer(heard.at(-1) ?? NUL) : answer,
    );
  }
  await login;
  return { heard, channel, server };
}

async function failure(
  source: Partial<DataSource>,
  ...answers: readonly Buffer[]
): Promise<ProbeError> {
  try {
    await play(source, ...answers);
  } catch (error) {
    assert(error instanceof ProbeError, String(error));
    return error;
  }
  return assert.fail("The login was to fail");
}

function sha(name: "sha1" | "sha256", ...parts: readonly Buffer[]): Buffer {
  return createHash(name).update(Buffer.concat(parts)).digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}

const PASSWORD = Buffer.from(SOURCE.password);

Deno.test("a login says who, where, and what only the password's owner can", async () => {
  const request = await recognised();
  const text = request.toString("latin1");
  const user = text.indexOf("mmuser\0");
  assert.equal(user, 32);
  const length = request[user + 7];
  assert.equal(length, 32);
  const answer = request.subarray(user + 8, user + 40);
  const once = sha("sha256", PASSWORD);
  // The server knows SHA256(SHA256(password)), and gets SHA256(password) out of it.
  const known = sha("sha256", once);
  assert.deepEqual(xor(answer, sha("sha256", known, SALT)), once);
  assert.equal(
    text.slice(user + 40, text.indexOf("caching_sha2_password\0") + 22),
    "mattermost\0caching_sha2_password\0",
  );
  assert(text.endsWith("\x0cprogram_name\x15mattermost-entrypoint"));
});

/** What a server hears that knows the password, and says two things then. */
async function recognised(): Promise<Buffer> {
  const { channel, server } = open();
  const login = logIn(channel, SOURCE, undefined);
  server.say(greeting("caching_sha2_password"));
  const request = await server.hear();
  server.say(Buffer.from([1, 3]));
  server.say(OK);
  await login;
  return request;
}

Deno.test("the server may ask for the plugin of the account", async () => {
  const salt = Buffer.from("ABCDEFGHIJKLMNOPQRST");
  const { heard: [, answer = NUL] } = await play(
    {},
    greeting("caching_sha2_password"),
    otherPlugin("mysql_native_password", salt),
    OK,
  );
  const once = sha("sha1", PASSWORD);
  assert.deepEqual(
    xor(answer, sha("sha1", salt, sha("sha1", once))),
    once,
  );
});

Deno.test("a plugin that begins no login is not begun with", async () => {
  const { heard: [request = NUL] } = await play(
    {},
    greeting("sha256_password"),
    OK,
  );
  assert.match(request.toString("latin1"), /\0mysql_native_password\0/);
});

Deno.test("an empty password is nothing, by each plugin", async () => {
  for (
    const [plugin, expected] of [
      ["mysql_native_password", Buffer.alloc(0)],
      ["caching_sha2_password", Buffer.alloc(0)],
      ["sha256_password", NUL],
    ] as const
  ) {
    const { channel, server } = open();
    const login = logIn(channel, { ...SOURCE, password: "" }, undefined);
    server.say(greeting("mysql_native_password"));
    const request = await server.hear();
    assert.equal(request[32 + "mmuser\0".length], 0);
    server.say(otherPlugin(plugin));
    assert.deepEqual(await server.hear(), expected);
    server.say(OK);
    await login;
  }
});

const KEYS = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

function decrypted(secret: Buffer, salt = SALT): string {
  const mixed = privateDecrypt({
    key: KEYS.privateKey,
    padding: constants.RSA_PKCS1_OAEP_PADDING,
  }, secret);
  return Buffer.from(
    mixed.map((byte, index) => byte ^ (salt[index % salt.length] ?? 0)),
  ).toString();
}

Deno.test("a server that wants the password itself gets it encrypted", async () => {
  const key = Buffer.from(`\x01${KEYS.publicKey}`);
  const caching = await play(
    {},
    greeting("caching_sha2_password"),
    Buffer.from([1, 4]),
    key,
    OK,
  );
  assert.deepEqual(caching.heard[1], Buffer.from([2]));
  assert.equal(decrypted(caching.heard[2] ?? NUL), `${SOURCE.password}\0`);
  const long = "x".repeat(60);
  const sha256 = await play(
    { password: long },
    greeting("caching_sha2_password"),
    otherPlugin("sha256_password"),
    key,
    OK,
  );
  assert.deepEqual(sha256.heard[1], Buffer.from([1]));
  assert.equal(decrypted(sha256.heard[2] ?? NUL), `${long}\0`);
});

Deno.test("what is too long to be encrypted is told, and so is a key that is none", async () => {
  const begin = [greeting("caching_sha2_password"), Buffer.from([1, 4])];
  const key = Buffer.from(`\x01${KEYS.publicKey}`);
  const longest = "x".repeat(213);
  await play({ password: longest }, ...begin, key, OK);
  const long = await failure({ password: `${longest}x` }, ...begin, key);
  assert.equal(long.reason, "credentials");
  assert.match(long.message, /at most 213 bytes/);
  const odd = await failure({}, ...begin, Buffer.from("\x01no key"));
  assert.equal(odd.reason, "protocol");
});

Deno.test("over a unix socket it gets it as it is", async () => {
  const { heard } = await play(
    { socket: "/run/mysqld/mysqld.sock" },
    greeting("caching_sha2_password"),
    Buffer.from([1, 4]),
    OK,
  );
  assert.equal(heard[1]?.toString(), `${SOURCE.password}\0`);
});

Deno.test("a plugin that reveals nothing is not made to", async () => {
  for (const more of [Buffer.from([1, 4]), Buffer.from([1, 3])]) {
    const error = await failure(
      { socket: "/run/mysqld/mysqld.sock" },
      greeting("mysql_native_password"),
      more,
    );
    assert.equal(error.reason, "protocol");
  }
});

Deno.test("a plugin that is not known is named, and what to do about it", async () => {
  for (
    const [answer, name] of [
      [otherPlugin("client_ed25519"), "client_ed25519"],
      [otherPlugin("mysql_clear_password"), "mysql_clear_password"],
      [Buffer.from([0xfe]), "mysql_old_password"],
    ] as const
  ) {
    const error = await failure({}, greeting("mysql_native_password"), answer);
    assert.equal(error.reason, "credentials");
    assert.equal(
      error.message,
      `The account uses the authentication plugin ${name}, which only special clients have: for Mattermost it must use caching_sha2_password or mysql_native_password`,
    );
  }
});

Deno.test("a server says no with its number, before the greeting and in the login", async () => {
  for (
    const [answers, errno, message] of [
      [[refusal(1040, "Too many connections")], 1040, "Too many connections"],
      [
        [
          greeting("mysql_native_password"),
          refusal(1045, "#28000Access denied"),
        ],
        1045,
        "Access denied",
      ],
    ] as const
  ) {
    await assert.rejects(play({}, ...answers), { errno, message });
  }
});

Deno.test("what TLS is asked of has to offer it", async () => {
  const { channel, server } = open();
  server.say(greeting("caching_sha2_password"));
  const options = { rejectUnauthorized: false, verifyIdentity: false };
  await assert.rejects(logIn(channel, SOURCE, options), {
    reason: "tls",
    message: "The server does not offer TLS",
  });
});

Deno.test("who offers TLS and is not asked for it is not told of it", async () => {
  const { heard: [request = NUL] } = await play(
    {},
    greeting("mysql_native_password", CAPABILITIES | TLS),
    OK,
  );
  assert.equal(request.readUInt32LE(0) & TLS, 0);
  assert.equal(request.readUInt32LE(0) & 0x80, 0, "no files of ours");
});

Deno.test("a server without what a login needs is too old", async () => {
  const error = await failure(
    {},
    greeting("mysql_native_password", CAPABILITIES & ~0x8_0000),
  );
  assert.equal(error.message, "The server is too old for a login");
});

Deno.test("a packet out of order is garbled, an error comes at any time", async () => {
  const { channel, server } = open();
  const login = logIn(channel, SOURCE, undefined);
  server.say(greeting("mysql_native_password"));
  await server.hear();
  server.skip();
  server.say(OK);
  await assert.rejects(login, { reason: "protocol" });
  const other = open();
  const second = logIn(other.channel, SOURCE, undefined);
  other.server.say(greeting("mysql_native_password"));
  await other.server.hear();
  other.server.skip();
  other.server.say(refusal(1053, "#08S01Server shutdown in progress"));
  await assert.rejects(second, { errno: 1053 });
});

/** A text behind its length. */
function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = bytes.length < 251
    ? [bytes.length]
    : bytes.length < 0x1_0000
    ? [0xfc, bytes.length & 0xff, bytes.length >> 8]
    : [0xfd, bytes.length & 0xff, bytes.length >> 8 & 0xff, bytes.length >> 16];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function column(name: string): Buffer {
  return Buffer.concat([
    ...["def", "", "", "", name, name].map(counted),
    Buffer.from([12, 45, 0, 0, 4, 0, 0, 253, 0, 0, 0, 0, 0]),
  ]);
}

const END = Buffer.from([0xfe, 0, 0, 2, 0]);
const END_AND_MORE = Buffer.from([0xfe, 0, 0, 10, 0]);
const OK_AND_MORE = Buffer.from([0, 0, 0, 10, 0, 0, 0]);

Deno.test("the rows of all statements of a question are told, as text", async () => {
  const { channel, server } = await play(
    {},
    greeting("mysql_native_password"),
    OK,
  );
  const long = "ü".repeat(40_000);
  const middle = "x".repeat(300);
  const asked = channel.ask("SELECT …; SET …; SELECT …");
  assert.equal(
    (await server.hear()).toString(),
    "\x03SELECT …; SET …; SELECT …",
  );
  for (
    const packet of [
      OK_AND_MORE,
      Buffer.from([2]),
      column("a"),
      column("b"),
      END,
      Buffer.concat([counted(long), Buffer.from([0xfb])]),
      Buffer.concat([counted(""), counted(middle)]),
      END_AND_MORE,
      Buffer.from([1]),
      column("a"),
      END,
      END,
    ]
  ) server.say(packet);
  assert.deepEqual(await asked, [
    { a: long, b: null },
    { a: "", b: middle },
  ]);
  const refused = channel.ask("SELECT 1; DROP …");
  await server.hear();
  server.say(OK_AND_MORE);
  server.say(refusal(1142, "#42000DROP command denied"));
  await assert.rejects(refused, {
    errno: 1142,
    message: "DROP command denied",
  });
});

Deno.test("a file of ours is not sent to a server that asks for it", async () => {
  const { channel, server } = await play(
    {},
    greeting("mysql_native_password"),
    OK,
  );
  const asked = channel.ask("SELECT 1");
  await server.hear();
  server.say(Buffer.from("\xfb/etc/passwd", "latin1"));
  await assert.rejects(asked, { reason: "protocol" });
});

Deno.test("what is cut off anywhere is garbled", () => {
  const whole = greeting("caching_sha2_password");
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => readGreeting(whole.subarray(0, length)), ProbeError);
  }
  const row = Buffer.concat([counted("a"), counted("x".repeat(300))]);
  for (let length = 0; length < row.length; length++) {
    assert.throws(
      () => readRow(row.subarray(0, length), ["a", "b"]),
      ProbeError,
    );
  }
});

Deno.test("no bytes do more than to be garbled", () => {
  const readers: readonly ((bytes: Buffer) => unknown)[] = [
    readGreeting,
    readError,
    hasMore,
    columnName,
    (bytes) => readRow(bytes, ["a", "b", "c"]),
  ];
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
    for (const read of readers) {
      try {
        read(Buffer.from(bytes));
      } catch (error) {
        assert(error instanceof ProbeError, String(error));
      }
    }
  }));
});
