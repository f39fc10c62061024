import assert from "node:assert/strict";
import { join } from "node:path";
import { elfSize } from "../../tools/denort.ts";
import { isRunning } from "../../tools/shared/process.ts";

/** An ELF header with the offset and size of the section header table. */
function elfHeader(offset: number, entries: number): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  const view = new DataView(header.buffer);
  view.setBigUint64(0x28, BigInt(offset), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, entries, true);
  return header;
}

Deno.test("elfSize() returns the end of the section header table", () => {
  assert.equal(elfSize(elfHeader(1000, 30)), 1000 + 30 * 64);
});

Deno.test("elfSize() measures a program inside a larger buffer", () => {
  const buffer = new Uint8Array(200);
  buffer.set(elfHeader(64, 1), 100);
  assert.equal(elfSize(buffer.subarray(100)), 128);
});

Deno.test("elfSize() refuses everything but 64-bit little-endian ELF files", () => {
  const script = new TextEncoder().encode("#!/bin/sh\n".repeat(10));
  const narrow = elfHeader(1000, 30);
  narrow[4] = 1;
  for (const file of [new Uint8Array(), script, narrow]) {
    assert.throws(() => elfSize(file), RangeError);
  }
});

const COMPILE = [
  ...[Deno.execPath(), "run", "--quiet", "-A"],
  join(import.meta.dirname ?? ".", "../../tools/compile.ts"),
] as const;

/** Starts a compilation with its own directory for temporary files. */
async function compileIn(
  directory: string,
  entry: string,
): Promise<Deno.ChildProcess> {
  const source = join(directory, "entry.ts");
  await Deno.writeTextFile(source, entry);
  await Deno.mkdir(join(directory, "tmp"));
  const [program, ...args] = COMPILE;
  return new Deno.Command(program, {
    args: [...args, "--entry", source, "--output", join(directory, "program")],
    env: { TMPDIR: join(directory, "tmp") },
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

async function temporaryNames(directory: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(join(directory, "tmp")));
  return entries.map(({ name }) => name);
}

Deno.test("the message of a failed step is printed, and the compilation leaves nothing in the temporary directory", async () => {
  const directory = await Deno.makeTempDir();
  const child = await compileIn(directory, "const number = ;\n");
  const { code, stderr } = await child.output();
  assert.equal(code, 1);
  assert.match(
    new TextDecoder().decode(stderr),
    /Cannot run deno bundle:.*Expression expected/s,
  );
  assert.deepEqual(await temporaryNames(directory), []);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("SIGTERM ends the running step of a compilation, which leaves nothing in the temporary directory", async () => {
  const directory = await Deno.makeTempDir();
  const child = await compileIn(directory, "console.log(1);\n");
  while ((await temporaryNames(directory)).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const step = await firstChild(child.pid);
  child.kill("SIGTERM");
  const { signal } = await child.output();
  assert.equal(signal, "SIGTERM");
  for (let attempt = 0; attempt < 100; attempt++) {
    const names = await temporaryNames(directory);
    if (names.length === 0 && !isRunning(step)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(await temporaryNames(directory), []);
  assert.ok(!isRunning(step), `process ${step} is still running`);
  await Deno.remove(directory, { recursive: true });
});

/** The process id of the first step. */
async function firstChild(pid: number): Promise<number> {
  while (true) {
    const tasks = await Array.fromAsync(Deno.readDir(`/proc/${pid}/task`));
    const children = await Promise.all(
      tasks.map(({ name }) =>
        Deno.readTextFile(`/proc/${pid}/task/${name}/children`)
      ),
    );
    const [first] = children.join(" ").trim().split(/\s+/).filter(Boolean);
    if (first !== undefined) return Number(first);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
