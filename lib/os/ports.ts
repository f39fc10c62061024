/**
 * Whether this process may listen on a TCP port, and what else can give that right to the server.
 *
 * @module
 */

import { errorCode } from "../errors.ts";
import { loadLibc } from "./libc.ts";
import type { ListenAddress } from "./system.ts";

/** The errors that tell something about the port (bind(2)). */
const CODES: ReadonlySet<string> = new Set([
  "EACCES",
  "EADDRINUSE",
  "EADDRNOTAVAIL",
]);

/**
 * Listens on a TCP port for a moment, with the options of Go's `net.Listen`.
 *
 * @param address The port, and the IP address or host name.
 * @returns `EACCES`, `EADDRINUSE` or `EADDRNOTAVAIL`; `undefined` if nothing is known against it.
 */
export function tryPort({ host, port }: ListenAddress): string | undefined {
  if (host !== undefined) return tryListening(host, port);
  const code = tryListening("::", port);
  // Without IPv6, Go listens on all IPv4 addresses.
  return code === undefined || code === "EADDRNOTAVAIL"
    ? tryListening("0.0.0.0", port)
    : code;
}

function tryListening(hostname: string, port: number): string | undefined {
  try {
    Deno.listen({ hostname, port }).close();
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? "";
    return CODES.has(code) ? code : undefined;
  }
}

/**
 * Tells whether a program has capabilities of its own, such as those of
 * `setcap cap_net_bind_service=+ep`, with which it may use ports that its user may not.
 *
 * @param path The program.
 * @returns Whether it has.
 */
export function hasCapabilities(path: string): boolean {
  const library = loadLibc({
    getxattr: {
      parameters: ["buffer", "buffer", "buffer", "usize"],
      result: "isize",
    },
  });
  try {
    const { getxattr } = library.symbols;
    // Where capabilities(7) says that they are.
    const name = cString("security.capability");
    return Number(getxattr(cString(path), name, null, 0n)) > 0;
  } finally {
    library.close();
  }
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
