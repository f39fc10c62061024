import assert from "node:assert/strict";
import { prepareDirectories } from "../../../lib/startup/directories/prepare_directories.ts";
import {
  requireRegularFiles,
  writePlan,
} from "../../../lib/startup/write_plan.ts";
import { isUnchanged } from "../../../lib/config/file.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { CONFIG, ENOUGH, stage } from "../../support/installation.ts";

Deno.test("a link at the name of any file that the start writes ends it before anything is changed", async () => {
  const data = "/opt/mattermost/data";
  const names = [
    ...["lock", "memory", "1", "2", "3", "new", "writing", "broken"]
      .flatMap((end) => [`${CONFIG}.${end}`, `${data}/config.json.${end}`]),
    ...[`${data}/VERSION`, `${data}/config/authorities.pem`],
  ];
  for (const path of names) {
    const { system, context } = stage();
    const plan = await makePlan(context);
    const bundle = {
      path: `${data}/config/authorities.pem`,
      text: "",
      added: 1,
    };
    requireRegularFiles(plan, bundle, system);
    system.files.link(path, "/etc/shadow");
    const { steps } = system.files;
    assert.throws(
      () => requireRegularFiles(plan, bundle, system),
      (error) =>
        error instanceof EntrypointError && error.code === 73 &&
        error.message.startsWith(`${path} is a symbolic link, `),
      path,
    );
    assert.equal(system.files.steps, steps);
  }
});

Deno.test("a config.json that changed after the plan is merged again, not overwritten", async () => {
  const { system, context } = stage();
  const { files } = system;
  const first = await makePlan(context);
  await prepareDirectories(first, context);
  await writePlan(first, context);
  const next = stage({
    files,
    env: { ...ENOUGH, MATTERMOST_NAME: "New name" },
  });
  const plan = await makePlan(next.context);
  const { place, state } = plan;
  assert.ok(isUnchanged(system, place, state));

  const lastApplied = `${CONFIG}.memory`;
  const text = files.readText(lastApplied);
  files.place(lastApplied, text.replace('"salt": "', '"salt": "0'));
  assert.ok(!isUnchanged(system, place, state), "another last-applied state");
  files.place(lastApplied, text);
  assert.ok(isUnchanged(system, place, state));

  const document = JSON.parse(files.readText(CONFIG));
  document.TeamSettings.OfAnother = "start";
  files.place(CONFIG, JSON.stringify(document));
  assert.ok(!isUnchanged(system, place, state), "another config.json");
  await writePlan(plan, next.context);
  const { TeamSettings } = JSON.parse(files.readText(CONFIG));
  assert.equal(TeamSettings.OfAnother, "start");
  assert.equal(TeamSettings.SiteName, "New name");

  files.remove(CONFIG);
  assert.ok(!isUnchanged(system, place, state), "config.json is gone");
});

Deno.test("a lock that cannot be taken is a warning, and config.json is written", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  system.files.lockError = "ENOLCK";
  await writePlan(plan, context);
  assert.match(system.err.text, /warning: .*ENOLCK/);
  assert.equal(system.files.stat(CONFIG)?.isFile, true);
});

Deno.test("an edit that a setting overrides is a warning", async () => {
  const { system, context } = stage({
    env: { ...ENOUGH, MATTERMOST_MAX_USERS: "70" },
  });
  await writePlan(await makePlan(context), context);
  const written = system.files.readText(CONFIG);
  system.files.place(CONFIG, written.replace(/: 70\b/, ": 71"));
  await writePlan(await makePlan(context), context);
  assert.match(
    system.err.text,
    /warning: .*TeamSettings\.MaxUsersPerTeam.*MATTERMOST_MAX_USERS/,
  );
  assert.match(system.files.readText(CONFIG), /"MaxUsersPerTeam": 70\b/);
});
