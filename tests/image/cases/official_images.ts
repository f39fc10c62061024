/**
 * What the tests of Docker's official images ask of every image
 * (https://github.com/docker-library/official-images/tree/master/test).
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Case, Lab } from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "utc",
  what: "the time zone is UTC",
  run: async (lab) => {
    assert.equal(await printed(lab, ["date", "+%Z"]), "UTC");
  },
}, {
  name: "no-hard-coded-passwords",
  what: "no user of the image has a password, and no variable holds one",
  run: async (lab) => {
    const command = ["cat", "/etc/passwd", "/etc/shadow"];
    const users = await printed(lab, command, ["--user=root"]);
    assert.ok(users.includes("mattermost:"), users);
    for (const line of users.split("\n")) {
      assert.match(line, /^[^:]+:(?:x|\*|!\*?|!!):/);
    }
    const variables = await lab.docker.must([
      ...["image", "inspect", "--format", "{{json .Config.Env}}"],
      await lab.image(),
    ]);
    assert.doesNotMatch(variables, /PASS|SECRET|TOKEN|KEY|SALT/i);
  },
}, {
  name: "override-cmd",
  what: "another command runs instead of the server",
  run: async (lab) => {
    assert.equal(await printed(lab, ["echo", "Hello world"]), "Hello world");
  },
}];

async function printed(
  lab: Lab,
  command: readonly string[],
  options: readonly string[] = [],
): Promise<string> {
  const { code, stdout, text } = await lab.docker.run(await lab.image(), {
    ...{ command, options },
  });
  assert.equal(code, 0, text);
  return stdout.trim();
}
