import assert from "node:assert/strict";
import {
  becomeServer,
  buildServerEnvironment,
  requireServer,
} from "../../../lib/startup/handoff.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { Handoff } from "../../support/fake_system.ts";
import {
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
  const variables = buildServerEnvironment(await makePlan(context), system);
  assert.equal(variables["MM_LICENSE"], "the licence");
  assert.equal(variables["MM_LICENSE_FILE"], undefined);
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
