/**
 * Databases that can just do the one conversation that a start has with them, on
 * the loopback interface: to try the program out where none is at hand. They are
 * no test of anything.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** What both tell of the Mattermost in them, and who may come in. */
export interface Told {
  /** The release in the table Systems. */
  readonly release: string;
  /** The last migration. */
  readonly migration: number;
  /** The password of everybody. */
  readonly password: string;
}

/** Reads some bytes, all of them; `undefined` at the end. */
type Read = (length: number) => Promise<Buffer | undefined>;
/** Sends bytes. */
type Write = (...parts: Buffer[]) => Promise<void>;

/** A conversation from the first byte to the last. */
export type Conversation = (read: Read, write: Write) => Promise<void>;

/**
 * Has the same conversation with everybody who comes.
 *
 * @param conversation What is said.
 * @returns The port on 127.0.0.1, and what ends it.
 */
export function serve(
  conversation: Conversation,
): { readonly port: number } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async (): Promise<void> => {
    for await (const connection of listener) {
      // Who hangs up in the middle has had enough.
      converse(connection, conversation).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => listener.close(),
  };
}

async function converse(
  connection: Deno.TcpConn,
  conversation: Conversation,
): Promise<void> {
  using _ = connection;
  let held = Buffer.alloc(0);
  const chunk = new Uint8Array(65_536);
  async function read(length: number): Promise<Buffer | undefined> {
    while (held.length < length) {
      const count = await connection.read(chunk);
      if (count === null) return undefined;
      held = Buffer.concat([held, chunk.subarray(0, count)]);
    }
    const part = held.subarray(0, length);
    held = held.subarray(length);
    return part;
  }
  await conversation(read, async (...parts) => {
    let rest = Buffer.concat(parts);
    while (rest.length > 0) {
      rest = rest.subarray(await connection.write(rest));
    }
  });
}

/** Numbers of types in PostgreSQL's catalogue. */
const Type = { bool: 16, int4: 23, text: 25, float8: 701 } as const;

/** A column: name, type, value. */
type Column = readonly [name: string, type: keyof typeof Type, value: string];

/**
 * A PostgreSQL with SCRAM (its documentation, "Frontend/Backend Protocol"; RFC 5802).
 *
 * @param told What it tells.
 * @returns The conversation.
 */
export function postgresPartner(told: Told): Conversation {
  const facts: readonly Column[] = [
    ["version", "text", "17.2"],
    ["version_number", "int4", "170002"],
    ["read_only", "bool", "f"],
    ["may_create", "bool", "t"],
    ["encoding", "text", "UTF8"],
    ["collation", "text", "C.UTF-8"],
    ["server_time", "float8", "1700000000000"],
    ["installed", "bool", "t"],
    ["migrations", "bool", "t"],
  ];
  const schema = [
    ...result([["systems_version", "text", told.release]]),
    ...result([["last_migration", "int4", String(told.migration)]]),
  ];
  return async (read, write) => {
    const startup = await read(4);
    await read((startup?.readInt32BE() ?? 4) - 4);
    await scram(read, write, told.password);
    await write(
      message("S", cString("server_version"), cString("17.2")),
      message("K", int32(1), int32(2)),
      READY,
    );
    for (let text; (text = await question(read)) !== undefined;) {
      await write(
        ...(text.includes("server_version_num") ? result(facts) : []),
        ...(text.includes("FROM db_migrations") ? schema : []),
        ...(text.includes("advisory") ? result([["held", "bool", "t"]]) : []),
        READY,
      );
    }
  };
}

/** The text of a query; `undefined` at the end. */
async function question(read: Read): Promise<string | undefined> {
  const asked = await body(read);
  return asked?.type === "Q" ? asked.content.toString() : undefined;
}

async function body(
  read: Read,
): Promise<{ type: string; content: Buffer } | undefined> {
  const head = await read(5);
  if (head === undefined) return undefined;
  const content = await read(head.readInt32BE(1) - 4) ?? Buffer.alloc(0);
  return { type: head.toString("latin1", 0, 1), content };
}

async function scram(
  read: Read,
  write: Write,
  password: string,
): Promise<void> {
  const salt = Buffer.from("salt of a rehearsal");
  const iterations = 4096;
  await write(message("R", int32(10), cString("SCRAM-SHA-256"), NUL));
  const hello = (await body(read))?.content.toString() ?? "";
  const first = hello.slice(hello.indexOf("n,,") + 3);
  const nonce = first.slice(first.indexOf("r=") + 2);
  const second = `r=${nonce}partner,s=${
    salt.toString("base64")
  },i=${iterations}`;
  await write(message("R", int32(11), Buffer.from(second)));
  const third = (await body(read))?.content.toString() ?? "";
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const key = createHmac("sha256", salted).update("Server Key").digest();
  const signature = createHmac("sha256", key)
    .update(`${first},${second},${third.slice(0, third.indexOf(",p="))}`)
    .digest("base64");
  await write(
    message("R", int32(12), Buffer.from(`v=${signature}`)),
    message("R", int32(0)),
  );
}

function result(columns: readonly Column[]): Buffer[] {
  const fields = columns.flatMap(([name, type]) => [
    cString(name),
    int32(0),
    int16(0),
    int32(Type[type]),
    int16(-1),
    int32(-1),
    int16(0),
  ]);
  const values = columns.flatMap(([, , value]) => [
    int32(Buffer.byteLength(value)),
    Buffer.from(value),
  ]);
  const count = int16(columns.length);
  return [
    message("T", count, ...fields),
    message("D", count, ...values),
    message("C", cString("SELECT 1")),
  ];
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(content.length + 4), content]);
}

const NUL = Buffer.alloc(1);

function cString(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), NUL]);
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

const READY = message("Z", Buffer.from("I"));

/** What a MySQL of today can do, without TLS and without compression. */
const CAPABILITIES = 0x00_1f_a2_1f;
/** Status bits: a transaction ends with its statement; another result follows. */
const AUTOCOMMIT = 2;
const MORE_RESULTS = 8;
/** `utf8mb4_general_ci`. */
const COLLATION = 45;
/** Types of columns. */
const LONGLONG = 8;
const VAR_STRING = 253;

type Row = Readonly<Record<string, string | number>>;

/** The two ways of a login without TLS. */
export type MysqlPlugin = "mysql_native_password" | "caching_sha2_password";

/**
 * A MySQL or MariaDB (MySQL's documentation, "Client/Server Protocol"). It does not
 * look at passwords.
 *
 * @param told What it tells.
 * @param plugin How it wants the password.
 * @returns The conversation.
 */
export function mysqlPartner(told: Told, plugin: MysqlPlugin): Conversation {
  const isMariadb = plugin === "mysql_native_password";
  const version = isMariadb ? "10.11.6-MariaDB" : "8.4.3";
  const facts: Row = {
    systems_version: told.release,
    last_migration: told.migration,
    version,
    encoding: "utf8mb4",
    collation: "utf8mb4_general_ci",
    server_time: "1700000000000.000",
    installed: 1,
    team_id: 0,
    held: 1,
  };
  return async (read, write) => {
    const scramble = createHash("sha256").update(plugin).digest();
    await write(packet(0, [
      Buffer.from([10]),
      cString(version),
      Buffer.from([1, 0, 0, 0]),
      scramble.subarray(0, 8),
      NUL,
      little(CAPABILITIES & 0xffff, 2),
      Buffer.from([COLLATION]),
      little(AUTOCOMMIT, 2),
      little(CAPABILITIES >>> 16, 2),
      Buffer.from([21]),
      Buffer.alloc(10),
      scramble.subarray(8, 20),
      NUL,
      cString(plugin),
    ]));
    if (await asked(read) === undefined) return;
    // "I know this password": the short way of caching_sha2_password.
    if (!isMariadb) await write(packet(2, [Buffer.from([1, 3])]));
    await write(packet(isMariadb ? 2 : 3, ok(AUTOCOMMIT)));
    for (let text; (text = await asked(read)) !== undefined;) {
      if (text[0] !== 3) return;
      // Each statement of a message has a result; one of them has a row.
      const statements = text.toString().split(/;\s*/).filter((part) => part);
      let number = 1;
      for (const [index, statement] of statements.entries()) {
        const status = AUTOCOMMIT |
          (index + 1 < statements.length ? MORE_RESULTS : 0);
        const packets = /^EXECUTE|GET_LOCK/.test(statement)
          ? rows(facts, status)
          : [ok(status)];
        for (const content of packets) await write(packet(number++, content));
      }
    }
  };
}

async function asked(read: Read): Promise<Buffer | undefined> {
  const head = await read(4);
  return head === undefined ? undefined : await read(head.readUIntLE(0, 3));
}

function ok(status: number): Buffer[] {
  return [Buffer.from([0, 0, 0]), little(status, 2), Buffer.alloc(2)];
}

function rows(row: Row, status: number): Buffer[][] {
  const end = [Buffer.from([0xfe, 0, 0]), little(status, 2)];
  const columns = Object.entries(row);
  return [
    [Buffer.from([columns.length])],
    ...columns.map(([name, value]) => [
      ...["def", "", "", "", name, name].map(sized),
      Buffer.from([12]),
      little(COLLATION, 2),
      little(1024, 4),
      Buffer.from([typeof value === "number" ? LONGLONG : VAR_STRING]),
      Buffer.alloc(5),
    ]),
    end,
    columns.map(([, value]) => sized(String(value))),
    end,
  ];
}

function sized(text: string): Buffer {
  return Buffer.concat([
    Buffer.from([Buffer.byteLength(text)]),
    Buffer.from(text),
  ]);
}

function packet(number: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([
    little(content.length, 3),
    Buffer.from([number]),
    content,
  ]);
}

function little(value: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  buffer.writeUIntLE(value, 0, length);
  return buffer;
}
