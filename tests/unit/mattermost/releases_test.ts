import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import {
  databaseNumber,
  logFileLocation,
  migrationCommand,
  type Release,
  releaseFacts,
  serverCommand,
  serverEnvironment,
} from "../../../lib/mattermost/releases.ts";

const PATHS = { home: "/opt/mattermost", config: "/data/config.json" };

/** The facts about a release by name, each as a short text. */
const FACTS: Readonly<
  Record<string, (release: Release) => string | undefined>
> = {
  binary: (release) => release.binary,
  migration: (release) => release.migration,
  liveness: (release) => release.liveness.path,
  readiness: (release) => release.readiness.path,
  mysql: ({ databases: { mysql } }) => mysql && (mysql.minimum ?? "any"),
  mysqlNew: ({ databases: { mysql } }) =>
    mysql && String(mysql.newInstallations),
  postgres: ({ databases: { postgres } }) => postgres.minimum ?? "any",
  adapter: (release) => release.defaultAdapter,
  log: (release) => logFileLocation(release, "/var/log/mm/"),
  writes: (release) => release.configWrites,
  listen: (release) => String(release.failsOnListenError),
  overrides: (release) => release.environmentOverrides,
  subPaths: (release) => String(release.subPaths),
  plugins: (release) => String(release.plugins),
  writable: (release) => release.writableDirectories.join(" "),
  environment: (release) =>
    Object.keys(serverEnvironment(release, "/var/log/mm")).join(" "),
};

/** The values of each fact, with the first and the last release that has the value. */
const EXPECTED: Readonly<
  Record<string, readonly (readonly [string, string, string | undefined])[]>
> = {
  binary: [
    ["3.0.0", "4.10.10", "bin/platform"],
    ["5.0.0", "11.10.0", "bin/mattermost"],
  ],
  migration: [
    ["3.0.0", "3.3.0", "-upgrade_db_30"],
    ["3.4.0", "6.4.3", "none"],
    ["6.5.0", "11.10.0", "db migrate"],
  ],
  liveness: [
    ["3.0.0", "3.0.3", "/"],
    ["3.1.0", "3.6.7", "/api/v3/general/ping"],
    ["3.7.0", "11.10.0", "/api/v4/system/ping"],
  ],
  readiness: [
    ["3.0.0", "3.0.3", "/"],
    ["3.1.0", "3.6.7", "/api/v3/general/ping"],
    ["3.7.0", "5.13.3", "/api/v4/system/ping"],
    ["5.14.0", "11.10.0", "/api/v4/system/ping?get_server_status=true"],
  ],
  mysql: [
    ["3.0.0", "5.39.3", "any"],
    ["6.0.0", "9.4.5", "5.7.12"],
    ["9.5.0", "10.12.4", "8.0.0"],
    ["11.0.0", "12.0.0", undefined],
  ],
  mysqlNew: [["3.0.0", "9.11.18", "true"], ["10.0.0", "10.12.4", "false"]],
  postgres: [
    ["3.0.0", "5.31.9", "any"],
    ["5.32.0", "7.10.5", "10.0"],
    ["8.0.0", "10.5.14", "11.0"],
    ["10.6.0", "10.12.4", "13.0"],
    ["11.0.0", "12.0.0", "14.0"],
  ],
  adapter: [
    ["3.0.0", "10.12.4", "mysql"],
    ["11.0.0", "12.0.0", "postgres"],
  ],
  log: [
    ["3.0.0", "3.7.6", "/var/log/mm/mattermost.log"],
    ["3.8.0", "4.1.2", "/var/log/mm/"],
    ["4.2.0", "11.10.0", "/var/log/mm"],
  ],
  writes: [
    ["3.0.0", "5.9.8", "best effort"],
    ["5.10.0", "5.29.2", "incomplete"],
    ["5.30.0", "11.10.0", "always"],
  ],
  listen: [["3.0.0", "5.36.2", "false"], ["5.37.0", "11.10.0", "true"]],
  overrides: [
    ["3.0.0", "3.7.6", "none"],
    ["3.8.0", "4.9.4", "present keys"],
    ["4.10.0", "5.29.9", "all keys"],
    ["5.30.0", "11.10.0", "all keys, any case"],
  ],
  subPaths: [["3.0.0", "5.0.3", "false"], ["5.1.0", "11.10.0", "true"]],
  plugins: [["3.0.0", "4.1.2", "false"], ["4.2.0", "11.10.0", "true"]],
  writable: [
    ["3.0.0", "4.1.2", "config data logs"],
    ["4.2.0", "4.4.3", "config data logs plugins"],
    ["4.4.4", "11.10.0", "config data logs plugins client/plugins"],
  ],
  environment: [
    ["3.0.0", "10.10.3", ""],
    ["10.11.0", "11.1.3", "MM_LOG_PATH"],
    ["11.2.0", "11.10.0", "MM_LOG_PATH MM_INSTALL_TYPE"],
  ],
};

for (const [name, rows] of Object.entries(EXPECTED)) {
  Deno.test(`releaseFacts() has the right ranges of "${name}"`, () => {
    const factOf = FACTS[name];
    ok(factOf);
    for (const [first, last, value] of rows) {
      equal(factOf(releaseFacts(first)), value, first);
      equal(factOf(releaseFacts(last)), value, last);
    }
  });
}

Deno.test("every fact about a release has expected values", () => {
  deepEqual(Object.keys(EXPECTED), Object.keys(FACTS));
});

Deno.test("releaseFacts() treats a release candidate as its release, and keeps its name", () => {
  const release = releaseFacts("v11.0.0-rc1");
  equal(release.version, "11.0.0-rc1");
  equal(release.databases.mysql, undefined);
});

Deno.test("releaseFacts() treats a release that this program does not know like the newest one", () => {
  for (const version of ["11.11.1", "12.0.0", "13.4.0", "99.0.0"]) {
    const release = releaseFacts(version);
    deepEqual({ ...release, version: "" }, {
      ...releaseFacts("11.10.0"),
      version: "",
    });
  }
});

for (const version of ["2.2.0", "0.6.0", "latest", "", "3"]) {
  Deno.test(`releaseFacts() rejects "${version}" and names the supported releases`, () => {
    throws(
      () => releaseFacts(version),
      (error) =>
        error instanceof EntrypointError && error.code === 78 &&
        error.message.includes("supports Mattermost 3.0.0 and later") &&
        error.remedy?.startsWith("MATTERMOST_VERSION=") === true,
    );
  });
}

Deno.test("serverCommand() returns the form that all releases accept", () => {
  deepEqual(serverCommand(releaseFacts("3.6.1"), PATHS), [
    "/opt/mattermost/bin/platform",
    "--config",
    "/data/config.json",
  ]);
  deepEqual(serverCommand(releaseFacts("11.7.9"), PATHS), [
    "/opt/mattermost/bin/mattermost",
    "--config",
    "/data/config.json",
  ]);
});

Deno.test("migrationCommand() exists only where a release has one", () => {
  deepEqual(migrationCommand(releaseFacts("3.3.0"), PATHS), [
    "/opt/mattermost/bin/platform",
    "--config",
    "/data/config.json",
    "-upgrade_db_30",
  ]);
  equal(migrationCommand(releaseFacts("5.37.10"), PATHS), undefined);
  deepEqual(migrationCommand(releaseFacts("7.8.15"), PATHS), [
    "/opt/mattermost/bin/mattermost",
    "db",
    "migrate",
    "--config",
    "/data/config.json",
  ]);
});

Deno.test("databaseNumber() converts the versions of both products", () => {
  const cases: readonly ["mysql" | "postgres", string, number | undefined][] = [
    ["postgres", "15.4 (Debian 15.4-2.pgdg120+1)", 150004],
    ["postgres", "9.6.24", 90624],
    ["postgres", "14", 140000],
    ["postgres", "17beta1", 170000],
    ["mysql", "5.7.12-log", 5712],
    ["mysql", "8.0.36", 8036],
    ["mysql", "8.4.5", 8405],
    ["mysql", "10.11.6-MariaDB-1:10.11.6+maria~ubu2204", 11106],
    ["mysql", "5.5.5-10.11.6-MariaDB", 11106],
    ["mysql", "nonsense", undefined],
  ];
  for (const [adapter, text, number] of cases) {
    equal(databaseNumber(adapter, text), number, text);
  }
});

Deno.test("the minimum of a database is also a number", () => {
  equal(releaseFacts("7.8.15").databases.mysql?.minimumNumber, 5712);
  equal(releaseFacts("9.5.14").databases.mysql?.minimumNumber, 8000);
  equal(releaseFacts("10.11.23").databases.postgres.minimumNumber, 130000);
  equal(releaseFacts("3.6.0").databases.postgres.minimumNumber, 0);
});
