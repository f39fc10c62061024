import assert from "node:assert/strict";
import { prepareDirectories } from "../../../../lib/startup/directories/prepare_directories.ts";
import { makePlan } from "../../../../lib/startup/plan.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../../support/installation.ts";

Deno.test("root gives the directories with their content to the server's user, and becomes that user", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/old");
  files.place("/opt/mattermost/data/old/upload.png", "x");
  const { system, context } = stage({ files });
  const served = await prepareDirectories(await makePlan(context), context);
  assert.deepEqual(system.identities, [{ uid: 2000, gid: 2000 }]);
  assert.deepEqual([served.system.uid, served.system.gid], [2000, 2000]);
  assert.equal(served.system.startedAs, 0);
  for (
    const path of [
      "/opt/mattermost/data",
      "/opt/mattermost/data/old/upload.png",
      "/opt/mattermost/data/config",
      "/var/log/mattermost",
      `${INSTALL}/plugins`,
    ]
  ) {
    const facts = system.files.stat(path);
    assert.deepEqual([facts?.uid, facts?.gid], [2000, 2000], path);
  }
  assert.match(
    system.err.text,
    /Gave \/opt\/mattermost\/data to user 2000:2000/,
  );
});

Deno.test("what the system refuses to give is logged, and the start continues", async () => {
  const { system, context } = stage({
    giveReport: {
      given: [],
      notGiven: [{
        reason: "refused",
        path: "/opt/mattermost/data",
        count: 1,
        cause: "operation not permitted",
      }],
    },
  });
  const { system: { uid } } = await prepareDirectories(
    await makePlan(context),
    context,
  );
  assert.equal(uid, 2000);
  assert.doesNotMatch(system.err.text, /Gave/);
  assert.match(
    system.err.text,
    /warning: \/opt\/mattermost\/data could not be given to user 2000:2000: operation not permitted\n.*chown -R 2000:2000 /,
  );
});

Deno.test("without root a start creates the directories that it can, gives none, and does not fail", async () => {
  const { system, context } = stage({ uid: 1234, gid: 1234 });
  const plan = await makePlan(context);
  system.files.fault = (_, what) =>
    what.startsWith("mkdir /var") ? { code: "EACCES" } : undefined;
  await prepareDirectories(plan, context);
  assert.deepEqual([system.gifts, system.identities], [[], []]);
  assert.equal(
    system.files.stat(CONFIG.replace("/config.json", ""))?.mode,
    0o750,
  );
  assert.equal(system.files.stat("/var/log/mattermost"), undefined);
});

Deno.test("without log files their directory is not created", async () => {
  const { system, context } = stage({
    env: { ...ENOUGH, MATTERMOST_LOG_FILES: "false" },
  });
  await prepareDirectories(await makePlan(context), context);
  assert.equal(system.files.stat("/var/log/mattermost"), undefined);
});
