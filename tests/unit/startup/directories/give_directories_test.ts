import assert from "node:assert/strict";
import type { DirectoryReport } from "../../../../lib/startup/directories/give_directories.ts";
import { giveDirectories } from "../../../../lib/startup/directories/give_directories.ts";
import type { FakeSystem } from "../../../support/fake_system.ts";
import { fakeSystem } from "../../../support/fake_system.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const OWNER = { uid: 2000, gid: 2000 };
const OWN = ["/srv/data", "/srv/data/config", "/srv/log"];

interface Given extends DirectoryReport {
  readonly files: MemoryFiles;
  /** What `chown` was asked to give. */
  readonly asked: readonly string[];
}

async function give(
  files: MemoryFiles,
  { own = OWN, installed = [], system = fakeSystem({ files }) }: {
    readonly own?: readonly string[];
    readonly installed?: readonly string[];
    readonly system?: FakeSystem;
  } = {},
): Promise<Given> {
  const gifts = await giveDirectories({ own, installed }, system, {
    owner: OWNER,
    signal: new AbortController().signal,
  });
  const asked = system.children.flatMap(({ command }) =>
    command.slice(command.indexOf("--") + 2)
  );
  return { ...gifts, files, asked };
}

/** Directories of a start before, which are the server's; the inner one it made by itself. */
async function provided(): Promise<MemoryFiles> {
  const { files } = await give(new MemoryFiles("/srv"));
  assert.equal(files.stat("/srv/data/config"), undefined);
  files.makeDirectory("/srv/data/config");
  files.chown("/srv/data/config", OWNER);
  return files;
}

Deno.test("ownership: missing directories are made, closed to others, and those above stay root's and open", async () => {
  const files = new MemoryFiles();
  const { given, asked } = await give(files, { own: ["/a/b/c"] });
  assert.deepEqual([given, asked], [[], ["/a/b/c"]]);
  const facts = ["/a", "/a/b", "/a/b/c"].map((path) => files.stat(path));
  assert.deepEqual(facts.map((each) => each?.mode), [0o755, 0o755, 0o750]);
  assert.deepEqual(facts.map((each) => each?.uid), [0, 0, 2000]);
});

Deno.test("ownership: what is somebody else's changes hands with all that is in it, by one chown that follows nothing", async () => {
  const files = new MemoryFiles("/srv/data/old", "/srv/plugins");
  files.place("/srv/data/old/file", "x");
  const system = fakeSystem({ files });
  const { given } = await give(files, {
    system,
    installed: ["/srv/plugins", "/srv/none"],
  });
  assert.deepEqual(given, ["/srv/data", "/srv/plugins"]);
  assert.deepEqual(system.children, [{
    command: [
      ...["chown", "-R", "-h", "-P", "--", "2000:2000"],
      ...["/srv/data", "/srv/log", "/srv/plugins"],
    ],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    output: "capture",
    signal: system.children[0]?.signal,
  }]);
  assert.ok(system.children[0]?.signal);
  assert.equal(files.stat("/srv/data/old/file")?.uid, 2000);
});

Deno.test("ownership: what others could exchange is not given, and the directory to blame is named", async () => {
  const files = new MemoryFiles("/home/ann/data", "/home/ann/log");
  files.chown("/home/ann", { uid: 1000, gid: 1000 });
  files.chown("/home/ann/log", OWNER);
  const own = ["/home/ann/data", "/home/ann/data/config", "/home/ann/log"];
  const { given, asked, withheld } = await give(files, { own });
  assert.deepEqual([given, asked], [[], []]);
  assert.deepEqual(withheld, [{
    path: "/home/ann/data",
    exposed: "/home/ann",
  }]);
});

Deno.test("ownership: what is the server's already is not walked through, and takes no child", async () => {
  const files = await provided();
  files.makeDirectory("/srv/data/uploads/deep");
  files.chown("/srv/data/uploads", OWNER);
  files.place("/srv/data/uploads/deep/late", "x");
  files.link("/srv/data/link", "/etc");
  const listed: string[] = [];
  const list = files.list.bind(files);
  files.list = (path) => {
    listed.push(path);
    return list(path);
  };
  assert.deepEqual((await give(files)).asked, []);
  assert.deepEqual(listed, OWN);
});

Deno.test("ownership: a file that was copied in later is given with its directory alone", async () => {
  const files = await provided();
  files.place("/srv/data/config/config.json", "{}");
  const { asked, given } = await give(files);
  assert.deepEqual([asked, given], [OWN.slice(1, 2), OWN.slice(1, 2)]);
  assert.equal(files.stat("/srv/data/config/config.json")?.uid, 2000);
  files.place("/srv/data/upload", "x");
  assert.deepEqual((await give(files)).asked, ["/srv/data"]);
});

Deno.test("ownership: below a directory of the server's, root makes nothing and names no more than one part", async () => {
  const own = ["/srv/data", "/srv/data/deep/config"];
  const files = await provided();
  const { asked } = await give(files, { own });
  assert.deepEqual(asked, []);
  assert.equal(files.stat("/srv/data/deep"), undefined);
  files.makeDirectory("/srv/data/deep/config");
  files.chown("/srv/data/deep", OWNER);
  assert.deepEqual((await give(files, { own })).asked, ["/srv/data"]);
});

Deno.test("ownership: a link of the server's user is not followed, one of root's is", async () => {
  const files = await provided();
  files.makeDirectory("/etc/root");
  files.nodes.delete("/srv/data/config");
  files.link("/srv/data/config", "/etc");
  assert.deepEqual((await give(files)).asked, []);
  const linked = new MemoryFiles("/srv", "/volume");
  linked.link("/srv/data", "/volume");
  const { asked, given } = await give(linked);
  assert.deepEqual(asked, ["/volume", "/srv/log"]);
  assert.deepEqual(given, ["/srv/data"]);
});

Deno.test("ownership: in a directory that others can write to, nothing is made or given", async () => {
  const files = new MemoryFiles("/srv/data");
  files.chmod("/srv", 0o777);
  assert.deepEqual((await give(files)).asked, []);
  assert.equal(files.stat("/srv/log"), undefined);
});

Deno.test("ownership: what chown says first is told, and that there is none", async () => {
  const refused = async (
    runChild: NonNullable<Parameters<typeof fakeSystem>[0]>["runChild"],
  ): Promise<DirectoryReport> => {
    const files = new MemoryFiles("/srv/data");
    const world = runChild === undefined ? { files } : { files, runChild };
    return await give(files, { system: fakeSystem(world) });
  };
  const result = { code: 1, stdout: "" };
  const told = await refused(() => ({ ...result, stderr: "one\ntwo\n" }));
  assert.deepEqual([told.given, told.refusal], [[], "one"]);
  const silent = await refused(() => ({ ...result, stderr: "" }));
  assert.equal(silent.refusal, "chown ended with 1");
  const none = await refused(() => {
    throw Object.assign(new Error("none"), { code: "ENOENT" });
  });
  assert.equal(none.refusal, "chown cannot be executed (ENOENT)");
  await assert.rejects(
    refused(() => {
      throw new RangeError("a bug");
    }),
    RangeError,
  );
});

Deno.test("ownership: what root cannot make or look at is left to who writes there", async () => {
  const files = new MemoryFiles("/srv");
  files.fault = (_, what) =>
    what.startsWith("mkdir") ? { code: "EROFS" } : undefined;
  assert.deepEqual((await give(files)).asked, []);
  const closed = await provided();
  closed.list = () => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  assert.deepEqual((await give(closed)).asked, []);
});
