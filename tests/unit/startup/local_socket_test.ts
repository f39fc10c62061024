import assert from "node:assert/strict";
import { removeStaleSocket } from "../../../lib/startup/local_socket.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { ENOUGH, installed, stage } from "../../support/installation.ts";
import type { MemoryFiles } from "../../support/memory_files.ts";

const SOCKET = "/var/tmp/mattermost_local.socket";

async function remains(
  make: (files: MemoryFiles) => void,
  value = "true",
): Promise<boolean> {
  const files = installed();
  files.makeDirectory("/var/tmp");
  make(files);
  const env = { ...ENOUGH, MATTERMOST_ENABLE_LOCAL_MODE: value };
  const { system, context } = stage({ files, env });
  const plan = await makePlan(context);
  removeStaleSocket(plan, system);
  return files.lstat(SOCKET) !== undefined;
}

Deno.test("the socket of the last run is removed, if the local mode is on", async () => {
  // Neither a file nor a directory nor a link, like a socket.
  const socket = (files: MemoryFiles): void => files.fifo(SOCKET);
  assert.equal(await remains(socket), false);
  assert.equal(await remains(socket, "false"), true);
});

Deno.test("what is no socket stays", async () => {
  assert.equal(await remains((files) => files.place(SOCKET, "")), true);
  assert.equal(await remains((files) => files.makeDirectory(SOCKET)), true);
  assert.equal(await remains((files) => files.link(SOCKET, "/etc")), true);
  assert.equal(await remains(() => {}), false);
});
