import assert from "node:assert/strict";
import { prepareDirectories } from "../../../lib/startup/directories/prepare_directories.ts";
import {
  isConfirmed,
  recordRelease,
} from "../../../lib/startup/version_file.ts";
import { confirmInstalledRelease } from "../../../lib/startup/upgrade_guard.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { age, INSTALL, stage } from "../../support/installation.ts";

Deno.test("a start writes the release to VERSION", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  await recordRelease(plan, system, true);
  assert.equal(
    system.files.readText("/opt/mattermost/data/VERSION"),
    "11.7.9\n",
  );
});

Deno.test("a VERSION file is written only if its release is wrong", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  await recordRelease(plan, system, true);
  const { steps } = system.files;
  await recordRelease(plan, system, true);
  assert.equal(system.files.steps, steps);
  system.files.place("/opt/mattermost/data/VERSION", "11.6.0\n");
  await recordRelease(plan, system, true);
  assert.equal(
    system.files.readText("/opt/mattermost/data/VERSION"),
    "11.7.9\n",
  );
});

Deno.test("a VERSION file gets the date of a new program of the same release, if the disk permits", async () => {
  const path = "/opt/mattermost/data/VERSION";
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  await recordRelease(plan, system, true);
  assert.ok(isConfirmed(plan, system));
  // A new image with the same release.
  age(files, path, 2000);
  assert.ok(!isConfirmed(plan, system));
  files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  await recordRelease(plan, system, true);
  assert.ok(!isConfirmed(plan, system));
  assert.equal(files.readText(path), "11.7.9\n");
  files.fault = () => undefined;
  await recordRelease(plan, system, true);
  assert.ok(isConfirmed(plan, system));
  assert.equal(files.readText(path), "11.7.9\n");
});

Deno.test("a program that did not confirm its release is asked again at the next start", async () => {
  const path = "/opt/mattermost/data/VERSION";
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  await recordRelease(plan, system, false);
  assert.equal(files.readText(path), "11.7.9\n");
  assert.ok(!isConfirmed(plan, system));
  const { steps } = files;
  await recordRelease(plan, system, false);
  assert.equal(files.steps, steps, "the release is the same");
  for (
    const [code, line, isAnswered] of [
      [0, "Version: 11.7.9", true],
      [0, "Something else", false],
      [undefined, "", false],
    ] as const
  ) {
    const asked = await confirmInstalledRelease(plan, {
      ...system,
      watchChild: () => Promise.resolve({ lines: [line], code }),
    });
    assert.equal(asked, isAnswered, line);
  }
});

Deno.test("a VERSION file that is younger than the program does not confirm it", async () => {
  const program = `${INSTALL}/bin/mattermost`;
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  prepareDirectories(plan, context);
  await recordRelease(plan, system, true);
  // An image of another release that is older than the last start.
  age(files, program, 5000);
  assert.ok(!isConfirmed(plan, system));
  await assert.rejects(
    confirmInstalledRelease(plan, {
      ...system,
      watchChild: () =>
        Promise.resolve({ lines: ["Version: 11.8.0"], code: 0 }),
    }),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      error.message ===
        `MATTERMOST_VERSION is 11.7.9, but the server in ${INSTALL} reports release 11.8.0`,
  );
});

Deno.test("a VERSION file is written even if its date cannot be set", async () => {
  const path = "/opt/mattermost/data/VERSION";
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  prepareDirectories(plan, context);
  files.fault = (_, what) =>
    what.startsWith("utime") ? { code: "EPERM" } : undefined;
  await recordRelease(plan, system, true);
  assert.equal(files.readText(path), "11.7.9\n");
  assert.ok(!isConfirmed(plan, system));
});

Deno.test("a VERSION file that cannot be written ends the start with 73, and the lock is released", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await prepareDirectories(plan, context);
  system.files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  await assert.rejects(
    () => recordRelease(plan, system, true),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        "/opt/mattermost/data/VERSION, which records the release that last ran, cannot be written: no space is left on the device (ENOSPC)" &&
      error.remedy?.includes("df -h /opt/mattermost/data;") === true,
  );
  assert.equal(system.files.locked.size, 0);
});
