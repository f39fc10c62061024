/**
 * A database with the login to it, and what the DSN grammars of both products share.
 *
 * @module
 */

import { HIDDEN, hideCredentials } from "../hidden.ts";
import type { Adapter } from "../settings/adapter.ts";

/**
 * What TLS must prove. Only MySQL's driver has `prefer`, which encrypts if the server
 * can; it treats `verify-ca` as `verify-full`.
 */
export type SslMode =
  | "disable"
  | "prefer"
  | "require"
  | "verify-ca"
  | "verify-full";

/** A database and the login to it. */
export interface DataSource {
  /** The server's driver, which determines the grammar of the DSN. */
  readonly adapter: Adapter;
  /** Host name or address; an IPv6 address without brackets. */
  readonly host: string;
  /** TCP port; for PostgreSQL also a part of the unix socket's name. */
  readonly port: number;
  /** Unix socket, instead of host and port: the file for MySQL, its directory for PostgreSQL. */
  readonly socket?: string;
  /** Name of the database user. */
  readonly user: string;
  /** Password of the user, a secret; empty for none. */
  readonly password: string;
  /** Name of the database. */
  readonly database: string;
  /** What TLS must prove; connections through unix sockets are not encrypted. */
  readonly sslMode: SslMode;
  /**
   * Path of a PEM file with the certificate authorities to trust. A PostgreSQL DSN names
   * it. A MySQL DSN cannot: the server must inherit `SSL_CERT_FILE` with the path of a
   * bundle that holds the system's authorities too, since Go then reads no other file.
   *
   * @see https://pkg.go.dev/crypto/x509#SystemCertPool
   */
  readonly sslCa?: string;
  /** MySQL only: the character sets to request, best first. */
  readonly encoding?: string;
  /** All other parameters of the DSN: decoded for PostgreSQL, as written for MySQL. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** The variables or the key that give the login, for messages; `DB_USER` and `DB_PASS` by default. */
  readonly givenBy?: readonly string[];
}

/**
 * Prepares a source for messages: somebody may have put a login in place of a host.
 *
 * @param source The source.
 * @returns The source without such a login.
 */
export function withoutLogin(source: DataSource): DataSource {
  const hide = (text: string): string =>
    hideCredentials(text.replace(/^.*@/s, `${HIDDEN}@`));
  return {
    ...source,
    user: hideCredentials(source.user),
    host: hide(source.host),
    database: hide(source.database),
  };
}

/** The default TCP ports of the products. */
export const DEFAULT_PORTS: Readonly<Record<Adapter, number>> = {
  mysql: 3306,
  postgres: 5432,
};

/** `host` or `[address]`, with or without `:port`. */
export const HOST_PORT_REGEXP = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/;

/**
 * Parses a TCP port.
 *
 * @param text Decimal digits.
 * @returns The port, 1 to 65535.
 * @throws {SyntaxError} Where the text is not a port.
 */
export function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new SyntaxError("The DSN has a port that is not from 1 to 65535");
  }
  return port;
}

/**
 * Writes a host so that a colon and a port can follow.
 *
 * @param host Host name or address.
 * @returns The same; an IPv6 address in brackets.
 */
export function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Decodes percent-encoded UTF-8.
 *
 * @param text The encoded text.
 * @returns The decoded text.
 * @throws {SyntaxError} Where a percent sign does not begin an encoded character.
 */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SyntaxError(
      "The DSN has a percent sign that does not begin an encoded character",
    );
  }
}
