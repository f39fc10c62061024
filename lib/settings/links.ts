/**
 * What Docker links, Kubernetes services and service names tell about the database.
 *
 * Three generations: Docker up to 28 sets variables with address and
 * credentials; Docker 29, Compose and Swarm set none, but the alias is a name
 * that resolves; Kubernetes sets the same variables as Docker, without
 * credentials. Sources: Docker's "Legacy container links",
 * Kubernetes' "Environment variables" of a Service.
 *
 * @module
 */

import type { Adapter } from "./adapter.ts";

/** The settings that a link may give. */
export type LinkedName =
  | "DB_HOST"
  | "DB_PORT"
  | "DB_NAME"
  | "DB_USER"
  | "DB_PASS";

/** A value that a link gives, and the variable that it stands in. */
export interface LinkedValue {
  /** The value. */
  readonly text: string;
  /** The variable that holds it. */
  readonly variable: string;
}

/** A database that is linked. */
export interface Link {
  /** The alias, in lower case: also the host name that leads there. */
  readonly alias: string;
  /** The product, where the alias or the port tells it. */
  readonly adapter: Adapter | undefined;
  /** What it tells, by the setting that it is for. */
  readonly values: Readonly<Partial<Record<LinkedName, LinkedValue>>>;
}

/** Names that a database is commonly reached by, and the product behind it where the name tells. */
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

/** Variables of the known images that hold a value, best first; `DB_*` are those of sameersbn's images. */
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

/** The administrator of a product's official image, used when the image was given no other user. */
const ADMINISTRATORS: Readonly<
  Record<Adapter, readonly [name: string, passwords: readonly string[]]>
> = {
  mysql: ["root", ["MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"]],
  postgres: ["postgres", ["POSTGRES_PASSWORD"]],
};

const ADDRESS_REGEXP = /^[tT][cC][pP]:\/\/(\[[0-9a-fA-F:.]+\]|[^:/]+):(\d+)$/;

/** Reads the address that Docker and Kubernetes put into `<ALIAS>_PORT`; `undefined` where it is no such address. */
function parseLinkAddress(
  text: string,
): { readonly host: string; readonly port: string } | undefined {
  const [, host, port] = ADDRESS_REGEXP.exec(text) ?? [];
  if (host === undefined || port === undefined) return undefined;
  return { host: host.replace(/^\[|\]$/g, ""), port };
}

/** The first port of a service may be one that no database listens on. */
const SERVICE_PORT_REGEXP =
  /^(tcp|udp|sctp):\/\/(\[[0-9a-f:.]+\]|[^:/]+):\d+$/i;

/**
 * Tells a value that a link put into a variable of ours from one that the operator gave.
 *
 * A link or service named `db` sets `DB_PORT=tcp://10.0.0.5:5432` and
 * `DB_NAME=/web/db`; one named `mattermost` does the same to `MATTERMOST_PORT`
 * and `MATTERMOST_NAME`.
 *
 * @param name The variable.
 * @param text Its value.
 * @returns Whether a link put it there.
 */
export function isLinkValue(name: string, text: string): boolean {
  // What a link puts there has one, and hardly anything else.
  if (!text.includes("/")) return false;
  if (name.endsWith("_PORT")) return SERVICE_PORT_REGEXP.test(text);
  if (!name.endsWith("_NAME")) return false;
  const alias = name.slice(0, -"_NAME".length).toLowerCase();
  return /^\/[\w.-]+\/[\w.-]+$/.test(text) && text.endsWith(`/${alias}`);
}

const LINK_VARIABLE_REGEXP =
  /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?|ENV_\w+)$/;

/**
 * Recognises the names of variables that only links and Kubernetes set.
 *
 * @param name The variable.
 * @returns Whether it is such a name.
 */
export function isLinkVariable(name: string): boolean {
  return LINK_VARIABLE_REGEXP.test(name);
}

/**
 * Finds the databases that are linked by variables.
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
): Partial<Record<LinkedName, LinkedValue>> {
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
  const values: Partial<Record<LinkedName, LinkedValue>> = Object.fromEntries(
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
