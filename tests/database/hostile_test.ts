/**
 * Servers that send more than a login needs, or words that mislead: what is read of them is
 * limited, and what is shown is clean.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { DataSource } from "../../lib/database/data_source.ts";
import { createAuthority } from "../servers/certificates.ts";
import { refusalOf } from "./support.ts";

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "127.0.0.1",
  port: 1,
  user: "mmuser",
  password: "hunter22",
  database: "mattermost",
  sslMode: "disable",
};

/** Bytes that may be sent before the connection ends: the limit, and what the system's buffers hold. */
const MOST_BYTES = 32 * 1024 ** 2;

/** A server, and the bytes that its flood has sent. */
interface Hostile extends AsyncDisposable {
  readonly port: number;
  readonly sent: number;
  /** Sends a message again and again, until the client hangs up. */
  readonly flood: (socket: Socket, message: Uint8Array) => void;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" ? address?.port ?? 0 : 0);
    })
  );
}

async function startHostile(
  treat: (socket: Socket, server: Hostile) => void,
): Promise<Hostile> {
  let sent = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    treat(socket, hostile);
  });
  const port = await listen(server);
  const hostile: Hostile = {
    port,
    get sent() {
      return sent;
    },
    flood(socket, message) {
      const count = Math.ceil(65_536 / message.length);
      const block = Buffer.concat(Array(count).fill(message));
      const send = (): void => {
        while (!socket.destroyed && sent < 2 * MOST_BYTES) {
          sent += block.length;
          if (!socket.write(block)) return void socket.once("drain", send);
        }
      };
      send();
    },
    async [Symbol.asyncDispose]() {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hostile;
}

/** A message of PostgreSQL. */
function message(type: string, content: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length + 4);
  return Buffer.concat([
    Buffer.from(type),
    length,
    Buffer.from(content, "latin1"),
  ]);
}

const AUTHENTICATED = message("R", "\0\0\0\0");

for (
  const [title, endless] of [
    ["ParameterStatus", message("S", "application_name\0x\0")],
    ["NOTICE", message("N", "SNOTICE\0C00000\0Mnothing\0\0")],
    ["authentication", AUTHENTICATED],
  ] as const
) {
  Deno.test(`PostgreSQL: endless ${title} messages end the login`, async () => {
    await using server = await startHostile((socket, { flood }) =>
      socket.once("data", () => {
        socket.write(AUTHENTICATED);
        flood(socket, endless);
      })
    );
    const error = await refusalOf({ ...SOURCE, port: server.port });
    assert.equal(error.reason, "protocol");
    assert.equal(error.message, "The server sends more data than expected");
    assert.ok(server.sent < MOST_BYTES, `${server.sent} bytes`);
  });
}

Deno.test("PostgreSQL: an error whose code is no SQLSTATE is not one of the system", async () => {
  for (const code of ["ENOENT", "EACCES", "ECONNREFUSED"]) {
    await using server = await startHostile((socket) =>
      socket.once("data", () =>
        socket.write(
          message("E", `SFATAL\0VFATAL\0C${code}\0Mnot \x1b[2J today\0\0`),
        ))
    );
    const error = await refusalOf({ ...SOURCE, port: server.port });
    assert.deepEqual([error.reason, error.code, error.message], [
      "protocol",
      undefined,
      "not [2J today",
    ]);
  }
});

Deno.test("PostgreSQL: a password, and its hash, that the server repeats are hidden", async () => {
  // AuthenticationCleartextPassword, and AuthenticationMD5Password with its salt.
  for (const request of ["\0\0\0\x03", "\0\0\0\x05salt"]) {
    await using server = await startHostile((socket) =>
      socket.once("data", () => {
        socket.write(message("R", request));
        socket.once("data", (answer) => {
          const words = answer.toString("latin1", 5).replace(/\0/g, "");
          socket.write(message("E", `SFATAL\0C28P01\0Myou sent ${words}\0\0`));
        });
      })
    );
    const error = await refusalOf({ ...SOURCE, port: server.port });
    assert.equal(error.reason, "credentials");
    assert.equal(error.message, "you sent (hidden)");
  }
});

/** A packet of MySQL's protocol. */
function packet(number: number, content: string): Buffer {
  const bytes = Buffer.from(content, "latin1");
  return Buffer.concat([Buffer.of(bytes.length, 0, 0, number), bytes]);
}

/** The first packet of a MariaDB, with the capabilities of TLS (MySQL's documentation, "Protocol::HandshakeV10"). */
const GREETING = packet(
  0,
  `\x0a10.11.6-MariaDB\0\x01\0\0\0saltsalt\0\xff\xff\x2d\x02\0\x1f\x80\x15${
    "\0".repeat(10)
  }saltsaltsalt\0mysql_native_password\0`,
);

/** The answer to a login. */
function accepted(number: number): Buffer {
  return packet(number, "\0\0\0\x02\0\0\0");
}

/** The first column of an endless result, with its rows in the order of their numbers. */
const COLUMN = Buffer.concat([
  packet(1, "\x01"),
  packet(
    2,
    "\x03def\0\0\0\x01x\x01x\x0c\x21\0\0\x01\0\0\xfd\0\0\0\0\0",
  ),
  packet(3, "\xfe\0\0\x02\0"),
]);
const ROWS = Buffer.concat(
  Array.from({ length: 256 }, (_, index) => packet((index + 4) % 256, "\x01a")),
);

/** Accepts the login, and answers the first query. */
function converse(
  socket: Socket,
  number: number,
  answer: () => void,
): void {
  socket.once("data", () => {
    socket.write(accepted(number));
    socket.once("data", answer);
  });
}

/** Bytes of the packet SSLRequest. */
const SSL_REQUEST = 36;

/** A MariaDB that answers the first query. */
async function startMariadb(
  sslMode: DataSource["sslMode"],
  answer: (socket: Socket, server: Hostile) => void,
): Promise<Hostile> {
  const { certificate, key } = createAuthority().issue();
  const inner = createTlsServer({ cert: certificate, key }, (secure) => {
    secure.on("error", () => {});
    converse(secure, 3, () => answer(secure, outer));
  });
  const port = await listen(inner);
  const outer = await startHostile((socket) => {
    socket.write(GREETING);
    if (sslMode === "disable") {
      return converse(socket, 2, () => answer(socket, outer));
    }
    socket.once("data", (data) => {
      const through = connect({ host: "127.0.0.1", port });
      through.on("error", () => {});
      socket.once("close", () => through.destroy());
      through.write(Buffer.from(data).subarray(SSL_REQUEST));
      socket.pipe(through).pipe(socket);
    });
  });
  return {
    port: outer.port,
    get sent() {
      return outer.sent;
    },
    flood: outer.flood,
    async [Symbol.asyncDispose]() {
      await outer[Symbol.asyncDispose]();
      await new Promise((resolve) => inner.close(resolve));
    },
  };
}

for (const sslMode of ["disable", "require"] as const) {
  const source: DataSource = { ...SOURCE, adapter: "mysql", sslMode };

  Deno.test(`MySQL: an endless result ends the login (${sslMode})`, async () => {
    await using server = await startMariadb(sslMode, (socket, { flood }) => {
      socket.write(COLUMN);
      flood(socket, ROWS);
    });
    const error = await refusalOf({ ...source, port: server.port });
    assert.equal(error.reason, "protocol");
    assert.equal(error.message, "The server sends more data than expected");
    assert.ok(server.sent < MOST_BYTES, `${server.sent} bytes`);
  });

  Deno.test(`MySQL: a packet out of order ends the login, and nothing is printed (${sslMode})`, async () => {
    await using server = await startMariadb(
      sslMode,
      (socket) => socket.write(packet(7, "\x01")),
    );
    const printed: unknown[] = [];
    const { error: print } = console;
    console.error = (...words: unknown[]) => printed.push(words);
    try {
      const error = await refusalOf({ ...source, port: server.port });
      assert.equal(error.message, "The server's message is malformed");
    } finally {
      console.error = print;
    }
    assert.deepEqual(printed, []);
  });
}
