/**
 * The cases of the benchmark, and what they need: databases with the tables of a release, a
 * web server for the health check, and a directory for each case.
 *
 * @module
 */

import { join } from "node:path";
import { installFakeMattermost } from "../../tests/fake_mattermost/install.ts";
import { migrationsOf } from "../../tests/fake_mattermost/migrations.ts";
import { startMariadb } from "../../tests/servers/mariadb.ts";
import { cached } from "../shared/cache.ts";
import type { DatabaseServer } from "../shared/database_server.ts";
import { debianCommand, unpackDebian } from "../shared/packages.ts";
import { startPostgres } from "../shared/postgres.ts";
import { run } from "../shared/process.ts";
import { filter, settingLines } from "./classic.ts";
import { IMAGE_USER, type Job } from "./meter.ts";
import { loadableFiles } from "./page_cache.ts";

/** A release for both databases. */
const RELEASE = "10.5.0";

/** The migrations of the release, which are the same for both databases except for one name. */
const MIGRATIONS = {
  postgres: await migrationsOf(RELEASE, "postgres"),
  mysql: await migrationsOf(RELEASE, "mysql"),
};

/** The tables that the release leaves; PostgreSQL folds their names to lower case. */
function tablesOf(product: keyof typeof MIGRATIONS): string {
  const rows = MIGRATIONS[product]
    .map((name) => `(${Number(name.slice(0, 6))}, '${name.slice(7)}')`);
  return `
    CREATE TABLE Systems (Name VARCHAR(64) PRIMARY KEY, Value VARCHAR(1024));
    CREATE TABLE Users (Id VARCHAR(26) PRIMARY KEY);
    CREATE TABLE db_migrations (Version BIGINT PRIMARY KEY, Name VARCHAR(64));
    INSERT INTO Systems VALUES ('Version', '${RELEASE}');
    INSERT INTO db_migrations VALUES ${rows.join(", ")};`;
}

/** A server that answers the questions of a start, and ends at once when it becomes the process. */
const SERVER = `#!/bin/sh
case "$*" in
  version*) echo 'Version: ${RELEASE}';;
  *mattermost-entrypoint-*) echo 'Failed to ping DB' >&2; exec sleep 60;;
esac
`;

/** The programs that the shell script uses, from one Debian release. */
const SUITE = "bookworm";
const CLASSIC = {
  JQ: ["jq", "usr/bin/jq"],
  PSQL: ["postgresql-client-15", "usr/lib/postgresql/15/bin/psql"],
  MARIADB: ["mariadb-client-core", "usr/bin/mariadb"],
} as const;

const CLASSIC_SCRIPT = join(import.meta.dirname ?? ".", "classic.sh");

/** A case to measure. */
export interface Case {
  /** The name in the tables. */
  readonly name: string;
  /** Runs before each measurement. */
  readonly prepare?: () => Promise<void>;
  /** The program to measure. */
  readonly job: Job;
}

/** Options of {@linkcode openLab}. */
export interface LabOptions {
  /** A temporary directory that all users can enter. */
  readonly home: string;
  /** The compiled program. */
  readonly binary: string;
  /** The compiled floor. */
  readonly floor: string;
  /** Another build of the program to compare with. */
  readonly against?: string | undefined;
}

/** The cases, with the servers that they use. */
export interface Lab extends AsyncDisposable {
  /** The cases, in the order of the tables; the floor is the first. */
  readonly cases: readonly Case[];
  /** The programs and libraries that the cases load. */
  readonly files: readonly string[];
  /** Versions for the report. */
  readonly products: readonly string[];
}

/**
 * Starts the servers and prepares the cases.
 *
 * @param options The directory and the programs.
 * @returns The cases.
 * @throws {Error} when a database or a program cannot be downloaded or started
 */
export async function openLab(options: LabOptions): Promise<Lab> {
  const { home, binary, floor, against } = options;
  await using stack = new AsyncDisposableStack();
  const install = join(home, "mattermost");
  await installFakeMattermost(install, RELEASE);
  // As in the image.
  for (const plugins of ["plugins", "client/plugins"]) {
    await Deno.mkdir(join(install, plugins), { recursive: true });
    await giveToImageUser(join(install, plugins));
  }
  // The time of the server itself must not count.
  const program = join(install, "bin/mattermost");
  await Deno.writeTextFile(program, SERVER);
  // As the build of the image does.
  const names = Object.entries(MIGRATIONS).flatMap(([product, list]) =>
    list.map((name) => `${product}/${name}.up.sql`)
  );
  await Deno.writeTextFile(
    join(install, "migrations.txt"),
    [(await Deno.stat(program)).size, ...names].join("\n"),
  );
  const { tools, files } = await classicTools();
  const postgres = stack.use(await startPostgres());
  await postgres.sql("CREATE DATABASE mattermost");
  await postgres.sql(tablesOf("postgres"), "mattermost");
  const mariadb = stack.use(await startMariadb());
  await mariadb.sql("CREATE DATABASE mattermost");
  await mariadb.sql(tablesOf("mysql"), "mattermost");
  const health = stack.use(serveHealth());

  const settings = (place: string, server: DatabaseServer): Job["env"] => ({
    PATH: "/usr/local/bin:/usr/bin:/bin",
    DB_ADAPTER: server === postgres ? "postgres" : "mysql",
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: server.password,
    DB_NAME: "mattermost",
    MATTERMOST_VERSION: RELEASE,
    // The default is a privileged port on many machines.
    MATTERMOST_PORT: "8065",
    MATTERMOST_SITE_URL: "https://chat.example.com",
    MATTERMOST_INSTALL_DIR: install,
    MATTERMOST_CONF_DIR: join(place, "conf"),
    MATTERMOST_DATA_DIR: join(place, "data"),
    MATTERMOST_LOG_DIR: join(place, "log"),
  });
  const start = (
    name: string,
    server: DatabaseServer,
    program: readonly string[],
  ): Case => ({
    name,
    job: { command: program, env: settings(join(home, name), server) },
  });
  const classic = async (
    product: string,
    server: DatabaseServer,
  ): Promise<Case> => {
    const name = `shell script, ${product}`;
    const env = settings(join(home, name), server);
    const written = await writeClassic(join(home, product), binary, env);
    return {
      name,
      job: { command: [CLASSIC_SCRIPT], env: { ...env, ...tools, ...written } },
    };
  };
  const ours = (program: string, suffix = ""): Case[] => {
    const command = [program, "app:start"];
    const first = start(`first start, PostgreSQL${suffix}`, postgres, command);
    const place = join(home, first.name);
    const warm = settings(join(home, `start, PostgreSQL${suffix}`), postgres);
    const root = start(`start as root, PostgreSQL${suffix}`, postgres, command);
    return [
      start(`start, PostgreSQL${suffix}`, postgres, command),
      start(`start, MariaDB${suffix}`, mariadb, command),
      { ...root, job: { ...root.job, isRoot: true } },
      {
        ...first,
        prepare: async (): Promise<void> => {
          await Deno.remove(place, { recursive: true }).catch(() => {});
          await makeHome(place);
        },
      },
      {
        name: `app:health${suffix}`,
        job: {
          command: [program, "app:health"],
          env: {
            ...warm,
            MM_SERVICESETTINGS_LISTENADDRESS: `:${health.addr.port}`,
          },
        },
      },
      {
        name: `app:config${suffix}`,
        job: { command: [program, "app:config"], env: warm },
      },
    ];
  };
  const cases: Case[] = [
    { name: "floor", job: { command: [floor], env: {} } },
    ...ours(binary),
    ...(against === undefined ? [] : ours(against, " (against)")),
    await classic("PostgreSQL", postgres),
    await classic("MariaDB", mariadb),
  ];
  for (const { name } of cases) await makeHome(join(home, name));
  const moved = stack.move();
  return {
    cases,
    files: [
      binary,
      floor,
      ...(against === undefined ? [] : [against]),
      ...files,
    ],
    products: await versions(postgres, mariadb),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

async function makeHome(place: string): Promise<void> {
  for (const part of ["conf", "data", "log"]) {
    await Deno.mkdir(join(place, part), { recursive: true });
  }
  // As on a volume of an earlier start.
  await giveToImageUser(place);
}

async function giveToImageUser(directory: string): Promise<void> {
  if (IMAGE_USER === undefined) return;
  const { uid, gid } = IMAGE_USER;
  await run(["chown", "-R", `${uid}:${gid}`, directory]);
}

/** Writes the settings and the jq program for the shell script, from all settings of the program. */
async function writeClassic(
  directory: string,
  binary: string,
  env: Job["env"],
): Promise<Record<string, string>> {
  const command = [binary, "app:config", "--explain", "--json"];
  const { settings } = JSON.parse(await run(command, { env, clearEnv: true }));
  await Deno.mkdir(directory);
  const files = {
    SETTINGS: join(directory, "settings.sh"),
    FILTER: join(directory, "filter.jq"),
  };
  await Deno.writeTextFile(files.SETTINGS, settingLines(settings));
  await Deno.writeTextFile(files.FILTER, filter(settings));
  return files;
}

/** The commands for the variables of the shell script, and the files of their programs. */
async function classicTools(): Promise<{
  readonly tools: Record<string, string>;
  readonly files: readonly string[];
}> {
  const root = await cached(
    `classic-${SUITE}-${Deno.build.arch}`,
    (draft) =>
      unpackDebian(draft, {
        suite: SUITE,
        packages: Object.values(CLASSIC).map(([name]) => name),
      }),
  );
  const entries = Object.entries(CLASSIC).map(async ([name, [, path]]) => [
    name,
    (await debianCommand(root, path)).join(" "),
  ]);
  return {
    tools: Object.fromEntries(await Promise.all(entries)),
    files: await loadableFiles(root),
  };
}

function serveHealth(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ status: "OK" }),
  );
}

async function versions(
  postgres: DatabaseServer,
  mariadb: DatabaseServer,
): Promise<string[]> {
  const [first] = await postgres.sql(
    "SELECT current_setting('server_version') AS version",
  );
  const [second] = await mariadb.sql("SELECT VERSION() AS version");
  const kernel = await run(["uname", "-sm"]);
  return [
    `PostgreSQL ${first?.["version"]}`,
    `MariaDB ${String(second?.["version"]).split("-")[0]}`,
    `${navigator.hardwareConcurrency} processors, ${kernel.trim()}`,
  ];
}
