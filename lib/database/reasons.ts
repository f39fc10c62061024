/**
 * Why a database cannot be used, as data: what can heal by waiting, the exit code,
 * how it reads, and what the operator can do about it.
 *
 * @module
 */

import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import type { DataSource } from "./data_source.ts";
import { ExitCode } from "../errors.ts";

/** Why a database cannot be used. */
export type Reason =
  | "dns"
  | "refused"
  | "unreachable"
  | "timeout"
  | "protocol"
  | "starting up"
  | "too many connections"
  | "read-only"
  | "tls"
  | "credentials"
  | "forbidden"
  | "no such database";

/** What is known of a reason. */
export interface ReasonFacts {
  /** Whether it may pass by itself while the database or the network comes up. */
  readonly healable: boolean;
  /** What the program exits with when it lasts. */
  readonly exitCode: ExitCode;
  /** Goes on from "the database". */
  readonly phrase: string;
}

/** Every reason, what can heal first. */
export const REASONS: Readonly<Record<Reason, ReasonFacts>> = {
  dns: waiting("has a host name that does not resolve"),
  refused: waiting("refuses connections"),
  unreachable: waiting("cannot be reached over the network"),
  timeout: waiting("does not answer"),
  protocol: waiting("breaks off before the login is complete"),
  "starting up": waiting("is starting up or shutting down"),
  "too many connections": waiting("has no connection left"),
  "read-only": waiting("is read-only"),
  tls: final(ExitCode.settings, "cannot be reached over TLS as asked"),
  credentials: final(ExitCode.refused, "refuses the credentials"),
  forbidden: final(ExitCode.refused, "does not permit what Mattermost needs"),
  "no such database": final(ExitCode.settings, "does not exist"),
};

function waiting(phrase: string): ReasonFacts {
  return { healable: true, exitCode: ExitCode.unavailable, phrase };
}

function final(exitCode: ExitCode, phrase: string): ReasonFacts {
  return { healable: false, exitCode, phrase };
}

/** One step that repairs it, made for the source at hand. */
type Remedy = (source: DataSource) => string;

const REACH: Readonly<Partial<Record<Reason, Remedy>>> = {
  dns: ({ host }) =>
    `Check DB_HOST=${host}: in Docker it is the name of the database's container or service, on a network that both share (docker network inspect)`,
  refused: ({ host, port, socket }) =>
    socket === undefined
      ? `Start the database, and check that it listens on port ${port} of ${host}, not only on its own loopback address`
      : `Start the database, and mount the directory of ${socket} into this container`,
  unreachable: ({ host }) =>
    `Check that this container and ${host} share a network, and that the database is running`,
  timeout: ({ host, port }) =>
    `Check firewalls and DB_PORT: ${host}:${port} takes no connection or says nothing; DB_TIMEOUT sets how long to wait`,
  protocol: ({ port, adapter }) =>
    `Check that port ${port} belongs to ${
      PRODUCTS[adapter]
    }, and read the log of the database`,
  "starting up": () =>
    "Read the log of the database; DB_TIMEOUT sets how long to wait for it",
};

const REMEDIES: Readonly<
  Record<Adapter, Readonly<Partial<Record<Reason, Remedy>>>>
> = {
  postgres: {
    ...REACH,
    "too many connections": () =>
      "Raise it on the database: ALTER SYSTEM SET max_connections = 300; then restart it",
    "read-only": ({ host }) =>
      `Point DB_HOST to the primary server, since ${host} is a standby or has default_transaction_read_only on`,
    tls: ({ sslMode }) =>
      sslMode === "verify-ca" || sslMode === "verify-full"
        ? "Name the authority that signed the server's certificate in DB_SSL_CA, or, to encrypt without proof, set DB_SSL_MODE=require"
        : "Turn TLS on in the server (ssl = on), or, on a network that you trust, set DB_SSL_MODE=disable",
    credentials: ({ user }) =>
      `Check DB_USER and DB_PASS, or set the password again: ALTER ROLE ${
        identifier(user)
      } WITH LOGIN PASSWORD '…'; (POSTGRES_PASSWORD counts only when the volume of the database is first initialised)`,
    forbidden: ({ user, database }) =>
      `In that database, as its administrator: GRANT CONNECT, CREATE ON DATABASE ${
        identifier(database)
      } TO ${identifier(user)}; GRANT USAGE, CREATE ON SCHEMA public TO ${
        identifier(user)
      }; (and see that pg_hba.conf lets this host in, for the kind of connection that DB_SSL_MODE makes)`,
    "no such database": ({ user, database }) =>
      `As the administrator: CREATE DATABASE ${
        identifier(database)
      } ENCODING 'UTF8' TEMPLATE template0 OWNER ${
        identifier(user)
      }; (or correct DB_NAME; POSTGRES_DB counts only when the volume of the database is first initialised)`,
  },
  mysql: {
    ...REACH,
    "too many connections": () =>
      "Raise it on the database: SET GLOBAL max_connections = 300;",
    "read-only": ({ host }) =>
      `Point DB_HOST to the primary server, or on ${host}: SET GLOBAL read_only = OFF;`,
    tls: ({ sslMode }) =>
      sslMode === "verify-ca" || sslMode === "verify-full"
        ? "Name the authority that signed the server's certificate in DB_SSL_CA, or, to encrypt without proof, set DB_SSL_MODE=require"
        : sslMode === "disable"
        ? "The server demands TLS: set DB_SSL_MODE=require"
        : "Turn TLS on in the server, or, on a network that you trust, set DB_SSL_MODE=disable",
    credentials: ({ user }) =>
      `Check DB_USER and DB_PASS, or set the password again: ALTER USER ${
        account(user)
      } IDENTIFIED BY '…'; (MYSQL_PASSWORD counts only when the volume of the database is first initialised)`,
    forbidden: ({ user, database }) =>
      `As the administrator: GRANT ALL PRIVILEGES ON ${
        quoted(database, "`")
      }.* TO ${
        account(user)
      }; (that account must exist for connections from this host, as '%' does)`,
    "no such database": ({ database, user }) =>
      `As the administrator: CREATE DATABASE ${
        quoted(database, "`")
      } CHARACTER SET utf8mb4; GRANT ALL PRIVILEGES ON ${
        quoted(database, "`")
      }.* TO ${
        account(user)
      }; (or correct DB_NAME; MYSQL_DATABASE counts only when the volume of the database is first initialised)`,
  },
};

/**
 * Finds what the operator can do.
 *
 * @param reason Why the database cannot be used.
 * @param source The database and the login; its password is not used.
 * @returns One line, often with a statement to paste.
 */
export function remedyFor(reason: Reason, source: DataSource): string {
  const remedy = REMEDIES[source.adapter][reason];
  return remedy === undefined ? "Read the log of the database" : remedy(source);
}

function identifier(name: string): string {
  return quoted(name, '"');
}

function account(user: string): string {
  return `'${user.replaceAll("'", "''")}'@'%'`;
}

function quoted(name: string, quote: string): string {
  return `${quote}${name.replaceAll(quote, quote + quote)}${quote}`;
}
