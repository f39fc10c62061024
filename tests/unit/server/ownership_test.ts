import assert from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import { provideDirectory } from "../../../lib/server/ownership.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const OWNER = { uid: 2000, gid: 2000 };

function ownersOf(files: MemoryFiles, ...paths: string[]): number[] {
  return paths.map((path) => files.lstat(path)?.uid ?? -1);
}

function refusal(code: string): EntrypointError {
  const files = new MemoryFiles("/data");
  files.fault = (_, what) => what.startsWith("chown") ? { code } : undefined;
  try {
    provideDirectory("/data", { files }, OWNER);
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    return error;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("a directory is made with its parents, closed to others, for the server's user", () => {
  const files = new MemoryFiles();
  assert.equal(provideDirectory("/a/b/c", { files }, OWNER), 0);
  for (const path of ["/a", "/a/b", "/a/b/c"]) {
    const facts = files.stat(path);
    assert.deepEqual([facts?.mode, facts?.uid, facts?.gid], [
      0o750,
      2000,
      2000,
    ], path);
  }
});

Deno.test("what was someone else's changes hands with all that is in it, and is counted", () => {
  const files = new MemoryFiles("/data/old", "/data/ours");
  files.place("/data/old/file", "x");
  files.place("/data/ours/theirs", "x");
  files.chown("/data/ours", 2000, 2000);
  assert.equal(provideDirectory("/data", { files }, OWNER), 4);
  assert.deepEqual(
    ownersOf(
      files,
      ...["/data", "/data/old", "/data/old/file", "/data/ours/theirs"],
    ),
    [2000, 2000, 2000, 2000],
  );
  assert.equal(provideDirectory("/data", { files }, OWNER), 0);
});

Deno.test("what belongs to the server is not walked through at a restart", () => {
  const files = new MemoryFiles("/data/uploads");
  provideDirectory("/data", { files }, OWNER);
  files.place("/data/uploads/late", "x");
  const listed: string[] = [];
  const list = files.list.bind(files);
  files.list = (path) => {
    listed.push(path);
    return list(path);
  };
  assert.equal(provideDirectory("/data", { files }, OWNER), 0);
  assert.deepEqual(listed, ["/data"]);
});

Deno.test("a walk that was interrupted starts again", () => {
  const files = new MemoryFiles("/data/a", "/data/b");
  files.fault = (_, what) =>
    what === "chown /data/b" ? { code: "EIO" } : undefined;
  assert.throws(() => provideDirectory("/data", { files }, OWNER));
  assert.deepEqual(ownersOf(files, "/data", "/data/a"), [0, 2000]);
  files.fault = () => undefined;
  assert.equal(provideDirectory("/data", { files }, OWNER), 2);
});

Deno.test("a link is not followed, and stays whose it is", () => {
  const files = new MemoryFiles("/data", "/elsewhere");
  files.link("/data/link", "/elsewhere");
  assert.equal(provideDirectory("/data", { files }, OWNER), 1);
  assert.deepEqual(ownersOf(files, "/data/link", "/elsewhere"), [0, 0]);
});

Deno.test("who is not root makes what it can, gives nothing away, and does not fail", () => {
  const files = new MemoryFiles();
  assert.equal(provideDirectory("/data", { files }, undefined), 0);
  assert.deepEqual(ownersOf(files, "/data"), [0]);
  files.fault = () => ({ code: "EACCES" });
  assert.equal(provideDirectory("/other", { files }, undefined), 0);
  assert.equal(files.stat("/other"), undefined);
});

Deno.test("what root cannot give away ends with 73 and the remedy for its cause", () => {
  const error = refusal("EPERM");
  assert.equal(error.code, 73);
  assert.equal(
    error.message,
    "The directory /data cannot be made or given to the server's user 2000:2000 (EPERM)",
  );
  assert.match(error.remedy ?? "", /chown -R 2000:2000 .* or add CAP_CHOWN$/);
  assert.match(refusal("EROFS").remedy ?? "", /--tmpfs \/data/);
  assert.match(refusal("ENOSPC").remedy ?? "", /^The disk is full/);
});
