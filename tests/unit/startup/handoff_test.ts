import assert from "node:assert/strict";
import {
  becomeServer,
  provideDirectories,
  rememberRelease,
  requireOwnFiles,
  requireServer,
  serverVariables,
  writePlan,
} from "../../../lib/startup/handoff.ts";
import { confirmOnce } from "../../../lib/startup/upgrade_guard.ts";
import { isConfirmed } from "../../../lib/startup/version_file.ts";
import { isCurrent } from "../../../lib/config/file.ts";
import { logSummary, makePlan } from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { Handoff } from "../../support/fake_system.ts";
import {
  age,
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../support/installation.ts";

Deno.test("a start as root becomes the server, in its directory and with its environment", async () => {
  const { system, context } = stage({
    env: {
      ...ENOUGH,
      PATH: "/bin",
      HOME: "/root",
      MM_FEATURE: "x",
      MATTERMOST_UID: "3000",
    },
  });
  const plan = await makePlan(context);
  assert.throws(() => becomeServer(plan, system, ["--extra"]), Handoff);
  const [handoff] = system.handoffs;
  assert.ok(handoff !== undefined);
  assert.deepEqual(handoff.args, [
    `${INSTALL}/bin/mattermost`,
    "--config",
    CONFIG,
    "--extra",
  ]);
  assert.equal(handoff.cwd, INSTALL);
  assert.equal(handoff.env["DB_PASS"], undefined);
  assert.equal(handoff.env["DB_HOST"], "db.example.com");
  assert.equal(handoff.env["MM_FEATURE"], "x");
  assert.equal(handoff.env["HOME"], "/opt/mattermost");
  assert.equal(handoff.env["MM_LOG_PATH"], "/var/log/mattermost");
});

Deno.test("a start as another user keeps that user's HOME and MM_LOG_PATH", async () => {
  const { system, context } = stage({
    uid: 1234,
    gid: 1234,
    env: { ...ENOUGH, HOME: "/home/ann", MM_LOG_PATH: "/logs" },
  });
  const plan = await makePlan(context);
  assert.throws(() => becomeServer(plan, system, []), Handoff);
  const [handoff] = system.handoffs;
  assert.equal(handoff?.env["HOME"], "/home/ann");
  assert.equal(handoff?.env["MM_LOG_PATH"], "/logs");
});

Deno.test("the server gets the value of a _FILE variable, and not the _FILE variable", async () => {
  const files = installed();
  files.place("/run/secrets/licence", "the licence\n");
  const { system, context } = stage({
    files,
    env: { ...ENOUGH, MM_LICENSE_FILE: "/run/secrets/licence" },
  });
  const variables = serverVariables(await makePlan(context), system);
  assert.equal(variables["MM_LICENSE"], "the licence");
  assert.equal(variables["MM_LICENSE_FILE"], undefined);
});

Deno.test("root gives the directories with their content to the server's user, and becomes that user", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/old");
  files.place("/opt/mattermost/data/old/upload.png", "x");
  const { system, context } = stage({ files });
  const served = await provideDirectories(await makePlan(context), context);
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

Deno.test("an error of chown is logged once, and the start continues", async () => {
  const { system, context } = stage({
    runChild: () => ({
      code: 1,
      stdout: "",
      stderr:
        "chown: changing ownership of '/opt/mattermost/data': Operation not permitted\nchown: and more\n",
    }),
  });
  const { system: { uid } } = await provideDirectories(
    await makePlan(context),
    context,
  );
  assert.equal(uid, 2000);
  assert.doesNotMatch(system.err.text, /Gave/);
  assert.equal(system.err.text.match(/warning/g)?.length, 1);
  assert.match(
    system.err.text,
    /warning: Some files could not be given to user 2000:2000: chown: changing ownership of '\/opt\/mattermost\/data': Operation not permitted\n.*chown -R 2000:2000 /,
  );
});

Deno.test("without root a start creates the directories that it can, gives none, and does not fail", async () => {
  const { system, context } = stage({ uid: 1234, gid: 1234 });
  const plan = await makePlan(context);
  system.files.fault = (_, what) =>
    what.startsWith("mkdir /var") ? { code: "EACCES" } : undefined;
  await provideDirectories(plan, context);
  assert.deepEqual([system.children, system.identities], [[], []]);
  assert.equal(
    system.files.stat(CONFIG.replace("/config.json", ""))?.mode,
    0o750,
  );
  assert.equal(system.files.stat("/var/log/mattermost"), undefined);
});

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
    requireOwnFiles(plan, bundle, system);
    system.files.link(path, "/etc/shadow");
    const { steps } = system.files;
    assert.throws(
      () => requireOwnFiles(plan, bundle, system),
      (error) =>
        error instanceof EntrypointError && error.code === 73 &&
        error.message.startsWith(`${path} is a symbolic link, `),
      path,
    );
    assert.equal(system.files.steps, steps);
  }
});

Deno.test("without log files their directory is not created", async () => {
  const { system, context } = stage({
    env: { ...ENOUGH, MATTERMOST_LOG_FILES: "false" },
  });
  await provideDirectories(await makePlan(context), context);
  assert.equal(system.files.stat("/var/log/mattermost"), undefined);
});

Deno.test("a start writes the release to VERSION", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await provideDirectories(plan, context);
  rememberRelease(plan, system, true);
  assert.equal(
    system.files.readText("/opt/mattermost/data/VERSION"),
    "11.7.9\n",
  );
});

Deno.test("a missing server ends with 127, one that cannot be executed with 126", async () => {
  const files = installed();
  files.chmod(`${INSTALL}/bin/mattermost`, 0o644);
  const closed = stage({ files });
  const plan = await makePlan(closed.context);
  assert.throws(
    () => requireServer(plan, closed.system),
    (error) => error instanceof EntrypointError && error.code === 126,
  );
  files.remove(`${INSTALL}/bin/mattermost`);
  assert.throws(
    () => requireServer(plan, closed.system),
    (error) => error instanceof EntrypointError && error.code === 127,
  );
});

Deno.test("debug output shows each setting with its origin, and no secret", async () => {
  const { system, context } = stage();
  context.log.configure({ format: "text", debug: true });
  logSummary(await makePlan(context), context);
  assert.match(
    system.err.text,
    /debug: DB_HOST=db\.example\.com \(variable DB_HOST\)/,
  );
  assert.match(
    system.err.text,
    /debug: DB_PASS=\(hidden\) \(variable DB_PASS\)/,
  );
  assert.ok(!system.err.text.includes("nobody may see"));
});

Deno.test("a config.json that changed after the plan is merged again, not overwritten", async () => {
  const { system, context } = stage();
  const { files } = system;
  const first = await makePlan(context);
  await provideDirectories(first, context);
  await writePlan(first, context);
  const next = stage({
    files,
    env: { ...ENOUGH, MATTERMOST_NAME: "New name" },
  });
  const plan = await makePlan(next.context);
  const { place, state } = plan;
  assert.ok(isCurrent(system, place, state));

  const lastApplied = `${CONFIG}.memory`;
  const text = files.readText(lastApplied);
  files.place(lastApplied, text.replace('"salt": "', '"salt": "0'));
  assert.ok(!isCurrent(system, place, state), "another last-applied state");
  files.place(lastApplied, text);
  assert.ok(isCurrent(system, place, state));

  const document = JSON.parse(files.readText(CONFIG));
  document.TeamSettings.OfAnother = "start";
  files.place(CONFIG, JSON.stringify(document));
  assert.ok(!isCurrent(system, place, state), "another config.json");
  await writePlan(plan, next.context);
  const { TeamSettings } = JSON.parse(files.readText(CONFIG));
  assert.equal(TeamSettings.OfAnother, "start");
  assert.equal(TeamSettings.SiteName, "New name");

  files.remove(CONFIG);
  assert.ok(!isCurrent(system, place, state), "config.json is gone");
});

Deno.test("a VERSION file is written only if its release is wrong", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await provideDirectories(plan, context);
  rememberRelease(plan, system, true);
  const { steps } = system.files;
  rememberRelease(plan, system, true);
  assert.equal(system.files.steps, steps);
  system.files.place("/opt/mattermost/data/VERSION", "11.6.0\n");
  rememberRelease(plan, system, true);
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
  await provideDirectories(plan, context);
  rememberRelease(plan, system, true);
  assert.ok(isConfirmed(plan, system));
  // A new image with the same release.
  age(files, path, 2000);
  assert.ok(!isConfirmed(plan, system));
  files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  rememberRelease(plan, system, true);
  assert.ok(!isConfirmed(plan, system));
  assert.equal(files.readText(path), "11.7.9\n");
  files.fault = () => undefined;
  rememberRelease(plan, system, true);
  assert.ok(isConfirmed(plan, system));
  assert.equal(files.readText(path), "11.7.9\n");
});

Deno.test("a program that did not confirm its release is asked again at the next start", async () => {
  const path = "/opt/mattermost/data/VERSION";
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  await provideDirectories(plan, context);
  rememberRelease(plan, system, false);
  assert.equal(files.readText(path), "11.7.9\n");
  assert.ok(!isConfirmed(plan, system));
  const { steps } = files;
  rememberRelease(plan, system, false);
  assert.equal(files.steps, steps, "the release is the same");
  for (
    const [code, stdout, isAnswered] of [
      [0, "Version: 11.7.9\n", true],
      [0, "Something else\n", false],
      [1, "Version: 11.7.9\n", false],
    ] as const
  ) {
    const asked = await confirmOnce(plan, {
      ...system,
      runChild: () => Promise.resolve({ code, stdout, stderr: "" }),
    });
    assert.equal(asked, isAnswered, stdout);
  }
});

Deno.test("a VERSION file that is younger than the program does not confirm it", async () => {
  const program = `${INSTALL}/bin/mattermost`;
  const { system, context } = stage();
  const { files } = system;
  const plan = await makePlan(context);
  provideDirectories(plan, context);
  rememberRelease(plan, system, true);
  // An image of another release that is older than the last start.
  age(files, program, 5000);
  assert.ok(!isConfirmed(plan, system));
  await assert.rejects(
    confirmOnce(plan, {
      ...system,
      runChild: () =>
        Promise.resolve({ code: 0, stdout: "Version: 11.8.0\n", stderr: "" }),
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
  provideDirectories(plan, context);
  files.fault = (_, what) =>
    what.startsWith("utime") ? { code: "EPERM" } : undefined;
  rememberRelease(plan, system, true);
  assert.equal(files.readText(path), "11.7.9\n");
  assert.ok(!isConfirmed(plan, system));
});

Deno.test("a VERSION file that cannot be written ends the start with 73, and the lock is released", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await provideDirectories(plan, context);
  system.files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  let released = 0;
  const lock = system.files.lock.bind(system.files);
  system.files.lock = (path) => {
    const held = lock(path);
    return {
      release() {
        released++;
        held.release();
      },
    };
  };
  assert.throws(
    () => rememberRelease(plan, system, true),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        "/opt/mattermost/data/VERSION, which records the release that last ran, cannot be written (ENOSPC)" &&
      error.remedy?.includes("df -h /opt/mattermost/data;") === true,
  );
  assert.equal(released, 1);
});

Deno.test("a lock that cannot be taken is a warning, and config.json is written", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  await provideDirectories(plan, context);
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

Deno.test("a server in a closed directory ends with 126, and a bug is thrown", async () => {
  const { system, context } = stage();
  const plan = await makePlan(context);
  const failWith = (error: Error): void => {
    system.files.stat = () => {
      throw error;
    };
  };
  failWith(Object.assign(new Error("closed"), { code: "EACCES" }));
  assert.throws(
    () => requireServer(plan, system),
    (error) => error instanceof EntrypointError && error.code === 126,
  );
  failWith(new RangeError("a bug"));
  assert.throws(() => requireServer(plan, system), RangeError);
});
