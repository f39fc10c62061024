/**
 * A database with the login to it, and what the DSN grammars of both products share.
 *
 * @module
 */

import { HIDDEN, hideCredentials } from "../hidden.ts";
import type { Adapter } from "../settings/adapter.ts";

/**
 * What TLS must prove. MySQL's driver treats `verify-ca` as `verify-full`. With `prefer` it
 * encrypts if the server can; PostgreSQL's driver knows `prefer` and `allow` from lib/pq 1.11 on.
 */
export type SslMode =
  | "disable"
  | "allow"
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
  /** The version of the server's driver, such as `1.10.9`; `undefined` if it is not known. */
  readonly driver?: string;
  /** MySQL only: the character sets to request, best first. */
  readonly encoding?: string;
  /** All other parameters of the DSN: decoded for PostgreSQL, as written for MySQL. */
  readonly parameters?: Readonly<Record<string, string>>;
  /**
   * What gives the parts of the login, for messages: one variable or key for all of them, or
   * for each part that its own variable does not give, what does.
   */
  readonly givenBy?: string | Readonly<Partial<Record<LoginPart, string>>>;
}

/** A part of a login, by its variable. */
export type LoginPart =
  | "DB_HOST"
  | "DB_PORT"
  | "DB_NAME"
  | "DB_USER"
  | "DB_PASS";

/** The words for the parts of a login. */
const PARTS: Readonly<Record<LoginPart, string>> = {
  DB_HOST: "the host",
  DB_PORT: "the port",
  DB_NAME: "the database",
  DB_USER: "the user",
  DB_PASS: "the password",
};

/** What gives a host that no variable names, but that is one of the usual names of services and resolves. */
export const FOUND_BY_NAME = "a service name";

/**
 * Names what gives a part of a login, so that the operator can check it.
 *
 * @param source The login.
 * @param part The part.
 * @returns Such as `DB_PASS_FILE`, `POSTGRES_ENV_POSTGRES_USER` or `MM_SQLSETTINGS_DATASOURCE`.
 */
export function giverOf({ givenBy = {} }: DataSource, part: LoginPart): string {
  if (typeof givenBy === "string") return givenBy;
  const given = givenBy[part];
  return given === undefined || given === FOUND_BY_NAME ? part : given;
}

/**
 * Names what the operator can set to change a part of a login.
 *
 * @param source The login.
 * @param part The part.
 * @returns Such as `DB_HOST`, or `the host in MM_SQLSETTINGS_DATASOURCE`.
 */
export function settingOf({ givenBy }: DataSource, part: LoginPart): string {
  if (typeof givenBy !== "string") return part;
  return `${PARTS[part]} in ${givenBy}`;
}

/**
 * Lists the parts of a login but its password, with what gives each.
 *
 * @param source The login.
 * @returns Such as `DB_HOST=db, DB_PORT=5432, DB_NAME=mattermost, DB_USER=mattermost`.
 */
export function describeLogin(source: DataSource): string {
  const { givenBy, socket, port, database, user } = withoutLogin(source);
  return [
    ...(socket === undefined
      ? [describeHost(source), describePart(source, "DB_PORT", `${port}`)]
      : [`socket ${socket}`]),
    describePart(source, "DB_NAME", database),
    describePart(source, "DB_USER", user),
    ...(typeof givenBy === "string" ? [`as in ${givenBy}`] : []),
  ].join(", ");
}

/**
 * Writes the host of a database with what gives it.
 *
 * @param source The database.
 * @returns Such as `DB_HOST=db`, or `host db found as a service name`.
 */
export function describeHost(source: DataSource): string {
  return describePart(source, "DB_HOST", withoutLogin(source).host);
}

function describePart(
  { givenBy = {} }: DataSource,
  part: LoginPart,
  value: string,
): string {
  const words = `${PARTS[part].replace("the ", "")} ${value}`;
  if (typeof givenBy === "string") return words;
  const given = givenBy[part];
  // The value of a `_FILE` variable is a path.
  if (given === undefined || given === `${part}_FILE`) {
    return `${part}=${value}`;
  }
  return `${words} ${given === FOUND_BY_NAME ? "found as" : "from"} ${given}`;
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
