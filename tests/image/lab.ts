/**
 * The environment of a test case: an engine, the images, and functions that start servers.
 *
 * @module
 */

import { migrationsOf } from "../fake_mattermost/migrations.ts";
import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../lib/default_release.ts";
import { Builder } from "./build.ts";
import { type Container, Docker } from "./docker.ts";
/** The newest release that supports MySQL. */
export const LAST_MYSQL = "10.11.23";

/** A test case in containers. */
export interface Case {
  /** Its name on the command line. */
  readonly name: string;
  /** A sentence that is true when it passes. */
  readonly what: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** Options of {@link Lab.server}. */
export interface ServerOptions {
  /** The release; {@link DEFAULT_RELEASE} by default. */
  readonly release?: string;
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
}

/** A running Mattermost, and its address on this machine. */
export interface Server {
  readonly container: Container;
  readonly url: () => Promise<string>;
}

/** The answer of `/fake/whoami`. */
export type Identity = Readonly<Record<string, string>>;

/** The password of every database. */
export const PASSWORD = "pass/w?rd '1' #2";

/** The environment of one case. */
export class Lab {
  readonly docker: Docker;
  readonly #builder: Builder;
  /** Its own temporary directory. */
  readonly directory: string;
  /** The project's directory. */
  readonly root: string;
  readonly #cleanUps: (() => void)[] = [];

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

  /** The image with a release. */
  async image(release: string = DEFAULT_RELEASE): Promise<string> {
    return await this.#builder.image(release);
  }

  /** Builds images with other options. */
  get builder(): Builder {
    return this.#builder;
  }

  /** A builder with a copy of the project that the case may change. */
  async ownBuilder(): Promise<Builder> {
    const builder = new Builder(this.docker, this.directory);
    await builder.prepare(this.root, undefined);
    return builder;
  }

  /** Registers a synchronous function that cleans up at the end of the case. */
  atEnd(cleanUp: () => void): void {
    this.#cleanUps.unshift(cleanUp);
  }

  /** Cleans up. */
  close(): void {
    for (const cleanUp of this.#cleanUps.splice(0)) cleanUp();
    this.docker.removeAll();
  }

  /** Starts Mattermost in the background, with a health check every second. */
  async server(
    short: string,
    { release = DEFAULT_RELEASE, options = [], environment = {}, command = [] }:
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

  /** Creates a network with PostgreSQL as `database`, and returns the options to use both. */
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

  /** Whether links on the default bridge set variables, as before Docker 29. */
  async hasLinkVariables(): Promise<boolean> {
    const version = await this.docker.must([
      ...["version", "--format", "{{.Server.Version}}"],
    ]);
    return Number(version.split(".")[0]) < 29;
  }
}

/** Waits until a server answers, and requests its identity. */
export async function identity(server: Server): Promise<Identity> {
  let answer: Identity = {};
  await server.container.until("answering", async () => {
    answer = await getJson(`${await server.url()}/fake/whoami`)
      .catch(() => answer);
    return answer["pid"] !== undefined;
  });
  return answer;
}

/** Creates the tables in PostgreSQL that a release leaves. */
export async function leaveMigrations(
  database: Container,
  release: string,
): Promise<void> {
  const rows = (await migrationsOf(release, "postgres"))
    .map((name) => `(${Number(name.slice(0, 6))}, '${name.slice(7)}')`);
  const sql = `
    CREATE TABLE IF NOT EXISTS users (id varchar(26) PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS systems (name varchar(64) PRIMARY KEY, value varchar(1024));
    CREATE TABLE IF NOT EXISTS db_migrations (version bigint PRIMARY KEY, name varchar NOT NULL);
    INSERT INTO db_migrations VALUES ${rows.join(", ")}
      ON CONFLICT DO NOTHING;`;
  await database.exec([
    ...["psql", "--username=mattermost", "--quiet"],
    ...["--set=ON_ERROR_STOP=1", "--file=-"],
  ], { input: sql });
}

/** Fetches JSON; the status must be 200. */
export async function getJson(url: string): Promise<Identity> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  assert.equal(response.status, 200, url);
  return await response.json();
}

/** The config.json of a running server. */
// deno-lint-ignore no-explicit-any -- The server defines its type.
export async function readConfig(container: Container): Promise<any> {
  return JSON.parse(await container.exec(["cat", CONFIG]));
}

/** The path of config.json in the image. */
export const CONFIG = "/opt/mattermost/data/config/config.json";

/** Fails if one of the parts is not in a text. */
export function assertHas(text: string, ...parts: readonly string[]): void {
  for (const part of parts) {
    assert.ok(text.includes(part), `expected ${part} in:\n${text}`);
  }
}
