/**
 * Upgrades and downgrades with the same volumes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import {
  assertHas,
  type Case,
  CONFIG,
  identity,
  type Lab,
  leaveMigrations,
  readConfig,
} from "../lab.ts";

const NEWER = "11.8.5";
const DATA = "/opt/mattermost/data";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "upgrade",
  what: "a newer image with the same volumes keeps configuration and secrets",
  run: async (lab) => {
    const { start } = await setting(lab);
    const old = await start(DEFAULT_RELEASE);
    const before = await readConfig(old.server.container);
    await old.server.container.command("rm", "--force");
    const { server: { container }, version } = await start(NEWER);
    assert.equal(version, NEWER);
    assertHas(
      await container.logs(),
      `Upgrading from Mattermost ${DEFAULT_RELEASE} to ${NEWER}`,
      `Only a backup from before these migrations leads back to Mattermost ${DEFAULT_RELEASE}`,
    );
    const after = await readConfig(container);
    for (const [section, key] of KEPT) {
      assert.equal(after[section][key], before[section][key], key);
    }
    assertHas(await container.exec(["cat", `${DATA}/VERSION`]), NEWER);
  },
}, {
  name: "downgrade",
  what:
    "an older image with the volumes of a newer one is refused and changes nothing",
  run: async (lab) => {
    const { start, options, environment } = await setting(lab);
    const { server } = await start(NEWER);
    const { container } = server;
    const before = await container.exec(["sha256sum", CONFIG]);
    await container.command("stop");
    const { code, text } = await lab.docker.run(
      await lab.image(DEFAULT_RELEASE),
      {
        options,
        environment,
      },
    );
    assert.equal(code, 78, text);
    assertHas(text, NEWER, DEFAULT_RELEASE);
    await container.command("start");
    await identity(server);
    assert.equal(await container.exec(["sha256sum", CONFIG]), before);
    assertHas(await container.exec(["cat", `${DATA}/VERSION`]), NEWER);
  },
}];

/** Values that must not change in an upgrade. */
const KEPT = [
  ["FileSettings", "PublicLinkSalt"],
  ["SqlSettings", "AtRestEncryptKey"],
  ["SqlSettings", "DataSource"],
] as const;

/** A database and a volume for several releases in turn. */
async function setting(lab: Lab) {
  const { database, environment, options: network } = await lab.network();
  const volume = await lab.docker.volume("data", { image: await lab.image() });
  const options = [...network, `--volume=${volume}:${DATA}`];
  const start = async (release: string) => {
    const server = await lab.server(`server-${release}`, {
      release,
      options,
      environment,
    });
    const { version } = await identity(server);
    await leaveMigrations(database, release);
    return { server, version };
  };
  return { start, options, environment };
}
