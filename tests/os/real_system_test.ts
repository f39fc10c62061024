/**
 * The real system: files, clocks, child processes and signals of this machine.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import {
  findFileNames,
  LONGEST_FILE_NAME,
} from "../../lib/mattermost/migrations.ts";
import { realSystem } from "../../lib/os/real_system.ts";
import { ROOT_USER, testWith } from "../support/needs.ts";

/** The expression with which the build of the image finds the names of migrations. */
const GREP = /grep -aoE '(.*?)'/.exec(
  Deno.readTextFileSync("docker/fetch_mattermost.sh"),
)?.[1] ?? "";

const system = realSystem();

async function withDirectory(
  test: (path: string) => void | Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await test(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

function codeOf(step: () => unknown): unknown {
  try {
    step();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("files can be created, overwritten in place, renamed and removed", () =>
  withDirectory((home) => {
    const { files } = system;
    const path = join(home, "file");
    const long = "ü".repeat(100_000);
    files.create(path, long, 0o640);
    assert.equal(Deno.readTextFileSync(path), long);
    assert.equal(codeOf(() => files.create(path, "again", 0o600)), "EEXIST");
    const inode = Deno.statSync(path).ino;
    files.overwrite(path, "short");
    const after = files.stat(path);
    assert.deepEqual(
      [Deno.statSync(path).ino, after?.mode, after?.size, after?.isFile],
      [inode, 0o640, 5, true],
    );
    assert.equal(codeOf(() => files.overwrite(`${path}2`, "")), "ENOENT");
    files.chmod(path, 0o600);
    assert.equal(files.stat(path)?.mode, 0o600);
    files.rename(path, `${path}2`);
    files.syncDirectory(home);
    assert.deepEqual(files.list(home), ["file2"]);
    assert.equal(Deno.readTextFileSync(`${path}2`), "short");
    files.remove(`${path}2`);
    assert.deepEqual(files.list(home), []);
  }));

Deno.test("readParts() reads a file in parts that overlap", () =>
  withDirectory(async (home) => {
    const path = join(home, "file");
    const text = "0123456789abcdefghij";
    const partsOf = async (
      size: number,
      overlap: number,
    ): Promise<string[]> => {
      const parts: string[] = [];
      for await (
        const part of system.files.readParts(path, { size, overlap })
      ) {
        parts.push(new TextDecoder().decode(part));
      }
      return parts;
    };
    system.files.create(path, text, 0o600);
    const [first = "", ...others] = await partsOf(4, 3);
    assert.ok(first.length <= 7 && text.startsWith(first), first);
    let read = first;
    for (const part of others) {
      assert.ok(part.length <= 7, part);
      assert.equal(part.slice(0, 3), read.slice(-3));
      read += part.slice(3);
    }
    assert.equal(read, text);
    assert.deepEqual(await partsOf(100, 3), [text]);
    system.files.overwrite(path, "");
    assert.deepEqual(await partsOf(4, 3), []);
    system.files.remove(path);
    await assert.rejects(partsOf(4, 3), { code: "ENOENT" });
  }));

Deno.test("a reader finds the names that grep finds, wherever a part ends", () =>
  withDirectory(async (home) => {
    const path = join(home, "program");
    const names = await Deno.readTextFile(
      "tests/fixtures/migration_names/10.11.0.txt",
    );
    // As in a program: bytes before and between the names, which follow each other.
    const noise = "\u0000\u00fe.up.sql postgres/00000_".repeat(997);
    const blocks = names.trim().split("\n").map((name, index) =>
      index % 40 === 0 ? noise + name : name
    );
    await Deno.writeFile(
      path,
      Uint8Array.from(blocks.join(""), (byte) => byte.charCodeAt(0)),
    );
    const { stdout } = await new Deno.Command("grep", {
      args: ["-aoE", GREP, path],
      env: { LC_ALL: "C" },
    }).output();
    const expected = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(expected.length, 286);
    for (const size of [1, 100, 4096, 1_000_000]) {
      const found = new Set<string>();
      const limits = { size, overlap: LONGEST_FILE_NAME };
      for await (const part of system.files.readParts(path, limits)) {
        const text = Buffer.from(part).toString("latin1");
        for (const name of findFileNames(text)) found.add(name);
      }
      assert.deepEqual([...found], expected);
    }
  }));

Deno.test("read() reads only regular files, does not block, and follows links only on request", () =>
  withDirectory(async (home) => {
    const { files } = system;
    const path = join(home, "file");
    const link = join(home, "link");
    const fifo = join(home, "fifo");
    const socket = join(home, "socket");
    files.create(path, "text", 0o640);
    await Deno.symlink("file", link);
    await Deno.symlink("nowhere", join(home, "dangling"));
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    using _ = Deno.listen({ transport: "unix", path: socket });
    for (const follow of [true, false]) {
      const found = files.read(path, { follow });
      assert.equal(new TextDecoder().decode(found?.bytes), "text");
      assert.deepEqual(found?.facts, files.stat(path));
      assert.equal(files.read(join(home, "none"), { follow }), undefined);
      assert.equal(files.read(join(path, "none"), { follow }), undefined);
      for (const other of [home, fifo, socket, "/dev/zero"]) {
        const { bytes, facts } = files.read(other, { follow }) ?? {};
        assert.deepEqual([bytes, facts?.isFile], [undefined, false], other);
      }
    }
    assert.equal(files.read(link, { follow: true })?.facts.isFile, true);
    assert.equal(
      files.read(join(home, "dangling"), { follow: true }),
      undefined,
    );
    for (const name of ["link", "dangling"]) {
      const { bytes, facts } =
        files.read(join(home, name), { follow: false }) ?? {};
      assert.deepEqual([bytes, facts?.isSymlink], [undefined, true]);
    }
    assert.equal(codeOf(() => files.tryWriting(fifo)), "ENXIO");
    assert.equal(codeOf(() => files.tryWriting(join(home, "none"))), "ENOENT");
    files.tryWriting(path);
    assert.equal(await Deno.readTextFile(path), "text");
    files.tryCreating(`${path}2`);
    assert.equal(files.stat(`${path}2`), undefined);
    assert.equal(codeOf(() => files.tryCreating(link)), "EEXIST");
  }));

Deno.test("stat() and list() accept a missing file, and throw on other errors", () =>
  withDirectory((home) => {
    const { files } = system;
    const path = join(home, "file");
    files.create(path, "", 0o600);
    assert.equal(files.stat(join(home, "none")), undefined);
    assert.equal(files.lstat(join(path, "below")), undefined);
    assert.deepEqual(files.list(join(home, "none")), []);
    assert.equal(codeOf(() => files.list(path)), "ENOTDIR");
    assert.equal(
      codeOf(() => Deno.readTextFileSync(join(home, "none"))),
      "ENOENT",
    );
    Deno.symlinkSync("loop", join(home, "loop"));
    assert.equal(codeOf(() => files.stat(join(home, "loop"))), "ELOOP");
  }));

Deno.test("exists() is false for missing files and broken links", () =>
  withDirectory((home) => {
    const { files } = system;
    const path = join(home, "file");
    files.create(path, "", 0o600);
    Deno.symlinkSync("nowhere", join(home, "dangling"));
    Deno.symlinkSync("loop", join(home, "loop"));
    assert.equal(files.exists(path), true);
    assert.equal(files.exists(home), true);
    assert.equal(files.exists("/"), true);
    const nothing = ["none", "no/where", "file/below", "dangling", "loop"];
    for (const name of nothing) {
      assert.equal(files.exists(join(home, name)), false, name);
    }
    assert.deepEqual(files.list(join(home, "no/where")), []);
    assert.equal(codeOf(() => files.list(join(path, "x"))), "ENOTDIR");
  }));

Deno.test("stat() and realPath() follow links, lstat() and readLink() do not", () =>
  withDirectory((home) => {
    const { files } = system;
    const deep = join(home, "a/b");
    files.makeDirectory(deep, 0o700);
    files.makeDirectory(deep);
    assert.equal(files.stat(deep)?.mode, 0o700);
    Deno.symlinkSync("a/b", join(home, "link"));
    const link = join(home, "link");
    assert.equal(files.lstat(link)?.isSymlink, true);
    assert.equal(files.stat(link)?.isDirectory, true);
    assert.equal(files.readLink(link), "a/b");
    assert.equal(files.realPath(link), files.realPath(deep));
  }));

Deno.test("tryLock() takes a lock once, and only of a regular file", () =>
  withDirectory(async (home) => {
    const { files } = system;
    const path = join(home, "lock");
    const held = files.tryLock(path);
    assert.ok(held);
    assert.equal(files.tryLock(path), undefined);
    held.release();
    files.tryLock(path)?.release();
    assert.ok(files.tryLock(path));
    assert.equal(files.stat(path)?.mode, 0o600);
    await new Deno.Command("mkfifo", { args: [`${path}-fifo`] }).output();
    await Deno.symlink("target", `${path}-link`);
    for (const name of ["fifo", "link"]) {
      assert.ok(codeOf(() => files.overwrite(`${path}-${name}`, "")), name);
    }
    const codes = ["fifo", "link", "directory/x"].map((name) =>
      codeOf(() => files.tryLock(`${path}-${name}`))
    );
    assert.deepEqual(codes, ["NotRegular", "ELOOP", "ENOENT"]);
    assert.deepEqual(files.list(home), ["lock", "lock-fifo", "lock-link"]);
  }));

Deno.test("sleep() ends after its time, or at once with the reason of its signal", async () => {
  const { clock } = system;
  const before = clock.elapsed();
  await clock.sleep(20, new AbortController().signal);
  assert.ok(clock.elapsed() - before >= 15);
  const ending = new AbortController();
  const long = clock.sleep(600_000, ending.signal);
  ending.abort("the reason");
  await assert.rejects(long, (reason) => reason === "the reason");
  await assert.rejects(
    clock.sleep(600_000, ending.signal),
    (reason) => reason === "the reason",
  );
  assert.ok(Math.abs(clock.now() - Date.now()) < 60_000);
});

Deno.test("a child process gets only the planned input, environment and directory", async () => {
  const { code, stdout, stderr } = await system.runChild({
    command: [
      "/bin/sh",
      "-c",
      'cat; pwd -P; echo "$A-$HOME"; echo no >&2; exit 3',
    ],
    env: { A: "a" },
    cwd: "/",
    input: "the input\n",
    output: "capture",
    uid: system.uid,
    gid: system.gid,
  });
  assert.deepEqual([code, stdout, stderr], [3, "the input\n/\na-\n", "no\n"]);
});

Deno.test("a child process may ignore its input, and fails if it is missing or stopped", async () => {
  const plan = { env: {}, output: "capture" } as const;
  const idle = await system.runChild({
    ...plan,
    command: ["/bin/true"],
    input: "x".repeat(1_000_000),
  });
  assert.equal(idle.code, 0);
  await assert.rejects(
    system.runChild({ ...plan, command: ["/no/such/program"] }),
    { code: "ENOENT" },
  );
  const stopped = await system.runChild({
    env: {},
    output: "inherit",
    command: ["/bin/sleep", "600"],
    signal: AbortSignal.timeout(50),
  });
  assert.equal(stopped.code, 143);
});

Deno.test("a watched child process is killed with its group as soon as it has said enough", async () => {
  const plan = { env: { PATH: "/usr/bin:/bin" }, cwd: "/" };
  const { lines, code } = await system.watchChild({
    ...plan,
    command: [
      "/bin/sh",
      "-c",
      "trap '' TERM; sleep 600 & echo $!; echo enough >&2; echo more; wait",
    ],
    signal: AbortSignal.timeout(60_000),
    isEnough: (line) => line === "enough",
  });
  assert.equal(code, undefined);
  const [pid = ""] = lines.filter((line) => /^\d+$/.test(line));
  const state = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  // The process that collects orphans may not have removed it yet.
  assert.match(state, /^$|\) Z /);
});

Deno.test("a watched child process ends by itself, at the signal, or cannot be executed", async () => {
  const plan = { env: {}, cwd: "/", signal: AbortSignal.timeout(60_000) };
  const shell = (script: string): readonly [string, ...string[]] => [
    "/bin/sh",
    "-c",
    script,
  ];
  const own = await system.watchChild({
    ...plan,
    command: shell("pwd; printf 'no newline' >&2; kill -9 $$"),
  });
  assert.deepEqual([own.lines.toSorted(), own.code], [
    ["/", "no newline"],
    137,
  ]);
  const hanging = await system.watchChild({
    ...plan,
    command: shell("trap '' TERM; while :; do /bin/sleep 1; done"),
    signal: AbortSignal.timeout(50),
  });
  assert.deepEqual(hanging, { lines: [], code: undefined });
  // A process of another group keeps the streams open.
  const escaped = await system.watchChild({
    ...plan,
    command: shell("/usr/bin/setsid /bin/sleep 5 & echo done"),
  });
  assert.deepEqual(escaped, { lines: ["done"], code: 0 });
  const endless = await system.watchChild({
    ...plan,
    command: shell("while echo 'a line of twenty-six letters'; do :; done"),
    signal: AbortSignal.timeout(500),
  });
  assert.ok(endless.lines.join("").length <= 256 * 1024);
  const { lines: [first] } = await system.watchChild({
    ...plan,
    command: shell("/usr/bin/head -c 1000000 /dev/zero"),
  });
  assert.equal(first?.length, 16 * 1024);
  await assert.rejects(
    system.watchChild({ ...plan, command: ["/no/such/program"] }),
    { code: "ENOENT" },
  );
});

Deno.test("a private directory has one file, which only its owner can read", async () => {
  const root = await Deno.makeTempDir();
  try {
    const { files, uid, gid } = system;
    const owner = uid === 0 ? { uid: 2000, gid: 2001 } : { uid, gid };
    const directory = files.makePrivateDirectory({
      prefix: `${root}/a-`,
      file: { name: "f", text: (path) => `in ${path}` },
      owner,
    });
    assert.match(directory, new RegExp(`^${root}/a-\\w+$`));
    for (const [path, mode] of [["", 0o700], ["/f", 0o600]] as const) {
      const facts = files.stat(`${directory}${path}`);
      assert.deepEqual(
        [facts?.mode, facts?.uid, facts?.gid],
        [mode, owner.uid, owner.gid],
      );
    }
    assert.equal(await Deno.readTextFile(`${directory}/f`), `in ${directory}`);
    await Deno.writeTextFile(`${root}/kept`, "");
    await Deno.symlink(root, `${directory}/link`);
    files.removeDirectory(directory, owner);
    assert.deepEqual(files.list(root), ["kept"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

testWith(
  [ROOT_USER],
  "a private directory whose owner has put a link in its place leads root nowhere",
  async () => {
    const root = await Deno.makeTempDir();
    try {
      await Deno.chmod(root, 0o1777);
      const { files } = system;
      const owner = { uid: 2000, gid: 2000 };
      const directory = files.makePrivateDirectory({
        prefix: `${root}/a-`,
        file: { name: "f", text: () => "" },
        owner,
      });
      await Deno.mkdir(`${root}/other`);
      await Deno.writeTextFile(`${root}/other/file`, "");
      await Deno.rename(directory, `${root}/away`);
      await Deno.symlink(`${root}/other`, directory);
      files.removeDirectory(directory, owner);
      assert.deepEqual(files.list(root), ["away", "other"]);
      await Deno.symlink(`${root}/other`, directory);
      files.removeDirectory(directory);
      assert.deepEqual(files.list(`${root}/other`), ["file"]);
      // Any number of directories could be inside one another.
      await Deno.mkdir(`${root}/away/inner/most`, { recursive: true });
      assert.throws(() => files.removeDirectory(`${root}/away`, owner));
      assert.deepEqual(files.list(`${root}/away`), ["inner"]);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);

Deno.test("onSignal() passes the name of the signal to the handler", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const remove = system.onSignal(resolve);
  // A signal handler alone does not keep the process running.
  const alive = setInterval(() => {}, 1000);
  try {
    Deno.kill(Deno.pid, "SIGHUP");
    assert.equal(await promise, "SIGHUP");
  } finally {
    clearInterval(alive);
    remove();
  }
});

Deno.test("random bytes and addresses come from the machine", async () => {
  assert.equal(system.random(32).length, 32);
  assert.notDeepEqual(system.random(32), system.random(32));
  assert.ok((await system.resolveHost("localhost")).length > 0);
  await assert.rejects(system.resolveHost("nowhere.invalid"));
});
