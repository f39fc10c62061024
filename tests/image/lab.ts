/**
 * What a case has to work with: an engine, the images, and servers to start.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Builder } from "./build.ts";
import { type Container, Docker } from "./docker.ts";

/** The release that the image has unless told otherwise. */
export const CURRENT = "11.7.9";
/** The newest release that takes MySQL. */
export const LAST_MYSQL = "10.11.23";

/** One test in containers. */
export interface Case {
  /** Names it on the command line. */
  readonly name: string;
  /** What is so when it passes, as a sentence. */
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** How to start a Mattermost. */
export interface ServerOptions {
  /** The release; {@link CURRENT} when not given. */
  readonly release?: string;
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
}

/** A Mattermost that has been started, and where its port is on this machine. */
export interface Server {
  readonly container: Container;
  readonly url: () => Promise<string>;
}

/** What `/fake/whoami` says. */
export type Identity = Readonly<Record<string, string>>;

/** What every database here is started with. */
export const PASSWORD = "pass/w?rd '1' #2";

/** The workplace of one case. */
export class Lab {
  readonly docker: Docker;
  readonly #builder: Builder;
  /** A directory of its own. */
  readonly directory: string;
  /** The project's. */
  readonly root: string;
  readonly #duties: (() => void)[] = [];

  constructor(
    docker: Docker,
    { builder, directory, root }: {
      builder: Builder;
      directory: string;
      root: string;
    },
  ) {
    this.docker = docker;
    this.#builder = builder;
    this.directory = directory;
    this.root = root;
  }

  /** The project's image with a release. */
  async image(release: string = CURRENT): Promise<string> {
    return await this.#builder.image(release);
  }

  /** Builds images in ways of the case's own. */
  get builder(): Builder {
    return this.#builder;
  }

  /** Has something done at the end, however that comes; it must work synchronously. */
  atEnd(duty: () => void): void {
    this.#duties.unshift(duty);
  }

  /** Takes everything away. */
  close(): void {
    for (const duty of this.#duties.splice(0)) duty();
    this.docker.sweep();
  }

  /** Starts a Mattermost in the background, checked every second. */
  async server(
    short: string,
    { release = CURRENT, options = [], environment = {}, command = [] }:
      ServerOptions = {},
  ): Promise<Server> {
    const container = await this.docker.start(
      short,
      await this.image(release),
      {
        options: [
          ...["--publish", "127.0.0.1::80", "--health-interval", "1s"],
          ...options,
        ],
        environment,
        command,
      },
    );
    const url = async () => {
      const port = await container.command("port");
      return `http://${port.split("-> ")[1]?.split("\n")[0]}`;
    };
    return { container, url };
  }

  /** Starts PostgreSQL with a user and a database called mattermost. */
  async postgres(
    short: string,
    options: readonly string[] = [],
  ): Promise<Container> {
    return await this.docker.start(short, "postgres:18", {
      options,
      environment: {
        POSTGRES_USER: "mattermost",
        POSTGRES_PASSWORD: PASSWORD,
      },
    });
  }

  /** Starts MySQL or MariaDB with a user and a database called mattermost. */
  async mysql(
    short: string,
    { image = "mysql:9", options = [] }: {
      image?: string;
      options?: readonly string[];
    } = {},
  ): Promise<Container> {
    return await this.docker.start(short, image, {
      options,
      environment: {
        MYSQL_ROOT_PASSWORD: "of-root",
        MYSQL_DATABASE: "mattermost",
        MYSQL_USER: "mattermost",
        MYSQL_PASSWORD: PASSWORD,
      },
    });
  }

  /** A network with PostgreSQL in it under the name `database`, and how to use both. */
  async network(): Promise<{
    network: string;
    database: Container;
    options: string[];
    environment: Record<string, string>;
  }> {
    const network = await this.docker.network("net");
    const options = ["--network", network];
    const database = await this.postgres("database", [
      ...options,
      "--network-alias=database",
    ]);
    const environment = {
      DB_ADAPTER: "postgres",
      DB_HOST: "database",
      DB_PASS: PASSWORD,
    };
    return { network, database, options, environment };
  }

  /** Whether links on the default bridge still set variables. */
  async hasLinkVariables(): Promise<boolean> {
    const version = await this.docker.must([
      ...["version", "--format", "{{.Server.Version}}"],
    ]);
    return Number(version.split(".")[0]) < 29;
  }
}

/** Waits until a server answers and asks it who it is. */
export async function identity(server: Server): Promise<Identity> {
  let answer: Identity = {};
  await server.container.until("answering", async () => {
    answer = await getJson(`${await server.url()}/fake/whoami`)
      .catch(() => answer);
    return answer["pid"] !== undefined;
  });
  return answer;
}

/** Leaves the traces in PostgreSQL that a server leaves whose last migration has that number. */
export async function leaveMigrations(
  database: Container,
  number: number,
): Promise<void> {
  const sql = `
    CREATE TABLE IF NOT EXISTS users (id varchar(26) PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS systems (name varchar(64) PRIMARY KEY, value varchar(1024));
    CREATE TABLE IF NOT EXISTS db_migrations (version bigint PRIMARY KEY, name varchar NOT NULL);
    INSERT INTO db_migrations SELECT n, 'step' FROM generate_series(1, ${number}) n
      ON CONFLICT DO NOTHING;`;
  await database.exec([
    ...["psql", "--username=mattermost", "--quiet"],
    ...["--set=ON_ERROR_STOP=1", "--file=-"],
  ], { input: sql });
}

/** Fetches JSON, which must come with status 200. */
export async function getJson(url: string): Promise<Identity> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  assert.equal(response.status, 200, url);
  return await response.json();
}

/** The config.json of a running server. */
// deno-lint-ignore no-explicit-any -- its shape is the server's
export async function readConfig(container: Container): Promise<any> {
  return JSON.parse(await container.exec(["cat", CONFIG]));
}

/** Where config.json is in the image. */
export const CONFIG = "/opt/mattermost/data/config/config.json";

/** Checks that a text holds each of some parts. */
export function assertHas(text: string, ...parts: readonly string[]): void {
  for (const part of parts) {
    assert.ok(text.includes(part), `expected ${part} in:\n${text}`);
  }
}
