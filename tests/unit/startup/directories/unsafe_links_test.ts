import assert from "node:assert/strict";
import {
  findUnsafeLink,
  follow,
} from "../../../../lib/startup/directories/unsafe_links.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const THEIRS = { uid: 2000, gid: 2000 };

function pathOf(files: MemoryFiles, path: string): string | undefined {
  return follow(path, files).path;
}

Deno.test("names: a name through root's own directories is sure, there or not", () => {
  const files = new MemoryFiles("/opt/data");
  for (const path of ["/", "/opt", "/opt/data", "/opt/data/new/er"]) {
    assert.equal(pathOf(files, path), path);
  }
  assert.equal(pathOf(files, "//opt/./data/"), "/opt/data");
});

Deno.test("names: whoever can write to a directory can change what is in it, but not the directory", () => {
  const files = new MemoryFiles("/opt/data/config");
  files.chown("/opt/data", THEIRS);
  assert.equal(pathOf(files, "/opt/data"), "/opt/data");
  assert.equal(pathOf(files, "/opt/data/config"), undefined);
  assert.equal(pathOf(files, "/opt/data/none"), undefined);
  for (const mode of [0o775, 0o757, 0o777]) {
    const open = new MemoryFiles("/opt/data/config");
    open.chmod("/opt/data", mode);
    assert.equal(pathOf(open, "/opt/data/config"), undefined);
    assert.equal(pathOf(open, "/opt/data"), "/opt/data");
  }
});

Deno.test("names: in a sticky directory, what belongs to root is sure", () => {
  const files = new MemoryFiles("/tmp/root", "/tmp/theirs");
  files.chmod("/tmp", 0o1777);
  files.chown("/tmp/theirs", THEIRS);
  assert.equal(pathOf(files, "/tmp/root/new"), "/tmp/root/new");
  assert.equal(pathOf(files, "/tmp/theirs"), undefined);
  assert.equal(pathOf(files, "/tmp/none"), undefined);
});

Deno.test("names: root's links are followed, and those that others can change are named", () => {
  const files = new MemoryFiles("/opt", "/srv/volume", "/theirs/way");
  files.link("/opt/data", "../srv/volume");
  files.link("/opt/other", "/opt/data");
  files.link("/opt/bad", "/theirs/way/link");
  files.link("/theirs/way/link", "/srv");
  files.chown("/theirs", THEIRS);
  assert.equal(pathOf(files, "/opt/data/config"), "/srv/volume/config");
  assert.equal(pathOf(files, "/opt/other"), "/srv/volume");
  assert.deepEqual(follow("/opt/bad/x", files), {
    path: undefined,
    link: "/theirs/way/link",
    exposed: "/theirs",
  });
  files.link("/opt/loop", "loop");
  assert.equal(pathOf(files, "/opt/loop"), undefined);
});

Deno.test("names: by its own link, nobody gets root to read what is closed to it", () => {
  const path = "/data/config/config.json";
  const target = "/secret/file";
  const files = new MemoryFiles("/data/config", "/secret");
  files.chown("/data", THEIRS, { recursive: true });
  const trespass = (): unknown => {
    const facts = files.stat(target);
    assert.ok(facts);
    return findUnsafeLink(path, facts, { files, identity: THEIRS });
  };
  files.place(target, "{}", 0o600);
  assert.equal(trespass(), undefined, "without a link");
  files.link(path, target);
  const found = { link: path, target };
  assert.deepEqual(trespass(), { ...found, closed: target });
  files.chmod(target, 0o644);
  assert.equal(trespass(), undefined, "readable");
  files.chmod("/secret", 0o700);
  assert.deepEqual(trespass(), { ...found, closed: "/secret" });
  files.chown("/data", { uid: 0, gid: 0 }, { recursive: true });
  assert.equal(trespass(), undefined, "a link of root's");
});
