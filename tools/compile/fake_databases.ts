/**
 * Fake database servers for the profiling run, on the loopback interface. They accept every
 * login, and answer every query with the same row, which has the columns of all queries of
 * a start.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Server } from "node:net";
import mysql from "mysql";

/** A release for both databases. */
export const RELEASE = "10.5.0";

/** Its migrations, as the table db_migrations has them. */
export const MIGRATIONS: readonly string[] = Array.from(
  { length: 130 },
  (_, index) => `${index + 1} name_of_migration_${index + 1}`,
);

const ROW = {
  version: "17.2",
  read_only: false,
  may_create: true,
  encoding: "UTF8",
  collation: "C",
  server_time: 1_700_000_000_000,
  installed: true,
  migrations: true,
  systems_version: RELEASE,
  applied: MIGRATIONS.join(","),
  held: true,
};

/** PostgreSQL's numbers of bool, float8 and text (`pg_type`), by the type of a value. */
const POSTGRES_TYPES: Readonly<Record<string, number>> = {
  boolean: 16,
  number: 701,
  string: 25,
};

/** MySQL's numbers: the collation utf8mb4_general_ci, a type of columns, a capability. */
const [UTF8MB4, VAR_STRING, CLIENT_SSL] = [45, 253, 0x800];

/** What the types of mysql2 lack. */
type ServerConnection = mysql.Connection & {
  sequenceId: number;
  writeColumns(columns: readonly object[]): void;
  writeTextRow(values: readonly string[]): void;
};

/**
 * Starts a fake PostgreSQL server.
 *
 * @returns Its port.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function startFakePostgres(): Promise<number> {
  const cells = Object.entries(ROW).map(([name, value]) => ({
    name,
    type: POSTGRES_TYPES[typeof value] ?? 0,
    text: typeof value === "boolean" ? (value ? "t" : "f") : String(value),
  }));
  const count = integer(cells.length).subarray(2);
  const ready = message("Z", "I");
  const loggedIn = Buffer.concat([message("R", integer(0)), ready]);
  const result = Buffer.concat([
    message(
      "T",
      count,
      // No table and no column number; then the type, any size, and the text format.
      ...cells.flatMap(({ name, type }) => [
        ...[`${name}\0`, Buffer.alloc(6), integer(type), Buffer.alloc(8)],
      ]),
    ),
    message(
      "D",
      count,
      ...cells.flatMap(({ text }) => [integer(text.length), text]),
    ),
    message("C", "SELECT 1\0"),
    ready,
  ]);
  return listen(createServer((socket) => {
    let reply = loggedIn;
    socket.on("error", () => {});
    // The driver waits for each reply, so each piece of data is one message.
    socket.on("data", () => {
      socket.write(reply);
      reply = result;
    });
  }));
}

function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([
    Buffer.from(type),
    integer(content.length + 4),
    content,
  ]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/**
 * Starts a fake MariaDB server, with the server side of mysql2.
 *
 * @returns Its port.
 */
export function startFakeMariadb(): Promise<number> {
  const row = { ...ROW, version: "10.11.6-MariaDB", encoding: "utf8mb4" };
  const columns = Object.keys(row).map((name) => ({
    ...{ catalog: "def", schema: "", table: "", orgTable: "", name },
    ...{ orgName: name, characterSet: UTF8MB4, columnLength: 1024 },
    ...{ columnType: VAR_STRING, flags: 0, decimals: 0 },
  }));
  const values = Object.values(row).map((value) =>
    typeof value === "string" ? value : String(Number(value))
  );
  const server = mysql.createServer((client) => {
    const connection = client as ServerConnection;
    connection.serverHandshake({
      ...{ protocolVersion: 10, serverVersion: row.version, connectionId: 1 },
      ...{ statusFlags: 2, characterSet: UTF8MB4 },
      capabilityFlags: 0xffffff ^ CLIENT_SSL,
    });
    connection.on("query", () => {
      // mysql2 numbers the packets on, but each command begins at 0.
      connection.sequenceId = 1;
      connection.writeColumns(columns);
      connection.writeTextRow(values);
      connection.writeEof();
      connection.sequenceId = 0;
    });
  });
  return listen((server as unknown as { readonly _server: Server })._server);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
