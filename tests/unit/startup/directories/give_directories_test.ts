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
  /** The paths that were passed to `chown`. */
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

/** The directories after an earlier start: they belong to the server's user, who created the inner one. */
async function provided(): Promise<MemoryFiles> {
  const { files } = await give(new MemoryFiles("/srv"));
  assert.equal(files.stat("/srv/data/config"), undefined);
  files.makeDirectory("/srv/data/config");
  files.chown("/srv/data/config", OWNER);
  return files;
}

Deno.test("missing directories are created with mode 0750, and their parents stay root's with mode 0755", async () => {
  const files = new MemoryFiles();
  const { given, asked } = await give(files, { own: ["/a/b/c"] });
  assert.deepEqual([given, asked], [[], ["/a/b/c"]]);
  const facts = ["/a", "/a/b", "/a/b/c"].map((path) => files.stat(path));
  assert.deepEqual(facts.map((each) => each?.mode), [0o755, 0o755, 0o750]);
  assert.deepEqual(facts.map((each) => each?.uid), [0, 0, 2000]);
});

Deno.test("directories of another owner are given with their content, by one chown that follows no links", async () => {
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

Deno.test("a directory that others could replace is withheld, and its exposed parent is reported", async () => {
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

Deno.test("directories that belong to the server are not walked, and need no child process", async () => {
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

Deno.test("a file that was copied in later is given with its directory only", async () => {
  const files = await provided();
  files.place("/srv/data/config/config.json", "{}");
  const { asked, given } = await give(files);
  assert.deepEqual([asked, given], [OWN.slice(1, 2), OWN.slice(1, 2)]);
  assert.equal(files.stat("/srv/data/config/config.json")?.uid, 2000);
  files.place("/srv/data/upload", "x");
  assert.deepEqual((await give(files)).asked, ["/srv/data"]);
});

Deno.test("inside a directory of the server's user, root creates nothing and names direct entries only", async () => {
  const own = ["/srv/data", "/srv/data/deep/config"];
  const files = await provided();
  const { asked } = await give(files, { own });
  assert.deepEqual(asked, []);
  assert.equal(files.stat("/srv/data/deep"), undefined);
  files.makeDirectory("/srv/data/deep/config");
  files.chown("/srv/data/deep", OWNER);
  assert.deepEqual((await give(files, { own })).asked, ["/srv/data"]);
});

Deno.test("a link of the server's user is not followed, and a link of root is", async () => {
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

Deno.test("in a directory that others can write to, nothing is created or given", async () => {
  const files = new MemoryFiles("/srv/data");
  files.chmod("/srv", 0o777);
  assert.deepEqual((await give(files)).asked, []);
  assert.equal(files.stat("/srv/log"), undefined);
});

Deno.test("the first error of chown is reported, and a missing chown too", async () => {
  const refused = async (
    runChild: NonNullable<Parameters<typeof fakeSystem>[0]>["runChild"],
  ): Promise<DirectoryReport> => {
    const files = new MemoryFiles("/srv/data");
    const world = runChild === undefined ? { files } : { files, runChild };
    return await give(files, { system: fakeSystem(world) });
  };
  const result = { code: 1, stdout: "" };
  const report = await refused(() => ({ ...result, stderr: "one\ntwo\n" }));
  assert.deepEqual([report.given, report.refusal], [[], "one"]);
  const withoutText = await refused(() => ({ ...result, stderr: "" }));
  assert.equal(withoutText.refusal, "chown ended with 1");
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

Deno.test("an error of root is ignored, because the server's user tries again", async () => {
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
