import assert from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import { readSettledConfig } from "../../../lib/config/file.ts";
import { lockConfig } from "../../../lib/config/lock.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const PATH = "/conf/config.json";
const PLACE = { path: PATH, user: { uid: 2000, gid: 2000 } };

Deno.test("a start waits for the lock that another one holds", async () => {
  const files = new MemoryFiles("/conf");
  const system = fakeSystem({ files });
  const { clock } = system;
  const other = await lockConfig(system, PLACE);
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (...args) => {
    await sleep(...args);
    if (clock.elapsed() > 5000) other.release();
  };
  const lock = await lockConfig(system, PLACE);
  assert.ok(clock.elapsed() > 5000 && clock.elapsed() < 5100);
  assert.deepEqual(lock.notices, []);
});

Deno.test("a lock that is not released is an error with code 73 after a minute, and a signal ends the wait", async () => {
  const files = new MemoryFiles("/conf");
  const system = fakeSystem({ files });
  await lockConfig(system, PLACE);
  await assert.rejects(
    lockConfig(system, PLACE),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        `Another process holds the lock ${PATH}.lock for more than 60 seconds` &&
      error.remedy?.includes("docker unpause") === true,
  );
  const signal = AbortSignal.abort("SIGTERM");
  await assert.rejects(
    lockConfig(system, PLACE, signal),
    (reason) => reason === "SIGTERM",
  );
});

Deno.test("a config.json that another server is writing is read again", async () => {
  for (const text of ["", '{"A":{"x":']) {
    const files = new MemoryFiles("/conf");
    files.place(PATH, text);
    const system = fakeSystem({ files });
    const { clock } = system;
    const sleep = clock.sleep.bind(clock);
    clock.sleep = async (...args) => {
      await sleep(...args);
      if (clock.elapsed() > 100) files.place(PATH, '{"A":{"x":"1"}}');
    };
    const { text: found } = await readSettledConfig(system, PLACE);
    assert.equal(found, '{"A":{"x":"1"}}');
  }
});

Deno.test("a config.json that is complete, or there, as soon as it was read is no error", async () => {
  for (const first of ["", undefined]) {
    const files = new MemoryFiles("/conf");
    if (first !== undefined) files.place(PATH, first);
    const read = files.read.bind(files);
    files.read = (path, options) => {
      const found = read(path, options);
      if (path === PATH) {
        // Another process writes the file and its first copy just after this read.
        files.place(PATH, '{"A":{"x":"1"}}');
        files.place(`${PATH}.1`, '{"A":{"x":"1"}}');
      }
      return found;
    };
    const system = fakeSystem({ files });
    const { text } = await readSettledConfig(system, PLACE);
    assert.equal(text, '{"A":{"x":"1"}}');
  }
});

Deno.test("a config.json that is gone is an error at once if there is a copy", async () => {
  const files = new MemoryFiles("/conf");
  files.place(`${PATH}.1`, "{}");
  const system = fakeSystem({ files });
  await assert.rejects(readSettledConfig(system, PLACE), /does not exist, but/);
  assert.equal(system.clock.elapsed(), 0);
});

Deno.test("a config.json that stays invalid is an error after half a second, any other error at once", async () => {
  const files = new MemoryFiles("/conf");
  const system = fakeSystem({ files });
  files.place(PATH, "{");
  await assert.rejects(
    readSettledConfig(system, PLACE),
    (error) => error instanceof EntrypointError && error.code === 65,
  );
  assert.equal(system.clock.elapsed(), 500);
  files.remove(PATH);
  files.fifo(PATH);
  await assert.rejects(readSettledConfig(system, PLACE), /is not a regular/);
  assert.equal(system.clock.elapsed(), 500);
});
