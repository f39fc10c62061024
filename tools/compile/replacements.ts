/**
 * What the compiled program loads instead of other modules: nothing for what a login
 * does not need of PostgreSQL's driver, and a faster way for SCRAM.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { builtin } from "./builtin.ts";

const nodeCrypto = builtin("node:crypto");

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
  return builtin("node:buffer").Buffer.from(
    await crypto.subtle.deriveBits(parameters, key, 8 * length),
  );
}

/** Replacements by the pattern of the name; nothing else may end in the same words. */
export const REPLACEMENTS: Readonly<Record<string, unknown>> = {
  // The functions that others use are there too, but nobody has to copy them.
  "node:crypto": Object.create(nodeCrypto, {
    pbkdf2Sync: { value: pbkdf2, enumerable: true },
  }),
  // Replication and large objects of PostgreSQL, which nobody asks for.
  "*/subscribe.js": () => () => {},
  "*/large.js": () => {},
};
