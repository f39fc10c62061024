import assert from "node:assert/strict";
import { prepareDirectories } from "../../../lib/startup/directories/prepare_directories.ts";
import type { Plan } from "../../../lib/startup/plan.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import {
  bundleVariable,
  readBundle,
  requireAuthorities,
  writeBundle,
} from "../../../lib/startup/ca_bundle.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { createAuthority } from "../../servers/certificates.ts";
import type { Stage } from "../../support/installation.ts";
import { ENOUGH, installed, stage } from "../../support/installation.ts";

const CA_DIR = "/etc/mattermost/ca.d";
const BUNDLE = "/opt/mattermost/data/config/authorities.pem";

const { certificate } = createAuthority("Private Authority");

/** A start whose next step is the bundle. */
async function ready(
  { text = certificate, env = {}, uid = 0 }: {
    readonly text?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly uid?: number;
  } = {},
): Promise<Stage & { readonly plan: Plan }> {
  const files = installed();
  files.makeDirectory(CA_DIR);
  files.place(`${CA_DIR}/private.crt`, text);
  const staged = stage({
    files,
    uid,
    gid: uid,
    now: Date.now(),
    env: { ...ENOUGH, MATTERMOST_CA_DIR: CA_DIR, ...env },
  });
  const plan = await makePlan(staged.context);
  const context = await prepareDirectories(plan, staged.context);
  return { ...staged, context, plan };
}

Deno.test("the server gets a bundle that only it can read, and a variable that names it", async () => {
  const { plan, system, context } = await ready();
  writeBundle(readBundle(plan), context);
  assert.equal(system.files.readText(BUNDLE), `${certificate.trim()}\n`);
  assert.equal(system.files.stat(BUNDLE)?.mode, 0o600);
  assert.deepEqual(bundleVariable(plan), { SSL_CERT_FILE: BUNDLE });
});

Deno.test("a bundle is written again only if it differs", async () => {
  const { plan, system, context } = await ready();
  writeBundle(readBundle(plan), context);
  const { steps } = system.files;
  writeBundle(readBundle(plan), context);
  assert.equal(system.files.steps, steps);
  system.files.place(BUNDLE, "torn");
  writeBundle(readBundle(plan), context);
  assert.equal(system.files.readText(BUNDLE), `${certificate.trim()}\n`);
});

Deno.test("if the operator sets SSL_CERT_FILE, no bundle is written", async () => {
  const { plan, system, context } = await ready({
    env: { SSL_CERT_FILE: "/whole.pem" },
  });
  writeBundle(readBundle(plan), context);
  assert.equal(system.files.stat(BUNDLE), undefined);
  assert.deepEqual(bundleVariable(plan), {});
});

Deno.test("a bundle that cannot be written ends the start with 73 and a remedy", async () => {
  const { plan, system, context } = await ready();
  system.files.fault = (_, what) =>
    what.startsWith("create") ? { code: "ENOSPC" } : undefined;
  assert.throws(
    () => writeBundle(readBundle(plan), context),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        `The bundle of certificates ${BUNDLE} cannot be written: no space is left on the device (ENOSPC)` &&
      error.remedy?.includes("df -h ") === true,
  );
});

Deno.test("a certificate that cannot be used ends the start with 66, and warnings are logged", async () => {
  const bad = await ready({ text: "noise" });
  assert.throws(
    () => requireAuthorities(bad.plan, bad.context),
    (error) =>
      error instanceof EntrypointError && error.code === 66 &&
      error.problems[0]?.subject === `${CA_DIR}/private.crt`,
  );
  const replaced = await ready({ env: { SSL_CERT_FILE: "/whole.pem" } });
  requireAuthorities(replaced.plan, replaced.context);
  assert.match(replaced.system.err.text, /warning: SSL_CERT_FILE is set, so/);
});
