/**
 * The sample for Podman, read by the generator that makes services of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { cached } from "../../tools/shared/cache.ts";
import { debianCommand, unpackDebian } from "../../tools/shared/packages.ts";
import { run } from "../../tools/shared/process.ts";

const SAMPLE = join(import.meta.dirname ?? ".", "../../samples/podman");

/** The services that Podman makes of a directory, as text. */
async function servicesOf(directory: string): Promise<string> {
  // Debian has the generator in releases after bookworm. Podman itself is not run.
  const root = await cached(`quadlet-${Deno.build.arch}`, async (draft) => {
    await unpackDebian(draft, { suite: "sid", packages: ["podman"] });
    for (const name of ["bin", "sbin", "share"]) {
      await Deno.remove(join(draft, "usr", name), { recursive: true });
    }
  });
  const generator = await debianCommand(root, "usr/libexec/podman/quadlet");
  return await run([...generator, "--dryrun", "--user"], {
    env: { QUADLET_UNIT_DIRS: directory },
  });
}

Deno.test("Podman makes services of the sample", async () => {
  const services = await servicesOf(SAMPLE);
  const names = [...services.matchAll(/^---(.*)---$/gm)].map(([, name]) => name)
    .sort();
  assert.deepEqual(names, [
    "mattermost-logs-volume.service",
    "mattermost-network.service",
    "mattermost-postgres-volume.service",
    "mattermost-postgres.service",
    "mattermost-volume.service",
    "mattermost.service",
  ]);
  assert.match(services, /^Requires=mattermost-postgres\.service$/m);
  assert.match(services, /^ExecStart=.* --user 2000:2000 .*mattermost:\d/m);
});

Deno.test("Podman refuses a key that it does not know", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const name = "mattermost.network";
    const text = await Deno.readTextFile(join(SAMPLE, name));
    await Deno.writeTextFile(join(directory, name), `${text}NoSuchKey=1\n`);
    await assert.rejects(servicesOf(directory), /unsupported key 'NoSuchKey'/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
