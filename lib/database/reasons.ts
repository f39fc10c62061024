/**
 * The reasons why a database cannot be used. A reason is one row of {@linkcode REASONS}:
 * its message, its exit code, the errors that mean it, and its remedy.
 *
 * @module
 */

import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import { type DataSource, withoutLogin } from "./data_source.ts";
import { ExitCode } from "../errors.ts";

/** Makes the remedy for a data source: one line, often with a statement to paste. */
type Remedy = (source: DataSource) => string;

/** A reason why a database cannot be used. */
interface ReasonFacts {
  /** The predicate of the message, after "The PostgreSQL database (…)". */
  readonly phrase: string;
  /** The exit code of the program. `unavailable` means that the reason can pass without the operator. */
  readonly exitCode: ExitCode;
  /** Error codes of the operating system, of the runtime and of the drivers. */
  readonly systemCodes?: string;
  /** SQLSTATEs of PostgreSQL; https://www.postgresql.org/docs/current/errcodes-appendix.html names them. */
  readonly sqlStates?: string;
  /**
   * Error numbers of MySQL and MariaDB, all from 1000 on.
   *
   * @see https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
   * @see https://mariadb.com/kb/en/mariadb-error-code-reference/
   */
  readonly mysqlErrors?: string;
  /** One remedy, or one for each product. */
  readonly remedy: Remedy | Readonly<Record<Adapter, Remedy>>;
}

/** Every reason; the temporary ones come first. */
export const REASONS = {
  dns: {
    phrase: "has a host name that does not resolve",
    exitCode: ExitCode.unavailable,
    systemCodes: "ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA EAI_NONAME",
    remedy: ({ host }) =>
      `Check DB_HOST=${host}: with Docker, it must be the name of the database's container or service, and both containers must be on the same network (docker network inspect)`,
  },
  refused: {
    phrase: "refuses connections",
    exitCode: ExitCode.unavailable,
    // ENOENT: the unix socket does not exist yet.
    systemCodes: "ECONNREFUSED ENOENT",
    remedy: ({ host, port, socket }) =>
      socket === undefined
        ? `Start the database, and check that it listens on port ${port} of ${host}, not only on its own loopback address`
        : `Start the database, and mount the directory of ${socket} into this container`,
  },
  unreachable: {
    phrase: "cannot be reached over the network",
    exitCode: ExitCode.unavailable,
    // EINVAL: an IPv6 link-local address without its interface.
    systemCodes:
      "EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN EADDRNOTAVAIL EAFNOSUPPORT EINVAL",
    remedy: ({ host }) =>
      `Check that this container and ${host} share a network, and that the database is running`,
  },
  timeout: {
    phrase: "does not answer",
    exitCode: ExitCode.unavailable,
    systemCodes: "ETIMEDOUT",
    remedy: ({ host, port, socket }) =>
      `Check the firewall and DB_PORT, since nothing answers at ${
        socket ?? `${host}:${port}`
      }; DB_TIMEOUT sets how many seconds to wait`,
  },
  protocol: {
    phrase: "does not provide a working connection",
    exitCode: ExitCode.unavailable,
    systemCodes:
      "ECONNRESET ECONNABORTED EPIPE CONNECTION_CLOSED CONNECTION_DESTROYED CONNECTION_ENDED MESSAGE_NOT_SUPPORTED",
    remedy: ({ port, adapter }) =>
      `Check that ${
        PRODUCTS[adapter]
      } listens on port ${port}, and read the log of the database`,
  },
  "starting up": {
    phrase: "is starting up or shutting down",
    exitCode: ExitCode.unavailable,
    sqlStates: "57P01 57P02 57P03",
    mysqlErrors: "1053",
    remedy: () =>
      "Read the log of the database; DB_TIMEOUT sets how many seconds to wait",
  },
  "too many connections": {
    phrase: "has reached its limit of connections",
    exitCode: ExitCode.unavailable,
    sqlStates: "53300",
    mysqlErrors: "1040 1203 1226",
    remedy: {
      postgres: () =>
        "Raise the limit on the database: ALTER SYSTEM SET max_connections = 300; then restart the database",
      mysql: () =>
        "Raise the limit on the database: SET GLOBAL max_connections = 300;",
    },
  },
  "read-only": {
    phrase: "is read-only",
    exitCode: ExitCode.unavailable,
    sqlStates: "25006",
    mysqlErrors: "1290 1792 1836",
    remedy: {
      postgres: ({ host }) =>
        `Set DB_HOST to the primary server, since ${host} is a standby or has default_transaction_read_only on`,
      mysql: ({ host }) =>
        `Set DB_HOST to the primary server, or make ${host} writable: SET GLOBAL read_only = OFF;`,
    },
  },
  tls: {
    phrase: "does not meet the TLS settings",
    exitCode: ExitCode.settings,
    // UNKNOWN: Deno 2.7, when it writes to a connection whose certificate it has refused.
    systemCodes: "UNKNOWN HANDSHAKE_NO_SSL_SUPPORT HANDSHAKE_SSL_ERROR",
    mysqlErrors: "3159",
    remedy: ({ adapter, sslMode }) => {
      if (sslMode.startsWith("verify-")) {
        return "Set DB_SSL_CA to a PEM file with the authority that signed the server's certificate, or set DB_SSL_MODE=require to encrypt without checking the certificate";
      }
      return adapter === "mysql" && sslMode === "disable"
        ? "Set DB_SSL_MODE=require, since the server requires TLS"
        : `Turn on TLS on the server (${
          adapter === "mysql" ? "ssl_cert and ssl_key" : "ssl = on"
        }), or, on a network that you trust, set DB_SSL_MODE=disable`;
    },
  },
  credentials: {
    phrase: "refuses the credentials",
    exitCode: ExitCode.refused,
    systemCodes: "SASL_SIGNATURE_MISMATCH AUTH_SWITCH_PLUGIN_ERROR",
    sqlStates: "28P01 28000",
    mysqlErrors: "1045 1251 1275 1396 1524 1698 1820 1862 3118 3955 4151",
    remedy: {
      postgres: ({ user, givenBy }) =>
        `Check ${login(givenBy)}, or set the password again: ALTER ROLE ${
          identifier(user)
        } WITH LOGIN PASSWORD '…'; (${firstUseOf("POSTGRES_PASSWORD")})`,
      mysql: ({ user, givenBy }) =>
        `Check ${login(givenBy)}, or set the password again: ALTER USER ${
          account(user)
        } IDENTIFIED BY '…'; (${firstUseOf("MYSQL_PASSWORD")})`,
    },
  },
  forbidden: {
    phrase: "denies access that Mattermost needs",
    exitCode: ExitCode.refused,
    systemCodes: "EACCES EPERM",
    // 55000: the database does not accept connections (ALLOW_CONNECTIONS false).
    sqlStates: "42501 55000",
    mysqlErrors: "1044 1129 1130 1142 1143 1227 1370",
    remedy: {
      postgres: ({ user, database, sslMode }) =>
        `In that database, as its administrator: GRANT CONNECT, CREATE ON DATABASE ${
          identifier(database)
        } TO ${identifier(user)}; GRANT USAGE, CREATE ON SCHEMA public TO ${
          identifier(user)
        }; (pg_hba.conf must also allow this host, for connections with DB_SSL_MODE=${sslMode})`,
      mysql: ({ user, database }) =>
        `As the administrator: ${
          grantAll(database, user)
        } (the account must also allow connections from this host, as '%' does)`,
    },
  },
  "no such database": {
    phrase: "does not exist",
    exitCode: ExitCode.settings,
    sqlStates: "3D000",
    mysqlErrors: "1049",
    remedy: {
      postgres: ({ user, database }) =>
        `As the administrator: CREATE DATABASE ${
          identifier(database)
        } ENCODING 'UTF8' TEMPLATE template0 OWNER ${
          identifier(user)
        }; (or correct DB_NAME; ${firstUseOf("POSTGRES_DB")})`,
      mysql: ({ database, user }) =>
        `As the administrator: CREATE DATABASE ${
          quoted(database, "`")
        } CHARACTER SET utf8mb4; ${
          grantAll(database, user)
        } (or correct DB_NAME; ${firstUseOf("MYSQL_DATABASE")})`,
    },
  },
} satisfies Readonly<Record<string, ReasonFacts>>;

/** A reason why a database cannot be used. */
export type Reason = keyof typeof REASONS;

type CodeKind = "systemCodes" | "sqlStates" | "mysqlErrors";

/** Makes a table of the reason of each code. No two kinds of codes look alike, as long as servers tell the truth. */
function reasonsBy(kinds: readonly CodeKind[]): ReadonlyMap<string, Reason> {
  return new Map(
    Object.entries<ReasonFacts>(REASONS).flatMap(([reason, facts]) =>
      kinds.flatMap((kind) => facts[kind]?.split(" ") ?? [])
        .map((code) => [code, reason as Reason] as const)
    ),
  );
}

const SQLSTATES = reasonsBy(["sqlStates"]);
const ALL_CODES = reasonsBy(["systemCodes", "sqlStates", "mysqlErrors"]);

/**
 * Finds the reason that an error code means.
 *
 * @param code A code of the system or of a driver, a SQLSTATE, or an error number of MySQL.
 * @param kind `sqlStates` if a server has chosen the code: `EPERM` then means nothing.
 * @returns The reason; `undefined` for an unknown code.
 */
export function reasonForCode(
  code: string,
  kind?: "sqlStates",
): Reason | undefined {
  return (kind === undefined ? ALL_CODES : SQLSTATES).get(code);
}

/**
 * Finds what the operator can do.
 *
 * @param reason The reason why the database cannot be used.
 * @param source The database and the login; its password is not used.
 * @returns One line, often with a statement to paste.
 */
export function remedyFor(reason: Reason, source: DataSource): string {
  const { remedy }: ReasonFacts = REASONS[reason];
  const shown = withoutLogin(source);
  return typeof remedy === "function"
    ? remedy(shown)
    : remedy[source.adapter](shown);
}

/** Names what gives the login. */
function login(variables: DataSource["givenBy"]): string {
  return (variables ?? ["DB_USER", "DB_PASS"]).join(" and ");
}

/** The images of both products read their variables when they initialise an empty volume, and never again. */
function firstUseOf(variable: string): string {
  return `the database's image uses ${variable} only when it initialises an empty volume`;
}

function grantAll(database: string, user: string): string {
  return `GRANT ALL PRIVILEGES ON ${quoted(database, "`")}.* TO ${
    account(user)
  };`;
}

function identifier(name: string): string {
  return quoted(name, '"');
}

function account(user: string): string {
  return `${quoted(user, "'")}@'%'`;
}

function quoted(name: string, quote: string): string {
  return `${quote}${name.replaceAll(quote, quote + quote)}${quote}`;
}
