/**
 * config.json on real file systems that fail: kills, full disks, closed directories, mounts.
 *
 * Mounts are made in mount namespaces of their own, so that nothing of them is left.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { StartReport } from "../support/config_start.ts";
import { MOUNTS, NAMESPACE, ROOT_USER, testWith } from "../support/needs.ts";

const FIXTURE = join(
  import.meta.dirname ?? ".",
  "../fixtures/config_writer.ts",
);
const WRITER = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", FIXTURE];
/** Root without its privileges: directories of others are closed to it. */
const WEAK = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
const RESTORE = "mattermost-entrypoint app:config --restore 1";
const KILLS = 200;
const KILLS_IN_PLACE = 60;

type Outcome = Partial<StartReport> & {
  readonly code: number;
  readonly message?: string;
  readonly remedy?: string;
};

Deno.test("after a kill at any time, config.json has either its old or its new content", async () => {
  const lanes = 2;
  await Promise.all(Array.from({ length: lanes }, async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    const salts = new Set<unknown>();
    for (let kill = 0; kill < KILLS / lanes; kill++) {
      await killWriter([...WRITER, "loop", path]);
      const text = await readIfThere(path);
      if (text !== undefined) salts.add(assertWhole(text));
      for (const number of [1, 2, 3]) {
        const copy = await readIfThere(`${path}.${number}`);
        if (copy !== undefined) assertWhole(copy);
      }
    }
    assert.equal(salts.size, 1, "the secret was made once");
  }));
});

testWith(
  [MOUNTS],
  "after a kill while a bind-mounted config.json is overwritten, the next start repairs it",
  async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, "real.json");
    const path = join(scratch.path, "conf/config.json");
    await Deno.mkdir(join(scratch.path, "conf"));
    await Deno.writeTextFile(file, "{}");
    await Deno.writeTextFile(path, "{}");
    const setup = `mount --bind ${file} ${path}`;
    const salts = new Set<unknown>();
    for (let kill = 0; kill < KILLS_IN_PLACE; kill++) {
      await killWriter(inNamespace(setup, [...WRITER, "loop", path]));
      const text = await Deno.readTextFile(file);
      const marker = await readIfThere(`${path}.writing`);
      const copies = await Promise.all(
        [1, 2, 3].map((number) => readIfThere(`${path}.${number}`)),
      );
      // A kill while the copies move up leaves a gap among them.
      const newest = copies.find((copy) => copy !== undefined);
      const whole = marker === undefined ? text : newest ?? "";
      if (whole !== "{}") salts.add(assertWhole(whole));
    }
    assert.equal(salts.size, 1, "the secret was made once");
  },
);

testWith(
  [MOUNTS],
  "on a full disk nothing is lost, whatever the number of free blocks",
  async () => {
    await using scratch = await makeScratch();
    const conf = join(scratch.path, "conf");
    await Deno.mkdir(conf);
    const path = join(conf, "config.json");
    const tmpfs = `mount -t tmpfs -o size=128k none ${conf}`;
    const mounts = [
      tmpfs,
      `${tmpfs}; cd ${conf}; echo '{}' > real; echo '{}' > config.json; mount --bind real config.json; rm real`,
    ];
    for (const setup of mounts) {
      const { code, stdout, stderr } = await run(
        inNamespace(setup, [...WRITER, "full", path]),
      );
      assert.equal(code, 0, stderr);
      const outcomes: number[] = JSON.parse(stdout);
      assert.ok(outcomes.length > 5, stdout);
      assert.deepEqual(
        outcomes,
        [...outcomes.slice(1).fill(73), 0],
        "every write failed once, and each with 73",
      );
    }
  },
);

testWith(
  [MOUNTS],
  "without free inodes nothing is lost, whatever their number",
  async () => {
    await using scratch = await makeScratch();
    const conf = join(scratch.path, "conf");
    await Deno.mkdir(conf);
    const path = join(conf, "config.json");
    const { code, stdout, stderr } = await run(
      inNamespace(`mount -t tmpfs -o nr_inodes=40 none ${conf}`, [
        ...WRITER,
        ...["inodes", path],
      ]),
    );
    assert.equal(code, 0, stderr);
    const outcomes: number[] = JSON.parse(stdout);
    assert.ok(outcomes.length > 1, stdout);
    assert.deepEqual(outcomes, [...outcomes.slice(1).fill(73), 0]);
  },
);

Deno.test("two simultaneous starts have one set of secrets", async () => {
  for (let round = 0; round < 8; round++) {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    const starts = await Promise.all(
      [1, 2, 3].map(() =>
        run([...WRITER, "once", path, JSON.stringify({ "A.Salt": null })])
      ),
    );
    const texts = starts.map(({ stdout }) => JSON.parse(stdout).text);
    const disk = await Deno.readTextFile(path);
    assert.deepEqual(texts, [disk, disk, disk]);
  }
});

testWith(
  [ROOT_USER, MOUNTS],
  "a directory of another user is an error with code 73 and the chown command, or a notice if nothing changes",
  async () => {
    await using scratch = await makeScratch();
    const { path: conf } = scratch;
    const path = join(conf, "config.json");
    await Deno.writeTextFile(path, '{"A":{"x":"1"}}');
    const setup =
      `chmod 755 ${conf}; chown 2000:2000 ${conf} || chmod 555 ${conf}`;
    const wrong = await once(setup, [
      ...WEAK,
      ...writerOf(path, { "A.x": "2" }),
    ]);
    assert.deepEqual(wrong, {
      code: 73,
      message:
        `Cannot write ${path}: user 0 cannot write to ${conf}; nothing is lost`,
      remedy: `chown -R 0:0 ${conf}`,
    });
    assert.equal(await Deno.readTextFile(path), '{"A":{"x":"1"}}');
    const right = await once(setup, [
      ...WEAK,
      ...writerOf(path, { "A.x": "1" }),
    ]);
    assert.equal(right.written, false);
    assert.deepEqual(right.notices, [
      `Cannot keep a copy of ${path}: permission denied (EACCES)`,
    ]);
    assert.deepEqual(right.lockNotices, [
      `${path}.lock cannot be locked: permission denied (EACCES); do not start two servers on this volume at the same time`,
    ]);
    assert.deepEqual(await names(conf), ["config.json"]);
  },
);

testWith(
  [ROOT_USER, MOUNTS],
  "a writable config.json in a directory that is not writable is overwritten in place, with copies elsewhere",
  async () => {
    await using scratch = await makeScratch();
    const conf = join(scratch.path, "conf");
    const data = join(scratch.path, "data");
    await Deno.mkdir(conf);
    await Deno.mkdir(data);
    const path = join(conf, "config.json");
    await Deno.writeTextFile(path, '{"A":{"x":"1"}}');
    const setup = `chmod 555 ${conf}`;
    const { inode } = await statOf(path);
    const command = [...WEAK, ...writerOf(path, { "A.x": "2" }), data];
    const { written, notices } = await once(setup, command);
    assert.equal(written, true);
    assert.match(
      notices?.join() ?? "",
      /was overwritten in place, .*; its previous content is in .*\/data\/config\.json\.2$/,
    );
    assert.equal(await Deno.readTextFile(path), '{"A":{"x":"2"}}');
    assert.deepEqual(await statOf(path), { inode, mode: 0o600 });
    assert.equal(
      await Deno.readTextFile(join(data, "config.json.2")),
      '{"A":{"x":"1"}}',
    );
    assert.equal((await once(setup, command)).written, false);
  },
);

testWith(
  [MOUNTS, ROOT_USER],
  "a config.json of another user that cannot be read is an error with code 65 and the chown command",
  async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    await Deno.writeTextFile(path, "{}", { mode: 0o600 });
    const setup = `chown 2000:2000 ${path}`;
    const outcome = await once(setup, [...WEAK, ...writerOf(path, {})]);
    assert.deepEqual(outcome, {
      code: 65,
      message: `${path} cannot be read by user 0`,
      remedy: `chown -R 0:0 ${path}`,
    });
  },
);

testWith(
  [MOUNTS],
  "a config.json whose mode keeps its owner from reading it is an error with the chmod command",
  async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    await Deno.writeTextFile(path, "{}");
    const command = [...WEAK, ...writerOf(path, {})];
    assert.deepEqual(await once(`chmod 000 ${path}`, command), {
      code: 65,
      message: `${path} cannot be read by user 0`,
      remedy: `chmod u+rw ${path}`,
    });
  },
);

testWith(
  [ROOT_USER, MOUNTS],
  "a read-only file system is an error with code 73 and a remedy",
  async () => {
    await using scratch = await makeScratch();
    const { path: conf } = scratch;
    const path = join(conf, "config.json");
    const setup =
      `mount -t tmpfs none ${conf}; echo '{}' > ${path}; mount -o remount,ro ${conf}`;
    const outcome = await once(setup, writerOf(path, { "A.x": "2" }));
    assert.deepEqual(outcome, {
      code: 73,
      message:
        `Cannot write ${path}: the file system is read-only (EROFS); nothing is lost`,
      remedy:
        `Set MATTERMOST_CONF_DIR to a directory on a writable volume, and copy the configuration there: cp ${path} "$MATTERMOST_CONF_DIR"/config.json`,
    });
  },
);

testWith(
  [ROOT_USER, MOUNTS],
  "a Kubernetes Secret is an error with code 73 only if it has to change",
  async () => {
    await using scratch = await makeScratch();
    const { path: conf } = scratch;
    const path = join(conf, "config.json");
    const setup = [
      `mount -t tmpfs none ${conf}; cd ${conf}; mkdir ..2026_11_22`,
      `echo '{"A":{"x":"1"}}' > ..2026_11_22/config.json`,
      `ln -s ..2026_11_22 ..data; ln -s ..data/config.json config.json`,
      `mount -o remount,ro ${conf}`,
    ].join("; ");
    const outcome = await once(setup, writerOf(path, { "A.x": "2" }));
    assert.equal(outcome.code, 73);
    assert.match(
      outcome.message ?? "",
      /^Cannot write .*\/\.\.2026_11_22\/config\.json: it is mounted from a Kubernetes Secret or ConfigMap, which is read-only, but the server must be able to write it; nothing is lost$/,
    );
    assert.match(
      outcome.remedy ?? "",
      /^Set MATTERMOST_CONF_DIR to a directory on a writable volume, /,
    );
    const same = await once(setup, writerOf(path, { "A.x": "1" }));
    assert.deepEqual([same.code, same.written], [0, false]);
  },
);

testWith(
  [MOUNTS],
  "a bind-mounted file is overwritten in place after a copy is kept, with a notice",
  async () => {
    await using scratch = await makeScratch();
    const { path: conf } = scratch;
    const file = join(conf, "host.json");
    const path = join(conf, "config.json");
    await Deno.writeTextFile(file, '{"Mine": 1.0}');
    await Deno.writeTextFile(path, "");
    const setup = `mount --bind ${file} ${path}`;
    const { notices, written } = await once(
      setup,
      writerOf(path, { "A.x": "1" }),
    );
    assert.equal(written, true);
    assert.deepEqual(notices, [
      `${path} was overwritten in place, because a rename cannot replace a mount or a file in a directory that is not writable; its previous content is in ${path}.2`,
    ]);
    assert.equal(await Deno.readTextFile(file), '{"Mine": 1.0,"A": {"x":"1"}}');
    assert.equal(await Deno.readTextFile(`${path}.2`), '{"Mine": 1.0}');
    assert.deepEqual(await names(conf), [
      ...["config.json", "config.json.1", "config.json.2"],
      ...["config.json.lock", "config.json.memory", "host.json"],
    ]);
  },
);

testWith(
  [MOUNTS],
  "a config.json that the server truncated on a full disk is an error with code 65, and the copy is complete",
  async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    await once(":", writerOf(path, { "A.x": "1" }));
    const text = await Deno.readTextFile(path);
    await Deno.truncate(path);
    const outcome = await once(":", writerOf(path, { "A.x": "1" }));
    assert.equal(outcome.code, 65);
    assert.match(
      outcome.message ?? "",
      /config\.json is empty; its newest valid copy is .*config\.json\.1 of \d{4}-/,
    );
    assert.equal(outcome.remedy, RESTORE);
    assert.equal(await Deno.readTextFile(`${path}.1`), text);
    assert.equal(await Deno.readTextFile(path), "");
  },
);

testWith(
  [MOUNTS],
  "a dangling symbolic link or a directory in its place is an error with code 65",
  async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    await Deno.symlink("nowhere.json", path);
    assert.deepEqual(await once(":", writerOf(path, {})), {
      code: 65,
      message:
        `${path} is a symbolic link to nowhere.json, which does not exist`,
      remedy: `Create the target of the link, or remove the link: rm ${path}`,
    });
    assert.equal(await Deno.readLink(path), "nowhere.json");
    await Deno.remove(path);
    await Deno.mkdir(path);
    assert.equal((await once(":", writerOf(path, {}))).code, 65);
  },
);

testWith(
  [MOUNTS],
  "the next start removes the temporary files of a killed one",
  async () => {
    await using scratch = await makeScratch();
    const path = join(scratch.path, "config.json");
    for (const name of [".config.json.0123.tmp", ".config.json.memory.4.tmp"]) {
      await Deno.writeTextFile(join(scratch.path, name), "half");
    }
    await Deno.writeTextFile(join(scratch.path, "other.tmp"), "not ours");
    await once(":", writerOf(path, { "A.x": "1" }));
    assert.deepEqual(
      (await names(scratch.path)).filter((name) => name.endsWith(".tmp")),
      ["other.tmp"],
    );
  },
);

/** Asserts that the text has the same state at its start and its end, and returns the secret between them. */
function assertWhole(text: string): unknown {
  const { First, Middle, Last, Secret } = JSON.parse(text);
  assert.ok(First.State);
  assert.match(Middle.Padding, /^x*$/);
  assert.equal(First.State, Last.State);
  return Secret.Salt;
}

/** Starts the writer, and kills it after a random time. */
async function killWriter(command: readonly string[]): Promise<void> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), "ready\n");
  const milliseconds = Math.random() * 40;
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  child.kill("SIGKILL");
  const rest = await reader.read();
  assert.ok(rest.done, new TextDecoder().decode(rest.value));
  assert.equal((await child.status).signal, "SIGKILL");
}

function writerOf(
  path: string,
  values: Readonly<Record<string, string>>,
): readonly string[] {
  return [...WRITER, "once", path, JSON.stringify(values)];
}

function inNamespace(
  setup: string,
  command: readonly string[],
): readonly string[] {
  // The shell replaces itself, so that a kill hits the writer.
  const script = `(${setup}) 2>/dev/null || exit 99; exec "$@"`;
  return [...NAMESPACE, "sh", "-c", script, "sh", ...command];
}

async function once(
  setup: string,
  command: readonly string[],
): Promise<Outcome> {
  const { code, stdout, stderr } = await run(inNamespace(setup, command));
  assert.notEqual(stdout, "", stderr);
  const outcome: Outcome = JSON.parse(stdout);
  assert.equal(code, outcome.code);
  return outcome;
}

async function run(command: readonly string[]): Promise<{
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}> {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, { args })
    .output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

async function makeScratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    assert.ok(error instanceof Deno.errors.NotFound);
    return undefined;
  }
}

async function statOf(
  path: string,
): Promise<{ readonly inode: number | null; readonly mode: number }> {
  const { ino, mode } = await Deno.stat(path);
  return { inode: ino, mode: (mode ?? 0) & 0o777 };
}

async function names(directory: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(directory), ({ name }) => name))
    .sort();
}
