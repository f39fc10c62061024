import assert from "node:assert/strict";
import { stagedConfig } from "../../tools/compile.ts";
import { elfSize } from "../../tools/denort.ts";

/** An ELF header that says where the section header table is. */
function elfHeader(offset: number, entries: number): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  const view = new DataView(header.buffer);
  view.setBigUint64(0x28, BigInt(offset), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, entries, true);
  return header;
}

Deno.test("elfSize() is the end of the section header table", () => {
  assert.equal(elfSize(elfHeader(1000, 30)), 1000 + 30 * 64);
});

Deno.test("elfSize() measures a program inside a larger buffer", () => {
  const buffer = new Uint8Array(200);
  buffer.set(elfHeader(64, 1), 100);
  assert.equal(elfSize(buffer.subarray(100)), 128);
});

Deno.test("elfSize() refuses what is no 64-bit little-endian ELF file", () => {
  const script = new TextEncoder().encode("#!/bin/sh\n".repeat(10));
  const narrow = elfHeader(1000, 30);
  narrow[4] = 1;
  for (const file of [new Uint8Array(), script, narrow]) {
    assert.throws(() => elfSize(file), RangeError);
  }
});

Deno.test("stagedConfig() keeps the permissions of the compile block and nothing else", () => {
  const permissions = { env: true, ffi: ["/lib/libc.so.6"] };
  const config = { name: "x", compile: { permissions, include: ["y"] } };
  assert.deepEqual(stagedConfig(config), { compile: { permissions } });
});

Deno.test("stagedConfig() looks up a permission set that is named", () => {
  const set = { net: true };
  assert.deepEqual(
    stagedConfig({
      permissions: { program: set },
      compile: { permissions: "program" },
    }),
    { compile: { permissions: set } },
  );
});

Deno.test("stagedConfig() refuses a config without a permission set", () => {
  for (const config of [{}, { compile: { permissions: "absent" } }]) {
    assert.throws(() => stagedConfig(config), /no compile.permissions/);
  }
});

Deno.test("stagedConfig() refuses relative paths, however they are written", () => {
  for (const paths of [["./out"], { allow: ["/a", "out"] }]) {
    for (const key of ["read", "write", "ffi"]) {
      assert.throws(
        () => stagedConfig({ compile: { permissions: { [key]: paths } } }),
        /must be absolute: .*out/,
      );
    }
  }
});
