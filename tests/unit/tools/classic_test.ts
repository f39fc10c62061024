import assert from "node:assert/strict";
import { filter, settingLines } from "../../../tools/bench/classic.ts";

/** A setting with one place in config.json. */
function goesTo(
  path: string,
  value: unknown,
  written: unknown,
): Parameters<typeof filter>[0] {
  return [{ name: "X", value, paths: [{ path, value: written }] }];
}

Deno.test("the jq program of the benchmark writes each kind of value", () => {
  const cases: readonly [unknown, unknown, string][] = [
    ["chat", "chat", "env.X"],
    [80, ":80", '":" + env.X + ""'],
    [50, 50, "env.X | tonumber"],
    [true, true, 'env.X == "true"'],
    [true, false, 'env.X == "false"'],
    ["a,b", ["a", "b"], 'env.X | split(",")'],
    [30, 720, "720"],
    ["(hidden)", "(hidden)", '(env.X | select(. != "")) // .A.B // env.secret'],
  ];
  for (const [value, written, program] of cases) {
    assert.equal(
      filter(goesTo("A.B", value, written)),
      `.A.B = (${program})\n`,
    );
  }
});

Deno.test("the shell script of the benchmark gets every setting with default and type", () => {
  assert.equal(
    settingLines([
      { name: "A", value: "it's", paths: [] },
      { name: "B", value: 5, paths: [] },
      { name: "C", value: "(hidden)", paths: [] },
    ]),
    "setting A 'it'\\''s' string\nsetting B '5' number\nsetting C '' string\n",
  );
});
