import assert from "node:assert/strict";
import {
  canRedirect,
  findUnsafeLink,
  resolveForRoot,
} from "../../../../lib/startup/directories/unsafe_links.ts";
import { fakeSystem } from "../../../support/fake_system.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const THEIRS = { uid: 2000, gid: 2000 };

function pathOf(files: MemoryFiles, path: string): string | undefined {
  return resolveForRoot(path, files).path;
}

Deno.test("a path through directories of root is safe, whether it exists or not", () => {
  const files = new MemoryFiles("/opt/data");
  for (const path of ["/", "/opt", "/opt/data", "/opt/data/new/er"]) {
    assert.equal(pathOf(files, path), path);
  }
  assert.equal(pathOf(files, "//opt/./data/"), "/opt/data");
});

Deno.test("a directory that others can write to is safe itself, but its entries are not", () => {
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

Deno.test("in a sticky directory only the entries of root are safe", () => {
  const files = new MemoryFiles("/tmp/root", "/tmp/theirs");
  files.chmod("/tmp", 0o1777);
  files.chown("/tmp/theirs", THEIRS);
  assert.equal(pathOf(files, "/tmp/root/new"), "/tmp/root/new");
  assert.equal(pathOf(files, "/tmp/theirs"), undefined);
  assert.equal(pathOf(files, "/tmp/none"), undefined);
});

Deno.test("links of root are followed, and a link that others can change is reported", () => {
  const files = new MemoryFiles("/opt", "/srv/volume", "/theirs/way");
  files.link("/opt/data", "../srv/volume");
  files.link("/opt/other", "/opt/data");
  files.link("/opt/bad", "/theirs/way/link");
  files.link("/theirs/way/link", "/srv");
  files.chown("/theirs", THEIRS);
  assert.equal(pathOf(files, "/opt/data/config"), "/srv/volume/config");
  assert.equal(pathOf(files, "/opt/other"), "/srv/volume");
  assert.deepEqual(resolveForRoot("/opt/bad/x", files), {
    path: undefined,
    link: "/theirs/way/link",
    exposed: "/theirs",
    isGivable: false,
  });
  files.link("/opt/loop", "loop");
  assert.equal(pathOf(files, "/opt/loop"), undefined);
});

Deno.test("a link of the server's user to a file that this user cannot read is unsafe for root", () => {
  const path = "/data/config/config.json";
  const target = "/secret/file";
  const files = new MemoryFiles("/data/config", "/secret");
  files.chown("/data", THEIRS, { recursive: true });
  const find = (uid = 0): unknown => {
    const facts = files.stat(target);
    assert.ok(facts);
    const system = fakeSystem({ files, uid });
    return findUnsafeLink(path, facts, { system, user: THEIRS });
  };
  files.place(target, "{}", 0o600);
  assert.equal(find(), undefined, "without a link");
  files.link(path, target);
  const found = { link: path, target };
  assert.deepEqual(find(), { ...found, closed: target });
  assert.equal(find(THEIRS.uid), undefined, "not root");
  files.chmod(target, 0o644);
  assert.equal(find(), undefined, "readable");
  files.chmod("/secret", 0o700);
  assert.deepEqual(find(), { ...found, closed: "/secret" });
  files.chown("/data", { uid: 0, gid: 0 }, { recursive: true });
  assert.equal(find(), undefined, "a link of root");
});

Deno.test("a user can redirect a path through its own directories, its group's, and its links", () => {
  const files = new MemoryFiles("/run/secrets", "/data", "/ann", "/team");
  for (const path of ["/run/secrets/x", "/data/x", "/ann/x", "/team/x"]) {
    files.place(path, "");
  }
  files.chmod("/run/secrets", 0o1777);
  files.chown("/data", THEIRS);
  files.chown("/ann", { uid: 1000, gid: 1000 });
  files.chown("/team", { uid: 1000, gid: 3000 });
  files.chmod("/team", 0o770);
  files.link("/run/secrets/link", "/data/x");
  files.link("/run/secrets/theirs", "/ann/x");
  files.chown("/run/secrets/theirs", THEIRS);
  const can = (path: string): boolean =>
    canRedirect(path, { ...THEIRS, groups: [3000] }, files);
  const paths = [
    ...["/run/secrets/x", "/ann/x", "/data/x", "/team/x"],
    ...["/run/secrets/link", "/run/secrets/theirs", "/run/secrets/none"],
  ];
  assert.deepEqual(paths.map(can), [
    ...[false, false, true, true],
    ...[true, true, true],
  ]);
});
