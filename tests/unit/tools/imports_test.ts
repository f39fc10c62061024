import assert from "node:assert/strict";
import {
  importCycles,
  unreadMembers,
  unusedExports,
} from "../../../tools/imports.ts";

Deno.test("unusedExports() finds exports that no file imports, with all forms of imports", () => {
  const sources = {
    "lib/a.ts": [
      "export function fixed(): void {}",
      "export async function lazy(): Promise<void> {}",
      "export const MEMBER = 1;",
      "export class Renamed {}",
      "/** {@linkcode lost} is in a comment only. */",
      "export function lost(): void { lost(); }",
      "export const OWN = 1 + MEMBER;",
    ].join("\n"),
    "lib/room/b.ts": [
      'import { fixed, Renamed as Other } from "../a.ts";',
      'const { lazy } = await import("../a.ts");',
      'const one = (await import("../a.ts")).MEMBER;',
      "export function unusedToo(): void {}",
    ].join("\n"),
  };
  assert.deepEqual(unusedExports(sources), [
    "lib/a.ts lost",
    "lib/a.ts OWN",
    "lib/room/b.ts unusedToo",
  ]);
  const tool = {
    "tools/c.ts": [
      'import { lost, type OWN } from "../lib/a.ts";',
      'import * as all from "../lib/room/b.ts";',
    ].join("\n"),
  };
  assert.deepEqual(unusedExports({ ...sources, ...tool }), []);
});

Deno.test("an exported type may be used in its own file only", () => {
  assert.deepEqual(
    unusedExports({
      "lib/a.ts": [
        "export interface Options { readonly a: string }",
        "export type Alone = string;",
        "export function use(options: Options): void {}",
      ].join("\n"),
      "main.ts": 'import { use } from "./lib/a.ts";',
    }),
    ["lib/a.ts Alone"],
  );
});

Deno.test("unreadMembers() finds members that are only declared and assigned", () => {
  const declared = [
    "export interface Facts {",
    "  /** Read by name. */",
    "  readonly named: string;",
    "  readonly renamed?: string;",
    "  readonly filled: string;",
    "  called(): void;",
    "  never<T>(value: T): void;",
    "}",
  ].join("\n");
  const use = [
    "function show({ renamed: other }: Facts): string {",
    "  return facts.named + facts.called() + other;",
    "}",
    'const facts: Facts = { named: "", filled: "", never: () => {} };',
  ].join("\n");
  assert.deepEqual(
    unreadMembers({ "lib/a.ts": declared, "lib/b.ts": use }),
    ["lib/a.ts filled", "lib/a.ts never"],
  );
});

Deno.test("importCycles() finds cycles of imports, including imports of types", () => {
  const sources = {
    "lib/a.ts": 'import { b } from "./b.ts";',
    "lib/b.ts": 'import type {\n  C,\n} from "./c.ts";\nimport "node:fs";',
    "lib/c.ts": 'const { a } = await import("./a.ts");',
    "lib/d.ts": 'import { a } from "./a.ts";\nimport { b } from "./b.ts";',
  };
  assert.deepEqual(importCycles(sources), [
    ["lib/a.ts", "lib/b.ts", "lib/c.ts", "lib/a.ts"],
  ]);
  assert.deepEqual(importCycles({ ...sources, "lib/c.ts": "" }), []);
});
