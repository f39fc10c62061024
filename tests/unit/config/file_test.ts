import assert from "node:assert/strict";
import type { ConfigPlace } from "../../../lib/config/file.ts";
import { listCopies } from "../../../lib/config/copies.ts";
import type { ConfigSystem } from "../../../lib/config/location.ts";
import { readConfig } from "../../../lib/config/file.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Assignment } from "../../../lib/config/assignment.ts";
import { attempt } from "../../../lib/config/replace_file.ts";
import type { StartReport } from "../../support/config_start.ts";
import {
  assign,
  editsIn,
  lockNow,
  restoreNow,
  startConfig,
} from "../../support/config_start.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const PATH = "/conf/config.json";
const PLACE: ConfigPlace = { path: PATH, user: { uid: 2000, gid: 2000 } };

function systemOf(files: MemoryFiles): ConfigSystem {
  let seed = 0;
  return {
    files,
    random: (length) => new Uint8Array(length).fill(++seed % 256),
  };
}

function start(
  files: MemoryFiles,
  wanted: readonly Assignment[],
  place = PLACE,
): StartReport {
  return startConfig(systemOf(files), place, { wanted });
}

function fails(
  code: number,
  message: RegExp,
  remedy: RegExp,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntrypointError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.remedy ?? "", remedy);
    return true;
  };
}

Deno.test("file: the first start writes config.json and the files beside it, all with mode 0600", () => {
  const files = new MemoryFiles("/conf");
  const { written, notices } = start(files, [assign("A.x", "1")]);
  assert.deepEqual([written, notices], [true, []]);
  assert.deepEqual(files.list("/conf"), [
    "config.json",
    "config.json.1",
    "config.json.lock",
    "config.json.memory",
  ]);
  for (const name of files.list("/conf")) {
    assert.equal(files.stat(`/conf/${name}`)?.mode, 0o600, name);
  }
});

Deno.test("file: nothing is written when nothing changed", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "1")]);
  files.reboot();
  const { written } = start(files, [assign("A.x", "1")]);
  assert.equal(written, false);
  assert.deepEqual(
    files.journal.filter((each) => !/^lock .*lock$/.test(each)),
    [],
  );
});

Deno.test("file: the mode of an unchanged file is corrected", () => {
  const files = new MemoryFiles("/conf");
  const { text } = start(files, [assign("A.x", "1")]);
  files.place(PATH, text, 0o644);
  const { written, notices } = start(files, [assign("A.x", "1")]);
  assert.deepEqual([written, notices], [false, []]);
  assert.equal(files.stat(PATH)?.mode, 0o600);
});

Deno.test("file: missing directories are created without access for others", () => {
  const files = new MemoryFiles("/");
  start(files, [assign("A.x", "1")], { ...PLACE, path: "/a/b/config.json" });
  for (const path of ["/a", "/a/b"]) {
    assert.equal(files.stat(path)?.mode, 0o750, path);
  }
});

Deno.test("file: the last-applied state holds only salted digests", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "s3cret-value")]);
  const text = files.readText(`${PATH}.memory`);
  assert.ok(!text.includes("s3cret-value"));
  assert.match(text, /"digest": "[0-9a-f]{64}"/);
});

Deno.test("file: with an invalid last-applied state, values on disk count as edits", () => {
  for (
    const broken of [
      "",
      "{",
      "[]",
      '{"version":1,"salt":"x","values":{"A.x":1}}',
    ]
  ) {
    const files = new MemoryFiles("/conf");
    start(files, [assign("A.x", "1", false)]);
    files.place(`${PATH}.memory`, broken);
    const report = start(files, [assign("A.x", "2", false)]);
    assert.deepEqual(editsIn(report), ["A.x"]);
    assert.deepEqual(JSON.parse(report.text), { A: { x: "1" } });
  }
});

Deno.test("file: the last three valid contents are kept, newest first, edits included", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "1")]);
  files.place(PATH, '{"A":{"x":"1"},"edit":1}');
  start(files, [assign("A.x", "2")]);
  assert.deepEqual(
    listCopies(systemOf(files), PATH).map((
      { number, text },
    ) => [number, text && JSON.parse(text)]),
    [
      [1, { A: { x: "2" }, edit: 1 }],
      [2, { A: { x: "1" }, edit: 1 }],
      [3, { A: { x: "1" } }],
    ],
  );
});

Deno.test("file: an invalid config.json is an error with code 65, the copy and the command", () => {
  const cases: readonly [text: string, message: RegExp, line?: number][] = [
    ["", /config\.json is empty; /],
    [" \n\t", /contains only white space; /],
    ["\0\0\0\0", /contains only NUL bytes/],
    ['{"a":\0\0', /is not valid JSON \(line 1, column 6: .*NUL bytes\)/],
    ["{}\0", /line 1, column 3: .*; the file contains NUL bytes\)/],
    [
      '{\n "a": 1,\n}',
      /\(line 2, column 8: a comma that nothing follows: remove it\)/,
      2,
    ],
    ['{"a": 1', /the text ends too early/],
    ["[1]", /an object in braces is expected/, 1],
    ["\uFEFF{}", /byte order mark/],
  ];
  for (const [text, message, line] of cases) {
    const correct = line === undefined
      ? ""
      : `Correct line ${line} of the file, or restore the copy: `;
    const files = new MemoryFiles("/conf");
    start(files, [assign("A.x", "1")]);
    files.place(PATH, text);
    assert.throws(
      () => start(files, [assign("A.x", "2")]),
      fails(
        65,
        message,
        new RegExp(`^${correct}mattermost-entrypoint app:config --restore 1$`),
      ),
    );
    assert.equal(files.readText(PATH), text, "it is left as it is");
    assert.throws(
      () => start(files, []),
      fails(
        65,
        /its newest valid copy is \/conf\/config\.json\.1 of 2023-/,
        /./,
      ),
    );
  }
});

Deno.test("file: invalid copies are skipped, and without a valid one the remedy is the defaults", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "1")]);
  start(files, [assign("A.x", "2")]);
  files.place(PATH, "");
  files.place(`${PATH}.1`, "");
  assert.throws(
    () => start(files, []),
    fails(65, /config\.json\.2 of/, /--restore 2$/),
  );
  files.remove(`${PATH}.2`);
  assert.throws(
    () => start(files, []),
    fails(
      65,
      /there is no valid copy of it/,
      /echo '\{\}' > \/conf\/config\.json$/,
    ),
  );
});

Deno.test("file: bytes that are not UTF-8 are an error with code 65", () => {
  const files = new MemoryFiles("/conf");
  files.place(PATH, "{}");
  const read = files.read.bind(files);
  files.read = (path, options) => {
    const found = read(path, options);
    return found && path === PATH
      ? { ...found, bytes: new Uint8Array([0x7b, 0xff, 0x7d]) }
      : found;
  };
  assert.throws(
    () => readConfig(systemOf(files), PLACE),
    fails(65, /is not UTF-8 text/, /./),
  );
});

Deno.test("file: a directory or a dangling link in its place is an error with code 65", () => {
  const files = new MemoryFiles("/conf");
  files.makeDirectory(PATH);
  assert.throws(
    () => start(files, []),
    fails(
      65,
      /config\.json is a directory, which Docker creates/,
      /^Mount .* rmdir \/conf\/config\.json$/,
    ),
  );
  const linked = new MemoryFiles("/conf");
  linked.link(PATH, "/else/config.json");
  assert.throws(
    () => start(linked, []),
    fails(
      65,
      /is a symbolic link to \/else\/config\.json, which does not exist/,
      /rm \/conf/,
    ),
  );
});

Deno.test("file: a symbolic link is followed and kept", () => {
  const files = new MemoryFiles("/conf", "/else");
  files.link(PATH, "/else/mine.json");
  files.place("/else/mine.json", "{}");
  start(files, [assign("A.x", "1")]);
  assert.ok(files.lstat(PATH)?.isSymlink);
  assert.match(files.readText("/else/mine.json"), /"x"/);
  assert.ok(files.list("/else").includes("mine.json.1"));
});

Deno.test("file: a missing config.json is not created again if there is a copy", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "1")]);
  files.remove(PATH);
  assert.throws(
    () => start(files, [assign("A.x", "2")]),
    (error) =>
      error instanceof EntrypointError && error.code === 65 &&
      /does not exist, but there is a valid copy of it/.test(error.message) &&
      /app:config --restore 1 .* rm .*config\.json\.\*$/.test(
        error.remedy ?? "",
      ),
  );
  restoreNow(systemOf(files), PLACE, 1);
  assert.deepEqual(JSON.parse(files.readText(PATH)), { A: { x: "1" } });
});

Deno.test("file: a restore keeps the present content", () => {
  const files = new MemoryFiles("/conf");
  const first = start(files, [assign("A.x", "1")]).text;
  start(files, [assign("A.x", "2")]);
  files.place(PATH, '{"half');
  const lines = restoreNow(systemOf(files), PLACE, 2);
  assert.equal(files.readText(PATH), first);
  assert.equal(files.readText(`${PATH}.broken`), '{"half');
  assert.match(
    lines.join("\n"),
    /kept as \/conf\/config\.json\.broken\n.*Restored .* from copy 2/,
  );
  files.place(PATH, '{"edit":1}');
  restoreNow(systemOf(files), PLACE, 3);
  assert.ok(
    listCopies(systemOf(files), PATH).some(({ text }) => text === '{"edit":1}'),
  );
});

Deno.test("file: only an existing, valid copy can be restored", () => {
  const files = new MemoryFiles("/conf");
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 1),
    fails(64, /There is no copy 1 of .*; existing copies: none/, /^$/),
  );
  start(files, [assign("A.x", "1")]);
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 4),
    fails(64, /There is no copy 4 of .*; existing copies: 1$/, /^$/),
  );
  files.place(`${PATH}.1`, "{");
  assert.throws(
    () => restoreNow(systemOf(files), PLACE, 1),
    fails(65, /config\.json\.1 is not a valid config\.json/, /./),
  );
});

Deno.test("file: a file system without locks is a notice", () => {
  for (
    const code of [
      "ENOLCK",
      "ENOSYS",
      "EOPNOTSUPP",
      "EBADF",
      "EACCES",
      "EINVAL",
    ]
  ) {
    const files = new MemoryFiles("/conf");
    files.lockError = code;
    const lock = lockNow(systemOf(files), PLACE);
    assert.match(
      lock.notices.join(),
      new RegExp(`cannot be locked: .* \\(${code}\\); do not start two`),
    );
    assert.equal(start(files, [assign("A.x", "1")]).written, true);
  }
});

Deno.test("file: if the directory is not writable, copies go to the fallback directory and the file is overwritten", () => {
  const files = new MemoryFiles("/conf", "/data");
  files.place(PATH, "{}");
  files.fault = (_step, what) =>
    /^(?:create|lock|rename) \/conf\//.test(what)
      ? { code: "EACCES" }
      : undefined;
  const place = { ...PLACE, fallback: "/data" };
  const { notices, written, text } = start(files, [assign("A.x", "1")], place);
  assert.equal(written, true);
  assert.match(
    notices.join(),
    /was overwritten in place, .*; its previous content is in \/data\/config\.json\.2/,
  );
  assert.equal(files.readText(PATH), text);
  assert.deepEqual(files.list("/conf"), ["config.json"]);
  assert.equal(start(files, [assign("A.x", "1")], place).written, false);
  assert.deepEqual(
    start(files, [], place).document,
    { A: {} },
    "the memory is found",
  );
});

Deno.test("file: if nothing can be written, an unchanged config.json is a notice and a changed one has code 73", () => {
  for (
    const [code, remedy] of [
      ["EACCES", /^chown -R 2000:2000 \/conf$/],
      [
        "EROFS",
        /^Set MATTERMOST_CONF_DIR to a directory on a writable volume, /,
      ],
    ] as const
  ) {
    const files = new MemoryFiles("/conf");
    files.place(PATH, '{"A":{"x":"1"}}');
    files.fault = () => ({ code });
    const { written, notices } = start(files, [assign("A.x", "1")]);
    assert.equal(written, false);
    assert.match(
      notices.join("\n"),
      new RegExp(`Cannot keep a copy of .* \\(${code}\\)`),
    );
    assert.throws(
      () => start(files, [assign("A.x", "2")]),
      fails(
        73,
        /^Cannot write \/conf\/config\.json: .*; nothing is lost$/,
        remedy,
      ),
    );
  }
});

Deno.test("file: a full disk has code 73 even if config.json is unchanged, because the server would truncate it", () => {
  const files = new MemoryFiles("/conf");
  start(files, [assign("A.x", "1")]);
  files.place(PATH, '{"A":{"x":"1"},"console":"edit"}');
  files.fault = (_step, what) =>
    what.startsWith("write") ? { code: "ENOSPC" } : undefined;
  assert.throws(
    () => start(files, [assign("A.x", "1")]),
    fails(
      73,
      /no space is left on the device \(ENOSPC\); nothing is lost$/,
      /df -h/,
    ),
  );
});

Deno.test("file: a failure at any step leaves the old or the new config.json complete", () => {
  for (const mounted of [false, true]) {
    for (const code of ["ENOSPC", "EDQUOT", "EIO", "EACCES", "EROFS"]) {
      everyStep(mounted, (files, step) => {
        files.fault = (now) => now === step ? { code } : undefined;
        try {
          start(files, [assign("A.x", "new")]);
        } catch (error) {
          assert.ok(error instanceof EntrypointError, String(error));
          assert.equal(error.code, 73);
        }
        // The one step that can tear a mounted file is undone at once.
        assert.ok(JSON.parse(files.readText(PATH)));
      });
    }
  }
});

Deno.test("file: nothing is lost if the disk stays full", () => {
  for (const mounted of [false, true]) {
    everyStep(mounted, (files, step) => {
      files.fault = (now, what) =>
        now >= step && /^(?:write|create|truncate|overwrite)/.test(what)
          ? { code: "ENOSPC" }
          : undefined;
      try {
        start(files, [assign("A.x", "new")]);
      } catch (error) {
        assert.ok(error instanceof EntrypointError, String(error));
        assert.equal(error.code, 73);
        assert.match(error.message, /no space is left/);
      }
    });
  }
});

Deno.test("file: a kill at any step leaves the old or the new content, and the next start repairs the rest", () => {
  for (const mounted of [false, true]) {
    // The next start may want the same, or something else that no state on disk is an edit of.
    for (const next of ["new", "newest"]) {
      const steps = everyStep(mounted, (files, step) => {
        files.fault = (now) => now === step ? "death" : undefined;
        attempt(() => start(files, [assign("A.x", "new")]));
        assert.ok(files.dead);
        files.reboot();
        if (!mounted) assert.ok(JSON.parse(files.readText(PATH)));
      }, next);
      assert.ok(steps > 20, `${steps} steps`);
    }
  }
});

Deno.test("file: a kill at any step of a restore leaves a state that the next start accepts", () => {
  for (let step = 1;; step++) {
    const { files } = prepared(false);
    const old = listCopies(systemOf(files), PATH)[0]?.text;
    files.place(PATH, "{torn");
    files.fault = (now) => now === step ? "death" : undefined;
    attempt(() => restoreNow(systemOf(files), PLACE, 1));
    if (!files.dead) {
      assert.ok(step > 5);
      return;
    }
    files.reboot();
    const text = files.readText(PATH);
    assert.ok(text === "{torn" || text === old);
    restoreNow(systemOf(files), PLACE, 1);
    assert.equal(files.readText(PATH), old);
    start(files, [assign("A.x", "new")]);
  }
});

function prepared(mounted: boolean): { files: MemoryFiles; old: string } {
  const files = new MemoryFiles("/conf");
  files.place(PATH, "{}");
  if (mounted) files.mounts.add(PATH);
  start(files, [assign("A.x", "older"), assign("A.d", "d1", false)]);
  start(files, [assign("A.x", "old"), assign("A.d", "d1", false)]);
  files.place(PATH, `{"A":{"x":"old","d":"d1"},"console":"edit"}`);
  files.reboot();
  return { files, old: files.readText(PATH) };
}

/** Makes each step of a start fail in turn, then checks the disk, and the result of the next start. */
function everyStep(
  mounted: boolean,
  goWrong: (files: MemoryFiles, step: number) => void,
  wish = "new",
): number {
  const { files: whole } = prepared(mounted);
  start(whole, [assign("A.x", "new")]);
  const total = whole.steps;
  const fresh = whole.readText(PATH);
  const wanted = fresh.replace('"new"', `"${wish}"`);
  for (let step = 1; step <= total; step++) {
    const { files, old } = prepared(mounted);
    goWrong(files, step);
    const where = `step ${step} of ${total} (${whole.journal[step - 1]})`;
    files.reboot();
    const copies = listCopies(systemOf(files), PATH).map(({ text }) => text);
    const text = files.readText(PATH);
    assert.ok(
      text === old || text === fresh ||
        mounted && files.stat(`${PATH}.writing`) !== undefined,
      `${where}: ${text}`,
    );
    assert.ok(
      [text, ...copies].includes(old),
      `${where}: the edit of the console is still there`,
    );
    assert.ok(!copies.includes(undefined), `${where}: no copy is torn`);
    const next = start(files, [assign("A.x", wish)]);
    assert.equal(files.readText(PATH), wanted, where);
    assert.deepEqual(next.conflicts, [], where);
    assert.deepEqual(editsIn(next), [], where);
    assert.ok(
      listCopies(systemOf(files), PATH)[0]?.text === wanted,
      `${where}: the copy of it is kept`,
    );
    assert.deepEqual(
      files.list("/conf").filter((name) => /\.tmp$|\.writing$/.test(name)),
      [],
      where,
    );
    files.reboot();
    start(files, [assign("A.x", wish)]);
    assert.equal(
      files.journal.filter((each) => !each.endsWith(".lock")).length,
      0,
      `${where}: it has settled`,
    );
  }
  return total;
}
