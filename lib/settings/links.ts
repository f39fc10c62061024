/**
 * Finds the database in the variables that Docker links and Kubernetes services set.
 *
 * - Docker up to 28 sets variables with the address, and with the environment of the linked
 *   container, credentials included: https://docs.docker.com/engine/network/links/.
 * - Docker 29, Compose and Swarm set no variables, but the service name resolves.
 * - Kubernetes sets the address variables without credentials:
 *   https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
 *
 * @module
 */

import type { Adapter } from "./adapter.ts";

/** The settings that a link can provide. */
export type LinkedSetting =
  | "DB_HOST"
  | "DB_PORT"
  | "DB_NAME"
  | "DB_USER"
  | "DB_PASS";

/** A value from a link, and the variable that holds it. */
export interface LinkedValue {
  /** The value. */
  readonly text: string;
  /** The variable that holds it. */
  readonly variable: string;
}

/** A linked database. */
export interface Link {
  /** The alias of the link in lower case, which is also a host name of the database. */
  readonly alias: string;
  /** The product, if the alias or the port identifies it. */
  readonly adapter: Adapter | undefined;
  /** The values of the link, by setting. */
  readonly values: Readonly<Partial<Record<LinkedSetting, LinkedValue>>>;
}

/** Common service names of databases, and the product if the name identifies it. The order is that of preference. */
export const SERVICE_NAMES: Readonly<
  Record<string, Adapter | undefined>
> = {
  mysql: "mysql",
  postgres: "postgres",
  mariadb: "mysql",
  postgresql: "postgres",
  db: undefined,
};

const PORTS: Readonly<Record<string, Adapter>> = {
  "3306": "mysql",
  "5432": "postgres",
};

/** The variables of common database images that hold a value, in order of preference; `DB_*` are those of the sameersbn images. */
const CREDENTIALS: Readonly<
  Record<Adapter, Readonly<Record<string, readonly string[]>>>
> = {
  mysql: {
    DB_NAME: ["DB_NAME", "MYSQL_DATABASE", "MARIADB_DATABASE"],
    DB_USER: ["DB_USER", "MYSQL_USER", "MARIADB_USER"],
    DB_PASS: ["DB_PASS", "MYSQL_PASSWORD", "MARIADB_PASSWORD"],
  },
  postgres: {
    DB_NAME: ["DB_NAME", "POSTGRES_DB", "POSTGRES_USER"],
    DB_USER: ["DB_USER", "POSTGRES_USER"],
    DB_PASS: ["DB_PASS", "POSTGRES_PASSWORD"],
  },
};

/** The administrator of a product's official image, and the variables of its password. It is used if the image created no other user. */
const ADMINISTRATORS: Readonly<
  Record<Adapter, readonly [name: string, passwords: readonly string[]]>
> = {
  mysql: ["root", ["MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"]],
  postgres: ["postgres", ["POSTGRES_PASSWORD"]],
};

const ADDRESS_REGEXP = /^[tT][cC][pP]:\/\/(\[[0-9a-fA-F:.]+\]|[^:/]+):(\d+)$/;

/** Parses the address that Docker and Kubernetes put into `<ALIAS>_PORT`, such as `tcp://10.0.0.5:5432`. */
function parseLinkAddress(
  text: string,
): { readonly host: string; readonly port: string } | undefined {
  const [, host, port] = ADDRESS_REGEXP.exec(text) ?? [];
  if (host === undefined || port === undefined) return undefined;
  return { host: host.replace(/^\[|\]$/g, ""), port };
}

/** `<NAME>_PORT` holds the first port of a service, which need not be a TCP port. */
const SERVICE_PORT_REGEXP =
  /^(tcp|udp|sctp):\/\/(\[[0-9a-f:.]+\]|[^:/]+):\d+$/i;

/**
 * Checks whether the value of a variable comes from a link, although a setting has the same name.
 *
 * A link or service named `db` sets `DB_PORT=tcp://10.0.0.5:5432` and
 * `DB_NAME=/web/db`, and one named `mattermost` sets `MATTERMOST_PORT` and
 * `MATTERMOST_NAME`. The operator set neither.
 *
 * @param name The variable.
 * @param text Its value.
 * @returns Whether the value has the form that links give it.
 */
export function isLinkValue(name: string, text: string): boolean {
  // A cheap test that excludes almost every other value.
  if (!text.includes("/")) return false;
  if (name.endsWith("_PORT")) return SERVICE_PORT_REGEXP.test(text);
  if (!name.endsWith("_NAME")) return false;
  const alias = name.slice(0, -"_NAME".length).toLowerCase();
  return /^\/[\w.-]+\/[\w.-]+$/.test(text) && text.endsWith(`/${alias}`);
}

const LINK_VARIABLE_REGEXP =
  /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?|ENV_\w+)$/;

/**
 * Checks whether a name has a form that only Docker links and Kubernetes use.
 *
 * @param name The variable.
 * @returns Whether it ends as theirs do, for example in `_PORT_5432_TCP_ADDR`.
 */
export function isLinkVariable(name: string): boolean {
  return LINK_VARIABLE_REGEXP.test(name);
}

/**
 * Finds the databases that link variables describe.
 *
 * @param env The environment.
 * @returns The links, in the order of {@linkcode SERVICE_NAMES}.
 */
export function findLinks(env: Readonly<Record<string, string>>): Link[] {
  return Object.keys(SERVICE_NAMES).flatMap((alias) => {
    const link = readLink(env, alias);
    return link === undefined ? [] : [link];
  });
}

function readLink(
  env: Readonly<Record<string, string>>,
  alias: string,
): Link | undefined {
  const prefix = alias.toUpperCase();
  const address = findAddress(env, prefix);
  if (address === undefined) return undefined;
  const adapter = SERVICE_NAMES[alias] ?? PORTS[address.DB_PORT.text];
  return {
    alias,
    adapter,
    values: {
      ...address,
      ...(adapter === undefined ? {} : findCredentials(env, prefix, adapter)),
    },
  };
}

function findAddress(
  env: Readonly<Record<string, string>>,
  prefix: string,
): { DB_HOST: LinkedValue; DB_PORT: LinkedValue } | undefined {
  for (const port of Object.keys(PORTS)) {
    const variable = `${prefix}_PORT_${port}_TCP_ADDR`;
    const host = env[variable];
    if (host !== undefined && host !== "") {
      return {
        DB_HOST: { text: host, variable },
        DB_PORT: { text: port, variable: `${prefix}_PORT_${port}_TCP` },
      };
    }
  }
  const variable = `${prefix}_PORT`;
  const address = parseLinkAddress(env[variable] ?? "");
  return address === undefined ? undefined : {
    DB_HOST: { text: address.host, variable },
    DB_PORT: { text: address.port, variable },
  };
}

function findCredentials(
  env: Readonly<Record<string, string>>,
  prefix: string,
  adapter: Adapter,
): Partial<Record<LinkedSetting, LinkedValue>> {
  const first = (names: readonly string[]): LinkedValue | undefined => {
    for (const name of names) {
      const variable = `${prefix}_ENV_${name}`;
      const text = env[variable];
      if (text !== undefined && text !== "") return { text, variable };
    }
    return undefined;
  };
  const found = Object.entries(CREDENTIALS[adapter]).flatMap(
    ([name, names]) => {
      const value = first(names);
      return value === undefined ? [] : [[name, value] as const];
    },
  );
  const values: Partial<Record<LinkedSetting, LinkedValue>> = Object
    .fromEntries(
      found,
    );
  if (values.DB_USER !== undefined) return values;
  const [administrator, passwords] = ADMINISTRATORS[adapter];
  const password = first(passwords);
  return password === undefined ? values : {
    ...values,
    DB_USER: { text: administrator, variable: password.variable },
    DB_PASS: password,
  };
}
