/**
 * What a database and the login to it are, and what both DSN grammars share.
 *
 * @module
 */

import type { Adapter } from "../settings/adapter.ts";

/**
 * How much TLS has to prove. `prefer` (encrypt if the server can) is in MySQL's
 * driver only, and that one takes `verify-ca` for `verify-full`.
 */
export type SslMode =
  | "disable"
  | "prefer"
  | "require"
  | "verify-ca"
  | "verify-full";

/** A database and the login to it. */
export interface DataSource {
  /** Which driver of the server, and so which grammar. */
  readonly adapter: Adapter;
  /** Name or address; an IPv6 address without brackets. */
  readonly host: string;
  /** TCP port; for PostgreSQL also a part of the unix socket's name. */
  readonly port: number;
  /** Unix socket, instead of host and port: the file for MySQL, its directory for PostgreSQL. */
  readonly socket?: string;
  /** Who logs in. */
  readonly user: string;
  /** A secret; empty for none. */
  readonly password: string;
  /** Name of the database. */
  readonly database: string;
  /** What TLS has to prove; unix sockets have none. */
  readonly sslMode: SslMode;
  /**
   * Path of a PEM file with the authorities to trust. A PostgreSQL DSN names it.
   * A MySQL DSN cannot: there the server must inherit `SSL_CERT_FILE`, the path of
   * a bundle that holds the system's authorities too, since Go reads no other then.
   */
  readonly sslCa?: string;
  /** MySQL only: the character sets to ask for, best first. */
  readonly encoding?: string;
  /** Any other parameter of the DSN, as its text there: decoded for PostgreSQL, raw for MySQL. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The ports that the products listen on by default. */
export const DEFAULT_PORTS: Readonly<Record<Adapter, number>> = {
  mysql: 3306,
  postgres: 5432,
};

/** `host`, `[address]`, each with or without `:port`. */
export const HOST_PORT_REGEXP = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/;

/**
 * Reads a TCP port.
 *
 * @param text Decimal digits.
 * @returns The port, 1 to 65535.
 * @throws {SyntaxError} Where it is none.
 */
export function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new SyntaxError("The DSN has a port that is not from 1 to 65535");
  }
  return port;
}

/**
 * Writes a host so that a port can follow.
 *
 * @param host Name or address.
 * @returns The same, an IPv6 address in brackets.
 */
export function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Decodes percent-encoded UTF-8.
 *
 * @param text The encoded text.
 * @returns The text.
 * @throws {SyntaxError} Where a percent sign encodes nothing.
 */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SyntaxError("The DSN has a percent sign that encodes nothing");
  }
}
