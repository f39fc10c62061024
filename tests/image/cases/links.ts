/**
 * How the program finds the database: all forms of links, and host names.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Case,
  identity,
  type Lab,
  LAST_MYSQL,
  PASSWORD,
  readConfig,
  type ServerOptions,
} from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "link-postgres",
  what: "docker run --link to PostgreSQL needs no other variable",
  run: async (lab) => {
    const database = await lab.postgres("database");
    const link = `--link=${database.id}:postgres`;
    await expectDatabase(lab, "postgres", {
      options: [link],
      environment: await withoutLinkVariables(lab),
    });
  },
}, {
  name: "link-mysql",
  what: "docker run --link to MySQL needs no other variable",
  run: async (lab) => {
    const database = await lab.mysql("database");
    const link = `--link=${database.id}:mysql`;
    await expectDatabase(lab, "mysql", {
      release: LAST_MYSQL,
      options: [link],
      environment: {
        ...await withoutLinkVariables(lab),
        // The default user for MySQL is root, and no variable sets another one.
        ...await lab.hasLinkVariables() ? {} : { DB_USER: "mattermost" },
      },
    });
  },
}, {
  name: "network-postgres",
  what: "PostgreSQL is found by its alias in a user-defined network",
  run: async (lab) => {
    const network = await lab.docker.network("net");
    const database = await lab.postgres("database", ["--network", network]);
    await expectDatabase(lab, "postgres", {
      options: ["--network", network, `--link=${database.id}:postgres`],
      environment: { DB_PASS: PASSWORD },
    });
  },
}, {
  name: "network-mariadb",
  what: "MariaDB is found by its alias in a user-defined network",
  run: async (lab) => {
    const network = await lab.docker.network("net");
    await lab.mysql("database", {
      image: "mariadb:11.8",
      options: ["--network", network, "--network-alias=mysql"],
    });
    await expectDatabase(lab, "mysql", {
      release: LAST_MYSQL,
      options: ["--network", network],
      environment: { DB_USER: "mattermost", DB_PASS: PASSWORD },
    });
  },
}, {
  name: "service-links",
  what: "service links of Kubernetes work, also if they collide with settings",
  run: async (lab) => {
    const database = await lab.postgres("database");
    await database.until("addressed", async () => {
      return await database.address() !== "";
    });
    const address = await database.address();
    // The variables of the Services postgres, mattermost and db with enableServiceLinks: true.
    const environment = {
      ...serviceLink("POSTGRES", address, 5432),
      ...serviceLink("MATTERMOST", "10.96.0.20", 80),
      ...serviceLink("DB", "10.96.0.30", 3306),
      DB_ADAPTER: "postgres",
      DB_PASS: PASSWORD,
    };
    const server = await expectDatabase(lab, "postgres", { environment });
    const { SqlSettings, ServiceSettings } = await readConfig(server.container);
    assert.ok(SqlSettings.DataSource.includes(`@${address}:5432/`));
    assert.equal(ServiceSettings.ListenAddress, ":80");
  },
}];

/** Starts Mattermost and checks the kind of its database. */
async function expectDatabase(
  lab: Lab,
  adapter: "postgres" | "mysql",
  options: ServerOptions,
) {
  const server = await lab.server("server", options);
  const { uid } = await identity(server);
  assert.equal(uid, "2000");
  const { SqlSettings } = await readConfig(server.container);
  assert.equal(SqlSettings.DriverName, adapter);
  return server;
}

/** The variables that Docker sets before release 29. */
async function withoutLinkVariables(
  lab: Lab,
): Promise<Record<string, string>> {
  return await lab.hasLinkVariables() ? {} : { DB_PASS: PASSWORD };
}

function serviceLink(
  name: string,
  address: string,
  port: number,
): Record<string, string> {
  const url = `tcp://${address}:${port}`;
  return {
    [`${name}_SERVICE_HOST`]: address,
    [`${name}_SERVICE_PORT`]: String(port),
    [`${name}_PORT`]: url,
    [`${name}_PORT_${port}_TCP`]: url,
    [`${name}_PORT_${port}_TCP_PROTO`]: "tcp",
    [`${name}_PORT_${port}_TCP_PORT`]: String(port),
    [`${name}_PORT_${port}_TCP_ADDR`]: address,
  };
}
