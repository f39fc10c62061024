import assert from "node:assert/strict";
import type { ConfigPlace } from "../../../lib/config/file.ts";
import { listCopies } from "../../../lib/config/copies.ts";
import { readConfig } from "../../../lib/config/file.ts";
import type { ConfigSystem } from "../../../lib/config/location.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import {
  assign,
  lockNow,
  restoreNow,
  startConfig,
} from "../../support/config_start.ts";
import type { StartReport } from "../../support/config_start.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const PATH = "/conf/config.json";
const PLACE: ConfigPlace = { path: PATH, user: { uid: 2000, gid: 2000 } };
const AND_DATA: ConfigPlace = { ...PLACE, fallback: "/data" };

function systemOf(files: MemoryFiles): ConfigSystem {
  let seed = 0;
  return {
    files,
    random: (length) => new Uint8Array(length).fill(++seed % 256),
  };
}

function start(
  files: MemoryFiles,
  value: string,
  place = PLACE,
): StartReport {
  return startConfig(systemOf(files), place, {
    wanted: [assign("A.x", value)],
  });
}

/** Three starts, so that each has left a copy. */
function started(...more: readonly string[]): MemoryFiles {
  const files = new MemoryFiles("/conf", ...more);
  for (const value of ["1", "2", "3"]) start(files, value);
  files.reboot();
  return files;
}

/** Makes the matching steps fail. */
function fail(files: MemoryFiles, steps: RegExp, code: string): void {
  files.fault = (_step, what) => steps.test(what) ? { code } : undefined;
}

function hasCode(code: number): (error: unknown) => boolean {
  return (error) => error instanceof EntrypointError && error.code === code;
}

Deno.test("file: after an interrupted overwrite, the newest valid copy is used, with a notice", () => {
  const files = started();
  const second = files.readText(`${PATH}.2`);
  files.place(PATH, '{"A":');
  files.place(`${PATH}.1`, "");
  files.place(`${PATH}.writing`, "");
  const state = readConfig(systemOf(files), PLACE);
  assert.deepEqual([state.text, state.torn], [second, true]);
  assert.match(
    state.notices.join(),
    /config\.json is not valid JSON .*; it is restored from \/conf\/config\.json\.2$/,
  );
  start(files, "2");
  assert.equal(files.readText(PATH), second);
  assert.equal(files.stat(`${PATH}.writing`), undefined);
});

Deno.test("file: an interrupted overwrite without a valid copy is an error with code 65", () => {
  const files = new MemoryFiles("/conf");
  files.place(PATH, '{"A":');
  files.place(`${PATH}.writing`, "");
  assert.throws(() => readConfig(systemOf(files), PLACE), hasCode(65));
});

Deno.test("file: the remedy for a missing config.json never names an invalid copy", () => {
  const files = started();
  files.remove(PATH);
  files.place(`${PATH}.1`, "");
  assert.throws(
    () => readConfig(systemOf(files), PLACE),
    /does not exist, but there is a valid copy of it, \/conf\/config\.json\.2/,
  );
  for (const number of [2, 3]) files.remove(`${PATH}.${number}`);
  assert.equal(readConfig(systemOf(files), PLACE).text, undefined);
});

Deno.test("file: a lost last-applied state is written again, even if config.json is unchanged", () => {
  const files = started();
  files.remove(`${PATH}.memory`);
  assert.equal(start(files, "3").written, false);
  assert.match(files.readText(`${PATH}.memory`), /"A\.x"/);
});

Deno.test("file: the lock is released, even after a failed restore", () => {
  const files = started();
  const lock = lockNow(systemOf(files), PLACE);
  assert.deepEqual([...files.locked], [`${PATH}.lock`]);
  lock.release();
  assert.equal(files.locked.size, 0);
  assert.throws(() => restoreNow(systemOf(files), PLACE, 9));
  assert.equal(files.locked.size, 0);
});

Deno.test("file: a directory that cannot be created is an error with code 73", () => {
  const files = new MemoryFiles("/");
  fail(files, /^mkdir/, "EROFS");
  assert.throws(() => lockNow(systemOf(files), PLACE), hasCode(73));
});

Deno.test("file: the fallback directory is used only without permission, and the first error is reported", () => {
  const files = started("/data");
  fail(files, /^lock \/conf\//, "ENOLCK");
  const lock = lockNow(systemOf(files), AND_DATA);
  assert.equal(lock.base, PATH);
  assert.equal(lock.notices.length, 1);
  files.fault = (_step, what) =>
    what.startsWith("lock /conf/")
      ? { code: "EACCES" }
      : what.startsWith("lock /data/")
      ? { code: "EROFS" }
      : undefined;
  const none = lockNow(systemOf(files), AND_DATA);
  assert.match(
    none.notices.join(),
    /cannot be locked: permission denied \(EACCES\);/,
  );
});

Deno.test("file: without access to the fallback directory, the files are beside config.json again", () => {
  const files = new MemoryFiles("/conf", "/data");
  files.place("/data/config.json.memory", "{}");
  fail(files, /^lock \/data\//, "EROFS");
  assert.equal(lockNow(systemOf(files), AND_DATA).base, PATH);
});

Deno.test("file: temporary files of a killed start are removed in both directories", () => {
  const files = new MemoryFiles("/conf", "/data");
  files.place("/data/config.json.memory", "{}");
  files.place("/conf/.config.json.00.tmp", "x");
  files.place("/data/.config.json.00.tmp", "x");
  files.place("/conf/.other.json.00.tmp", "x");
  files.place("/conf/.config.json.mine", "x");
  lockNow(systemOf(files), AND_DATA);
  assert.deepEqual(files.list("/conf"), [
    ".config.json.mine",
    ".other.json.00.tmp",
  ]);
  assert.ok(!files.list("/data").includes(".config.json.00.tmp"));
});

Deno.test("file: a mode that cannot be changed is a notice", () => {
  const files = started();
  files.place(PATH, files.readText(PATH), 0o644);
  fail(files, /^chmod \/conf\/config\.json$/, "EPERM");
  const { notices } = start(files, "3");
  assert.deepEqual(notices, [
    "Other users can read /conf/config.json; to prevent that: chmod 600 /conf/config.json",
  ]);
});

Deno.test("file: the file is overwritten if it is a mount or its directory is not writable, other errors have code 73", () => {
  for (const code of ["EBUSY", "EXDEV", "EACCES", "EPERM", "EROFS"]) {
    const files = started();
    fail(files, /^rename \S+ \/conf\/config\.json$/, code);
    files.chmod(PATH, 0o644);
    const { written, notices } = start(files, "4");
    assert.equal(written, true, code);
    assert.match(notices.join(), /was overwritten in place/, code);
    assert.match(files.readText(PATH), /"4"/, code);
    assert.equal(files.stat(PATH)?.mode, 0o600, code);
    assert.equal(files.stat(`${PATH}.writing`), undefined, code);
  }
  const files = started();
  fail(files, /^rename \S+ \/conf\/config\.json$/, "EIO");
  assert.throws(() => start(files, "4"), hasCode(73));
  assert.ok(!files.journal.some((step) => step.startsWith("truncate")));
});

Deno.test("file: a file that does not exist is not overwritten", () => {
  const files = new MemoryFiles("/conf");
  fail(files, /^rename \S+ \/conf\/config\.json$/, "EACCES");
  assert.throws(() => start(files, "1"), hasCode(73));
  assert.ok(!files.journal.some((step) => step.startsWith("truncate")));
});

Deno.test("file: a failed overwrite is undone, and its marker stays if that fails too", () => {
  const once = started();
  const old = once.readText(PATH);
  once.mounts.add(PATH);
  let failures = 0;
  once.fault = (_step, what) =>
    what.startsWith("overwrite") && failures++ === 0
      ? { code: "ENOSPC" }
      : undefined;
  assert.throws(() => start(once, "4"), hasCode(73));
  assert.equal(once.readText(PATH), old);
  assert.equal(once.stat(`${PATH}.writing`), undefined);
  const twice = started();
  twice.mounts.add(PATH);
  fail(twice, /^overwrite/, "ENOSPC");
  assert.throws(() => start(twice, "4"), hasCode(73));
  assert.ok(twice.stat(`${PATH}.writing`));
});

Deno.test("file: every rename, and the end of an overwrite, is on the disk before the next step", () => {
  const files = started();
  start(files, "4");
  const steps = files.journal;
  for (const [index, step] of steps.entries()) {
    if (!step.startsWith("rename")) continue;
    assert.match(steps[index + 1] ?? "", /^(?:rename|sync \/conf$)/, step);
  }
  files.mounts.add(PATH);
  files.reboot();
  start(files, "5");
  const end = files.journal.indexOf(`remove ${PATH}.writing`);
  assert.equal(files.journal[end + 1], "sync /conf");
});

Deno.test("file: a directory that cannot be synchronized is no error, but an I/O error is one", () => {
  for (const code of ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EBADF"]) {
    const files = started();
    fail(files, /^sync/, code);
    assert.equal(start(files, "4").written, true, code);
  }
  const files = started();
  fail(files, /^sync/, "EIO");
  assert.throws(() => start(files, "4"), hasCode(73));
});

Deno.test("file: a restore reports a missing lock, keeps no empty file, and fails with code 73", () => {
  const files = started();
  files.lockError = "ENOLCK";
  files.place(PATH, "");
  const lines = restoreNow(systemOf(files), PLACE, 1);
  assert.match(
    lines.join("\n"),
    /cannot be locked: the file system supports no locks \(ENOLCK\)/,
  );
  assert.equal(files.stat(`${PATH}.broken`), undefined);
  fail(files, /^write/, "ENOSPC");
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 2),
    hasCode(73),
  );
});

Deno.test("file: a restore uses the copy with the given number, and keeps it as the newest", () => {
  const files = started();
  const second = files.readText(`${PATH}.2`);
  restoreNow(systemOf(files), PLACE, 2);
  assert.equal(files.readText(PATH), second);
  assert.equal(listCopies(systemOf(files), PATH)[0]?.text, second);
});

Deno.test("file: a missing number between copies is not replaced by the next one", () => {
  const files = started();
  files.remove(`${PATH}.1`);
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 1),
    /There is no copy 1 of .*; existing copies: 2, 3$/,
  );
});

Deno.test("file: copies are beside the target of a link", () => {
  const files = new MemoryFiles("/conf", "/else");
  files.link(PATH, "/else/mine.json");
  files.place("/else/mine.json", "{}");
  start(files, "1");
  assert.equal(listCopies(systemOf(files), "/else/mine.json").length, 2);
});

Deno.test("file: a link to something other than a file, and a link that is not trusted, are errors with its path", () => {
  const files = new MemoryFiles("/conf", "/else");
  files.link(PATH, "/else");
  assert.throws(
    () => readConfig(systemOf(files), PLACE),
    (error) =>
      error instanceof EntrypointError && error.code === 65 &&
      error.message ===
        `${PATH} is a symbolic link to /else, which is not a configuration file` &&
      error.remedy === `rm ${PATH}`,
  );
  files.link(PATH, "/else/mine.json");
  files.place("/else/mine.json", "{}", 0o640);
  const refusal = new EntrypointError("not to be trusted", { code: 65 });
  const rejectFile: NonNullable<ConfigPlace["rejectFile"]> = ({ mode }) =>
    mode === 0o640 ? refusal : undefined;
  assert.throws(
    () => readConfig(systemOf(files), { ...PLACE, rejectFile }),
    refusal,
  );
  files.chmod("/else/mine.json", 0o644);
  assert.equal(
    readConfig(systemOf(files), { ...PLACE, rejectFile }).text,
    "{}",
  );
});

Deno.test("file: a restore that fails in place writes back the previous content", () => {
  const files = started();
  const old = files.readText(PATH);
  files.mounts.add(PATH);
  let failures = 0;
  files.fault = (_step, what) =>
    what.startsWith("overwrite") && failures++ === 0
      ? { code: "ENOSPC" }
      : undefined;
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 3),
    hasCode(73),
  );
  assert.equal(files.readText(PATH), old);
});

Deno.test("file: the marker of an interrupted overwrite stays if the repair fails", () => {
  const files = started();
  files.place(PATH, '{"A":');
  files.place(`${PATH}.writing`, "");
  files.mounts.add(PATH);
  let failures = 0;
  files.fault = (_step, what) =>
    what.startsWith("overwrite") && failures++ === 0
      ? { code: "EIO" }
      : undefined;
  assert.throws(() => start(files, "4"), hasCode(73));
  assert.ok(files.stat(`${PATH}.writing`));
});

Deno.test("file: at most three copies are kept", () => {
  const files = started();
  for (const value of ["4", "5"]) start(files, value);
  assert.deepEqual(
    files.list("/conf").filter((name) => /\.\d+$/.test(name)),
    ["config.json.1", "config.json.2", "config.json.3"],
  );
});

Deno.test("file: a last-applied state in another format is ignored", () => {
  const shape = (change: (memory: Stored) => void): unknown => {
    const files = started();
    const stored: Stored = JSON.parse(files.readText(`${PATH}.memory`));
    change(stored);
    files.place(`${PATH}.memory`, JSON.stringify(stored));
    return readConfig(systemOf(files), PLACE).lastApplied;
  };
  const entry = { digest: "d", explicit: true };
  assert.ok(shape(() => {}));
  const changes: readonly ((memory: Stored) => void)[] = [
    (memory) => memory["version"] = 2,
    (memory) => memory["salt"] = 1,
    (memory) => memory["values"] = [],
    (memory) => memory["values"] = { "A.x": 1 },
    (memory) => memory["values"] = { "A.x": { ...entry, digest: 1 } },
    (memory) => memory["values"] = { "A.x": { ...entry, explicit: "yes" } },
    (memory) => memory["values"] = { "A.x": { ...entry, previous: "d" } },
  ];
  for (const change of changes) {
    assert.equal(shape(change), undefined, String(change));
  }
});

Deno.test("file: an installation keeps its salt, and another one has other digests", () => {
  const memory = (files: MemoryFiles): Stored =>
    JSON.parse(files.readText(`${PATH}.memory`));
  const other = new MemoryFiles("/conf");
  const world = {
    ...systemOf(other),
    random: (length: number) => new Uint8Array(length).fill(77),
  };
  startConfig(world, PLACE, { wanted: [assign("A.x", "3")] });
  const files = started();
  assert.notDeepEqual(memory(other)["values"], memory(files)["values"]);
  const salt = memory(files)["salt"];
  startConfig({ ...world, files }, PLACE, { wanted: [assign("A.x", "4")] });
  assert.equal(memory(files)["salt"], salt);
});

type Stored = Record<string, unknown>;
