/**
 * A database with the login to it, and what the DSN grammars of both products share.
 *
 * @module
 */

import { HIDDEN, hideCredentials } from "../hidden.ts";
import type { Adapter } from "../settings/adapter.ts";

/**
 * What TLS must prove. `prefer` encrypts if the server can, `allow` only if it must: MySQL's driver
 * has the first, PostgreSQL's has both from 1.12 on. MySQL's treats `verify-ca` as `verify-full`.
 */
export type SslMode =
  | "disable"
  | "allow"
  | "prefer"
  | "require"
  | "verify-ca"
  | "verify-full";

/** Where a server of the database listens. */
export interface DatabaseServer {
  /** Host name or address; an IPv6 address without brackets. */
  readonly host: string;
  /** TCP port; for PostgreSQL also a part of the unix socket's name. */
  readonly port: number;
  /** Unix socket, instead of host and port: the file for MySQL, its directory for PostgreSQL. */
  readonly socket?: string;
  /** PostgreSQL's `hostaddr`: the address to connect to, while the certificate is for the host. */
  readonly address?: string;
}

/**
 * What a server must be, PostgreSQL's `target_session_attrs`.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS
 */
export type SessionAttributes =
  | "any"
  | "read-write"
  | "read-only"
  | "primary"
  | "standby"
  | "prefer-standby";

/** A database and the login to it. */
export interface DataSource extends DatabaseServer {
  /** The server's driver, which determines the grammar of the DSN. */
  readonly adapter: Adapter;
  /** The version of that driver, such as `1.10.9`; `undefined` if it is not known. */
  readonly driver?: string;
  /** Further servers, which the driver tries in this order after the first. */
  readonly alternatives?: readonly DatabaseServer[];
  /** What the driver requires of a server before it uses it; `any` by default. */
  readonly targetSessionAttrs?: SessionAttributes;
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
  /**
   * The parameters that the driver does not know, so that it passes them on: PostgreSQL gets them
   * at the login, and MySQL in a statement `SET name = value`. Both refuse unknown names.
   */
  readonly sessionParameters?: Readonly<Record<string, string>>;
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
  const { alternatives, givenBy, socket, port, database, user } = withoutLogin(
    source,
  );
  return [
    ...(alternatives !== undefined
      ? [`servers ${addressText(source)}`]
      : socket === undefined
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
  return {
    ...source,
    user: hideCredentials(source.user),
    host: hide(source.host),
    database: hide(source.database),
  };
}

/**
 * Writes where a database listens, for messages.
 *
 * @param source The database.
 * @returns The sockets, or hosts with their ports, of all servers, without logins.
 */
export function addressText(source: DataSource): string {
  return [source, ...source.alternatives ?? []].map(({ host, port, socket }) =>
    socket ?? `${hide(host)}:${port}`
  ).join(", ");
}

function hide(text: string): string {
  return hideCredentials(text.replace(/^.*@/s, `${HIDDEN}@`));
}

/** The default TCP ports of the products. */
export const DEFAULT_PORTS: Readonly<Record<Adapter, number>> = {
  mysql: 3306,
  postgres: 5432,
};

/** A part of the text of a data source. */
export interface Part {
  /** The part, decoded. */
  readonly text: string;
  /** Where it begins: an index of the whole text, or -1 for what is not in it. */
  readonly at: number;
  /** What it is, such as `the password`. */
  readonly place?: string;
}

/** The reason why the server's driver refuses a data source. Its text holds no part of the data source. */
export class DataSourceError extends SyntaxError {
  /**
   * Makes the error.
   *
   * @param reason A clause with the subject "it", which is the data source.
   * @param where The data source, the index of what is refused, and what is there; `undefined` if no place is to blame.
   */
  constructor(
    reason: string,
    where?: {
      readonly text: string;
      readonly at: number;
      readonly place?: string | undefined;
    },
  ) {
    const place = where?.place === undefined ? "" : `, in ${where.place}`;
    super(
      where === undefined || where.at < 0
        ? `${reason}${place}`
        : `${reason}, at character ${
          [...where.text.slice(0, where.at)].length + 1
        }${place}`,
    );
  }
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
