import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import { ProbeError, type Session } from "../../lib/database/session.ts";
import type { Reason } from "../../lib/database/reasons.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import { waitForDatabase } from "../../lib/database/wait.ts";
import { EntrypointError } from "../../lib/errors.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import {
  factsOf,
  misbehave,
  products,
  refusalOf,
  startWithUser,
} from "./support.ts";

/** Options of a wait in real time, and the reasons that it reported. */
function realTime(timeout = 30) {
  const changes: Reason[] = [];
  return {
    changes,
    connect,
    timeout,
    random: Math.random,
    signal: new AbortController().signal,
    report: ({ error }: { error: ProbeError }) =>
      void changes.push(error.reason),
    clock: {
      elapsed: () => performance.now(),
      sleep: (milliseconds: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const timer = setTimeout(resolve, milliseconds);
          signal?.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(signal.reason);
          });
        }),
    },
  };
}

const GARBAGE: readonly [string, Uint8Array][] = [
  [
    "text of another protocol",
    new TextEncoder().encode("HTTP/1.1 400 Bad\r\n\r\n"),
  ],
  ["zeros", new Uint8Array(64)],
  ["ones", new Uint8Array(64).fill(255)],
  // A valid beginning of a message of each product, and invalid data after it.
  [
    "the beginning of a message of PostgreSQL",
    Uint8Array.of(82, 0, 0, 0, 8, 0, 0, 0, 99, 1, 2, 3),
  ],
  [
    "the beginning of a message of MySQL",
    Uint8Array.of(5, 0, 0, 0, 10, 65, 66, 67, 68, 1, 2, 3),
  ],
];

/** The end of the title of a product's own message. */
const OF = { postgres: "of PostgreSQL", mysql: "of MySQL" };

/** A packet of MySQL's protocol, each character a byte. */
function mysqlPacket(number: number, content: string): Uint8Array {
  const bytes = Uint8Array.from(content, (sign) => sign.charCodeAt(0));
  return Uint8Array.of(bytes.length, 0, 0, number, ...bytes);
}

/** The first packet of a MariaDB without TLS (MySQL's documentation, "Protocol::HandshakeV10"). */
function greeting(): Uint8Array {
  const capabilities = ["\xff\xf7", "\x1f\x80"] as const;
  return mysqlPacket(
    0,
    `\x0a10.11.6-MariaDB\0\x01\0\0\0saltsalt\0${capabilities[0]}\x2d\x02\0${
      capabilities[1]
    }\x15${"\0".repeat(10)}saltsaltsalt\0mysql_native_password\0`,
  );
}

/** How a byte is changed. */
const NOISE: readonly [string, (byte: number, index: number) => number][] = [
  ["zeros", () => 0],
  ["ones", () => 255],
  ["inverted bytes", (byte) => byte ^ 255],
  [
    "some wrong bytes",
    (byte, index) => index % 7 === 5 ? byte + 1 : byte,
  ],
];

function malformations() {
  const times = ["in the login", "after the login"] as const;
  return times.flatMap((when) =>
    NOISE.map(([title, noise]) => [when, title, noise] as const)
  );
}

/** The data source of a PostgreSQL server and its administrator. */
function sourceOf(server: DatabaseServer): DataSource {
  const { host, port, user, password } = server;
  return {
    adapter: "postgres",
    host,
    port,
    user,
    password,
    database: "postgres",
    sslMode: "disable",
  };
}

/** A user without administrative privileges. */
const ORDINARY = { user: "mmuser", password: "hunter22" };

const found = products();

for (const product of found) {
  const { name, adapter } = product;
  const source: DataSource = {
    adapter,
    host: "127.0.0.1",
    port: 1,
    user: "mmuser",
    password: "hunter22",
    database: "mattermost",
    sslMode: "disable",
  };

  // MySQL has MariaDB's driver, and such servers are the same for both.
  if (name !== "MySQL") {
    for (const [title, bytes] of GARBAGE) {
      const reason = title.startsWith("text") ||
          title.startsWith("the beginning") && !title.endsWith(OF[adapter])
        ? "other server"
        : "protocol";
      Deno.test(`${name}: ${title} instead of a greeting has the reason ${reason}`, async () => {
        await using server = misbehave(async (connection) => {
          if (adapter === "postgres") {
            await connection.read(new Uint8Array(512));
          }
          await connection.write(bytes);
          connection.closeWrite();
        });
        const error = await refusalOf({ ...source, port: server.port });
        assert.equal(error.reason, reason);
      });
    }

    for (const sslMode of ["disable", "require"] as const) {
      Deno.test(`${name}: a connection that is dropped in the handshake has the reason protocol (${sslMode})`, async () => {
        await using server = misbehave((connection) => {
          connection.close();
          return Promise.resolve();
        });
        const error = await refusalOf({
          ...source,
          sslMode,
          port: server.port,
        });
        assert.equal(error.reason, "protocol");
      });
    }

    Deno.test(`${name}: a silent port has the reason timeout, and the connection ends with the wait`, async () => {
      const hungUp = Promise.withResolvers<void>();
      await using server = misbehave(async (connection) => {
        while (await connection.read(new Uint8Array(512)) !== null);
        hungUp.resolve();
      });
      const time = realTime(1);
      await assert.rejects(
        waitForDatabase({ ...source, port: server.port }, time),
        (error) => {
          assert(error instanceof EntrypointError);
          assert.equal(error.code, 69);
          assert.match(error.message, /does not answer/);
          return true;
        },
      );
      await hungUp.promise;
    });
  }

  if (name === "MariaDB") {
    for (
      const [plugin, title] of [
        ["client_ed25519", "that the driver does not support"],
        ["mysql_clear_password", "that would send the password in clear text"],
      ] as const
    ) {
      Deno.test(`${name}: the message names an authentication plugin ${title}`, async () => {
        await using server = misbehave(async (connection) => {
          await connection.write(greeting());
          await connection.read(new Uint8Array(512));
          // A request to switch to another plugin, with its salt.
          await connection.write(
            mysqlPacket(2, `\xfe${plugin}\0${"s".repeat(20)}\0`),
          );
          while (await connection.read(new Uint8Array(512)) !== null);
        });
        const error = await refusalOf({ ...source, port: server.port });
        assert.equal(error.reason, "method");
        assert.match(error.message, new RegExp(`plugin ${plugin}, but`));
      });
    }
  }

  Deno.test(`${name}: a login succeeds with a server that sends single bytes`, async () => {
    const { server, source } = await startWithUser(product);
    await using _ = server;
    await using proxy = misbehave(async (client) => {
      const upstream = await Deno.connect({ port: server.port });
      client.setNoDelay(true);
      const back = (async () => {
        for await (const chunk of upstream.readable) {
          for (const byte of chunk) await client.write(Uint8Array.of(byte));
        }
        // The server or the client hung up.
      })().catch(() => {});
      const buffer = new Uint8Array(4096);
      let size: number | null;
      while ((size = await client.read(buffer)) !== null) {
        await upstream.write(buffer.subarray(0, size));
      }
      upstream.close();
      await back;
    });
    const facts = await factsOf({ ...source, port: proxy.port });
    assert.equal(facts.product, name);
  });

  for (const [when, title, noise] of malformations()) {
    Deno.test(`${name}: answers that change to ${title} ${when} end the wait with a message`, async () => {
      const { server, source } = await startWithUser(product);
      await using _ = server;
      await using proxy = misbehave(async (client) => {
        const upstream = await Deno.connect({ port: server.port });
        let isMalformed = false;
        const back = (async () => {
          for await (const chunk of upstream.readable) {
            await client.write(isMalformed ? chunk.map(noise) : chunk);
            isMalformed ||= when === "in the login";
          }
          client.closeWrite();
          // The server or the client hung up.
        })().catch(() => {});
        const buffer = new Uint8Array(4096);
        let size: number | null;
        while ((size = await client.read(buffer).catch(() => null)) !== null) {
          const sent = buffer.slice(0, size);
          isMalformed ||= new TextDecoder().decode(sent).includes("SELECT");
          await upstream.write(sent);
        }
        upstream.close();
        await back;
      });
      const time = realTime(1);
      await assert.rejects(
        waitForDatabase({ ...source, port: proxy.port }, time),
        (error) => {
          assert(error instanceof EntrypointError, String(error));
          assert.match(
            error.message,
            /working connection|refuses the cred|not answer/,
          );
          assert(!error.message.includes(source.password));
          return true;
        },
      );
    });
  }

  Deno.test(`${name}: a server at its limit of connections has the reason too many connections`, async () => {
    const { server, source } = await startWithUser(product, {
      settings: adapter === "postgres"
        ? { max_connections: 4, superuser_reserved_connections: 3 }
        : { "max-connections": name === "MariaDB" ? 10 : 1 },
    });
    await using _ = server;
    // Administrators have one more connection. MariaDB's lowest limit is 10.
    const holders = Array(name === "MariaDB" ? 10 : 1).fill(source);
    const held = await Promise.all(holders.map(connectWhenFree));
    const error = await refusalOf(source);
    assert.equal(error.reason, "too many connections");
    for (const session of held) await session.close();
  });

  Deno.test(`${name}: a wait ends with a login when the server has started`, async () => {
    const server = await product.prepare();
    await using _ = server;
    const time = realTime();
    const administrator = {
      ...source,
      port: server.port,
      user: server.user,
      password: server.password,
      database: adapter === "postgres" ? "postgres" : "mysql",
    };
    const waiting = waitForDatabase(administrator, {
      ...time,
      report(change) {
        time.report(change);
        if (time.changes.length === 1) server.start();
      },
    });
    const { session, facts } = await waiting;
    assert.equal(time.changes[0], "refused");
    assert.equal(facts.product, name);
    await session.close();
  });

  Deno.test(`${name}: a wait ends with a login when a frozen server continues`, async () => {
    const { server, source } = await startWithUser(product);
    await using _ = server;
    await factsOf(source);
    server.freeze();
    const waiting = waitForDatabase(source, realTime());
    setTimeout(() => server.thaw(), 300);
    const { session } = await waiting;
    await session.close();
  });
}

for (const method of ["password", "md5", "scram-sha-256", "trust"]) {
  Deno.test(`PostgreSQL: a login succeeds with the method ${method} in pg_hba.conf`, async () => {
    await using server = await startPostgres({
      access: ["local all all trust", `host all all all ${method}`],
    });
    const source = { ...sourceOf(server), ...ORDINARY };
    const kind = method === "md5" ? "md5" : "scram-sha-256";
    await server.sql(`SET password_encryption = '${kind}';
      CREATE ROLE mmuser LOGIN PASSWORD 'hunter22'`);
    assert.equal((await factsOf(source)).product, "PostgreSQL");
    if (method === "trust") return;
    const error = await refusalOf({ ...source, password: "wrong" });
    assert.equal(error.reason, "credentials");
  });
}

Deno.test("PostgreSQL: a host without an entry in pg_hba.conf has the reason no entry", async () => {
  await using server = await startPostgres({
    access: ["local all all trust", "host all postgres all scram-sha-256"],
  });
  const source = { ...sourceOf(server), ...ORDINARY };
  const error = await refusalOf(source);
  assert.equal(error.reason, "no entry");
  assert.match(error.message, /no pg_hba\.conf entry/);
});

Deno.test("PostgreSQL: a standby has the reason standby", async () => {
  await using server = await startPostgres();
  const source = sourceOf(server);
  // Always in recovery, as a standby is. It never reports that it is ready.
  const [row] = await server.sql("SHOW data_directory");
  await server.halt();
  await Deno.writeTextFile(`${row?.["data_directory"]}/standby.signal`, "");
  const starting = server.start().catch(() => {});
  const time = realTime();
  const controller = new AbortController();
  const enough = new Error("enough");
  await assert.rejects(
    waitForDatabase(source, {
      ...time,
      signal: controller.signal,
      report(change) {
        time.report(change);
        if (change.error.reason === "standby") controller.abort(enough);
      },
    }),
    enough,
  );
  await server.kill();
  await starting;
});

/** Logs in as soon as the server has forgotten the connections that were closed before. */
async function connectWhenFree(source: DataSource): Promise<Session> {
  for (let attempt = 0;; attempt++) {
    try {
      return await connect(source, { signal: new AbortController().signal });
    } catch (error) {
      const isFull = error instanceof ProbeError &&
        error.reason === "too many connections";
      if (!isFull || attempt > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
