/**
 * Users, capabilities and read-only file systems, and the messages about missing permissions.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assertHas, type Case, CONFIG, identity, type Lab } from "../lab.ts";

const HARDENED = [
  ...["--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only"],
  "--tmpfs=/tmp",
];

const DATA = "/opt/mattermost/data";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "arbitrary-user",
  what:
    "--user 1234:1234 works with new volumes, and a path that it cannot write is an error",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const user = [...options, "--user=1234:1234"];
    const server = await lab.server("server", { options: user, environment });
    const who = await identity(server);
    assert.equal(`${who["uid"]}:${who["gid"]}`, "1234:1234");

    const foreign = await volumeOf(lab, "chown -R 2000:2000 . && chmod 0755 .");
    const refused = await lab.docker.run(await lab.image(), {
      options: [...user, `--volume=${foreign}:${DATA}`],
      environment,
    });
    assert.equal(refused.code, 73, refused.text);
    assertHas(refused.text, DATA, "chown", "1234:1234");
  },
}, {
  name: "read-only-root",
  what:
    "--read-only without capabilities works, and a path that it cannot write is an error",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    const hardened = [...options, ...HARDENED];
    const server = await lab.server("server", {
      options: hardened,
      environment,
    });
    assert.equal((await identity(server))["uid"], "2000");

    const locked = await volumeOf(lab, "chown -R 2000:2000 .");
    const refused = await lab.docker.run(await lab.image(), {
      options: [...hardened, `--volume=${locked}:${DATA}:ro`],
      environment,
    });
    assert.equal(refused.code, 73, refused.text);
    assertHas(refused.text, DATA);
  },
}, {
  name: "root-drops",
  what:
    "as root the program gives an old volume to 2000:2000 and becomes that user",
  run: async (lab) => {
    const { options, environment } = await lab.network();
    // Files of an image that ran as root.
    const old = await volumeOf(
      lab,
      "mkdir config files && echo kept >files/old && chown -R 0:0 . && chmod 0755 .",
    );
    const volume = `--volume=${old}:${DATA}`;
    const refused = await lab.docker.run(await lab.image(), {
      options: [...options, volume],
      environment,
    });
    assert.equal(refused.code, 73, refused.text);
    assertHas(refused.text, "chown", "2000:2000");

    const capabilities = ["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"];
    const server = await lab.server("server", {
      options: [
        ...[...options, volume, "--user=root", "--cap-drop=ALL"],
        ...capabilities.map((name) => `--cap-add=${name}`),
        "--security-opt=no-new-privileges",
      ],
      environment,
    });
    const who = await identity(server);
    assert.equal(`${who["uid"]}:${who["gid"]}`, "2000:2000");
    assert.match(who["groups"] ?? "", /^2000( 2000)?$/);
    const { container } = server;
    const owners = await container.exec([
      ...["stat", "-c", "%u:%g", DATA, `${DATA}/files/old`, CONFIG],
    ]);
    assert.equal(owners, "2000:2000\n2000:2000\n2000:2000");
    assert.equal(await container.exec(["cat", `${DATA}/files/old`]), "kept");
  },
}];

/** A volume with files; Docker would copy the image's directory into an empty one. */
async function volumeOf(lab: Lab, script: string): Promise<string> {
  return await lab.docker.volume("data", {
    image: await lab.image(),
    script: `cd /volume; touch something; ${script}`,
  });
}
