/**
 * Databases that know the one conversation that a start has with them, on the loopback
 * interface, for the profiling run. They are no test of anything.
 *
 * @module
 */

import type { AddressInfo, Server } from "node:net";
import { Buffer } from "node:buffer";
import mysql from "mysql";

/** The last migration of the release, in both databases. */
const MIGRATION = 129;

/** Types in PostgreSQL's catalogue (`pg_type`). */
const Type = { bool: 16, int4: 23, text: 25, float8: 701 } as const;

/** `utf8mb4_general_ci`, a type of columns, and the capability to use TLS, as MySQL numbers them. */
const [UTF8MB4, VAR_STRING, TLS] = [45, 253, 0x800];

/** What the driver's types leave out. */
type ServerConnection = mysql.Connection & {
  writeColumns(columns: readonly object[]): void;
  writeTextRow(values: readonly string[]): void;
};

type Column = readonly [name: string, type: keyof typeof Type, value: string];

/**
 * Serves PostgreSQL's protocol, to everybody without a password.
 *
 * @param release The release in the table Systems.
 * @returns The port.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function servePostgres(release: string): number {
  const facts: readonly Column[] = [
    ["version", "text", "17.2"],
    ["read_only", "bool", "f"],
    ["may_create", "bool", "t"],
    ["encoding", "text", "UTF8"],
    ["collation", "text", "C.UTF-8"],
    ["server_time", "float8", "1700000000000"],
    ["installed", "bool", "t"],
    ["migrations", "bool", "t"],
  ];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ready = message("Z", "I");
  async function serve(connection: Deno.TcpConn): Promise<void> {
    const chunk = new Uint8Array(16_384);
    let isLoggedIn = false;
    // A client waits for each answer, so what comes at once is one message.
    for (let count; (count = await connection.read(chunk)) !== null;) {
      const text = new TextDecoder().decode(chunk.subarray(0, count));
      const answers = isLoggedIn
        ? [
          ...text.includes("server_version") ? rows(facts) : [],
          ...text.includes("FROM systems")
            ? rows([["systems_version", "text", release]])
            : [],
          ...text.includes("FROM db_migrations")
            ? rows([["last_migration", "int4", String(MIGRATION)]])
            : [],
          ...text.includes("advisory") ? rows([["held", "bool", "t"]]) : [],
        ]
        : [message("R", int32(0))];
      isLoggedIn = true;
      await connection.write(Buffer.concat([...answers, ready]));
    }
  }
  (async (): Promise<void> => {
    for await (const connection of listener) serve(connection).catch(() => {});
  })();
  return listener.addr.port;
}

/**
 * Serves MariaDB's protocol, to everybody, by the server side of the driver.
 *
 * @param release The release in the table Systems.
 * @returns The port.
 */
export async function serveMysql(release: string): Promise<number> {
  const facts = {
    version: "10.11.6-MariaDB",
    systems_version: release,
    last_migration: String(MIGRATION),
    encoding: "utf8mb4",
    collation: "utf8mb4_general_ci",
    server_time: "1700000000000.000",
    installed: "1",
    team_id: "0",
    held: "1",
  };
  const columns = Object.keys(facts).map((name) => ({
    ...{ catalog: "def", schema: "", table: "", orgTable: "", name },
    ...{ orgName: name, characterSet: UTF8MB4, columnLength: 1024 },
    ...{ columnType: VAR_STRING, flags: 0, decimals: 0 },
  }));
  const server = mysql.createServer((client) => {
    const connection = client as ServerConnection;
    connection.serverHandshake({
      ...{ protocolVersion: 10, serverVersion: facts.version, connectionId: 1 },
      ...{
        statusFlags: 2,
        characterSet: UTF8MB4,
        capabilityFlags: 0xffffff ^ TLS,
      },
    });
    connection.on("query", () => {
      connection.writeColumns(columns);
      connection.writeTextRow(Object.values(facts));
      connection.writeEof();
    });
  });
  const { _server: socket } = server as unknown as { _server: Server };
  await new Promise<void>((resolve) => {
    socket.listen(0, "127.0.0.1", resolve);
  });
  return (socket.address() as AddressInfo).port;
}

/** A result of one row. */
function rows(columns: readonly Column[]): Buffer[] {
  const count = int32(columns.length).subarray(2);
  return [
    message(
      "T",
      count,
      // Neither table nor column number, then the type, its size, and text format.
      ...columns.flatMap(([name, type]) => [
        `${name}\0`,
        Buffer.alloc(6),
        int32(Type[type]),
        Buffer.alloc(8),
      ]),
    ),
    message(
      "D",
      count,
      ...columns.flatMap(([, , value]) => [int32(value.length), value]),
    ),
    message("C", "SELECT 1\0"),
  ];
}

function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from(type), int32(content.length + 4), content]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
