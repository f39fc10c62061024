import assert from "node:assert/strict";
import { SCRIPT_HEAD } from "../../tools/compile/scripts.ts";
import { translate } from "../../tools/trace.ts";

/** A map that knows one place: line 2, column 5 of the script. */
const MAP = {
  findEntry: (line: number, column: number) =>
    line === 1 && column === 4
      ? {
        generatedLine: line,
        generatedColumn: column,
        originalSource: "../../lib/run.ts",
        originalLine: 9,
        originalColumn: 2,
      }
      : {},
};

Deno.test("a position in the script is replaced by the position in the sources", () => {
  const text = "Error: x\n    at zK (program.js:2:5)\n    at node:net:3:4\n";
  assert.equal(
    translate(text, MAP),
    "Error: x\n    at zK (lib/run.ts:10:3)\n    at node:net:3:4\n",
  );
});

Deno.test("a position that the map does not have stays as it is", () => {
  assert.equal(translate("at program.js:7:1", MAP), "at program.js:7:1");
});

Deno.test("the text before the bundle on the first line is subtracted", () => {
  const asked: number[][] = [];
  const findEntry = (...place: number[]): Record<string, never> => {
    asked.push(place);
    return {};
  };
  translate(`at program.js:1:${SCRIPT_HEAD.length + 1}`, { findEntry });
  assert.deepEqual(asked, [[0, 0]]);
});
