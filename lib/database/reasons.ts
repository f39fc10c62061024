/**
 * The reasons why a database cannot be used: the sentence, the exit code and the remedy of
 * each. `classify.ts` says which errors mean which reason, and docs/databases.md is generated
 * from both.
 *
 * @module
 */

import { isIP } from "node:net";
import { type Adapter, PRODUCTS } from "../settings/adapter.ts";
import {
  type DataSource,
  DEFAULT_PORTS,
  giverOf,
  settingOf,
  withoutLogin,
} from "./data_source.ts";
import { ExitCode } from "../errors.ts";

/** Makes the remedy for a data source: one line, often with a statement to paste. */
type Remedy = (source: DataSource, subject: string) => string;

/** A reason why a database cannot be used. */
interface ReasonFacts {
  /** The predicate of the message, after "The PostgreSQL database (…)". */
  readonly phrase: string;
  /** The exit code of the program. `unavailable` means that the reason can pass, so that waiting can help. */
  readonly exitCode: ExitCode;
  /**
   * Whether the reason may pass within seconds: images and operators of third parties create
   * users and databases while the server already listens. (The official images do that
   * without listening on TCP.)
   */
  readonly isBrief?: true;
  /** What the remedy is about if the error does not say it: an address, a role or a schema. */
  readonly subject?: string;
  /** One remedy, or one for each product. */
  readonly remedy: Remedy | Readonly<Record<Adapter, Remedy>>;
}

const { unavailable, refused, settings } = ExitCode;

/** Every reason; the temporary ones come first. */
export const REASONS = {
  dns: {
    phrase: "has a host name that does not resolve",
    exitCode: unavailable,
    remedy: (source) =>
      `Check ${settingOf(source, "DB_HOST")}${
        typeof source.givenBy === "string" ? "" : `=${source.host}`
      }: with Docker, ${source.host} must be the name of the database's container or service, and both containers must be on the same network (docker network inspect)`,
  },
  refused: {
    phrase: "refuses connections",
    exitCode: unavailable,
    remedy: ({ host, port, socket }) =>
      socket === undefined
        ? `Start the database, and check that it listens on port ${port} of ${host}, not only on its own loopback address`
        : `Start the database, and mount the directory of ${socket} into this container`,
  },
  unreachable: {
    phrase: "cannot be reached over the network",
    exitCode: unavailable,
    remedy: ({ host }) =>
      `Check that this container and ${host} share a network, and that the database is running`,
  },
  timeout: {
    phrase: "does not answer",
    exitCode: unavailable,
    remedy: (source) =>
      `Check the firewall and ${
        settingOf(source, "DB_PORT")
      }, since nothing answers at ${
        source.socket ?? `${source.host}:${source.port}`
      }; DB_TIMEOUT sets how many seconds to wait`,
  },
  protocol: {
    phrase: "does not provide a working connection",
    exitCode: unavailable,
    remedy: ({ port, adapter }) =>
      `Check that ${
        PRODUCTS[adapter]
      } listens on port ${port}, and read the log of the database`,
  },
  "server error": {
    phrase: "reports an error",
    exitCode: unavailable,
    remedy: () => "Read the log of the database, which has the details",
  },
  "starting up": {
    phrase: "is starting up or shutting down",
    exitCode: unavailable,
    remedy: () =>
      "Read the log of the database; DB_TIMEOUT sets how many seconds to wait",
  },
  "too many connections": {
    phrase: "has reached its limit of connections",
    exitCode: unavailable,
    remedy: {
      postgres: () =>
        "Raise the limit on the database: ALTER SYSTEM SET max_connections = 300; then restart the database",
      mysql: () =>
        "Raise the limit on the database: SET GLOBAL max_connections = 300;",
    },
  },
  "user limit": {
    phrase: "has reached the limit of this user",
    exitCode: unavailable,
    remedy: {
      postgres: ({ user }) =>
        `As the administrator: ALTER ROLE ${
          identifier(user)
        } CONNECTION LIMIT -1;`,
      mysql: ({ user }) =>
        `As the administrator: ALTER USER ${
          account(user)
        } WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0; (SHOW VARIABLES LIKE 'max_user_connections'; shows the limit of all accounts)`,
    },
  },
  "database limit": {
    phrase: "has reached the limit of connections of this database",
    exitCode: unavailable,
    remedy: ({ database }) =>
      `As the administrator: ALTER DATABASE ${
        identifier(database)
      } CONNECTION LIMIT -1;`,
  },
  "pooler limit": {
    phrase: "is behind a connection pooler that has reached its limit",
    exitCode: unavailable,
    remedy: () =>
      "Raise the limit of the pooler (PgBouncer: max_client_conn in pgbouncer.ini, then RELOAD;)",
  },
  "pooler without a server": {
    phrase: "is behind a connection pooler that has no free connection to it",
    exitCode: unavailable,
    remedy: () =>
      "Start the database behind the pooler, and read the pooler's log; if the database runs, raise the size of the pool (PgBouncer: default_pool_size)",
  },
  standby: {
    phrase: "is read-only, as a standby is",
    exitCode: unavailable,
    remedy: {
      postgres: (source) =>
        `Set ${
          settingOf(source, "DB_HOST")
        } to the primary server, or promote this one: SELECT pg_promote();`,
      mysql: (source) =>
        `Set ${
          settingOf(source, "DB_HOST")
        } to the primary server, or make ${source.host} writable: SET GLOBAL read_only = OFF;`,
    },
  },
  full: {
    phrase: "has no space or memory left",
    exitCode: unavailable,
    remedy: () =>
      "Free space on the volume of the database (df -h) or raise its memory limit, and read its log",
  },
  damaged: {
    phrase: "cannot read its own files",
    exitCode: unavailable,
    remedy: {
      postgres: () =>
        "Read the log of the database, and restore a backup if its files are damaged",
      mysql: () =>
        "Read the log of the database; after an upgrade of it run mariadb-upgrade or mysql_upgrade, and restore a backup if its files are damaged",
    },
  },
  denied: {
    phrase: "cannot be reached, because the system denies access",
    exitCode: refused,
    remedy: (source) =>
      source.socket === undefined
        ? `Check the firewall and the security profile of this container for connections to ${source.host}:${source.port}`
        : `Give the server's user access to ${source.socket}, or set ${
          settingOf(source, "DB_HOST")
        } to the host name of the database`,
  },
  "other server": {
    phrase: "is another kind of server",
    exitCode: settings,
    remedy: (source) =>
      `Set ${settingOf(source, "DB_PORT")} to the port of ${
        PRODUCTS[source.adapter]
      } (${
        DEFAULT_PORTS[source.adapter]
      } by default), or DB_ADAPTER to the product that listens on port ${source.port}`,
  },
  parameter: {
    phrase: "refuses a parameter of the login",
    exitCode: settings,
    remedy: (source) =>
      `Correct or remove the parameter in ${
        typeof source.givenBy === "string" ? source.givenBy : "DB_ENCODING"
      }`,
  },
  "pooler parameter": {
    phrase: "is behind a connection pooler that refuses a parameter",
    exitCode: settings,
    remedy: (source) =>
      `Remove the parameter from ${
        typeof source.givenBy === "string"
          ? source.givenBy
          : "MM_SQLSETTINGS_DATASOURCE"
      } and set it for the role instead (ALTER ROLE ${
        identifier(source.user)
      } SET search_path = …), or name it in ignore_startup_parameters of pgbouncer.ini`,
  },
  tls: {
    phrase: "does not meet the TLS settings",
    exitCode: settings,
    remedy: () =>
      "Let the server offer TLS 1.2 or 1.3 with a key of a usual kind (RSA with 2048 bits or more, or ECDSA), or, on a network that you trust, set DB_SSL_MODE=disable",
  },
  "no TLS": {
    phrase: "does not offer TLS",
    exitCode: settings,
    remedy: ({ adapter }) =>
      `Turn on TLS on the server (${
        adapter === "mysql" ? "ssl_cert and ssl_key" : "ssl = on"
      }), or, on a network that you trust, set DB_SSL_MODE=disable`,
  },
  "certificate time": {
    phrase: "has a certificate that is not valid now",
    exitCode: settings,
    remedy: {
      postgres: () =>
        "Renew the certificate in ssl_cert_file of the server, and load it: SELECT pg_reload_conf(); (if it is current, set the clock of this machine)",
      mysql: () =>
        "Renew the certificate in ssl_cert of the server, and load it: ALTER INSTANCE RELOAD TLS; (MariaDB: FLUSH SSL;) (if it is current, set the clock of this machine)",
    },
  },
  "certificate name": {
    phrase: "has a certificate for another name",
    exitCode: settings,
    remedy: ({ host }) =>
      `Set DB_HOST to a name in the certificate, or issue it with the subjectAltName ${
        isIP(host) === 0 ? "DNS" : "IP"
      }:${host}`,
  },
  "certificate authority": {
    phrase: "has a certificate that is not trusted",
    exitCode: settings,
    remedy: ({ adapter, host, port }) =>
      `Set DB_SSL_CA to a PEM file with the authority that signed the server's certificate, or set DB_SSL_MODE=require${
        adapter === "mysql" ? "" : " without DB_SSL_CA"
      } to encrypt without checking it (openssl s_client -starttls ${adapter} -showcerts -connect ${host}:${port} shows the certificates)`,
  },
  "certificate purpose": {
    phrase: "has a certificate that is not for servers",
    exitCode: settings,
    remedy: () =>
      "Issue the server's certificate again, with extendedKeyUsage=serverAuth or none, and without other critical extensions",
  },
  "tls demanded": {
    phrase: "accepts this login only with TLS",
    exitCode: settings,
    remedy: (source) =>
      typeof source.givenBy !== "string"
        ? "Set DB_SSL_MODE=require"
        : `Set ${
          source.adapter === "mysql" ? "tls=skip-verify" : "sslmode=require"
        } in ${source.givenBy}`,
  },
  "client certificate": {
    phrase: "demands a certificate of the client",
    exitCode: refused,
    remedy: (source) =>
      `In pg_hba.conf, use scram-sha-256 for this login, or set MM_SQLSETTINGS_DATASOURCE with sslcert=… and sslkey=… for a certificate with the name ${source.user}`,
  },
  credentials: {
    phrase: "refuses the credentials",
    exitCode: refused,
    isBrief: true,
    remedy: {
      postgres: (source) =>
        `Check ${login(source)}, or set the password again: ALTER ROLE ${
          identifier(source.user)
        } WITH LOGIN PASSWORD '…' VALID UNTIL 'infinity'; (${
          firstUseOf("POSTGRES_PASSWORD")
        })`,
      mysql: (source) =>
        `Check ${login(source)}, or set the password again: ALTER USER ${
          account(source.user)
        } IDENTIFIED BY '…'; (${firstUseOf("MYSQL_PASSWORD")})`,
    },
  },
  "pooler credentials": {
    phrase: "is behind a connection pooler that refuses the credentials",
    exitCode: refused,
    isBrief: true,
    remedy: (source) =>
      `Check ${
        login(source)
      }: the pooler must know the user with this password (PgBouncer: auth_file or auth_query)`,
  },
  tenant: {
    phrase: "is behind a connection pooler that does not know the user",
    exitCode: refused,
    remedy: (source) =>
      `Copy ${giverOf(source, "DB_HOST")} and ${
        giverOf(source, "DB_USER")
      } from the provider's page about the pooler: the user's name ends with the name of the project there, as in ${source.user}.project`,
  },
  "no login": {
    phrase: "has this role, but does not permit it to log in",
    exitCode: refused,
    remedy: ({ user }) =>
      `As the administrator: ALTER ROLE ${identifier(user)} LOGIN;`,
  },
  locked: {
    phrase: "has locked this account",
    exitCode: refused,
    remedy: ({ user }) =>
      `As the administrator: ALTER USER ${
        account(user)
      } ACCOUNT UNLOCK; (after too many wrong passwords in MariaDB: FLUSH PRIVILEGES;)`,
  },
  expired: {
    phrase: "wants a new password for this account",
    exitCode: refused,
    remedy: (source) =>
      `As the administrator: ALTER USER ${
        account(source.user)
      } IDENTIFIED BY '…' PASSWORD EXPIRE NEVER; then set ${
        settingOf(source, "DB_PASS")
      } to that password`,
  },
  method: {
    phrase: "does not accept a password for this login",
    exitCode: refused,
    remedy: {
      postgres: (source, address) =>
        `In pg_hba.conf, use scram-sha-256 for this login: ${
          entry(source, address)
        }`,
      mysql: ({ user }) =>
        `As the administrator: ALTER USER ${
          account(user)
        } IDENTIFIED WITH caching_sha2_password BY '…'; (MariaDB: IDENTIFIED VIA mysql_native_password USING PASSWORD('…'))`,
    },
  },
  "no entry": {
    phrase: "does not accept this login from this host",
    exitCode: refused,
    isBrief: true,
    remedy: {
      postgres: (source, address) =>
        `Add a line to pg_hba.conf, before one that rejects the login: ${
          entry(source, address)
        }; then run SELECT pg_reload_conf();`,
      mysql: ({ user, database }) =>
        `As the administrator: CREATE USER ${
          account(user)
        } IDENTIFIED BY '…'; ${grantAll(database, user)}`,
    },
  },
  "host blocked": {
    phrase: "has blocked this host after too many failed connections",
    exitCode: refused,
    remedy: () =>
      "As the administrator: TRUNCATE TABLE performance_schema.host_cache; (MariaDB: FLUSH HOSTS;)",
  },
  forbidden: {
    phrase: "denies access that Mattermost needs",
    exitCode: refused,
    isBrief: true,
    subject: "public",
    remedy: {
      postgres: ({ user, database }, schema) =>
        `In that database, as its administrator: GRANT CONNECT, CREATE ON DATABASE ${
          identifier(database)
        } TO ${identifier(user)}; GRANT USAGE, CREATE ON SCHEMA ${
          identifier(schema)
        } TO ${identifier(user)};`,
      mysql: ({ user, database }) =>
        `As the administrator: ${grantAll(database, user)}`,
    },
  },
  "no schema": {
    phrase: "has no schema for the tables",
    exitCode: refused,
    isBrief: true,
    subject: "public",
    remedy: ({ user }, schema) =>
      `In that database, as its administrator: CREATE SCHEMA IF NOT EXISTS ${
        identifier(schema)
      }; GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO ${
        identifier(user)
      }; (or correct search_path)`,
  },
  "foreign tables": {
    phrase: "has tables that belong to another role",
    exitCode: refused,
    remedy: ({ user }) =>
      `In that database, with psql, as its administrator: SELECT format('ALTER TABLE %s OWNER TO %I', oid::regclass, ${
        quoted(user, "'")
      }) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm') \\gexec`,
  },
  "read-only": {
    phrase: "is read-only for this user",
    exitCode: refused,
    remedy: ({ user, database }) =>
      `As the administrator: ALTER ROLE ${
        identifier(user)
      } RESET default_transaction_read_only; ALTER DATABASE ${
        identifier(database)
      } RESET default_transaction_read_only; (SHOW default_transaction_read_only; shows what remains)`,
  },
  "closed database": {
    phrase: "does not allow connections to this database",
    exitCode: refused,
    remedy: ({ database }) =>
      `As the administrator: ALTER DATABASE ${
        identifier(database)
      } ALLOW_CONNECTIONS true;`,
  },
  "no such database": {
    phrase: "does not exist",
    exitCode: settings,
    isBrief: true,
    remedy: {
      postgres: (source) =>
        `As the administrator: CREATE DATABASE ${
          identifier(source.database)
        } ENCODING 'UTF8' TEMPLATE template0 OWNER ${
          identifier(source.user)
        }; (or correct ${settingOf(source, "DB_NAME")}; ${
          firstUseOf("POSTGRES_DB")
        })`,
      mysql: (source) =>
        `As the administrator: CREATE DATABASE ${
          quoted(source.database, "`")
        } CHARACTER SET utf8mb4; ${
          grantAll(source.database, source.user)
        } (or correct ${settingOf(source, "DB_NAME")}; ${
          firstUseOf("MYSQL_DATABASE")
        })`,
    },
  },
  "pooler database": {
    phrase: "is behind a connection pooler that does not offer it",
    exitCode: settings,
    isBrief: true,
    remedy: (source) =>
      `Correct ${
        settingOf(source, "DB_NAME")
      }, or add the database to the pooler (PgBouncer: the section [databases] of pgbouncer.ini, then RELOAD; and ENABLE ${source.database};)`,
  },
} satisfies Readonly<Record<string, ReasonFacts>>;

/** A reason why a database cannot be used. */
export type Reason = keyof typeof REASONS;

/** Whether a reason may pass within seconds, as while an image creates its users. */
export function isBrief(reason: Reason): boolean {
  const facts: ReasonFacts = REASONS[reason];
  return facts.isBrief === true;
}

/**
 * Finds what the operator can do.
 *
 * @param error The reason why the database cannot be used, and what it is about.
 * @param source The database and the login; its password is not used.
 * @returns One line, often with a statement to paste.
 */
export function remedyFor(
  { reason, subject }: {
    readonly reason: Reason;
    readonly subject?: string | undefined;
  },
  source: DataSource,
): string {
  const facts: ReasonFacts = REASONS[reason];
  const { remedy } = facts;
  const make = typeof remedy === "function" ? remedy : remedy[source.adapter];
  return make(withoutLogin(source), subject ?? facts.subject ?? "");
}

/** Names what gives the login. */
function login(source: DataSource): string {
  const names = [giverOf(source, "DB_USER"), giverOf(source, "DB_PASS")];
  return [...new Set(names)].join(" and ");
}

/** A line of pg_hba.conf that accepts the login. */
function entry(
  { user, database, sslMode }: DataSource,
  address: string,
): string {
  const type = sslMode === "disable" ? "host" : "hostssl";
  const mask = address === ""
    ? "all"
    : address.includes(":")
    ? `${address}/128`
    : /^[\d.]+$/.test(address)
    ? `${address}/32`
    : address;
  return `${type} ${identifier(database)} ${
    identifier(user)
  } ${mask} scram-sha-256`;
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
